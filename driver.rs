// SPDX-License-Identifier: GPL-2.0

//! PCI probe and unbind, DRM registration.

use kernel::{
    device::{
        Bound,
        Core,
        DeviceContext, //
    },
    dma::Device as _,
    drm::{
        self,
        ioctl::RENDER_ALLOW, //
    },
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::Msecs, //
};

use crate::{
    bo::{
        self,
        BoData,
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
        EventWatch,
        Gpu,
        Interrupts,
        Recovery,
        RecoveryHandler,
        Resetter, //
    },
    ioctl::{
        context,
        cs,
        gem,
        query,
        vm::{
            self as vm_ioctl,
            create_queue,
            destroy_queue, //
        }, //
    },
    module_parameters,
    params,
    resource_mgr::Managers,
    rust::{
        bindings::{
            self,
            drm_rgt_bind_queue_create,
            drm_rgt_bind_queue_destroy,
            drm_rgt_cs,
            drm_rgt_ctx_create,
            drm_rgt_ctx_destroy,
            drm_rgt_ctx_set_property,
            drm_rgt_gem_create,
            drm_rgt_gem_info,
            drm_rgt_gem_madvise,
            drm_rgt_gem_mmap_offset,
            drm_rgt_gem_wait,
            drm_rgt_query,
            drm_rgt_vm_bind,
            drm_rgt_vm_create,
            drm_rgt_vm_destroy,
            DRM_RGT_BIND_QUEUE_CREATE,
            DRM_RGT_BIND_QUEUE_DESTROY,
            DRM_RGT_CS,
            DRM_RGT_CTX_CREATE,
            DRM_RGT_CTX_DESTROY,
            DRM_RGT_CTX_SET_PROPERTY,
            DRM_RGT_GEM_CREATE,
            DRM_RGT_GEM_INFO,
            DRM_RGT_GEM_MADVISE,
            DRM_RGT_GEM_MMAP_OFFSET,
            DRM_RGT_GEM_WAIT,
            DRM_RGT_QUERY,
            DRM_RGT_VM_BIND,
            DRM_RGT_VM_CREATE,
            DRM_RGT_VM_DESTROY, //
        },
        drm::{
            device::enter,
            driver::{
                self as driver_table,
                DriverTable,
                Features,
                PrimeImport, //
            },
            fdinfo::FdInfo,
            gpusvm::MappedPagesGuard,
            ioctl::declare_ioctls,
            ttm::{
                self,
                DmaMappings, //
            },
            wedged, //
        },
        mm::total_ram,
        module::DropGuarantee,
        pci::{
            init_peer_to_peer,
            restore_state,
            save_state,
            Aperture,
            Autosuspend,
            ChannelState,
            ErrorHandlers,
            ErrorResult,
            RuntimePm,
            SystemSleep, //
        },
        pm::{
            self,
            runtime::{
                Power,
                Suspending, //
            },
            SleepNotifier,
            Transition, //
        },
        shrinker, //
    },
    sched::Queues,
    vm::{
        self,
        ReaperGuard, //
    }, //
};

#[vtable]
impl drm::Driver for RgtDriver {
    type Data = ttm::DeviceData<Self>;
    type RegistrationData<'a> = Gpu;
    type Object = ttm::Object<BoData>;
    type File = RgtFile;
    type ParentDevice<Ctx: DeviceContext> = pci::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
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
        (DRM_RGT_GEM_MADVISE, drm_rgt_gem_madvise, IOWR, RENDER_ALLOW, gem::madvise),
        (DRM_RGT_CTX_CREATE, drm_rgt_ctx_create, IOWR, RENDER_ALLOW, context::create),
        (DRM_RGT_CTX_DESTROY, drm_rgt_ctx_destroy, IOW, RENDER_ALLOW, context::destroy),
        (DRM_RGT_CTX_SET_PROPERTY, drm_rgt_ctx_set_property, IOW, RENDER_ALLOW, context::set_property),
        (DRM_RGT_VM_CREATE, drm_rgt_vm_create, IOWR, RENDER_ALLOW, vm_ioctl::create),
        (DRM_RGT_VM_DESTROY, drm_rgt_vm_destroy, IOW, RENDER_ALLOW, vm_ioctl::destroy),
        (DRM_RGT_BIND_QUEUE_CREATE, drm_rgt_bind_queue_create, IOWR, RENDER_ALLOW, create_queue),
        (DRM_RGT_BIND_QUEUE_DESTROY, drm_rgt_bind_queue_destroy, IOW, RENDER_ALLOW, destroy_queue),
        (DRM_RGT_VM_BIND, drm_rgt_vm_bind, IOW, RENDER_ALLOW, vm_ioctl::bind),
        (DRM_RGT_CS, drm_rgt_cs, IOW, RENDER_ALLOW, cs::cs),
    }
}

