// SPDX-License-Identifier: GPL-2.0

//! Dumps of devices that failed.

use super::fake::faux_device;
use crate::rust::{
    bindings,
    devcoredump::{
        remove,
        Dump, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    device,
    error::from_err_ptr,
    faux,
    fmt::Write,
    prelude::*,
    str::CString, //
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

    /// Returns whether the device has a dump.
    fn has_dump(&self) -> bool {
        // CAST: `Device` is transparent over `device`.
        let raw: *mut bindings::device = ptr::from_ref(self.dev()).cast_mut().cast();

        // SAFETY: The device is registered, so it has a directory.
        let link = NonNull::new(unsafe {
            bindings::kernfs_find_and_get_ns(
                (*raw).kobj.sd,
                c"devcoredump".as_char_ptr(),
                ptr::null(),
            )
        });
        link.is_some_and(|link| {
            // SAFETY: This gives up the reference that was just taken.
            unsafe { bindings::kernfs_put(link.as_ptr()) };
            true
        })
    }

    /// Reads the dump as user space would, if sysfs is where user space has it.
    fn read_dump(&self, buffer: &mut [u8]) -> Result<usize> {
        let name = self.dev().name();
        let path = CString::try_from_fmt(fmt!("/sys/devices/faux/{name}/devcoredump/data"))?;
        // SAFETY: The path is a valid C string.
        let file = from_err_ptr(unsafe { bindings::filp_open(path.as_char_ptr(), 0, 0) })?;
        let mut pos = 0;
        // SAFETY: The file is open, and the buffer as long as this says.
        let len = unsafe {
            bindings::kernel_read(file, buffer.as_mut_ptr().cast(), buffer.len(), &mut pos)
        };
        // SAFETY: It was opened above.
        unsafe { bindings::filp_close(file, ptr::null_mut()) };

        usize::try_from(len).map_err(|_| EIO)
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

        assert!(!failing.has_dump());
        failing.dump("first failure")?;
        assert!(failing.has_dump());
        remove(failing.dev());
        assert!(!failing.has_dump());
        // Nothing to be removed.
        remove(failing.dev());
        Ok(())
    }

    #[test]
    fn first_failure_is_kept() -> Result {
        let failing = Failing::new()?;
        let mut buffer = [0; 32];

        failing.dump("first failure")?;
        failing.dump("second one")?;
        match failing.read_dump(&mut buffer) {
            // There is no sysfs when the module is part of the kernel.
            Err(error) => assert_eq!(error, ENOENT),
            Ok(len) => assert_eq!(&buffer[..len], b"first failure"),
        }
        Ok(())
    }

    #[test]
    fn empty_dump_is_none() -> Result {
        let failing = Failing::new()?;

        failing.dump("")?;
        assert!(!failing.has_dump());
        Ok(())
    }
}
