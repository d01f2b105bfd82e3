// SPDX-License-Identifier: MIT

//! Queries about the device.

use std::fmt;
use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::ioctl;
use crate::uapi;

/// Asks a query, about the thing with a number if it is about one, into a buffer; gives the size
/// of the whole answer.
pub(crate) fn query_into(fd: impl AsFd, query: u32, arg: u32, data: &mut [u8]) -> Result<u64> {
    let mut request = uapi::drm_rgt_query {
        query,
        arg,
        size: data.len() as u64,
        data: data.as_mut_ptr() as u64,
        ..Default::default()
    };
    // SAFETY: The kernel writes at most `size` bytes at `data`, which is this buffer.
    unsafe { ioctl::call_unchecked(fd, &mut request) }.map_err(|errno| Error::Os {
        call: "QUERY",
        errno,
    })?;
    Ok(request.size)
}

/// Asks a query of any size.
fn query(fd: impl AsFd, query: u32) -> Result<Vec<u8>> {
    query_about(fd, query, 0)
}

/// Asks a query of any size about the thing with a number.
fn query_about(fd: impl AsFd, query: u32, arg: u32) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let size = query_into(fd.as_fd(), query, arg, &mut data)? as usize;
        if size <= data.len() {
            data.truncate(size);
            return Ok(data);
        }
        data = vec![0; size];
    }
}

/// A field of an answer; an older driver's shorter answer has zeros there.
fn u64_at(answer: &[u8], offset: usize) -> u64 {
    let bytes = answer
        .get(offset..offset + 8)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_ne_bytes)
}

fn u32_at(answer: &[u8], offset: usize) -> u32 {
    let bytes = answer
        .get(offset..offset + 4)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u32::from_ne_bytes)
}

/// The entries of an answer that is a list.
fn entries(answer: &[u8]) -> Result<impl Iterator<Item = &[u8]>> {
    let count = u32_at(answer, offset_of!(uapi::drm_rgt_query_list, count)) as usize;
    let stride = u32_at(answer, offset_of!(uapi::drm_rgt_query_list, stride)) as usize;
    let body = answer
        .get(size_of::<uapi::drm_rgt_query_list>()..)
        .unwrap_or_default();
    if count > 0 && (stride == 0 || body.len() / stride < count) {
        return Err(Error::BadAnswer("a list is shorter than its head says"));
    }
    Ok(body.chunks_exact(stride.max(1)).take(count))
}

/// Properties of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Major and minor revision of the hardware.
    pub revision: (u16, u16),
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// GPU virtual addresses that can be bound.
    pub va: Range<u64>,
    /// Granularity of sizes, offsets and GPU addresses.
    pub page_size: u32,
    /// Size of a BO.
    pub max_bo_bytes: u64,
    /// Addresses that a VM can have mapped, in bytes; 0 for no limit.
    pub max_vm_bytes: u64,
    /// VMs that all clients together can have; 0 for no limit.
    pub max_vms: u32,
    /// Contexts of a client.
    pub max_contexts: u32,
    /// Bind queues of a VM.
    pub max_bind_queues: u32,
    /// Operations in one bind.
    pub max_bind_ops: u32,
    /// BOs that a job may name.
    pub max_bos: u32,
    /// Syncs in a list.
    pub max_syncs: u32,
    /// Largest indirect buffer.
    pub max_ib_dwords: u32,
    /// Most indirect buffers in one job.
    pub max_ibs: u32,
    /// Device resets since the GPU was powered on.
    pub reset_count: u64,
    /// How often VRAM has lost its content, plus 1.
    pub vram_generation: u64,
    /// Whether jobs can do atomics in VRAM and scratchpad.
    pub atomics: bool,
    /// Whether they can do them in system memory, too.
    pub system_atomics: bool,
    /// Whether memory of processes can be mapped.
    pub user_memory: bool,
}

impl DeviceInfo {
    pub(crate) fn query(fd: impl AsFd) -> Result<Self> {
        query(fd, uapi::DRM_RGT_QUERY_DEVICE).map(|answer| Self::parse(&answer))
    }

