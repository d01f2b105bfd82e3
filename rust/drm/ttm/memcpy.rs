// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Moves by the CPU: copies and clears, page by page.
//!
//! Unlike `ttm_bo_move_memcpy()` this copes with device-local memory in several extents.
//!
//! C header: [`include/drm/ttm/ttm_kmap_iter.h`](srctree/include/drm/ttm/ttm_kmap_iter.h)

use core::marker::PhantomData;

use kernel::{
    io::PhysAddr,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

use super::{
    Caching,
    Driver,
    DriverBo,
    Move,
    Moved,
    Reserved,
    Resource, //
};
use crate::rust::bindings;

/// One end of a copy.
enum Side<'a> {
    /// The populated pages of a BO.
    Pages(bindings::ttm_kmap_iter_tt, PhantomData<&'a ()>),
    /// Device memory: the address of each page, and how to map it.
    Io(&'a dyn Fn(usize) -> Option<PhysAddr>, Caching),
}

/// A mapped page of device memory.
struct IoPage {
    map: bindings::iosys_map,
}

impl IoPage {
    fn new(address: PhysAddr, caching: Caching) -> Result<Self> {
        let mut map = bindings::iosys_map::default();

        // SAFETY: The caller takes the address from the driver, which says that it is memory on
        // the bus, to be mapped like that.
        unsafe {
            match caching {
                Caching::Cached => {
                    map.__bindgen_anon_1.vaddr =
                        bindings::memremap(address, PAGE_SIZE, bindings::MEMREMAP_WB as usize);
                }
                Caching::WriteCombined => {
                    map.__bindgen_anon_1.vaddr_iomem = bindings::ioremap_wc(address, PAGE_SIZE);
                    map.is_iomem = true;
                }
                Caching::Uncached => {
                    map.__bindgen_anon_1.vaddr_iomem = bindings::ioremap(address, PAGE_SIZE);
                    map.is_iomem = true;
                }
            }
            // SAFETY: Both variants are pointers.
            if map.__bindgen_anon_1.vaddr.is_null() {
                return Err(ENOMEM);
            }
        }
        Ok(Self { map })
    }
}

impl Drop for IoPage {
    fn drop(&mut self) {
        // SAFETY: `new()` mapped it by the function that belongs to this one.
        unsafe {
            if self.map.is_iomem {
                bindings::iounmap(self.map.__bindgen_anon_1.vaddr_iomem);
            } else {
                bindings::memunmap(self.map.__bindgen_anon_1.vaddr);
            }
        }
    }
}

impl Side<'_> {
    /// Calls `f` with page `index`, mapped.
    fn with_page<R>(
        &mut self,
        index: usize,
        f: impl FnOnce(&mut bindings::iosys_map) -> Result<R>,
    ) -> Result<R> {
        match self {
            Self::Io(address, caching) => {
                let mut page = IoPage::new(address(index).ok_or(EINVAL)?, *caching)?;

                f(&mut page.map)
            }
            Self::Pages(iter, _) => {
                let mut map = bindings::iosys_map::default();
                let base = &raw mut iter.base;

                // SAFETY: `ttm_kmap_iter_tt_init()` filled in the operations and the pages are
                // populated. What is mapped last is unmapped first, as calls nest.
                unsafe {
                    let ops = (*base).ops;
                    if let Some(map_local) = (*ops).map_local {
                        map_local(base, &mut map, index);
                    }
                    let done = f(&mut map);
                    if let Some(unmap_local) = (*ops).unmap_local {
                        unmap_local(base, &mut map);
                    }
                    done
                }
            }
        }
    }
}

impl<'a, T: DriverBo> Move<'a, T> {
    /// Moves a BO from device-local memory to system pages without its content, after waiting for
    /// all users: it reads as zeros. `EINVAL` for other moves.
    pub fn discarded(mut self) -> Result<Moved<'a>> {
        let own = self.bo.resource().is_some_and(|res| !res.uses_tt());
        if !own || !self.new.uses_tt() {
            return Err(EINVAL);
        }
        self.wait_idle()?;
        // TTM makes pages to be copied to.
        clear(&self.bo)?;
        // SAFETY: The BO is reserved, idle, and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_discard(self.bo.bo().as_raw(), self.new.as_raw()) };
        Ok(Moved::now())
    }

    /// Waits for all users of the BO and copies the content with the CPU.
    ///
    /// `EINVAL` when the CPU does not see all of the device memory.
    ///
    /// C: as `ttm_bo_move_memcpy()`, which cannot copy device-local memory in several extents.
    pub fn memcpy(mut self) -> Result<Moved<'a>> {
        let old = self.bo.resource().ok_or(EINVAL)?;
        if old.uses_tt() || self.new.uses_tt() {
            self.bo.populate(self.ctx)?;
        }
        self.wait_idle()?;
        memcpy(&self.bo, self.new)?;
        self.copied()
    }
}

