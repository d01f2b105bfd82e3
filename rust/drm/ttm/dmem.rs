// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Device memory as a resource that cgroups share.
//!
//! C header: [`include/linux/cgroup_dmem.h`](srctree/include/linux/cgroup_dmem.h)

use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

use crate::rust::bindings;

/// A region of the dmem cgroup controller: what a manager hands out is charged to the cgroup of
/// the task that asks, and TTM evicts by the cgroups' limits and protections.
///
/// # Invariants
///
/// `region` is a registered region whose `reclaim_priv` is `target`, or NULL when the kernel has no
/// such controller. The manager of `target` uses it.
pub(super) struct DmemRegion {
    region: *mut bindings::dmem_cgroup_region,
    target: KBox<Target>,
}

// SAFETY: The controller does its own locking; `target` is constant.
unsafe impl Send for DmemRegion {}
// SAFETY: As above.
unsafe impl Sync for DmemRegion {}

/// The manager from which memory is taken when a limit is lowered.
struct Target {
    dev: *mut bindings::drm_device,
    man: *mut bindings::ttm_resource_manager,
}

impl DmemRegion {
    const OPS: bindings::dmem_cgroup_ops = bindings::dmem_cgroup_ops {
        reclaim: Some(Self::reclaim_callback),
    };

    /// Registers `size` bytes as `drm/<device>/<name>`.
    ///
    /// # Safety
    ///
    /// `dev` and `man`, a manager that is attached to a TTM device of `dev`, must be valid until
    /// the region is dropped. The manager is not allocated from yet, nor when it is dropped.
    pub(super) unsafe fn new(
        dev: *mut bindings::drm_device,
        man: *mut bindings::ttm_resource_manager,
        size: u64,
        name: &CStr,
    ) -> Result<Self> {
        let target = KBox::new(Target { dev, man }, GFP_KERNEL)?;
        let init = bindings::dmem_cgroup_init {
            size,
            ops: const { &Self::OPS },
            reclaim_priv: (&raw const *target).cast_mut().cast(),
        };

        // SAFETY: `dev` is valid, and C copies what it needs of the rest but for the target, which
        // is where it is until `drop()` has unregistered the region.
        let region = from_err_ptr(unsafe {
            bindings::rgt_drm_dmem_register(dev, name.as_char_ptr(), &init)
        })?;
        // SAFETY: `man` is valid and not in use.
        unsafe { bindings::ttm_resource_manager_set_dmem_region(man, region) };
        // INVARIANT: Just done.
        Ok(Self { region, target })
    }

    /// Evicts what is charged to a cgroup that has more than it may.
    ///
    /// # Safety
    ///
    /// Only for the controller, as `dmem_cgroup_ops::reclaim` of a `DmemRegion`.
    unsafe extern "C" fn reclaim_callback(
        pool: *mut bindings::dmem_cgroup_pool_state,
        bytes: u64,
        target: *mut c_void,
    ) -> c_int {
        // SAFETY: The controller passes what `new()` gave it, and `drop()` waits for this call.
        let target = unsafe { &*target.cast::<Target>() };
        let mut idx = 0;

        // SAFETY: The device is valid as long as the region is.
        if !unsafe { bindings::drm_dev_enter(target.dev, &mut idx) } {
            // It can move nothing any more.
            return ENODEV.to_errno();
        }
        // SAFETY: The manager is attached as long as the region is registered.
        let ret =
            unsafe { bindings::ttm_resource_manager_dmem_reclaim(pool, bytes, target.man.cast()) };
        // SAFETY: Entered above.
        unsafe { bindings::drm_dev_exit(idx) };
        ret
    }
}

impl Drop for DmemRegion {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and the manager is not allocated from.
        unsafe {
            bindings::ttm_resource_manager_set_dmem_region(self.target.man, core::ptr::null_mut());
            bindings::rgt_drm_dmem_unregister(self.region);
        }
    }
}
