// SPDX-License-Identifier: GPL-2.0

//! VM_BIND: valid and bad arguments.

use anyhow::Context;
use rgt::uapi::*;
use rgt::{Bo, Device, Vm};
use rustix::io::Errno;

use crate::arguments::{KERNEL, Row, bits_without, refused, refused_entries, undefined_flags};
use crate::expect::{call, fails, raw};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    bad_maps,
    bad_unmaps,
    bad_arguments,
    edges_of_the_range,
    overlaps_are_replaced,
    all_are_checked_first,
    many_operations,
    unmapping_nothing,
    other_operations,
    bad_other_operations,
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
            ops: drm_rgt_array::of(ops),
            ..Default::default()
        }
    }

    fn bind(&self, ops: &[drm_rgt_vm_bind_op]) -> rgt::Result<()> {
        raw(&self.device, self.request(ops)).map(drop)
    }

    fn refuses(&self, good: drm_rgt_vm_bind_op, rows: &[Row<'_, drm_rgt_vm_bind_op>]) -> Outcome {
        let call = |ops: &[drm_rgt_vm_bind_op]| call(&self.device, &mut self.request(ops));
        refused_entries(&self.device, good, rows, call, || Ok(()))
    }

    fn refuses_flags(&self, good: drm_rgt_vm_bind_op, defined: u32) -> Outcome {
        for flags in bits_without(defined) {
            let bad = drm_rgt_vm_bind_op { flags, ..good };
            fails("a flag", Errno::INVAL, self.bind(&[bad]))?;
        }
        Ok(())
    }
}

fn bad_maps() -> Outcome {
    let scene = Scene::new()?;
    let base = scene.base;
    let va = &scene.device.info().va;
    scene.refuses(
        scene.map(),
        &[
            ("op 6", &|it| it.op = 6, Errno::INVAL),
            ("op -1", &|it| it.op = u32::MAX, Errno::INVAL),
            ("a region", &|it| it.region = 1, Errno::INVAL),
            ("size 0", &|it| it.size = 0, Errno::INVAL),
            (
                "size of half a page",
                &|it| it.size = PAGE / 2,
                Errno::INVAL,
            ),
            (
                "size of a page and a byte",
                &|it| it.size = PAGE + 1,
                Errno::INVAL,
            ),
            (
                "misaligned address",
                &|it| it.addr = base + 512,
                Errno::INVAL,
            ),
            ("misaligned offset", &|it| it.offset = 4, Errno::INVAL),
            (
                "offset at the end",
                &|it| it.offset = 16 * PAGE,
                Errno::INVAL,
            ),
            ("size past the end", &|it| it.size = 17 * PAGE, Errno::INVAL),
            (
                "offset and size past the end",
                &|it| (it.offset, it.size) = (15 * PAGE, 2 * PAGE),
                Errno::INVAL,
            ),
            (
                "offset and size that overflow",
                &|it| (it.offset, it.size) = (PAGE.wrapping_neg(), 2 * PAGE),
                Errno::INVAL,
            ),
            (
                "address below the range",
                &|it| it.addr = va.start.wrapping_sub(PAGE),
                Errno::INVAL,
            ),
            (
                "address past the range",
                &|it| it.addr = va.end,
                Errno::INVAL,
            ),
            (
                "end past the range",
                &|it| (it.addr, it.size) = (va.end - PAGE, 2 * PAGE),
                Errno::INVAL,
            ),
            (
                "address and size that overflow",
                &|it| (it.addr, it.size) = (PAGE.wrapping_neg(), 2 * PAGE),
                Errno::INVAL,
            ),
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle = 4711, Errno::NOENT),
            ("handle -1", &|it| it.handle = u32::MAX, Errno::NOENT),
        ],
    )?;
    scene.refuses_flags(scene.unmap(), 0)?;
    scene.refuses_flags(scene.map(), DRM_RGT_VM_BIND_READONLY)?;
    // The valid map's page is all that is mapped.
    let whole = drm_rgt_vm_bind_op {
        size: 16 * PAGE,
        ..scene.map()
    };
    Ok(scene.bind(&[scene.unmap(), whole])?)
}

