// SPDX-License-Identifier: GPL-2.0

//! What CS refuses.

use anyhow::Result;
use rgt::uapi::*;
use rgt::{Bo, CommandBuffer, Device, EngineClass, Vm};
use rustix::io::Errno;

use crate::expect::{fails, fails_any, raw, refused, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE};

pub(super) const TESTS: &[Test] = tests![
    bad_arguments,
    bad_pointers,
    bad_buffers,
    too_many_buffers,
    bad_bos,
    unknown_contexts_and_syncs,
    destroyed_vm,
    refused_jobs_do_nothing,
];

const KERNEL: u64 = 0xffff_8000_0000_0000;

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
            ib_count: ibs.len() as u32,
            bo_count: bos.len() as u32,
            ibs: ibs.as_ptr() as u64,
            bos: bos.as_ptr() as u64,
            ..Default::default()
        }
    }

    /// That the job has not run, and that it does when it is all right.
    fn still_works(&self) -> Outcome {
        self.commands.wait(PATIENCE)?;
        same("before the job", self.target.map()?.read(0), 0)?;
        raw(&self.device, self.request(&[self.ib], &[self.bo]))?;
        self.commands.wait(PATIENCE)?;
        same("after the job", self.target.map()?.read(0), 0x0ddb_a115)
    }
}

fn bad_arguments() -> Outcome {
    let scene = Scene::new()?;
    let (ibs, bos) = ([scene.ib], [scene.bo]);
    let good = scene.request(&ibs, &bos);
    refused(
        &scene.device,
        [
            ("flags", Errno::INVAL, drm_rgt_cs { flags: 1, ..good }),
            (
                "extensions",
                Errno::INVAL,
                drm_rgt_cs {
                    extensions: 1,
                    ..good
                },
            ),
            (
                "no buffer",
                Errno::INVAL,
                drm_rgt_cs {
                    ib_count: 0,
                    ..good
                },
            ),
            ("VM 0", Errno::NOENT, drm_rgt_cs { vm_id: 0, ..good }),
            (
                "unknown VM",
                Errno::NOENT,
                drm_rgt_cs {
                    vm_id: 4711,
                    ..good
                },
            ),
            (
                "unknown engine",
                Errno::INVAL,
                drm_rgt_cs { engine: 99, ..good },
            ),
            (
                "engine -1",
                Errno::INVAL,
                drm_rgt_cs {
                    engine: u32::MAX,
                    ..good
                },
            ),
        ],
    )?;
    scene.still_works()
}

fn bad_pointers() -> Outcome {
    let scene = Scene::new()?;
    let (ibs, bos) = ([scene.ib], [scene.bo]);
    let good = scene.request(&ibs, &bos);
    refused(
        &scene.device,
        [
            ("buffers at 0", Errno::FAULT, drm_rgt_cs { ibs: 0, ..good }),
            (
                "buffers in the kernel",
                Errno::FAULT,
                drm_rgt_cs {
                    ibs: KERNEL,
                    ..good
                },
            ),
            ("BOs at 0", Errno::FAULT, drm_rgt_cs { bos: 0, ..good }),
            (
                "BOs in the kernel",
                Errno::FAULT,
                drm_rgt_cs {
                    bos: KERNEL,
                    ..good
                },
            ),
        ],
    )?;
    scene.still_works()
}

fn bad_buffers() -> Outcome {
    let scene = Scene::new()?;
    let good = scene.ib;
    let max = scene.device.info().max_ib_dwords;
    let cases = [
        ("no dword", drm_rgt_cs_ib { dwords: 0, ..good }),
        (
            "a dword too many",
            drm_rgt_cs_ib {
                dwords: max + 1,
                ..good
            },
        ),
        (
            "4 G dwords",
            drm_rgt_cs_ib {
                dwords: u32::MAX,
                ..good
            },
        ),
        ("flags", drm_rgt_cs_ib { flags: 1, ..good }),
        (
            "odd address",
            drm_rgt_cs_ib {
                addr: good.addr + 1,
                ..good
            },
        ),
        (
            "address of half a dword",
            drm_rgt_cs_ib {
                addr: good.addr + 2,
                ..good
            },
        ),
    ];
    for (what, bad) in cases {
        for ibs in [&[bad][..], &[good, bad], &[bad, good]] {
            fails(
                what,
                Errno::INVAL,
                raw(&scene.device, scene.request(ibs, &[scene.bo])),
            )?;
        }
    }
    scene.still_works()
}

