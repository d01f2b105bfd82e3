// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions: a set of MSI-X interrupts with their handlers.

use crate::rust::bindings;
use core::ops::Range;
use kernel::{
    alloc::KVec,
    device::Bound,
    error::to_result,
    io::PhysAddr,
    irq::{
        Flags,
        ThreadedHandler,
        ThreadedRegistration, //
    },
    pci,
    prelude::*, //
};

/// The MSI-X vectors of a device, each with a threaded handler.
///
/// No handler runs any more once this is dropped.
///
/// # Invariants
///
/// `handlers` are registered for vectors of `_vectors`, which they borrow and which, being the
/// later field, is dropped after them.
pub(crate) struct MsixHandlers<'a, H: ThreadedHandler + 'static> {
    handlers: KVec<Pin<KBox<ThreadedRegistration<'a, H>>>>,
    _vectors: KBox<pci::IrqVectorRegistration<'a>>,
}

impl<'a, H: ThreadedHandler + 'static> MsixHandlers<'a, H> {
    /// Allocates a vector for each of `handlers`, in their order, and registers them.
    ///
    /// `handlers` pairs each handler with the name that `/proc/interrupts` shows. There must be at
    /// least one.
    pub(crate) fn new(
        pdev: &'a pci::Device<Bound>,
        handlers: KVec<(&'static CStr, H)>,
    ) -> Result<Self> {
        let count = u32::try_from(handlers.len())?;
        let types = pci::IrqTypes::default().with(pci::IrqType::MsiX);

        // INVARIANT: There are no handlers yet; those that are added below are for `vectors`.
        let mut this = Self {
            handlers: KVec::with_capacity(handlers.len(), GFP_KERNEL)?,
            _vectors: KBox::new(pdev.alloc_irq_vectors(count, count, types)?, GFP_KERNEL)?,
        };

        let vectors: *const pci::IrqVectorRegistration<'a> = &*this._vectors;
        // SAFETY: The box, and with it what it holds at a fixed address, lives until `this` is
        // dropped, which drops the users of the reference, the registrations, first. The box is
        // not touched otherwise.
        let vectors: &'a pci::IrqVectorRegistration<'a> = unsafe { &*vectors };

        for (index, (name, handler)) in handlers.into_iter().enumerate() {
            // SAFETY: The registration is dropped with `this`. If a caller keeps that from
            // happening, then the registration, the handler, which borrows nothing, and the
            // vectors stay allocated for ever.
            let registration = unsafe {
                ThreadedRegistration::new(
                    vectors.index(index)?.into(),
                    Flags::TRIGGER_NONE,
                    name,
                    Ok(handler),
                )
            };
            this.handlers
                .push(KBox::pin_init(registration, GFP_KERNEL)?, GFP_KERNEL)?;
        }

        Ok(this)
    }
}

/// Memory of a device behind a BAR, for mappings that gather writes.
///
/// The BAR is requested, so that nobody else claims it, and its memory type reserved: without
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
        // SAFETY: The range is the device's, and nobody else's since it was requested.
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

    /// Returns the addresses that the CPU reaches the memory at.
    pub fn range(&self) -> Range<PhysAddr> {
        self.range.clone()
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

fn raw(pdev: &pci::Device<Bound>) -> *mut bindings::pci_dev {
    // CAST: `pci::Device` is transparent over `struct pci_dev`.
    core::ptr::from_ref(pdev).cast_mut().cast()
}
