// SPDX-License-Identifier: MIT

//! Command buffers: BOs full of packets.

use std::time::Duration;

use crate::bo::{Bo, Caching, Placement, WaitFor};
use crate::error::{Error, Result};
use crate::mapping::Mapping;
use crate::packet::{self, Area, Blend, Corner, Rect, Rows, Surface};
use crate::vm::{Binding, Vm};

/// An indirect buffer: a run of packets that a job executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ib {
    /// GPU address of its first packet.
    pub addr: u64,
    /// Its length.
    pub dwords: u32,
}

/// A BO, private to a VM and mapped read-only in it, that packets are appended to.
///
/// [`take`](Self::take) cuts off what was appended since the last time as an [`Ib`]. Dropping the
/// buffer unmaps it, so it must live until its jobs are done.
#[derive(Debug)]
pub struct CommandBuffer {
    // Fields are dropped in this order: the GPU's mapping goes before the BO.
    binding: Binding,
    mapping: Mapping,
    bo: Bo,
    begin: usize,
    end: usize,
}

impl CommandBuffer {
    /// Makes a buffer with room for at least this many dwords.
    pub fn new(vm: &Vm, dwords: usize) -> Result<Self> {
        let bo = Bo::builder(dwords as u64 * 4)
            .placement(Placement::GTT)
            .caching(Caching::WriteCombined)
            .private(vm)
            .create(vm.device())?;
        let mapping = bo.map()?;
        let binding = vm.map_read_only(&bo)?;
        Ok(Self {
            binding,
            mapping,
            bo,
            begin: 0,
            end: 0,
        })
    }

    /// The VM it is in.
    pub fn vm(&self) -> &Vm {
        self.binding.vm()
    }

    /// Dwords that still fit.
    pub fn room(&self) -> usize {
        self.mapping.len() / 4 - self.end
    }

    /// Appends dwords as they are.
    pub fn raw(&mut self, dwords: &[u32]) -> Result<&mut Self> {
        if dwords.len() > self.room() {
            return Err(Error::CommandBufferFull);
        }
        self.mapping.write_slice(self.end * 4, dwords);
        self.end += dwords.len();
        Ok(self)
    }

    /// Appends a packet that does nothing.
    pub fn nop(&mut self) -> Result<&mut Self> {
        self.raw(&[packet::nop(1)])
    }

    /// Appends a copy.
    pub fn copy(&mut self, src: u64, dst: u64, bytes: u64) -> Result<&mut Self> {
        self.raw(&packet::copy(src, dst, bytes))
    }

    /// Appends a fill with a 32-bit pattern.
    pub fn fill(&mut self, dst: u64, bytes: u64, pattern: u32) -> Result<&mut Self> {
        self.raw(&packet::fill(dst, bytes, pattern))
    }

    /// Appends writes of dwords, one packet or as many as they need.
    pub fn write(&mut self, dst: u64, data: &[u32]) -> Result<&mut Self> {
        let packets = data.len().div_ceil(packet::WRITE_MAX_DATA);
        if data.len() + 3 * packets > self.room() {
            return Err(Error::CommandBufferFull);
        }
        let mut at = dst;
        for part in data.chunks(packet::WRITE_MAX_DATA) {
            self.raw(&packet::write_head(at, part.len() as u32))?
                .raw(part)?;
            at += part.len() as u64 * 4;
        }
        Ok(self)
    }

    /// Appends a checksum.
    pub fn checksum(&mut self, src: u64, bytes: u64, dst: u64) -> Result<&mut Self> {
        self.raw(&packet::checksum(src, bytes, dst))
    }

    /// Appends a rectangle; engines of the render class only.
    pub fn rect_fill(&mut self, surface: Surface, rect: Rect) -> Result<&mut Self> {
        self.raw(&packet::rect_fill(surface, rect))
    }

    /// Appends a copy of rows.
    pub fn copy_rows(&mut self, src: Rows, dst: Rows, bytes: u32, rows: u32) -> Result<&mut Self> {
        self.raw(&packet::copy_rows(src, dst, bytes, rows))
    }

    /// Appends an addition to a 64-bit word; `old` is where to put what it was, or 0.
    pub fn atomic_add(&mut self, addr: u64, summand: u64, old: u64) -> Result<&mut Self> {
        self.raw(&packet::atomic_add(addr, summand, old))
    }

    /// Appends a replacement of a 64-bit word if it is as expected; `old` is where to put what it
    /// was, or 0.
    pub fn atomic_swap(
        &mut self,
        addr: u64,
        expected: u64,
        new: u64,
        old: u64,
    ) -> Result<&mut Self> {
        self.raw(&packet::atomic_swap(addr, expected, new, old))
    }

    /// Appends a blit; engines of the render class only.
    pub fn blit(&mut self, src: Area, dst: Area, blend: Blend) -> Result<&mut Self> {
        self.raw(&packet::blit(src, dst, blend))
    }

    /// Appends a triangle on a surface of this many pixels and rows; engines of the render class
    /// only.
    pub fn triangle(
        &mut self,
        surface: Surface,
        (width, height): (u32, u32),
        corners: [Corner; 3],
        blend: Blend,
    ) -> Result<&mut Self> {
        self.raw(&packet::triangle(surface, width, height, corners, blend))
    }

    /// Cuts off what was appended since the last time.
    pub fn take(&mut self) -> Ib {
        let ib = Ib {
            addr: self.binding.addr() + self.begin as u64 * 4,
            dwords: (self.end - self.begin) as u32,
        };
        self.begin = self.end;
        ib
    }

    /// Waits for all jobs of the VM, which are the jobs that may use the buffer.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        self.bo.wait(timeout, WaitFor::All)
    }

    /// Begins anew once the jobs that use the buffer are done.
    pub fn reset(&mut self, timeout: Duration) -> Result<()> {
        self.wait(timeout)?;
        (self.begin, self.end) = (0, 0);
        Ok(())
    }
}
