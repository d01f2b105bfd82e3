// SPDX-License-Identifier: GPL-2.0

//! The messages under `drm.debug` that say why a call is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, ensure};
use rgt::ioctl::Request;
use rgt::uapi::*;
use rgt::{Bo, Device, RegionKind, Syncobj, Vm};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::expect::{call, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Rig, SYSTEM};

pub(super) const TESTS: &[Test] = tests![
    silent_unless_asked,
    of_queries_and_bos,
    of_contexts_and_vms,
    of_binds,
    of_jobs,
    of_what_finds_no_room,
];

/// The parameter with a bit a category.
const DEBUG: &str = "/sys/module/drm/parameters/debug";
/// The bit of drivers' messages.
const DRIVER: u64 = 1 << 1;

/// The kernel's log from now on, with the driver's debug messages in it.
pub(in crate::suites) struct Log {
    file: File,
    before: String,
}

impl Log {
    pub(in crate::suites) fn new() -> Result<Self> {
        let before = fs::read_to_string(DEBUG).context(DEBUG)?;
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open("/dev/kmsg")?;
        fs::write(DEBUG, DRIVER.to_string())?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, before })
    }

    /// The debug messages of the driver since the last call.
    fn messages(&mut self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut record = [0; 8192];
        loop {
            let len = match self.file.read(&mut record) {
                Ok(len) => len,
                Err(error) if error.raw_os_error() == Some(Errno::AGAIN.raw_os_error()) => {
                    return Ok(found);
                }
                Err(error) => return Err(error).context("/dev/kmsg"),
            };
            let text = String::from_utf8_lossy(&record[..len]);
            // "LEVEL,NUMBER,TIME,FLAGS;DRIVER DEVICE: [drm:FUNCTION] MESSAGE", and lines of pairs.
            let line = text.lines().next().unwrap_or_default();
            let message = line.split_once(';').and_then(|(_, text)| {
                let (_, text) = text.split_once("rust_gpu_ttm ")?.1.split_once("[drm:")?;
                Some(text.split_once("] ")?.1.trim_start_matches("] ").to_owned())
            });
            found.extend(message);
        }
    }

    /// That a call is refused, with one message, which begins with the field at fault.
    pub(in crate::suites) fn refused<T: Request>(
        &mut self,
        device: &Device,
        errno: Errno,
        why: &str,
        mut request: T,
    ) -> Outcome {
        let result = call(device, &mut request);
        self.says(errno, why, result)
    }

    fn says<T>(&mut self, errno: Errno, why: &str, result: Result<T, Errno>) -> Outcome {
        let messages = self.messages()?;
        same(why, result.err(), Some(errno))?;
        ensure!(
            messages.len() == 1 && messages[0].starts_with(why),
            "instead of {why:?} alone: {messages:?}"
        );
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The next test sets it anew if this fails.
        let _ = fs::write(DEBUG, self.before.trim());
    }
}

fn silent_unless_asked() -> Outcome {
    let device = Device::open()?;
    let mut log = Log::new()?;
    let bad = drm_rgt_ctx_create {
        priority: 9,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "CTX_CREATE: priority 9: ", bad)?;
    fs::write(DEBUG, "0")?;
    same("refused", raw(&device, bad).is_err(), true)?;
    same("messages", log.messages()?, Vec::<String>::new())
}

fn of_queries_and_bos() -> Outcome {
    let device = Device::open()?;
    let bo = Bo::builder(PAGE).create(&device)?;
    let mut log = Log::new()?;

    for (why, query) in [
        (
            "QUERY: query 99: ",
            drm_rgt_query {
                query: 99,
                ..Default::default()
            },
        ),
        (
            "QUERY: arg 0x5: ",
            drm_rgt_query {
                query: DRM_RGT_QUERY_DEVICE,
                arg: 5,
                ..Default::default()
            },
        ),
        (
            "QUERY: extensions 0x7: ",
            drm_rgt_query {
                extensions: 7,
                ..Default::default()
            },
        ),
    ] {
        log.refused(&device, Errno::INVAL, why, query)?;
    }

    let good = drm_rgt_gem_create {
        size: PAGE,
        placement: DRM_RGT_PLACEMENT_VRAM,
        caching: DRM_RGT_CACHING_WC,
        ..Default::default()
    };
    for (why, create) in [
        ("size 0x0: ", drm_rgt_gem_create { size: 0, ..good }),
        (
            "placement 0x0: ",
            drm_rgt_gem_create {
                placement: 0,
                ..good
            },
        ),
        (
            "flags 0x80000000: unknown",
            drm_rgt_gem_create {
                flags: 1 << 31,
                ..good
            },
        ),
        (
            "flags 0x6: contradict each other",
            drm_rgt_gem_create {
                flags: DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS,
                ..good
            },
        ),
        ("caching 9: ", drm_rgt_gem_create { caching: 9, ..good }),
        (
            "alignment 0x3: ",
            drm_rgt_gem_create {
                alignment: 3,
                ..good
            },
        ),
    ] {
        log.refused(&device, Errno::INVAL, &format!("GEM_CREATE: {why}"), create)?;
    }

    let handle = bo.handle();
    let flags = drm_rgt_gem_mmap_offset {
        handle,
        flags: 1,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "GEM_MMAP_OFFSET: flags 0x1: ", flags)?;
    let pad = drm_rgt_gem_info {
        handle,
        pad: 3,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "GEM_INFO: pad 0x3: ", pad)?;
    let flags = drm_rgt_gem_wait {
        handle,
        flags: 0x11,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "GEM_WAIT: flags 0x11: ", flags)?;
    let advice = drm_rgt_gem_madvise {
        handle,
        advice: 9,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "GEM_MADVISE: advice 9: ", advice)
}

