// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Power management: transitions of the system to sleep and back, and of devices at run time.
//!
//! C header: [`include/linux/suspend.h`](srctree/include/linux/suspend.h)

pub(crate) mod runtime;

use kernel::{
    bindings,
    container_of,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::Opaque, //
};

use crate::rust::{
    bindings as rgt,
    module::DropGuarantee, //
};

/// The kind of a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    /// Suspend to idle, to standby or to RAM.
    Suspend,
    /// Hibernation: memory is written to disk.
    Hibernation,
}

/// A notifier of transitions, called while tasks run and no device is suspended.
pub trait SleepNotifier: Send + Sync {
    /// Prepares a transition. With an error there is none.
    ///
    /// Called by the task that asks for it, which may get signals.
    ///
    /// C: `PM_SUSPEND_PREPARE`, `PM_HIBERNATION_PREPARE`.
    fn prepare(&self, transition: Transition) -> Result;
}

/// A registered [`SleepNotifier`]. It is not called any more once this is dropped.
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use crate::rust::{
/// #     module::DropGuarantee,
/// #     pm::{Registration, SleepNotifier, Transition},
/// # };
/// struct Saver;
///
/// impl SleepNotifier for Saver {
///     fn prepare(&self, transition: Transition) -> Result {
///         match transition {
///             Transition::Suspend => Ok(()),
///             Transition::Hibernation => Err(EBUSY),
///         }
///     }
/// }
///
/// // SAFETY: The registration is dropped at the end of this function.
/// let guarantee = unsafe { DropGuarantee::new() };
/// let registration = Registration::new(guarantee, Saver)?;
/// # drop(registration);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The block is registered, and has the callback of `T`.
pub struct Registration<T: SleepNotifier>(Pin<KBox<Block<T>>>);

#[pin_data]
struct Block<T> {
    #[pin]
    raw: Opaque<bindings::notifier_block>,
    notifier: T,
}

// SAFETY: A notifier block is not bound to a thread, and is called in all of them: `T` is `Send` and
// `Sync`.
unsafe impl<T: SleepNotifier> Send for Registration<T> {}
// SAFETY: As above; nothing changes it before the drop.
unsafe impl<T: SleepNotifier> Sync for Registration<T> {}

impl<T: SleepNotifier + 'static> Registration<T> {
    /// Registers a notifier.
    ///
    /// The [`DropGuarantee`] is for the returned object.
    ///
    /// C: `register_pm_notifier()`.
    pub(crate) fn new(_: DropGuarantee, notifier: T) -> Result<Self> {
        let raw = bindings::notifier_block {
            notifier_call: Some(Self::callback),
            ..pin_init::zeroed()
        };
        let block = KBox::pin_init(
            pin_init!(Block {
                raw: Opaque::new(raw),
                notifier,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is valid, pinned, and not registered.
        to_result(unsafe { rgt::rgt_register_pm_notifier(block.raw.get()) })?;

        // INVARIANT: It was registered above.
        Ok(Self(block))
    }

    /// # Safety
    ///
    /// Only for the PM core, as `notifier_block::notifier_call` of a `Block<T>`.
    unsafe extern "C" fn callback(
        raw: *mut bindings::notifier_block,
        action: usize,
        _data: *mut c_void,
    ) -> c_int {
        let transition = match action as u32 {
            bindings::PM_SUSPEND_PREPARE => Transition::Suspend,
            bindings::PM_HIBERNATION_PREPARE => Transition::Hibernation,
            _ => return bindings::NOTIFY_DONE as c_int,
        };
        // SAFETY: The block is registered during the call, and is that of a `Block<T>`, as `Opaque` is
        // transparent.
        let block = unsafe {
            let raw = raw.cast::<Opaque<bindings::notifier_block>>();
            &*container_of!(raw, Block<T>, raw)
        };

        let errno = from_result(|| block.notifier.prepare(transition).map(|()| 0));
        // SAFETY: Takes a number.
        unsafe { rgt::rgt_notifier_from_errno(errno) }
    }
}

impl<T: SleepNotifier> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. This waits for a call under way.
        unsafe { rgt::rgt_unregister_pm_notifier(self.0.raw.get()) };
    }
}
