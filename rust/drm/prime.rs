// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PRIME: GEM objects as shared buffers.
//!
//! C header: [`include/drm/drm_prime.h`](srctree/include/drm/drm_prime.h)

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    dma::DataDirection,
    error::from_err_ptr,
    prelude::*, //
};

use crate::rust::{
    bindings,
    dma_buf::{
        Attachment,
        DmaBuf,
        MappedSg, //
    },
    dma_resv::LockedResv, //
};

/// GEM objects that others can import.
///
/// Equivalent of `struct dma_buf_ops`; the CPU's mappings are those of the object itself.
pub trait Exporter: Send + Sync + Sized + 'static {
    /// Called when a device is about to attach. The exporter refuses a device that does not reach
    /// the memory in all places, and decides whether the device may access device-local memory, see
    /// [`Attachment::limit_to_peers_of()`].
    fn attach(&self, attachment: &mut Attachment) -> Result;

    /// Pins the memory in a place that all devices reach. Moves and clears that are under way have
    /// to be waited for.
    fn pin(&self, locked: LockedResv<'_>, attachment: &Attachment) -> Result;

    /// Undoes one [`Self::pin()`].
    fn unpin(&self, locked: LockedResv<'_>);

    /// Maps the memory, in a place that the device reaches, for the device of an attachment.
    fn map<'a>(
        &self,
        locked: LockedResv<'_>,
        attachment: &'a Attachment,
        dir: DataDirection,
    ) -> Result<MappedSg<'a>>;

    /// Unmaps what [`Self::map()`] returned, which the importer is done with.
    fn unmap(&self, _locked: LockedResv<'_>, mapped: MappedSg<'_>) {
        drop(mapped);
    }

    /// The CPU is about to access the memory. The caller waits for fences.
    fn begin_cpu_access(&self, _dir: DataDirection) -> Result {
        Ok(())
    }

    /// Called when the last reference to the buffer is gone.
    fn released(&self) {}
}

/// The table for C.
struct Ops<E>(PhantomData<E>);

impl<E: Exporter> Ops<E> {
    const OPS: bindings::dma_buf_ops = bindings::dma_buf_ops {
        attach: Some(attach::<E>),
        detach: None,
        pin: Some(pin::<E>),
        unpin: Some(unpin::<E>),
        map_dma_buf: Some(map::<E>),
        unmap_dma_buf: Some(unmap::<E>),
        release: Some(release::<E>),
        begin_cpu_access: Some(begin_cpu_access::<E>),
        end_cpu_access: None,
        mmap: Some(bindings::drm_gem_dmabuf_mmap),
        vmap: Some(bindings::drm_gem_dmabuf_vmap),
        vunmap: Some(bindings::drm_gem_dmabuf_vunmap),
    };

    /// Returns the table. A buffer is known by its address, so it is taken in one place only.
    #[inline(never)]
    fn table() -> &'static bindings::dma_buf_ops {
        const { &Self::OPS }
    }
}

/// Exports a GEM object as a buffer.
///
/// # Safety
///
/// `obj` must be valid, and the beginning of an `E`.
pub(in crate::rust) unsafe fn export<E: Exporter>(
    obj: *mut bindings::drm_gem_object,
    flags: c_int,
) -> Result<NonNull<bindings::dma_buf>> {
    // SAFETY: By the safety requirements; the object has a device, with its table.
    let buf = unsafe {
        let dev = (*obj).dev;
        let mut info = bindings::dma_buf_export_info {
            exp_name: (*(*dev).driver).name,
            owner: (*(*(*dev).driver).fops).owner,
            ops: Ops::<E>::table(),
            size: (*obj).size,
            flags,
            priv_: obj.cast(),
            resv: (*obj).resv,
        };
        from_err_ptr(bindings::drm_gem_dmabuf_export(dev, &mut info))
    }?;
    NonNull::new(buf).ok_or(ENOMEM)
}

/// Returns the object of a device that a buffer was made of by [`export()`], if it was.
///
/// The buffer keeps it.
pub(in crate::rust) fn exported<E: Exporter>(
    buf: &DmaBuf,
    dev: *mut bindings::drm_device,
) -> Option<NonNull<E>> {
    // SAFETY: A buffer is valid, and its fields are constant. With this table its data is an `E`,
    // which begins with a GEM object.
    unsafe {
        let buf = &*buf.as_raw();
        if !core::ptr::eq(buf.ops, Ops::<E>::table()) {
            return None;
        }
        let obj = buf.priv_.cast::<bindings::drm_gem_object>();
        if (*obj).dev != dev {
            return None;
        }
        NonNull::new(obj.cast())
    }
}