fn bad_unmaps() -> Outcome {
    let scene = Scene::new()?;
    let base = scene.base;
    let va = &scene.device.info().va;
    scene.bind(&[scene.map()])?;
    scene.refuses(
        scene.unmap(),
        &[
            ("unmap with a region", &|it| it.region = 1, Errno::INVAL),
            (
                "unmap with flags",
                &|it| it.flags = DRM_RGT_VM_BIND_READONLY,
                Errno::INVAL,
            ),
            (
                "unmap with a handle",
                &|it| it.handle = scene.bo.handle(),
                Errno::INVAL,
            ),
            ("unmap with an offset", &|it| it.offset = PAGE, Errno::INVAL),
            ("unmap of size 0", &|it| it.size = 0, Errno::INVAL),
            (
                "unmap of half a page",
                &|it| it.size = PAGE / 2,
                Errno::INVAL,
            ),
            (
                "unmap at a misaligned address",
                &|it| it.addr = base + 1,
                Errno::INVAL,
            ),
            ("unmap past the range", &|it| it.size = va.end, Errno::INVAL),
            (
                "unmap that overflows",
                &|it| it.size = base.wrapping_neg(),
                Errno::INVAL,
            ),
        ],
    )?;
    // The mapping was there until the valid unmap.
    Ok(scene.bind(&[scene.map()])?)
}

fn bad_arguments() -> Outcome {
    let scene = Scene::new()?;
    let ops = [scene.map()];
    let sync = drm_rgt_sync {
        handle: 4711,
        ..Default::default()
    };
    let syncs = drm_rgt_array::of(std::slice::from_ref(&sync));
    let good = scene.request(&ops);
    undefined_flags(&scene.device, good, 0, |it, flag| it.flags = flag)?;
    refused(
        &scene.device,
        good,
        &[
            ("VM 0", &|it| it.vm_id = 0, Errno::NOENT),
            ("an unknown VM", &|it| it.vm_id += 1, Errno::NOENT),
            ("extensions", &|it| it.extensions = 1, Errno::INVAL),
            ("pad", &|it| it.pad = 1, Errno::INVAL),
            ("no operations", &|it| it.ops.count = 0, Errno::INVAL),
            (
                "4 G operations",
                &|it| it.ops.count = u32::MAX,
                Errno::INVAL,
            ),
            ("operations at 0", &|it| it.ops.address = 0, Errno::FAULT),
            (
                "operations in the kernel",
                &|it| it.ops.address = KERNEL,
                Errno::FAULT,
            ),
            ("an unknown queue", &|it| it.queue_id = 1, Errno::NOENT),
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
        ],
    )?;
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
        scene.bind(&[map, unmap, map])?;
    }
    let all = drm_rgt_vm_bind_op {
        addr: va.start,
        size: va.end - va.start,
        ..scene.unmap()
    };
    Ok(scene.bind(&[all])?)
}

fn overlaps_are_replaced() -> Outcome {
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
        scene.bind(&[op]).context(what)?;
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
        scene.bind(&[beside]).context("beside it")?;
    }
    Ok(())
}

fn all_are_checked_first() -> Outcome {
    let scene = Scene::new()?;
    let good = scene.map();
    let bad = drm_rgt_vm_bind_op { size: 0, ..good };
    fails("a bad size", Errno::INVAL, scene.bind(&[good, good, bad]))?;
    let unknown = drm_rgt_vm_bind_op {
        handle: 4711,
        ..good
    };
    fails("a handle", Errno::NOENT, scene.bind(&[good, unknown]))?;
    // Had the first one been done, this would overlap it.
    Ok(scene.bind(&[good])?)
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
    scene.bind(&maps)?;
    let unmap = |op: &drm_rgt_vm_bind_op| drm_rgt_vm_bind_op {
        addr: op.addr,
        ..scene.unmap()
    };
    let unmaps: Vec<_> = maps.iter().map(unmap).collect();
    scene.bind(&unmaps)?;
    Ok(scene.bind(&maps)?)
}

