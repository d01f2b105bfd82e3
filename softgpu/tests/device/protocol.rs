// SPDX-License-Identifier: GPL-2.0

//! The vfio-user protocol, as a client speaks it that is not QEMU.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use libc::{E2BIG, EACCES, EBUSY, EEXIST, EINVAL, ENOTSUP, EPROTONOSUPPORT};
use rustix::event::EventfdFlags;
use softgpu::abi::regs;
use tempfile::TempDir;

use crate::gpu::{MSIX, memory_file, wait_for};
use crate::process::Running;
use crate::raw::{
    DMA_MAP, DMA_READ, DMA_UNMAP, GET_INFO, GET_IRQ_INFO, GET_REGION_INFO, NO_REPLY, REGION_READ,
    REGION_WRITE, RESET, Raw, SET_IRQS, VERSION, access, dma_map, fields, header, version,
};

/// A GPU in a process of its own, and where its messages go.
struct Served {
    child: Running,
    socket: PathBuf,
    log: PathBuf,
    _directory: TempDir,
}

impl Served {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (socket, log) = (directory.path().join("gpu"), directory.path().join("log"));
        Self {
            child: Running::logged(&socket, &["--vram=4M"], &log),
            socket,
            log,
            _directory: directory,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// It lives, and serves a client to its end.
    fn finish(mut self) {
        let mut raw = Raw::agreed(&self.socket);
        assert_eq!(raw.read_register(regs::ID), regs::ID_MAGIC);
        drop(raw);
        assert_eq!(self.child.status(), Some(0), "{}", self.log());
    }

    /// It lives, has a client, and ends with it.
    fn finish_with(mut self, mut raw: Raw) {
        assert_eq!(raw.read_register(regs::ID), regs::ID_MAGIC);
        drop(raw);
        assert_eq!(self.child.status(), Some(0), "{}", self.log());
    }
}

#[test]
fn the_version_comes_first_and_once() {
    let served = Served::new();
    let mut raw = Raw::connect(&served.socket);
    assert_eq!(raw.ask(GET_INFO, &fields(&[16, 0, 0, 0], &[])), Err(EINVAL));
    assert_eq!(raw.ask(RESET, &[]), Err(EINVAL));
    for (body, errno) in [
        (version(1, b"{}\0"), EPROTONOSUPPORT),
        (version(0, b"{}"), EINVAL),
        (version(0, b"\0"), EINVAL),
        (version(0, b"{\"capabilities\":7}\0"), EINVAL),
        (vec![0; 3], EINVAL),
        (vec![], EINVAL),
    ] {
        assert_eq!(raw.ask(VERSION, &body), Err(errno), "{body:?}");
    }
    let good = version(0, b"{\"capabilities\":{\"max_msg_fds\":8}}\0");
    let reply = raw.ask(VERSION, &good).unwrap();
    assert_eq!(reply[..4], [0; 4]);
    let text = String::from_utf8(reply[4..].to_vec()).unwrap();
    assert!(
        text.ends_with('\0') && !text.contains("migration"),
        "{text}"
    );
    assert_eq!(raw.ask(VERSION, &good), Err(EINVAL));
    served.finish_with(raw);
}

#[test]
fn what_is_not_supported_is_skipped() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    // Its body looks like a message.
    let body = header(9, RESET, 16, 0).repeat(3);
    for command in [0, 6, DMA_READ, 12, 14, 15, 255, u16::MAX] {
        assert_eq!(raw.ask(command, &body), Err(ENOTSUP), "{command}");
    }
    assert_eq!(raw.read_register(regs::RESET_COUNT), 0);
    let log = served.log();
    assert!(
        log.contains("gpu0: command 11 refused: not supported"),
        "{log}"
    );
    served.finish_with(raw);
}

#[test]
fn regions_and_interrupts_are_described() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let info = raw.ask(GET_INFO, &fields(&[16, 0, 0, 0], &[])).unwrap();
    assert_eq!(info, fields(&[16, 3, 9, 5], &[]));
    let region = |index, argsz| fields(&[argsz, 0, index, 0], &[0, 0]);
    // A client without the room for it learns how much it takes.
    let small = raw.ask(GET_REGION_INFO, &region(2, 32)).unwrap();
    assert_eq!(small, fields(&[64, 15, 2, 32], &[4 << 20, 0]));
    let whole = raw.ask(GET_REGION_INFO, &region(2, 64)).unwrap();
    assert_eq!(whole[..32], small);
    assert_eq!(whole[32..], fields(&[1 << 16 | 1, 0, 1, 0], &[0, 4 << 20]));
    let irq = raw
        .ask(GET_IRQ_INFO, &fields(&[16, 0, MSIX, 0], &[]))
        .unwrap();
    assert_eq!(irq, fields(&[16, 1, MSIX, 9], &[]));
    for (command, body) in [
        (GET_INFO, fields(&[15, 0, 0, 0], &[])),
        (GET_INFO, vec![16, 0]),
        (GET_REGION_INFO, region(9, 64)),
        (GET_REGION_INFO, region(u32::MAX, 64)),
        (GET_REGION_INFO, region(0, 31)),
        (GET_IRQ_INFO, fields(&[16, 0, 5, 0], &[])),
    ] {
        assert_eq!(raw.ask(command, &body), Err(EINVAL), "{command} {body:?}");
    }
    served.finish_with(raw);
}

