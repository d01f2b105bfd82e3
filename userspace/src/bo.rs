// SPDX-License-Identifier: MIT

//! Buffer objects.

use std::sync::Arc;
use std::time::Duration;

use bitflags::bitflags;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::ioctl;
use crate::mapping::Mapping;
use crate::uapi;
use crate::vm::Vm;

bitflags! {
    /// Regions that a BO may be in.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Placement: u32 {
        /// Pages that the GPU does not see.
        const SYSTEM = uapi::DRM_RGT_PLACEMENT_SYSTEM;
        /// Pages that the GPU sees.
        const GTT = uapi::DRM_RGT_PLACEMENT_GTT;
        /// The GPU's own memory.
        const VRAM = uapi::DRM_RGT_PLACEMENT_VRAM;
        /// The GPU's on-chip memory.
        const SCRATCHPAD = uapi::DRM_RGT_PLACEMENT_SCRATCHPAD;
    }

    /// Flags of a BO's placement.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct BoFlags: u32 {
        /// One block of VRAM.
        const CONTIGUOUS = uapi::DRM_RGT_GEM_CONTIGUOUS;
        /// VRAM that the CPU can map at any time.
        const CPU_ACCESS = uapi::DRM_RGT_GEM_CPU_ACCESS;
        /// Better VRAM that the CPU cannot map.
        const NO_CPU_ACCESS = uapi::DRM_RGT_GEM_NO_CPU_ACCESS;
    }
}

/// How the CPU maps a BO that is in system pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum Caching {
    /// Cached; for what the CPU reads.
    #[default]
    Cached = uapi::DRM_RGT_CACHING_CACHED,
    /// Write-combined; for what the CPU only writes.
    WriteCombined = uapi::DRM_RGT_CACHING_WC,
}

/// When a BO is evicted, compared with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum BoPriority {
    /// With those that are hardly used.
    Low = uapi::DRM_RGT_GEM_PRIORITY_LOW,
    /// By its use.
    #[default]
    Normal = uapi::DRM_RGT_GEM_PRIORITY_NORMAL,
    /// After all others; takes CAP_SYS_NICE.
    High = uapi::DRM_RGT_GEM_PRIORITY_HIGH,
}

/// Which jobs a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// Those that write the BO: enough before the CPU reads it.
    Writers,
    /// Those that read it too: needed before the CPU writes it.
    All,
}

/// The properties of a BO that is to be created.
#[derive(Debug, Clone)]
pub struct BoBuilder {
    pub(crate) size: u64,
    pub(crate) placement: Placement,
    pub(crate) preferred: Placement,
    pub(crate) priority: BoPriority,
    pub(crate) flags: BoFlags,
    pub(crate) caching: Caching,
    pub(crate) alignment: u32,
    pub(crate) vm: Option<Vm>,
}

impl BoBuilder {
    /// Regions that the BO may be in. VRAM or else GTT unless told.
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Those of its regions that are tried first. All unless told.
    pub fn preferred(mut self, preferred: Placement) -> Self {
        self.preferred = preferred;
        self
    }

    /// When it is evicted, compared with others.
    pub fn priority(mut self, priority: BoPriority) -> Self {
        self.priority = priority;
        self
    }

    /// The flags of its placement.
    pub fn flags(mut self, flags: BoFlags) -> Self {
        self.flags = flags;
        self
    }

    /// How the CPU maps it. Cached unless told.
    pub fn caching(mut self, caching: Caching) -> Self {
        self.caching = caching;
        self
    }

    /// Alignment in VRAM: a power of two up to 2 MiB.
    pub fn alignment(mut self, bytes: u32) -> Self {
        self.alignment = bytes;
        self
    }

    /// Private to a VM: it can be bound in no other, and every job of the VM uses it.
    pub fn private(mut self, vm: &Vm) -> Self {
        self.vm = Some(vm.clone());
        self
    }

    /// Creates the BO.
    pub fn create(self, device: &Device) -> Result<Bo> {
        let mut request = uapi::drm_rgt_gem_create {
            size: self.size,
            placement: self.placement.bits(),
            preferred: self.preferred.bits(),
            priority: self.priority as u32,
            flags: self.flags.bits(),
            caching: self.caching as u32,
            alignment: self.alignment,
            vm_id: self.vm.as_ref().map_or(0, Vm::id),
            ..Default::default()
        };
        device.call(&mut request)?;
        Ok(Bo {
            device: device.clone(),
            handle: Handle::new(device, request.handle),
            size: request.size,
            made_as: self,
        })
    }
}

/// A buffer object. Dropping it closes its handle; jobs and mappings keep what they use.
#[derive(Debug)]
pub struct Bo {
    device: Device,
    handle: Arc<Handle>,
    size: u64,
    made_as: BoBuilder,
}

