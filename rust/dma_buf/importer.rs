// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Using buffers of others.

use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::DataDirection,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    DmaBuf,
    Mapping, //
};
use crate::rust::{
    bindings,
    dma_resv::LockedResv, //
};

/// A dynamic importer, which is told when the memory of the buffer moves.
pub trait Importer: Send + Sync + Sized + 'static {
    /// Set if the device can access the exporter's device-local memory.
    const PEER_TO_PEER: bool = false;

    /// The memory is about to move. What the device has begun to do with it has a fence on the
    /// reservation, which is held; nothing else may be begun before the buffer is mapped anew.
    ///
    /// May be called while memory is reclaimed.
    fn invalidate(&self, locked: LockedResv<'_>);
}

/// The table for C.
struct AttachOps<I>(PhantomData<I>);

impl<I: Importer> AttachOps<I> {
    const OPS: bindings::dma_buf_attach_ops = bindings::dma_buf_attach_ops {
        allow_peer2peer: I::PEER_TO_PEER,
        invalidate_mappings: Some(invalidate::<I>),
    };
}

/// # Safety
///
/// Only for the core, as `dma_buf_attach_ops::invalidate_mappings` of an attachment that
/// [`RawAttachment::new()`] made for an `I`.
unsafe extern "C" fn invalidate<I: Importer>(attach: *mut bindings::dma_buf_attachment) {
    // SAFETY: The core passes a valid attachment, with the buffer's reservation held. No other
    // proof of that is in use: the exporter had to give its own away.
    unsafe {
        let importer = &*(*attach).importer_priv.cast::<I>();
        let resv = DmaBuf::from_raw((*attach).dmabuf).resv();
        importer.invalidate(LockedResv::new(resv));
    }
}

/// An attachment as C has it, for a caller that stores it in a C structure.
///
/// # Invariants
///
/// A valid attachment that [`Self::new()`] made.
#[derive(Clone, Copy)]
pub struct RawAttachment(NonNull<bindings::dma_buf_attachment>);

impl RawAttachment {
    /// Attaches a device to a buffer.
    ///
    /// # Safety
    ///
    /// `dev` must be valid, and `importer` be so as long as the attachment is. The caller must
    /// call [`Self::detach()`] before it gives up its reference to `buf`.
    pub(in crate::rust) unsafe fn new<I: Importer>(
        buf: &DmaBuf,
        dev: *mut bindings::device,
        importer: *const I,
    ) -> Result<Self> {
        // SAFETY: By the safety requirements; the table lives for ever.
        let attach = from_err_ptr(unsafe {
            bindings::dma_buf_dynamic_attach(
                buf.as_raw(),
                dev,
                const { &AttachOps::<I>::OPS },
                importer.cast_mut().cast(),
            )
        })?;
        // INVARIANT: It was made above.
        NonNull::new(attach).map(Self).ok_or(ENOMEM)
    }

    /// # Safety
    ///
    /// `ptr` must come from [`Self::as_raw()`], and be attached.
    pub(in crate::rust) unsafe fn from_raw(ptr: NonNull<bindings::dma_buf_attachment>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(ptr)
    }

    pub(in crate::rust) fn as_raw(self) -> *mut bindings::dma_buf_attachment {
        self.0.as_ptr()
    }

    /// Maps the buffer for the device in both directions. Fences of [`Usage::Kernel`] on the
    /// reservation have to be waited for before it is used.
    ///
    /// [`Usage::Kernel`]: crate::rust::dma_resv::Usage::Kernel
    ///
    /// # Safety
    ///
    /// It must be attached and the buffer's reservation held, without promises of room for fences.
    pub(in crate::rust) unsafe fn map(self) -> Result<*mut bindings::sg_table> {
        // SAFETY: By the safety requirements.
        from_err_ptr(unsafe {
            bindings::dma_buf_map_attachment(self.as_raw(), DataDirection::Bidirectional.into())
        })
    }

    /// Unmaps what [`Self::map()`] returned.
    ///
    /// # Safety
    ///
    /// It must be attached, the buffer's reservation held, and the device not use the buffer.
    pub(in crate::rust) unsafe fn unmap(self, sgt: *mut bindings::sg_table) {
        // SAFETY: By the safety requirements.
        unsafe {
            bindings::dma_buf_unmap_attachment(
                self.as_raw(),
                sgt,
                DataDirection::Bidirectional.into(),
            )
        };
    }

    /// Detaches the device.
    ///
    /// # Safety
    ///
    /// It must be attached, and nothing be mapped. The reservation must not be held.
    pub(in crate::rust) unsafe fn detach(self) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::dma_buf_detach((*self.as_raw()).dmabuf, self.as_raw()) };
    }
}

