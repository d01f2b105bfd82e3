// SPDX-License-Identifier: GPL-2.0

//! A TTM driver for a device of the faux bus whose VRAM is system memory.

use core::ptr;

use kernel::{
    alloc::AllocError,
    device,
    dma::Coherent,
    drm::{
        self,
        ioctl::DrmIoctlDescriptor, //
    },
    faux,
    io::{
        io_read,
        io_write,
        PhysAddr, //
    },
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue, //
};

use crate::{
    resource_mgr::{
        Gtt,
        Vram, //
    },
    rust::{
        bindings,
        dma_fence::{
            Fence,
            PendingFence, //
        },
        dma_resv::{
            Resv,
            Usage, //
        },
        drm::file::client_id,
        drm::ttm::{
            self,
            AllocFlags,
            BoInit,
            Caching,
            IoRun,
            Manager,
            MemType,
            Move,
            MoveOutcome,
            OperationCtx,
            PeerAccess,
            Place,
            PlaceFlags,
            Placement,
            ReleasedBo,
            Resource, //
        }, //
    },
    tests::{
        fake::{
            faux_device,
            window, //
        },
        rust::{
            dma_fence::fence,
            dma_resv as resv, //
        }, //
    }, //
};

pub(in crate::tests) const PAGE: u64 = PAGE_SIZE as u64;
const WORDS: usize = PAGE_SIZE / size_of::<u64>();

/// Pages of VRAM.
pub(in crate::tests) const VRAM_PAGES: usize = 16;
/// Pages of GTT, unless a test says otherwise: room for what leaves VRAM and what stops on its way.
pub(in crate::tests) const GTT_PAGES: usize = 4 * VRAM_PAGES;

/// One block anywhere in VRAM: copying by the CPU needs it to be contiguous.
pub(in crate::tests) const VRAM: Place = Place::new(MemType::VRAM, PlaceFlags::CONTIGUOUS);
/// One block in the upper half of VRAM.
pub(in crate::tests) const UPPER: Place = VRAM.within(VRAM_PAGES as u64 / 2, VRAM_PAGES as u64);
/// One block in the lower half of VRAM.
pub(in crate::tests) const LOWER: Place = VRAM.within(0, VRAM_PAGES as u64 / 2);
/// Pages that the device sees.
pub(in crate::tests) const TT: Place = Place::new(MemType::TT, PlaceFlags::NONE);
/// Pages that it does not see.
pub(in crate::tests) const SYSTEM: Place = Place::new(MemType::SYSTEM, PlaceFlags::NONE);

static FROM_VRAM: [Place; 2] = [
    Place::new(MemType::TT, PlaceFlags::DESIRED),
    Place::new(MemType::SYSTEM, PlaceFlags::FALLBACK),
];
static FROM_PAGES: [Place; 1] = [SYSTEM];

pub(in crate::tests) struct TtmDriver;

/// A device of the driver.
pub(in crate::tests) type Device = drm::Device<TtmDriver>;
/// A buffer object of the driver.
pub(in crate::tests) type Bo = ttm::Bo<TtmBo>;
/// A reserved one.
pub(in crate::tests) type Reserved<'a> = ttm::Reserved<'a, TtmBo>;

/// A move that was done: from where, to where, and whether to make room.
pub(in crate::tests) type Moved = (Option<MemType>, MemType, bool);

#[pin_data]
pub(in crate::tests) struct TtmData {
    #[pin]
    moves: Mutex<KVec<Moved>>,
    _released: Released,
}

/// Sets the flag of a device that is released.
struct Released(Arc<Fate>);

impl Drop for Released {
    fn drop(&mut self) {
        self.0.released.store(true, Relaxed);
    }
}

/// Counts of what happened to buffer objects.
pub(in crate::tests) struct Fate {
    notified: Atomic<i32>,
    gone: Atomic<i32>,
    released: AtomicFlag,
    asked: Atomic<i32>,
    tts: Atomic<i32>,
    unpopulated: Atomic<i32>,
}

impl Fate {
    /// Returns the number of sets of pages that BOs and ghosts have, or could have.
    pub(in crate::tests) fn tts(&self) -> i32 {
        self.tts.load(Relaxed)
    }

    /// Returns the number of times that the driver was told that pages go.
    pub(in crate::tests) fn unpopulated(&self) -> i32 {
        self.unpopulated.load(Relaxed)
    }

    /// Returns the number of BOs that lost their memory for good.
    pub(in crate::tests) fn notified(&self) -> i32 {
        self.notified.load(Relaxed)
    }

