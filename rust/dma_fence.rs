// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DMA fences.
//!
//! A [`Fence`] says when an operation of a device has completed. Drivers make their own fences
//! from a [`Timeline`]:
//!
//! 1. [`Timeline::new_fence`] does all that can fail and returns an [`UnpublishedFence`], which may
//!    be dropped.
//! 2. [`UnpublishedFence::publish`] cannot fail. It gives the fence the next number of its timeline
//!    and returns the [`Fence`] that others wait for and the [`PendingFence`], the only right to
//!    signal it. From here on the fence is sure to signal: a [`PendingFence`] that is dropped
//!    signals it with [`ECANCELED`], and warns.
//!
//! C header: [`include/linux/dma-fence.h`](srctree/include/linux/dma-fence.h)

mod deadline;
mod merge;

use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::{
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Jiffies,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

use self::deadline::Deadline;
use crate::rust::{
    bindings,
    module::ModuleRef, //
};

/// Translates a timeout to that of C functions that take a signed one.
///
/// A timeout that is longer than C's longest one is a wait without end.
pub(crate) fn clamp_timeout(timeout: Jiffies) -> c_long {
    timeout.try_into().unwrap_or(c_long::MAX)
}

/// Translates the result of a C function that waits with a timeout.
pub(crate) fn wait_result(ret: c_long) -> Result {
    match ret {
        0 => Err(ETIME),
        // CAST: A negative answer is an error code, which fits.
        1.. => Ok(()),
        errno => Err(Error::from_errno(errno as c_int)),
    }
}

/// A DMA fence.
///
/// # Invariants
///
/// `self.0` is an initialised `struct dma_fence` with a non-zero reference count.
#[repr(transparent)]
pub struct Fence(Opaque<bindings::dma_fence>);

// SAFETY: The reference count of a `struct dma_fence` is atomic and the last reference may be
// dropped in any context.
unsafe impl Send for Fence {}

// SAFETY: All methods synchronise through the fence's spinlock and atomic flags, or read fields
// that do not change after initialisation.
unsafe impl Sync for Fence {}

// SAFETY: Every initialised `struct dma_fence` is reference counted, and lives until its count
// drops to zero.
unsafe impl AlwaysRefCounted for Fence {
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the fence is valid with a non-zero reference count.
        unsafe { bindings::rgt_dma_fence_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and gives it up. `Fence` is a transparent wrapper.
        unsafe { bindings::rgt_dma_fence_put(obj.as_ptr().cast()) };
    }
}

impl Fence {
    /// Returns the raw C fence.
    pub fn as_raw(&self) -> *mut bindings::dma_fence {
        self.0.get()
    }

    /// Creates a reference from a raw C fence.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `struct dma_fence` whose reference count does not drop
    /// to zero during `'a`.
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::dma_fence) -> &'a Self {
        // SAFETY: The caller keeps the fence alive. `Fence` is a transparent wrapper.
        unsafe { &*ptr.cast() }
    }

    /// Returns a fence that has signalled since boot.
    pub fn stub() -> ARef<Self> {
        // SAFETY: `dma_fence_get_stub()` may always be called.
        let fence = unsafe { bindings::dma_fence_get_stub() };

        // SAFETY: `dma_fence_get_stub()` returns the address of a static with a reference for the
        // caller, which goes to the `ARef`.
        unsafe { ARef::from_raw(NonNull::new_unchecked(fence.cast())) }
    }

    /// Returns whether the fence has signalled.
    ///
    /// May be called from any context.
    pub fn is_signaled(&self) -> bool {
        // SAFETY: By the type invariant the fence is valid.
        unsafe { bindings::rgt_dma_fence_is_signaled(self.as_raw()) }
    }

    /// Returns how the fence's operation ended, or [`None`] while it is pending.
    ///
    /// May be called from any context.
    pub fn status(&self) -> Option<Result> {
        // SAFETY: By the type invariant the fence is valid.
        match unsafe { bindings::dma_fence_get_status(self.as_raw()) } {
            0 => None,
            1.. => Some(Ok(())),
            errno => Some(Err(Error::from_errno(errno))),
        }
    }

    /// Returns the context, shared by the fences of one timeline.
    pub fn context(&self) -> u64 {
        // SAFETY: By the type invariant the fence is valid; its context does not change.
        unsafe { (*self.as_raw()).context }
    }

    /// Returns the sequence number in [`Self::context`].
    pub fn seqno(&self) -> u64 {
        // SAFETY: By the type invariant the fence is valid; its number does not change.
        unsafe { (*self.as_raw()).seqno }
    }

    /// Waits until the fence signals, with an error or without; see [`Self::status`].
    ///
    /// Returns [`ETIME`] if that takes longer than `timeout` and, if `intr` is set,
    /// [`ERESTARTSYS`] when the task gets a signal. A `timeout` of zero polls.
    ///
    /// This may sleep even if it only polls; where that is not allowed use
    /// [`Self::is_signaled`].
    pub fn wait(&self, intr: bool, timeout: Jiffies) -> Result {
        // SAFETY: By the type invariant the fence is valid, and the time-out is not negative.
        wait_result(unsafe {
            bindings::dma_fence_wait_timeout(self.as_raw(), intr, clamp_timeout(timeout))
        })
    }
}