impl Bo {
    /// Begins a BO of a size, which the kernel rounds up to whole pages.
    pub fn builder(size: u64) -> BoBuilder {
        BoBuilder {
            size,
            placement: Placement::VRAM | Placement::GTT,
            preferred: Placement::empty(),
            priority: BoPriority::default(),
            flags: BoFlags::empty(),
            caching: Caching::default(),
            alignment: 0,
            vm: None,
        }
    }

    /// Its handle among the device's.
    pub fn handle(&self) -> u32 {
        self.handle.id()
    }

    /// Its size in bytes, whole pages.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The device it is of.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The BO of a handle.
    pub(crate) fn of_handle(
        device: &Device,
        handle: Arc<Handle>,
        size: u64,
        made_as: BoBuilder,
    ) -> Self {
        Self {
            device: device.clone(),
            handle,
            size,
            made_as,
        }
    }

    /// Notes that others may have it, too.
    pub(crate) fn share(&self) {
        self.handle.share();
    }

    /// Whether it was exported or imported.
    pub fn is_shared(&self) -> bool {
        self.handle.is_shared()
    }

    /// Whether it is private to a VM.
    pub fn is_private(&self) -> bool {
        self.made_as.vm.is_some()
    }

    pub(crate) fn made_as(&self) -> &BoBuilder {
        &self.made_as
    }

    /// Maps all of it for the CPU.
    pub fn map(&self) -> Result<Mapping> {
        self.map_front(self.size as usize)
    }

    /// Maps its first `len` bytes for the CPU. DRM maps BOs from their beginning only.
    pub fn map_front(&self, len: usize) -> Result<Mapping> {
        Mapping::new(&self.device, self.mmap_offset()?, len)
    }

    /// The offset of its first byte in the device file.
    pub fn mmap_offset(&self) -> Result<u64> {
        let mut request = uapi::drm_rgt_gem_mmap_offset {
            handle: self.handle(),
            ..Default::default()
        };
        self.device.call(&mut request)?;
        Ok(request.offset)
    }

    /// Returns the kernel's view of it, with the region that it is in now.
    pub fn info(&self) -> Result<BoInfo> {
        let mut request = uapi::drm_rgt_gem_info {
            handle: self.handle(),
            ..Default::default()
        };
        self.device.call(&mut request)?;
        Ok(BoInfo {
            size: request.size,
            placement: Placement::from_bits_retain(request.placement),
            flags: BoFlags::from_bits_retain(request.flags),
            alignment: request.alignment,
            vm_id: request.vm_id,
            current_placement: Placement::from_bits_retain(request.current_placement),
        })
    }

    /// Says that its content is needed. False when it was purged: then it reads as zeros, and this
    /// is the one time to learn of it.
    pub fn will_need(&self) -> Result<bool> {
        self.advise(uapi::DRM_RGT_MADVISE_WILLNEED)
    }

    /// Says that its content is not needed, so that the kernel may take its memory; until
    /// [`Self::will_need`], it cannot be used. False when it was purged already.
    pub fn dont_need(&self) -> Result<bool> {
        self.advise(uapi::DRM_RGT_MADVISE_DONTNEED)
    }

    fn advise(&self, advice: u32) -> Result<bool> {
        let mut request = uapi::drm_rgt_gem_madvise {
            handle: self.handle(),
            advice,
            ..Default::default()
        };
        self.device.call(&mut request)?;
        Ok(request.retained != 0)
    }

    /// Waits for its jobs; `TimedOut` when they are not done in time.
    pub fn wait(&self, timeout: Duration, what: WaitFor) -> Result<()> {
        self.wait_until(deadline_after(timeout), what)
    }

    /// Whether its jobs are done.
    pub fn is_idle(&self, what: WaitFor) -> Result<bool> {
        match self.wait_until(0, what) {
            Ok(()) => Ok(true),
            Err(Error::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wait_until(&self, timeout_ns: i64, what: WaitFor) -> Result<()> {
        let flags = match what {
            WaitFor::Writers => 0,
            WaitFor::All => uapi::DRM_RGT_GEM_WAIT_READERS,
        };
        let mut request = uapi::drm_rgt_gem_wait {
            handle: self.handle(),
            flags,
            timeout_ns,
            ..Default::default()
        };
        ioctl::call(&self.device, &mut request).map_err(|errno| match errno {
            Errno::TIME => Error::TimedOut,
            errno => Error::Os {
                call: "GEM_WAIT",
                errno,
            },
        })
    }
}

/// The kernel's view of a BO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoInfo {
    /// Size in bytes.
    pub size: u64,
    /// Regions that it may be in.
    pub placement: Placement,
    /// The flags of its placement.
    pub flags: BoFlags,
    /// Alignment in VRAM, or 0.
    pub alignment: u32,
    /// The VM that it is private to, or 0.
    pub vm_id: u32,
    /// The region that it is in; empty before its first use.
    pub current_placement: Placement,
}

/// The CLOCK_MONOTONIC time in nanoseconds that is a duration from now.
pub fn deadline_after(timeout: Duration) -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    let timeout = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
    (now.tv_sec * 1_000_000_000 + now.tv_nsec).saturating_add(timeout)
}
