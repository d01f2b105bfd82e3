// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Shrinkers: caches that give memory back when the system is short of it.
//!
//! C header: [`include/linux/shrinker.h`](srctree/include/linux/shrinker.h)

use core::ptr::NonNull;

use kernel::{
    prelude::*,
    types::Opaque, //
};

use crate::rust::{
    bindings,
    module::DropGuarantee, //
};

/// A cache that can be shrunk.
///
/// Both methods run in the context of a memory allocation, of any task: they must not take a lock
/// that is held anywhere while memory is allocated with a mask that [`ShrinkControl`] allows.
/// Memory that they allocate comes from the reserves and does not call them again.
pub trait Shrinker: Send + Sync {
    /// Counts the objects that could be freed. Should be quick.
    fn count(&self, control: &ShrinkControl) -> Count;

    /// Frees objects, about [`ShrinkControl::to_scan()`] of them, and tells with
    /// [`ShrinkControl::set_scanned()`] how many it has looked at.
    fn scan(&self, control: &mut ShrinkControl) -> Scan;
}

/// The number of objects that a shrinker could free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// This number.
    Objects(usize),
    /// No object could be freed this time.
    Skip,
    /// There are no objects.
    Empty,
}

impl Count {
    fn into_raw(self) -> usize {
        match self {
            // The last two values have a meaning of their own.
            Self::Objects(count) => count.min(SHRINK_EMPTY - 1),
            Self::Skip => 0,
            Self::Empty => SHRINK_EMPTY,
        }
    }
}

/// The outcome of a scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// This number of objects was freed, which may be none.
    Freed(usize),
    /// More calls in this context would lead nowhere.
    Stop,
}

impl Scan {
    fn into_raw(self) -> usize {
        match self {
            Self::Freed(count) => count.min(SHRINK_EMPTY - 1),
            Self::Stop => SHRINK_STOP,
        }
    }
}

const SHRINK_STOP: usize = usize::MAX;
const SHRINK_EMPTY: usize = usize::MAX - 1;

/// The request to a shrinker.
///
/// # Invariants
///
/// A valid `struct shrink_control`, which is not accessed otherwise.
#[repr(transparent)]
pub struct ShrinkControl(Opaque<bindings::shrink_control>);

impl ShrinkControl {
    /// # Safety
    ///
    /// `ptr` must satisfy the type's invariants for `'a`.
    unsafe fn from_raw<'a>(ptr: *mut bindings::shrink_control) -> &'a mut Self {
        // SAFETY: `ShrinkControl` is transparent; the rest is the caller's promise.
        unsafe { &mut *ptr.cast() }
    }

    /// Returns whether the allocation may enter file systems, that is, take their locks, such as a
    /// page's.
    pub fn may_enter_fs(&self) -> bool {
        // SAFETY: Valid by the type invariants.
        unsafe { bindings::rgt_shrink_control_may_enter_fs(self.0.get()) }
    }

    /// Returns whether the allocation may start I/O.
    pub fn may_start_io(&self) -> bool {
        // SAFETY: Valid by the type invariants.
        unsafe { bindings::rgt_shrink_control_may_start_io(self.0.get()) }
    }

    /// Returns the number of objects to look at.
    pub fn to_scan(&self) -> usize {
        // SAFETY: Valid by the type invariants.
        unsafe { (*self.0.get()).nr_to_scan }
    }

    /// Sets the number of objects that a scan has looked at, if that is not the one that it should.
    pub fn set_scanned(&mut self, count: usize) {
        // SAFETY: Valid by the type invariants, and borrowed exclusively.
        unsafe { (*self.0.get()).nr_scanned = count };
    }
}

