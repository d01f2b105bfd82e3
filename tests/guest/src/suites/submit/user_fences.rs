// SPDX-License-Identifier: GPL-2.0

//! User fences: words of the process that are written when a job has ended.

use std::io::Write;
use std::time::{Duration, Instant};
use std::{ptr, thread};

use anyhow::{Context as _, Result, bail, ensure};
use rgt::uapi::*;
use rgt::{Context, Priority, Syncobj, UserFence, WaitFrom, ioctl};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::arguments::KERNEL;
use crate::expect::{fails, raw, same};
use crate::harness::{End, Outcome, Test, in_child, meeting, tests};
use crate::peer::SwFence;
use crate::rig::{PAGE, PATIENCE, Rig};
use crate::suites::userptr::Late;

pub(super) const TESTS: &[Test] = tests![
    written_at_the_end,
    each_with_its_value,
    of_a_job_that_faults,
    bad_addresses,
    memory_that_is_gone,
    process_that_is_gone,
    late_ones_hold_up_no_others,
];

const BUSY: Duration = Duration::from_millis(300);
const VALUE: u64 = 0x0123_4567_89ab_cdef;

fn written_at_the_end() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    for engine in rig.device.engines() {
        let fence = UserFence::new();
        let after = UserFence::new();
        let mut busy = rig.busy(*engine, BUSY, |work| {
            let to = work.writes(&bo)?;
            work.commands.fill(to, PAGE, engine.id + 1)?;
            work.signal(fence.sync(VALUE));
            Ok(())
        })?;
        // A job that does nothing, behind it by the BO.
        rgt::Job::new(&rig.vm, *engine)
            .read(&bo)
            .signal(after.sync(1))
            .submit()?;
        let seen = (fence.value(), after.value());
        if busy.runs()? {
            same("while it runs", seen, (0, 0))?;
        }
        fence.wait(VALUE, PATIENCE)?;
        same("what it wrote", bo.map()?.read(0), engine.id + 1)?;
        after.wait(1, PATIENCE)?;
        busy.settle()?;
    }
    Ok(())
}

fn each_with_its_value() -> Outcome {
    let rig = Rig::new()?;
    let max = u64::from(rig.device.info().max_syncs);
    let fences: Vec<_> = (0..max).map(|_| UserFence::new()).collect();
    let done = Syncobj::new(&rig.device)?;
    let mut job = rgt::Job::new(&rig.vm, rig.copy).signal(done.sync());
    for (fence, value) in fences.iter().skip(1).zip(1..) {
        job = job.signal(fence.sync(value));
    }
    job.submit()?;
    for (fence, value) in fences.iter().skip(1).zip(1..) {
        fence.wait(value, PATIENCE)?;
    }
    let more = job.signal(fences[0].sync(1)).submit();
    fails("one too many", Errno::INVAL, more)?;
    same("that one", fences[0].value(), 0)?;
    Ok(done.wait(PATIENCE, WaitFrom::Now)?)
}

/// A fence signals when its job has ended, whatever the end was.
fn of_a_job_that_faults() -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let fence = UserFence::new();
    let mut work = rig.work(rig.copy)?;
    work.context(&context);
    work.commands
        .fill(rig.device.info().va.end - PAGE, PAGE, 1)?;
    work.signal(fence.sync(VALUE));
    work.submit()?;
    fence.wait(VALUE, PATIENCE)?;
    ensure!(context.status()?.guilty, "it did not fault");
    Ok(())
}

/// A job that does nothing but signal a user fence at an address.
fn job(rig: &Rig, sync: &drm_rgt_sync) -> drm_rgt_cs {
    drm_rgt_cs {
        vm_id: rig.vm.id(),
        engine: rig.copy.id,
        out_syncs: drm_rgt_array::of(std::slice::from_ref(sync)),
        ..Default::default()
    }
}

fn at(address: u64) -> drm_rgt_sync {
    drm_rgt_sync {
        type_: DRM_RGT_SYNC_USER_FENCE,
        value: VALUE,
        address,
        ..Default::default()
    }
}

/// Submits a job that waits for `gate`, and then has so many words written in a page of `late` that is
/// not there.
pub(in crate::suites) fn write_late(
    rig: &Rig,
    late: &Late,
    gate: &SwFence,
    count: usize,
) -> Outcome {
    // It has to be there for the call.
    late.bring()?;
    let gate = Syncobj::of_sync_file(&rig.device, gate.file())?;
    let begin = [drm_rgt_sync {
        handle: gate.handle(),
        ..Default::default()
    }];
    let words = vec![at(late.area().as_ptr().addr() as u64); count];
    let request = drm_rgt_cs {
        in_syncs: drm_rgt_array::of(&begin),
        out_syncs: drm_rgt_array::of(&words),
        ..job(rig, &words[0])
    };
    raw(&rig.device, request)?;
    late.give_up()
}

fn page(prot: ProtFlags) -> Result<*mut u64> {
    // SAFETY: The kernel chooses the address; nothing of ours is replaced.
    let page = unsafe { mmap_anonymous(ptr::null_mut(), PAGE as usize, prot, MapFlags::PRIVATE) };
    Ok(page?.cast())
}