/// A device's hold on a buffer, which follows when the buffer's memory moves.
///
/// # Examples
///
/// ```
/// # use kernel::{drm, page::PAGE_SIZE, prelude::*, sync::Arc};
/// # use crate::rust::{dma_buf::{DynamicAttachment, Importer}, dma_resv::LockedResv};
/// # use crate::tests::rust::drm::ttm::fake::{Fixture, VRAM};
/// struct Tables;
///
/// impl Importer for Tables {
///     fn invalidate(&self, _locked: LockedResv<'_>) {
///         // The device must not use the addresses any more.
///     }
/// }
///
/// # let (drm, backing) = Fixture::new()?.split();
/// # let (_other, importing) = Fixture::new()?.split();
/// # // SAFETY: It is not forgotten.
/// # let registration =
/// #     unsafe { drm::Registration::new(backing.bound(), drm, Ok::<_, Error>(()), 0)? };
/// # let bo = backing.bo_in(registration.device(), VRAM, 4)?;
/// # let (buf, dev) = (bo.export_dma_buf()?, importing.bound());
/// let mut attachment = DynamicAttachment::new(&buf, dev, Arc::new(Tables, GFP_KERNEL)?)?;
/// let mut pages = [0; 4];
///
/// let mut guard = buf.resv().lock()?;
/// attachment.map(&mut guard.locked_resv())?.pages(&mut pages)?;
/// assert!(pages.iter().all(|page| *page as usize % PAGE_SIZE == 0));
/// drop(guard);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `raw` is attached to `buf` on behalf of `importer`. `mapped` is what it has mapped, and `pins`
/// how often it has pinned the buffer.
pub struct DynamicAttachment<'a, I: Importer> {
    raw: RawAttachment,
    buf: ARef<DmaBuf>,
    importer: Arc<I>,
    mapped: *mut bindings::sg_table,
    pins: u32,
    _device: PhantomData<&'a Device<Bound>>,
}

// SAFETY: An attachment belongs to no thread.
unsafe impl<I: Importer> Send for DynamicAttachment<'_, I> {}

impl<'a, I: Importer> DynamicAttachment<'a, I> {
    /// Attaches a device. The exporter may refuse it, by an error of its choice.
    ///
    /// C: `dma_buf_dynamic_attach()`.
    pub fn new(buf: &DmaBuf, dev: &'a Device<Bound>, importer: Arc<I>) -> Result<Self> {
        // CAST: `Device` is transparent over `struct device`.
        let dev = ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: The device is valid for `'a`; the importer and the buffer are kept by what is
        // returned, whose drop detaches.
        let raw = unsafe { RawAttachment::new(buf, dev, Arc::as_ptr(&importer)) }?;

        // INVARIANT: It was attached above.
        Ok(Self {
            raw,
            buf: buf.into(),
            importer,
            mapped: ptr::null_mut(),
            pins: 0,
            _device: PhantomData,
        })
    }

    /// Returns the importer.
    pub fn importer(&self) -> &I {
        &self.importer
    }

    /// Returns whether the exporter may map device-local memory for it.
    pub fn is_peer_to_peer(&self) -> bool {
        // SAFETY: It is attached by the type invariants; the exporter has decided.
        unsafe { (*self.raw.as_raw()).peer2peer }
    }

    /// Maps the buffer, anew if it was mapped. `EINVAL` if `locked` is not its reservation.
    ///
    /// C: `dma_buf_map_attachment()`.
    pub fn map(&mut self, locked: &mut LockedResv<'_>) -> Result<Mapping<'_>> {
        self.unmap(locked)?;
        // SAFETY: Attached by the type invariants; the reservation is held, and as `locked` is
        // borrowed exclusively no room is promised.
        self.mapped = unsafe { self.raw.map() }?;
        // SAFETY: It was mapped above, and is until `self` is used again.
        Ok(unsafe { Mapping::from_raw(self.mapped) })
    }

    /// Unmaps the buffer, which the device must not use any more.
    pub fn unmap(&mut self, locked: &mut LockedResv<'_>) -> Result {
        if locked.as_raw() != self.buf.resv().as_raw() {
            return Err(EINVAL);
        }
        let mapped = core::mem::replace(&mut self.mapped, ptr::null_mut());
        if !mapped.is_null() {
            // SAFETY: Attached and mapped by the type invariants; the reservation is held.
            unsafe { self.raw.unmap(mapped) };
        }
        Ok(())
    }

    /// Keeps the memory from moving until [`Self::unpin()`]. `EINVAL` if `locked` is not the
    /// buffer's reservation.
    ///
    /// C: `dma_buf_pin()`.
    pub fn pin(&mut self, locked: &mut LockedResv<'_>) -> Result {
        if locked.as_raw() != self.buf.resv().as_raw() {
            return Err(EINVAL);
        }
        // SAFETY: Attached by the type invariants; the reservation is held.
        to_result(unsafe { bindings::dma_buf_pin(self.raw.as_raw()) })?;
        self.pins += 1;
        Ok(())
    }

    /// Undoes one [`Self::pin()`]. `EINVAL` if there is none, or if `locked` is not the buffer's
    /// reservation.
    ///
    /// C: `dma_buf_unpin()`.
    pub fn unpin(&mut self, locked: &mut LockedResv<'_>) -> Result {
        if locked.as_raw() != self.buf.resv().as_raw() || self.pins == 0 {
            return Err(EINVAL);
        }
        self.pins -= 1;
        // SAFETY: Attached and pinned by the type invariants; the reservation is held.
        unsafe { bindings::dma_buf_unpin(self.raw.as_raw()) };
        Ok(())
    }
}

impl<I: Importer> Drop for DynamicAttachment<'_, I> {
    fn drop(&mut self) {
        let buf = self.buf.clone();
        // Without a ticket and without signals this does not fail.
        if let Ok(mut guard) = buf.resv().lock() {
            let mut locked = guard.locked_resv();
            // It is the buffer's reservation, and the last of the pins ends the loop.
            let _ = self.unmap(&mut locked);
            while self.unpin(&mut locked).is_ok() {}
        }
        // SAFETY: Attached by the type invariants; nothing is mapped, the reservation free.
        unsafe { self.raw.detach() };
    }
}
