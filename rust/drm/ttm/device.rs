// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The TTM device.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{
        BitOr,
        Deref, //
    },
    ptr, //
};

use kernel::{
    container_of, drm,
    error::to_result,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        atomic::{Acquire, Atomic, Relaxed},
        Arc, //
    },
    time::Jiffies,
    types::Opaque,
};

use super::{
    bos::Bos,
    deletions::Deletions,
    dmem::DmemRegion,
    flush::FlushQueue,
    manager::Registered,
    mappings::Unmapped,
    Driver,
    MemType, //
};
use crate::rust::bindings;

/// Flags of TTM's allocation of system pages; combine with `|`.
#[derive(Clone, Copy)]
pub struct AllocFlags(pub(super) u32);

impl AllocFlags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// Coherent DMA allocations.
    pub const USE_DMA_ALLOC: Self = Self(1 << 8);
    /// Pages below 4 GiB.
    pub const USE_DMA32: Self = Self(1 << 9);
    /// `ENOSPC` of a manager reaches the caller of a validation as such, not as `ENOMEM`.
    pub const PROPAGATE_ENOSPC: Self = Self(1 << 10);

    /// Blocks larger than `1 << order` pages do not help the device.
    pub const fn beneficial_order(order: u8) -> Self {
        Self(order as u32)
    }
}

impl BitOr for AllocFlags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

/// The number of pages that the BOs of a device have.
pub(super) struct PageCount {
    populated: Atomic<u64>,
    purgeable: Atomic<u64>,
}

impl PageCount {
    fn new() -> Self {
        Self {
            populated: Atomic::new(0),
            purgeable: Atomic::new(0),
        }
    }

    /// Counts pages that a BO has got, or lost.
    pub(super) fn count(&self, pages: u64, got: bool, purgeable: bool) {
        // Both wrap.
        let pages = if got { pages } else { pages.wrapping_neg() };
        self.populated.fetch_add(pages, Relaxed);
        if purgeable {
            self.purgeable.fetch_add(pages, Relaxed);
        }
    }
}

/// A manager that a device uses.
pub(super) struct Attached {
    pub(super) mem_type: MemType,
    pub(super) manager: Arc<dyn Registered>,
    pub(super) region: Option<DmemRegion>,
}

pub(super) type Managers = KVec<Attached>;

/// The data of a DRM device whose memory TTM manages, for [`drm::Driver::Data`]: the TTM device,
/// and the driver's own data, to which it dereferences.
///
/// The TTM device is dropped first, which waits for all delayed destruction: [`Driver`]'s callbacks
/// use the driver's data.
#[pin_data]
pub struct DeviceData<T: Driver> {
    // The order of the fields is that in which they are dropped.
    #[pin]
    ttm: Device<T>,
    #[pin]
    data: T::DeviceData,
}

impl<T: Driver> DeviceData<T> {
    /// Creates the data of a device, with a TTM device that is yet to be brought up with
    /// [`Device::init()`].
    pub fn new<E>(data: impl PinInit<T::DeviceData, E>) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            ttm <- Device::new(),
            data <- data,
        }? Error)
    }

    /// Returns the TTM device.
    pub fn ttm(&self) -> &Device<T> {
        &self.ttm
    }
}

impl<T: Driver> Deref for DeviceData<T> {
    type Target = T::DeviceData;

    fn deref(&self) -> &T::DeviceData {
        &self.data
    }
}

/// A device whose memory TTM manages, a part of its DRM device's [`DeviceData`].
///
/// # Invariants
///
/// Once `ready` is set, `raw` is an initialised `ttm_device`, and `managers` and `flush` do not
/// change.
#[pin_data(PinnedDrop)]
pub struct Device<T: Driver> {
    #[pin]
    pub(super) raw: Opaque<bindings::ttm_device>,
    pub(super) ready: Atomic<bool>,
    pub(super) managers: UnsafeCell<Managers>,
    pub(super) flush: UnsafeCell<Option<FlushQueue>>,
    #[pin]
    bos: Bos,
    #[pin]
    unmapped: Unmapped,
    #[pin]
    deletions: Deletions,
    pub(super) pages: PageCount,
    /// The device is unbound, or is about to be.
    pub(super) unbound: Atomic<bool>,
    _driver: PhantomData<fn(T)>,
}

