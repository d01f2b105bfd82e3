// SPDX-License-Identifier: GPL-2.0

//! Module parameters that the probe of a device checks.

use core::ops::RangeInclusive;

use kernel::{
    device,
    dma::DmaMask,
    page::PAGE_SHIFT,
    prelude::*,
    sizes::SZ_2M,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    }, //
};

use crate::{
    hw::abi,
    module_parameters,
    rust::{
        dma::Streaming,
        drm::ttm::AllocFlags, //
    }, //
};

/// Fewest DMA address bits that make sense: less than what every PCI device can do.
const LEAST_DMA_BITS: u32 = 32;

/// Milliseconds that a job may be given.
const JOB_TIMEOUT_MS: RangeInclusive<u32> = 100..=600_000;

/// Page order of the largest block that the GPU's MMU maps with one entry.
const BENEFICIAL_ORDER: u8 = (SZ_2M.trailing_zeros() - PAGE_SHIFT as u32) as u8;

/// Returns the DMA mask that `dma_bits` asks for. `EINVAL` for one that the GPU cannot have.
pub(crate) fn dma_mask(dev: &device::Device) -> Result<DmaMask> {
    let bits = module_parameters::dma_bits.value();
    if !(LEAST_DMA_BITS..=abi::pci::DMA_BITS).contains(&bits) {
        dev_err!(
            dev,
            "dma_bits={} is not from {} to {}\n",
            bits,
            LEAST_DMA_BITS,
            abi::pci::DMA_BITS
        );
        return Err(EINVAL);
    }

    DmaMask::try_new(bits)
}

/// Returns how TTM is to allocate system pages.
///
/// Pages that TTM maps for streaming DMA are never synchronised: CPU and GPU both use them all the
/// time. So bounce buffers give wrong data, and where mappings would bounce it takes coherent
/// memory. `EINVAL` for a parameter that makes no sense or that would bounce.
pub(crate) fn alloc_flags(dev: &device::Device<device::Bound>) -> Result<AllocFlags> {
    let dma32 = flag(dev, c"dma32", module_parameters::dma32.value(), 1)? != 0;
    let coherent = flag(
        dev,
        c"use_dma_alloc",
        module_parameters::use_dma_alloc.value(),
        2,
    )?;
    let bounces = match Streaming::of(dev) {
        Streaming::Direct => false,
        // No page that is below 4 GiB is beyond the mask.
        Streaming::Limited => !dma32,
        Streaming::Bounced => true,
    };
    if coherent == 0 && bounces {
        dev_err!(
            dev,
            "use_dma_alloc=0: DMA mappings would be bounce buffers\n"
        );
        return Err(EINVAL);
    }

    let mut flags = AllocFlags::PROPAGATE_ENOSPC | AllocFlags::beneficial_order(BENEFICIAL_ORDER);
    if dma32 {
        flags = flags | AllocFlags::USE_DMA32;
    }
    if coherent == 1 || bounces {
        flags = flags | AllocFlags::USE_DMA_ALLOC;
    }
    Ok(flags)
}

/// Returns whether the GPU can access any page of the machine: user space has pages wherever it likes,
/// and a bounce buffer is another one.
pub(crate) fn maps_user_pages(dev: &device::Device<device::Bound>) -> bool {
    Streaming::of(dev) == Streaming::Direct
}

/// Returns whether BOs are evicted by plain LRU. `EINVAL` for a parameter that makes no sense.
pub(crate) fn plain_lru(dev: &device::Device) -> Result<bool> {
    Ok(flag(dev, c"lru", module_parameters::lru.value(), 1)? != 0)
}

/// Returns for how long a job may be at an engine. `EINVAL` for a parameter that makes no sense.
pub(crate) fn job_timeout(dev: &device::Device) -> Result<Jiffies> {
    let ms = module_parameters::job_timeout_ms.value();
    if !JOB_TIMEOUT_MS.contains(&ms) {
        dev_err!(
            dev,
            "job_timeout_ms={} is not from {} to {}\n",
            ms,
            JOB_TIMEOUT_MS.start(),
            JOB_TIMEOUT_MS.end()
        );
        return Err(EINVAL);
    }
    Ok(msecs_to_jiffies(ms))
}

/// Checks that a parameter is not above the last of its values.
fn flag(dev: &device::Device, name: &CStr, value: u32, last: u32) -> Result<u32> {
    if value > last {
        dev_err!(dev, "{}={} is not from 0 to {}\n", name, value, last);
        return Err(EINVAL);
    }
    Ok(value)
}
