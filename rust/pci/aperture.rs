// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory behind a BAR.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use core::{
    ops::Range,
    ptr::NonNull, //
};

use kernel::{
    device::Bound,
    devres::Devres,
    error::to_result,
    io::PhysAddr,
    page::PAGE_SIZE,
    pci,
    prelude::*, //
};

use crate::rust::{
    bindings,
    io::IoRegion,
    shared_words::SharedWords, //
};

/// Memory of a device behind a BAR, for mappings that gather writes.
///
/// The BAR is requested, so that no other driver claims it, and its memory type reserved: without
/// that x86 maps it uncached whatever a page fault asks for.
///
/// C: `pci_request_region()`, `arch_io_reserve_memtype_wc()`.
pub struct Aperture<'a> {
    pdev: &'a pci::Device<Bound>,
    bar: c_int,
    range: Range<PhysAddr>,
}

impl<'a> Aperture<'a> {
    /// Takes BAR number `bar`. `EBUSY` when it is taken, `ENODEV` when there is none.
    pub fn new(pdev: &'a pci::Device<Bound>, bar: u32, name: &'static CStr) -> Result<Self> {
        let start = pdev.resource_start(bar)?;
        let size = pdev.resource_len(bar)?;
        if size == 0 {
            return Err(ENODEV);
        }
        let bar = c_int::try_from(bar)?;

        // SAFETY: The device is valid and bound, `name` lives for ever.
        to_result(unsafe { bindings::pci_request_region(raw(pdev), bar, name.as_char_ptr()) })?;
        // SAFETY: The range is the device's, and exclusively so since it was requested.
        let reserved = to_result(unsafe { bindings::rgt_arch_io_reserve_memtype_wc(start, size) });
        if let Err(err) = reserved {
            // SAFETY: It was requested above.
            unsafe { bindings::pci_release_region(raw(pdev), bar) };
            return Err(err);
        }
        Ok(Self {
            pdev,
            bar,
            range: start..start + size,
        })
    }

    /// Maps the first `size` bytes for the kernel, as long as the device is bound. `EINVAL` when
    /// there are fewer, or none are wanted.
    ///
    /// C: `ioremap_wc()`.
    pub fn map(&self, size: u64) -> Result<ApertureMap> {
        let size = usize::try_from(size)?;
        if size == 0 || size as u64 > self.range.end - self.range.start {
            return Err(EINVAL);
        }

        // SAFETY: The range is the device's memory.
        let start = unsafe { bindings::ioremap_wc(self.range.start, size) };
        // INVARIANT: It was just mapped.
        let mapped = Mapped {
            start: NonNull::new(start).ok_or(ENOMEM)?,
            size,
        };
        Ok(ApertureMap(Devres::new(
            self.pdev.as_ref(),
            Ok::<_, Error>(mapped),
        )?))
    }

    /// Returns the memory for BOs, which programs may access as they like.
    ///
    /// # Safety
    ///
    /// `self` must be dropped after the DRM device whose BOs get it was unregistered.
    pub unsafe fn io_region(&self) -> IoRegion {
        // SAFETY: It is exclusively the device's as long as `self` is there, by the safety
        // requirements.
        unsafe { IoRegion::new(self.range.clone()) }
    }
}

impl Drop for Aperture<'_> {
    fn drop(&mut self) {
        // SAFETY: `new()` reserved and requested it.
        unsafe {
            bindings::rgt_arch_io_free_memtype_wc(
                self.range.start,
                self.range.end - self.range.start,
            );
            bindings::pci_release_region(raw(self.pdev), self.bar);
        }
    }
}

/// Memory of an [`Aperture`] as the kernel sees it, until the device is unbound.
pub struct ApertureMap(Devres<Mapped>);

impl ApertureMap {
    /// Fills `range`, whole pages in bytes from the start, with zeros, so that what the device does
    /// from now on sees them.
    ///
    /// `EINVAL` when it is not inside, `ENODEV` when the device is not bound any more.
    ///
    /// C: `__iowrite64_copy()`.
    pub fn zero(&self, range: Range<u64>) -> Result {
        self.0
            .try_access_with(|mapped| mapped.zero(range))
            .ok_or(ENODEV)?
    }

    /// Calls `f` with the words of `range`, in bytes from the start and multiples of 8. It must not
    /// sleep.
    ///
    /// `EINVAL` when they are not inside, `ENODEV` when the device is not bound any more.
    pub fn with_words<T>(
        &self,
        range: Range<u64>,
        f: impl FnOnce(SharedWords<'_>) -> T,
    ) -> Result<T> {
        self.0
            .try_access_with(|mapped| Ok(f(mapped.words(range)?)))
            .ok_or(ENODEV)?
    }
}

/// # Invariants
///
/// `start` is where `ioremap_wc()` has mapped `size` bytes.
struct Mapped {
    start: NonNull<c_void>,
    size: usize,
}

// SAFETY: The mapping belongs to no thread.
unsafe impl Send for Mapped {}
// SAFETY: Memory that the device shares may change at any time: one more writer is no different.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn zero(&self, range: Range<u64>) -> Result {
        let Range { start, end } = range;
        if start > end || end > self.size as u64 || (start | end) % PAGE_SIZE as u64 != 0 {
            return Err(EINVAL);
        }

        for offset in (start as usize..end as usize).step_by(PAGE_SIZE) {
            // SAFETY: By the type invariants the page, which ends at `end` at the latest, is
            // mapped.
            unsafe { bindings::rgt_iomem_zero_page(self.start.as_ptr().byte_add(offset)) };
        }
        Ok(())
    }

    fn words(&self, range: Range<u64>) -> Result<SharedWords<'_>> {
        let Range { start, end } = range;
        if start > end || end > self.size as u64 || (start | end) % size_of::<u64>() as u64 != 0 {
            return Err(EINVAL);
        }

        let len = (end - start) as usize / size_of::<u64>();
        // SAFETY: By the type invariants the words are mapped, at the start of a page and so that the
        // CPU accesses them as its own memory; they are a device's, to which there are no references.
        Ok(unsafe { SharedWords::new(self.start.byte_add(start as usize).cast(), len) })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is mapped.
        unsafe { bindings::iounmap(self.start.as_ptr()) };
    }
}

fn raw(pdev: &pci::Device<Bound>) -> *mut bindings::pci_dev {
    // CAST: `pci::Device` is transparent over `struct pci_dev`.
    core::ptr::from_ref(pdev).cast_mut().cast()
}
