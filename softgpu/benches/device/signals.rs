// SPDX-License-Identifier: GPL-2.0

//! The cost of doorbells, register reads and interrupts.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use softgpu::abi::{pci, regs};
use softgpu::device::{Config, Device};
use softgpu::server::Backend;
use softgpu::vfio_user::Device as _;

use crate::clock::{median, row, time};
use crate::gpu::Gpu;
use crate::stream::Stream;

const ROUNDS: usize = 1001;

/// Measures accesses to registers, by message and by call, and the ways from a job to its waiter.
pub(crate) fn run(gpu: &mut Gpu) -> Result<()> {
    report("register.message", || time(|| gpu.read(regs::ID).map(drop)))?;
    report("doorbell.message", || time(|| gpu.ring_doorbell()))?;
    by_call()?;
    report("fence.polled", || {
        gpu.put(Stream::default(), false)?;
        time(|| {
            gpu.ring_doorbell()?;
            gpu.poll_fence()
        })
    })?;
    report("fence.interrupt", || {
        gpu.put(Stream::default(), true)?;
        time(|| {
            gpu.ring_doorbell()?;
            gpu.wait_interrupt()
        })
    })
}

/// The part of the device itself in an access.
fn by_call() -> Result<()> {
    let mut backend = Backend::new(Arc::new(Device::new(Config::new(2 << 20, None, 0)?)?));
    let mut data = [0; 4];
    report("register.call", || {
        time(|| {
            backend.region_read(pci::BAR_REGS, regs::ID as u64, black_box(&mut data));
            Ok(())
        })
    })?;
    let doorbell = regs::DOORBELL as u64;
    report("doorbell.call", || {
        time(|| {
            backend.region_write(pci::BAR_REGS, doorbell, black_box(&[0; 4]));
            Ok(())
        })
    })
}

fn report(name: &str, mut round: impl FnMut() -> Result<f64>) -> Result<()> {
    let times = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<_>>>()?;
    row(name, median(times).round(), "ns");
    Ok(())
}