    fn parse(answer: &[u8]) -> Self {
        use uapi::drm_rgt_query_device as Answer;
        let revision = u32_at(answer, offset_of!(Answer, revision));
        let features = u64_at(answer, offset_of!(Answer, features));
        let has = |feature| features & u64::from(feature) != 0;
        let pci_id = u32_at(answer, offset_of!(Answer, pci_id));
        Self {
            revision: ((revision >> 16) as u16, revision as u16),
            vendor: pci_id as u16,
            device: (pci_id >> 16) as u16,
            va: u64_at(answer, offset_of!(Answer, va_start))
                ..u64_at(answer, offset_of!(Answer, va_end)),
            page_size: u32_at(answer, offset_of!(Answer, page_size)),
            max_bo_bytes: u64_at(answer, offset_of!(Answer, max_bo_bytes)),
            max_vm_bytes: u64_at(answer, offset_of!(Answer, max_vm_bytes)),
            max_vms: u32_at(answer, offset_of!(Answer, max_vms)),
            max_contexts: u32_at(answer, offset_of!(Answer, max_contexts)),
            max_bind_queues: u32_at(answer, offset_of!(Answer, max_bind_queues)),
            max_bind_ops: u32_at(answer, offset_of!(Answer, max_bind_ops)),
            max_bos: u32_at(answer, offset_of!(Answer, max_bos)),
            max_syncs: u32_at(answer, offset_of!(Answer, max_syncs)),
            max_ib_dwords: u32_at(answer, offset_of!(Answer, max_ib_dwords)),
            max_ibs: u32_at(answer, offset_of!(Answer, max_ibs)),
            reset_count: u64_at(answer, offset_of!(Answer, reset_count)),
            vram_generation: u64_at(answer, offset_of!(Answer, vram_generation)),
            atomics: has(uapi::DRM_RGT_FEATURE_ATOMICS),
            system_atomics: has(uapi::DRM_RGT_FEATURE_SYSTEM_ATOMICS),
            user_memory: has(uapi::DRM_RGT_FEATURE_USERPTR),
        }
    }
}

/// Which memory a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegionKind {
    /// Pages that the GPU does not see.
    System,
    /// Pages that the GPU sees.
    Gtt,
    /// The GPU's own memory.
    Vram,
    /// The GPU's on-chip memory.
    Scratchpad,
    /// One that a later driver added.
    Other(u32),
}

impl From<u32> for RegionKind {
    fn from(region: u32) -> Self {
        match region {
            uapi::DRM_RGT_REGION_SYSTEM => Self::System,
            uapi::DRM_RGT_REGION_GTT => Self::Gtt,
            uapi::DRM_RGT_REGION_VRAM => Self::Vram,
            uapi::DRM_RGT_REGION_SCRATCHPAD => Self::Scratchpad,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for RegionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.pad("system"),
            Self::Gtt => f.pad("GTT"),
            Self::Vram => f.pad("VRAM"),
            Self::Scratchpad => f.pad("scratchpad"),
            Self::Other(number) => f.pad(&format!("region {number}")),
        }
    }
}

/// A memory region and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Which memory it is.
    pub kind: RegionKind,
    /// Granularity of allocation, in bytes.
    pub min_page_size: u32,
    /// Bytes that it can hold; 0 for no limit of its own.
    pub size: u64,
    /// Bytes in use by all clients and the kernel; 0 for callers without `CAP_PERFMON`.
    pub used: u64,
    /// Bytes of `size` that the CPU can map.
    pub cpu_visible_size: u64,
    /// Bytes of those in use; 0 likewise.
    pub cpu_visible_used: u64,
}

impl Region {
    fn parse(entry: &[u8]) -> Self {
        use uapi::drm_rgt_region as Entry;
        Self {
            kind: u32_at(entry, offset_of!(Entry, region)).into(),
            min_page_size: u32_at(entry, offset_of!(Entry, min_page_size)),
            size: u64_at(entry, offset_of!(Entry, size)),
            used: u64_at(entry, offset_of!(Entry, used)),
            cpu_visible_size: u64_at(entry, offset_of!(Entry, cpu_visible_size)),
            cpu_visible_used: u64_at(entry, offset_of!(Entry, cpu_visible_used)),
        }
    }
}

/// A class of engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineClass {
    /// Every packet.
    Render,
    /// Copies, fills, writes and checksums.
    Copy,
    /// One that a later driver added.
    Other(u32),
}

impl From<u32> for EngineClass {
    fn from(class: u32) -> Self {
        match class {
            uapi::DRM_RGT_ENGINE_CLASS_RENDER => Self::Render,
            uapi::DRM_RGT_ENGINE_CLASS_COPY => Self::Copy,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for EngineClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Render => f.pad("render"),
            Self::Copy => f.pad("copy"),
            Self::Other(number) => f.pad(&format!("class {number}")),
        }
    }
}

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// The number that jobs name it by.
    pub id: u32,
    /// Its class.
    pub class: EngineClass,
}

impl Engine {
    pub(crate) fn query(fd: impl AsFd) -> Result<Vec<Self>> {
        let answer = query(fd, uapi::DRM_RGT_QUERY_ENGINES)?;
        Ok(entries(&answer)?.map(Self::parse).collect())
    }

    fn parse(entry: &[u8]) -> Self {
        Self {
            id: u32_at(entry, offset_of!(uapi::drm_rgt_engine, engine)),
            class: u32_at(entry, offset_of!(uapi::drm_rgt_engine, engine_class)).into(),
        }
    }
}

