// SPDX-License-Identifier: GPL-2.0

//! From an entry of the ioctl table to its handler.

use core::ptr;

use kernel::{
    device,
    drm::{
        self,
        ioctl, //
    },
    faux,
    prelude::*,
    sync::aref::ARef, //
};

use crate::{
    rust::bindings,
    tests::fake::{
        Argument,
        FakeDriver,
        FakeRegistrationData,
        Fixture,
        ADD, //
    }, //
};

/// Calls an ioctl as the DRM core does, and returns what user space would get.
fn call(dev: &drm::Device<FakeDriver>, nr: u32, value: u64) -> Result<c_int> {
    let mut arg = Argument { value };
    let mut file = KBox::<bindings::drm_file>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
    let func = <FakeDriver as drm::Driver>::IOCTLS[nr as usize]
        .func
        .ok_or(EINVAL)?;

    // CAST: `drm::Device` is `repr(C)` and begins with the `drm_device`.
    let dev: *mut bindings::drm_device = ptr::from_ref(dev).cast_mut().cast();

    // SAFETY: The device has been registered, and the argument is of the type that goes with the
    // ioctl. No handler looks into the file.
    Ok(unsafe { func(dev, ptr::from_mut(&mut arg).cast(), file.as_mut_ptr()) })
}

#[kunit_tests(rgt_ioctl)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_as_in_c() {
        let table = <FakeDriver as drm::Driver>::IOCTLS;

        // As the C macros encode 'd', the size of a u64 and the first driver ioctls.
        assert_eq!(table.len(), 2);
        assert_eq!(table[0].cmd, 0x4008_6440);
        assert_eq!(table[0].flags, ioctl::RENDER_ALLOW);
        assert_eq!(table[1].cmd, 0x8008_6441);
        assert_eq!(table[1].flags, ioctl::AUTH | ioctl::RENDER_ALLOW);
    }

    #[test]
    fn calls_reach_the_handler_while_registered() -> Result {
        let number = 17;
        let Fixture { drm, parent } = Fixture::new()?;
        let parent: &faux::Device<device::Bound> = parent.as_ref();

        // SAFETY: The registration is dropped below.
        let registration = unsafe {
            drm::Registration::new(
                parent.as_ref(),
                drm,
                Ok::<_, Error>(FakeRegistrationData { number: &number }),
                0,
            )
        }?;

        let dev = ARef::from(registration.device());

        assert_eq!(call(&dev, ADD, 25)?, 42);
        assert_eq!(
            call(&dev, ADD, u64::from(u32::MAX) - 17)?,
            ERANGE.to_errno()
        );
        assert_eq!(call(&dev, ADD, u64::MAX)?, EOVERFLOW.to_errno());

        drop(registration);
        assert_eq!(call(&dev, ADD, 25)?, ENODEV.to_errno());
        Ok(())
    }
}
