// SPDX-License-Identifier: GPL-2.0

//! Messages on a socket, with the file descriptors that belong to them.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::MAX_FDS;
use super::wire::{HEADER, Header};

/// A command as it came.
pub(super) struct Message {
    pub(super) header: Header,
    /// The descriptors that came with it.
    pub(super) fds: Vec<OwnedFd>,
    /// More descriptors came than can be taken, and are lost.
    pub(super) fds_lost: bool,
}

/// Receives a command and its body; none if the client is gone between two commands. An error of
/// the kind `InvalidData` is a stream that cannot be followed any further.
pub(super) fn receive(stream: &UnixStream, body: &mut Vec<u8>) -> io::Result<Option<Message>> {
    let mut bytes = [0; HEADER];
    let (received, fds, fds_lost) = receive_start(stream, &mut bytes)?;
    if received == 0 {
        return Ok(None);
    }
    (&*stream).read_exact(&mut bytes[received..])?;
    let header =
        Header::parse(&bytes).map_err(|what| io::Error::new(ErrorKind::InvalidData, what))?;
    body.resize(header.body, 0);
    (&*stream).read_exact(body)?;
    Ok(Some(Message {
        header,
        fds,
        fds_lost,
    }))
}

/// Receives the start of a header. Descriptors come with a message's first byte.
fn receive_start(
    stream: &UnixStream,
    bytes: &mut [u8; HEADER],
) -> io::Result<(usize, Vec<OwnedFd>, bool)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(bytes)];
        recvmsg(stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    // Because of its alignment the space may have room for one more.
    let lost = received.flags.contains(ReturnFlags::CTRUNC) || fds.len() > MAX_FDS;
    Ok((received.bytes, fds, lost))
}

/// Sends a reply, with a descriptor if there is one.
pub(super) fn send(
    stream: &UnixStream,
    header: &[u8; HEADER],
    body: &[u8],
    fd: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    // The client reads a header at once, so it goes in one piece, and its descriptor with it.
    let sent = rustix::io::retry_on_intr(|| {
        let parts = [IoSlice::new(header), IoSlice::new(body)];
        sendmsg(stream, &parts, &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    let rest = sent.checked_sub(HEADER).and_then(|sent| body.get(sent..));
    let rest = rest.ok_or(ErrorKind::WriteZero)?;
    (&*stream).write_all(rest)
}
