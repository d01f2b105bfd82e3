// SPDX-License-Identifier: GPL-2.0

//! PCI probe and unbind, DRM registration.

use kernel::{
    device::{
        Core,
        DeviceContext, //
    },
    dma::Device as _,
    drm::{
        self,
        ioctl::RENDER_ALLOW, //
    },
    page::PAGE_SIZE,
    pci,
    prelude::*, //
};

use crate::{
    bo::{
        self,
        Bo,
        BoData,
        Reserved,
        Retirement,
        Shrinker, //
    },
    debugfs,
    device::{
        RgtData,
        RgtDevice,
        RgtDriver, //
    },
    dma_buf,
    fdinfo,
    file::RgtFile,
    hw::{
        abi,
        BadPageWatch,
        Gpu,
        Interrupts, //
    },
    ioctl::{
        context,
        cs,
        gem,
        query,
        unimplemented::unimplemented,
        vm as vm_ioctl, //
    },
    module_parameters,
    params,
    resource_mgr::{
        Managers,
        Vram, //
    },
    rust::{
        bindings::{
            self,
            drm_rgt_cs,
            drm_rgt_ctx_create,
            drm_rgt_ctx_destroy,
            drm_rgt_gem_create,
            drm_rgt_gem_info,
            drm_rgt_gem_madvise,
            drm_rgt_gem_mmap_offset,
            drm_rgt_gem_userptr,
            drm_rgt_gem_wait,
            drm_rgt_query,
            drm_rgt_vm_bind,
            drm_rgt_vm_create,
            drm_rgt_vm_destroy,
            DRM_RGT_CS,
            DRM_RGT_CTX_CREATE,
            DRM_RGT_CTX_DESTROY,
            DRM_RGT_GEM_CREATE,
            DRM_RGT_GEM_INFO,
            DRM_RGT_GEM_MADVISE,
            DRM_RGT_GEM_MMAP_OFFSET,
            DRM_RGT_GEM_USERPTR,
            DRM_RGT_GEM_WAIT,
            DRM_RGT_QUERY,
            DRM_RGT_VM_BIND,
            DRM_RGT_VM_CREATE,
            DRM_RGT_VM_DESTROY, //
        },
        drm::{
            driver::{
                self as driver_table,
                DriverTable,
                Features,
                PrimeImport, //
            },
            fdinfo::FdInfo,
            ioctl::declare_ioctls,
            ttm::{
                self,
                Caching,
                DmaMappings,
                IoMem,
                IoRun,
                Move,
                MoveOutcome,
                OperationCtx,
                Place,
                Reach,
                Resource, //
            }, //
        },
        mm::total_ram,
        pci::{
            init_peer_to_peer,
            Aperture, //
        },
        shrinker, //
    },
    sched::Queues,
    vm::{
        self,
        Closing,
        ClosingGuard, //
    }, //
};