/// How a job accessed memory when it faulted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAccess {
    /// A packet read.
    Read,
    /// A packet wrote.
    Write,
    /// The engine fetched packets.
    Fetch,
    /// Something that a later driver added.
    Other(u32),
}

/// Why the GPU refused an access, or a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultReason {
    /// Nothing is mapped there.
    NotPresent,
    /// The mapping is read-only.
    NotWritable,
    /// A page table is broken.
    BadEntry,
    /// A page table points to no memory.
    BadAddress,
    /// There is no such address.
    OutOfRange,
    /// It is no packet, or not one for this engine or place.
    BadPacket,
    /// An operand is not aligned as its packet asks.
    Misaligned,
    /// An atomic, and what is there takes none.
    NoAtomics,
    /// VRAM went bad there.
    Poisoned,
    /// One that a later driver added.
    Other(u32),
}

impl From<u32> for FaultReason {
    fn from(reason: u32) -> Self {
        match reason {
            uapi::DRM_RGT_REASON_NOT_PRESENT => Self::NotPresent,
            uapi::DRM_RGT_REASON_NOT_WRITABLE => Self::NotWritable,
            uapi::DRM_RGT_REASON_BAD_ENTRY => Self::BadEntry,
            uapi::DRM_RGT_REASON_BAD_ADDRESS => Self::BadAddress,
            uapi::DRM_RGT_REASON_OUT_OF_RANGE => Self::OutOfRange,
            uapi::DRM_RGT_REASON_BAD_PACKET => Self::BadPacket,
            uapi::DRM_RGT_REASON_MISALIGNED => Self::Misaligned,
            uapi::DRM_RGT_REASON_NO_ATOMICS => Self::NoAtomics,
            uapi::DRM_RGT_REASON_POISONED => Self::Poisoned,
            other => Self::Other(other),
        }
    }
}

/// An access of a job that the GPU refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// GPU virtual address.
    pub address: u64,
    /// The kind of access.
    pub access: FaultAccess,
    /// The engine it ran on.
    pub engine: u32,
    /// Why it was refused.
    pub reason: FaultReason,
}

/// Why a context takes no more jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A job took too long.
    Hang,
    /// A job faulted.
    Fault(Fault),
    /// VRAM that its jobs used lost its content.
    VramLost,
    /// The GPU does not answer any more.
    DeviceLost,
    /// A job read VRAM that went bad.
    BadMemory(Fault),
    /// One that a later driver added.
    Other(u32),
}

/// The status of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextStatus {
    /// Why it takes no more jobs; none if it does.
    pub cause: Option<Cause>,
    /// Whether one of its own jobs is the cause.
    pub guilty: bool,
    /// Resets of engines and of the device since it was made.
    pub resets: u64,
}

impl ContextStatus {
    fn parse(answer: &[u8]) -> Self {
        use uapi::drm_rgt_query_ctx as Answer;
        let access = match u32_at(answer, offset_of!(Answer, fault_access)) {
            uapi::DRM_RGT_FAULT_READ => FaultAccess::Read,
            uapi::DRM_RGT_FAULT_WRITE => FaultAccess::Write,
            uapi::DRM_RGT_FAULT_FETCH => FaultAccess::Fetch,
            other => FaultAccess::Other(other),
        };
        let fault = Fault {
            address: u64_at(answer, offset_of!(Answer, fault_address)),
            access,
            engine: u32_at(answer, offset_of!(Answer, fault_engine)),
            reason: u32_at(answer, offset_of!(Answer, fault_reason)).into(),
        };
        let cause = match u32_at(answer, offset_of!(Answer, cause)) {
            uapi::DRM_RGT_CAUSE_NONE => None,
            uapi::DRM_RGT_CAUSE_HANG => Some(Cause::Hang),
            uapi::DRM_RGT_CAUSE_FAULT => Some(Cause::Fault(fault)),
            uapi::DRM_RGT_CAUSE_BAD_MEMORY => Some(Cause::BadMemory(fault)),
            uapi::DRM_RGT_CAUSE_VRAM_LOST => Some(Cause::VramLost),
            uapi::DRM_RGT_CAUSE_DEVICE_LOST => Some(Cause::DeviceLost),
            other => Some(Cause::Other(other)),
        };
        let status = u32_at(answer, offset_of!(Answer, status));
        Self {
            cause,
            guilty: status == uapi::DRM_RGT_CTX_STATUS_GUILTY,
            resets: u64_at(answer, offset_of!(Answer, reset_count)),
        }
    }
}

/// The GPU's clock and the CPU's, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// The GPU's clock, in ticks since it was powered on.
    pub ticks: u64,
    /// Ticks a second.
    pub frequency: u64,
    /// The CPU's clock before the GPU's was read.
    pub cpu: Duration,
    /// How much later that was at most.
    pub delta: Duration,
}

