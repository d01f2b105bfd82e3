// SPDX-License-Identifier: GPL-2.0

//! What VM_BIND accepts.

use rgt::uapi::*;
use rgt::{Bo, Device, Vm};
use rustix::io::Errno;

use crate::expect::{fails, raw, refused, refused_with, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    bad_operations,
    bad_arguments,
    syncs_are_not_there_yet,
    unknown_handles,
    edges_of_the_range,
    overlaps_need_replace,
    all_are_checked_first,
    many_operations,
    unmapping_nothing,
];

/// A VM with one BO of 16 pages, mapped nowhere.
struct Scene {
    device: Device,
    vm: Vm,
    bo: Bo,
    base: u64,
}

impl Scene {
    fn new() -> anyhow::Result<Self> {
        let device = Device::open()?;
        let vm = Vm::create(&device)?;
        let bo = Bo::builder(16 * PAGE).create(&device)?;
        let base = device.info().va.start.next_multiple_of(2 << 20) + (2 << 20);
        Ok(Self {
            device,
            vm,
            bo,
            base,
        })
    }

    fn map(&self) -> drm_rgt_vm_bind_op {
        drm_rgt_vm_bind_op {
            op: DRM_RGT_VM_BIND_OP_MAP,
            handle: self.bo.handle(),
            addr: self.base,
            size: PAGE,
            ..Default::default()
        }
    }

    fn unmap(&self) -> drm_rgt_vm_bind_op {
        let op = DRM_RGT_VM_BIND_OP_UNMAP;
        drm_rgt_vm_bind_op {
            op,
            handle: 0,
            ..self.map()
        }
    }

    fn request(&self, ops: &[drm_rgt_vm_bind_op]) -> drm_rgt_vm_bind {
        drm_rgt_vm_bind {
            vm_id: self.vm.id(),
            op_count: ops.len() as u32,
            ops: ops.as_ptr() as u64,
            ..Default::default()
        }
    }

    fn bind(&self, ops: &[drm_rgt_vm_bind_op]) -> rgt::Result<u32> {
        raw(&self.device, self.request(ops)).map(|request| request.ops_done)
    }
}

fn bad_operations() -> Outcome {
    let scene = Scene::new()?;
    let (map, unmap) = (scene.map(), scene.unmap());
    let va = &scene.device.info().va;
    let cases = [
        ("op 2", drm_rgt_vm_bind_op { op: 2, ..map }),
        (
            "op -1",
            drm_rgt_vm_bind_op {
                op: u32::MAX,
                ..map
            },
        ),
        (
            "map flag 1 << 2",
            drm_rgt_vm_bind_op {
                flags: 1 << 2,
                ..map
            },
        ),
        ("pad", drm_rgt_vm_bind_op { pad: 1, ..map }),
        ("size 0", drm_rgt_vm_bind_op { size: 0, ..map }),
        (
            "size of half a page",
            drm_rgt_vm_bind_op {
                size: PAGE / 2,
                ..map
            },
        ),
        (
            "size of a page and a byte",
            drm_rgt_vm_bind_op {
                size: PAGE + 1,
                ..map
            },
        ),
        (
            "misaligned address",
            drm_rgt_vm_bind_op {
                addr: map.addr + 512,
                ..map
            },
        ),
        ("misaligned offset", drm_rgt_vm_bind_op { offset: 4, ..map }),
        (
            "offset at the end",
            drm_rgt_vm_bind_op {
                offset: 16 * PAGE,
                ..map
            },
        ),
        (
            "size past the end",
            drm_rgt_vm_bind_op {
                size: 17 * PAGE,
                ..map
            },
        ),
        (
            "offset and size past the end",
            drm_rgt_vm_bind_op {
                offset: 15 * PAGE,
                size: 2 * PAGE,
                ..map
            },
        ),
        (
            "offset and size that overflow",
            drm_rgt_vm_bind_op {
                offset: PAGE.wrapping_neg(),
                size: 2 * PAGE,
                ..map
            },
        ),
        (
            "address below the range",
            drm_rgt_vm_bind_op {
                addr: va.start.wrapping_sub(PAGE),
                ..map
            },
        ),
        (
            "address past the range",
            drm_rgt_vm_bind_op {
                addr: va.end,
                ..map
            },
        ),
        (
            "end past the range",
            drm_rgt_vm_bind_op {
                addr: va.end - PAGE,
                size: 2 * PAGE,
                ..map
            },
        ),
        (
            "address and size that overflow",
            drm_rgt_vm_bind_op {
                addr: PAGE.wrapping_neg(),
                size: 2 * PAGE,
                ..map
            },
        ),
        (
            "unmap with flags",
            drm_rgt_vm_bind_op {
                flags: DRM_RGT_VM_BIND_REPLACE,
                ..unmap
            },
        ),
        (
            "unmap with a handle",
            drm_rgt_vm_bind_op {
                handle: scene.bo.handle(),
                ..unmap
            },
        ),
        (
            "unmap with an offset",
            drm_rgt_vm_bind_op {
                offset: PAGE,
                ..unmap
            },
        ),
        ("unmap of size 0", drm_rgt_vm_bind_op { size: 0, ..unmap }),
        (
            "unmap of half a page",
            drm_rgt_vm_bind_op {
                size: PAGE / 2,
                ..unmap
            },
        ),
        (
            "unmap at a misaligned address",
            drm_rgt_vm_bind_op {
                addr: map.addr + 1,
                ..unmap
            },
        ),
        (
            "unmap past the range",
            drm_rgt_vm_bind_op {
                size: va.end,
                ..unmap
            },
        ),
        (
            "unmap that overflows",
            drm_rgt_vm_bind_op {
                size: map.addr.wrapping_neg(),
                ..unmap
            },
        ),
    ];
    for (what, op) in cases {
        fails(what, Errno::INVAL, scene.bind(&[op]))?;
    }
    // Nothing of all that is mapped.
    same(
        "operations done",
        scene.bind(&[drm_rgt_vm_bind_op {
            size: 16 * PAGE,
            ..map
        }])?,
        1,
    )
}