/// Copies all of a BO from where it is to a new resource. Its pages are populated.
///
/// `EINVAL` when the CPU does not see all of both.
fn memcpy<T: DriverBo>(bo: &Reserved<'_, T>, new: &Resource) -> Result {
    let old = bo.resource().ok_or(EINVAL)?;
    let pages = new.size() >> PAGE_SHIFT;
    let old_page = |page| T::Driver::io_mem_run(old, page).map(|run| run.addr());
    let new_page = |page| T::Driver::io_mem_run(new, page).map(|run| run.addr());
    let mut from = side(bo, old, &old_page)?;
    let mut to = side(bo, new, &new_page)?;

    for page in 0..pages {
        // The inner mapping must be the one of pages, which may not sleep.
        let (outer, inner, swapped) = match &from {
            Side::Io(..) => (&mut from, &mut to, false),
            Side::Pages(..) => (&mut to, &mut from, true),
        };
        outer.with_page(page, |outer| {
            inner.with_page(page, |inner| {
                let (source, target) = if swapped {
                    (inner, outer)
                } else {
                    (outer, inner)
                };
                // SAFETY: Both are mapped for a page.
                unsafe { bindings::drm_memcpy_from_wc(target, source, PAGE_SIZE) };
                Ok(())
            })
        })?;
    }
    Ok(())
}

/// Calls `f` with a page of a BO where it is, mapped for the CPU. It must be populated if it has
/// system pages.
///
/// `EINVAL` where the CPU does not see it.
pub(super) fn with_page<T: DriverBo>(
    bo: &Reserved<'_, T>,
    page: usize,
    f: impl FnOnce(&bindings::iosys_map),
) -> Result {
    let res = bo.resource().ok_or(EINVAL)?;
    let address = |page| T::Driver::io_mem_run(res, page).map(|run| run.addr());
    let mut side = if res.uses_tt() {
        pages_of(bo)?
    } else {
        Side::Io(&address, T::Driver::io_caching(res))
    };

    side.with_page(page, |map| {
        f(map);
        Ok(())
    })
}

/// Clears the system pages of a BO that are there. Others are not there until they are cleared.
fn clear<T: DriverBo>(bo: &Reserved<'_, T>) -> Result {
    let Some(tt) = bo.tt().filter(|tt| tt.dma_addresses().is_some()) else {
        return Ok(());
    };
    let (_, count) = tt.pages();
    let mut pages = pages_of(bo)?;

    for page in 0..count {
        pages.with_page(page, |map| {
            // SAFETY: It is mapped for a page.
            unsafe { bindings::rgt_iosys_map_zero_page(map) };
            Ok(())
        })?;
    }
    Ok(())
}

/// Returns the populated pages of a BO as a side; `EINVAL` if there are none.
fn pages_of<'a, T: DriverBo>(bo: &'a Reserved<'_, T>) -> Result<Side<'a>> {
    let tt = bo.tt().filter(|tt| tt.dma_addresses().is_some());
    let mut iter = bindings::ttm_kmap_iter_tt::default();

    // SAFETY: The `ttm_tt` is valid and populated, and stays so while the BO is reserved.
    unsafe { bindings::ttm_kmap_iter_tt_init(&mut iter, tt.ok_or(EINVAL)?.as_raw()) };
    Ok(Side::Pages(iter, PhantomData))
}

fn side<'a, T: DriverBo>(
    bo: &'a Reserved<'_, T>,
    res: &Resource,
    address: &'a dyn Fn(usize) -> Option<PhysAddr>,
) -> Result<Side<'a>> {
    if !res.uses_tt() {
        let visible = (0..res.size() >> PAGE_SHIFT).all(|page| address(page).is_some());
        let caching = T::Driver::io_caching(res);

        return visible.then_some(Side::Io(address, caching)).ok_or(EINVAL);
    }

    pages_of(bo)
}
