// SPDX-License-Identifier: GPL-2.0

//! Bind queues: binds that wait, that are waited for, and that do not wait for each other.

use std::time::{Duration, Instant};

use anyhow::Context;
use rgt::uapi::*;
use rgt::{BindOp, BindQueue, Binding, Bo, Error, Placement, RegionKind, Syncobj, WaitFrom};
use rustix::io::Errno;

use super::seen::{numbered, pages, seen_at};
use crate::arguments::{Row, refused};
use crate::expect::{fails, same};
use crate::harness::{Outcome, Test, say, tests};
use crate::rig::{MIB, PAGE, PATIENCE, Pressure, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    bind_waits_for_its_syncs,
    unmap_waits_for_its_syncs,
    queue_is_in_order,
    queues_are_independent,
    held_queue_does_not_hold_jobs,
    destroyed_queue_is_done_to_its_end,
    all_of_a_call_or_nothing,
    unmap_all,
    null_ranges,
    prefetch,
    prefetch_does_not_hold_jobs,
    prefetched_private_bos_stay,
    unneeded_until_it_is_mapped,
    unmap_all_of_many,
    bad_queues,
];

/// A range with nothing mapped, and a BO to map there.
struct Scene {
    rig: Rig,
    /// Another VM, for jobs that do not begin: waiting for a job of the VM waits for all of its jobs.
    other: Rig,
    bo: Bo,
    range: Binding,
}

impl Scene {
    fn new() -> anyhow::Result<Self> {
        let rig = Rig::new()?;
        let other = rig.sibling()?;
        let bo = numbered(&rig, 4, 100)?;
        let range = rig.vm.reserve(4 * PAGE)?;
        Ok(Self {
            rig,
            other,
            bo,
            range,
        })
    }

    fn map(&self) -> BindOp {
        BindOp::map(&self.bo, 0, self.range.addr(), 4 * PAGE)
    }

    fn unmap(&self) -> BindOp {
        BindOp::unmap(self.range.addr(), 4 * PAGE)
    }

    /// Checks which value the GPU reads from the first page, if any.
    fn reads(&self, what: &str, expected: Option<u32>) -> Outcome {
        let seen = seen_at(&self.rig, &[], self.range.addr(), 1)?;
        same(what, seen, vec![expected])
    }

    fn syncobj(&self) -> anyhow::Result<Syncobj> {
        Ok(Syncobj::new(&self.rig.device)?)
    }
}

/// Has a job signal a syncobj.
fn signals(work: &mut Work, syncobj: &Syncobj) -> anyhow::Result<()> {
    work.signal(syncobj.sync());
    Ok(())
}

/// Waits for a bind.
fn done(syncobj: &Syncobj) -> Outcome {
    Ok(syncobj.wait(PATIENCE, WaitFrom::Submission)?)
}

/// Checks that a bind is not done.
fn pending(what: &str, syncobj: &Syncobj) -> Outcome {
    match syncobj.wait(Duration::ZERO, WaitFrom::Submission) {
        Err(Error::TimedOut) => Ok(()),
        other => anyhow::bail!("{what}: must wait, gave {other:?}"),
    }
}

fn bind_waits_for_its_syncs() -> Outcome {
    let scene = Scene::new()?;
    let (gate, bound) = (scene.syncobj()?, scene.syncobj()?);
    let mut held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;

    // The default queue maps what the jobs below use.
    let queue = BindQueue::create(&scene.rig.vm)?;
    queue.bind(&[scene.map()], &[gate.sync()], &[bound.sync()])?;
    pending("the bind", &bound)?;
    scene.reads("before", None)?;

    // A job that waits for the bind finds the mapping.
    let result = scene.rig.gtt(PAGE)?;
    let mut work = scene.rig.work(scene.rig.copy)?;
    work.wait_for(bound.sync());
    let to = work.writes(&result)?;
    work.commands.copy(scene.range.addr(), to, 4)?;
    work.submit()?;
    held.release()?;
    work.wait()?;
    done(&bound)?;
    same("the job's word", result.map()?.read(0), 100)?;
    scene.reads("after", Some(100))?;
    held.finish()?;
    Ok(())
}