fn of_contexts_and_vms() -> Outcome {
    let device = Device::open()?;
    let mut log = Log::new()?;
    let pad = drm_rgt_ctx_destroy { ctx_id: 1, pad: 2 };
    log.refused(&device, Errno::INVAL, "CTX_DESTROY: pad 0x2: ", pad)?;
    let pad = drm_rgt_vm_destroy { vm_id: 1, pad: 2 };
    log.refused(&device, Errno::INVAL, "VM_DESTROY: pad 0x2: ", pad)?;
    let flags = drm_rgt_vm_create {
        flags: 4,
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "VM_CREATE: flags 0x4: ", flags)?;

    let mut more = drm_rgt_ctx_create::default();
    while call(&device, &mut more).is_ok() {}
    log.messages()?;
    log.refused(&device, Errno::NOSPC, "CTX_CREATE: ctx_id: ", more)
}

fn of_binds() -> Outcome {
    let device = Device::open()?;
    let (vm, other) = (Vm::create(&device)?, Vm::create(&device)?);
    let bo = Bo::builder(4 * PAGE).create(&device)?;
    let private = Bo::builder(PAGE).private(&other).create(&device)?;
    let bound = vm.map(&bo)?;
    let mut log = Log::new()?;

    let good = drm_rgt_vm_bind_op {
        op: DRM_RGT_VM_BIND_OP_MAP,
        handle: bo.handle(),
        addr: bound.addr() + MIB,
        size: PAGE,
        ..Default::default()
    };
    for (why, op) in [
        ("ops[1].op 9: ", drm_rgt_vm_bind_op { op: 9, ..good }),
        (
            "ops[1].region 0x1: ",
            drm_rgt_vm_bind_op { region: 1, ..good },
        ),
        (
            "ops[1].flags 0x80: ",
            drm_rgt_vm_bind_op {
                flags: 0x80,
                ..good
            },
        ),
        ("ops[1].size 0x0: ", drm_rgt_vm_bind_op { size: 0, ..good }),
        ("ops[1].addr 0x7: ", drm_rgt_vm_bind_op { addr: 7, ..good }),
        (
            "ops[1].addr 0x0: with size",
            drm_rgt_vm_bind_op { addr: 0, ..good },
        ),
        (
            "ops[1].offset 0x9: ",
            drm_rgt_vm_bind_op { offset: 9, ..good },
        ),
        (
            "ops[1].offset 0x4000: with size",
            drm_rgt_vm_bind_op {
                offset: 4 * PAGE,
                ..good
            },
        ),
        (
            &format!("ops[1].handle {}: private", private.handle()),
            drm_rgt_vm_bind_op {
                handle: private.handle(),
                ..good
            },
        ),
    ] {
        let free = drm_rgt_vm_bind_op {
            op: DRM_RGT_VM_BIND_OP_UNMAP,
            handle: 0,
            ..good
        };
        let ops = [free, op];
        let bind = drm_rgt_vm_bind {
            vm_id: vm.id(),
            ops: drm_rgt_array::of(&ops),
            ..Default::default()
        };
        log.refused(&device, Errno::INVAL, &format!("VM_BIND: {why}"), bind)?;
    }

    let none = drm_rgt_vm_bind {
        vm_id: vm.id(),
        ..Default::default()
    };
    log.refused(&device, Errno::INVAL, "VM_BIND: ops.count 0: ", none)?;
    let mut many = none;
    many.ops.count = 1 << 20;
    log.refused(&device, Errno::INVAL, "VM_BIND: ops: 1048576", many)?;
    Ok(())
}

