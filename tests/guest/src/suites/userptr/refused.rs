// SPDX-License-Identifier: GPL-2.0

//! Memory that a GPU may not have.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use rgt::BindOp;
use rustix::io::Errno;

use super::area::{Area, READ_WRITE};
use super::basic::submit;
use crate::expect::{fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Vgem, udmabuf};
use crate::rig::{PAGE, Rig, SHARED};

pub(super) const TESTS: &[Test] = tests![
    no_memory,
    pages_of_bos,
    pages_of_other_drivers,
    pages_of_devices,
    secret_memory,
    it_becomes_such,
];

const LEN: usize = 4 * PAGE as usize;

/// Binds what is at an address.
fn bind(rig: &Rig, address: usize) -> Result<rgt::Result<()>> {
    let range = rig.vm.reserve(LEN as u64)?;
    let address = std::ptr::without_provenance(address);
    // SAFETY: The range is unmapped below, and no job uses it.
    let op = unsafe { BindOp::memory(address, range.addr(), LEN as u64) };
    Ok(rig.vm.bind(&[op.read_only()]))
}

fn no_memory() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(3 * LEN)?;
    let base = area.as_ptr().addr();
    area.punch(LEN, LEN)?;
    for (what, address) in [
        ("no memory", base + LEN),
        ("a hole at the end", base + PAGE as usize),
        ("a hole at the start", base + LEN + PAGE as usize),
        ("the first page", 0),
        ("the kernel's", 0xffff_8000_0000_0000),
        ("none of addresses", 0x8000_0000_0000_0000),
        ("the last page", usize::MAX - LEN + 1 - PAGE as usize),
    ] {
        fails(what, Errno::FAULT, bind(&rig, address)?)?;
    }
    bind(&rig, base)??;
    Ok(submit(&rig)?)
}

fn pages_of_bos() -> Outcome {
    let rig = Rig::new()?;
    for (what, make) in SHARED {
        let bo = rig.bo(LEN as u64, make)?;
        let map = bo.map()?;
        map.write(0, 1);
        fails(what, Errno::FAULT, bind(&rig, map.as_ptr().addr())?)?;
    }
    Ok(())
}

/// Those that drivers map of their buffers, though they are of plain memory.
fn pages_of_other_drivers() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let dumb = vgem.dumb(LEN as u64)?;
    let buffer = udmabuf(LEN as u64)?;
    for (what, map) in [("vgem's", dumb.map()?), ("a udmabuf's", buffer.map()?)] {
        map.write(0, 1);
        fails(what, Errno::FAULT, bind(&rig, map.as_ptr().addr())?)?;
        same(what, map.read(0), 1)?;
    }
    Ok(submit(&rig)?)
}

/// The GPU's own registers, by the file that sysfs has of them.
fn pages_of_devices() -> Outcome {
    let rig = Rig::new()?;
    let node = rig.device.path().file_name().context("a node")?;
    let node = node.to_string_lossy();
    let path = format!("/sys/class/drm/{node}/device/resource2");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .context(path)?;
    let area = Area::map(LEN, READ_WRITE, libc::MAP_SHARED, Some((file.as_fd(), 0)))?;
    fails("VRAM", Errno::FAULT, bind(&rig, area.as_ptr().addr())?)
}

fn secret(len: usize) -> Result<OwnedFd> {
    // SAFETY: The call makes a file.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_secret, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("memfd_secret");
    }
    // SAFETY: The file is ours.
    let file = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
    // SAFETY: It is valid.
    if unsafe { libc::ftruncate(file.as_raw_fd(), len as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error()).context("ftruncate");
    }
    Ok(file)
}

/// Memory that is not even the kernel's to read.
fn secret_memory() -> Outcome {
    let rig = Rig::new()?;
    let file = secret(LEN)?;
    let area = Area::map(LEN, READ_WRITE, libc::MAP_SHARED, Some((file.as_fd(), 0)))?;
    area.number(5);
    fails(
        "secret memory",
        Errno::FAULT,
        bind(&rig, area.as_ptr().addr())?,
    )?;
    same("it is what it was", area.read(0), 5)
}

/// What a range is bound for can become another kind of memory later.
fn it_becomes_such() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    same("at first", bound.checksum(&rig)?, area.checksum())?;
    let file = secret(LEN)?;
    area.replace(0, PAGE as usize, libc::MAP_SHARED, Some((file.as_fd(), 0)))?;
    area.write(0, 7);
    fails("secret memory in it", Errno::FAULT, submit(&rig))?;
    area.replace(
        0,
        PAGE as usize,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        None,
    )?;
    same("without it", bound.checksum(&rig)?, area.checksum())?;
    // Its own BO, which shares the VM's reservation.
    let bo = rgt::Bo::builder(LEN as u64)
        .private(&rig.vm)
        .create(&rig.device)?;
    let offset = bo.mmap_offset()?;
    area.replace(0, LEN, libc::MAP_SHARED, Some((rig.device.as_fd(), offset)))?;
    fails("a BO", Errno::FAULT, submit(&rig))?;
    area.replace(0, LEN, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, None)?;
    same("without the BO", bound.checksum(&rig)?, area.checksum())
}
