// SPDX-License-Identifier: GPL-2.0

//! DRM driver of softgpu, a virtual discrete GPU, with TTM memory management.

#![deny(unsafe_code)]

mod bo;
mod cs;
mod debugfs;
mod device;
mod dma_buf;
#[allow(unsafe_code)]
mod driver;
mod fdinfo;
mod fence;
mod file;
mod hw;
mod ioctl;
mod params;
mod placement;
mod resource_mgr;
// Abstractions are for all drivers: they offer more than this one uses, and are as public as they
// would be in the kernel crate.
#[allow(dead_code, unreachable_pub, unsafe_code, unused_imports, unused_macros)]
mod rust;
mod sched;
#[cfg(CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST)]
#[path = "tests/kunit/mod.rs"]
#[allow(unsafe_code)]
mod tests;
mod vm;

rust::pci::module_pci_driver! {
    type: driver::RgtPciDriver,
    name: "rust_gpu_ttm",
    authors: ["The rust_gpu_ttm authors"],
    description: "DRM driver of the softgpu virtual GPU",
    license: "GPL v2",
    imports_ns: ["DMA_BUF"],
    params: {
        lru: u32 {
            default: 0,
            description: "Eviction policy: 0 scan-resistant (default), 1 plain LRU",
        },
        use_dma_alloc: u32 {
            default: 2,
            description: "Coherent DMA memory for system pages: 0 no, 1 yes, 2 where mappings would bounce (default)",
        },
        dma32: u32 {
            default: 0,
            description: "System pages below 4 GiB only: 0 no (default), 1 yes",
        },
        dma_bits: u32 {
            default: 44,
            description: "Address bits that the GPU uses for DMA, 32 to 44 (default)",
        },
        moveback_mbps: u32 {
            default: 1024,
            description: "Rate at which evicted BOs come back, in MiB/s: 0 never, default 1024",
        },
        job_timeout_ms: u32 {
            default: 10000,
            description: "Milliseconds that a job may take before its engine is reset, 100 to 600000, default 10000",
        },
    },
}