impl DriverTable for RgtDriver {
    fn show_fdinfo(dev: &RgtDevice<drm::Registered>, file: &drm::File<RgtFile>, out: &FdInfo<'_>) {
        fdinfo::show(dev, file, out);
    }

    const FEATURES: Features = Features::SYNCOBJ.union(Features::SYNCOBJ_TIMELINE);
    const PRIME_IMPORT: Option<PrimeImport<Self>> = Some(dma_buf::import);
}

/// The PCI driver.
pub(crate) struct RgtPciDriver;

/// How long a device is idle before it sleeps, unless user space says so: what is in VRAM is copied
/// for that, and back when it is used.
const AUTOSUSPEND_DELAY: Msecs = 5000;

/// The data of the PCI driver, which lives as long as the device is bound.
///
/// The fields are dropped in this order: first nothing is evicted for sleep any more, then the device
/// is unregistered and the hardware stops, then no bad page is retired any more and no recovery is
/// told, then dying VMs are waited for, then the shrinker is unregistered, then system pages and
/// those of processes are unmapped from the device, then its interrupts and its memory are freed. It
/// is awake all the while.
pub(crate) struct RgtPciData<'bound> {
    _evacuation: pm::Registration<Evacuation>,
    _registration: drm::Registration<'bound, RgtDriver>,
    _bad_pages: EventWatch,
    _recoveries: EventWatch,
    _reaper: ReaperGuard,
    _shrinker: shrinker::Registration<Shrinker>,
    _mappings: DmaMappings<RgtDriver>,
    _user_pages: MappedPagesGuard,
    _interrupts: Interrupts<'bound>,
    _aperture: Aperture<'bound>,
    resetter: Arc<Resetter>,
    drm: ARef<RgtDevice>,
    autosuspend: Autosuspend,
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
        // SAFETY: The device is being probed: there are no other DMA allocations or mappings.
        unsafe { pdev.dma_set_mask_and_coherent(mask)? };
        // SAFETY: As above. Page tables take segments of any length.
        unsafe { pdev.dma_set_max_seg_size(u32::MAX) };
        let alloc_flags = params::alloc_flags(pdev.as_ref())?;

        let plain_lru = params::plain_lru(pdev.as_ref())?;
        let job_timeout = params::job_timeout(pdev.as_ref())?;

        // SAFETY: `RgtPciData`, which is dropped when the device is unbound, owns what is made with
        // it, or `RgtData` does. A DRM device outlives that by files and exports, which have
        // references to the module. Neither is forgotten, and nothing that they own refers to them
        // for good.
        let guarantee = unsafe { DropGuarantee::new() };

        let gpu = Gpu::new(pdev)?;
        let interrupts = gpu.interrupts(guarantee, pdev)?;
        let aperture = Aperture::new(pdev, abi::pci::BAR_VRAM, c"rust_gpu_ttm")?;
        // Without it VRAM is not shared peer to peer.
        let _ = init_peer_to_peer(pdev)?;
        // As other drivers do, half of the machine's memory is left to everything else.
        // SAFETY: The aperture goes after the registration, see `RgtPciData`.
        let window = unsafe { aperture.io_region() };
        let managers = Managers::new(&gpu, window, total_ram() / 2)?;

        if gpu.info().table_memory != 0 {
            let window = aperture.map(gpu.info().table_memory)?;
            gpu.set_table_memory(KBox::new(window, GFP_KERNEL)?)?;
        }
        let vram_map = aperture.map(managers.vram.inner().cpu_visible_end())?;
        let power = Arc::new(Power::new(pdev.as_ref()), GFP_KERNEL)?;
        let queues = Queues::new(guarantee, pdev.as_ref(), &gpu, &power, job_timeout)?;
        let data = RgtData::new(
            managers.clone(),
            &vm::Mappings,
            vram_map,
            power,
            queues,
            params::maps_user_pages(pdev.as_ref()),
            (plain_lru, module_parameters::moveback_mbps.value()),
        );
        let drm = drm::UnregisteredDevice::<RgtDriver>::new(pdev, ttm::DeviceData::new(data))?;
        driver_table::extend(&drm)?;
        debugfs::add_files(&drm);
        ttm::Device::init(&drm, alloc_flags, managers.attach())?;
        let mappings = DmaMappings::new(&drm);
        let user_pages = MappedPagesGuard::new(guarantee, &drm, &drm.user_pages)?;
        let reaper = ReaperGuard::new(&drm);
        bo::selftest::run(&drm, pdev.as_ref(), &gpu)?;
        let shrinker = Shrinker::register(&drm, guarantee)?;
        let bad_pages = gpu.bad_pages().watch(Retirement::new(&drm))?;
        let resetter = gpu.resetter().clone();
        let recoveries = resetter.events().watch(RecoveryReport::new(&drm))?;

        let device: ARef<RgtDevice> = (&*drm).into();
        let evacuation = pm::Registration::new(guarantee, Evacuation(device.clone()))?;
        // For a reset of the slot.
        save_state(pdev)?;
        // SAFETY: It is kept in `RgtPciData` and dropped with it; nothing forgets it.
        let registration =
            unsafe { drm::Registration::new(pdev.as_ref(), drm, Ok::<_, Error>(gpu), 0)? };
        Ok(RgtPciData {
            _evacuation: evacuation,
            _registration: registration,
            _bad_pages: bad_pages,
            _recoveries: recoveries,
            _reaper: reaper,
            _shrinker: shrinker,
            _mappings: mappings,
            _user_pages: user_pages,
            _interrupts: interrupts,
            _aperture: aperture,
            resetter,
            drm: device,
            autosuspend: Autosuspend::enable(pdev, AUTOSUSPEND_DELAY),
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        data.autosuspend.disable(pdev);
        // Clients that wait for jobs hold up what follows.
        data.drm.queues.abandon();
    }
}

