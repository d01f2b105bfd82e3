// SPDX-License-Identifier: MIT

//! GPU address spaces.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bo::Bo;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::ioctl;
use crate::mapping::Mapping;
use crate::syncobj::Sync;
use crate::uapi;
use crate::va::{VaHeap, alignment_for};

/// One change of a VM's mappings, as the uAPI has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindOp(pub(crate) uapi::drm_rgt_vm_bind_op);

impl BindOp {
    /// Maps `size` bytes of a BO from `offset` on at `addr`, in place of what is mapped there.
    pub fn map(bo: &Bo, offset: u64, addr: u64, size: u64) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_MAP,
            handle: bo.handle(),
            offset,
            addr,
            size,
            ..Default::default()
        })
    }

    /// Maps `size` bytes of the process's memory from `address` on at `addr`, in place of what is
    /// mapped there.
    ///
    /// # Safety
    ///
    /// Until it is unmapped the GPU reads, and unless it is [`read_only`](Self::read_only) writes, what
    /// the process has at these addresses at the time, whenever a job of the VM does so.
    pub unsafe fn memory(address: *const c_void, addr: u64, size: u64) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_USERPTR,
            offset: address.addr() as u64,
            addr,
            size,
            ..Default::default()
        })
    }

    /// Unmaps a BO wherever the VM maps it.
    pub fn unmap_all(bo: &Bo) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_UNMAP_ALL,
            handle: bo.handle(),
            ..Default::default()
        })
    }

    /// Maps a range that reads as zeros and discards writes, in place of what is mapped there.
    pub fn null(addr: u64, size: u64) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_NULL,
            addr,
            size,
            ..Default::default()
        })
    }

    /// Moves what is mapped in a range to a region, a `DRM_RGT_REGION_*`.
    pub fn prefetch(addr: u64, size: u64, region: u32) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_PREFETCH,
            region,
            addr,
            size,
            ..Default::default()
        })
    }

    /// Unmaps what is mapped in a range.
    pub fn unmap(addr: u64, size: u64) -> Self {
        Self(uapi::drm_rgt_vm_bind_op {
            op: uapi::DRM_RGT_VM_BIND_OP_UNMAP,
            addr,
            size,
            ..Default::default()
        })
    }

    /// A mapping through which the GPU may not write.
    pub fn read_only(mut self) -> Self {
        self.0.flags |= uapi::DRM_RGT_VM_BIND_READONLY;
        self
    }
}

/// A GPU address space. Clones share it; the last one destroys it.
#[derive(Debug, Clone)]
pub struct Vm {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: Device,
    id: u32,
    heap: Mutex<VaHeap>,
}

