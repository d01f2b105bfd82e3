// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Runtime power management: a device sleeps while nobody needs it.
//!
//! C header: [`include/linux/pm_runtime.h`](srctree/include/linux/pm_runtime.h)

use kernel::{
    current,
    device::Device,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

use crate::rust::bindings;

/// A reference that keeps a device awake, the reference of its clones as well.
///
/// The last use of the device is when the last one is dropped: from then on the time runs after which
/// it suspends.
///
/// # Invariants
///
/// The usage counter of the device counts this, and was not 0 in between since the device was seen
/// active.
pub struct Awake(ARef<Device>);

impl Awake {
    /// Takes a reference, and resumes the device if it is suspended. Waits for a suspend under way.
    ///
    /// May be called with locks held that the suspend of the device does not wait for, as lockdep
    /// checks.
    ///
    /// C: `pm_runtime_resume_and_get()`.
    pub fn resume_and_get(dev: &Device) -> Result<Self> {
        // SAFETY: The device is valid.
        to_result(unsafe { bindings::rgt_pm_runtime_resume_and_get(raw(dev)) })?;
        // INVARIANT: It was counted, and is active.
        Ok(Self(dev.into()))
    }

    /// Takes a reference if the device is active, whether or not there are others. May be called in
    /// any context.
    ///
    /// C: `pm_runtime_get_if_active()`.
    pub fn get_if_active(dev: &Device) -> Option<Self> {
        // SAFETY: The device is valid.
        let is_active = unsafe { bindings::rgt_pm_runtime_get_if_active(raw(dev)) };
        // INVARIANT: It was counted, and is active.
        is_active.then(|| Self(dev.into()))
    }

    /// Takes a reference if the device is active and there are others. May be called in any context.
    ///
    /// C: `pm_runtime_get_if_in_use()`.
    pub fn get_if_in_use(dev: &Device) -> Option<Self> {
        // SAFETY: The device is valid.
        let is_in_use = unsafe { bindings::rgt_pm_runtime_get_if_in_use(raw(dev)) };
        // INVARIANT: It was counted, and is active.
        is_in_use.then(|| Self(dev.into()))
    }
}

impl Clone for Awake {
    /// C: `pm_runtime_get_noresume()`.
    fn clone(&self) -> Self {
        // SAFETY: The device is valid.
        unsafe { bindings::rgt_pm_runtime_get_noresume(raw(&self.0)) };
        // INVARIANT: It was counted, and `self` keeps the device active.
        Self(self.0.clone())
    }
}

impl Drop for Awake {
    /// C: `pm_runtime_put_autosuspend()`.
    fn drop(&mut self) {
        // SAFETY: The device is valid, and by the type invariants counts this.
        unsafe { bindings::rgt_pm_runtime_put_autosuspend(raw(&self.0)) };
    }
}

/// A device that is being suspended: the callback for that is under way, during which the device can
/// be used by it.
pub struct Suspending<'a>(&'a Device);

impl<'a> Suspending<'a> {
    pub(crate) fn new(dev: &'a Device) -> Self {
        Self(dev)
    }

    /// Returns whether somebody waits for the device to be resumed. It had best not be suspended then.
    pub fn is_wanted(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::rgt_pm_runtime_usage_count(raw(self.0)) != 0 }
    }
}

/// The runtime power state of a device, for work that others have it do: those who use it, and who
/// have taken a reference before, or the callback that suspends it.
pub struct Power {
    dev: ARef<Device>,
    /// The address of the task that suspends it, or 0.
    suspender: Atomic<usize>,
}

/// Shows that a device does not suspend as long as a work lasts: see [`Power::hold()`].
pub struct Held(Option<Awake>);

impl Power {
    /// Makes the state of a device.
    pub fn new(dev: &Device) -> Self {
        Self {
            dev: dev.into(),
            suspender: Atomic::new(0),
        }
    }

    /// Keeps the device awake on behalf of those who do, for a work of theirs that may outlast that.
    /// May be called in any context.
    ///
    /// The work of [`Self::suspend()`] has no reference: that waits for it.
    ///
    /// `EBUSY` if nobody keeps the device awake: who began this had to take a reference first.
    pub fn hold(&self) -> Result<Held> {
        if let Some(awake) = Awake::get_if_in_use(&self.dev) {
            return Ok(Held(Some(awake)));
        }
        if self.suspender.load(Relaxed) != current_task() {
            return Err(EBUSY);
        }
        Ok(Held(None))
    }

    /// Resumes the device if it is suspended, see [`Awake::resume_and_get()`]. [`ENODEV`] if that
    /// fails.
    pub fn resume_and_get(&self) -> Result<Awake> {
        Awake::resume_and_get(&self.dev).map_err(|_| ENODEV)
    }

    /// Keeps the device awake if it is active, see [`Awake::get_if_active()`].
    pub fn get_if_active(&self) -> Option<Awake> {
        Awake::get_if_active(&self.dev)
    }

    /// Waits for a suspend or a resume that is under way. With a reference to a device that need not be
    /// active, as the PM core has one in `prepare` of `struct dev_pm_ops`, it is active or suspended
    /// from then on.
    ///
    /// C: `pm_runtime_barrier()`.
    pub fn settle(&self) {
        // SAFETY: The device is valid.
        unsafe { bindings::rgt_pm_runtime_barrier(raw(&self.dev)) };
    }

    /// Calls `f`, which may use the device, and has ended all work on it when it returns [`Ok`].
    pub fn suspend<R>(&self, _: &Suspending<'_>, f: impl FnOnce() -> R) -> R {
        // The state of a device changes once at a time.
        self.suspender.store(current_task(), Relaxed);
        let done = f();
        self.suspender.store(0, Relaxed);
        done
    }
}

impl From<Awake> for Held {
    fn from(awake: Awake) -> Self {
        Self(Some(awake))
    }
}

/// Returns the address of the current task.
fn current_task() -> usize {
    current!().as_ptr().addr()
}

fn raw(dev: &Device) -> *mut kernel::bindings::device {
    // CAST: `Device` is transparent over `struct device`.
    core::ptr::from_ref(dev).cast_mut().cast()
}
