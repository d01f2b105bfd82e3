// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Access to a bound device from code that may sleep.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres,
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
    }, //
};

/// A handle of a device that gives access to it as long as it is bound.
///
/// Unlike [`Devres`](kernel::devres::Devres), which is protected by RCU, the code that has access
/// may sleep, allocate memory for instance. Unbinding the device waits for it.
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

/// Ends access when the device is unbound.
struct Revoke(Arc<Inner>);

impl BoundDevice {
    /// Makes a handle of `dev`.
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

    /// Runs `f` with the bound device; [`ENODEV`] if it is not bound any more.
    ///
    /// `f` must not wait for the device to be unbound.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Device<Bound>) -> Result<T>) -> Result<T> {
        let _guard = self.0.srcu.read_lock();
        if !self.0.bound.load(Relaxed) {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariant the device is bound until the critical section, which
        // found `bound` true, ends; `f` cannot keep the reference.
        f(unsafe { self.0.dev.as_bound() })
    }
}

impl Drop for Revoke {
    fn drop(&mut self) {
        self.0.bound.store(false, Relaxed);
        self.0.srcu.synchronize();
    }
}