fn too_many_buffers() -> Outcome {
    let scene = Scene::new()?;
    let max = scene.device.info().max_ibs as usize;
    let ibs = vec![scene.ib; max + 1];
    let request = scene.request(&ibs, &[scene.bo]);
    fails("one too many", Errno::INVAL, raw(&scene.device, request))?;
    let request = drm_rgt_cs {
        ib_count: u32::MAX,
        ..request
    };
    fails("4 G of them", Errno::INVAL, raw(&scene.device, request))?;
    scene.still_works()
}

fn bad_bos() -> Outcome {
    let scene = Scene::new()?;
    let good = scene.bo;
    let other = Bo::builder(PAGE).create(&scene.device)?;
    let other = drm_rgt_cs_bo {
        handle: other.handle(),
        flags: 0,
    };
    let unknown = drm_rgt_cs_bo {
        handle: 4711,
        flags: 0,
    };
    let cases: [(_, _, &[drm_rgt_cs_bo]); 6] = [
        (
            "handle 0",
            Errno::NOENT,
            &[drm_rgt_cs_bo {
                handle: 0,
                flags: 0,
            }],
        ),
        ("unknown handle", Errno::NOENT, &[unknown]),
        (
            "unknown handle after good ones",
            Errno::NOENT,
            &[good, unknown],
        ),
        (
            "flag 1 << 2",
            Errno::INVAL,
            &[drm_rgt_cs_bo {
                flags: 1 << 2,
                ..good
            }],
        ),
        ("a BO twice", Errno::INVAL, &[good, good]),
        (
            "a BO twice, otherwise flagged",
            Errno::INVAL,
            &[drm_rgt_cs_bo { flags: 0, ..good }, other, good],
        ),
    ];
    for (what, errno, bos) in cases {
        fails(
            what,
            errno,
            raw(&scene.device, scene.request(&[scene.ib], bos)),
        )?;
    }
    let endless = drm_rgt_cs {
        bo_count: u32::MAX,
        ..scene.request(&[scene.ib], &[good])
    };
    let errnos = [Errno::INVAL, Errno::NOMEM, Errno::FAULT];
    fails_any("4 G BOs", &errnos, raw(&scene.device, endless))?;
    scene.still_works()
}

fn unknown_contexts_and_syncs() -> Outcome {
    let scene = Scene::new()?;
    let (ibs, bos) = ([scene.ib], [scene.bo]);
    let sync = drm_rgt_sync {
        handle: 1,
        ..Default::default()
    };
    let syncs = std::ptr::from_ref(&sync) as u64;
    let good = scene.request(&ibs, &bos);
    refused(
        &scene.device,
        [
            ("context", Errno::NOENT, drm_rgt_cs { ctx_id: 1, ..good }),
            (
                "in syncs",
                Errno::NOENT,
                drm_rgt_cs {
                    in_sync_count: 1,
                    in_syncs: syncs,
                    ..good
                },
            ),
            (
                "out syncs",
                Errno::NOENT,
                drm_rgt_cs {
                    out_sync_count: 1,
                    out_syncs: syncs,
                    ..good
                },
            ),
        ],
    )?;
    scene.still_works()
}

fn destroyed_vm() -> Outcome {
    let scene = Scene::new()?;
    let vm_id = raw(&scene.device, drm_rgt_vm_create::default())?.vm_id;
    raw(&scene.device, drm_rgt_vm_destroy { vm_id, pad: 0 })?;
    let request = drm_rgt_cs {
        vm_id,
        ..scene.request(&[scene.ib], &[scene.bo])
    };
    fails("a destroyed VM", Errno::NOENT, raw(&scene.device, request))?;
    scene.still_works()
}

fn refused_jobs_do_nothing() -> Outcome {
    let scene = Scene::new()?;
    let twice = [scene.bo, scene.bo];
    for _ in 0..200 {
        let request = scene.request(&[scene.ib], &twice);
        fails("a BO twice", Errno::INVAL, raw(&scene.device, request))?;
    }
    // A lock or a fence that was left behind would show here.
    scene.target.wait(PATIENCE, rgt::WaitFor::All)?;
    scene.still_works()
}
