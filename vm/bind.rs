// SPDX-License-Identifier: GPL-2.0

//! VM_BIND: from operations to a job of a bind queue.
//!
//! All that an operation takes is allocated, and the BOs that it maps are validated, before the job
//! is queued: then nothing can fail any more. The job changes the mappings and the page tables when
//! what it waits for has signalled. Until then the BOs stay where they are, as its fence is on their
//! reservations.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::{
    cleanup::{
        Cleanup,
        QueuedCleanup, //
    },
    data::{
        Vm,
        VmData, //
    },
    op::BindOp,
    prepared_op::{
        FetchedOp,
        PreparedOp, //
    },
    queue::BindQueue,
    rebind::{
        keep_one_each,
        Rebind, //
    },
    update::Update,
    user::Unwritten, //
};
use crate::{
    bo::{
        lock_with_room,
        validate_all,
        Effort,
        Reserved, //
    },
    device::{
        registered,
        RgtDevice, //
    },
    fence::{
        Dependencies,
        OutSyncs, //
    },
    rust::{
        alloc::LazyVec,
        dma_resv::{
            FenceSlot,
            Usage, //
        },
        drm::{
            exec::{
                Exec,
                ExecFlags,
                ExecLocks, //
            },
            gpuvm::{
                evict,
                VmBo, //
            },
            print::drm_dbg,
            ttm::OperationCtx, //
        },
        pm::runtime::Awake, //
    }, //
};

/// Queues a bind to `queue`. It waits for `in_syncs`, keeps the device awake, and `out_syncs` take
/// its fence.
///
/// `EINVAL` for a BO that is not needed, in a bind that waits for fences of user space, `ENODEV` when
/// the device is unplugged, `ENOENT` when the VM is destroyed, `ENOSPC` or `ENOMEM` when
/// there is no room for what is mapped, `EIO` when the content of a BO is lost, `EFAULT` for memory of
/// the process that there is not or that a device may not access, `EAGAIN` when it changes again and
/// again, `ERESTARTSYS` or `EINTR` when a signal came. Nothing is changed then, but for what `PREFETCH`
/// has moved.
pub(crate) fn bind(
    dev: &RgtDevice,
    vm: &Vm,
    queue: &BindQueue,
    ops: &[BindOp],
    in_syncs: Dependencies,
    out_syncs: OutSyncs,
) -> Result {
    let open = vm.open()?;

    let mut fetched = KVVec::with_capacity(ops.len(), GFP_KERNEL_ACCOUNT)?;
    for op in ops {
        fetched.push(FetchedOp::new(dev, vm, op)?, GFP_KERNEL_ACCOUNT)?;
    }
    // Not before: pages may take any time to come.
    let _registered = registered(dev)?;
    let awake = dev.power.resume_and_get()?;
    let mut prepared = KVVec::with_capacity(ops.len(), GFP_KERNEL_ACCOUNT)?;
    for op in fetched {
        prepared.push(PreparedOp::new(vm, op)?, GFP_KERNEL_ACCOUNT)?;
    }

    let flags = ExecFlags {
        interruptible: true,
        ignore_duplicates: true,
    };
    pin_init::stack_pin_init!(let exec = Exec::new(flags, prepared.len() as u32 + 1));
    let (locked, (rebind, moves)) = lock_with_room(
        dev,
        exec,
        |locks, effort| {
            vm.lock_resv(locks)?;
            // It stays so until the reservation is released.
            let is_explicit = !in_syncs.is_empty() || queue.is_held();
            lock(dev, vm, locks, &mut prepared, is_explicit, effort)
        },
        |time| vm.wait_for_binds(time),
    )?;

    BindJob {
        vm,
        queue,
        cleanup: &open.cleanup,
        prepared,
        rebind,
        moves,
        in_syncs,
        out_syncs,
        awake,
    }
    .submit(locked.exec())
}