impl Vm {
    /// Creates an empty address space.
    pub fn create(device: &Device) -> Result<Self> {
        let mut request = uapi::drm_rgt_vm_create::default();
        device.call(&mut request)?;
        let heap = Mutex::new(VaHeap::new(device.info().va.clone()));
        let inner = Inner {
            device: device.clone(),
            id: request.vm_id,
            heap,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Its number among the device's.
    pub fn id(&self) -> u32 {
        self.inner.id
    }

    /// The device it is of.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// Changes its mappings at addresses of the caller's choice, which must not be among those
    /// that [`map`](Self::map) and [`reserve`](Self::reserve) have given out to others.
    pub fn bind(&self, ops: &[BindOp]) -> Result<()> {
        self.bind_in_order(ops, &[], &[])
    }

    /// As [`bind`](Self::bind), after the fences of `waits`; puts one that tells when it is done
    /// into each of `signals`.
    pub fn bind_in_order(&self, ops: &[BindOp], waits: &[Sync], signals: &[Sync]) -> Result<()> {
        self.queue_binds(0, ops, waits, signals)
    }

    fn queue_binds(
        &self,
        queue_id: u32,
        ops: &[BindOp],
        waits: &[Sync],
        signals: &[Sync],
    ) -> Result<()> {
        let [waits, signals] =
            [waits, signals].map(|syncs| -> Vec<_> { syncs.iter().map(|sync| sync.0).collect() });
        let ops: Vec<_> = ops.iter().map(|op| op.0).collect();
        let mut request = uapi::drm_rgt_vm_bind {
            vm_id: self.id(),
            queue_id,
            ops: uapi::drm_rgt_array::of(&ops),
            in_syncs: uapi::drm_rgt_array::of(&waits),
            out_syncs: uapi::drm_rgt_array::of(&signals),
            ..Default::default()
        };
        // SAFETY: The kernel reads the arrays. Who has made an operation that maps the process's memory
        // answers for that. What else it writes are the words of user fences, which are never freed.
        unsafe { ioctl::call_unchecked(self.device(), &mut request) }.map_err(|errno| Error::Os {
            call: "VM_BIND",
            errno,
        })
    }

    /// Maps all of a BO at an address that is free.
    pub fn map(&self, bo: &Bo) -> Result<Binding> {
        self.map_op(bo, |op| op)
    }

    /// As [`map`](Self::map), but the GPU may not write through the mapping.
    pub fn map_read_only(&self, bo: &Bo) -> Result<Binding> {
        self.map_op(bo, BindOp::read_only)
    }

    /// Maps all of a mapping's memory, of the process, at an address that is free.
    pub fn map_memory(&self, memory: &Arc<Mapping>) -> Result<Binding> {
        self.map_memory_op(memory, |op| op)
    }

    /// As [`map_memory`](Self::map_memory), but the GPU may not write through the mapping.
    pub fn map_memory_read_only(&self, memory: &Arc<Mapping>) -> Result<Binding> {
        self.map_memory_op(memory, BindOp::read_only)
    }

    fn map_memory_op(
        &self,
        memory: &Arc<Mapping>,
        adjust: impl FnOnce(BindOp) -> BindOp,
    ) -> Result<Binding> {
        let size = memory.len() as u64;
        let mut binding = self.reserve(size)?;
        // SAFETY: The binding keeps the memory, which anyone may change at any time.
        let op = unsafe { BindOp::memory(memory.as_ptr().cast(), binding.addr, size) };
        self.bind(&[adjust(op)])?;
        binding._memory = Some(memory.clone());
        Ok(binding)
    }

    fn map_op(&self, bo: &Bo, adjust: impl FnOnce(BindOp) -> BindOp) -> Result<Binding> {
        let binding = self.reserve(bo.size())?;
        let op = BindOp::map(bo, 0, binding.addr, bo.size());
        // When this fails, dropping the binding unmaps nothing and frees the addresses.
        self.bind(&[adjust(op)])?;
        Ok(binding)
    }

    /// Takes a range of addresses without mapping anything there.
    pub fn reserve(&self, size: u64) -> Result<Binding> {
        let addr = self
            .heap()
            .alloc(size, alignment_for(size))
            .ok_or(Error::NoAddress(size))?;
        Ok(Binding {
            vm: self.clone(),
            addr,
            size,
            _memory: None,
        })
    }

    fn heap(&self) -> MutexGuard<'_, VaHeap> {
        self.inner
            .heap
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut request = uapi::drm_rgt_vm_destroy {
            vm_id: self.id,
            pad: 0,
        };
        // The number is ours, so this fails only with a device that is gone.
        let _ = self.device.call(&mut request);
    }
}

/// A queue of changes of a VM's mappings: they are done in their order, and those of other queues
/// beside them.
#[derive(Debug)]
pub struct BindQueue {
    vm: Vm,
    id: u32,
}

impl BindQueue {
    /// Creates an empty queue.
    pub fn create(vm: &Vm) -> Result<Self> {
        let mut request = uapi::drm_rgt_bind_queue_create {
            vm_id: vm.id(),
            ..Default::default()
        };
        vm.device().call(&mut request)?;
        Ok(Self {
            vm: vm.clone(),
            id: request.queue_id,
        })
    }

    /// Its number in the VM.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Changes the VM's mappings, as [`Vm::bind_in_order`].
    pub fn bind(&self, ops: &[BindOp], waits: &[Sync], signals: &[Sync]) -> Result<()> {
        self.vm.queue_binds(self.id, ops, waits, signals)
    }
}

impl Drop for BindQueue {
    fn drop(&mut self) {
        let mut request = uapi::drm_rgt_bind_queue_destroy {
            vm_id: self.vm.id(),
            queue_id: self.id,
        };
        // The number is ours, so this fails only with a device that is gone.
        let _ = self.vm.device().call(&mut request);
    }
}

/// A range of a VM's addresses. Dropping it unmaps what is mapped there and frees the addresses;
/// a job that still uses them faults.
#[derive(Debug)]
pub struct Binding {
    vm: Vm,
    addr: u64,
    size: u64,
    /// The process's memory that is mapped there.
    _memory: Option<Arc<Mapping>>,
}

impl Binding {
    /// Its first address.
    pub fn addr(&self) -> u64 {
        self.addr
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The VM it is in.
    pub fn vm(&self) -> &Vm {
        &self.vm
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        // Addresses that could not be unmapped must not be given out again.
        if self.vm.bind(&[BindOp::unmap(self.addr, self.size)]).is_ok() {
            self.vm.heap().free(self.addr, self.size);
        }
    }
}