fn unmap_waits_for_its_syncs() -> Outcome {
    let scene = Scene::new()?;
    let (gate, bound) = (scene.syncobj()?, scene.syncobj()?);
    scene.rig.vm.bind(&[scene.map()])?;
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;

    let queue = BindQueue::create(&scene.rig.vm)?;
    queue.bind(&[scene.unmap()], &[gate.sync()], &[bound.sync()])?;
    scene.reads("before", Some(100))?;
    pending("the unmap", &bound)?;
    held.finish()?;
    done(&bound)?;
    scene.reads("after", None)
}

fn queue_is_in_order() -> Outcome {
    let scene = Scene::new()?;
    let queue = BindQueue::create(&scene.rig.vm)?;
    let (gate, bound) = (scene.syncobj()?, scene.syncobj()?);
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;
    let at_page_2 = BindOp::map(&scene.bo, 2 * PAGE, scene.range.addr(), PAGE);

    queue.bind(&[scene.map()], &[gate.sync()], &[])?;
    queue.bind(&[scene.unmap()], &[], &[])?;
    queue.bind(&[at_page_2], &[], &[bound.sync()])?;
    pending("the last", &bound)?;
    scene.reads("before", None)?;
    held.finish()?;
    done(&bound)?;
    let seen = seen_at(&scene.rig, &[], scene.range.addr(), 2)?;
    same("after", seen, pages(&[(1, Some(102)), (1, None)]))
}

fn queues_are_independent() -> Outcome {
    let scene = Scene::new()?;
    let (one, other) = (
        BindQueue::create(&scene.rig.vm)?,
        BindQueue::create(&scene.rig.vm)?,
    );
    anyhow::ensure!(one.id() != 0 && other.id() != 0 && one.id() != other.id());
    let (gate, late, early) = (scene.syncobj()?, scene.syncobj()?, scene.syncobj()?);
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;

    one.bind(&[scene.unmap()], &[gate.sync()], &[late.sync()])?;
    other.bind(&[scene.map()], &[], &[early.sync()])?;
    done(&early)?;
    scene.reads("with the other queue held", Some(100))?;
    pending("the held one", &late)?;
    held.finish()?;
    done(&late)?;
    scene.reads("at last", None)
}

fn held_queue_does_not_hold_jobs() -> Outcome {
    let scene = Scene::new()?;
    let (gate, late) = (scene.syncobj()?, scene.syncobj()?);
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;
    let queue = BindQueue::create(&scene.rig.vm)?;

    queue.bind(&[scene.map()], &[gate.sync()], &[])?;
    // In this queue it comes behind that, but no job waits for it.
    queue.bind(&[scene.unmap(), scene.map()], &[], &[late.sync()])?;
    scene.reads("while the queue is held", None)?;
    pending("the second bind", &late)?;
    held.finish()?;
    done(&late)?;
    scene.reads("at last", Some(100))
}

fn destroyed_queue_is_done_to_its_end() -> Outcome {
    let scene = Scene::new()?;
    let (gate, bound) = (scene.syncobj()?, scene.syncobj()?);
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;
    let queue = BindQueue::create(&scene.rig.vm)?;

    queue.bind(&[scene.map()], &[gate.sync()], &[bound.sync()])?;
    drop(queue);
    pending("the bind", &bound)?;
    held.finish()?;
    done(&bound)?;
    scene.reads("at last", Some(100))
}

fn all_of_a_call_or_nothing() -> Outcome {
    let scene = Scene::new()?;
    let vram = scene
        .rig
        .device
        .region(RegionKind::Vram)?
        .context("no VRAM")?
        .size;
    let unknown = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_MAP,
        handle: 4711,
        addr: scene.range.addr(),
        size: PAGE,
        ..Default::default()
    };

    // Each has room, both have not.
    let size = (vram / 8 * 5).next_multiple_of(MIB);
    let (one, two) = (scene.rig.vram(size)?, scene.rig.vram(size)?);
    let range = scene.rig.vm.reserve(one.size() + two.size())?;
    let both = [
        scene.map(),
        BindOp::map(&one, 0, range.addr(), one.size()),
        BindOp::map(&two, 0, range.addr() + one.size(), two.size()),
    ];
    fails("both", Errno::NOSPC, scene.rig.vm.bind(&both))?;
    scene.reads("after a call without room", None)?;
    let mut request = drm_rgt_vm_bind {
        vm_id: scene.rig.vm.id(),
        ..Default::default()
    };
    let ops = [unknown];
    request.ops = drm_rgt_array::of(&ops);
    fails(
        "an unknown BO",
        Errno::NOENT,
        crate::expect::raw(&scene.rig.device, request),
    )?;
    scene.reads("at last", None)
}