/// Locks the reservations of the VM and of the BOs of the operations, brings these to where they are
/// mapped, and notes where that is. Returns the rebind of what is prefetched, and the fences of the
/// moves of the others.
///
/// `EINVAL` for a BO that is not needed, in a bind that waits for fences of user space: it is not known
/// of which job the rebind would write the entries.
fn lock(
    dev: &RgtDevice,
    vm: &Vm,
    locks: &mut ExecLocks<'_>,
    prepared: &mut [PreparedOp<'_>],
    is_explicit: bool,
    effort: Effort,
) -> Result<(Option<KBox<Rebind>>, Dependencies)> {
    let mut ctx = OperationCtx::new(true);
    let mut moves = Dependencies::new();

    prepared
        .iter()
        .try_for_each(|op| op.for_each_vm_bo(|vm_bo| locks.lock(vm_bo.bo().as_gem())))?;
    if is_explicit && prepared.iter().any(PreparedOp::maps_unusable) {
        drm_dbg!(
            dev,
            "VM_BIND: a BO that is not needed, in a bind that waits\n"
        );
        return Err(EINVAL);
    }
    validate_mapped(locks, prepared, effort, &mut ctx)?;
    prepared
        .iter()
        .try_for_each(|op| op.prefetch(locks, &mut ctx))?;
    // Not before all are where they stay.
    prepared
        .iter_mut()
        .try_for_each(|op| op.set_backing(vm, locks, &mut moves))?;
    Ok((rebind_prefetched(vm, locks, prepared)?, moves))
}

/// Returns the rebind of what the operations prefetch.
fn rebind_prefetched(
    vm: &Vm,
    locks: &mut ExecLocks<'_>,
    prepared: &[PreparedOp<'_>],
) -> Result<Option<KBox<Rebind>>> {
    let mut vm_bos = KVVec::new();
    let mut user = KVVec::new();
    let mut unwritten = LazyVec::new();

    prepared
        .iter()
        .try_for_each(|op| op.add_prefetched(&mut vm_bos, &mut user))?;
    keep_one_each(&mut vm_bos, VmBo::bo);
    keep_one_each(&mut user, |range| &**range);
    for range in &user {
        if let Some(range) = Unwritten::new(range, &vm.space)? {
            unwritten.push(range, GFP_KERNEL_ACCOUNT)?;
        }
    }
    let mut rebind = Rebind::of_bos(vm, locks, &vm_bos)?;
    if let Some(rebind) = &mut rebind {
        rebind.stay();
    }
    Rebind::with_user(rebind, unwritten)
}

/// Validates the BOs that are mapped.
fn validate_mapped(
    locks: &mut ExecLocks<'_>,
    prepared: &[PreparedOp<'_>],
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result {
    let mut bos = KVVec::new();

    for bo in prepared.iter().filter_map(PreparedOp::mapped).map(VmBo::bo) {
        let reserved = Reserved::of_exec(locks, bo)?;
        if reserved.advice.is_usable() {
            bos.push(bo, GFP_KERNEL)?;
        } else {
            // So that it is mapped as soon as it can be used.
            evict::<VmData>(&reserved);
        }
    }
    keep_one_each(&mut bos, |&bo| bo);
    validate_all(locks, bos.iter().copied(), effort, ctx)?;
    for bo in bos {
        bo.placed_by_bind.store(true, Relaxed);
    }
    Ok(())
}

/// A bind whose BOs are validated.
struct BindJob<'a> {
    vm: &'a Vm,
    queue: &'a BindQueue,
    cleanup: &'a Arc<Cleanup>,
    prepared: KVVec<PreparedOp<'a>>,
    rebind: Option<KBox<Rebind>>,
    moves: Dependencies,
    in_syncs: Dependencies,
    out_syncs: OutSyncs,
    awake: Awake,
}

impl BindJob<'_> {
    /// Submits the rebind and the job. `exec` has held all locks since [`lock()`].
    fn submit(mut self, exec: &Exec) -> Result {
        let Self { vm, queue, .. } = self;

        // Destroying the VM takes its reservation: from here on it waits for the job.
        vm.open()?;
        queue.check()?;
        // One that waits for nothing of user space comes before all later jobs of the VM.
        let is_explicit = !self.in_syncs.is_empty() || queue.is_held();
        // Later jobs bring them to their place, but for what is prefetched.
        for vm_bo in self.prepared.iter().filter_map(PreparedOp::displaced) {
            vm_bo.set_displaced(exec)?;
        }
        // What is prefetched has moved, or is about to: jobs find it there, whatever this one waits for.
        let prefetched = self
            .rebind
            .take()
            .map(|rebind| rebind.submit(vm, exec, self.awake.clone()))
            .transpose()?;
        let slots = self.slots(exec)?;
        let mut arriving = KVVec::new();
        for backing in self.prepared.iter().filter_map(PreparedOp::backing) {
            if backing.is_moving {
                arriving.push(backing.lost.clone(), GFP_KERNEL_ACCOUNT)?;
            }
        }
        let mut arrivals = vm.arrivals.lock();
        arrivals.reserve(arriving.len())?;
        let mut pending = vm.pending_binds.lock();
        pending.reserve()?;
        let mut unusable = vm.unusable_binds.lock();
        unusable.reserve()?;
        let maps_unusable = self.prepared.iter().any(PreparedOp::maps_unusable);

        // Others of user space's do not keep private BOs busy that they have nothing to do with.
        let vm_slot = if !is_explicit || self.prepared.iter().any(PreparedOp::maps_private) {
            let [slot] = exec.locked_resv(vm.resv())?.reserve_fences()?;
            Some(slot)
        } else {
            None
        };

        let mut changes = KVVec::with_capacity(self.prepared.len(), GFP_KERNEL_ACCOUNT)?;
        for change in self
            .prepared
            .into_iter()
            .filter_map(PreparedOp::into_change)
        {
            changes.push(change, GFP_KERNEL_ACCOUNT)?;
        }
        let update = KBox::new(
            Update {
                changes,
                cleanup: QueuedCleanup(self.cleanup.clone()),
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let mut job = queue.entity.job(update, self.awake)?;
        self.moves.add_to(&mut job)?;
        self.in_syncs.add_to(&mut job)?;
        if let Some(fence) = prefetched {
            job.add_dependency(fence)?;
        }

        let out_syncs = self.out_syncs;
        let fence = job.submit(|fence| {
            if let Some(slot) = vm_slot {
                slot.add(fence, Usage::Bookkeep);
            }
            for slot in slots {
                slot.add(fence, Usage::Bookkeep);
            }
            out_syncs.set(fence);
        });
        queue.set_last(&fence, is_explicit);
        if !is_explicit {
            pending.add(&fence);
        }
        if maps_unusable {
            unusable.add(&fence);
        }
        for lost in &arriving {
            arrivals.add(&fence, lost);
        }
        Ok(())
    }

    /// Adds the BOs to the VM's external objects, and reserves room on them for the job's fence.
    fn slots<'a>(&self, exec: &'a Exec) -> Result<KVVec<FenceSlot<'a>>> {
        let mut slots = KVVec::new();

        for vm_bo in self.prepared.iter().filter_map(PreparedOp::mapped) {
            vm_bo.add_extobj(exec)?;
            if vm_bo.bo().private.is_none() {
                let [slot] = exec.resv_of(vm_bo.bo().as_gem())?.reserve_fences()?;
                slots.push(slot, GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(slots)
    }
}