/// A fence of a [`Timeline`] as it is in memory.
///
/// The fence core frees it with `kfree()` on the address of `fence`, hence nothing here needs
/// dropping and `fence` comes first.
#[repr(C)]
struct TimelineFence {
    fence: Opaque<bindings::dma_fence>,
    driver_name: &'static CStr,
    timeline_name: &'static CStr,
    deadline: Deadline,
}

const _: () = {
    assert!(core::mem::offset_of!(TimelineFence, fence) == 0);
    assert!(!core::mem::needs_drop::<TimelineFence>());
};

impl TimelineFence {
    /// There is no `release` and no `wait`, so that the fence core forgets the operations when
    /// the fence signals, and none that enables signalling, because a [`PendingFence`] always
    /// signals.
    const OPS: &'static bindings::dma_fence_ops = &bindings::dma_fence_ops {
        get_driver_name: Some(Self::driver_name),
        get_timeline_name: Some(Self::timeline_name),
        enable_signaling: None,
        signaled: None,
        wait: None,
        release: None,
        set_deadline: Some(Self::set_deadline),
    };

    /// # Safety
    ///
    /// `fence` must point to the `fence` of a valid [`TimelineFence`].
    unsafe extern "C" fn driver_name(fence: *mut bindings::dma_fence) -> *const c_char {
        // SAFETY: By the safety requirements and because `fence` is the first field, this is the
        // address of a `TimelineFence`. Its names never change.
        unsafe { (*fence.cast::<Self>()).driver_name }.as_char_ptr()
    }

    /// # Safety
    ///
    /// `fence` must point to the `fence` of a valid [`TimelineFence`].
    unsafe extern "C" fn timeline_name(fence: *mut bindings::dma_fence) -> *const c_char {
        // SAFETY: As in `driver_name()`.
        unsafe { (*fence.cast::<Self>()).timeline_name }.as_char_ptr()
    }
}

/// A timeline: a source of fences that signal in the order of their sequence numbers.
///
/// Of the fences of one context that a reservation object has, the one with the highest number
/// stands for all. The timeline gives the numbers, in the order in which fences are published. It
/// is the driver that has to signal them in that order.
///
/// # Unloading the module
///
/// Fences may outlive the [`Timeline`] and the module that made them:
///
/// - The names, and the functions that return them, are part of the module. The fence core uses
///   them only in an RCU read-side critical section that has found the fence not yet signalled,
///   and drops its pointer to them on signalling.
/// - A fence that has not signalled has a reference to the module: `mem::forget()` of a
///   [`PendingFence`] is safe and makes a fence that never signals, of a module that cannot be
///   unloaded. A timeline has none, since it lives as long as a bound device, whose driver can be
///   unloaded at any time.
/// - The module loader waits for an RCU grace period after the module's exit function and before
///   it frees the module's memory, so that no reader that still saw a fence as pending is left.
/// - A signalled fence is memory from `kmalloc()`, which the fence core frees.
///
/// # Examples
///
/// ```
/// # use kernel::{module::this_module, prelude::*};
/// # use crate::{rust::dma_fence::Timeline, LocalModule};
/// let timeline = Timeline::new(this_module::<LocalModule>(), c"mydriver", c"gfx")?;
///
/// // What can fail comes first.
/// let first = timeline.new_fence()?;
/// let second = timeline.new_fence()?;
///
/// // When the work goes to the hardware.
/// let (first, pending_first) = first.publish();
/// let (second, pending_second) = second.publish();
/// assert_eq!((first.seqno(), second.seqno()), (1, 2));
/// assert!(!first.is_signaled());
///
/// // When the hardware is done.
/// pending_first.signal(Ok(()));
/// pending_second.signal(Err(EIO));
/// assert_eq!(first.status(), Some(Ok(())));
/// assert_eq!(second.status(), Some(Err(EIO)));
/// # Ok::<(), Error>(())
/// ```
pub struct Timeline(Arc<Context>);

