// SPDX-License-Identifier: GPL-2.0

//! Handles of bound devices.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    faux,
    io::io_read,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::{
    rust::{
        bindings,
        devres::BoundDevice, //
    },
    tests::fake::faux_device, //
};

/// Creates a device that can do DMA.
fn device() -> Result<faux::Registration> {
    let parent = faux_device("rgt-kunit-devres")?;
    let dev: *const Device<Bound> = of(&parent);

    // SAFETY: `Device` is transparent over `device`, and the mask of this one is not used yet.
    unsafe { (*dev.cast_mut().cast::<bindings::device>()).coherent_dma_mask = u64::MAX };
    Ok(parent)
}

fn of(parent: &faux::Registration) -> &Device<Bound> {
    let dev: &faux::Device<Bound> = parent.as_ref();

    dev.as_ref()
}

/// A resource that allocates when it is released, and tells how often it could.
struct Late {
    bound: BoundDevice,
    allocated: Arc<Atomic<u32>>,
}

impl Drop for Late {
    fn drop(&mut self) {
        if self.bound.alloc_coherent::<u64>(GFP_KERNEL).is_ok() {
            self.allocated.fetch_add(1, Relaxed);
        }
    }
}

#[kunit_tests(rgt_devres)]
mod tests {
    use super::*;

    #[test]
    fn allocates_as_long_as_it_is_bound() -> Result {
        let parent = device()?;
        let bound = BoundDevice::new(of(&parent))?;
        let memory = bound.alloc_coherent::<[u64; 512]>(GFP_KERNEL)?;

        assert_eq!(io_read!(memory, [panic: 511]), 0);
        drop(memory);
        drop(parent);
        assert_eq!(bound.alloc_coherent::<u64>(GFP_KERNEL).err(), Some(ENODEV));
        Ok(())
    }

    #[test]
    fn outlives_what_devres_got_later() -> Result {
        let parent = device()?;
        let bound = BoundDevice::new(of(&parent))?;
        let allocated = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let late = Late {
            bound,
            allocated: allocated.clone(),
        };
        let late = Devres::<Late>::new(of(&parent), late)?;

        // Devres releases it before the handle knows that the device is not bound any more.
        drop(parent);
        assert!(late.try_access().is_none());
        assert_eq!(allocated.load(Relaxed), 1);
        Ok(())
    }
}