    /// Returns the number of BOs that are gone.
    pub(in crate::tests) fn gone(&self) -> i32 {
        self.gone.load(Relaxed)
    }

    /// Returns the number of times that TTM has asked whether to evict one.
    pub(in crate::tests) fn asked(&self) -> i32 {
        self.asked.load(Relaxed)
    }

    /// Returns whether the device was released.
    pub(in crate::tests) fn released(&self) -> bool {
        self.released.load(Relaxed)
    }
}

/// The data of a BO's pages.
pub(in crate::tests) struct TtmPages {
    fate: Arc<Fate>,
    /// The number of times that these pages were about to be freed.
    pub(in crate::tests) unpopulated: Atomic<i32>,
}

impl Drop for TtmPages {
    fn drop(&mut self) {
        self.fate.tts.fetch_add(-1, Relaxed);
    }
}

pub(in crate::tests) struct TtmBo {
    /// It is not worth being evicted.
    pub(in crate::tests) keep: AtomicFlag,
    /// Its moves fail.
    pub(in crate::tests) broken: AtomicFlag,
    /// It gets no data of pages.
    pub(in crate::tests) no_pages: AtomicFlag,
    /// Its content is not needed.
    pub(in crate::tests) worthless: AtomicFlag,
    /// The fence that its moves between pages end with.
    pub(in crate::tests) behind: Option<ARef<Fence>>,
    /// The number of times that its import was invalidated.
    pub(in crate::tests) invalidated: Atomic<i32>,
    /// The only client that may have handles of it; 0 if all may.
    pub(in crate::tests) owner: Atomic<u64>,
    /// The number of its handles.
    pub(in crate::tests) handles: Atomic<i32>,
    /// A device that it keeps.
    device: Option<ARef<Device>>,
    fate: Arc<Fate>,
}

impl Drop for TtmBo {
    fn drop(&mut self) {
        self.fate.gone.fetch_add(1, Relaxed);
    }
}

impl TtmBo {
    fn new(fate: &Arc<Fate>) -> Self {
        Self {
            keep: AtomicFlag::new(false),
            broken: AtomicFlag::new(false),
            no_pages: AtomicFlag::new(false),
            worthless: AtomicFlag::new(false),
            invalidated: Atomic::new(0),
            owner: Atomic::new(0),
            handles: Atomic::new(0),
            behind: None,
            device: None,
            fate: fate.clone(),
        }
    }

    /// Sets a fence that its moves between pages end with.
    pub(in crate::tests) fn behind(mut self, fence: ARef<Fence>) -> Self {
        self.behind = Some(fence);
        self
    }

    /// Adds a device that it keeps.
    pub(in crate::tests) fn keeping(mut self, device: &Device) -> Self {
        self.device = Some(device.into());
        self
    }
}

impl ttm::DriverBo for TtmBo {
    type Driver = TtmDriver;

    fn open(bo: &Bo, file: &drm::File<TtmFile>) -> Result {
        let owner = bo.owner.load(Relaxed);
        if owner != 0 && owner != client_id(file) {
            return Err(EPERM);
        }
        bo.handles.fetch_add(1, Relaxed);
        Ok(())
    }

    fn close(bo: &Bo, file: &drm::File<TtmFile>) {
        bo.handles.fetch_add(-1, Relaxed);
        file.inner().closed.fetch_add(1, Relaxed);
    }
}

pub(in crate::tests) struct TtmFile {
    /// The number of handles that it has lost.
    closed: Atomic<i32>,
}

impl TtmFile {
    /// Returns the number of handles that it has lost.
    pub(in crate::tests) fn closed(&self) -> i32 {
        self.closed.load(Relaxed)
    }
}

impl drm::file::DriverFile for TtmFile {
    type Driver = TtmDriver;

    fn open(_device: &Device) -> Result<Pin<KBox<Self>>> {
        let file = TtmFile {
            closed: Atomic::new(0),
        };
        Ok(KBox::pin(file, GFP_KERNEL)?)
    }
}

#[vtable]
impl drm::Driver for TtmDriver {
    type Data = ttm::DeviceData<Self>;
    type RegistrationData<'a> = ();
    type Object = ttm::Object<TtmBo>;
    type File = TtmFile;
    type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"rgt-kunit-ttm",
        desc: c"KUnit test device with TTM",
    };
    const IOCTLS: &'static [DrmIoctlDescriptor] = &[];
}

impl ttm::Driver for TtmDriver {
    type Bo = TtmBo;
    type DeviceData = TtmData;
    type TtData = TtmPages;

    fn caching(_bo: &TtmBo) -> Caching {
        Caching::Cached
    }

