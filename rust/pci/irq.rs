// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A set of MSI-X interrupts with their handlers.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use kernel::{
    alloc::KVec,
    device::Bound,
    irq::{
        Flags,
        ThreadedHandler,
        ThreadedRegistration, //
    },
    pci,
    prelude::*, //
};

use crate::rust::module::DropGuarantee;

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
    /// least one. The [`DropGuarantee`] is for the returned object.
    pub(crate) fn new(
        _: DropGuarantee,
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
            // SAFETY: The registration is dropped with `this`, for which there is a guarantee.
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
