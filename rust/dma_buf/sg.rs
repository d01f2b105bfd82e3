// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Scatter-gather tables that are mapped for the device of an attachment.
//!
//! C header: [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

use core::{
    marker::PhantomData,
    mem,
    ops::Range,
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
    dma::{
        DataDirection,
        DmaAddress, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    io::PhysAddr,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable, //
};

use super::Attachment;
use crate::rust::bindings;

/// A table that an exporter has mapped for an attachment. Dropping it unmaps it.
///
/// # Invariants
///
/// `sgt` is owned and mapped for the device of `attachment` in direction `dir`: if it has no pages
/// by `dma_buf_phys_vec_to_sgt()`, or else by `dma_map_sgtable()`. The reservation of the buffer is
/// held for `'a`.
pub struct MappedSg<'a> {
    sgt: NonNull<bindings::sg_table>,
    attachment: &'a Attachment,
    dir: DataDirection,
}

impl<'a> MappedSg<'a> {
    /// Maps system pages. `EOPNOTSUPP` if the device would see copies of them.
    ///
    /// # Safety
    ///
    /// There must be `count` valid pages at `pages`, which stay allocated until the table is
    /// unmapped or, for a dynamic importer, until it was told that they move and its fences have
    /// signalled.
    pub(in crate::rust) unsafe fn of_pages(
        attachment: &'a Attachment,
        pages: *mut *mut bindings::page,
        count: usize,
        dir: DataDirection,
    ) -> Result<Self> {
        // The copies would not be kept in step with the pages.
        if attachment.is_bounced() {
            return Err(EOPNOTSUPP);
        }

        let count = c_uint::try_from(count)?;
        // SAFETY: By the safety requirements.
        let sgt =
            from_err_ptr(unsafe { bindings::rgt_pages_to_sgt(attachment.device(), pages, count) })?;
        // SAFETY: The table is new and the device of an attachment valid.
        let mapped = to_result(unsafe {
            bindings::dma_map_sgtable(
                attachment.device(),
                sgt,
                dir.into(),
                bindings::DMA_ATTR_SKIP_CPU_SYNC as c_ulong,
            )
        });
        if let Err(err) = mapped {
            // SAFETY: The table was made above, and is not mapped.
            unsafe { free(sgt) };
            return Err(err);
        }

        // INVARIANT: Mapped above; it is not NULL.
        Ok(Self {
            sgt: NonNull::new(sgt).ok_or(ENOMEM)?,
            attachment,
            dir,
        })
    }

    /// Maps memory behind BAR number `bar` of `exporter`: these ranges, whole pages all of them.
    ///
    /// `EOPNOTSUPP` if the exporter has not said that it offers any, `EINVAL` if the device of the
    /// attachment does not reach it.
    ///
    /// # Safety
    ///
    /// The reservation of the buffer must be held. The memory must stay the buffer's as
    /// [`Self::of_pages()`] says, and be unmapped before `exporter` is unbound.
    pub(in crate::rust) unsafe fn of_peer(
        attachment: &'a Attachment,
        exporter: &Device<Bound>,
        bar: u32,
        ranges: &[Range<PhysAddr>],
        dir: DataDirection,
    ) -> Result<Self> {
        // CAST: `Device` is transparent over `struct device`.
        let exporter = ptr::from_ref(exporter).cast_mut().cast();
        // SAFETY: The device is bound.
        let provider = unsafe { bindings::rgt_p2pdma_provider(exporter, c_int::try_from(bar)?) };
        if provider.is_null() {
            return Err(EOPNOTSUPP);
        }

        let mut vec = KVVec::with_capacity(ranges.len(), GFP_KERNEL)?;
        let mut size = 0;
        for range in ranges {
            let len = (range.end - range.start) as usize;
            vec.push(
                bindings::phys_vec {
                    paddr: range.start,
                    len,
                },
                GFP_KERNEL,
            )?;
            size += len;
        }

        // SAFETY: The reservation is held, the provider valid as its device is bound, and the
        // ranges are those of `vec`.
        let sgt = from_err_ptr(unsafe {
            bindings::dma_buf_phys_vec_to_sgt(
                attachment.as_raw(),
                provider,
                vec.as_mut_ptr(),
                vec.len(),
                size,
                dir.into(),
            )
        })?;
        // INVARIANT: Mapped above; it is not NULL.
        Ok(Self {
            sgt: NonNull::new(sgt).ok_or(ENOMEM)?,
            attachment,
            dir,
        })
    }

