// SPDX-License-Identifier: GPL-2.0

//! The registers of BAR 0.
//!
//! Their numbers are in [`abi`](super::abi), which the device is compiled from as well. Registers
//! with fields have a type here, whose fields are checked against those numbers.

use kernel::{
    bitfield,
    device::Bound,
    io::Io,
    pci::{
        self,
        DevresBar, //
    },
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        rcu,
        Arc, //
    }, //
};

use super::abi::{
    fault,
    pci::{
        BAR_REGS,
        BAR_REGS_SIZE, //
    },
    regs::*, //
};

bitfield! {
    /// The register [`REVISION`].
    pub(super) struct Revision(u32) {
        /// Major revision. Another one breaks software.
        31:16 major;
        /// Minor revision. A later one adds to it.
        15:0 minor;
    }
}

bitfield! {
    /// The register [`FAULT_INFO`].
    pub(super) struct FaultInfo(u32) {
        /// Reason, see [`fault`].
        27:20 reason;
        /// Access, see [`fault`].
        19:16 access;
        /// Address space.
        15:8 space;
        /// Engine.
        7:0 engine;
    }
}

bitfield! {
    /// The register [`ENGINE_CONTROL`].
    pub(super) struct EngineControl(u32) {
        /// Stops the engine and resets its ring.
        1:1 reset => bool;
        /// Has the engine fetch from its ring.
        0:0 enable => bool;
    }
}

bitfield! {
    /// The register [`ENGINE_STATUS`].
    pub(super) struct EngineStatus(u32) {
        /// The ring faulted. The engine has to be reset.
        1:1 halted => bool;
        /// The engine has packets to run.
        0:0 busy => bool;
    }
}

const _: () = {
    assert!(FaultInfo::ENGINE_SHIFT == fault::ENGINE_SHIFT);
    assert!(FaultInfo::SPACE_SHIFT == fault::AS_SHIFT);
    assert!(FaultInfo::ACCESS_SHIFT == fault::ACCESS_SHIFT);
    assert!(FaultInfo::REASON_SHIFT == fault::REASON_SHIFT);
    assert!(EngineControl::RESET_MASK == CONTROL_RESET);
    assert!(EngineControl::ENABLE_MASK == CONTROL_ENABLE);
    assert!(EngineStatus::HALTED_MASK == STATUS_HALTED);
    assert!(EngineStatus::BUSY_MASK == STATUS_BUSY);
};

/// A handle of the registers.
///
/// A device that is gone, unbound or removed, ignores writes, and its reads have no meaning; see
/// [`Regs::is_present`]. So does one that is asleep, which is left alone.
#[derive(Clone)]
pub(crate) struct Regs(Arc<Registers>);

struct Registers {
    bar: DevresBar<BAR_REGS_SIZE>,
    /// The device is asleep: its BARs are not accessed.
    asleep: AtomicFlag,
}

impl Regs {
    /// Maps the registers of `pdev`.
    pub(super) fn new(pdev: &pci::Device<Bound>) -> Result<Self> {
        let bar = pdev.iomap_region_sized::<BAR_REGS_SIZE>(BAR_REGS, c"rust_gpu_ttm/regs")?;
        let registers = Registers {
            bar: bar.into_devres()?,
            asleep: AtomicFlag::new(false),
        };
        Ok(Self(Arc::new(registers, GFP_KERNEL)?))
    }

    /// Has the device left alone, which goes to sleep: no access is under way when this returns.
    pub(super) fn sleep(&self) {
        self.0.asleep.store(true, Relaxed);
        // Accesses look at it in RCU read-side critical sections.
        rcu::synchronize_rcu();
    }

    /// Has the device accessed again, which is awake.
    pub(super) fn wake(&self) {
        self.0.asleep.store(false, Relaxed);
    }

    /// Returns whether the device is asleep. It stays awake until the end of the RCU read-side
    /// critical section that this is called in, if it is in one.
    pub(super) fn is_asleep(&self) -> bool {
        self.0.asleep.load(Relaxed)
    }