/// The part of a timeline that its unpublished fences keep.
struct Context {
    number: u64,
    /// The sequence number of the fence that was published last.
    published: Atomic<u64>,
    module: &'static ThisModule,
    driver_name: &'static CStr,
    timeline_name: &'static CStr,
}

impl Timeline {
    /// Creates a timeline with a context of its own, for the driver of `module`.
    ///
    /// The names are for debugging: `driver_name` is the driver's, `timeline_name` that of the part
    /// of the device that works on it.
    pub fn new(
        module: &'static ThisModule,
        driver_name: &'static CStr,
        timeline_name: &'static CStr,
    ) -> Result<Self> {
        let context = Context {
            // SAFETY: `dma_fence_context_alloc()` may always be called with a non-zero count.
            number: unsafe { bindings::dma_fence_context_alloc(1) },
            published: Atomic::new(0),
            module,
            driver_name,
            timeline_name,
        };

        Ok(Self(Arc::new(context, GFP_KERNEL)?))
    }

    /// Allocates a fence of this timeline, without a place in its order yet. Its memory is charged
    /// to the cgroup of the current task.
    ///
    /// [`ENODEV`] when the module is being unloaded.
    pub fn new_fence(&self) -> Result<UnpublishedFence> {
        Ok(UnpublishedFence {
            fence: KBox::new(
                TimelineFence {
                    fence: Opaque::zeroed(),
                    driver_name: self.0.driver_name,
                    timeline_name: self.0.timeline_name,
                    deadline: Deadline::new(),
                },
                GFP_KERNEL_ACCOUNT,
            )?,
            context: self.0.clone(),
            module: ModuleRef::try_get(self.0.module)?,
        })
    }
}

/// The memory of a fence that is not published yet.
///
/// Dropping it frees the memory.
pub struct UnpublishedFence {
    fence: KBox<TimelineFence>,
    context: Arc<Context>,
    module: ModuleRef,
}

// SAFETY: It is memory that is not a fence yet, and references that are `Send`.
unsafe impl Send for UnpublishedFence {}

impl UnpublishedFence {
    /// Gives the fence the next number of its timeline, and splits it into the [`Fence`] that
    /// others may hold and the right to signal it.
    ///
    /// The first fence of a timeline has the number 1. Threads that publish at the same time need a
    /// lock of their own if they are to know whose fence comes first.
    ///
    /// This neither allocates nor sleeps.
    pub fn publish(self) -> (ARef<Fence>, PendingFence) {
        let seqno = self.context.published.fetch_add(1, Relaxed) + 1;
        let raw = KBox::into_raw(self.fence).cast::<bindings::dma_fence>();

        // SAFETY:
        // - `raw` is the address of the fence, which is the first field and not shared yet.
        // - The operations are static, and the names that they return are set.
        // - Without a lock of ours the fence uses its own.
        unsafe {
            bindings::dma_fence_init64(
                raw,
                TimelineFence::OPS,
                ptr::null_mut(),
                self.context.number,
                seqno,
            )
        };

        // SAFETY: The fence is initialised with one reference, which goes to the `ARef`. The
        // memory comes from `kmalloc()`, as the fence core needs it to free the fence.
        let fence = unsafe { ARef::<Fence>::from_raw(NonNull::new_unchecked(raw.cast())) };

        // INVARIANT: The fence was just made, and this is its only `PendingFence`.
        let pending = PendingFence {
            fence: fence.clone(),
            _module: self.module,
        };
        (fence, pending)
    }
}