// SAFETY: TTM does its own locking; `managers` and `flush` are constant once others can see the
// device.
unsafe impl<T: Driver> Send for Device<T> {}
// SAFETY: As above.
unsafe impl<T: Driver> Sync for Device<T> {}

impl<T: Driver> Device<T> {
    /// Creates a device that is yet to be brought up with [`Self::init()`].
    fn new() -> impl PinInit<Self> {
        // INVARIANT: `ready` is not set.
        pin_init!(Self {
            raw: Opaque::zeroed(),
            ready: Atomic::new(false),
            managers: UnsafeCell::new(KVec::new()),
            flush: UnsafeCell::new(None),
            bos <- Bos::new(),
            unmapped <- Unmapped::new(),
            deletions <- Deletions::new(),
            pages: PageCount::new(),
            unbound: Atomic::new(false),
            _driver: PhantomData,
        })
    }

    /// Returns the TTM device of a DRM device.
    pub fn of(dev: &drm::Device<T>) -> &Self {
        dev.ttm()
    }

    /// Waits for the destruction of BOs that is under way, and with it for the jobs that use them.
    ///
    /// Their memory is neither free nor can it be evicted, so that a validation may say `ENOSPC`
    /// while there is about to be room. Must not be called with a reservation held. `ERESTARTSYS`
    /// when a signal came: those jobs can be of any client, and take any time.
    pub fn flush_deletes(&self) -> Result {
        self.ready()?;
        // SAFETY: The device is ready, so that the field does not change.
        match unsafe { &*self.flush.get() } {
            Some(queue) => queue.flush(),
            None => Ok(()),
        }
    }

    /// The list of all BOs.
    pub(super) fn bos(&self) -> &Bos {
        &self.bos
    }

    /// Returns the wait queue for importers to unmap BOs.
    pub(super) fn unmapped(&self) -> &Unmapped {
        &self.unmapped
    }

    /// Returns how many deleted BOs have freed device-local memory so far, for
    /// [`Self::wait_for_deletion()`].
    pub fn deletions_done(&self) -> u64 {
        self.deletions.done()
    }

    /// Waits until a BO that was deleted has freed its device-local memory, unless one has since
    /// [`Self::deletions_done()`] returned `seen`.
    ///
    /// Such memory belongs to jobs, of any client, until they are done. Returns whether there was
    /// any: `false` at once when no deleted BO has such memory, and after `timeout`. `ERESTARTSYS`
    /// when a signal came.
    ///
    /// Must not be called with a reservation held.
    pub fn wait_for_deletion(&self, seen: u64, timeout: Jiffies) -> Result<bool> {
        self.deletions.wait(seen, timeout)
    }

    /// Returns the deletions of BOs.
    pub(super) fn deletions(&self) -> &Deletions {
        &self.deletions
    }

    /// Returns whether the cgroup of the current task has less of a memory type than `min` protects.
    pub fn is_entitled(&self, mem_type: MemType) -> bool {
        self.ready()
            // SAFETY: The device is initialised, and C checks whether the type has a manager.
            .is_ok_and(|bdev| unsafe { bindings::rgt_ttm_is_entitled(bdev, mem_type.as_raw()) })
    }

    /// Returns how many moves out of a memory type are under way: its fences that a BO which
    /// gets memory has to wait for.
    pub fn eviction_fences(&self, mem_type: MemType) -> u32 {
        let Ok(bdev) = self.ready() else {
            return 0;
        };
        // SAFETY: The device is initialised, and C checks whether the type has a manager.
        unsafe { bindings::rgt_ttm_device_eviction_fences(bdev, mem_type.as_raw()) }
    }

    /// Prints the pages that TTM keeps for the device.
    ///
    /// C: `ttm_pool_debugfs()`.
    pub fn show_pool(&self, out: &SeqFile) -> Result {
        let bdev = self.ready()?;
        // CAST: `SeqFile` is transparent over `seq_file`.
        let out = ptr::from_ref(out).cast_mut().cast();
        // SAFETY: The device is initialised; the borrow is the only access to the file, which is
        // not sent to other threads.
        to_result(unsafe { bindings::rgt_ttm_device_show_pool(bdev, out) })
    }