    /// Reads the register at `offset`.
    pub(super) fn read(&self, offset: usize) -> u32 {
        self.0
            .bar
            .try_access_with(|bar| match self.is_asleep() {
                true => None,
                false => bar.try_read32(offset).ok(),
            })
            .flatten()
            .unwrap_or(!0)
    }

    /// Returns whether the device answers. Without one, reads give all ones or zeros, as the bus
    /// has it.
    pub(super) fn is_present(&self) -> bool {
        self.read(ID) == ID_MAGIC
    }

    /// Writes the register at `offset`.
    ///
    /// Earlier writes to coherent memory are visible to the device before this one is.
    pub(super) fn write(&self, offset: usize, value: u32) {
        self.0.bar.try_access_with(|bar| match self.is_asleep() {
            true => None,
            false => bar.try_write32(value, offset).ok(),
        });
    }

    /// Reads the pair of registers at `offset`.
    pub(super) fn read64(&self, offset: usize) -> u64 {
        u64::from(self.read(offset)) | u64::from(self.read(offset + 4)) << 32
    }

    /// Writes the pair of registers at `offset`, the low half first.
    pub(super) fn write64(&self, offset: usize, value: u64) {
        self.write(offset, value as u32);
        self.write(offset + 4, (value >> 32) as u32);
    }

    /// Reads the register at `offset` among those of `engine`.
    pub(super) fn engine_read(&self, engine: u32, offset: usize) -> u32 {
        self.read(Self::engine_offset(engine, offset))
    }

    /// Reads the pair of registers at `offset` among those of `engine`, the low half first.
    pub(super) fn engine_read64(&self, engine: u32, offset: usize) -> u64 {
        self.read64(Self::engine_offset(engine, offset))
    }

    /// Writes the register at `offset` among those of `engine`.
    pub(super) fn engine_write(&self, engine: u32, offset: usize, value: u32) {
        self.write(Self::engine_offset(engine, offset), value);
    }

    /// Writes the pair of registers at `offset` among those of `engine`.
    pub(super) fn engine_write64(&self, engine: u32, offset: usize, value: u64) {
        self.write64(Self::engine_offset(engine, offset), value);
    }

    /// Reads the revision of the device.
    pub(super) fn revision(&self) -> Revision {
        self.read(REVISION).into()
    }

    /// Reads the fields of the oldest fault record.
    pub(super) fn fault_info(&self) -> FaultInfo {
        self.read(FAULT_INFO).into()
    }

    /// Reads the control register of `engine`.
    pub(super) fn engine_control(&self, engine: u32) -> EngineControl {
        self.engine_read(engine, ENGINE_CONTROL).into()
    }

    /// Writes the control register of `engine`.
    pub(super) fn set_engine_control(&self, engine: u32, control: EngineControl) {
        self.engine_write(engine, ENGINE_CONTROL, control.into());
    }

    /// Reads the status of `engine`.
    pub(super) fn engine_status(&self, engine: u32) -> EngineStatus {
        self.engine_read(engine, ENGINE_STATUS).into()
    }

    /// Rings the doorbell of `engine`: sets the end of the packets in its ring.
    pub(super) fn doorbell(&self, engine: u32, tail: u32) {
        self.write(DOORBELL + 4 * engine as usize, tail);
    }

    /// Sets the root of an address space, a page-table entry.
    pub(super) fn set_root(&self, space: u32, root: u64) {
        self.write64(AS_BASE + AS_STRIDE * space as usize + AS_ROOT_LO, root);
        self.flush();
    }

    /// Resets the device.
    pub(super) fn reset(&self) {
        self.write(RESET, RESET_MAGIC);
        self.flush();
    }

    /// Flushes posted writes by a read.
    pub(super) fn flush(&self) {
        self.read(ID);
    }

    fn engine_offset(engine: u32, offset: usize) -> usize {
        ENGINE_BASE + ENGINE_STRIDE * engine as usize + offset
    }
}
