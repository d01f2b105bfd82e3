// SPDX-License-Identifier: GPL-2.0

//! Where a thread comes through in the driver's code, by kcov, which the debug kernel has.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

const KCOV: &str = "/sys/kernel/debug/kcov";
/// As many places as there is room for; what comes then is lost. The first word is their number.
const WORDS: usize = 1 << 18;

// From <linux/kcov.h>.
const INIT_TRACE: libc::Ioctl = 0x8008_6301_u32 as _;
const ENABLE: libc::Ioctl = 0x6364;
const TRACE_PC: usize = 0;

/// The places that the thread which made it has come to.
pub(super) struct Coverage {
    words: *const AtomicU64,
    /// Tracing ends when it is closed.
    _file: File,
    /// It is the thread's own.
    _thread: PhantomData<*const ()>,
}

impl Coverage {
    /// Follows this thread from here on. None on a kernel without kcov.
    pub(super) fn new() -> Result<Option<Self>> {
        let file = match File::options().read(true).write(true).open(KCOV) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.context(KCOV)?,
        };
        // SAFETY: The argument is a number.
        let made = unsafe { libc::ioctl(file.as_raw_fd(), INIT_TRACE, WORDS) };
        ensure!(made == 0, io::Error::last_os_error());
        // SAFETY: The kernel chooses the address, so no memory of ours is replaced.
        let words = unsafe {
            libc::mmap(
                ptr::null_mut(),
                WORDS * size_of::<u64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        ensure!(words != libc::MAP_FAILED, io::Error::last_os_error());
        // SAFETY: The argument is a number.
        let enabled = unsafe { libc::ioctl(file.as_raw_fd(), ENABLE, TRACE_PC) };
        ensure!(enabled == 0, io::Error::last_os_error());
        Ok(Some(Self {
            words: words.cast(),
            _file: file,
            _thread: PhantomData,
        }))
    }

    /// The words, which are mapped until the process ends.
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: So many are mapped, and nobody unmaps them. The kernel writes them, and only while
        // this thread is in a call.
        unsafe { std::slice::from_raw_parts(self.words, WORDS) }
    }

    /// Forgets all places.
    pub(super) fn clear(&self) {
        self.words()[0].store(0, Ordering::Relaxed);
    }

    /// Returns the places since then, some of them many times.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let count = self.words()[0].load(Ordering::Relaxed) as usize;
        let places = &self.words()[1..][..count.min(WORDS - 1)];
        places.iter().map(|place| place.load(Ordering::Relaxed))
    }
}