    fn tt_data(bo: &TtmBo) -> Result<TtmPages, AllocError> {
        if bo.no_pages.load(Relaxed) {
            return Err(AllocError);
        }
        bo.fate.tts.fetch_add(1, Relaxed);
        Ok(TtmPages {
            fate: bo.fate.clone(),
            unpopulated: Atomic::new(0),
        })
    }

    fn tt_unpopulate(data: &TtmPages) {
        data.unpopulated.fetch_add(1, Relaxed);
        data.fate.unpopulated.fetch_add(1, Relaxed);
    }

    fn evict_flags(bo: &Reserved<'_>) -> &'static [Place] {
        match bo.resource().map(Resource::mem_type) {
            Some(MemType::VRAM) => &FROM_VRAM,
            _ => &FROM_PAGES,
        }
    }

    fn eviction_valuable(bo: &Reserved<'_>, place: Option<&Place>) -> bool {
        bo.fate.asked.fetch_add(1, Relaxed);
        !bo.keep.load(Relaxed) && bo.intersects(place)
    }

    /// Copies by the CPU, which wants pages on one side.
    fn move_bo<'a>(mut mv: Move<'a, TtmBo>) -> Result<MoveOutcome<'a>> {
        let old = mv.bo().resource().map(Resource::mem_type);
        let new = mv.new_resource().mem_type();
        let dev = mv.bo().bo().device();
        let evict = mv.is_eviction();

        if mv.bo().broken.load(Relaxed) {
            return Err(EIO);
        }
        dev.moves.lock().reserve(1, GFP_KERNEL)?;
        let moved = match (old, new) {
            (Some(MemType::VRAM), _) if mv.bo().worthless.load(Relaxed) => mv.discarded()?,
            (None | Some(MemType::SYSTEM), MemType::VRAM)
            | (Some(MemType::VRAM), MemType::SYSTEM) => {
                return Ok(MoveOutcome::Hop(Place::new(
                    MemType::TT,
                    PlaceFlags::TEMPORARY,
                )));
            }
            (Some(MemType::VRAM), _) | (_, MemType::VRAM) => mv.memcpy()?,
            (None, MemType::SYSTEM) if mv.bo().behind.is_some() => {
                let bo = mv.bo().bo();
                mv.accelerated(bo.behind.as_ref().ok_or(EINVAL)?)?
            }
            (Some(_), MemType::SYSTEM) if mv.bo().behind.is_some() => {
                let bo = mv.bo().bo();
                mv.null_behind(bo.behind.as_ref().ok_or(EINVAL)?)
            }
            (Some(_), MemType::SYSTEM) => {
                mv.wait_idle()?;
                mv.null()
            }
            _ => mv.null(),
        };

        // There is room, and no failing after a move.
        let _ = dev.moves.lock().push((old, new, evict), GFP_KERNEL);
        Ok(MoveOutcome::Done(moved))
    }

    fn delete_notify(bo: &ReleasedBo<'_, TtmBo>) {
        bo.fate.notified.fetch_add(1, Relaxed);
    }

    fn io_caching(_res: &Resource) -> Caching {
        // It is memory, after all.
        Caching::Cached
    }

    fn io_mem_run(res: &Resource, page: usize) -> Option<IoRun> {
        let (vram, res) = res.of_manager::<Vram>()?;

        vram.io_run(&res.extent_at(page as u64 * PAGE)?)
    }

    fn prepare_fault(_bo: &mut Reserved<'_>, _ctx: &mut OperationCtx) -> Result {
        Err(ENOTSUPP)
    }
}

impl ttm::Sharing for TtmDriver {
    fn may_share(bo: &Bo, _access: PeerAccess) -> Result {
        if bo.broken.load(Relaxed) {
            return Err(EOPNOTSUPP);
        }
        Ok(())
    }

    fn prepare_share(bo: &mut Reserved<'_>, _access: PeerAccess, ctx: &mut OperationCtx) -> Result {
        bo.validate(&Placement::new(&[TT]), ctx)
    }

    fn invalidate_import(bo: &mut Reserved<'_>) {
        bo.invalidated.fetch_add(1, Relaxed);
    }
}

/// A device, its memory and what keeps it there, in the order in which they have to go.
pub(in crate::tests) struct Fixture {
    pub(in crate::tests) drm: drm::UnregisteredDevice<TtmDriver>,
    pub(in crate::tests) vram: Arc<Manager<Vram>>,
    pub(in crate::tests) gtt: Arc<Manager<Gtt>>,
    pub(in crate::tests) fate: Arc<Fate>,
    memory: Coherent<[u64]>,
    parent: faux::Registration,
}