#[test]
fn accesses_have_a_limit() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    for count in [(1 << 20) + 1, 512 << 20, u32::MAX] {
        assert_eq!(raw.ask(REGION_READ, &access(2, 0, count)), Err(EINVAL));
    }
    let most = raw.ask(REGION_READ, &access(2, 0, 1 << 20)).unwrap();
    assert_eq!(most.len(), 16 + (1 << 20));
    assert_eq!(raw.ask(REGION_READ, &access(9, 0, 4)), Err(EINVAL));
    // A write has as many bytes as it says.
    let mut write = access(0, regs::SCRATCH as u64, 8);
    write.extend([1; 4]);
    assert_eq!(raw.ask(REGION_WRITE, &write), Err(EINVAL));
    assert_eq!(raw.read_register(regs::SCRATCH), 0);
    let mut write = access(0, regs::SCRATCH as u64, 4);
    write.extend([1; 4]);
    assert_eq!(raw.ask(REGION_WRITE, &write), Ok(write[..16].to_vec()));
    assert_eq!(raw.read_register(regs::SCRATCH), 0x0101_0101);
    served.finish_with(raw);
}

#[test]
fn dma_that_is_refused_is_an_error() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let file = memory_file(1 << 20);
    let mut ask = |body: &[u8], fds: &[&dyn AsFd]| raw.ask_with(DMA_MAP, body, fds);
    assert_eq!(ask(&dma_map(0, 0, 2 << 20), &[&file]), Err(EINVAL));
    assert_eq!(ask(&dma_map(0, 7, 4096), &[&file]), Err(EINVAL));
    assert_eq!(ask(&fields(&[32, 7], &[0, 0, 4096]), &[&file]), Err(EINVAL));
    assert_eq!(ask(&dma_map(0, 0, 4096)[..31], &[&file]), Err(EINVAL));
    assert_eq!(ask(&dma_map(0, 0, 4096), &[&file, &file]), Err(EINVAL));
    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    assert_eq!(ask(&dma_map(0, 0, 4096), &[&pipe]), Err(EINVAL));
    let zero = fs::File::open(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(ask(&dma_map(0, 0, 4096), &[&zero]), Err(EACCES));

    assert!(served.log().contains("DMA_MAP refused: "));

    assert_eq!(ask(&dma_map(0, 0, 1 << 20), &[&file]), Ok(vec![]));
    assert_eq!(ask(&dma_map(0, 4096, 4096), &[&file]), Err(EEXIST));
    assert_eq!(ask(&dma_map(0, 4096, 4096), &[]), Err(EEXIST));
    let unmap = |flags, address, size| fields(&[24, flags], &[address, size]);
    assert_eq!(raw.ask(DMA_UNMAP, &unmap(1, 0, 4096)), Err(ENOTSUP));
    assert_eq!(raw.ask(DMA_UNMAP, &unmap(2, 0, 4096)), Err(EINVAL));
    assert_eq!(raw.ask(DMA_UNMAP, &unmap(0, u64::MAX, 4096)), Err(EINVAL));
    // QEMU unmaps all addresses behind an IOMMU in two halves.
    let upper = unmap(0, 1 << 63, 1 << 63);
    assert_eq!(raw.ask(DMA_UNMAP, &upper), Ok(upper.clone()));
    for body in [unmap(0, 0, 1 << 20), unmap(2, 0, 0)] {
        assert_eq!(raw.ask(DMA_UNMAP, &body), Ok(body.clone()));
        let map = dma_map(0, 0, 1 << 20);
        assert_eq!(raw.ask_with(DMA_MAP, &map, &[&file]), Ok(vec![]));
    }
    served.finish_with(raw);
}

#[test]
fn interrupts_that_are_refused() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let event = rustix::event::eventfd(0, EventfdFlags::empty()).unwrap();
    let set = |flags, index, start, count| fields(&[20, flags, index, start, count], &[]);
    for (body, events, errno) in [
        (set(0x24, MSIX, 8, 2), 2, EINVAL),
        (set(0x24, MSIX, u32::MAX, 2), 2, EINVAL),
        (set(0x24, MSIX, 0, 2), 1, EINVAL),
        (set(0x24, 5, 0, 1), 1, EINVAL),
        (set(0x21, MSIX, 9, 1), 0, EINVAL),
        (set(0x22, MSIX, 0, 1), 0, ENOTSUP),
        (set(0x0c, MSIX, 0, 1), 0, ENOTSUP),
        (set(0x21, MSIX, 0, 1)[..19].to_vec(), 0, EINVAL),
    ] {
        let fds = vec![&event as &dyn AsFd; events];
        assert_eq!(raw.ask_with(SET_IRQS, &body, &fds), Err(errno), "{body:?}");
    }
    let fds = [&event as &dyn AsFd; 2];
    assert_eq!(
        raw.ask_with(SET_IRQS, &set(0x24, MSIX, 7, 2), &fds),
        Ok(vec![])
    );
    assert_eq!(raw.ask(SET_IRQS, &set(0x21, MSIX, 7, 2)), Ok(vec![]));
    let mut count = [0; 8];
    rustix::io::read(&event, &mut count).unwrap();
    assert_eq!(u64::from_ne_bytes(count), 2);
    served.finish_with(raw);
}

