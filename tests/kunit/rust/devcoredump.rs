// SPDX-License-Identifier: GPL-2.0

//! Dumps of devices that failed.

use core::ptr::{
    self,
    NonNull, //
};

use kernel::{
    device,
    faux,
    fmt::Write,
    prelude::*, //
};

use crate::{
    rust::{
        bindings,
        devcoredump::{
            remove,
            Dump, //
        }, //
    },
    tests::fake::faux_device, //
};

struct Failing(faux::Registration);

impl Failing {
    fn new() -> Result<Self> {
        faux_device("rgt-kunit-dump").map(Self)
    }

    fn dev(&self) -> &device::Device {
        let dev: &faux::Device<device::Bound> = self.0.as_ref();
        dev.as_ref()
    }

    fn dump(&self, text: &str) -> Result {
        let mut dump = Dump::with_capacity(16)?;

        write!(dump, "{text}").map_err(|_| ENOMEM)?;
        dump.submit(self.dev());
        Ok(())
    }

    /// Returns the number of the link to the device's dump, of which no two have the same.
    fn dump_link(&self) -> Option<u64> {
        // CAST: `Device` is transparent over `device`.
        let raw: *mut bindings::device = ptr::from_ref(self.dev()).cast_mut().cast();

        // SAFETY: The device is registered, so it has a directory.
        let link = NonNull::new(unsafe {
            bindings::kernfs_find_and_get_ns(
                (*raw).kobj.sd,
                c"devcoredump".as_char_ptr(),
                ptr::null(),
            )
        })?;
        // SAFETY: The reference that was just taken keeps it.
        let id = unsafe { (*link.as_ptr()).id };

        // SAFETY: This gives up the reference.
        unsafe { bindings::kernfs_put(link.as_ptr()) };
        Some(id)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        remove(self.dev());
    }
}

#[kunit_tests(rgt_devcoredump)]
mod tests {
    use super::*;

    #[test]
    fn text_grows_as_it_is_written() -> Result {
        let mut dump = Dump::with_capacity(4)?;

        writeln!(dump, "engine {} hangs at {:#x}", 1, 0xabc).map_err(|_| EINVAL)?;
        for _ in 0..5000 {
            dump.write_str("ring").map_err(|_| EINVAL)?;
        }
        assert_eq!(dump.text().len(), 24 + 20_000);
        assert!(dump
            .text()
            .starts_with(b"engine 1 hangs at 0xabc\nringring"));
        Ok(())
    }

    #[test]
    fn dump_is_there_until_it_is_removed() -> Result {
        let failing = Failing::new()?;

        assert_eq!(failing.dump_link(), None);
        failing.dump("first failure")?;
        assert!(failing.dump_link().is_some());
        remove(failing.dev());
        assert_eq!(failing.dump_link(), None);
        // Nothing to be removed.
        remove(failing.dev());
        Ok(())
    }

    #[test]
    fn first_failure_is_kept() -> Result {
        let failing = Failing::new()?;

        failing.dump("first failure")?;
        let first = failing.dump_link();
        assert!(first.is_some());
        failing.dump("second one")?;
        assert_eq!(failing.dump_link(), first);
        Ok(())
    }

    #[test]
    fn empty_dump_is_none() -> Result {
        let failing = Failing::new()?;

        failing.dump("")?;
        assert_eq!(failing.dump_link(), None);
        Ok(())
    }
}
