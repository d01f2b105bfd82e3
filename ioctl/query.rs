// SPDX-License-Identifier: GPL-2.0

//! QUERY.

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    time::{
        BootTime,
        ClockSource,
        Monotonic,
        RealTime,
        Tai, //
    },
    transmute::AsBytes, //
};

use super::{
    call::Call,
    cs::MAX_BOS,
    sync::MAX_SYNCS,
    user_slice,
    vm::MAX_OPS,
    Device,
    File, //
};
use crate::{
    device::registered,
    fence::{
        Access,
        FaultReason, //
    },
    file::MAX_CONTEXTS,
    hw::{
        abi,
        Gpu,
        Info,
        MAX_IBS, //
    },
    resource_mgr::REGIONS,
    rust::{
        bindings::{
            drm_rgt_engine,
            drm_rgt_query,
            drm_rgt_query_ctx,
            drm_rgt_query_device,
            drm_rgt_query_list,
            drm_rgt_query_timestamp,
            drm_rgt_region,
            DRM_RGT_CAUSE_BAD_MEMORY,
            DRM_RGT_CAUSE_DEVICE_LOST,
            DRM_RGT_CAUSE_FAULT,
            DRM_RGT_CAUSE_HANG,
            DRM_RGT_CAUSE_NONE,
            DRM_RGT_CAUSE_VRAM_LOST,
            DRM_RGT_CTX_STATUS_GUILTY,
            DRM_RGT_CTX_STATUS_INNOCENT,
            DRM_RGT_CTX_STATUS_OK,
            DRM_RGT_FAULT_FETCH,
            DRM_RGT_FAULT_READ,
            DRM_RGT_FAULT_WRITE,
            DRM_RGT_FEATURE_ATOMICS,
            DRM_RGT_FEATURE_BIND_QUEUES,
            DRM_RGT_FEATURE_NULL,
            DRM_RGT_FEATURE_PREFETCH,
            DRM_RGT_FEATURE_SYSTEM_ATOMICS,
            DRM_RGT_FEATURE_UNMAP_ALL,
            DRM_RGT_FEATURE_USERPTR,
            DRM_RGT_FEATURE_USER_FENCE,
            DRM_RGT_QUERY_CTX,
            DRM_RGT_QUERY_DEVICE,
            DRM_RGT_QUERY_ENGINES,
            DRM_RGT_QUERY_REGIONS,
            DRM_RGT_QUERY_TIMESTAMP,
            DRM_RGT_REASON_BAD_ADDRESS,
            DRM_RGT_REASON_BAD_ENTRY,
            DRM_RGT_REASON_BAD_PACKET,
            DRM_RGT_REASON_MISALIGNED,
            DRM_RGT_REASON_NOT_PRESENT,
            DRM_RGT_REASON_NOT_WRITABLE,
            DRM_RGT_REASON_NO_ATOMICS,
            DRM_RGT_REASON_OUT_OF_RANGE,
            DRM_RGT_REASON_POISONED, //
        },
        capability::perfmon_capable, //
    },
    sched::{
        Cause,
        ContextStatus,
        ResetStats, //
    },
    vm::{
        MAX_BIND_QUEUES,
        VA_RANGE, //
    }, //
};

/// Answers a query.
pub(crate) fn query(dev: &Device, args: &mut drm_rgt_query, file: &File) -> Result<u32> {
    let call = Call::new(dev, "QUERY");
    call.reserved(&[("extensions", args.extensions)])?;
    if ![DRM_RGT_QUERY_CTX, DRM_RGT_QUERY_TIMESTAMP].contains(&args.query) {
        call.reserved(&[("arg", args.arg.into())])?;
    }

    let answer = registered(dev)?.registration_data_with(|gpu| answer(call, gpu, args, file))?;
    let len = answer
        .len()
        .min(usize::try_from(args.size).unwrap_or(usize::MAX));
    if len != 0 {
        user_slice(args.data, len)?
            .writer()
            .write_slice(&answer[..len])?;
    }
    args.size = answer.len() as u64;
    Ok(0)
}

/// Returns the answer as user space is to see it.
fn answer(call: Call<'_>, gpu: &Gpu, args: &drm_rgt_query, file: &File) -> Result<KVec<u8>> {
    let dev = call.device();

    match args.query {
        DRM_RGT_QUERY_DEVICE => device(dev, gpu),
        DRM_RGT_QUERY_REGIONS => list(&regions(dev)?),
        DRM_RGT_QUERY_ENGINES => engines(gpu),
        DRM_RGT_QUERY_CTX => {
            gpu.recover_lost_state();
            context(&file.inner().context(args.arg)?.reset_stats())
        }
        DRM_RGT_QUERY_TIMESTAMP => timestamp(call, dev, gpu, args.arg),
        query => Err(call.refuse(EINVAL, fmt!("query {query}: unknown"))),
    }
}