#[test]
fn descriptors_are_not_kept() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let file = memory_file(1 << 20);
    let before = served.child.descriptors();
    for page in 0..256 {
        let map = dma_map(page * 4096, page * 4096, 4096);
        assert_eq!(raw.ask_with(DMA_MAP, &map, &[&file]), Ok(vec![]));
        assert_eq!(raw.ask_with(DMA_MAP, &map, &[&file]), Err(EEXIST));
    }
    // With commands that have none, and more than there may be.
    assert_eq!(raw.ask_with(RESET, &[], &[&file]), Err(EINVAL));
    assert_eq!(raw.ask_with(255, &[], &[&file]), Err(EINVAL));
    let many = [&file as &dyn AsFd; 17];
    assert_eq!(
        raw.ask_with(DMA_MAP, &dma_map(0, 0, 4096), &many),
        Err(E2BIG)
    );
    assert_eq!(served.child.descriptors(), before);
    served.finish_with(raw);
}

#[test]
fn no_reply_is_no_reply() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let mut write = access(0, regs::SCRATCH as u64, 4);
    write.extend(7u32.to_ne_bytes());
    raw.send(REGION_WRITE, NO_REPLY, &write, &[]).unwrap();
    // Not even of an error, or of what makes no sense without one.
    raw.send(255, NO_REPLY, &[], &[]).unwrap();
    raw.send(GET_INFO, NO_REPLY, &[], &[]).unwrap();
    assert_eq!(raw.read_register(regs::SCRATCH), 7);
    served.finish_with(raw);
}

#[test]
fn a_stream_that_makes_no_sense_is_closed() {
    for (size, flags) in [(0, 0), (15, 0), (u32::MAX, 0), (16, 1), (16, 3)] {
        let served = Served::new();
        let mut raw = Raw::connect(&served.socket);
        raw.send_bytes(&header(0, VERSION, size, flags), &[])
            .unwrap();
        raw.wait_closed();
        wait_for("a message", || served.log().contains("a message"));
        served.finish();
    }
    // The same from a client that had the device: that GPU has no client any more.
    let mut served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    raw.send_bytes(&header(0, VERSION, 8, 0), &[]).unwrap();
    raw.wait_closed();
    assert_eq!(served.child.status(), Some(1));
    assert!(
        served.log().contains("a message of 8 bytes"),
        "{}",
        served.log()
    );
}

#[test]
fn one_that_only_looks_does_not_end_the_gpu() {
    let served = Served::new();
    drop(Raw::connect(&served.socket));
    // In the middle of a header, and of a body.
    for bytes in [1, 15, 16, 20] {
        let raw = Raw::connect(&served.socket);
        let message = [header(0, VERSION, 40, 0), vec![0; 24]].concat();
        raw.send_bytes(&message[..bytes], &[]).unwrap();
    }
    let mut raw = Raw::connect(&served.socket);
    assert_eq!(raw.ask(RESET, &[]), Err(EINVAL));
    drop(raw);
    served.finish();
}

#[test]
fn a_second_client_is_told_so() {
    let served = Served::new();
    let raw = Raw::agreed(&served.socket);
    for _ in 0..3 {
        let mut second = Raw::connect(&served.socket);
        assert_eq!(second.ask(VERSION, &version(0, b"{}\0")), Err(EBUSY));
        second.wait_closed();
    }
    // One that says nothing.
    Raw::connect(&served.socket).wait_closed();
    wait_for("a message", || {
        served
            .log()
            .matches("a second client was turned away")
            .count()
            == 4
    });
    served.finish_with(raw);
}

#[test]
fn memory_without_a_descriptor_is_said_once() {
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    for page in 0..20u64 {
        let map = dma_map(0, page << 20, 1 << 20);
        assert_eq!(raw.ask(DMA_MAP, &map), Ok(vec![]));
    }
    assert_eq!(
        served.log().matches("share=on").count(),
        1,
        "{}",
        served.log()
    );
    served.finish_with(raw);

    // Beside RAM that is shared there is other memory that cannot be: ROM, and BARs.
    let served = Served::new();
    let mut raw = Raw::agreed(&served.socket);
    let file = memory_file(1 << 20);
    let map = dma_map(0, 0, 1 << 20);
    let rom = fields(&[32, 1], &[0, 0xfffc_0000, 4096]);
    assert_eq!(raw.ask(DMA_MAP, &rom), Ok(vec![]));
    assert_eq!(raw.ask_with(DMA_MAP, &map, &[&file]), Ok(vec![]));
    assert_eq!(raw.ask(DMA_MAP, &dma_map(0, 1 << 30, 4096)), Ok(vec![]));
    assert!(!served.log().contains("share=on"), "{}", served.log());
    served.finish_with(raw);
}