    /// Returns the attachment that it is mapped for.
    pub fn attachment(&self) -> &'a Attachment {
        self.attachment
    }

    /// Returns whether it maps the exporter's device-local memory, and not system pages.
    pub fn is_peer(&self) -> bool {
        // SAFETY: Valid by the type invariants; only a table of pages has entries for the CPU.
        unsafe { (*self.sgt.as_ptr()).orig_nents == 0 }
    }

    /// Hands the table to the importer, which gives it back to be unmapped.
    pub(in crate::rust) fn into_raw(self) -> *mut bindings::sg_table {
        let sgt = self.sgt.as_ptr();

        mem::forget(self);
        sgt
    }

    /// Creates the table again from the result of [`Self::into_raw()`].
    ///
    /// # Safety
    ///
    /// `sgt` must come from there, for the same attachment and direction, and not be used
    /// any more.
    pub(in crate::rust) unsafe fn from_raw(
        sgt: NonNull<bindings::sg_table>,
        attachment: &'a Attachment,
        dir: DataDirection,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            sgt,
            attachment,
            dir,
        }
    }
}

impl Drop for MappedSg<'_> {
    fn drop(&mut self) {
        let sgt = self.sgt.as_ptr();

        // SAFETY: By the type invariants.
        unsafe {
            if self.is_peer() {
                bindings::dma_buf_free_sgt(self.attachment.as_raw(), sgt, self.dir.into());
            } else {
                bindings::dma_unmap_sgtable(
                    self.attachment.device(),
                    sgt,
                    self.dir.into(),
                    bindings::DMA_ATTR_SKIP_CPU_SYNC as c_ulong,
                );
                free(sgt);
            }
        }
    }
}

/// # Safety
///
/// `sgt` must be made by `rgt_pages_to_sgt()`, and not be mapped.
unsafe fn free(sgt: *mut bindings::sg_table) {
    // SAFETY: By the safety requirements.
    unsafe {
        bindings::sg_free_table(sgt);
        bindings::kfree(sgt.cast());
    }
}

/// A table that an importer got, with the addresses at which its device reaches the buffer.
///
/// # Invariants
///
/// A valid `struct sg_table` that is mapped for `'a`.
pub struct Mapping<'a> {
    sgt: *mut bindings::sg_table,
    _mapped: PhantomData<&'a ()>,
}

impl Mapping<'_> {
    /// # Safety
    ///
    /// `sgt` must satisfy the type's invariants.
    pub(in crate::rust) unsafe fn from_raw(sgt: *mut bindings::sg_table) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            sgt,
            _mapped: PhantomData,
        }
    }

    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::sg_table {
        self.sgt
    }

    /// Calls `f` with address and size in bytes of each segment, in the order of the buffer's
    /// bytes.
    pub fn for_each(&self, mut f: impl FnMut(DmaAddress, u64) -> Result) -> Result {
        // SAFETY: Valid by the type invariants, and a mapped table does not change.
        let table = unsafe { SGTable::from_raw(self.sgt) };

        table
            .iter()
            .try_for_each(|entry| f(entry.dma_address(), entry.dma_len()))
    }

    /// Writes the address of each page to `pages`. `EINVAL` unless there are exactly as many, all
    /// of them whole.
    pub fn pages(&self, pages: &mut [DmaAddress]) -> Result {
        const PAGE: u64 = PAGE_SIZE as u64;
        let mut slots = pages.iter_mut();

        self.for_each(|address, size| {
            if address % PAGE != 0 || size % PAGE != 0 {
                return Err(EINVAL);
            }
            for page in 0..size / PAGE {
                *slots.next().ok_or(EINVAL)? = address + page * PAGE;
            }
            Ok(())
        })?;
        slots.next().map_or(Ok(()), |_| Err(EINVAL))
    }
}