/// A registered shrinker. It is not called any more once this is dropped.
///
/// # Examples
///
/// ```
/// # use kernel::{prelude::*, sync::atomic::{Atomic, Relaxed}};
/// # use crate::rust::{
/// #     module::DropGuarantee,
/// #     shrinker::{Count, Registration, Scan, ShrinkControl, Shrinker},
/// # };
/// struct Cache {
///     objects: Atomic<usize>,
/// }
///
/// impl Shrinker for Cache {
///     fn count(&self, _control: &ShrinkControl) -> Count {
///         match self.objects.load(Relaxed) {
///             0 => Count::Empty,
///             objects => Count::Objects(objects),
///         }
///     }
///
///     fn scan(&self, control: &mut ShrinkControl) -> Scan {
///         let objects = self.objects.load(Relaxed);
///         let freed = objects.min(control.to_scan());
///
///         self.objects.store(objects - freed, Relaxed);
///         control.set_scanned(freed);
///         Scan::Freed(freed)
///     }
/// }
///
/// let cache = Cache {
///     objects: Atomic::new(0),
/// };
/// // SAFETY: The registration is dropped at the end of this function.
/// let guarantee = unsafe { DropGuarantee::new() };
/// let registration = Registration::new(guarantee, c"mydriver-cache", cache)?;
/// assert_eq!(registration.data().objects.load(Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `raw` is a registered shrinker with the functions of `T`, whose private data is `data`.
pub struct Registration<T: Shrinker> {
    raw: NonNull<bindings::shrinker>,
    data: KBox<T>,
}

// SAFETY: A shrinker is not bound to a thread, and calls `data` from all of them: `T` is `Send`
// and `Sync`.
unsafe impl<T: Shrinker> Send for Registration<T> {}
// SAFETY: As above; nothing changes it before the drop.
unsafe impl<T: Shrinker> Sync for Registration<T> {}

impl<T: Shrinker + 'static> Registration<T> {
    /// Registers a shrinker, under a name for debugfs.
    ///
    /// The [`DropGuarantee`] is for the returned object.
    ///
    /// C: `shrinker_alloc()`, `shrinker_register()`.
    pub(crate) fn new(_: DropGuarantee, name: &CStr, data: T) -> Result<Self> {
        let data = KBox::new(data, GFP_KERNEL)?;
        // SAFETY: The format takes one string.
        let raw = unsafe { bindings::shrinker_alloc(0, c"%s".as_char_ptr(), name.as_char_ptr()) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;

        // SAFETY: It was allocated above and is not registered, so that it is not used otherwise.
        unsafe {
            (*raw.as_ptr()).count_objects = Some(Self::count_callback);
            (*raw.as_ptr()).scan_objects = Some(Self::scan_callback);
            (*raw.as_ptr()).private_data = core::ptr::from_ref::<T>(&data).cast_mut().cast();
            bindings::shrinker_register(raw.as_ptr());
        }

        // INVARIANT: It was registered above.
        Ok(Self { raw, data })
    }

    /// Returns the raw C shrinker.
    pub fn as_raw(&self) -> *mut bindings::shrinker {
        self.raw.as_ptr()
    }

    /// Returns the shrinker's data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// # Safety
    ///
    /// Only for the memory management, as `shrinker::count_objects` of a `Registration<T>`.
    unsafe extern "C" fn count_callback(
        shrinker: *mut bindings::shrinker,
        control: *mut bindings::shrink_control,
    ) -> usize {
        // SAFETY: The shrinker is registered during the call, and its private data a `T`;
        // `control` is the caller's own.
        let (data, control) = unsafe {
            (
                &*(*shrinker).private_data.cast::<T>(),
                ShrinkControl::from_raw(control),
            )
        };
        data.count(control).into_raw()
    }

    /// # Safety
    ///
    /// Only for the memory management, as `shrinker::scan_objects` of a `Registration<T>`.
    unsafe extern "C" fn scan_callback(
        shrinker: *mut bindings::shrinker,
        control: *mut bindings::shrink_control,
    ) -> usize {
        // SAFETY: As in `count_callback()`.
        let (data, control) = unsafe {
            (
                &*(*shrinker).private_data.cast::<T>(),
                ShrinkControl::from_raw(control),
            )
        };
        data.scan(control).into_raw()
    }
}

impl<T: Shrinker> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. This waits for calls under way, so that
        // `data` may go after it.
        unsafe { bindings::shrinker_free(self.raw.as_ptr()) };
    }
}