#[vtable]
impl drm::Driver for RgtDriver {
    type Data = RgtData;
    type RegistrationData<'a> = Gpu;
    type Object = ttm::Object<BoData>;
    type File = RgtFile;
    type ParentDevice<Ctx: DeviceContext> = pci::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 1,
        patchlevel: 0,
        name: c"rust_gpu_ttm",
        desc: c"softgpu virtual GPU",
    };
    const FEAT_RENDER: bool = true;

    declare_ioctls! {
        (DRM_RGT_QUERY, drm_rgt_query, IOWR, RENDER_ALLOW, query::query),
        (DRM_RGT_GEM_CREATE, drm_rgt_gem_create, IOWR, RENDER_ALLOW, gem::create),
        (DRM_RGT_GEM_MMAP_OFFSET, drm_rgt_gem_mmap_offset, IOWR, RENDER_ALLOW, gem::mmap_offset),
        (DRM_RGT_GEM_INFO, drm_rgt_gem_info, IOWR, RENDER_ALLOW, gem::info),
        (DRM_RGT_GEM_WAIT, drm_rgt_gem_wait, IOW, RENDER_ALLOW, gem::wait),
        (DRM_RGT_GEM_USERPTR, drm_rgt_gem_userptr, IOWR, RENDER_ALLOW, unimplemented),
        (DRM_RGT_GEM_MADVISE, drm_rgt_gem_madvise, IOWR, RENDER_ALLOW, gem::madvise),
        (DRM_RGT_CTX_CREATE, drm_rgt_ctx_create, IOWR, RENDER_ALLOW, context::create),
        (DRM_RGT_CTX_DESTROY, drm_rgt_ctx_destroy, IOW, RENDER_ALLOW, context::destroy),
        (DRM_RGT_VM_CREATE, drm_rgt_vm_create, IOWR, RENDER_ALLOW, vm_ioctl::create),
        (DRM_RGT_VM_DESTROY, drm_rgt_vm_destroy, IOW, RENDER_ALLOW, vm_ioctl::destroy),
        (DRM_RGT_VM_BIND, drm_rgt_vm_bind, IOWR, RENDER_ALLOW, vm_ioctl::bind),
        (DRM_RGT_CS, drm_rgt_cs, IOWR, RENDER_ALLOW, cs::cs),
    }
}

impl DriverTable for RgtDriver {
    fn show_fdinfo(dev: &RgtDevice<drm::Registered>, file: &drm::File<RgtFile>, out: &FdInfo<'_>) {
        fdinfo::show(dev, file, out);
    }

    const FEATURES: Features = Features::SYNCOBJ.union(Features::SYNCOBJ_TIMELINE);
    const PRIME_IMPORT: Option<PrimeImport<Self>> = Some(dma_buf::import);
}

impl ttm::Driver for RgtDriver {
    type Bo = BoData;

    fn ttm(data: &RgtData) -> &ttm::Device<Self> {
        &data.ttm
    }

    fn caching(bo: &Bo) -> Caching {
        bo.caching
    }

    fn evict_placement(bo: &Reserved<'_>) -> &'static [Place] {
        bo::evict_placement(bo)
    }

    fn eviction_valuable(bo: &Reserved<'_>, place: Option<&Place>) -> bool {
        bo::eviction_valuable(bo, place)
    }

    fn release_notify(bo: &Bo) {
        bo::trace::freed(bo);
    }

    fn move_bo<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
        bo::move_bo(mv)
    }

    fn io_mem(res: &Resource) -> Result<IoMem> {
        let run = Self::io_mem_run(res, 0).ok_or(EINVAL)?;

        Ok(IoMem {
            addr: run.addr,
            caching: Caching::WriteCombined,
        })
    }

    fn io_mem_run(res: &Resource, page: usize) -> Option<IoRun> {
        let (manager, vram) = res.of_manager::<Vram>()?;
        let extent = vram.extent_at((page * PAGE_SIZE) as u64)?;

        manager.io_run(&extent)
    }

    fn prepare_fault(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
        bo::prepare_fault(bo, ctx)
    }

    fn check_content(bo: &Bo) -> Result {
        bo::check_content(bo)
    }

    const PEER_BAR: Option<u32> = Some(abi::pci::BAR_VRAM);

    fn may_share(bo: &Bo, reach: Reach) -> Result {
        dma_buf::may_share(bo, reach)
    }

    fn prepare_share(bo: &mut Reserved<'_>, reach: Reach, ctx: &mut OperationCtx) -> Result {
        dma_buf::prepare_share(bo, reach, ctx)
    }

    fn invalidate_import(bo: &mut Reserved<'_>) {
        vm::zap(bo.bo());
    }
}

/// The PCI driver.
pub(crate) struct RgtPciDriver;

