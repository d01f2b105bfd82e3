// SPDX-License-Identifier: GPL-2.0

//! The refusal of a client.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;

use super::stream::{receive, send};

/// How long to wait for a client's first message, so that it can be answered.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers a client's first message with an error and closes the connection; one that says nothing
/// is not waited for long.
pub fn refuse(stream: &UnixStream, errno: Errno) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if let Some(message) = receive(stream, &mut Vec::new())?
        && message.header.wants_reply
    {
        send(stream, &message.header.error(errno), &[], None)?;
    }
    Ok(())
}