fn unmapping_nothing() -> Outcome {
    let rig = Rig::new()?;
    rig.vm
        .bind(&[rgt::BindOp::unmap(rig.device.info().va.start, 64 * PAGE)])?;
    Ok(())
}

/// A valid operation of each kind but map and unmap.
fn others(scene: &Scene) -> [(&'static str, drm_rgt_vm_bind_op); 4] {
    let range = drm_rgt_vm_bind_op {
        addr: scene.base,
        size: PAGE,
        ..Default::default()
    };
    let unmap_all = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_UNMAP_ALL,
        handle: scene.bo.handle(),
        ..Default::default()
    };
    let null = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_NULL,
        ..range
    };
    let prefetch = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_PREFETCH,
        region: DRM_RGT_REGION_VRAM,
        ..range
    };
    let userptr = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_USERPTR,
        offset: 16 * PAGE,
        ..range
    };
    [
        ("unmap all", unmap_all),
        ("null", null),
        ("prefetch", prefetch),
        ("userptr", userptr),
    ]
}

fn other_operations() -> Outcome {
    let scene = Scene::new()?;
    let [unmap_all, null, prefetch, userptr] = others(&scene);
    for (what, op) in [unmap_all, null, prefetch] {
        scene.bind(&[scene.map(), op]).context(what)?;
    }
    // There is no memory of the process.
    let (what, op) = userptr;
    let errno = match scene.device.info().user_memory {
        true => Errno::FAULT,
        false => Errno::OPNOTSUPP,
    };
    fails(what, errno, scene.bind(&[scene.map(), op]))
}

fn bad_other_operations() -> Outcome {
    let scene = Scene::new()?;
    let [(_, unmap_all), (_, null), (_, prefetch), (_, userptr)] = others(&scene);
    let refuses = |what: &str, errno, good, change: &dyn Fn(&mut drm_rgt_vm_bind_op)| {
        let mut bad = good;
        change(&mut bad);
        fails(what, errno, scene.bind(&[bad]))
    };
    for (good, flags) in [
        (unmap_all, 0),
        (null, 0),
        (prefetch, 0),
        (userptr, DRM_RGT_VM_BIND_READONLY),
    ] {
        scene.refuses_flags(good, flags)?;
    }
    for good in [null, prefetch, userptr] {
        refuses("a handle", Errno::INVAL, good, &|it| it.handle = 1)?;
        refuses("no size", Errno::INVAL, good, &|it| it.size = 0)?;
        refuses("address 0", Errno::INVAL, good, &|it| it.addr = 0)?;
        refuses("a part of a page", Errno::INVAL, good, &|it| it.size += 8)?;
    }
    for good in [unmap_all, null, prefetch] {
        refuses("an offset", Errno::INVAL, good, &|it| it.offset = PAGE)?;
    }
    for good in [unmap_all, null, userptr] {
        refuses("a region", Errno::INVAL, good, &|it| it.region = 2)?;
    }
    refuses("an address", Errno::INVAL, unmap_all, &|it| it.addr = PAGE)?;
    refuses("a size", Errno::INVAL, unmap_all, &|it| it.size = PAGE)?;
    refuses("no BO", Errno::NOENT, unmap_all, &|it| it.handle = 0)?;
    refuses("region 4", Errno::INVAL, prefetch, &|it| it.region = 4)?;
    refuses("offset 8", Errno::INVAL, userptr, &|it| it.offset = 8)?;
    refuses("an overflow", Errno::INVAL, userptr, &|it| {
        (it.offset, it.size) = (PAGE.wrapping_neg(), 2 * PAGE);
    })
}
