// SPDX-License-Identifier: GPL-2.0

//! Memory whose pages a userfaultfd brings: an access before that blocks, the kernel's too.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::{io, thread};

use anyhow::{Context, Result, ensure};

use super::area::Area;
use crate::harness::Outcome;
use crate::rig::PATIENCE;

/// An area with a userfaultfd, which brings its pages: at first there are none.
pub(in crate::suites) struct Late {
    // First: who waits for a page goes on when the file is closed.
    file: OwnedFd,
    area: Area,
}

/// `_IOWR(0xaa, number, size)`.
const fn command(number: u64, size: usize) -> libc::c_ulong {
    3 << 30 | (size as u64) << 16 | 0xaa << 8 | number
}

/// The fields of `struct uffdio_api`: version, features, commands.
type Api = [u64; 3];
/// Those of `struct uffdio_register` and `struct uffdio_zeropage`: start, length, mode, and what the
/// kernel answers.
type Range = [u64; 4];
/// The bytes of a `struct uffd_msg`.
const MESSAGE: usize = 32;

const API: libc::c_ulong = command(0x3f, size_of::<Api>());
const REGISTER: libc::c_ulong = command(0, size_of::<Range>());
const ZEROPAGE: libc::c_ulong = command(4, size_of::<Range>());
const VERSION: u64 = 0xaa;
const MODE_MISSING: u64 = 1;

impl Late {
    pub(in crate::suites) fn new(len: usize) -> Result<Self> {
        let area = Area::anonymous(len)?;
        // SAFETY: It takes flags alone.
        let fd =
            unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("userfaultfd");
        }
        // SAFETY: It was opened just now.
        let file = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let this = Self { file, area };
        this.call(API, &mut [VERSION, 0, 0])?;
        this.call(REGISTER, &mut this.range(MODE_MISSING))?;
        Ok(this)
    }

    fn range(&self, mode: u64) -> Range {
        let start = self.area.as_ptr().addr() as u64;
        [start, self.area.len() as u64, mode, 0]
    }

    fn call<const N: usize>(&self, command: libc::c_ulong, fields: &mut [u64; N]) -> Outcome {
        // SAFETY: The commands above go with as many fields, which are there.
        let done = unsafe { libc::ioctl(self.file.as_raw_fd(), command, fields.as_mut_ptr()) };
        if done != 0 {
            return Err(io::Error::last_os_error()).context("a command of a userfaultfd");
        }
        Ok(())
    }

    /// The memory.
    pub(in crate::suites) fn area(&self) -> &Area {
        &self.area
    }

    /// Waits for the next page fault.
    pub(in crate::suites) fn is_awaited(&self) -> Outcome {
        let mut poll = libc::pollfd {
            fd: self.file.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: It is one.
        let ready = unsafe { libc::poll(&raw mut poll, 1, PATIENCE.as_millis() as i32) };
        ensure!(ready == 1, "nobody waits for a page");
        let mut message = [0_u8; MESSAGE];
        // SAFETY: As many bytes are there.
        let read = unsafe {
            let to = message.as_mut_ptr().cast();
            libc::read(self.file.as_raw_fd(), to, MESSAGE)
        };
        ensure!(read == MESSAGE as isize, "a message has {read} bytes");
        Ok(())
    }

    /// Makes a call that waits for a page, does something else meanwhile, and brings all pages.
    pub(in crate::suites) fn while_awaited<T: Send>(
        &self,
        call: impl FnOnce() -> T + Send,
        meanwhile: impl FnOnce() -> Outcome,
    ) -> Result<T> {
        thread::scope(|scope| {
            let caller = scope.spawn(call);
            let done = self.is_awaited().and_then(|()| meanwhile());
            let waits = !caller.is_finished();
            // In any case: it ends with that.
            let brought = self.bring();
            let called = caller.join().expect("the caller");
            done.and(brought)?;
            ensure!(waits, "it did not wait");
            Ok(called)
        })
    }

    /// Brings all pages, with zeros in them: none may be there.
    pub(in crate::suites) fn bring(&self) -> Outcome {
        self.call(ZEROPAGE, &mut self.range(0))
    }

    /// Gives all pages up.
    pub(in crate::suites) fn give_up(&self) -> Outcome {
        self.area.advise(0, self.area.len(), libc::MADV_DONTNEED)
    }
}
