// SPDX-License-Identifier: GPL-2.0

//! Bad arguments of CS.

use anyhow::Result;
use rgt::uapi::*;
use rgt::{Bo, CommandBuffer, Device, EngineClass, Vm};
use rustix::io::Errno;

use crate::arguments::{KERNEL, Row, refused_by, refused_entries, undefined_flags};
use crate::expect::{call, fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE};

pub(super) const TESTS: &[Test] = tests![
    bad_arguments,
    bad_buffers,
    too_many_buffers,
    bad_bos,
    bo_twice,
    destroyed_vm,
    refused_jobs_do_nothing,
];

/// A job that writes a word, as raw structures.
struct Scene {
    device: Device,
    vm: Vm,
    target: Bo,
    _binding: rgt::Binding,
    commands: CommandBuffer,
    ib: drm_rgt_cs_ib,
    bo: drm_rgt_cs_bo,
    engine: u32,
}

impl Scene {
    fn new() -> Result<Self> {
        let device = Device::open()?;
        let vm = Vm::create(&device)?;
        let target = Bo::builder(PAGE).create(&device)?;
        // It has its backing before the memory in use is looked at.
        target.map()?.write(0, 0);
        let binding = vm.map(&target)?;
        let mut commands = CommandBuffer::new(&vm, 64)?;
        commands.write(binding.addr(), &[0x0ddb_a115])?;
        let taken = commands.take();
        let ib = drm_rgt_cs_ib {
            addr: taken.addr,
            dwords: taken.dwords,
            flags: 0,
        };
        let bo = drm_rgt_cs_bo {
            handle: target.handle(),
            flags: DRM_RGT_CS_BO_WRITE,
        };
        let engine = device.engine(EngineClass::Copy)?.id;
        Ok(Self {
            device,
            vm,
            target,
            _binding: binding,
            commands,
            ib,
            bo,
            engine,
        })
    }

    fn request(&self, ibs: &[drm_rgt_cs_ib], bos: &[drm_rgt_cs_bo]) -> drm_rgt_cs {
        drm_rgt_cs {
            vm_id: self.vm.id(),
            engine: self.engine,
            ibs: drm_rgt_array::of(ibs),
            bos: drm_rgt_array::of(bos),
            ..Default::default()
        }
    }

    /// Checks that no job has run.
    fn unchanged(&self) -> Outcome {
        self.commands.wait(PATIENCE)?;
        same("before the job", self.target.map()?.read(0), 0)
    }

    /// Checks that the valid job, which was submitted, runs.
    fn runs(&self) -> Outcome {
        self.commands.wait(PATIENCE)?;
        self.target.wait(PATIENCE, rgt::WaitFor::All)?;
        same("after the job", self.target.map()?.read(0), 0x0ddb_a115)
    }

    /// Checks that the job has not run, and that it does when it is valid.
    fn still_works(&self) -> Outcome {
        self.unchanged()?;
        raw(&self.device, self.request(&[self.ib], &[self.bo]))?;
        self.runs()
    }