fn bad_addresses() -> Outcome {
    let rig = Rig::new()?;
    for address in [0, 4096, KERNEL, u64::MAX - 7] {
        let sync = at(address);
        let refused = raw(&rig.device, job(&rig, &sync));
        fails("no memory", Errno::FAULT, refused)?;
    }
    let word = page(ProtFlags::READ | ProtFlags::WRITE)? as u64;
    for address in [word + 4, word + 1] {
        let sync = at(address);
        let refused = raw(&rig.device, job(&rig, &sync));
        fails("a misaligned address", Errno::INVAL, refused)?;
    }
    // One that cannot be written stays as it is, and nothing else happens.
    let constant = page(ProtFlags::READ)?;
    let done = Syncobj::new(&rig.device)?;
    let syncs = [
        at(constant as u64),
        drm_rgt_sync {
            handle: done.handle(),
            ..Default::default()
        },
        at(word),
    ];
    let all = drm_rgt_cs {
        out_syncs: drm_rgt_array::of(&syncs),
        ..job(&rig, &syncs[0])
    };
    raw(&rig.device, all)?;
    done.wait(PATIENCE, WaitFrom::Now)?;
    // SAFETY: It is a word of a page of ours.
    let read = |word: *const u64| unsafe { word.read_volatile() };
    let began = std::time::Instant::now();
    while read(word as *const u64) != VALUE {
        ensure!(began.elapsed() < PATIENCE, "the word is not written");
    }
    same("what cannot be written", read(constant), 0)
}

fn memory_that_is_gone() -> Outcome {
    let rig = Rig::new()?;
    let word = page(ProtFlags::READ | ProtFlags::WRITE)?;
    let after = UserFence::new();
    let mut busy = rig.busy(rig.copy, BUSY, |work| {
        work.signal(after.sync(1));
        Ok(())
    })?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let done = Syncobj::new(&rig.device)?;
    let syncs = [at(word as u64)];
    let request = drm_rgt_cs {
        ctx_id: context.id(),
        ..job(&rig, &syncs[0])
    };
    raw(&rig.device, request)?;
    // SAFETY: Nothing refers to it.
    unsafe { munmap(word.cast(), PAGE as usize)? };
    rgt::Job::new(&rig.vm, rig.copy)
        .context(&context)
        .signal(done.sync())
        .submit()?;
    done.wait(PATIENCE, WaitFrom::Now)?;
    after.wait(1, PATIENCE)?;
    busy.settle()
}

/// A process that ends before its job is not waited for, and its memory is not kept.
fn process_that_is_gone() -> Outcome {
    let rig = Rig::new()?;
    let fence = UserFence::new();
    let mut busy = rig.busy(rig.copy, BUSY, |_| Ok(()))?;
    let done = Syncobj::new(&rig.device)?;
    let word = page(ProtFlags::READ | ProtFlags::WRITE)?;
    let syncs = [
        at(word as u64),
        drm_rgt_sync {
            handle: done.handle(),
            ..Default::default()
        },
    ];
    let request = drm_rgt_cs {
        out_syncs: drm_rgt_array::of(&syncs),
        ..job(&rig, &syncs[0])
    };
    let end = in_child(|| {
        let mut request = request;
        // SAFETY: The word is in a page of this process's own.
        u8::from(unsafe { ioctl::call_unchecked(&rig.device, &mut request) }.is_err())
    })?;
    same("its end", end, End::Exit(0))?;
    done.wait(PATIENCE, WaitFrom::Now).context("its job")?;
    busy.settle()?;
    // SAFETY: It is a word of a page of ours, which the other process had a copy of.
    same("the word of its parent", unsafe { word.read_volatile() }, 0)?;
    rgt::Job::new(&rig.vm, rig.copy)
        .signal(fence.sync(VALUE))
        .submit()?;
    Ok(fence.wait(VALUE, PATIENCE)?)
}

/// The helper that has words written to pages that do not come: its argument is the name of a socket.
pub(in crate::suites) const LATE: &str = "late";

/// The helper. It has more of them than there are workers in a queue, and brings them when it is told to.
pub(in crate::suites) fn be_late(arguments: &[&str]) -> Outcome {
    let [name, _] = arguments else {
        bail!("expected a socket")
    };
    let mut socket = meeting::connect(name)?;
    let rig = Rig::new()?;
    let count = rig.device.info().max_syncs as usize;
    let lates = [Late::new(PAGE as usize)?, Late::new(PAGE as usize)?];
    let gate = SwFence::new()?;
    for late in &lates {
        write_late(&rig, late, &gate, count)?;
    }
    gate.signal()?;
    lates[0].is_awaited()?;
    socket.write_all(&[1])?;
    meeting::arrives(&socket)?;

    lates.iter().try_for_each(Late::bring)?;
    let deadline = Instant::now() + PATIENCE;
    while lates.iter().any(|late| late.area().read(0) != VALUE as u32) {
        ensure!(Instant::now() < deadline, "a late word is not written");
    }
    Ok(())
}

/// Neither words that are there, nor those that have to be copied because of a fork.
fn late_ones_hold_up_no_others() -> Outcome {
    let rig = Rig::new()?;
    let (helper, mut socket) = meeting::start(LATE, "late")?;
    meeting::arrives(&socket)?;
    let (here, forked) = (UserFence::new(), UserFence::new());
    let gate = SwFence::new()?;
    let begin = Syncobj::of_sync_file(&rig.device, gate.file())?;
    rgt::Job::new(&rig.vm, rig.copy)
        .wait_for(begin.sync())
        .signal(forked.sync(1))
        .submit()?;
    let end = in_child(|| {
        let done = gate.signal().is_ok() && forked.wait(0, Duration::ZERO).is_ok();
        // Its copy, while the parent's is written.
        thread::sleep(Duration::from_secs(1));
        u8::from(done)
    })?;
    same("the child", end, End::Exit(1))?;
    rgt::Job::new(&rig.vm, rig.copy)
        .signal(here.sync(1))
        .submit()?;
    here.wait(1, PATIENCE)?;
    forked.wait(1, PATIENCE)?;
    socket.write_all(&[1])?;
    helper.finish(PATIENCE)
}
