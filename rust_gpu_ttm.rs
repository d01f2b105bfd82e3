// SPDX-License-Identifier: GPL-2.0

//! DRM driver of softgpu, a virtual discrete GPU, with TTM memory management.

#![deny(unsafe_code)]

mod bo;
#[allow(unsafe_code)]
mod driver;
mod file;
mod hw;
mod ioctl;
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

kernel::module_pci_driver! {
    type: driver::RgtPciDriver,
    name: "rust_gpu_ttm",
    authors: ["The rust_gpu_ttm authors"],
    description: "DRM driver of the softgpu virtual GPU",
    license: "GPL v2",
}