fn of_jobs() -> Outcome {
    let device = Device::open()?;
    let vm = Vm::create(&device)?;
    let bo = Bo::builder(PAGE).create(&device)?;
    let system = SYSTEM(Bo::builder(PAGE)).create(&device)?;
    let syncobj = Syncobj::new(&device)?;
    let mut log = Log::new()?;

    let ib = drm_rgt_cs_ib {
        addr: 0x10_0000,
        dwords: 1,
        flags: 0,
    };
    let good = drm_rgt_cs {
        vm_id: vm.id(),
        ibs: drm_rgt_array::of(std::slice::from_ref(&ib)),
        ..Default::default()
    };
    log.refused(
        &device,
        Errno::INVAL,
        "CS: engine 99: ",
        drm_rgt_cs { engine: 99, ..good },
    )?;
    let mut stride = good;
    stride.ibs.stride = 0;
    log.refused(&device, Errno::INVAL, "CS: ibs: stride 0: ", stride)?;
    for (why, ib) in [
        ("ibs[0].addr 0x2: ", drm_rgt_cs_ib { addr: 2, ..ib }),
        ("ibs[0].dwords 0: ", drm_rgt_cs_ib { dwords: 0, ..ib }),
        ("ibs[0].flags 0x8: ", drm_rgt_cs_ib { flags: 8, ..ib }),
    ] {
        let ibs = drm_rgt_array::of(std::slice::from_ref(&ib));
        let bad = drm_rgt_cs { ibs, ..good };
        log.refused(&device, Errno::INVAL, &format!("CS: {why}"), bad)?;
    }

    let entry = |handle, flags| drm_rgt_cs_bo { handle, flags };
    for (why, bos) in [
        (
            "CS: bos[1].flags 0x70: ",
            [entry(bo.handle(), 0), entry(system.handle(), 0x70)],
        ),
        ("BO ", [entry(bo.handle(), 0), entry(system.handle(), 0)]),
    ] {
        let bad = drm_rgt_cs {
            bos: drm_rgt_array::of(&bos),
            ..good
        };
        log.refused(&device, Errno::INVAL, why, bad)?;
    }

    let handle = syncobj.handle();
    let sync = |type_, flags, value| drm_rgt_sync {
        type_,
        flags,
        handle,
        value,
        ..Default::default()
    };
    for (why, sync) in [
        (&*format!("handle {handle}: "), sync(0, 0, 0)),
        ("value 0x3: ", sync(0, 0, 3)),
        ("flags 0x40: ", sync(0, 0x40, 0)),
        ("type 9: ", sync(9, 0, 0)),
    ] {
        let bad = drm_rgt_cs {
            in_syncs: drm_rgt_array::of(std::slice::from_ref(&sync)),
            ..good
        };
        let why = format!("CS: in_syncs[0].{why}");
        log.refused(&device, Errno::INVAL, &why, bad)?;
    }
    let sync = sync(DRM_RGT_SYNC_TIMELINE, 0, 0);
    let bad = drm_rgt_cs {
        out_syncs: drm_rgt_array::of(std::slice::from_ref(&sync)),
        ..good
    };
    log.refused(&device, Errno::INVAL, "CS: out_syncs[0].value 0: ", bad)
}

fn of_what_finds_no_room() -> Outcome {
    let rig = Rig::new()?;
    let device = &rig.device;
    let mut log = Log::new()?;
    let large = drm_rgt_gem_create {
        size: 1 << 40,
        placement: DRM_RGT_PLACEMENT_VRAM,
        ..Default::default()
    };
    let why = "GEM_CREATE: size 0x10000000000: fits";
    log.refused(device, Errno::NOSPC, why, large)?;

    let vram = device.region(RegionKind::Vram)?.context("there is VRAM")?;
    let size = vram.size / 5 * 3;
    let bos = [(); 2].map(|()| HIDDEN(Bo::builder(size)).create(device));
    let bos = bos.into_iter().collect::<rgt::Result<Vec<_>>>()?;
    let list: Vec<_> = bos
        .iter()
        .map(|bo| drm_rgt_cs_bo {
            handle: bo.handle(),
            flags: 0,
        })
        .collect();
    let ib = drm_rgt_cs_ib {
        addr: 0x10_0000,
        dwords: 1,
        flags: 0,
    };
    let job = drm_rgt_cs {
        vm_id: rig.vm.id(),
        ibs: drm_rgt_array::of(std::slice::from_ref(&ib)),
        bos: drm_rgt_array::of(&list),
        ..Default::default()
    };
    log.refused(device, Errno::NOSPC, "CS: no room", job)
}
