// SPDX-License-Identifier: GPL-2.0

//! The driver's buffer objects.

mod account;
mod backing;
mod bad_page;
mod callbacks;
mod clear;
mod madvise;
mod migrate;
mod mv;
mod record;
pub(crate) mod selftest;
mod shrink;
mod stats;
pub(crate) mod trace;
mod validate;
mod window;

pub(crate) use self::{
    account::move_bo,
    backing::for_each_extent,
    bad_page::Retirement,
    callbacks::{
        evict_placement,
        prepare_fault, //
    },
    madvise::{
        dont_need,
        will_need,
        Advice,
        AdviceCell, //
    },
    record::BoRecord,
    shrink::Shrinker,
    stats::{
        MoveReason,
        MoveStats, //
    },
    validate::{
        check_content,
        eviction_valuable,
        validate, //
    },
    window::Windows, //
};

use kernel::{
    page::{
        page_align,
        PAGE_SHIFT, //
    },
    prelude::*,
    sizes::SZ_2M,
    sync::{
        aref::ARef,
        atomic::AtomicFlag,
        Arc, //
    }, //
};

use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    placement::{
        History,
        Places,
        Request,
        Room,
        User, //
    },
    rust::{
        bindings::DRM_RGT_PLACEMENT_GTT,
        drm::ttm::{
            self,
            BoInit,
            Caching,
            Manager, //
        }, //
    },
    vm::Vm, //
};

/// The driver's data of a BO.
pub(crate) struct BoData {
    /// Where it may be.
    pub(crate) request: Request,
    /// How the CPU maps its system pages.
    pub(crate) caching: Caching,
    /// Alignment in VRAM, in bytes; 0 for none.
    pub(crate) alignment: u32,
    /// The number of the only VM that it may be bound in, whose reservation it shares.
    pub(crate) private: Option<u32>,
    /// When it was used.
    pub(crate) history: History,
    /// What others can be told of it.
    pub(crate) record: BoRecord,
    /// Set when a move or a clear of the BO has failed, or its memory went bad: what it holds is not
    /// its content.
    pub(crate) lost: Arc<AtomicFlag>,
    /// Whether its content is needed.
    pub(crate) advice: AdviceCell,
}

impl BoData {
    /// The data of a BO whose memory is another device's.
    pub(crate) fn of_import() -> Result<Self> {
        Ok(Self {
            request: Request::new(DRM_RGT_PLACEMENT_GTT, 0)?,
            caching: Caching::Cached,
            alignment: 0,
            private: None,
            history: History::new(),
            record: BoRecord::of_import(),
            lost: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            advice: AdviceCell::new(),
        })
    }

    /// The data of a BO of the kernel's own, which stays where it is made.
    fn of_kernel(mem_type: ttm::MemType) -> Result<Self> {
        Ok(Self {
            request: Request::new(1 << mem_type.as_raw(), 0)?,
            caching: Caching::Cached,
            alignment: 0,
            private: None,
            history: History::new(),
            record: BoRecord::of_kernel(),
            lost: Arc::new(AtomicFlag::new(false), GFP_KERNEL)?,
            advice: AdviceCell::new(),
        })
    }
}

impl ttm::DriverBo for BoData {
    type Driver = RgtDriver;

    fn may_export(&self) -> Result {
        if self.private.is_some() {
            return Err(EPERM);
        }
        if !self.advice.is_usable() {
            return Err(EBUSY);
        }
        Ok(())
    }
}

/// A buffer object of this driver.
pub(crate) type Bo = ttm::Bo<BoData>;
/// A buffer object whose reservation is held.
pub(crate) type Reserved<'a> = ttm::Reserved<'a, BoData>;

/// Makes a BO of `size` bytes, rounded up to whole pages, in the reservation of `vm` if it is
/// private to that.
///
/// Returns `EINVAL` for a size that is 0 or overflows, or an alignment that is not a power of two
/// from a page to 2 MiB, `ENOSPC` when it would fit into none of its places.
pub(crate) fn create(
    dev: &RgtDevice,
    size: u64,
    vm: Option<&Vm>,
    data: BoData,
) -> Result<ARef<Bo>> {
    let size = usize::try_from(size)
        .ok()
        .and_then(page_align)
        .filter(|&size| size != 0 && size <= isize::MAX as usize)
        .ok_or(EINVAL)?;
    let alignment = data.alignment as usize;
    if alignment != 0
        && (!alignment.is_power_of_two() || !(kernel::page::PAGE_SIZE..=SZ_2M).contains(&alignment))
    {
        return Err(EINVAL);
    }
    if [User::Gpu, User::Cpu]
        .iter()
        .all(|&user| places(dev, &data, size, user).as_slice().is_empty())
    {
        return Err(ENOSPC);
    }

    let guard = vm.map(|vm| vm.resv().lock_interruptible()).transpose()?;
    let resv = vm.map(Vm::resv_object).zip(guard.as_deref());
    Bo::new(
        dev,
        BoInit {
            size,
            alignment_pages: (alignment >> PAGE_SHIFT) as u32,
            resv,
        },
        Ok::<_, Error>(data),
    )
    .inspect(|bo| trace::created(bo))
}

/// Whether there is any place where a user can reach a BO.
pub(crate) fn can_be_reached(bo: &Bo, user: User) -> bool {
    !places(bo.device(), bo, bo.size(), user)
        .as_slice()
        .is_empty()
}

/// Returns the places where a user can reach a BO of this size.
fn places(dev: &RgtDevice, data: &BoData, size: usize, user: User) -> Places {
    let room = Room {
        vram: dev.vram.inner(),
        gtt: dev.gtt.inner(),
        scratchpad: dev.scratchpad.as_deref().map(Manager::inner),
    };

    data.request
        .places(user, &room, size, data.alignment as usize)
}
