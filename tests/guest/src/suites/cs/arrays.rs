// SPDX-License-Identifier: GPL-2.0

//! Arrays whose entries are those of another version of the header, and empty ones.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rgt::uapi::*;
use rgt::{Context, Priority, Syncobj, WaitFrom};
use rustix::io::Errno;

use crate::expect::{fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    longer_entries,
    shorter_entries,
    strides,
    empty_arrays,
    jobs_without_buffers,
];

/// A sync of a later version.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct LongSync {
    known: drm_rgt_sync,
    unknown: [u64; 12],
}

/// A job that signals syncs, and does nothing else.
struct Scene {
    rig: Rig,
    done: Syncobj,
}

impl Scene {
    fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let done = Syncobj::new(&rig.device)?;
        Ok(Self { rig, done })
    }

    fn sync(&self) -> drm_rgt_sync {
        drm_rgt_sync {
            handle: self.done.handle(),
            ..Default::default()
        }
    }

    fn signal(&self, out_syncs: drm_rgt_array) -> rgt::Result<()> {
        let job = drm_rgt_cs {
            vm_id: self.rig.vm.id(),
            engine: self.rig.copy.id,
            out_syncs,
            ..Default::default()
        };
        raw(&self.rig.device, job).map(drop)
    }

    fn signals(&self, out_syncs: drm_rgt_array) -> Outcome {
        self.signal(out_syncs)?;
        self.done.wait(PATIENCE, WaitFrom::Now).context("the job")?;
        Ok(self.done.reset()?)
    }
}

fn longer_entries() -> Outcome {
    let scene = Scene::new()?;
    let long = LongSync {
        known: scene.sync(),
        ..Default::default()
    };
    scene.signals(drm_rgt_array::of(&[long, long]))?;
    for at in 0..long.unknown.len() {
        let mut bad = long;
        bad.unknown[at] = 1 << (8 * (at % 8));
        for entries in [[bad, long], [long, bad]] {
            let refused = scene.signal(drm_rgt_array::of(&entries));
            fails("a field that is not known", Errno::INVAL, refused)?;
        }
    }
    same("no job was made", scene.done.sync_file().is_err(), true)
}

/// The fields that short entries lack are 0.
fn shorter_entries() -> Outcome {
    let scene = Scene::new()?;
    // Type, flags, handle, pad.
    let short = [[DRM_RGT_SYNC_SYNCOBJ, 0, scene.done.handle(), 0]; 3];
    scene.signals(drm_rgt_array::of(&short))?;
    // Type alone: a syncobj with the handle 0.
    let refused = scene.signal(drm_rgt_array::of(&[DRM_RGT_SYNC_SYNCOBJ]));
    fails("a type alone", Errno::NOENT, refused)
}

fn strides() -> Outcome {
    let scene = Scene::new()?;
    let mut page = [[0u8; 4096]; 2];
    for entry in &mut page {
        entry[8..12].copy_from_slice(&scene.done.handle().to_ne_bytes());
    }
    scene.signals(drm_rgt_array::of(&page))?;
    let sync = scene.sync();
    let good = drm_rgt_array::of(std::slice::from_ref(&sync));
    for stride in [0, 4097, u32::MAX] {
        let refused = scene.signal(drm_rgt_array { stride, ..good });
        fails("a stride", Errno::INVAL, refused)?;
    }
    scene.signals(good)
}

/// Nothing but the count of an empty array is looked at.
fn empty_arrays() -> Outcome {
    let scene = Scene::new()?;
    let nothing = drm_rgt_array {
        stride: u32::MAX,
        count: 0,
        address: u64::MAX,
    };
    let sync = scene.sync();
    let job = drm_rgt_cs {
        vm_id: scene.rig.vm.id(),
        engine: scene.rig.copy.id,
        ibs: nothing,
        bos: nothing,
        in_syncs: nothing,
        out_syncs: drm_rgt_array::of(std::slice::from_ref(&sync)),
        ..Default::default()
    };
    raw(&scene.rig.device, job)?;
    Ok(scene.done.wait(PATIENCE, WaitFrom::Now)?)
}

/// A job without indirect buffers is a fence, behind the jobs of its context and behind what it
/// waits for.
fn jobs_without_buffers() -> Outcome {
    const BUSY: Duration = Duration::from_millis(300);
    let scene = Scene::new()?;
    let (rig, done) = (&scene.rig, &scene.done);
    let context = Context::create(&rig.device, Priority::Normal)?;
    let bo = rig.gtt(MIB)?;
    let before = Syncobj::new(&rig.device)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&bo)?;
    for value in 1..=20 {
        work.commands.fill(to, MIB, value)?;
    }
    work.signal(before.sync());
    let busy = rig.busy(rig.copy, BUSY, |_| Ok(()))?;
    work.context(&context);
    work.submit()?;

    let fences = [
        rgt::Job::new(&rig.vm, rig.copy).context(&context),
        rgt::Job::new(&rig.vm, rig.render).wait_for(before.sync()),
        rgt::Job::new(&rig.vm, rig.render).read(&bo),
    ];
    for fence in fences {
        fence.signal(done.sync()).submit()?;
        done.wait(PATIENCE, WaitFrom::Now)?;
        before
            .wait(Duration::ZERO, WaitFrom::Now)
            .context("the fence signalled before the job")?;
        done.reset()?;
    }
    same("what the job wrote", bo.map()?.read(0), 20)?;
    work.wait()?;
    busy.wait()
}