fn unmap_all() -> Outcome {
    let scene = Scene::new()?;
    let other = numbered(&scene.rig, 4, 200)?;
    let range = scene.rig.vm.reserve(16 * PAGE)?;
    let at = |page: u64| range.addr() + page * PAGE;
    scene.rig.vm.bind(&[
        BindOp::map(&scene.bo, 0, at(0), 4 * PAGE),
        BindOp::map(&other, 0, at(4), 4 * PAGE),
        BindOp::map(&scene.bo, 2 * PAGE, at(9), PAGE),
        BindOp::map(&scene.bo, 0, at(12), 4 * PAGE),
        BindOp::unmap(at(13), PAGE),
    ])?;
    scene.rig.vm.bind(&[BindOp::unmap_all(&scene.bo)])?;
    let expected = pages(&[(4, None), (4, Some(200)), (8, None)]);
    same("pages", seen_at(&scene.rig, &[], at(0), 16)?, expected)?;
    // There is nothing more to unmap.
    scene.rig.vm.bind(&[BindOp::unmap_all(&scene.bo)])?;
    Ok(())
}

fn null_ranges() -> Outcome {
    const HUGE: u64 = 128 << 30;
    let scene = Scene::new()?;
    let base = scene.rig.device.info().va.start.next_multiple_of(1 << 40) + (1 << 40);
    let at = |page: u64| base + (64 << 30) + page * PAGE;
    scene.rig.vm.bind(&[BindOp::null(base, HUGE)])?;
    let nothing = |count: u64| (0..count).map(|_| Some(0)).collect::<Vec<_>>();
    same("in it", seen_at(&scene.rig, &[], at(0), 3)?, nothing(3))?;
    same(
        "its end",
        seen_at(&scene.rig, &[], base + HUGE - PAGE, 2)?,
        vec![Some(0), None],
    )?;

    // Writes go nowhere.
    let mut work = scene.rig.work(scene.rig.render)?;
    work.commands.fill(at(0), 4 * PAGE, 0xffff_ffff)?;
    work.run()?;
    same(
        "after a write",
        seen_at(&scene.rig, &[], at(0), 4)?,
        nothing(4),
    )?;

    // A BO in the midst of it, and null again.
    scene
        .rig
        .vm
        .bind(&[BindOp::map(&scene.bo, 0, at(1), 2 * PAGE)])?;
    let seen = seen_at(&scene.rig, &[], at(0), 4)?;
    same(
        "with a BO",
        seen,
        vec![Some(0), Some(100), Some(101), Some(0)],
    )?;
    scene.rig.vm.bind(&[BindOp::null(at(1), PAGE)])?;
    let seen = seen_at(&scene.rig, &[], at(0), 4)?;
    same(
        "null again",
        seen,
        vec![Some(0), Some(0), Some(101), Some(0)],
    )?;
    scene.rig.vm.bind(&[BindOp::unmap(base, HUGE)])?;
    same(
        "at last",
        seen_at(&scene.rig, &[], at(0), 4)?,
        pages(&[(4, None)]),
    )
}

fn prefetch() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(2 * MIB)
        .placement(Placement::VRAM | Placement::GTT)
        .create(&rig.device)?;
    let vram_only = rig.vram(MIB)?;
    let range = rig.vm.reserve(4 * MIB)?;
    rig.vm.bind(&[BindOp::map(&bo, 0, range.addr(), 2 * MIB)])?;
    rig.fill(&bo, 0x1234_5678)?;
    let sum = rig.checksum(&bo)?;

    for (region, placement) in [
        (DRM_RGT_REGION_GTT, Placement::GTT),
        (DRM_RGT_REGION_VRAM, Placement::VRAM),
        (DRM_RGT_REGION_GTT, Placement::GTT),
    ] {
        rig.vm
            .bind(&[BindOp::prefetch(range.addr(), 4 * MIB, region)])?;
        same("its region", bo.info()?.current_placement, placement)?;
        // Where a job finds it, without having it moved.
        let seen = seen_at(&rig, &[], range.addr() + MIB, 1)?;
        same("the first word", seen, vec![Some(0x1234_5678)])?;
        same("its region", bo.info()?.current_placement, placement)?;
    }
    same("its checksum", rig.checksum(&bo)?, sum)?;

    // Binds that are still queued are not seen.
    let bound = Syncobj::new(&rig.device)?;
    let map = BindOp::map(&vram_only, 0, range.addr() + 2 * MIB, MIB);
    rig.vm.bind_in_order(&[map], &[], &[bound.sync()])?;
    done(&bound)?;
    let to_gtt = BindOp::prefetch(range.addr() + 3 * MIB - PAGE, PAGE, DRM_RGT_REGION_GTT);
    fails("of VRAM only", Errno::INVAL, rig.vm.bind(&[to_gtt]))?;
    // What others need goes, and comes back.
    Pressure::new()?.round()?;
    let seen = seen_at(&rig, &[], range.addr(), 1)?;
    same("after pressure", seen, vec![Some(0x1234_5678)])
}