impl Timestamp {
    fn parse(answer: &[u8]) -> Self {
        use uapi::drm_rgt_query_timestamp as Answer;
        let ns = |offset| Duration::from_nanos(u64_at(answer, offset));
        Self {
            ticks: u64_at(answer, offset_of!(Answer, timestamp)),
            frequency: u64_at(answer, offset_of!(Answer, frequency)),
            cpu: ns(offset_of!(Answer, cpu_ns)),
            delta: ns(offset_of!(Answer, cpu_delta_ns)),
        }
    }
}

impl Device {
    /// The memory regions and their use at this moment.
    pub fn regions(&self) -> Result<Vec<Region>> {
        let answer = query(self, uapi::DRM_RGT_QUERY_REGIONS)?;
        Ok(entries(&answer)?.map(Region::parse).collect())
    }

    /// One memory region, if the device has it.
    pub fn region(&self, kind: RegionKind) -> Result<Option<Region>> {
        Ok(self
            .regions()?
            .into_iter()
            .find(|region| region.kind == kind))
    }

    /// Returns the status of the context with a number.
    pub fn context_status(&self, context: u32) -> Result<ContextStatus> {
        let answer = query_about(self, uapi::DRM_RGT_QUERY_CTX, context)?;
        Ok(ContextStatus::parse(&answer))
    }

    /// How much of its time an engine has spent on jobs since its reset, at this moment.
    ///
    /// It is the device's time, not that of a clock on the wall.
    /// 0 for callers without `CAP_PERFMON`.
    pub fn busy(&self, engine: Engine) -> Result<Duration> {
        let answer = query(self, uapi::DRM_RGT_QUERY_ENGINES)?;
        let busy = entries(&answer)?
            .find(|entry| Engine::parse(entry) == engine)
            .map(|entry| u64_at(entry, offset_of!(uapi::drm_rgt_engine, busy_ns)));
        Ok(Duration::from_nanos(busy.unwrap_or(0)))
    }

    /// Device resets since the GPU was powered on, at this moment.
    pub fn reset_count(&self) -> Result<u64> {
        Ok(DeviceInfo::query(self)?.reset_count)
    }

    /// How often VRAM has lost its content, plus 1, at this moment.
    pub fn vram_generation(&self) -> Result<u64> {
        Ok(DeviceInfo::query(self)?.vram_generation)
    }

    /// The GPU's clock, with the CPU's CLOCK_MONOTONIC.
    pub fn timestamp(&self) -> Result<Timestamp> {
        let monotonic = libc::CLOCK_MONOTONIC as u32;
        let answer = query_about(self, uapi::DRM_RGT_QUERY_TIMESTAMP, monotonic)?;
        Ok(Timestamp::parse(&answer))
    }

    /// Asks a query into a buffer that may be too small; gives the size of the whole answer.
    pub fn query_into(&self, query: u32, data: &mut [u8]) -> Result<u64> {
        query_into(self, query, 0, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: u32, stride: u32, body: &[u8]) -> Vec<u8> {
        [&count.to_ne_bytes()[..], &stride.to_ne_bytes(), body].concat()
    }

    #[test]
    fn longer_entries_of_a_later_driver_are_read_by_their_stride() {
        let mut body = Vec::new();
        for (id, class) in [(0u32, 0u32), (1, 1), (2, 7)] {
            body.extend(id.to_ne_bytes());
            body.extend(class.to_ne_bytes());
            body.extend([0xff; 8]);
        }
        let answer = list(3, 16, &body);
        let engines: Vec<_> = entries(&answer).unwrap().map(Engine::parse).collect();
        assert_eq!(
            engines[1],
            Engine {
                id: 1,
                class: EngineClass::Copy
            }
        );
        assert_eq!(
            engines[2],
            Engine {
                id: 2,
                class: EngineClass::Other(7)
            }
        );
        assert_eq!(engines.len(), 3);
    }

    #[test]
    fn shorter_entries_of_an_older_driver_end_in_zeros() {
        let mut body = uapi::DRM_RGT_REGION_VRAM.to_ne_bytes().to_vec();
        body.extend(4096u32.to_ne_bytes());
        body.extend((256u64 << 20).to_ne_bytes());
        let answer = list(1, 16, &body);
        let region = entries(&answer).unwrap().map(Region::parse).next().unwrap();
        assert_eq!((region.kind, region.size), (RegionKind::Vram, 256 << 20));
        assert_eq!((region.used, region.cpu_visible_size), (0, 0));
    }

    #[test]
    fn a_list_that_is_cut_off_is_an_error() {
        assert!(entries(&list(2, 8, &[0; 8])).is_err());
        assert!(entries(&list(1, 0, &[0; 8])).is_err());
        assert_eq!(entries(&list(0, 0, &[])).unwrap().count(), 0);
    }
}
