// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Output;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use softgpu::abi::regs;
use vfio_user::Client;

use crate::gpu::{BAR0, wait_for};
use crate::process::{Running, plain, softgpu};

/// Starts the command and waits until it listens.
fn start(socket: &Path, arguments: &[&str]) -> (Running, Client) {
    let child = Running::new(socket, arguments);
    let client = connect(socket);
    (child, client)
}

fn connect(socket: &Path) -> Client {
    let mut client = None;
    wait_for("a socket", || {
        client = Client::new(socket).ok();
        client.is_some()
    });
    client.unwrap()
}

fn read(client: &mut Client, register: usize) -> u32 {
    let mut data = [0; 4];
    client
        .region_read(BAR0, register as u64, &mut data)
        .unwrap();
    u32::from_le_bytes(data)
}

/// Returns the message of a command that fails.
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
fn replaces_only_sockets_without_a_listener() {
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

#[test]
fn several_gpus_end_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = ["a", "b", "c"].map(|name| directory.path().join(name));
    let mut child = Running::several(
        &sockets.each_ref().map(|socket| socket.as_path()),
        &["--scratchpad=8K".to_owned()],
    );
    let mut clients: Vec<Client> = sockets.iter().map(|socket| connect(socket)).collect();
    for (client, vram) in clients.iter_mut().zip([4, 6, 8]) {
        assert_eq!(read(client, regs::VRAM_SIZE_LO), vram << 20);
        assert_eq!(read(client, regs::SCRATCHPAD_SIZE), 8192);
    }
    // Each has registers of its own.
    let scratch = (regs::SCRATCH as u64, 7u32.to_le_bytes());
    clients[1]
        .region_write(BAR0, scratch.0, &scratch.1)
        .unwrap();
    assert_eq!(read(&mut clients[0], regs::SCRATCH), 0);

    drop(clients.remove(0));
    wait_for("the socket to go", || !sockets[0].exists());
    for client in &mut clients {
        assert_eq!(read(client, regs::ID), regs::ID_MAGIC);
    }
    assert!(child.0.try_wait().unwrap().is_none());
    drop(clients);
    assert_eq!(child.status(), Some(0));
    assert!(sockets.iter().all(|socket| !socket.exists()));
}

#[test]
fn several_gpus_end_at_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = ["a", "b"].map(|name| directory.path().join(name));
    let control = directory.path().join("control");
    let mut child = Running::several(
        &sockets.each_ref().map(|socket| socket.as_path()),
        &[format!("--control={}", control.display())],
    );
    wait_for("sockets", || control.exists());
    let _client = connect(&sockets[0]);
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    assert_eq!(child.status(), Some(0));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn options_that_exclude_each_other() {
    for arguments in [
        &[][..],
        &["--gpu", "socket=a", "--socket", "b"],
        &["--gpu", "vram=2M"],
        &["--vram", "2M"],
    ] {
        let output = plain(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let gpu = format!("--gpu=socket={}/a", directory.path().display());
    let output = plain(&[gpu.clone(), gpu]).output().unwrap();
    assert!(complaint(output).contains("another process listens"));
}

#[test]
fn control_reaches_each_gpu() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = ["a", "b"].map(|name| directory.path().join(name));
    let control = directory.path().join("control");
    let mut child = Running::several(
        &sockets.each_ref().map(|socket| socket.as_path()),
        &[format!("--control={}", control.display())],
    );
    let mut clients: Vec<Client> = sockets.iter().map(|socket| connect(socket)).collect();
    wait_for("the control socket", || control.exists());
    let mut stream = UnixStream::connect(&control).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut ask = |command: &str| {
        stream.write_all(command.as_bytes()).unwrap();
        answers.next().unwrap().unwrap()
    };
    assert_eq!(ask("power-loss 1\r\n"), "ok");
    assert_eq!(read(&mut clients[0], regs::RESET_COUNT), 0);
    assert_eq!(read(&mut clients[1], regs::RESET_COUNT), 1);
    for (command, reason) in [
        ("hang\n", "no such command: hang"),
        ("hang 2 0\n", "no GPU: 2"),
        ("hang 0 3\n", "no engine: 3"),
        ("hang 0 0 forever\n", "no such command: hang"),
        ("slow 0 0 -1\n", "not a number: -1"),
        ("lose 0 9 1\n", "no vector: 9"),
        ("explode 0\n", "no such command: explode"),
        ("\n", "an empty line"),
    ] {
        assert_eq!(ask(command), format!("error: {reason}"));
    }
    // Neither nonsense nor a client that disconnects disturbs other clients.
    assert!(ask(&"x".repeat(256)).starts_with("error: "));
    assert!(ask("\n").starts_with("error: "));
    let mut other = UnixStream::connect(&control).unwrap();
    other.write_all(b"power-loss 0\nhang").unwrap();
    drop(other);
    wait_for("the command", || {
        read(&mut clients[0], regs::RESET_COUNT) == 1
    });
    assert_eq!(ask("remove 0\n"), "ok");
    assert_eq!(read(&mut clients[0], regs::ID), u32::MAX);
    assert_eq!(read(&mut clients[1], regs::ID), regs::ID_MAGIC);
    let counters: serde_json::Value = serde_json::from_str(&ask("counters 0\n")).unwrap();
    assert_eq!(counters["removed"], true);
    drop(clients);
    assert_eq!(child.status(), Some(0));
    assert!(!control.exists());
}

#[test]
fn the_control_socket_outlives_a_lack_of_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let [socket, control, log] = ["gpu", "control", "log"].map(|name| directory.path().join(name));
    let option = format!("--control={}", control.display());
    let child = Running::logged(&socket, &[&option], &log);
    wait_for("the control socket", || control.exists());
    let limit = |current| Rlimit {
        current: Some(current),
        maximum: Some(1024),
    };
    let pid = Some(Pid::from_child(&child.0));
    prlimit(pid, Resource::Nofile, limit(24)).unwrap();
    // More than it can have. Those that it cannot take wait.
    let connections: Vec<UnixStream> = (0..64)
        .map(|_| UnixStream::connect(&control).unwrap())
        .collect();
    let complaint = "cannot accept a connection";
    wait_for("a failure", || {
        fs::read_to_string(&log).unwrap().contains(complaint)
    });
    drop(connections);
    let mut stream = UnixStream::connect(&control).unwrap();
    stream.write_all(b"power-loss 0\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    assert_eq!(answer, "ok\n");
}