impl Fixture {
    /// A device with room in GTT.
    pub(in crate::tests) fn new() -> Result<Self> {
        Self::with(GTT_PAGES, AllocFlags::PROPAGATE_ENOSPC)
    }

    pub(in crate::tests) fn with(gtt_pages: usize, flags: AllocFlags) -> Result<Self> {
        let this = Self::uninitialised(gtt_pages)?;

        this.init(flags)?;
        Ok(this)
    }

    /// A device whose TTM device is yet to be brought up.
    pub(in crate::tests) fn uninitialised(gtt_pages: usize) -> Result<Self> {
        let parent = faux_device("rgt-kunit-ttm")?;
        let bound: &faux::Device<device::Bound> = parent.as_ref();
        enable_dma(bound.as_ref());

        let memory = Coherent::zeroed_slice(bound.as_ref(), VRAM_PAGES * WORDS, GFP_KERNEL)?;
        let size = VRAM_PAGES as u64 * PAGE;
        // CAST: Without an IOMMU a DMA address is a physical one.
        let vram = Vram::new(size, size, window(memory.dma_address() as PhysAddr, size))?;
        let gtt = Gtt::new(gtt_pages as u64 * PAGE)?;
        let fate = Arc::new(
            Fate {
                notified: Atomic::new(0),
                gone: Atomic::new(0),
                released: AtomicFlag::new(false),
                asked: Atomic::new(0),
                tts: Atomic::new(0),
                unpopulated: Atomic::new(0),
            },
            GFP_KERNEL,
        )?;
        let released = fate.clone();
        let data = try_pin_init!(TtmData {
            moves <- new_mutex!(KVec::new(), "TtmData::moves"),
            _released: Released(released),
        }? Error);

        Ok(Self {
            drm: drm::UnregisteredDevice::new(bound, ttm::DeviceData::new(data))?,
            vram: Arc::pin_init(Manager::new(Ok::<_, Error>(vram)), GFP_KERNEL)?,
            gtt: Arc::pin_init(Manager::new(Ok::<_, Error>(gtt)), GFP_KERNEL)?,
            fate,
            memory,
            parent,
        })
    }

    pub(in crate::tests) fn init(&self, flags: AllocFlags) -> Result {
        let (vram, gtt) = (self.vram.clone(), self.gtt.clone());

        ttm::Device::init(
            &self.drm,
            flags,
            [
                (MemType::VRAM, VRAM_PAGES as u64 * PAGE, vram.into()),
                (MemType::TT, self.gtt.inner().limit(), gtt.into()),
            ],
        )
    }

    /// The device on the bus.
    pub(in crate::tests) fn bound(&self) -> &device::Device<device::Bound> {
        let bound: &faux::Device<device::Bound> = self.parent.as_ref();

        bound.as_ref()
    }

    /// Data for a buffer object.
    pub(in crate::tests) fn data(&self) -> TtmBo {
        TtmBo::new(&self.fate)
    }

    /// Takes the device out, to be registered.
    pub(in crate::tests) fn split(self) -> (drm::UnregisteredDevice<TtmDriver>, Backing) {
        let backing = Backing {
            fate: self.fate,
            _memory: self.memory,
            parent: self.parent,
        };
        (self.drm, backing)
    }

    /// A buffer object without backing.
    pub(in crate::tests) fn bo(&self, pages: usize) -> Result<ARef<Bo>> {
        Bo::new(
            &self.drm,
            BoInit {
                size: pages * PAGE_SIZE,
                alignment_pages: 0,
                resv: None,
            },
            Ok::<_, Error>(self.data()),
        )
    }

    /// A buffer object with backing.
    pub(in crate::tests) fn bo_in(&self, place: Place, pages: usize) -> Result<ARef<Bo>> {
        Bo::new_in(
            &self.drm,
            pages * PAGE_SIZE,
            0,
            &Placement::new(&[place]),
            &mut OperationCtx::new(false),
            Ok::<_, Error>(self.data()),
        )
    }

    /// Creates a buffer object in the room of others that are about to go. TTM does not find that
    /// of one which is just being destroyed.
    pub(in crate::tests) fn bo_in_place_of_others(
        &self,
        place: Place,
        pages: usize,
    ) -> Result<ARef<Bo>> {
        let bo = self.bo(pages)?;

        match validate(&bo, &[place]) {
            Err(ENOSPC) => {
                ttm::Device::of(&self.drm).flush_deletes()?;
                validate(&bo, &[place])?;
            }
            result => result?,
        }
        Ok(bo)
    }

