// SPDX-License-Identifier: GPL-2.0

//! Messages that arrive garbled.

use std::path::PathBuf;

use softgpu::abi::regs;
use tempfile::TempDir;

use crate::gpu::{command, memory_file};
use crate::process::Running;
use crate::raw::{DMA_MAP, DMA_UNMAP, REGION_READ, REGION_WRITE, Raw, access, dma_map, fields};

/// The region of VRAM.
const BAR2: u32 = 2;
const TIMES: u64 = 100;

/// A client, the process that it talks to, and the socket for commands to that.
struct Garbled {
    raw: Raw,
    _child: Running,
    control: PathBuf,
    _directory: TempDir,
}

impl Garbled {
    /// Every message comes garbled.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (socket, control) = (
            directory.path().join("gpu"),
            directory.path().join("control"),
        );
        let option = format!("--control={}", control.display());
        let child = Running::new(&socket, &["--vram=4M", &option]);
        let this = Self {
            raw: Raw::agreed(&socket),
            _child: child,
            control,
            _directory: directory,
        };
        this.demand("garble 0 1");
        this
    }

    fn demand(&self, line: &str) {
        assert_eq!(command(&self.control, line), "ok", "{line}");
    }

    /// None does any more, and all is as it should be.
    fn end(mut self) {
        let counters = command(&self.control, "counters 0");
        assert!(!counters.contains(r#""garbled":0"#), "{counters}");
        self.demand("garble 0 0");
        assert_eq!(self.raw.read_register(regs::ID), regs::ID_MAGIC);
    }
}

#[test]
fn reads_go_elsewhere_and_are_as_long_as_they_were() {
    let mut garbled = Garbled::new();
    let body = access(0, regs::ID as u64, 4);
    let mut right = 0;
    for _ in 0..TIMES {
        // A region that is not there is refused.
        if let Ok(reply) = garbled.raw.ask(REGION_READ, &body) {
            assert_eq!(reply.len(), body.len() + 4);
            right += u64::from(reply[body.len()..] == regs::ID_MAGIC.to_ne_bytes());
        }
    }
    assert!(right < TIMES / 2, "{right} of {TIMES}");
    garbled.end();
}

#[test]
fn writes_go_elsewhere_or_have_other_data() {
    let mut garbled = Garbled::new();
    for at in 0..TIMES {
        let mut body = access(BAR2, 8 * at, 8);
        body.extend(at.to_ne_bytes());
        let _ = garbled.raw.ask(REGION_WRITE, &body);
    }
    garbled.demand("garble 0 0");
    let right = (0..TIMES).filter(|at| {
        let reply = garbled.raw.ask(REGION_READ, &access(BAR2, 8 * at, 8));
        reply.unwrap()[16..] == at.to_ne_bytes()
    });
    let right = right.count() as u64;
    assert!(right < TIMES / 2, "{right} of {TIMES}");
    garbled.end();
}

#[test]
fn which_memory_there_is_comes_as_it_was_said() {
    const SIZE: u64 = 4096;
    let mut garbled = Garbled::new();
    let memory = memory_file(SIZE);
    let _ = garbled.raw.ask(REGION_READ, &access(0, 0, 4));
    for at in 0..TIMES {
        let map = garbled
            .raw
            .ask_with(DMA_MAP, &dma_map(0, at * SIZE, SIZE), &[&memory]);
        assert_eq!(map, Ok(vec![]));
    }
    for at in 0..TIMES {
        let body = fields(&[24, 0], &[at * SIZE, SIZE]);
        assert_eq!(garbled.raw.ask(DMA_UNMAP, &body), Ok(body));
    }
    garbled.end();
}
