// SPDX-License-Identifier: GPL-2.0

//! Mappings as a debugger sees them: through the process's memory, without a page fault of its own.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::{io, ptr};

use anyhow::{Context, Result, bail, ensure};
use rgt::{Mapping, Placement};
use rustix::mm::{MapFlags, ProtFlags};

use super::{MAPPABLE, STEP};
use crate::expect::{each, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, noise};

pub(super) const TESTS: &[Test] = tests![
    memory_of_the_process,
    a_debugger_stops_a_process,
    a_move_is_waited_for,
    hidden_memory,
    read_only_mappings
];

/// Where only the GPU reaches it, until the CPU wants it.
const SCRATCHPAD: Make = |bo| bo.placement(Placement::SCRATCHPAD | Placement::VRAM);

fn own_memory() -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/proc/self/mem");
    file.context("/proc/self/mem")
}

fn address(map: &Mapping) -> u64 {
    map.as_ptr() as u64
}

/// Reads dwords from an address, or from where they are in a mapping of nothing else.
fn peek(memory: &File, at: u64, dwords: usize) -> io::Result<Vec<u32>> {
    let mut bytes = vec![0; dwords * 4];
    memory.read_exact_at(&mut bytes, at)?;
    let (words, _) = bytes.as_chunks();
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn memory_of_the_process() -> Outcome {
    let rig = Rig::new()?;
    let memory = own_memory()?;
    each(MAPPABLE, |make| {
        const DWORDS: usize = 3 * STEP / 4;
        let bo = rig.bo(4 * PAGE, make)?;
        let map = bo.map()?;
        // Never touched, and so without memory perhaps.
        same("at first", peek(&memory, address(&map), 4)?, vec![0; 4])?;
        let data = noise(bo.handle(), DWORDS);
        map.write_slice(STEP / 2, &data);
        let at = address(&map) + PAGE / 2;
        ensure!(peek(&memory, at, DWORDS)? == data, "what is read differs");

        let bytes: Vec<u8> = data
            .iter()
            .rev()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        memory.write_all_at(&bytes[..bytes.len() - 4], at)?;
        let mut seen = vec![0; DWORDS];
        map.read_slice(STEP / 2, &mut seen);
        let expected: Vec<u32> = data.iter().rev().copied().collect();
        same("the dword behind", seen.pop(), data.last().copied())?;
        ensure!(seen == expected[..DWORDS - 1], "what was written differs");
        Ok(())
    })
}

fn a_debugger_stops_a_process() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(PAGE, make)?;
        let map = bo.map()?;
        map.write(8, 0x1234_5678);
        map.write(12, 0x9abc_def0);
        // SAFETY: The child only makes system calls.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: As above; it is killed while it is stopped.
            unsafe {
                libc::ptrace(libc::PTRACE_TRACEME);
                libc::raise(libc::SIGSTOP);
                libc::_exit(0);
            }
        }
        ensure!(child > 0, "fork: {}", io::Error::last_os_error());
        let end = |result: Result<()>| {
            // SAFETY: It is our child, which is waited for here only.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, ptr::null_mut(), 0);
            }
            result
        };
        let at = address(&map) as *mut libc::c_void;
        let mut status = 0;
        // SAFETY: It is our child; the status is ours.
        if unsafe { libc::waitpid(child, &mut status, 0) } != child || !libc::WIFSTOPPED(status) {
            return end(Err(anyhow::anyhow!("the child does not stop: {status:#x}")));
        }
        // SAFETY: The child is stopped, and traced by this process.
        let (word, poked) = unsafe {
            let at = at.byte_add(8);
            let word = libc::ptrace(libc::PTRACE_PEEKDATA, child, at, 0);
            let poked = libc::ptrace(libc::PTRACE_POKEDATA, child, at.byte_add(8), !word);
            (word, poked)
        };
        end(Ok(()))?;
        same("the word", word as u64, 0x9abc_def0_1234_5678)?;
        same("the answer to the write", poked, 0)?;
        same(
            "the word that was written",
            map.read_u64(16),
            !(word as u64),
        )
    })
}

/// The content is on its way by a job when it is asked for.
fn a_move_is_waited_for() -> Outcome {
    let rig = Rig::new()?;
    let memory = own_memory()?;
    let bo = rig.bo(MIB, |bo| bo.placement(Placement::VRAM | Placement::GTT))?;
    rig.fill(&bo, 0x5eed_5eed)?;
    let map = bo.map()?;
    let vram = rig.device.region(rgt::RegionKind::Vram)?.context("VRAM")?;
    for _ in 0..4 {
        // It leaves VRAM for these.
        let others = (0..vram.size / (16 * MIB))
            .map(|_| rig.vram(16 * MIB))
            .collect::<Result<Vec<_>>>()?;
        for other in &others {
            rig.fill(other, 0)?;
        }
        let got = peek(&memory, address(&map), MIB as usize / 4)?;
        if let Some(word) = got.iter().find(|word| **word != 0x5eed_5eed) {
            bail!("the content is not there: {word:#x}");
        }
        drop(others);
        rig.checksum(&bo)?;
    }
    Ok(())
}

fn hidden_memory() -> Outcome {
    let rig = Rig::new()?;
    let memory = own_memory()?;
    let scratchpad = rig.bo(8 * PAGE, SCRATCHPAD)?;
    rig.fill(&scratchpad, 0xbead)?;
    let map = scratchpad.map()?;
    same(
        "scratchpad",
        peek(&memory, address(&map) + PAGE, 2)?,
        vec![0xbead; 2],
    )?;

    // VRAM that must stay where the CPU does not see it: the data or an error, but no others'.
    let hidden = rig.bo(8 * PAGE, HIDDEN)?;
    rig.fill(&hidden, 0xfade)?;
    let map = hidden.map()?;
    if let Ok(words) = peek(&memory, address(&map), 2) {
        same("hidden VRAM", words, vec![0xfade; 2])?;
    }
    Ok(())
}

fn read_only_mappings() -> Outcome {
    let rig = Rig::new()?;
    let memory = own_memory()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(PAGE, make)?;
        bo.map()?.write(0, 7);
        // SAFETY: The kernel chooses the address; nothing of ours is replaced.
        let at = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                STEP,
                ProtFlags::READ,
                MapFlags::SHARED,
                &rig.device,
                bo.mmap_offset()?,
            )
        }?;
        let read = peek(&memory, at as u64, 1);
        let written = memory.write_at(&[1, 2, 3, 4], at as u64);
        // SAFETY: It is ours, and not used any more.
        unsafe { rustix::mm::munmap(at, STEP) }?;
        same("what is read", read?, vec![7])?;
        ensure!(written.is_err(), "it can be written");
        same("afterwards", bo.map()?.read(0), 7)
    })
}
