// SPDX-License-Identifier: GPL-2.0

//! Fences as files.

use kernel::prelude::*;

use super::dma_fence::fence;
use crate::rust::{
    bindings,
    sync_file::{
        find_fence,
        SyncFile, //
    }, //
};

#[kunit_tests(rgt_sync_file)]
mod tests {
    use super::*;

    #[test]
    fn file_has_the_fence() -> Result {
        let (fence, pending) = fence()?;
        let file = SyncFile::new(&fence)?;
        let fd = file.fd();

        // CAST: Descriptors are small.
        assert_eq!(find_fence(fd as i32).err(), Some(EINVAL));
        file.install();
        let found = find_fence(fd as i32)?;
        assert_eq!(found.as_raw(), fence.as_raw());
        pending.signal(Ok(()));

        // SAFETY: It may be called with any number.
        assert_eq!(unsafe { bindings::close_fd(fd) }, 0);
        assert_eq!(find_fence(fd as i32).err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn dropped_file_leaves_nothing() -> Result {
        let (fence, pending) = fence()?;
        let file = SyncFile::new(&fence)?;
        let fd = file.fd();

        drop(file);
        assert_eq!(find_fence(fd as i32).err(), Some(EINVAL));
        // The descriptor is free again.
        assert_eq!(SyncFile::new(&fence)?.fd(), fd);
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn other_numbers_have_none() {
        assert_eq!(find_fence(-1).err(), Some(EINVAL));
        assert_eq!(find_fence(i32::MAX).err(), Some(EINVAL));
    }
}
