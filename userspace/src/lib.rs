// SPDX-License-Identifier: MIT

//! The winsys library of the rust_gpu_ttm driver.
//!
//! In the way of a Mesa winsys: a [`Device`] is an open render node, a [`Bo`] a buffer object, a
//! [`Vm`] a GPU address space in which BOs are bound, a [`CommandBuffer`] a BO full of packets,
//! and a [`Job`] what an engine is given to do. Jobs of a [`Context`] are done in order; a
//! [`Syncobj`] tells others when they are. [`BoCache`] keeps idle BOs for reuse.
//!
//! ```no_run
//! use std::time::Duration;
//! use rgt::{Bo, CommandBuffer, Device, EngineClass, Job, Placement, Vm, WaitFor};
//!
//! # fn main() -> rgt::Result<()> {
//! let device = Device::open()?;
//! let engine = device.engine(EngineClass::Copy)?;
//! let vm = Vm::create(&device)?;
//! let bo = Bo::builder(1 << 20).placement(Placement::VRAM).create(&device)?;
//! let at = vm.map(&bo)?;
//!
//! let mut commands = CommandBuffer::new(&vm, 64)?;
//! commands.fill(at.addr(), bo.size(), 0x1234_5678)?;
//! Job::new(&vm, engine).ib(commands.take()).write(&bo).submit()?;
//! bo.wait(Duration::from_secs(1), WaitFor::Writers)?;
//! # Ok(())
//! # }
//! ```

mod bo;
mod cache;
pub mod checksum;
mod cmd;
mod context;
mod device;
mod error;
mod handle;
pub mod ioctl;
mod mapping;
pub mod packet;
mod prime;
mod query;
mod submit;
mod sync_file;
mod syncobj;
pub mod uapi;
mod user_fence;
mod va;
mod vm;

pub use softgpu_abi as abi;

pub use bo::{
    Bo, BoBuilder, BoFlags, BoInfo, BoPriority, Caching, Placement, WaitFor, deadline_after,
};
pub use cache::{BoCache, CachedBo};
pub use cmd::{CommandBuffer, Ib};
pub use context::{Context, Priority};
pub use device::{DRIVER_NAME, Device};
pub use error::{Error, Result};
pub use mapping::Mapping;
pub use query::{
    Cause, ContextStatus, DeviceInfo, Engine, EngineClass, Fault, FaultAccess, FaultReason, Region,
    RegionKind, Timestamp,
};
pub use submit::Job;
pub use sync_file::{FenceStatus, SyncFile};
pub use syncobj::{Sync, Syncobj, WaitFrom};
pub use user_fence::UserFence;
pub use va::VaHeap;
pub use vm::{BindOp, BindQueue, Binding, Vm};

/// The example in the uAPI manual, kept true by being compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/uapi.md")]
struct Manual;
