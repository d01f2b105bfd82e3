// SPDX-License-Identifier: GPL-2.0

//! Where a thread comes through in the driver's code, by kcov, which the debug kernel has.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rgt::Mapping;

const KCOV: &str = "/sys/kernel/debug/kcov";
/// As many places as there is room for; what comes then is lost. The first word is their number.
const WORDS: usize = 1 << 18;

// From <linux/kcov.h>.
const INIT_TRACE: libc::Ioctl = 0x8008_6301_u32 as _;
const ENABLE: libc::Ioctl = 0x6364;
const TRACE_PC: usize = 0;

/// The places that the thread which made it has come to.
pub(super) struct Coverage {
    words: Mapping,
    /// Tracing ends when it is closed.
    _file: File,
    /// It is the thread's own.
    _thread: PhantomData<*const ()>,
}

impl Coverage {
    /// Whether the kernel has kcov.
    pub(super) fn is_there() -> bool {
        Path::new(KCOV).exists()
    }

    /// Follows this thread from here on. None on a kernel without kcov.
    pub(super) fn new() -> Result<Option<Self>> {
        let file = match File::options().read(true).write(true).open(KCOV) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.context(KCOV)?,
        };
        // SAFETY: The argument is a number.
        let made = unsafe { libc::ioctl(file.as_raw_fd(), INIT_TRACE, WORDS) };
        ensure!(made == 0, io::Error::last_os_error());
        let words = Mapping::new(&file, 0, WORDS * size_of::<u64>())?;
        // SAFETY: The argument is a number.
        let enabled = unsafe { libc::ioctl(file.as_raw_fd(), ENABLE, TRACE_PC) };
        ensure!(enabled == 0, io::Error::last_os_error());
        Ok(Some(Self {
            words,
            _file: file,
            _thread: PhantomData,
        }))
    }

    /// Forgets all places.
    pub(super) fn clear(&self) {
        self.words.write_slice(0, &[0, 0]);
    }

    /// Returns the places since then, some of them many times.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let word = |index: usize| self.words.read_u64(index * size_of::<u64>());
        let count = (word(0) as usize).min(WORDS - 1);
        (1..=count).map(word)
    }
}
