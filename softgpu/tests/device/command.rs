// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use softgpu::abi::regs;
use vfio_user::Client;

use crate::gpu::{BAR0, wait_for};

fn softgpu(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_softgpu"));
    command.arg("--socket").arg(socket).args(arguments);
    command.stdin(Stdio::null());
    command
}

/// A command that does not outlive its test.
struct Running(Child);

impl Running {
    fn new(socket: &Path, arguments: &[&str]) -> Self {
        Self(softgpu(socket, arguments).spawn().unwrap())
    }

    /// Its exit status, once it ends by itself.
    fn status(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("an end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the command and waits until it listens.
fn start(socket: &Path, arguments: &[&str]) -> (Running, Client) {
    let child = Running::new(socket, arguments);
    let mut client = None;
    wait_for("a socket", || {
        client = Client::new(socket).ok();
        client.is_some()
    });
    (child, client.unwrap())
}

fn read(client: &mut Client, register: usize) -> u32 {
    let mut data = [0; 4];
    client
        .region_read(BAR0, register as u64, &mut data)
        .unwrap();
    u32::from_le_bytes(data)
}

/// What a command that fails says.
fn complaint(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("softgpu: "), "{text}");
    text
}

#[test]
fn ends_with_its_client() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let (mut child, mut client) = start(&socket, &["--vram", "6M", "--visible", "1M"]);
    assert_eq!(read(&mut client, regs::ID), regs::ID_MAGIC);
    assert_eq!(read(&mut client, regs::VRAM_SIZE_LO), 6 << 20);
    assert_eq!(read(&mut client, regs::VISIBLE_SIZE_LO), 1 << 20);
    drop(client);
    assert_eq!(child.status(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn defaults() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let (mut child, mut client) = start(&socket, &[]);
    assert_eq!(read(&mut client, regs::VRAM_SIZE_LO), 256 << 20);
    assert_eq!(read(&mut client, regs::VISIBLE_SIZE_LO), 256 << 20);
    drop(client);
    assert_eq!(child.status(), Some(0));
}

#[test]
fn ends_at_a_signal() {
    for (signal, connected) in [
        (Signal::TERM, false),
        (Signal::TERM, true),
        (Signal::INT, true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let mut child = Running::new(&socket, &[]);
        wait_for("a socket", || socket.exists());
        let client = connected.then(|| Client::new(&socket).unwrap());
        let pid = Pid::from_child(&child.0);
        kill_process(pid, signal).unwrap();
        assert_eq!(child.status(), Some(0));
        assert!(!socket.exists());
        drop(client);
    }
}

#[test]
fn replaces_only_sockets_that_nobody_listens_at() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    // The one that listens is not disturbed by one that wants its place, before it has its client
    // and after.
    let mut first = Running::new(&socket, &[]);
    wait_for("a listener", || {
        let probe = UnixDatagram::unbound().unwrap().connect(&socket);
        probe.is_err_and(|error| error.raw_os_error() == Some(libc::EPROTOTYPE))
    });
    let second = softgpu(&socket, &[]).output().unwrap();
    assert!(complaint(second).contains("another process listens"));
    let mut client = Client::new(&socket).unwrap();
    let second = softgpu(&socket, &[]).output().unwrap();
    assert!(complaint(second).contains("another process listens"));
    assert_eq!(read(&mut client, regs::ID), regs::ID_MAGIC);
    drop(client);
    assert_eq!(first.status(), Some(0));
}

#[test]
fn clear_errors() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let run =
        |path: &Path, arguments: &[&str]| complaint(softgpu(path, arguments).output().unwrap());
    assert!(run(&socket, &["--vram", "3M"]).contains("multiple of 2 MiB"));
    assert!(run(&socket, &["--visible", "3M"]).contains("power of two"));
    assert!(run(&socket, &["--visible", "1G"]).contains("more than"));
    let absent = directory.path().join("absent/socket");
    assert!(run(&absent, &[]).contains("cannot listen"));
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(run(&file, &[]).contains("not a socket"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}