fn bad_arguments() -> Outcome {
    let scene = Scene::new()?;
    let ops = [scene.map()];
    let good = scene.request(&ops);
    refused(
        &scene.device,
        [
            ("flags", Errno::INVAL, drm_rgt_vm_bind { flags: 1, ..good }),
            (
                "extensions",
                Errno::INVAL,
                drm_rgt_vm_bind {
                    extensions: 1,
                    ..good
                },
            ),
            (
                "no operations",
                Errno::INVAL,
                drm_rgt_vm_bind {
                    op_count: 0,
                    ..good
                },
            ),
            (
                "operations at 0",
                Errno::FAULT,
                drm_rgt_vm_bind { ops: 0, ..good },
            ),
            (
                "operations in the kernel",
                Errno::FAULT,
                drm_rgt_vm_bind {
                    ops: 0xffff_8000_0000_0000,
                    ..good
                },
            ),
        ],
    )?;
    let endless = drm_rgt_vm_bind {
        op_count: u32::MAX,
        ..good
    };
    let errnos = [Errno::INVAL, Errno::NOMEM, Errno::FAULT];
    crate::expect::fails_any("4 G operations", &errnos, raw(&scene.device, endless))?;
    same("operations done", scene.bind(&ops)?, 1)
}

fn syncs_are_not_there_yet() -> Outcome {
    let scene = Scene::new()?;
    let ops = [scene.map()];
    let sync = drm_rgt_sync {
        handle: 1,
        ..Default::default()
    };
    let syncs = std::ptr::from_ref(&sync) as u64;
    let good = scene.request(&ops);
    refused(
        &scene.device,
        [
            (
                "in syncs",
                Errno::OPNOTSUPP,
                drm_rgt_vm_bind {
                    in_sync_count: 1,
                    in_syncs: syncs,
                    ..good
                },
            ),
            (
                "out syncs",
                Errno::OPNOTSUPP,
                drm_rgt_vm_bind {
                    out_sync_count: 1,
                    out_syncs: syncs,
                    ..good
                },
            ),
        ],
    )
}

fn unknown_handles() -> Outcome {
    let scene = Scene::new()?;
    for handle in [0, 4711, u32::MAX] {
        let op = drm_rgt_vm_bind_op {
            handle,
            ..scene.map()
        };
        fails("unknown handle", Errno::NOENT, scene.bind(&[op]))?;
    }
    Ok(())
}

