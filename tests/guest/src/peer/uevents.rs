// SPDX-License-Identifier: GPL-2.0

//! The kernel's events about devices.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// The group of the kernel's own events.
const KERNEL: u32 = 1;
/// More than an event has.
const LONGEST: usize = 8192;

/// The events from when this is made.
pub(crate) struct Uevents(OwnedFd);

impl Uevents {
    pub(crate) fn new() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
        let socket = socket_with(family, kind, flags, Some(KOBJECT_UEVENT))?;
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Self(socket))
    }

    /// Waits for the next event that has a variable; gives its value.
    pub(crate) fn next(&self, variable: &str, time: Duration) -> Result<String> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(value) = self.look(variable)? {
                return Ok(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no event with {variable} within {time:?}");
            }
            let left = Timespec::try_from(left)?;
            rustix::io::retry_on_intr(|| {
                poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left))
            })?;
        }
    }

    /// The value of the next event that waits and has a variable.
    pub(crate) fn look(&self, variable: &str) -> Result<Option<String>> {
        let mut bytes = vec![0; LONGEST];
        loop {
            let len = match recv(&self.0, &mut bytes[..], RecvFlags::empty()) {
                Ok((len, _)) => len,
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error).context("an event"),
            };
            let text = String::from_utf8_lossy(&bytes[..len]);
            let mut pairs = text.split('\0').filter_map(|word| word.split_once('='));
            if let Some((_, value)) = pairs.find(|(name, _)| *name == variable) {
                return Ok(Some(value.to_owned()));
            }
        }
    }
}
