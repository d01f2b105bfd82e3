// SPDX-License-Identifier: GPL-2.0

//! The life of a VM.

use std::time::Duration;

use anyhow::ensure;
use rgt::uapi::*;
use rgt::{BindOp, Bo, Device, Vm};
use rustix::io::Errno;

use crate::arguments::{refused, undefined_flags};
use crate::expect::{fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    bad_arguments,
    destroyed_with_the_file,
    unknown_numbers,
    numbers_are_per_file,
    destroyed_while_its_job_runs,
    destroyed_with_mappings,
];

fn bad_arguments() -> Outcome {
    let device = Device::open()?;
    let create = drm_rgt_vm_create::default();
    let vm_id = refused(
        &device,
        create,
        &[("extensions", &|it| it.extensions = 1, Errno::INVAL)],
    )?
    .vm_id;
    ensure!(vm_id != 0, "VM 0");
    undefined_flags(&device, create, 0, |it, flag| it.flags = flag)?;
    refused(
        &device,
        drm_rgt_vm_destroy { vm_id, pad: 0 },
        &[
            ("pad", &|it| it.pad = 1, Errno::INVAL),
            ("VM 0", &|it| it.vm_id = 0, Errno::NOENT),
            ("an unknown VM", &|it| it.vm_id += 1, Errno::NOENT),
        ],
    )?;
    Ok(())
}

fn destroyed_with_the_file() -> Outcome {
    for _ in 0..3 {
        let device = Device::open()?;
        for _ in 0..100 {
            raw(&device, drm_rgt_vm_create::default())?;
        }
    }
    Ok(())
}

fn unknown_numbers() -> Outcome {
    let device = Device::open()?;
    let vm_id = raw(&device, drm_rgt_vm_create::default())?.vm_id;
    raw(&device, drm_rgt_vm_destroy { vm_id, pad: 0 })?;
    for vm_id in [0, vm_id, vm_id + 1, u32::MAX] {
        let destroy = raw(&device, drm_rgt_vm_destroy { vm_id, pad: 0 });
        fails("destroying it", Errno::NOENT, destroy)?;
        let op = drm_rgt_vm_bind_op {
            op: DRM_RGT_VM_BIND_OP_UNMAP,
            addr: device.info().va.start,
            size: PAGE,
            ..Default::default()
        };
        let bind = drm_rgt_vm_bind {
            vm_id,
            ops: drm_rgt_array::of(std::slice::from_ref(&op)),
            ..Default::default()
        };
        fails("binding in it", Errno::NOENT, raw(&device, bind))?;
    }
    Ok(())
}

fn numbers_are_per_file() -> Outcome {
    let (one, other) = (Device::open()?, Device::open()?);
    let vm_id = raw(&one, drm_rgt_vm_create::default())?.vm_id;
    let destroy = drm_rgt_vm_destroy { vm_id, pad: 0 };
    fails("another file's VM", Errno::NOENT, raw(&other, destroy))?;
    raw(&one, destroy)?;
    Ok(())
}

fn destroyed_while_its_job_runs() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let mut busy = rig.busy(rig.copy, Duration::from_millis(500), |work| {
        let to = work.writes(&bo)?;
        work.commands.fill(to, PAGE, 0xacce_55ed)?;
        Ok(())
    })?;
    raw(
        &rig.device,
        drm_rgt_vm_destroy {
            vm_id: rig.vm.id(),
            pad: 0,
        },
    )?;
    busy.forget();
    bo.wait(PATIENCE, rgt::WaitFor::Writers)?;
    same(
        "what the job wrote at its end",
        bo.map()?.read(0),
        0xacce_55ed,
    )?;
    drop(busy);
    // The winsys destroys a VM once; it must not be another one that it finds.
    let gone = raw(
        &rig.device,
        drm_rgt_vm_destroy {
            vm_id: rig.vm.id(),
            pad: 0,
        },
    );
    fails("destroying it again", Errno::NOENT, gone)
}

fn destroyed_with_mappings() -> Outcome {
    let device = Device::open()?;
    for round in 0..8 {
        let vm = Vm::create(&device)?;
        let bo = Bo::builder(64 * PAGE).create(&device)?;
        let base = device.info().va.end - (4 << 30);
        for index in 0..16u64 {
            let addr = base + index * (160 << 20) + round * PAGE;
            vm.bind(&[BindOp::map(&bo, index * PAGE, addr, 8 * PAGE)])?;
        }
    }
    Ok(())
}
