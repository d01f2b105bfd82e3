// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Use of a bound device by code that may sleep.

use kernel::{
    alloc::Flags,
    device::{
        Bound,
        Device, //
    },
    devres,
    dma::Coherent,
    new_srcu,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Srcu, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

/// A handle of a device that can be used as long as it is bound.
///
/// Unlike [`Devres`](kernel::devres::Devres), which is protected by RCU, its methods may sleep.
/// Unbinding the device waits for them.
///
/// There is no way from it to a [`Device<Bound>`], which also stands for all that devres has:
/// `Devres::access()` asks for nothing else. Devres releases what was added last first, so what was
/// added after this handle is gone before the handle notices.
#[derive(Clone)]
pub(crate) struct BoundDevice(Arc<Inner>);

/// # Invariants
///
/// `dev` is bound as long as `bound` is true and, after it became false, until all read-side
/// critical sections of `srcu` that found it true have ended.
#[pin_data]
struct Inner {
    dev: ARef<Device>,
    bound: AtomicFlag,
    #[pin]
    srcu: Srcu,
}

/// Ends the use of the device when it is unbound.
struct Revoke(Arc<Inner>);

impl BoundDevice {
    /// Creates a handle of `dev`.
    pub(crate) fn new(dev: &Device<Bound>) -> Result<Self> {
        // INVARIANT: `dev` is bound. `Revoke`, which devres drops before the device counts as
        // unbound, clears `bound` and waits for the critical sections.
        let inner = Arc::pin_init(
            try_pin_init!(Inner {
                dev: dev.into(),
                bound: AtomicFlag::new(true),
                srcu <- new_srcu!("BoundDevice::srcu"),
            }? Error),
            GFP_KERNEL,
        )?;
        devres::register(dev, Revoke(inner.clone()), GFP_KERNEL)?;
        Ok(Self(inner))
    }

    /// Allocates zeroed coherent DMA memory of the device; [`ENODEV`] if it is not bound any more.
    ///
    /// With [`GFP_KERNEL_ACCOUNT`](kernel::alloc::flags::GFP_KERNEL_ACCOUNT) it is charged to the
    /// memory cgroup of the caller, unless it comes from memory of the device's own.
    ///
    /// C: `dma_alloc_coherent()`.
    pub(crate) fn alloc_coherent<T: AsBytes + FromBytes>(
        &self,
        flags: Flags,
    ) -> Result<Coherent<T>> {
        let _guard = self.0.srcu.read_lock();
        if !self.0.bound.load(Relaxed) {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariant the device is bound until the critical section, which
        // found `bound` true, ends. Of what devres may have released by then this uses nothing.
        let dev = unsafe { self.0.dev.as_bound() };

        Coherent::zeroed(dev, flags)
    }
}

impl Drop for Revoke {
    fn drop(&mut self) {
        self.0.bound.store(false, Relaxed);
        self.0.srcu.synchronize();
    }
}