/// Jobs find what has moved where it is, whatever the bind still waits for.
fn prefetch_does_not_hold_jobs() -> Outcome {
    let mut scene = Scene::new()?;
    scene.bo = Bo::builder(4 * PAGE)
        .placement(Placement::VRAM | Placement::GTT)
        .create(&scene.rig.device)?;
    scene.rig.fill(&scene.bo, 100)?;
    let (gate, late) = (scene.syncobj()?, scene.syncobj()?);
    scene.rig.vm.bind(&[scene.map()])?;
    scene.reads("where it was", Some(100))?;
    let held = scene
        .other
        .held(scene.other.render, |work| signals(work, &gate))?;

    let prefetch = BindOp::prefetch(scene.range.addr(), 4 * PAGE, DRM_RGT_REGION_GTT);
    let queue = BindQueue::create(&scene.rig.vm)?;
    queue.bind(&[prefetch], &[gate.sync()], &[late.sync()])?;
    for time in ["at once", "once more"] {
        scene.reads(time, Some(100))?;
        same("region", scene.bo.info()?.current_placement, Placement::GTT)?;
    }
    pending("the bind", &late)?;
    held.finish()?;
    done(&late)?;
    scene.reads("at last", Some(100))
}

/// Jobs bring private BOs to their best place, but not from where they were prefetched to.
fn prefetched_private_bos_stay() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(MIB)
        .placement(Placement::VRAM | Placement::GTT)
        .private(&rig.vm)
        .create(&rig.device)?;
    let range = rig.vm.reserve(2 * MIB)?;
    let map = |page: u64| BindOp::map(&bo, 0, range.addr() + page * MIB, MIB);
    let prefetch = |region| BindOp::prefetch(range.addr(), MIB, region);
    rig.vm.bind(&[map(0)])?;
    // So that it is mapped by then.
    same(
        "at first",
        seen_at(&rig, &[], range.addr(), 1)?,
        vec![Some(0)],
    )?;
    for (what, ops) in [
        ("prefetched", vec![prefetch(DRM_RGT_REGION_GTT)]),
        ("and back", vec![prefetch(DRM_RGT_REGION_VRAM)]),
        ("mapped, too", vec![map(1), prefetch(DRM_RGT_REGION_GTT)]),
    ] {
        rig.vm.bind(&ops)?;
        let place = match what {
            "and back" => Placement::VRAM,
            _ => Placement::GTT,
        };
        for _ in 0..3 {
            same(what, bo.info()?.current_placement, place)?;
            same(what, seen_at(&rig, &[], range.addr(), 1)?, vec![Some(0)])?;
        }
    }
    Ok(())
}