    /// Prints the state of the manager of a memory type: what TTM knows of it, then what
    /// [`ResourceManager::debug()`](super::ResourceManager::debug) does. `EINVAL` for a type without
    /// a manager.
    ///
    /// C: `ttm_resource_manager_debug()`.
    pub fn show_manager(&self, mem_type: MemType, out: &SeqFile) -> Result {
        let bdev = self.ready()?;
        // SAFETY: The device is initialised, and its managers do not change any more.
        let man = unsafe { (*bdev).man_drv[mem_type.as_raw() as usize] };
        if man.is_null() {
            return Err(EINVAL);
        }

        // CAST: `SeqFile` is transparent over `seq_file`.
        let out = ptr::from_ref(out).cast_mut().cast();
        // SAFETY: A manager of the device is valid as long as that is. The borrow is the only access
        // to the file, which is not sent to other threads.
        unsafe { bindings::rgt_ttm_resource_manager_show(man, out) };
        Ok(())
    }

    /// Returns the bytes of all resources of [`MemType::SYSTEM`].
    pub fn system_usage(&self) -> u64 {
        match self.ready() {
            // SAFETY: The device is initialised, and with it TTM's own manager.
            Ok(bdev) => unsafe { bindings::ttm_resource_manager_usage(&raw mut (*bdev).sysman) },
            Err(_) => 0,
        }
    }

    /// Returns the number of system pages that BOs have, without those that are backed up.
    pub fn populated_pages(&self) -> u64 {
        self.pages.populated.load(Relaxed)
    }

    /// Returns how many of those can be freed with their content, see
    /// [`Reserved::set_purgeable()`](super::Reserved::set_purgeable).
    pub fn purgeable_pages(&self) -> u64 {
        self.pages.purgeable.load(Relaxed)
    }

    /// Returns whether system pages are coherent memory, see [`AllocFlags::USE_DMA_ALLOC`].
    pub fn uses_dma_alloc(&self) -> bool {
        self.ready().is_ok_and(|bdev| {
            // SAFETY: The device is initialised; the flags are constant.
            let flags = unsafe { (*bdev).pool.alloc_flags };
            flags & AllocFlags::USE_DMA_ALLOC.0 != 0
        })
    }

    /// Returns the device that C's `bdev` is.
    ///
    /// # Safety
    ///
    /// `bdev` must be that of a `Device<T>` that is valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(bdev: *mut bindings::ttm_device) -> &'a Self {
        // CAST: `Opaque` is transparent.
        let raw = bdev.cast::<Opaque<bindings::ttm_device>>();
        // SAFETY: By the safety requirements `raw` is the field of a valid device.
        unsafe { &*container_of!(raw, Self, raw) }
    }

    /// Returns the initialised `ttm_device`; `ENODEV` before that.
    pub(super) fn ready(&self) -> Result<*mut bindings::ttm_device> {
        if self.ready.load(Acquire) {
            Ok(self.raw.get())
        } else {
            Err(ENODEV)
        }
    }

    /// # Safety
    ///
    /// `raw` must be initialised, with `managers`, which are its own, attached, and no BO but those
    /// whose destruction is under way may exist. It is not initialised any more afterwards.
    pub(super) unsafe fn fini(&self, managers: &mut Managers) {
        // The cgroup controller must not evict any more.
        for attached in &mut *managers {
            attached.region = None;
        }
        // SAFETY: By the safety requirements. Draining first empties the managers' lists.
        unsafe {
            bindings::rgt_ttm_device_drain(self.raw.get());
            for attached in &*managers {
                attached.manager.detach(self.raw.get(), attached.mem_type);
            }
            bindings::ttm_device_fini(self.raw.get());
        }
    }
}

#[pinned_drop]
impl<T: Driver> PinnedDrop for Device<T> {
    fn drop(self: Pin<&mut Self>) {
        if self.ready.load(Acquire) {
            // SAFETY: `ready` says that it is initialised. The DRM device is released, so that no
            // file, mapping or dma-buf has a BO any more, and no task waits for a flush.
            unsafe {
                *self.flush.get() = None;
                self.fini(&mut *self.managers.get());
            }
        }
    }
}
