// SPDX-License-Identifier: GPL-2.0

//! Memory of processes that fork, end, and bind for others.

use anyhow::{Result, ensure};
use rustix::io::Errno;

use super::area::Area;
use super::basic::submit;
use crate::expect::{fails, same};
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    forked,
    of_a_process_that_ends,
    of_a_process_that_executes,
    shared_with_a_child,
];

const LEN: usize = 16 * PAGE as usize;

/// The GPU sees the memory of who has bound it, not the copy of a child.
pub(super) fn forked() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    same("before", bound.checksum(&rig)?, area.checksum())?;
    let (mut ready, mut over) = ([0; 2], [0; 2]);
    // SAFETY: The arrays are written, and read below.
    ensure!(unsafe { libc::pipe(ready.as_mut_ptr()) == 0 && libc::pipe(over.as_mut_ptr()) == 0 });
    let word = |fd: libc::c_int, write: bool| {
        let mut byte = 0_u8;
        // SAFETY: The byte is there.
        let done = unsafe {
            if write {
                libc::write(fd, (&raw const byte).cast(), 1)
            } else {
                libc::read(fd, (&raw mut byte).cast(), 1)
            }
        };
        done == 1
    };
    let before = area.checksum();
    std::thread::scope(|scope| -> Outcome {
        let child = scope.spawn(|| {
            in_child(|| {
                area.write(4, 1234);
                let told = word(ready[1], true) && word(over[0], false);
                // As it was at the fork, but for what it has written.
                u8::from(told && area.read(4) == 1234 && area.read(LEN - 4) == 16)
            })
        });
        ensure!(word(ready[0], false), "the child");
        same("the parent's", bound.checksum(&rig)?, before)?;
        bound.fill(&rig, 99)?;
        same("the parent's, filled", area.read(LEN - 4), 99)?;
        ensure!(word(over[1], true), "the child");
        same("the child", child.join().expect("a thread")?, End::Exit(1))
    })
}

/// Memory of a process that has ended cannot be had, by whoever still has the VM.
fn of_a_process_that_ends() -> Outcome {
    let rig = Rig::new()?;
    let range = rig.vm.reserve(LEN as u64)?;
    let area = Area::anonymous(LEN)?;
    let op = area.op(range.addr());
    // The child's memory, in the VM of its parent.
    let end = in_child(|| u8::from(rig.vm.bind(&[op]).is_ok()))?;
    same("the child", end, End::Exit(1))?;
    fails("a job", Errno::FAULT, submit(&rig))?;
    drop(range);
    Ok(submit(&rig)?)
}

/// Nor can that of a program that another one has taken the place of.
fn of_a_process_that_executes() -> Outcome {
    let rig = Rig::new()?;
    let range = rig.vm.reserve(LEN as u64)?;
    let area = Area::anonymous(LEN)?;
    let op = area.op(range.addr());
    let end = in_child(|| {
        if rig.vm.bind(&[op]).is_ok() {
            let arguments = [c"true".as_ptr(), std::ptr::null()];
            // SAFETY: All strings are terminated, and the list of arguments is.
            unsafe { libc::execv(c"/bin/true".as_ptr(), arguments.as_ptr()) };
        }
        9
    })?;
    same("the child", end, End::Exit(0))?;
    fails("a job", Errno::FAULT, submit(&rig))?;
    drop(range);
    Ok(submit(&rig)?)
}

/// Memory that processes share is one for the GPU, too.
fn shared_with_a_child() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::map(
        LEN,
        super::area::READ_WRITE,
        libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        None,
    )?;
    let bound = area.bind(&rig)?;
    bound.fill(&rig, 3)?;
    let child = |value: u32| -> Result<End> {
        in_child(|| {
            let seen = area.read(LEN - 4) == value;
            area.write(LEN - 4, value + 1);
            u8::from(seen)
        })
    };
    same("the child sees it", child(3)?, End::Exit(1))?;
    same("the GPU", bound.checksum(&rig)?, area.checksum())?;
    same("the parent", area.read(LEN - 4), 4)
}