fn device(dev: &Device, gpu: &Gpu) -> Result<KVec<u8>> {
    gpu.recover_lost_state();
    let managers = &dev.managers;
    // That of GTT need not be whole pages.
    let largest = managers
        .gtt
        .inner()
        .limit()
        .max(managers.vram.inner().size());
    let answer = drm_rgt_query_device {
        revision: gpu.info().revision,
        pci_id: u32::from(abi::pci::VENDOR) | u32::from(abi::pci::DEVICE) << 16,
        va_start: VA_RANGE.start,
        va_end: VA_RANGE.end,
        page_size: PAGE_SIZE as u32,
        features: features(dev, gpu.info()),
        reset_count: gpu.reset_count().into(),
        vram_generation: gpu.vram_generation().get(),
        max_bo_bytes: largest & !(PAGE_SIZE as u64 - 1),
        max_vm_bytes: VA_RANGE.end - VA_RANGE.start,
        // No limit.
        max_vms: 0,
        max_contexts: MAX_CONTEXTS as u32,
        max_bind_queues: MAX_BIND_QUEUES as u32,
        max_bind_ops: MAX_OPS as u32,
        max_ibs: MAX_IBS as u32,
        max_ib_dwords: abi::limits::IB_MAX_DWORDS,
        max_bos: MAX_BOS as u32,
        max_syncs: MAX_SYNCS as u32,
        pad: 0,
    };

    bytes_of(&answer)
}

fn features(dev: &Device, info: &Info) -> u64 {
    let flag = |set, flag: u32| if set { u64::from(flag) } else { 0 };

    flag(true, DRM_RGT_FEATURE_USER_FENCE)
        | flag(info.atomics, DRM_RGT_FEATURE_ATOMICS)
        | flag(dev.maps_user_pages, DRM_RGT_FEATURE_USERPTR)
        | flag(info.system_atomics, DRM_RGT_FEATURE_SYSTEM_ATOMICS)
        | u64::from(
            DRM_RGT_FEATURE_BIND_QUEUES
                | DRM_RGT_FEATURE_UNMAP_ALL
                | DRM_RGT_FEATURE_NULL
                | DRM_RGT_FEATURE_PREFETCH,
        )
}

fn context(stats: &ResetStats) -> Result<KVec<u8>> {
    let mut answer = drm_rgt_query_ctx {
        reset_count: stats.resets,
        status: match stats.status() {
            ContextStatus::Ok => DRM_RGT_CTX_STATUS_OK,
            ContextStatus::Guilty => DRM_RGT_CTX_STATUS_GUILTY,
            ContextStatus::Innocent => DRM_RGT_CTX_STATUS_INNOCENT,
        },
        cause: match stats.cause {
            None => DRM_RGT_CAUSE_NONE,
            Some(Cause::Hang) => DRM_RGT_CAUSE_HANG,
            Some(Cause::Fault(_)) => DRM_RGT_CAUSE_FAULT,
            Some(Cause::BadMemory(_)) => DRM_RGT_CAUSE_BAD_MEMORY,
            Some(Cause::VramLost) => DRM_RGT_CAUSE_VRAM_LOST,
            Some(Cause::DeviceLost) => DRM_RGT_CAUSE_DEVICE_LOST,
        },
        ..Default::default()
    };
    if let Some(fault) = stats.cause.as_ref().and_then(Cause::fault) {
        answer.fault_address = fault.address;
        answer.fault_engine = fault.engine;
        answer.fault_access = match fault.access {
            Access::Read | Access::Unknown => DRM_RGT_FAULT_READ,
            Access::Write => DRM_RGT_FAULT_WRITE,
            Access::Fetch => DRM_RGT_FAULT_FETCH,
        };
        answer.fault_reason = reason(fault.reason);
    }

    bytes_of(&answer)
}