/// Returns whether a buffer was created by [`export()`] of an `E`, of any device.
pub(in crate::rust) fn is_exported<E: Exporter>(buf: &DmaBuf) -> bool {
    // SAFETY: A buffer is valid, and the field constant.
    core::ptr::eq(unsafe { (*buf.as_raw()).ops }, Ops::<E>::table())
}

/// Returns what a buffer was made of.
///
/// # Safety
///
/// `buf` must be a valid buffer that [`export()`] has made of an `E`.
unsafe fn data<'a, E: Exporter>(buf: *mut bindings::dma_buf) -> &'a E {
    // SAFETY: By the safety requirements; the buffer keeps the object.
    unsafe { &*(*buf).priv_.cast() }
}

/// Returns the proof that the reservation of a buffer is held.
///
/// # Safety
///
/// It must be held for `'a`, and no other proof of that be in use.
unsafe fn locked<'a>(buf: *mut bindings::dma_buf) -> LockedResv<'a> {
    // SAFETY: By the safety requirements.
    unsafe { LockedResv::new(DmaBuf::from_raw(buf).resv()) }
}

fn errno(result: Result) -> c_int {
    result.map_or_else(Error::to_errno, |()| 0)
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::attach` of an exported `E`.
unsafe extern "C" fn attach<E: Exporter>(
    buf: *mut bindings::dma_buf,
    attach: *mut bindings::dma_buf_attachment,
) -> c_int {
    // SAFETY: The core passes a valid buffer and a new attachment that is not published.
    errno(unsafe { data::<E>(buf).attach(Attachment::from_raw(attach)) })
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::pin` of an exported `E`.
unsafe extern "C" fn pin<E: Exporter>(attach: *mut bindings::dma_buf_attachment) -> c_int {
    // SAFETY: The core passes a valid attachment with the reservation held. Who called it has
    // given its own proof away.
    errno(unsafe {
        let buf = (*attach).dmabuf;
        data::<E>(buf).pin(locked(buf), Attachment::from_raw(attach))
    })
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::unpin` of an exported `E`.
unsafe extern "C" fn unpin<E: Exporter>(attach: *mut bindings::dma_buf_attachment) {
    // SAFETY: As for `pin()`.
    unsafe {
        let buf = (*attach).dmabuf;
        data::<E>(buf).unpin(locked(buf));
    }
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::map_dma_buf` of an exported `E`.
unsafe extern "C" fn map<E: Exporter>(
    attach: *mut bindings::dma_buf_attachment,
    dir: bindings::dma_data_direction,
) -> *mut bindings::sg_table {
    // SAFETY: As for `pin()`: a buffer that can be pinned is locked to be mapped.
    let mapped = unsafe {
        let buf = (*attach).dmabuf;
        data::<E>(buf).map(locked(buf), Attachment::from_raw(attach), direction(dir))
    };
    mapped.map_or_else(|err| err.to_ptr(), MappedSg::into_raw)
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::unmap_dma_buf` of an exported `E`.
unsafe extern "C" fn unmap<E: Exporter>(
    attach: *mut bindings::dma_buf_attachment,
    sgt: *mut bindings::sg_table,
    dir: bindings::dma_data_direction,
) {
    if let Some(sgt) = NonNull::new(sgt) {
        // SAFETY: As for `pin()`. The core passes what `map()` returned for the attachment when the
        // importer is done with it.
        unsafe {
            let buf = (*attach).dmabuf;
            let mapped = MappedSg::from_raw(sgt, Attachment::from_raw(attach), direction(dir));
            data::<E>(buf).unmap(locked(buf), mapped);
        }
    }
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::begin_cpu_access` of an exported `E`.
unsafe extern "C" fn begin_cpu_access<E: Exporter>(
    buf: *mut bindings::dma_buf,
    dir: bindings::dma_data_direction,
) -> c_int {
    // SAFETY: The core passes a valid buffer.
    errno(unsafe { data::<E>(buf).begin_cpu_access(direction(dir)) })
}

/// # Safety
///
/// Only for the core, as `dma_buf_ops::release` of an exported `E`.
unsafe extern "C" fn release<E: Exporter>(buf: *mut bindings::dma_buf) {
    // SAFETY: The core passes a buffer without references, whose own references to object and
    // device `drm_gem_dmabuf_export()` took.
    unsafe {
        data::<E>(buf).released();
        bindings::drm_gem_dmabuf_release(buf);
    }
}

fn direction(dir: bindings::dma_data_direction) -> DataDirection {
    match dir {
        bindings::dma_data_direction::DMA_TO_DEVICE => DataDirection::ToDevice,
        bindings::dma_data_direction::DMA_FROM_DEVICE => DataDirection::FromDevice,
        _ => DataDirection::Bidirectional,
    }
}