impl ErrorHandlers for RgtPciDriver {
    fn reset_prepare(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) {
        data.resetter
            .prepare_bus_reset(data.drm.power.resume_and_get().ok());
    }

    fn reset_done(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) {
        data.resetter.finish_bus_reset();
    }

    fn error_detected(
        _pdev: &pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'_>>,
        state: ChannelState,
    ) -> ErrorResult {
        match state {
            ChannelState::Normal => ErrorResult::CanRecover,
            ChannelState::Frozen => {
                data.resetter
                    .prepare_bus_reset(data.drm.power.resume_and_get().ok());
                ErrorResult::NeedReset
            }
            ChannelState::PermanentFailure => {
                data.resetter.give_up();
                ErrorResult::Disconnect
            }
        }
    }

    fn slot_reset(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> ErrorResult {
        restore_state(pdev);
        match data.resetter.answers() {
            true => ErrorResult::Recovered,
            false => ErrorResult::Disconnect,
        }
    }

    fn resume(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) {
        data.resetter.finish_bus_reset();
    }
}

impl SystemSleep for RgtPciDriver {
    fn prepare(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result {
        // Nothing moves while a runtime suspend is under way, which goes on with tasks frozen.
        data.drm.power.settle();
        bo::empty_local_memory(&data.drm)
    }

    fn suspend(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result {
        data.drm.queues.sleep()
    }

    fn resume(_pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result {
        data.drm.queues.wake();
        Ok(())
    }
}

impl RuntimePm for RgtPciDriver {
    fn runtime_suspend(
        _pdev: &pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'_>>,
        suspending: &Suspending<'_>,
    ) -> Result {
        let drm = &data.drm;

        drm.power.suspend(suspending, || {
            bo::empty_unused_memory(drm, suspending)?;
            drm.queues.sleep_unused()
        })
    }

    fn runtime_resume(_pdev: &pci::Device<Bound>, data: Pin<&Self::Data<'_>>) {
        data.drm.queues.wake();
    }
}

/// Evicts BOs before tasks are frozen and devices suspended.
struct Evacuation(ARef<RgtDevice>);

impl SleepNotifier for Evacuation {
    fn prepare(&self, transition: Transition) -> Result {
        bo::evict_local_memory(&self.0)?;
        match transition {
            Transition::Suspend => Ok(()),
            // Pages of BOs are not in the image, which has to fit into half of the memory.
            Transition::Hibernation => self.0.ttm().prepare_hibernation(),
        }
    }
}

/// Tells user space of recoveries, and of devices that do not recover.
struct RecoveryReport(ARef<RgtDevice>);

impl RecoveryReport {
    fn new(dev: &RgtDevice) -> Self {
        Self(dev.into())
    }
}

impl RecoveryHandler for RecoveryReport {
    fn handle(&self, recovery: Recovery) {
        let Some(dev) = enter(&self.0) else {
            return;
        };
        let helps = match recovery {
            Recovery::Done => wedged::Recovery::NONE,
            // A probe sets up all of it, the configuration too.
            Recovery::Stuck => wedged::Recovery::REBIND.or(wedged::Recovery::BUS_RESET),
            Recovery::Gone => wedged::Recovery::BUS_RESET,
        };
        // The event is best effort.
        let _ = wedged::wedged_event(&dev, helps);
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
