// SPDX-License-Identifier: GPL-2.0

//! GEM_CREATE, GEM_MMAP_OFFSET, GEM_INFO, GEM_WAIT, GEM_MADVISE.

use kernel::{
    drm::gem::BaseObject,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::AtomicFlag,
        Arc, //
    }, //
};

use super::{
    call::Call,
    Device,
    File, //
};
use crate::{
    bo::{
        self,
        AdviceCell,
        Bo,
        BoData,
        BoRecord,
        Private, //
    },
    device::registered,
    placement::{
        History,
        Priority,
        Request, //
    },
    rust::{
        bindings::{
            drm_rgt_gem_create,
            drm_rgt_gem_info,
            drm_rgt_gem_madvise,
            drm_rgt_gem_mmap_offset,
            drm_rgt_gem_wait,
            DRM_RGT_CACHING_CACHED,
            DRM_RGT_CACHING_WC,
            DRM_RGT_GEM_WAIT_READERS,
            DRM_RGT_MADVISE_DONTNEED,
            DRM_RGT_MADVISE_WILLNEED, //
        },
        capability::{
            capable,
            Capability, //
        },
        dma_resv::Usage,
        drm::{
            fdinfo::is_shared,
            file::client_id,
            timeout::abs_to_jiffies,
            ttm::{
                Caching,
                Object,
                OperationCtx, //
            }, //
        }, //
    },
    vm::Vm, //
};

/// Looks a BO up. `ENOENT` for an unknown handle.
pub(super) fn lookup(file: &File, handle: u32) -> Result<ARef<Bo>> {
    Ok(Bo::from_gem(Object::<BoData>::lookup_handle(file, handle)?))
}

/// Returns a BO's priority, which the caller must have the privilege for: `EACCES`.
fn priority(call: Call<'_>, priority: u32) -> Result<Priority> {
    match Priority::of_uapi(priority) {
        Some(Priority::High) if !capable(Capability::SysNice) => Err(EACCES),
        Some(priority) => Ok(priority),
        None => Err(call.refuse(EINVAL, fmt!("priority {priority}: unknown"))),
    }
}

/// Creates a BO.
pub(crate) fn create(dev: &Device, args: &mut drm_rgt_gem_create, file: &File) -> Result<u32> {
    let call = Call::new(dev, "GEM_CREATE");
    call.reserved(&[("extensions", args.extensions)])?;
    let request = Request::new(args.placement, args.flags)
        .and_then(|request| request.with_preferred(args.preferred))
        .map_err(|wrong| call.refuse(EINVAL, fmt!("{wrong}")))?
        .with_priority(priority(call, args.priority)?);
    let caching = match args.caching {
        DRM_RGT_CACHING_CACHED => Caching::Cached,
        DRM_RGT_CACHING_WC => Caching::WriteCombined,
        caching => return Err(call.refuse(EINVAL, fmt!("caching {caching}: unknown"))),
    };
    let vm = match args.vm_id {
        0 => None,
        id => Some(file.inner().vm(id)?),
    };
    let private = match &vm {
        Some(vm) => Some(Private::new(args.vm_id, vm.private_bos()?)),
        None => None,
    };

    let _registered = registered(dev)?;
    let bo = bo::create(
        dev,
        args.size,
        vm.as_deref().map(Vm::resv_object),
        BoData {
            request,
            caching,
            best: None,
            alignment: args.alignment,
            private,
            own_history: History::new(),
            record: BoRecord::of_client(client_id(file)),
            lost: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            advice: AdviceCell::new(),
            described: None,
            placed_by_bind: AtomicFlag::new(false),
        },
    )?;
    args.handle = bo.as_gem().create_handle(file)?;
    args.size = bo.size() as u64;
    Ok(0)
}

/// Returns the offset of a BO for mmap().
pub(crate) fn mmap_offset(
    dev: &Device,
    args: &mut drm_rgt_gem_mmap_offset,
    file: &File,
) -> Result<u32> {
    let call = Call::new(dev, "GEM_MMAP_OFFSET");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, 0)?;

    let offset = lookup(file, args.handle)?.as_gem().create_mmap_offset();
    args.offset = call.explain(offset, ENOSPC, fmt!("offset: no range of offsets is free"))?;
    Ok(0)
}

/// Returns the properties of a BO and its current place.
pub(crate) fn info(dev: &Device, args: &mut drm_rgt_gem_info, file: &File) -> Result<u32> {
    let call = Call::new(dev, "GEM_INFO");
    call.reserved(&[("pad", args.pad.into()), ("extensions", args.extensions)])?;
    let bo = lookup(file, args.handle)?;
    let region = bo
        .reserve(true)?
        .resource()
        .map_or(0, |res| 1 << res.mem_type().as_raw());

    args.size = bo.size() as u64;
    args.placement = bo.request.mask();
    args.preferred = bo.request.preferred_mask();
    args.flags = bo.request.flags();
    args.caching = match bo.caching {
        Caching::Cached => DRM_RGT_CACHING_CACHED,
        _ => DRM_RGT_CACHING_WC,
    };
    args.alignment = bo.alignment;
    args.priority = bo.request.priority().as_uapi();
    args.vm_id = bo.vm_id();
    args.current_placement = region;
    Ok(0)
}

/// Waits for the jobs that use a BO.
pub(crate) fn wait(dev: &Device, args: &mut drm_rgt_gem_wait, file: &File) -> Result<u32> {
    let call = Call::new(dev, "GEM_WAIT");
    call.reserved(&[("extensions", args.extensions)])?;
    call.flags(args.flags, DRM_RGT_GEM_WAIT_READERS)?;
    let bo = lookup(file, args.handle)?;

    // Jobs do not declare their accesses to private BOs.
    let usage = if bo.private.is_some() {
        Usage::Bookkeep
    } else if args.flags & DRM_RGT_GEM_WAIT_READERS != 0 {
        Usage::Read
    } else {
        Usage::Write
    };
    bo.resv()
        .wait(usage, true, abs_to_jiffies(args.timeout_ns))?;
    Ok(0)
}

/// Marks a BO's content as needed or not, and returns whether it is retained.
pub(crate) fn madvise(dev: &Device, args: &mut drm_rgt_gem_madvise, file: &File) -> Result<u32> {
    let call = Call::new(dev, "GEM_MADVISE");
    call.reserved(&[("pad", args.pad.into()), ("extensions", args.extensions)])?;
    let needed = match args.advice {
        DRM_RGT_MADVISE_WILLNEED => true,
        DRM_RGT_MADVISE_DONTNEED => false,
        advice => return Err(call.refuse(EINVAL, fmt!("advice {advice}: unknown"))),
    };
    let bo = lookup(file, args.handle)?;
    // One of several sharers cannot know that the others do not need the content.
    if !needed && is_shared(bo.as_gem()) {
        return Err(EBUSY);
    }

    let _registered = registered(dev)?;
    let mut guard = bo.reserve(true)?;
    // It may have been exported just now, which takes the reservation, too.
    if !needed && guard.exported().is_some() {
        return Err(EBUSY);
    }
    let mut ctx = OperationCtx::new(true);
    let retained = if needed {
        bo::will_need(&mut guard.reserved(), &mut ctx)?
    } else {
        bo::dont_need(&mut guard.reserved(), &mut ctx)
    };
    guard.release_unused();
    args.retained = retained.into();
    Ok(0)
}