/// A BO that is marked DONTNEED when it is bound, and WILLNEED before the bind has run.
fn unneeded_until_it_is_mapped() -> Outcome {
    let scene = Scene::new()?;
    let moving = Bo::builder(MIB)
        .placement(Placement::VRAM | Placement::GTT)
        .create(&scene.rig.device)?;
    let (range, others) = (scene.rig.vm.reserve(MIB)?, scene.other.vm.reserve(MIB)?);
    let at = |addr| BindOp::map(&moving, 0, addr, MIB);
    scene.other.vm.bind(&[at(others.addr())])?;
    let seen = seen_at(&scene.other, &[], others.addr(), 1)?;
    same("at first", seen, vec![Some(0)])?;
    same("it is there", scene.bo.dont_need()?, true)?;

    // Of binds that wait for user space it is not known which job comes behind them.
    let gate = scene.syncobj()?;
    let held = scene.other.held(scene.other.render, |work| {
        work.reads(&moving)?;
        signals(work, &gate)
    })?;
    let queue = BindQueue::create(&scene.rig.vm)?;
    let refused = queue.bind(&[scene.map()], &[gate.sync()], &[]);
    fails("a bind that waits", Errno::INVAL, refused)?;

    // This one waits for a move, which waits for a job.
    let away = BindOp::prefetch(others.addr(), MIB, DRM_RGT_REGION_GTT);
    scene.other.vm.bind(&[away])?;
    scene.rig.vm.bind(&[at(range.addr()), scene.map()])?;
    same("it is there", scene.bo.will_need()?, true)?;
    let result = scene.rig.gtt(PAGE)?;
    let mut work = scene.rig.work(scene.rig.copy)?;
    let to = work.writes(&result)?;
    work.commands.copy(scene.range.addr(), to, 4)?;
    work.submit()?;
    held.finish()?;
    work.commands.wait(PATIENCE)?;
    same("what the job sees", result.map()?.read(0), 100)
}

/// It takes about as long as mapping them.
fn unmap_all_of_many() -> Outcome {
    const MANY: u64 = 20_000;
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let range = rig.vm.reserve(2 * MANY * PAGE)?;
    let maps: Vec<_> = (0..MANY)
        .map(|at| BindOp::map(&bo, 0, range.addr() + 2 * at * PAGE, PAGE))
        .collect();
    let most = rig.device.info().max_bind_ops as usize;
    let submit = || crate::suites::userptr::submit(&rig);
    let begin = Instant::now();
    for maps in maps.chunks(most) {
        rig.vm.bind(maps)?;
    }
    submit()?;
    let mapped = begin.elapsed();
    let begin = Instant::now();
    rig.vm.bind(&[BindOp::unmap_all(&bo)])?;
    submit()?;
    let unmapped = begin.elapsed();
    say(&format!("mapped in {mapped:?}, unmapped in {unmapped:?}"));
    anyhow::ensure!(unmapped < 2 * mapped, "{unmapped:?} against {mapped:?}");
    let end = range.addr() + 2 * (MANY - 1) * PAGE;
    same("the last", seen_at(&rig, &[], end, 1)?, vec![None])
}

fn bad_queues() -> Outcome {
    let rig = Rig::new()?;
    let good = drm_rgt_bind_queue_create {
        vm_id: rig.vm.id(),
        ..Default::default()
    };
    let rows: &[Row<'_, drm_rgt_bind_queue_create>] = &[
        ("VM 0", &|it| it.vm_id = 0, Errno::NOENT),
        ("an unknown VM", &|it| it.vm_id = 4711, Errno::NOENT),
        ("flags", &|it| it.flags = 1, Errno::INVAL),
        ("pad", &|it| it.pad = 1, Errno::INVAL),
        ("extensions", &|it| it.extensions = 1, Errno::INVAL),
    ];
    refused(&rig.device, good, rows)?;

    let queue = BindQueue::create(&rig.vm)?;
    let good = drm_rgt_bind_queue_destroy {
        vm_id: rig.vm.id(),
        queue_id: queue.id(),
    };
    let rows: &[Row<'_, drm_rgt_bind_queue_destroy>] = &[
        ("VM 0", &|it| it.vm_id = 0, Errno::NOENT),
        ("queue 0", &|it| it.queue_id = 0, Errno::NOENT),
        ("an unknown queue", &|it| it.queue_id = 4711, Errno::NOENT),
    ];
    refused(&rig.device, good, rows)?;
    let sibling = rig.sibling()?;
    let foreign = drm_rgt_bind_queue_destroy {
        vm_id: sibling.vm.id(),
        queue_id: queue.id(),
    };
    fails(
        "another VM's queue",
        Errno::NOENT,
        crate::expect::raw(&rig.device, foreign),
    )?;

    let mut queues = Vec::new();
    let last = loop {
        match BindQueue::create(&rig.vm) {
            Ok(queue) => queues.push(queue),
            Err(error) => break error,
        }
        anyhow::ensure!(queues.len() < 1000, "there is no end of queues");
    };
    fails("too many queues", Errno::NOSPC, Err::<(), _>(last))?;
    queues.pop();
    BindQueue::create(&rig.vm)?;
    Ok(())
}
