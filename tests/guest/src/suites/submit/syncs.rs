// SPDX-License-Identifier: GPL-2.0

//! Syncobjs that a submission names: what is refused, and that it changes nothing then.

use anyhow::ensure;
use rgt::uapi::{
    DRM_RGT_SYNC_TIMELINE, DRM_RGT_SYNC_USER_FENCE, drm_rgt_array, drm_rgt_cs, drm_rgt_cs_ib,
    drm_rgt_sync,
};
use rgt::{Syncobj, WaitFor, WaitFrom};
use rustix::io::Errno;

use crate::arguments::{Row, refused, refused_entries};
use crate::expect::{call, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![refused_ones, nothing_is_done_then, many_at_once];

fn refused_ones() -> Outcome {
    let rig = Rig::new()?;
    let commands = rig.gtt(PAGE)?;
    let at = rig.vm.map(&commands)?;
    commands.map()?.write(0, rgt::packet::nop(1));
    let ib = drm_rgt_cs_ib {
        addr: at.addr(),
        dwords: 1,
        flags: 0,
    };
    let job = drm_rgt_cs {
        vm_id: rig.vm.id(),
        engine: rig.copy.id,
        ibs: drm_rgt_array::of(std::slice::from_ref(&ib)),
        ..Default::default()
    };
    let syncobj = Syncobj::signalled(&rig.device)?;
    let good = drm_rgt_sync {
        handle: syncobj.handle(),
        ..Default::default()
    };
    let unknown = syncobj.handle() + 100 + rig.vm.id();
    let rows: &[Row<'_, drm_rgt_sync>] = &[
        ("type 3", &|it| it.type_ = 3, Errno::INVAL),
        ("type -1", &|it| it.type_ = u32::MAX, Errno::INVAL),
        ("flag 1 << 0", &|it| it.flags = 1, Errno::INVAL),
        ("flag 1 << 31", &|it| it.flags = 1 << 31, Errno::INVAL),
        ("pad", &|it| it.pad = 1, Errno::INVAL),
        ("a point of a binary one", &|it| it.value = 1, Errno::INVAL),
        ("an address", &|it| it.address = 8, Errno::INVAL),
        (
            "no point",
            &|it| it.type_ = DRM_RGT_SYNC_TIMELINE,
            Errno::INVAL,
        ),
        (
            "an address of a point",
            &|it| (it.type_, it.value, it.address) = (DRM_RGT_SYNC_TIMELINE, 1, 8),
            Errno::INVAL,
        ),
        (
            "a handle of a user fence",
            &|it| it.type_ = DRM_RGT_SYNC_USER_FENCE,
            Errno::INVAL,
        ),
        (
            "a user fence at a misaligned address",
            &|it| (it.type_, it.handle, it.address) = (DRM_RGT_SYNC_USER_FENCE, 0, 0x1004),
            Errno::INVAL,
        ),
        ("handle 0", &|it| it.handle = 0, Errno::NOENT),
        ("an unknown handle", &|it| it.handle = unknown, Errno::NOENT),
    ];
    let waits = |syncs: &[drm_rgt_sync]| drm_rgt_cs {
        in_syncs: drm_rgt_array::of(syncs),
        ..job
    };
    let signals = |syncs: &[drm_rgt_sync]| drm_rgt_cs {
        out_syncs: drm_rgt_array::of(syncs),
        ..job
    };
    for request in [&waits as &dyn Fn(&[drm_rgt_sync]) -> drm_rgt_cs, &signals] {
        refused_entries(
            &rig.device,
            good,
            rows,
            |syncs| call(&rig.device, &mut request(syncs)),
            || Ok(()),
        )?;
    }
    let one_of = |address| drm_rgt_array {
        stride: size_of::<drm_rgt_sync>() as u32,
        count: 1,
        address,
    };
    let user_fence = [drm_rgt_sync {
        type_: DRM_RGT_SYNC_USER_FENCE,
        ..Default::default()
    }];
    refused(
        &rig.device,
        job,
        &[
            ("no array", &|it| it.in_syncs = one_of(0), Errno::FAULT),
            (
                "no array to signal",
                &|it| it.out_syncs = one_of(0),
                Errno::FAULT,
            ),
            (
                "too many",
                &|it| (it.in_syncs, it.in_syncs.count) = (one_of(at.addr()), u32::MAX),
                Errno::INVAL,
            ),
            (
                "too many to signal",
                &|it| (it.out_syncs, it.out_syncs.count) = (one_of(at.addr()), u32::MAX),
                Errno::INVAL,
            ),
            (
                "a user fence to wait for",
                &|it| it.in_syncs = drm_rgt_array::of(&user_fence),
                Errno::INVAL,
            ),
        ],
    )?;
    commands.wait(PATIENCE, WaitFor::All)?;
    Ok(())
}

/// A submission that fails signals nothing and runs nothing.
fn nothing_is_done_then() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 0)?;
    let (good, empty) = (Syncobj::new(&rig.device)?, Syncobj::new(&rig.device)?);
    let mut work = rig.work(rig.copy)?;
    let at = work.writes(&bo)?;
    work.commands.write(at, &[1])?;
    work.signal(good.sync());
    work.wait_for(empty.sync());
    ensure!(work.submit().is_err(), "a job that waits for nothing");
    ensure!(good.sync_file().is_err(), "a fence of a job that is none");
    rig.fill(&bo, 2)?;
    same("what the job wrote", bo.map()?.read(0), 2)
}

fn many_at_once() -> Outcome {
    const COUNT: usize = 100;
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let syncobjs: Vec<_> = (0..COUNT)
        .map(|_| Syncobj::new(&rig.device))
        .collect::<rgt::Result<_>>()?;
    let engines = rig.device.engines();
    let mut works = Vec::new();
    for (index, syncobj) in syncobjs.iter().enumerate() {
        let mut work = rig.work(engines[index % engines.len()])?;
        work.commands.nop()?;
        work.signal(syncobj.sync());
        // Points may be signalled by several.
        work.submit()?;
        works.push(work);
    }
    let all = Syncobj::new(&rig.device)?;
    let mut last = rig.work(rig.copy)?;
    let at = last.writes(&bo)?;
    last.commands.write(at, &[9])?;
    for syncobj in &syncobjs {
        last.wait_for(syncobj.sync());
    }
    last.signal(all.sync());
    last.signal(all.at(1));
    last.submit()?;
    all.wait_at(1, PATIENCE, WaitFrom::Now)?;
    for syncobj in &syncobjs {
        syncobj.wait(std::time::Duration::ZERO, WaitFrom::Now)?;
    }
    same("what the last wrote", bo.map()?.read(0), 9)?;
    works.iter_mut().try_for_each(|work| work.wait())
}
