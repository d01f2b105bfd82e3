// SPDX-License-Identifier: GPL-2.0

//! Mappings of VRAM by whole blocks of 2 MiB.

use std::ptr;

use anyhow::{Result, ensure};
use rgt::{Bo, BoFlags, Mapping, Placement};

use super::{BLOCK, faults_of, is_touched, page_tables, touch};
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![
    large_mappings_are_aligned,
    need_no_page_tables,
    in_a_fork,
    half_unmapped,
    write_protected_and_back,
    unaligned_mapping
];

const SIZE: usize = 8 * BLOCK;

/// VRAM that the CPU sees in one piece, aligned to blocks.
fn visible(rig: &Rig) -> Result<Bo> {
    rig.bo(SIZE as u64, |bo| {
        bo.placement(Placement::VRAM)
            .flags(BoFlags::CPU_ACCESS | BoFlags::CONTIGUOUS)
            .alignment(BLOCK as u32)
    })
}

fn filled(rig: &Rig) -> Result<(Bo, Mapping)> {
    let bo = visible(rig)?;
    let map = bo.map()?;
    touch(&map);
    Ok((bo, map))
}

fn large_mappings_are_aligned() -> Outcome {
    let rig = Rig::new()?;
    let mut kept = Vec::new();
    for pages in 1..4 {
        // Earlier mappings, and offsets in the device file, are multiples of a page only.
        kept.push(rig.gtt(pages * 4096)?.map()?);
        let map = visible(&rig)?.map()?;
        same("offset in a block", map.as_ptr() as usize % BLOCK, 0)?;
        kept.push(map);
    }
    Ok(())
}

fn need_no_page_tables() -> Outcome {
    let rig = Rig::new()?;
    let bo = visible(&rig)?;
    let map = bo.map()?;
    let before = page_tables()?;
    let count = faults_of(|| touch(&map));
    // A thread that ends meanwhile takes some with it.
    let tables = page_tables()?.saturating_sub(before);
    ensure!(count <= 8 + 8, "{count} faults for 8 blocks");
    // Eight tables of 4 KiB would be needed, and perhaps one above them.
    ensure!(tables < 8 * 4, "{tables} KiB of page tables for 8 blocks");
    ensure!(is_touched(&map), "a page has lost its content");
    same("sum", rig.checksum(&bo)?, map.checksum(0..map.len()))
}

fn in_a_fork() -> Outcome {
    let rig = Rig::new()?;
    let (_bo, map) = filled(&rig)?;
    let end = in_child(|| {
        let right = is_touched(&map);
        map.write(BLOCK, 0x1234_5678);
        u8::from(!right)
    })?;
    same("what the child saw", end, End::Exit(0))?;
    same("what the child wrote", map.read(BLOCK), 0x1234_5678)
}

/// A block of which a part is unmapped has to be cut up.
fn half_unmapped() -> Outcome {
    let rig = Rig::new()?;
    let (bo, map) = filled(&rig)?;
    // SAFETY: Nothing below accesses this part, and unmapping it twice is allowed.
    let result = unsafe {
        let start = map.as_ptr().byte_add(BLOCK / 2);
        libc::munmap(start.cast(), BLOCK)
    };
    same("munmap", result, 0)?;
    for offset in [
        0,
        BLOCK / 2 - 4096,
        BLOCK + BLOCK / 2,
        2 * BLOCK,
        SIZE - 4096,
    ] {
        same("content", map.read(offset), offset as u32 ^ 0x5555)?;
        map.write(offset, 7);
    }
    let whole = bo.map()?;
    for offset in [
        0,
        BLOCK / 2 - 4096,
        BLOCK + BLOCK / 2,
        2 * BLOCK,
        SIZE - 4096,
    ] {
        same("content through another mapping", whole.read(offset), 7)?;
    }
    same(
        "what was unmapped",
        whole.read(BLOCK),
        BLOCK as u32 ^ 0x5555,
    )
}

fn write_protected_and_back() -> Outcome {
    let rig = Rig::new()?;
    let (_bo, map) = filled(&rig)?;
    let protect = |protection| {
        // SAFETY: Nothing writes while the mapping cannot be written but a child that dies of it.
        unsafe { libc::mprotect(map.as_ptr().cast(), BLOCK, protection) }
    };
    same("mprotect", protect(libc::PROT_READ), 0)?;
    ensure!(is_touched(&map), "a page has lost its content");
    let end = in_child(|| {
        map.write(0, 1);
        0
    })?;
    same("a write", end, End::Signal(libc::SIGSEGV))?;
    same("mprotect", protect(libc::PROT_READ | libc::PROT_WRITE), 0)?;
    touch(&map);
    ensure!(is_touched(&map), "a page has lost its content");
    Ok(())
}

/// At an address that no block fits, pages do.
fn unaligned_mapping() -> Outcome {
    let rig = Rig::new()?;
    let bo = visible(&rig)?;
    let offset = bo.mmap_offset()?;
    let len = 2 * BLOCK;
    // SAFETY: The kernel chooses where this reservation is.
    let room = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len + 2 * BLOCK,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    ensure!(room != libc::MAP_FAILED, "no room");
    let base = (room as usize).next_multiple_of(BLOCK) + 4096;
    // SAFETY: It replaces a part of the reservation only.
    let at = unsafe {
        libc::mmap(
            base as *mut libc::c_void,
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_FIXED,
            std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(&rig.device)),
            offset as i64,
        )
    };
    ensure!(at == base as *mut libc::c_void, "MAP_FIXED failed");
    for page in (0..len).step_by(4096) {
        // SAFETY: The page was mapped above.
        unsafe { at.byte_add(page).cast::<u32>().write_volatile(page as u32) };
    }
    let map = bo.map()?;
    for page in (0..len).step_by(4096) {
        same("content", map.read(page), page as u32)?;
    }
    // SAFETY: Nothing uses any of it any more.
    let result = unsafe { libc::munmap(room, len + 2 * BLOCK) };
    same("munmap", result, 0)
}
