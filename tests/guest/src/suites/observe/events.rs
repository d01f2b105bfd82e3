// SPDX-License-Identifier: GPL-2.0

//! The life of a BO in trace events.

use anyhow::{Context, Result};

use super::files::{Debugfs, FdInfo};
use super::tracefs::{Event, Recording};
use crate::expect::{raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![life_of_a_bo, failures_are_told, formats_are_plain];

fn life_of_a_bo() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let info = FdInfo::of(&rig.device)?;
    let (device, client) = (info.text("drm-pdev")?, info.text("drm-client-id")?);
    let size = 23 * PAGE;
    let recording = Recording::start("observe-life")?;
    let bo = rig.bo(size, HIDDEN)?;
    let id = debugfs.bo(&bo)?.text("bo")?.to_owned();
    let mut work = rig.work(rig.copy)?;
    let va = work.writes(&bo)?;
    work.commands.fill(va, size, 1)?;
    work.run()?;
    drop(bo);
    let events = recording.stop()?;

    let of_bo: Vec<&Event> = events
        .iter()
        .filter(|event| event.text("bo").is_ok_and(|text| text == id))
        .collect();
    let names: Vec<&str> = of_bo.iter().map(|event| event.name.as_str()).collect();
    same(
        "events",
        names.as_slice(),
        &["bo_create", "bo_move", "bo_validate", "vm_bind", "bo_free"],
    )?;
    let size = size.to_string();
    let va = format!("{va:#x}");
    let validated: &[(&str, &str)] = &[("user", "gpu"), ("place", "vram"), ("ret", "0")];
    let expected: [&[(&str, &str)]; 5] = [
        &[
            ("size", &size),
            ("client", client),
            ("vm", "0"),
            ("placement", "0x4"),
        ],
        &[
            ("from", "none"),
            ("to", "vram"),
            ("reason", "first"),
            ("bytes", &size),
        ],
        validated,
        &[
            ("client", client),
            ("op", "map"),
            ("va", &va),
            ("size", &size),
            ("offset", "0"),
            ("ret", "0"),
        ],
        &[("size", &size)],
    ];
    for (event, pairs) in of_bo.iter().zip(expected) {
        same("device", event.text("dev")?, device)?;
        for (key, value) in pairs {
            same(&format!("{key} of {}", event.name), event.text(key)?, value)?;
        }
    }
    let unmap = events
        .iter()
        .find(|event| event.name == "vm_bind" && event.text("op").is_ok_and(|op| op == "unmap"))
        .context("no unmap")?;
    same(
        "unmapped",
        (unmap.text("va")?, unmap.text("bo")?),
        (va.as_str(), "0"),
    )
}

/// An operation that fails is in the trace with its errno.
fn failures_are_told() -> Outcome {
    let rig = Rig::new()?;
    // The BO has no place in the region.
    let bo = rig.gtt(PAGE)?;
    let binding = rig.vm.map(&bo)?;
    let recording = Recording::start("observe-failure")?;
    let op = rgt::uapi::drm_rgt_vm_bind_op {
        op: rgt::uapi::DRM_RGT_VM_BIND_OP_PREFETCH,
        region: rgt::uapi::DRM_RGT_REGION_VRAM,
        addr: binding.addr(),
        size: PAGE,
        ..Default::default()
    };
    let bind = rgt::uapi::drm_rgt_vm_bind {
        vm_id: rig.vm.id(),
        ops: rgt::uapi::drm_rgt_array::of(std::slice::from_ref(&op)),
        ..Default::default()
    };
    same("refused", raw(&rig.device, bind).is_err(), true)?;
    let events = recording.stop()?;
    let event = events
        .iter()
        .find(|event| event.name == "vm_bind")
        .context("no event")?;
    same("ret", event.text("ret")?, "-22")
}

/// Tools take the formats apart by themselves: nothing in there but fields and strings.
fn formats_are_plain() -> Outcome {
    let _recording = Recording::start("observe-formats")?;
    let events = std::fs::read_dir("/sys/kernel/tracing/events/rust_gpu_ttm")?
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("format").exists())
        .map(|entry| Ok(std::fs::read_to_string(entry.path().join("format"))?))
        .collect::<Result<Vec<_>>>()?;
    same("events", events.len(), 7)?;
    for format in events {
        let print = format
            .lines()
            .find_map(|line| line.strip_prefix("print fmt: "))
            .context("no print format")?;
        let arguments = print.rsplit('"').next().context("no arguments")?;
        for argument in arguments
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            let plain = argument.starts_with("REC->") || argument.starts_with("__get_str(");
            same(argument, plain, true)?;
        }
    }
    Ok(())
}
