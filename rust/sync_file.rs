// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Fences as files, for explicit synchronisation between devices and processes.
//!
//! C header: [`include/linux/sync_file.h`](srctree/include/linux/sync_file.h)

use core::ptr::NonNull;

use kernel::{
    fs::{
        file::FileDescriptorReservation,
        File,
        LocalFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

use crate::rust::{
    bindings,
    dma_fence::Fence, //
};

/// A file of a fence that is about to get its descriptor.
///
/// All that can fail comes before: user space can be told [`Self::fd()`] first. Dropped, it leaves
/// nothing.
pub struct SyncFile {
    fd: FileDescriptorReservation,
    file: ARef<File>,
}

impl SyncFile {
    /// Creates a file of a fence, and reserves a descriptor of the current task's, which is closed on
    /// `exec()`.
    ///
    /// C: `sync_file_create()`.
    pub fn new(fence: &Fence) -> Result<Self> {
        let fd = FileDescriptorReservation::get_unused_fd_flags(bindings::O_CLOEXEC)?;

        // SAFETY: The fence is valid; C takes its own reference.
        let sync = unsafe { bindings::sync_file_create(fence.as_raw()).as_ref() }.ok_or(ENOMEM)?;
        let file = NonNull::new(sync.file.cast()).ok_or(ENOMEM)?;

        Ok(Self {
            fd,
            // SAFETY: The file is new, with one reference, which is ours. No task has it, so that
            // there is no `fdget_pos()` of it.
            file: unsafe { LocalFile::assume_no_fdget_pos(ARef::from_raw(file)) },
        })
    }

    /// Returns the descriptor.
    pub fn fd(&self) -> u32 {
        self.fd.reserved_fd()
    }

    /// Lets user space have the file.
    pub fn install(self) {
        self.fd.fd_install(self.file);
    }
}

/// Returns the fence of a file descriptor of the current task; [`EINVAL`] if it is not that of a
/// sync file.
///
/// C: `sync_file_get_fence()`.
pub fn find_fence(fd: i32) -> Result<ARef<Fence>> {
    // SAFETY: It may be called with any number.
    let fence = unsafe { bindings::sync_file_get_fence(fd) };
    let fence = NonNull::new(fence.cast()).ok_or(EINVAL)?;

    // SAFETY: The function returned a reference.
    Ok(unsafe { ARef::from_raw(fence) })
}