fn timestamp(call: Call<'_>, dev: &Device, gpu: &Gpu, clock: u32) -> Result<KVec<u8>> {
    let now = match clock_of(clock) {
        Some(now) => now,
        None => return Err(call.refuse(EINVAL, fmt!("arg {clock}: unknown clock"))),
    };
    let _awake = dev.power.resume_and_get()?;
    let before = now();
    let timestamp = gpu.timestamp()?;
    // CAST: Clocks are not negative. One that is set back gives 0.
    let cpu_delta_ns = now().saturating_sub(before).max(0) as u64;

    bytes_of(&drm_rgt_query_timestamp {
        timestamp,
        frequency: gpu.info().timestamp_hz.into(),
        // CAST: As above.
        cpu_ns: before as u64,
        cpu_delta_ns,
    })
}

/// Returns how to read one of the CPU's clocks, in nanoseconds.
fn clock_of(id: u32) -> Option<fn() -> i64> {
    const REALTIME: i32 = RealTime::ID;
    const MONOTONIC: i32 = Monotonic::ID;
    const BOOTTIME: i32 = BootTime::ID;
    const TAI: i32 = Tai::ID;

    Some(match i32::try_from(id).ok()? {
        REALTIME => RealTime::ktime_get,
        MONOTONIC => Monotonic::ktime_get,
        BOOTTIME => BootTime::ktime_get,
        TAI => Tai::ktime_get,
        _ => return None,
    })
}

/// Returns the reason of a fault as user space knows it; 0 for one that it does not know.
fn reason(reason: FaultReason) -> u32 {
    match reason {
        FaultReason::NotPresent => DRM_RGT_REASON_NOT_PRESENT,
        FaultReason::NotWritable => DRM_RGT_REASON_NOT_WRITABLE,
        FaultReason::BadEntry => DRM_RGT_REASON_BAD_ENTRY,
        FaultReason::BadAddress => DRM_RGT_REASON_BAD_ADDRESS,
        FaultReason::BadPacket => DRM_RGT_REASON_BAD_PACKET,
        FaultReason::Misaligned => DRM_RGT_REASON_MISALIGNED,
        FaultReason::NoAtomics => DRM_RGT_REASON_NO_ATOMICS,
        FaultReason::OutOfRange => DRM_RGT_REASON_OUT_OF_RANGE,
        FaultReason::Poisoned => DRM_RGT_REASON_POISONED,
        FaultReason::Unknown => 0,
    }
}

fn bytes_of<T: AsBytes>(answer: &T) -> Result<KVec<u8>> {
    let mut bytes = KVec::new();
    bytes.extend_from_slice(answer.as_bytes(), GFP_KERNEL)?;
    Ok(bytes)
}

/// A list's head and entries.
fn list<T: AsBytes>(entries: &[T]) -> Result<KVec<u8>> {
    let head = drm_rgt_query_list {
        count: entries.len() as u32,
        stride: size_of::<T>() as u32,
    };

    let mut bytes = KVec::new();
    bytes.extend_from_slice(head.as_bytes(), GFP_KERNEL)?;
    for entry in entries {
        bytes.extend_from_slice(entry.as_bytes(), GFP_KERNEL)?;
    }
    Ok(bytes)
}

/// Returns a figure that shows what others do to those who may see it, and 0 to all others.
fn for_perfmon(figure: u64, perfmon: bool) -> u64 {
    if perfmon {
        figure
    } else {
        0
    }
}

/// Returns the memory regions of a device.
fn regions(dev: &Device) -> Result<KVec<drm_rgt_region>> {
    let perfmon = perfmon_capable();
    let mut regions = KVec::with_capacity(REGIONS.len(), GFP_KERNEL)?;

    for usage in dev.managers.usage(dev.ttm().system_usage()) {
        regions.push(
            drm_rgt_region {
                region: usage.mem_type.as_raw(),
                min_page_size: PAGE_SIZE as u32,
                size: usage.size,
                used: for_perfmon(usage.used, perfmon),
                cpu_visible_size: usage.cpu_visible_size,
                cpu_visible_used: for_perfmon(usage.cpu_visible_used, perfmon),
            },
            GFP_KERNEL,
        )?;
    }
    Ok(regions)
}

fn engines(gpu: &Gpu) -> Result<KVec<u8>> {
    let perfmon = perfmon_capable();
    let mut entries = KVec::with_capacity(gpu.engines().len(), GFP_KERNEL)?;
    for engine in gpu.engines() {
        entries.push(
            drm_rgt_engine {
                engine: engine.index(),
                engine_class: engine.class(),
                busy_ns: for_perfmon(engine.busy_ns(), perfmon),
            },
            GFP_KERNEL,
        )?;
    }
    list(&entries)
}
