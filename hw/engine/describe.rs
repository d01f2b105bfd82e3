// SPDX-License-Identifier: GPL-2.0

//! What an engine is at, for people.

use kernel::fmt::{
    Result as FmtResult,
    Write, //
};

use super::Engine;
use crate::hw::abi::regs::*;

/// Most dwords of a ring that are shown.
const MOST_DWORDS: usize = 1024;
const PER_LINE: usize = 8;

impl Engine {
    /// Writes its registers, its pending jobs and the packets of these.
    pub(in crate::hw) fn describe(&self, out: &mut dyn Write) -> FmtResult {
        let regs = &self.shared.regs;
        let queue = self.queue.lock();

        writeln!(
            out,
            "engine {}: class {} control {:#x} status {:#x} head {:#x} tail {:#x} busy {} ns",
            self.index,
            self.class,
            regs.engine_read(self.index, ENGINE_CONTROL),
            regs.engine_read(self.index, ENGINE_STATUS),
            regs.engine_read(self.index, RING_HEAD),
            regs.engine_read(self.index, RING_TAIL),
            regs.engine_read64(self.index, BUSY_LO),
        )?;
        let Some(memory) = &queue.memory else {
            return Ok(());
        };
        let (done, pending) = queue.pending.counts();
        writeln!(
            out,
            "  ring at {:#x}: {} jobs done, {} pending, last written {}",
            self.ring_va,
            done,
            pending,
            memory.slots.done()
        )?;
        for (seqno, job) in queue.pending.iter() {
            writeln!(
                out,
                "  job {}: dwords {} to {}{}",
                seqno,
                job.start,
                job.end,
                if job.skipped.is_some() {
                    ", cancelled"
                } else {
                    ""
                }
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
