// SPDX-License-Identifier: GPL-2.0

//! CS.

use kernel::prelude::*;

use super::{
    call::Call,
    gem::lookup,
    sync,
    Device,
    File, //
};
use crate::{
    cs::{
        JobBo,
        Submission, //
    },
    fence::BoUse,
    hw::{
        abi::limits::IB_MAX_DWORDS,
        Ib,
        MAX_IBS, //
    },
    rust::{
        alloc::LazyVec,
        bindings::{
            drm_rgt_cs,
            drm_rgt_cs_bo,
            drm_rgt_cs_ib,
            DRM_RGT_CS_BO_NO_IMPLICIT,
            DRM_RGT_CS_BO_WRITE, //
        },
        drm::file::client_id, //
    },
    vm::VA_RANGE, //
};

/// The most BOs in one list.
pub(super) const MAX_BOS: usize = 4096;

/// Submits a job.
pub(crate) fn cs(dev: &Device, args: &mut drm_rgt_cs, file: &File) -> Result<u32> {
    let call = Call::new(dev, "CS");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;
    let engine = dev
        .queues
        .engine(args.engine)
        .ok_or_else(|| call.refuse(EINVAL, fmt!("engine {}: unknown", args.engine)))?;
    let context = file.inner().context(args.ctx_id)?;
    let vm = file.inner().vm(args.vm_id)?;

    let ibs = ibs(call, args)?;
    Submission {
        dev,
        context: &context,
        client: client_id(file),
        engine,
        vm: &vm,
        bos: &bos(call, args, file)?,
        in_syncs: &sync::in_syncs(call, file, &args.in_syncs)?,
    }
    .submit(ibs, sync::out_syncs(call, file, &args.out_syncs)?)?;
    Ok(0)
}

fn ibs(call: Call<'_>, args: &drm_rgt_cs) -> Result<LazyVec<Ib>> {
    let entries = call.array::<drm_rgt_cs_ib>("ibs", &args.ibs, MAX_IBS)?;
    let mut ibs = LazyVec::with_capacity(entries.len(), GFP_KERNEL_ACCOUNT)?;
    for entry in entries {
        let (call, raw) = entry?;
        call.flags(raw.flags, 0)?;
        if raw.addr % 4 != 0 {
            let why = fmt!("addr {:#x}: not a multiple of 4", raw.addr);
            return Err(call.refuse(EINVAL, why));
        }
        let end = raw.addr.checked_add(4 * u64::from(raw.dwords));
        if raw.addr < VA_RANGE.start || end.is_none_or(|end| end > VA_RANGE.end) {
            let why = fmt!(
                "addr {:#x}: with {} dwords not in {VA_RANGE:#x?}",
                raw.addr,
                raw.dwords
            );
            return Err(call.refuse(EINVAL, why));
        }
        if raw.dwords == 0 || raw.dwords > IB_MAX_DWORDS {
            let why = fmt!("dwords {}: not from 1 to {IB_MAX_DWORDS}", raw.dwords);
            return Err(call.refuse(EINVAL, why));
        }
        ibs.push(
            Ib {
                addr: raw.addr,
                dwords: raw.dwords,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
    }
    Ok(ibs)
}

fn bos(call: Call<'_>, args: &drm_rgt_cs, file: &File) -> Result<LazyVec<JobBo>> {
    if args.bos.count == 0 {
        return Ok(LazyVec::new());
    }
    let entries = call.array::<drm_rgt_cs_bo>("bos", &args.bos, MAX_BOS)?;
    let mut bos = LazyVec::with_capacity(entries.len(), GFP_KERNEL)?;

    for entry in entries {
        let (call, raw) = entry?;
        call.flags(raw.flags, DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT)?;
        let bo = lookup(file, raw.handle)?;
        // A private BO is part of its VM's jobs and of no others.
        if bo.private.is_some() {
            continue;
        }
        bos.push(
            JobBo {
                bo,
                bo_use: if raw.flags & DRM_RGT_CS_BO_NO_IMPLICIT != 0 {
                    BoUse::Explicit
                } else if raw.flags & DRM_RGT_CS_BO_WRITE != 0 {
                    BoUse::Write
                } else {
                    BoUse::Read
                },
            },
            GFP_KERNEL,
        )?;
    }
    Ok(bos)
}
