// SPDX-License-Identifier: GPL-2.0

//! Handles of buffer objects: refused, opened and closed.

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    drm::{
        self,
        gem::BaseObject, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::{
    fake::{
        Bo,
        Device,
        Fixture,
        TtmFile,
        PAGE,
        TT, //
    },
    share::register, //
};
use crate::rust::{
    bindings,
    drm::{
        file::{
            client_id,
            for_each_object, //
        },
        ttm::{
            self,
            KernelBo, //
        }, //
    }, //
};

// Declared as in `helpers.h`: a `struct drm_device` gives a `struct drm_file`.
unsafe extern "C" {
    fn rgt_test_open(dev: *mut c_void) -> *mut c_void;
    fn rgt_test_close(file: *mut c_void);
}

/// An open file of a device, which it keeps.
struct Client(NonNull<bindings::drm_file>);

impl Client {
    fn new(dev: &Device) -> Result<Self> {
        // CAST: `drm::Device` is `repr(C)` and begins with the `drm_device`.
        let dev = ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: The device is valid.
        let file = from_err_ptr(unsafe { rgt_test_open(dev) })?;

        Ok(Self(NonNull::new(file.cast()).ok_or(EINVAL)?))
    }

    fn file(&self) -> &drm::File<TtmFile> {
        // SAFETY: It is an open file of a device of the driver.
        unsafe { drm::File::from_raw(self.0.as_ptr()) }
    }

    fn open(&self, bo: &Bo) -> Result<u32> {
        bo.as_gem().create_handle(self.file())
    }

    fn close(&self, handle: u32) -> Result {
        // SAFETY: The file is open.
        to_result(unsafe { bindings::drm_gem_handle_delete(self.0.as_ptr(), handle) })
    }

    /// Returns the number of handles.
    fn handles(&self) -> usize {
        let mut count = 0;

        for_each_object(self.file(), |_| count += 1);
        count
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: It was opened by `new()`, and is not used any more.
        unsafe { rgt_test_close(self.0.as_ptr().cast()) };
    }
}

fn opened(bo: &Bo) -> i32 {
    bo.handles.load(Relaxed)
}

#[kunit_tests(rgt_bo_handle)]
mod tests {
    use super::*;

    #[test]
    fn each_is_opened_and_closed() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let (one, other) = (Client::new(&fixture.drm)?, Client::new(&fixture.drm)?);

        let (first, second) = (one.open(&bo)?, one.open(&bo)?);
        let _ = other.open(&bo)?;
        assert_ne!(first, second);
        assert_eq!(opened(&bo), 3);

        one.close(first)?;
        assert_eq!(opened(&bo), 2);
        assert_eq!(one.file().inner().closed(), 1);
        assert_eq!(one.close(first), Err(EINVAL));
        assert_eq!(opened(&bo), 2);

        // With a file go its handles.
        drop(one);
        assert_eq!(opened(&bo), 1);
        drop(other);
        assert_eq!(opened(&bo), 0);
        assert_eq!(fixture.fate.gone(), 0);
        Ok(())
    }

    #[test]
    fn refused_one_leaves_no_trace() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let (owner, stranger) = (Client::new(&fixture.drm)?, Client::new(&fixture.drm)?);

        bo.owner.store(client_id(owner.file()), Relaxed);
        assert_eq!(stranger.open(&bo), Err(EPERM));
        assert_eq!(stranger.handles(), 0);
        assert_eq!(opened(&bo), 0);

        let handle = owner.open(&bo)?;
        assert_eq!(owner.handles(), 1);
        drop(stranger);
        assert_eq!(opened(&bo), 1);
        owner.close(handle)?;
        drop(bo);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn file_of_another_device_gets_none() -> Result {
        let (fixture, foreign) = (Fixture::new()?, Fixture::new()?);
        let bo = fixture.bo(1)?;
        let client = Client::new(&foreign.drm)?;

        assert_eq!(client.open(&bo), Err(EINVAL));
        assert_eq!(client.handles(), 0);
        assert_eq!(opened(&bo), 0);
        Ok(())
    }

    #[test]
    fn bo_of_the_kernel_has_none() -> Result {
        let fixture = Fixture::new()?;
        let client = Client::new(&fixture.drm)?;
        let data = Ok::<_, Error>(fixture.data());
        let _kernel = KernelBo::new(&fixture.drm, fixture.bound(), PAGE as usize, TT, data)?;

        let mut found = 0;
        ttm::Device::of(&*fixture.drm).for_each_bo(|bo| {
            found += 1;
            assert_eq!(client.open(bo), Err(EINVAL));
            Ok(())
        })?;
        assert_eq!(found, 1);
        assert_eq!(client.handles(), 0);
        Ok(())
    }

    #[test]
    fn is_closed_after_the_device_is_gone() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let client = Client::new(registration.device())?;
        let bo = backing.bo_in(registration.device(), TT, 1)?;

        client.open(&bo)?;
        drop(registration);
        assert_eq!(opened(&bo), 1);
        drop(client);
        assert_eq!(opened(&bo), 0);
        Ok(())
    }
}
