// SPDX-License-Identifier: GPL-2.0

//! Sockets between a test and a helper, to hand files over.

use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process;

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Helper, Outcome};
use crate::rig::PATIENCE;

fn address(name: &str) -> Result<SocketAddr> {
    Ok(SocketAddr::from_abstract_name(name)?)
}

/// Starts a helper, which gets the name of a socket and another argument, and waits for it to
/// connect.
pub(crate) fn start(helper: &str, argument: &str) -> Result<(Helper, UnixStream)> {
    let name = format!("guest-tests-{}-{argument}", process::id());
    let listener = UnixListener::bind_addr(&address(&name)?)?;
    let helper = Helper::start(helper, &[name, argument.to_owned()])?;
    arrives(&listener).context("it does not connect")?;
    let (socket, _) = listener.accept()?;
    Ok((helper, socket))
}

/// The helper's end of the socket of a name.
pub(crate) fn connect(name: &str) -> Result<UnixStream> {
    Ok(UnixStream::connect_addr(&address(name)?)?)
}

/// Waits for something to come out of a socket.
pub(crate) fn arrives(socket: impl AsFd) -> Outcome {
    let mut files = [PollFd::new(&socket, PollFlags::IN)];
    let timeout = Timespec::try_from(PATIENCE)?;
    ensure!(poll(&mut files, Some(&timeout))? == 1, "nothing in time");
    Ok(())
}