fn edges_of_the_range() -> Outcome {
    let scene = Scene::new()?;
    let va = scene.device.info().va.clone();
    for addr in [va.start, va.end - PAGE] {
        let map = drm_rgt_vm_bind_op {
            addr,
            ..scene.map()
        };
        let unmap = drm_rgt_vm_bind_op {
            addr,
            ..scene.unmap()
        };
        same("operations done", scene.bind(&[map, unmap, map])?, 3)?;
    }
    let all = drm_rgt_vm_bind_op {
        addr: va.start,
        size: va.end - va.start,
        ..scene.unmap()
    };
    same("unmapping everything", scene.bind(&[all])?, 1)
}

fn overlaps_need_replace() -> Outcome {
    let scene = Scene::new()?;
    let map = drm_rgt_vm_bind_op {
        size: 4 * PAGE,
        ..scene.map()
    };
    scene.bind(&[map])?;
    let overlaps = [
        ("the same range", map.addr, 4),
        ("its first page", map.addr, 1),
        ("its last page", map.addr + 3 * PAGE, 1),
        ("over its beginning", map.addr - 2 * PAGE, 3),
        ("over its end", map.addr + 3 * PAGE, 3),
        ("around it", map.addr - PAGE, 6),
    ];
    for (what, addr, pages) in overlaps {
        let op = drm_rgt_vm_bind_op {
            addr,
            size: pages * PAGE,
            ..map
        };
        fails(what, Errno::INVAL, scene.bind(&[op]))?;
        let flags = DRM_RGT_VM_BIND_REPLACE;
        let replace = drm_rgt_vm_bind_op { flags, ..op };
        same(what, scene.bind(&[replace])?, 1)?;
        // Whatever was there, back to the beginning.
        let addr = map.addr - 4 * PAGE;
        let unmap = drm_rgt_vm_bind_op {
            addr,
            size: 16 * PAGE,
            ..scene.unmap()
        };
        scene.bind(&[unmap, map])?;
    }
    for addr in [map.addr - PAGE, map.addr + 4 * PAGE] {
        let beside = drm_rgt_vm_bind_op {
            addr,
            size: PAGE,
            ..map
        };
        same("beside it", scene.bind(&[beside])?, 1)?;
    }
    Ok(())
}

fn all_are_checked_first() -> Outcome {
    let scene = Scene::new()?;
    let good = scene.map();
    let bad = drm_rgt_vm_bind_op { size: 0, ..good };
    let request = refused_with(
        &scene.device,
        Errno::INVAL,
        scene.request(&[good, good, bad]),
    )?;
    same("operations done", request.ops_done, 0)?;
    let unknown = drm_rgt_vm_bind_op {
        handle: 4711,
        ..good
    };
    let request = refused_with(&scene.device, Errno::NOENT, scene.request(&[good, unknown]))?;
    same("operations done", request.ops_done, 0)?;
    // Had the first one been done, this would overlap it.
    same("operations done", scene.bind(&[good])?, 1)
}

fn many_operations() -> Outcome {
    const COUNT: u64 = 100;
    let scene = Scene::new()?;
    let map = |index: u64| drm_rgt_vm_bind_op {
        addr: scene.base + index * 2 * PAGE,
        offset: index % 16 * PAGE,
        ..scene.map()
    };
    let maps: Vec<_> = (0..COUNT).map(map).collect();
    same("maps done", scene.bind(&maps)?, COUNT as u32)?;
    let unmap = |op: &drm_rgt_vm_bind_op| drm_rgt_vm_bind_op {
        addr: op.addr,
        ..scene.unmap()
    };
    let unmaps: Vec<_> = maps.iter().map(unmap).collect();
    same("unmaps done", scene.bind(&unmaps)?, COUNT as u32)?;
    same("maps done again", scene.bind(&maps)?, COUNT as u32)
}

fn unmapping_nothing() -> Outcome {
    let rig = Rig::new()?;
    rig.vm
        .bind(&[rgt::BindOp::unmap(rig.device.info().va.start, 64 * PAGE)])?;
    Ok(())
}