    /// Writes a number to all words of a buffer object in VRAM, or of all VRAM.
    pub(in crate::tests) fn fill(&self, bo: Option<&Bo>, value: u64) -> Result {
        let (first, words) = self.words(bo)?;

        for word in first..first + words {
            io_write!(self.memory, [try: word], value);
        }
        Ok(())
    }

    /// Returns whether all words of a buffer object in VRAM have a value.
    pub(in crate::tests) fn holds(&self, bo: &Bo, value: u64) -> Result<bool> {
        let (first, words) = self.words(Some(bo))?;

        for word in first..first + words {
            if io_read!(self.memory, [try: word]) != value {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn words(&self, bo: Option<&Bo>) -> Result<(usize, usize)> {
        let Some(bo) = bo else {
            return Ok((0, self.memory.len()));
        };
        let offset = vram_offset(bo)?.ok_or(EINVAL)? as usize;

        Ok((offset / size_of::<u64>(), bo.size() / size_of::<u64>()))
    }

    /// Returns the moves since the last call.
    pub(in crate::tests) fn take_moves(&self) -> KVec<Moved> {
        core::mem::take(&mut *self.drm.moves.lock())
    }
}

/// The objects that keep a registered device alive.
pub(in crate::tests) struct Backing {
    fate: Arc<Fate>,
    _memory: Coherent<[u64]>,
    parent: faux::Registration,
}

impl Backing {
    /// The device on the bus.
    pub(in crate::tests) fn bound(&self) -> &device::Device<device::Bound> {
        let bound: &faux::Device<device::Bound> = self.parent.as_ref();

        bound.as_ref()
    }

    /// Data for a buffer object.
    pub(in crate::tests) fn data(&self) -> TtmBo {
        TtmBo::new(&self.fate)
    }

    /// A buffer object with backing.
    pub(in crate::tests) fn bo_in(
        &self,
        dev: &Device,
        place: Place,
        pages: usize,
    ) -> Result<ARef<Bo>> {
        self.bo_with(dev, place, pages, self.data())
    }

    /// A buffer object with backing and data.
    pub(in crate::tests) fn bo_with(
        &self,
        dev: &Device,
        place: Place,
        pages: usize,
        data: TtmBo,
    ) -> Result<ARef<Bo>> {
        Bo::new_in(
            dev,
            pages * PAGE_SIZE,
            0,
            &Placement::new(&[place]),
            &mut OperationCtx::new(false),
            Ok::<_, Error>(data),
        )
    }
}

/// Lets a device of the faux bus do DMA, as far as the DMA API knows.
fn enable_dma(dev: &device::Device<device::Bound>) {
    // CAST: `Device` is a transparent wrapper.
    let dev: *mut bindings::device = ptr::from_ref(dev).cast_mut().cast();

    // SAFETY: The device is valid, and has no other user yet. The mask is where that of most buses
    // is, and lives as long as the device.
    unsafe {
        (*dev).coherent_dma_mask = u64::MAX;
        (*dev).dma_mask = &raw mut (*dev).coherent_dma_mask;
    }
}

pub(in crate::tests) fn validate(bo: &Bo, places: &[Place]) -> Result {
    let mut guard = bo.reserve(false)?;
    let mut reserved = guard.reserved();

    reserved.validate(&Placement::new(places), &mut OperationCtx::new(false))
}

/// The memory type that a buffer object is in.
pub(in crate::tests) fn mem_type(bo: &Bo) -> Result<Option<MemType>> {
    Ok(bo.reserve(false)?.resource().map(Resource::mem_type))
}

/// Offset in VRAM of a buffer object that is there.
pub(in crate::tests) fn vram_offset(bo: &Bo) -> Result<Option<u64>> {
    Ok(bo
        .reserve(false)?
        .resource()
        .and_then(|res| res.of_manager::<Vram>())
        .and_then(|(_, res)| res.extent_at(0))
        .map(|extent| extent.offset))
}

/// Keeps the buffer objects of a reservation busy until the returned fence signals.
pub(in crate::tests) fn make_busy(resv: &Resv) -> Result<(ARef<Fence>, PendingFence)> {
    let (fence, pending) = fence()?;

    resv::add(&*resv.lock()?, &fence, Usage::Bookkeep)?;
    Ok((fence, pending))
}

/// Signals a fence in a while, from another task.
pub(in crate::tests) fn signal_later(pending: PendingFence) -> Result {
    workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
        fsleep(Delta::from_millis(50));
        pending.signal(Ok(()));
    })?;
    Ok(())
}
