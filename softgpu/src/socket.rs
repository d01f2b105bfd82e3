// SPDX-License-Identifier: GPL-2.0

//! Sockets to listen at, and their files.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use log::warn;

use crate::log_limit::LogLimit;

/// Pause before the next attempt to accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket's file, for as long as the socket is of use.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = fs::remove_file(&self.0);
    }
}

/// Fails if `path` is anything but free or a socket without a listener.
pub(crate) fn refuse_taken(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        bail!("{} exists and is not a socket", path.display());
    }
    // A socket of another type than the listener's is refused without the listener noticing.
    let probe = UnixDatagram::unbound().context("cannot make a socket")?;
    match probe.connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        _ => bail!("another process listens at {}", path.display()),
    }
}

/// Listens at `path`. The file appears when connections are accepted and not before, so that a
/// client that waits for the file can connect at once.
pub(crate) fn listen(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", process::id()));
    let mut socket = SocketFile(name.into());
    let complaint = || format!("cannot listen at {}", path.display());
    let listener = UnixListener::bind(&socket.0).with_context(complaint)?;
    fs::rename(&socket.0, path).with_context(complaint)?;
    socket.0 = path.to_owned();
    Ok((listener, socket))
}

/// Waits for a connection. When there is one that cannot be accepted, because the process has no
/// descriptor left or the system no memory, it is tried again until it can.
pub(crate) fn accept(listener: &UnixListener, warnings: &mut LogLimit) -> UnixStream {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(error) => {
                warnings.warn(|again| warn!("cannot accept a connection: {error}{again}"));
                thread::sleep(PAUSE);
            }
        }
    }
}
