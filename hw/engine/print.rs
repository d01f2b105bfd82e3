// SPDX-License-Identifier: GPL-2.0

//! State of an engine, as text.

use kernel::fmt::{
    Result as FmtResult,
    Write, //
};

use super::hw_engine::Engine;
use crate::hw::abi::regs::*;

/// Maximum number of dwords of a ring that are printed.
const MOST_DWORDS: usize = 1024;
const PER_LINE: usize = 8;

impl Engine {
    /// Prints the engine's registers, its jobs in flight and their packets.
    pub(in crate::hw) fn print(&self, out: &mut dyn Write) -> FmtResult {
        let regs = &self.shared.regs;
        let state = self.state.lock();

        writeln!(
            out,
            "engine {}: class {} control {:#x} status {:#x} head {:#x} tail {:#x} busy {} ns",
            self.index,
            self.class,
            regs.engine_control(self.index).into_raw(),
            regs.engine_status(self.index).into_raw(),
            regs.engine_read(self.index, RING_HEAD),
            regs.engine_read(self.index, RING_TAIL),
            regs.engine_read64(self.index, BUSY_LO),
        )?;
        let Some(memory) = &state.memory else {
            return Ok(());
        };
        let (done, pending) = state.in_flight.counts();
        writeln!(
            out,
            "  ring at {:#x}: {} jobs done, {} pending, last written {}",
            self.ring_va,
            done,
            pending,
            memory.status.last_seqno()
        )?;
        for (seqno, span, failed) in state.in_flight.iter() {
            writeln!(
                out,
                "  job {}: dwords {} to {}{}",
                seqno,
                span.start,
                span.end,
                if failed { ", cancelled" } else { "" }
            )?;
        }
        let dwords = memory.ring.pending().take(MOST_DWORDS);
        for (index, (position, dword)) in dwords.enumerate() {
            if index % PER_LINE == 0 {
                write!(out, "  {position:>8}:")?;
            }
            write!(out, " {dword:08x}")?;
            if index % PER_LINE == PER_LINE - 1 {
                writeln!(out)?;
            }
        }
        writeln!(out)
    }
}