/// The right, and the duty, to signal a fence.
///
/// Signalling and dropping neither allocate nor sleep and may be done in any context. The code
/// that leads there must not allocate with `GFP_KERNEL`, take a reservation lock or wait for
/// fences; put it into a [`SignallingSection`] to have lockdep check that.
///
/// A fence is signalled once:
///
/// ```compile_fail,E0382
/// # use crate::rust::dma_fence::PendingFence;
/// fn signal_twice(pending: PendingFence) {
///     pending.signal(Ok(()));
///     pending.signal(Ok(()));
/// }
/// ```
///
/// And not by those who only have the [`Fence`]:
///
/// ```compile_fail,E0599
/// # use crate::rust::dma_fence::Fence;
/// fn signal_of_another(fence: &Fence) {
///     fence.signal(Ok(()));
/// }
/// ```
///
/// # Invariants
///
/// `fence` is signalled only through this object.
#[must_use = "a pending fence that is dropped is signalled with an error"]
pub struct PendingFence {
    fence: ARef<Fence>,
    /// Keeps the code behind the fence, until it has signalled.
    _module: ModuleRef,
}

impl PendingFence {
    /// Returns the fence.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Signals that the operation has ended, with its result.
    pub fn signal(self, result: Result) {
        self.signal_once(result);
    }

    fn signal_once(&self, result: Result) {
        let fence = self.fence.as_raw();

        if let Err(error) = result {
            // SAFETY: The fence is valid by the type invariant of `Fence`, and has not signalled by
            // ours, so its error is not read yet.
            unsafe { bindings::rgt_dma_fence_set_error(fence, error.to_errno()) };
        }

        // SAFETY: As above.
        unsafe { bindings::dma_fence_signal(fence) };
    }
}

impl Drop for PendingFence {
    fn drop(&mut self) {
        // Only this object signals the fence, so this does not race.
        if !self.fence.is_signaled() {
            pr_warn!(
                "fence {} of context {} was dropped before it signalled\n",
                self.fence.seqno(),
                self.fence.context(),
            );
            self.signal_once(Err(ECANCELED));
        }
    }
}

/// A section of code that must be passed for a fence to signal.
///
/// Lockdep reports what could make a waiter wait for itself: a reservation lock that is taken in
/// the section, memory that is allocated in a way that may wait for reclaim, a wait for a fence.
/// Sections nest.
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use crate::{rust::dma_fence::SignallingSection, tests::rust::dma_fence::fence};
/// # let (fence, pending) = fence()?;
/// let section = SignallingSection::begin();
/// // All that a waiter waits for: no allocation that may sleep, no reservation lock.
/// pending.signal(Ok(()));
/// drop(section);
/// # assert!(fence.is_signaled());
/// # Ok::<(), Error>(())
/// ```
///
/// It ends in the task that began it:
///
/// ```compile_fail,E0277
/// # use crate::rust::dma_fence::SignallingSection;
/// fn is_send<T: Send>() {}
///
/// is_send::<SignallingSection>();
/// ```
#[must_use = "the section ends when this is dropped"]
pub struct SignallingSection {
    cookie: bool,
    _not_send: NotThreadSafe,
}

impl SignallingSection {
    /// Begins a section, which ends when the returned guard is dropped.
    pub fn begin() -> Self {
        Self {
            // SAFETY: `dma_fence_begin_signalling()` may be called in any context.
            cookie: unsafe { bindings::rgt_dma_fence_begin_signalling() },
            _not_send: PhantomData,
        }
    }
}

impl Drop for SignallingSection {
    fn drop(&mut self) {
        // SAFETY: The cookie is from the beginning of the section, which was in this task: `self`
        // cannot move to another.
        unsafe { bindings::rgt_dma_fence_end_signalling(self.cookie) };
    }
}