/// What lives as long as the PCI device is bound.
///
/// The fields are dropped in this order: first no client gets in any more and the hardware stops,
/// then no bad page is retired any more, then VMs that were given up are waited for, then the
/// shrinker goes, then system pages are unmapped from the device, then its interrupts and its
/// memory are freed.
pub(crate) struct RgtPciData<'bound> {
    _registration: drm::Registration<'bound, RgtDriver>,
    _bad_pages: BadPageWatch,
    _closing: ClosingGuard,
    _shrinker: shrinker::Registration<Shrinker>,
    _mappings: DmaMappings<RgtDriver>,
    _interrupts: Interrupts<'bound>,
    _aperture: Aperture<'bound>,
}

kernel::pci_device_table!(
    PCI_TABLE,
    <RgtPciDriver as pci::Driver>::IdInfo,
    [(
        pci::DeviceId::from_id(pci::Vendor::REDHAT_QUMRANET, abi::pci::DEVICE as u32),
        ()
    )]
);

impl pci::Driver for RgtPciDriver {
    type IdInfo = ();
    type Data<'bound> = RgtPciData<'bound>;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pdev.enable_device_mem()?;
        pdev.set_master();
        let mask = params::dma_mask(pdev.as_ref())?;
        // SAFETY: The device is being probed: nobody else makes DMA allocations or mappings.
        unsafe { pdev.dma_set_mask_and_coherent(mask)? };
        // SAFETY: As above. Page tables take segments of any length.
        unsafe { pdev.dma_set_max_seg_size(u32::MAX) };
        let alloc_flags = params::alloc_flags(pdev.as_ref())?;

        let plain_lru = params::plain_lru(pdev.as_ref())?;
        let job_timeout = params::job_timeout(pdev.as_ref())?;

        let gpu = Gpu::new(pdev)?;
        let interrupts = gpu.interrupts(pdev)?;
        let aperture = Aperture::new(pdev, abi::pci::BAR_VRAM, c"rust_gpu_ttm")?;
        // Without it nobody else gets VRAM.
        let _ = init_peer_to_peer(pdev)?;
        // As other drivers do, half of the machine's memory is left to everything else.
        let managers = Managers::new(&gpu, aperture.range(), total_ram() / 2)?;

        let vram_map = aperture.map(managers.vram.inner().visible_size())?;
        let queues = Queues::new(pdev.as_ref(), &gpu, job_timeout)?;
        let data = RgtData::new(
            managers.clone(),
            vram_map,
            queues,
            plain_lru,
            module_parameters::moveback_mbps.value(),
        );
        let drm = drm::UnregisteredDevice::<RgtDriver>::new(pdev, data)?;
        driver_table::extend(&drm)?;
        debugfs::add_files(&drm);
        ttm::Device::init(&drm, alloc_flags, managers.attach())?;
        let mappings = DmaMappings::new(&drm);
        let closing = Closing::guard(&drm);
        bo::selftest::run(&drm, pdev.as_ref(), &gpu)?;
        let shrinker = Shrinker::register(&drm)?;
        let bad_pages = gpu.bad_pages().watch(Retirement::new(&drm))?;

        // SAFETY: It is kept in `RgtPciData` and dropped with it; nobody forgets it.
        let registration =
            unsafe { drm::Registration::new(pdev.as_ref(), drm, Ok::<_, Error>(gpu), 0)? };
        Ok(RgtPciData {
            _registration: registration,
            _bad_pages: bad_pages,
            _closing: closing,
            _shrinker: shrinker,
            _mappings: mappings,
            _interrupts: interrupts,
            _aperture: aperture,
        })
    }
}

/// The commands that `declare_ioctls!` computes are those of the C header.
const _: () = {
    let table = <RgtDriver as drm::Driver>::IOCTLS;
    assert!(table[DRM_RGT_GEM_CREATE as usize].cmd == bindings::RGT_IOCTL_GEM_CREATE);
    assert!(table[DRM_RGT_GEM_WAIT as usize].cmd == bindings::RGT_IOCTL_GEM_WAIT);
    assert!(table[DRM_RGT_VM_BIND as usize].cmd == bindings::RGT_IOCTL_VM_BIND);
    assert!(table[DRM_RGT_CS as usize].cmd == bindings::RGT_IOCTL_CS);
};
