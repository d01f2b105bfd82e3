// SPDX-License-Identifier: GPL-2.0

//! The register file behind BAR 0.

use std::sync::Arc;

use crate::abi::{feature, limits, regs};
use crate::device::Device;
use crate::engine::{Engine, RingRegister};

const SPACES: usize = limits::ADDRESS_SPACES as usize;
const AS_END: usize = regs::AS_BASE + SPACES * regs::AS_STRIDE;
const ENGINE_END: usize = regs::ENGINE_BASE + limits::MAX_ENGINES as usize * regs::ENGINE_STRIDE;
const DOORBELL_END: usize = regs::DOORBELL + limits::MAX_ENGINES as usize * 4;

/// Ticks a second of the GPU's clock.
const TIMESTAMP_HZ: u32 = 100_000_000;

/// Registers that only store the written value.
#[derive(Default)]
pub(crate) struct Latches {
    scratch: u32,
    tlb_start: Pair,
    tlb_size: Pair,
    tlb_seqno: u32,
    roots: [Pair; SPACES],
}

/// A 64-bit register of two halves.
#[derive(Clone, Copy, Default)]
struct Pair {
    low: u32,
    high: u32,
}

impl Pair {
    fn get(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// The number of the block and the offset in it of a register in an array of blocks.
fn block(offset: usize, base: usize, stride: usize) -> (usize, usize) {
    ((offset - base) / stride, (offset - base) % stride)
}

impl Device {
    /// Reads the register at `offset`. One that does not exist reads 0; all of a GPU that was
    /// removed read as ones.
    pub fn read(&self, offset: usize) -> u32 {
        let config = self.config;
        let state = self.lock();
        if state.removed {
            return u32::MAX;
        }
        let latches = &state.latches;
        match offset {
            regs::ID => regs::ID_MAGIC,
            regs::REVISION => regs::REVISION_MAJOR << 16 | regs::REVISION_MINOR,
            regs::SCRATCH => latches.scratch,
            regs::FEATURES => self.features(),
            regs::VRAM_SIZE_LO => low(config.vram),
            regs::VRAM_SIZE_HI => high(config.vram),
            regs::VISIBLE_SIZE_LO => low(config.visible),
            regs::VISIBLE_SIZE_HI => high(config.visible),
            regs::ENGINES => self.engines.len() as u32,
            regs::ADDRESS_SPACES => limits::ADDRESS_SPACES,
            regs::RESET_COUNT => state.resets,
            regs::SCRATCHPAD_SIZE => low(config.scratchpad),
            regs::TIMESTAMP_HZ => TIMESTAMP_HZ,
            regs::TIMESTAMP_LO => low(self.timestamp()),
            regs::TIMESTAMP_HI => high(self.timestamp()),

            regs::INT_STATUS => self.shared.irqs.pending(),
            regs::INT_ENABLE => self.shared.irqs.enabled(),

            regs::FAULT_COUNT => self.shared.faults.count(),
            regs::FAULT_INFO => self.shared.faults.oldest().info,
            regs::FAULT_ADDR_LO => low(self.shared.faults.oldest().address),
            regs::FAULT_ADDR_HI => high(self.shared.faults.oldest().address),
            regs::FAULT_TAG_LO => low(self.shared.faults.oldest().tag),
            regs::FAULT_TAG_HI => high(self.shared.faults.oldest().tag),

            regs::POISON_COUNT => self.bad_pages().count(),
            regs::POISON_ADDR_LO => low(self.bad_pages().oldest()),
            regs::POISON_ADDR_HI => high(self.bad_pages().oldest()),

            regs::TLB_START_LO => latches.tlb_start.low,
            regs::TLB_START_HI => latches.tlb_start.high,
            regs::TLB_SIZE_LO => latches.tlb_size.low,
            regs::TLB_SIZE_HI => latches.tlb_size.high,
            regs::TLB_SEQNO => latches.tlb_seqno,
            regs::TLB_DONE => self.shared.invalidations.done(),

            regs::AS_BASE..AS_END => {
                let (space, register) = block(offset, regs::AS_BASE, regs::AS_STRIDE);
                match register {
                    regs::AS_ROOT_LO => latches.roots[space].low,
                    regs::AS_ROOT_HI => latches.roots[space].high,
                    _ => 0,
                }
            }
            regs::ENGINE_BASE..ENGINE_END => {
                let (number, register) = block(offset, regs::ENGINE_BASE, regs::ENGINE_STRIDE);
                self.engines
                    .get(number)
                    .map_or(0, |engine| read_engine(engine, register))
            }
            _ => 0,
        }
    }

    /// The GPU's clock.
    fn timestamp(&self) -> u64 {
        let ns = self.powered_on.elapsed().as_nanos();
        (ns * u128::from(TIMESTAMP_HZ) / 1_000_000_000) as u64
    }

    /// The optional units that there are.
    fn features(&self) -> u32 {
        let scratchpad = match self.config.scratchpad {
            0 => 0,
            _ => feature::SCRATCHPAD,
        };
        scratchpad | feature::ATOMICS | feature::TLB_SEQNO | feature::POISON | feature::LARGE_SPARSE
    }

    /// Writes the register at `offset`, if it exists and can be written.
    pub fn write(&self, offset: usize, value: u32) {
        let mut state = self.lock();
        if state.removed {
            return;
        }
        let latches = &mut state.latches;
        match offset {
            regs::SCRATCH => latches.scratch = value,
            regs::RESET if value == regs::RESET_MAGIC => self.reset_state(&mut state),

            regs::INT_CLEAR => self.shared.irqs.clear(value),
            regs::INT_ENABLE => self.shared.irqs.set_enabled(value),
            regs::FAULT_POP => self.shared.faults.pop(),
            regs::POISON_POP => self.bad_pages().pop(),

            regs::TLB_START_LO => latches.tlb_start.low = value,
            regs::TLB_START_HI => latches.tlb_start.high = value,
            regs::TLB_SIZE_LO => latches.tlb_size.low = value,
            regs::TLB_SIZE_HI => latches.tlb_size.high = value,
            regs::TLB_SEQNO => latches.tlb_seqno = value,
            regs::TLB_INVALIDATE if value < limits::ADDRESS_SPACES => {
                let (start, size) = (latches.tlb_start.get(), latches.tlb_size.get());
                self.shared
                    .invalidations
                    .push(latches.tlb_seqno, value, start, size);
            }

            regs::AS_BASE..AS_END => {
                let (space, register) = block(offset, regs::AS_BASE, regs::AS_STRIDE);
                let root = &mut latches.roots[space];
                match register {
                    regs::AS_ROOT_LO => root.low = value,
                    regs::AS_ROOT_HI => {
                        root.high = value;
                        let root = root.get();
                        self.shared.memory.write().mmu.set_root(space as u32, root);
                    }
                    _ => {}
                }
            }
            regs::ENGINE_BASE..ENGINE_END => {
                let (number, register) = block(offset, regs::ENGINE_BASE, regs::ENGINE_STRIDE);
                if let Some(engine) = self.engines.get(number) {
                    write_engine(engine, register, value);
                }
            }
            regs::DOORBELL..DOORBELL_END => {
                let (number, _) = block(offset, regs::DOORBELL, 4);
                if let Some(engine) = self.engines.get(number) {
                    engine.ring_doorbell(value);
                }
            }
            _ => {}
        }
    }
}

fn read_engine(engine: &Arc<Engine>, register: usize) -> u32 {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    let ring = engine.ring();
    match register {
        regs::ENGINE_CLASS => engine.class().bits(),
        regs::ENGINE_CONTROL => flag(engine.enabled(), regs::CONTROL_ENABLE),
        regs::ENGINE_STATUS => {
            flag(engine.busy(), regs::STATUS_BUSY) | flag(engine.halted(), regs::STATUS_HALTED)
        }
        regs::RING_SIZE => ring.size,
        regs::RING_BASE_LO => low(ring.base),
        regs::RING_BASE_HI => high(ring.base),
        regs::RING_HEAD => ring.head,
        regs::RING_TAIL => ring.tail,
        regs::WRITEBACK_LO => low(ring.writeback),
        regs::WRITEBACK_HI => high(ring.writeback),
        regs::BUSY_LO => engine.busy_low(),
        regs::BUSY_HI => engine.busy_high(),
        _ => 0,
    }
}

fn write_engine(engine: &Arc<Engine>, register: usize, value: u32) {
    let ring_register = match register {
        regs::ENGINE_CONTROL if value & regs::CONTROL_RESET != 0 => return engine.reset(),
        regs::ENGINE_CONTROL => return engine.set_enabled(value & regs::CONTROL_ENABLE != 0),
        regs::RING_SIZE => RingRegister::Size,
        regs::RING_BASE_LO => RingRegister::BaseLow,
        regs::RING_BASE_HI => RingRegister::BaseHigh,
        regs::WRITEBACK_LO => RingRegister::WritebackLow,
        regs::WRITEBACK_HI => RingRegister::WritebackHigh,
        _ => return,
    };
    engine.set_ring(ring_register, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Meter;
    use crate::device::Config;

    #[test]
    fn busy_time_is_read_as_one() {
        let device = Device::new(Config::new(2 << 20, None, 0).unwrap()).unwrap();
        let register = |engine, register| {
            device.read(regs::ENGINE_BASE + engine * regs::ENGINE_STRIDE + register)
        };
        let work =
            |nanoseconds| Meter::default().charge(&mut device.engines[1].totals(), nanoseconds);
        work(0x1_ffff_ffff);
        assert_eq!(
            register(1, regs::BUSY_HI),
            0,
            "not before the low half is read"
        );
        assert_eq!(register(1, regs::BUSY_LO), u32::MAX);
        work(1);
        assert_eq!(register(1, regs::BUSY_HI), 1, "as it was");
        assert_eq!(register(1, regs::BUSY_LO), 0);
        assert_eq!(register(1, regs::BUSY_HI), 2);
        assert_eq!(register(2, regs::BUSY_LO), 0);
    }
}
