// SPDX-License-Identifier: MIT

//! Errors.

use std::path::PathBuf;

use rustix::io::Errno;

/// Result of the library's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error; those that the kernel gave keep its errno.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call failed in the kernel.
    #[error("{call}: {errno}")]
    Os {
        /// The call's name.
        call: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A device node could not be opened.
    #[error("cannot open {}: {errno}", path.display())]
    Open {
        /// The node.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// No device of the driver is there.
    #[error("no device of the driver {} under /dev/dri", crate::DRIVER_NAME)]
    NoDevice,
    /// The node belongs to another driver.
    #[error("{} belongs to the driver {driver}", path.display())]
    WrongDriver {
        /// The node.
        path: PathBuf,
        /// Its driver.
        driver: String,
    },
    /// The driver gave an answer that its header does not allow.
    #[error("the driver's answer makes no sense: {0}")]
    BadAnswer(&'static str),
    /// The VM has no free range of addresses of this size.
    #[error("no {0:#x} free bytes in the VM's address range")]
    NoAddress(u64),
    /// The command buffer has no room for the packet.
    #[error("the command buffer is full")]
    CommandBufferFull,
    /// Jobs were still running when the time was up.
    #[error("timed out waiting for the GPU")]
    TimedOut,
}

impl Error {
    /// The kernel's errno, if the kernel gave the error.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { errno, .. } | Self::Open { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}
