// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Walks over all buffer objects of a device, for debugfs and the like.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    bo::Fields,
    Bo,
    Device,
    Driver, //
};
use crate::rust::bindings;

impl<T: Driver> Device<T> {
    /// Calls `f` with each BO in the order of their creation, until it fails.
    ///
    /// `f` may sleep and reserve the BO. BOs that are created or released meanwhile may be missing.
    pub fn for_each_bo(&self, mut f: impl FnMut(&Bo<T::Bo>) -> Result) -> Result {
        let mut current = self.bo_after(None);

        while let Some(bo) = current {
            f(&bo)?;
            // The reference has kept it in the list.
            current = self.bo_after(Some(&bo));
        }
        Ok(())
    }

    /// Returns the next BO with references behind `bo`, which is in the list, or the first one.
    fn bo_after(&self, bo: Option<&Bo<T::Bo>>) -> Option<ARef<Bo<T::Bo>>> {
        // SAFETY: All BOs of the device with references are in its list.
        unsafe {
            self.bos().find_after(bo.map(Fields::link), |link| {
                // SAFETY: All links of the list are of BOs of the device, which cannot be freed
                // before they have been taken out, for which it takes the list's lock.
                let bo = Fields::<T::Bo>::bo_of_link(link);
                // SAFETY: As above; GEM objects begin with their reference count.
                let got = bindings::rgt_drm_gem_object_get_unless_zero(bo.cast().as_ptr());

                // SAFETY: The reference that was just taken becomes ours.
                got.then(|| ARef::from_raw(bo))
            })
        }
    }
}
