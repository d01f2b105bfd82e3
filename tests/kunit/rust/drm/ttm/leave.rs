// SPDX-License-Identifier: GPL-2.0

//! Shared BOs of a device that is unbound.

use core::ptr;

use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
};

use super::{
    fake::{
        make_busy,
        signal_later,
        Bo,
        Device,
        Fixture,
        TtmDriver,
        TT,
        VRAM, //
    },
    share::{
        map,
        register,
        Mock,
        PAGES, //
    }, //
};
use crate::{
    rust::{
        bindings,
        dma_buf::DynamicAttachment,
        drm::ttm::DmaMappings, //
    },
    tests::wait::soon, //
};

/// Long enough for a task to end that does not wait.
const LONG: Delta = Delta::from_millis(200);

/// Starts a task that does what an unbind does to the BOs of a device. The flag is set when it has.
fn leave(dev: &Device) -> Result<Arc<AtomicFlag>> {
    let begun = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
    let done = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
    let mappings = DmaMappings::<TtmDriver>::new(dev);
    let (begins, ends) = (begun.clone(), done.clone());

    workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
        begins.store(true, Relaxed);
        drop(mappings);
        ends.store(true, Relaxed);
    })?;
    assert!(soon(|| begun.load(Relaxed)));
    Ok(done)
}

/// Unmaps a buffer.
fn unmap(attachment: &mut DynamicAttachment<'_, Mock>, bo: &Bo) -> Result {
    let mut guard = bo.resv().lock()?;

    attachment.unmap(&mut guard.locked_resv())
}

/// Maps a BO for the CPU as a buffer's `vmap` does, which complains where that fails, and unmaps it
/// again.
fn vmap(bo: &Bo) -> Result {
    // CAST: A BO begins with its GEM object.
    let obj = ptr::from_ref(bo)
        .cast_mut()
        .cast::<bindings::drm_gem_object>();
    let mut address = bindings::iosys_map::default();

    // SAFETY: The object is valid and its reservation not held.
    to_result(unsafe { bindings::drm_gem_vmap(obj, &mut address) })?;
    // SAFETY: It was mapped above.
    unsafe { bindings::drm_gem_vunmap(obj, &mut address) };
    Ok(())
}

#[kunit_tests(rgt_bo_leave)]
mod tests {
    use super::*;

    #[test]
    fn the_fences_of_importers_are_waited_for() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let dev: ARef<Device> = registration.device().into();
        // Not in pages, which go from it only when it is idle.
        let bo = backing.bo_in(&dev, VRAM, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;
        let (fence, pending) = make_busy(buf.resv())?;

        drop(registration);
        signal_later(pending)?;
        drop(DmaMappings::new(&dev));
        assert!(fence.is_signaled());
        assert_eq!(attachment.importer().told(), 1);
        Ok(())
    }

    #[test]
    fn importers_that_unmap_late_are_waited_for() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let dev: ARef<Device> = registration.device().into();
        let bo = backing.bo_in(&dev, TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;
        map(&mut attachment, &bo)?;

        drop(registration);
        let left = leave(&dev)?;
        fsleep(LONG);
        let early = left.load(Relaxed);
        unmap(&mut attachment, &bo)?;
        assert!(soon(|| left.load(Relaxed)));
        assert!(!early);
        assert_eq!(attachment.importer().told(), 1);
        Ok(())
    }

    #[test]
    fn pinned_pages_stay_mapped() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (_, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let dev: ARef<Device> = registration.device().into();
        let bo = backing.bo_in(&dev, TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let mut attachment = DynamicAttachment::new(&buf, other.bound(), Mock::new()?)?;
        {
            let mut guard = buf.resv().lock()?;
            attachment.pin(&mut guard.locked_resv())?;
        }
        map(&mut attachment, &bo)?;

        drop(registration);
        drop(DmaMappings::new(&dev));
        unmap(&mut attachment, &bo)
    }

    #[test]
    fn a_device_that_is_gone_maps_nothing() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let bo = backing.bo_in(registration.device(), VRAM, PAGES)?;
        vmap(&bo)?;

        drop(registration);
        assert_eq!(vmap(&bo), Err(ENODEV));
        Ok(())
    }
}
