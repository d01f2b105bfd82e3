// SPDX-License-Identifier: GPL-2.0

//! A GPU behind a socket, and its clients.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow};
use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::device::{Config, Device};
use crate::log_limit::LogLimit;
use crate::server::Backend;
use crate::socket::{self, SocketFile};
use crate::vfio_user::{self, End};

/// Time for which a client waits for the one before it to disconnect.
const GRACE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// A GPU behind a socket.
pub struct Endpoint {
    listener: UnixListener,
    backend: Backend,
    warnings: LogLimit,
    _socket: SocketFile,
}

impl Endpoint {
    /// Powers a GPU on and listens at `path`. A socket without a listener is replaced.
    pub fn new(path: &Path, config: Config) -> anyhow::Result<Self> {
        socket::refuse_taken(path)?;
        let device = Arc::new(Device::new(config)?);
        let (listener, socket) = socket::listen(path)?;
        Ok(Self {
            listener,
            backend: Backend::new(device),
            warnings: LogLimit::default(),
            _socket: socket,
        })
    }

    /// The GPU.
    pub fn device(&self) -> &Arc<Device> {
        self.backend.device()
    }

    /// Serves clients until one that agreed on the protocol's version is gone; then the GPU has no
    /// bus any more. One that goes before it has agreed is one that only looked, and the GPU waits
    /// for the next.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let result = self.run_clients();
        self.device().remove();
        result
    }

    fn run_clients(&mut self) -> anyhow::Result<()> {
        let mut next = None;
        loop {
            let stream = next.unwrap_or_else(|| socket::accept(&self.listener, &mut self.warnings));
            let (End { agreed, result }, waiting) = self.serve(&stream)?;
            if agreed {
                info!("the client is gone");
                return result.context("the connection to the client failed");
            }
            let why = result.map_or_else(|error| format!(": {error}"), |()| String::new());
            self.warnings.warn(|again| {
                warn!("a client went before it agreed on the version{why}{again}");
            });
            next = waiting;
        }
    }

    /// Serves a client, while others are turned away. Returns how that ended, and the next client
    /// if one waits already.
    fn serve(&mut self, stream: &UnixStream) -> anyhow::Result<(End, Option<UnixStream>)> {
        let listener = &self.listener;
        let (session, over) = UnixStream::pair().context("cannot make a pair of sockets")?;
        thread::scope(|scope| {
            let name = thread::current().name().unwrap_or_default().to_owned();
            let refusing = thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, move || turn_away(listener, &over))
                .context("cannot start a thread")?;
            let end = vfio_user::serve(stream, &mut self.backend);
            drop(session);
            let waiting = refusing
                .join()
                .map_err(|_| anyhow!("the thread that turns clients away panicked"))?;
            Ok((end, waiting.context("cannot wait for clients")?))
        })
    }
}

/// Turns clients away until the other end of `over` is closed; one that came shortly before is the
/// result.
fn turn_away(listener: &UnixListener, over: &UnixStream) -> io::Result<Option<UnixStream>> {
    let mut warnings = LogLimit::default();
    loop {
        if is_closed(over, Some(listener), None)? {
            return Ok(None);
        }
        let stream = socket::accept(listener, &mut warnings);
        if is_closed(over, None, Some(&GRACE))? {
            return Ok(Some(stream));
        }
        let result = vfio_user::refuse(&stream, Errno::BUSY);
        let how = result.map_or_else(|error| format!(", unheard: {error}"), |()| String::new());
        warnings.warn(|again| warn!("a second client was turned away{how}{again}"));
    }
}

/// Waits until the other end of `over` is closed, a client comes to `listener`, or `time` is over.
/// True if it is closed.
fn is_closed(
    over: &UnixStream,
    listener: Option<&UnixListener>,
    time: Option<&Timespec>,
) -> io::Result<bool> {
    let mut wanted = vec![PollFd::new(over, PollFlags::IN)];
    wanted.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
    rustix::io::retry_on_intr(|| poll(&mut wanted, time))?;
    Ok(!wanted[0].revents().is_empty())
}