    fn refuses(&self, rows: &[Row<'_, drm_rgt_cs>]) -> Outcome {
        let (ibs, bos) = ([self.ib], [self.bo]);
        let good = self.request(&ibs, &bos);
        let call = |it: &mut drm_rgt_cs| call(&self.device, it);
        refused_by(&self.device, good, rows, call, || self.unchanged())?;
        self.runs()
    }
}

fn bad_arguments() -> Outcome {
    let scene = Scene::new()?;
    let (ibs, bos) = ([scene.ib], [scene.bo]);
    let good = scene.request(&ibs, &bos);
    undefined_flags(&scene.device, good, 0, |it, flag| it.flags = flag)?;
    let sync = drm_rgt_sync {
        handle: 1,
        ..Default::default()
    };
    let syncs = drm_rgt_array::of(std::slice::from_ref(&sync));
    scene.refuses(&[
        ("extensions", &|it| it.extensions = 1, Errno::INVAL),
        ("VM 0", &|it| it.vm_id = 0, Errno::NOENT),
        ("an unknown VM", &|it| it.vm_id = 4711, Errno::NOENT),
        ("an unknown engine", &|it| it.engine = 99, Errno::INVAL),
        ("engine -1", &|it| it.engine = u32::MAX, Errno::INVAL),
        ("an unknown context", &|it| it.ctx_id = 1, Errno::NOENT),
        ("buffers at 0", &|it| it.ibs.address = 0, Errno::FAULT),
        (
            "buffers in the kernel",
            &|it| it.ibs.address = KERNEL,
            Errno::FAULT,
        ),
        ("BOs at 0", &|it| it.bos.address = 0, Errno::FAULT),
        (
            "BOs in the kernel",
            &|it| it.bos.address = KERNEL,
            Errno::FAULT,
        ),
        (
            "an unknown syncobj to wait for",
            &|it| it.in_syncs = syncs,
            Errno::NOENT,
        ),
        (
            "an unknown syncobj to signal",
            &|it| it.out_syncs = syncs,
            Errno::NOENT,
        ),
    ])
}

fn bad_buffers() -> Outcome {
    let scene = Scene::new()?;
    let max = scene.device.info().max_ib_dwords;
    let va = scene.device.info().va.clone();
    let bos = [scene.bo];
    refused_entries(
        &scene.device,
        scene.ib,
        &[
            ("no dword", &|it| it.dwords = 0, Errno::INVAL),
            ("a dword too many", &|it| it.dwords = max + 1, Errno::INVAL),
            ("4 G dwords", &|it| it.dwords = u32::MAX, Errno::INVAL),
            ("flag 1 << 0", &|it| it.flags = 1, Errno::INVAL),
            ("flag 1 << 31", &|it| it.flags = 1 << 31, Errno::INVAL),
            ("odd address", &|it| it.addr += 1, Errno::INVAL),
            ("address of half a dword", &|it| it.addr += 2, Errno::INVAL),
            ("address 0", &|it| it.addr = 0, Errno::INVAL),
            (
                "before the first address",
                &|it| it.addr = va.start - 4,
                Errno::INVAL,
            ),
            (
                "past the last address",
                &|it| it.addr = va.end,
                Errno::INVAL,
            ),
            (
                "to past the last address",
                &|it| (it.addr, it.dwords) = (va.end - 4, 2),
                Errno::INVAL,
            ),
            ("an overflow", &|it| it.addr = u64::MAX - 3, Errno::INVAL),
        ],
        |ibs| call(&scene.device, &mut scene.request(ibs, &bos)),
        || scene.unchanged(),
    )?;
    scene.runs()
}

fn too_many_buffers() -> Outcome {
    let scene = Scene::new()?;
    let max = scene.device.info().max_ibs as usize;
    let ibs = vec![scene.ib; max + 1];
    let request = scene.request(&ibs, &[scene.bo]);
    fails("one too many", Errno::INVAL, raw(&scene.device, request))?;
    let mut request = request;
    request.ibs.count = u32::MAX;
    fails("4 G of them", Errno::INVAL, raw(&scene.device, request))?;
    scene.still_works()
}

fn bad_bos() -> Outcome {
    let scene = Scene::new()?;
    let good = scene.bo;
    let (ibs, bos) = ([scene.ib], [good]);
    let mut endless = scene.request(&ibs, &bos);
    endless.bos.count = u32::MAX;
    fails("4 G BOs", Errno::INVAL, raw(&scene.device, endless))?;
    refused_entries(
        &scene.device,
        good,
        &[
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle = 4711, Errno::NOENT),
            ("flag 1 << 2", &|it| it.flags |= 1 << 2, Errno::INVAL),
            ("flag 1 << 31", &|it| it.flags |= 1 << 31, Errno::INVAL),
        ],
        |bos| call(&scene.device, &mut scene.request(&[scene.ib], bos)),
        || scene.unchanged(),
    )?;
    scene.runs()
}

fn bo_twice() -> Outcome {
    let scene = Scene::new()?;
    let other = Bo::builder(PAGE).create(&scene.device)?;
    let other = drm_rgt_cs_bo {
        handle: other.handle(),
        flags: 0,
    };
    let reads = drm_rgt_cs_bo {
        flags: 0,
        ..scene.bo
    };
    let bos = [reads, other, scene.bo];
    raw(&scene.device, scene.request(&[scene.ib], &bos))?;
    scene.runs()
}

fn destroyed_vm() -> Outcome {
    let scene = Scene::new()?;
    let vm_id = raw(&scene.device, drm_rgt_vm_create::default())?.vm_id;
    raw(&scene.device, drm_rgt_vm_destroy { vm_id, pad: 0 })?;
    let (ibs, bos) = ([scene.ib], [scene.bo]);
    let request = drm_rgt_cs {
        vm_id,
        ..scene.request(&ibs, &bos)
    };
    fails("a destroyed VM", Errno::NOENT, raw(&scene.device, request))?;
    scene.still_works()
}

fn refused_jobs_do_nothing() -> Outcome {
    let scene = Scene::new()?;
    let unknown = drm_rgt_cs_bo {
        handle: 4711,
        ..scene.bo
    };
    let (ibs, bos) = ([scene.ib], [scene.bo, unknown]);
    for _ in 0..200 {
        let request = scene.request(&ibs, &bos);
        fails("an unknown BO", Errno::NOENT, raw(&scene.device, request))?;
    }
    // A lock or a fence that was left behind would show here.
    scene.target.wait(PATIENCE, rgt::WaitFor::All)?;
    scene.still_works()
}
