// SPDX-License-Identifier: GPL-2.0

//! Extending a driver's table.

use kernel::{
    drm::{
        self,
        UnregisteredDevice, //
    },
    prelude::*, //
};

use crate::{
    rust::{
        bindings,
        drm::{
            device,
            driver::{
                extend,
                DriverTable,
                Features, //
            },
            fdinfo::FdInfo, //
        }, //
    },
    tests::fake::{
        FakeDriver,
        FakeFile,
        Fixture, //
    }, //
};

impl DriverTable for FakeDriver {
    const FEATURES: Features = Features::SYNCOBJ;

    fn show_fdinfo(
        _: &drm::Device<Self, drm::Registered>,
        _: &drm::File<FakeFile>,
        _: &FdInfo<'_>,
    ) {
    }
}

/// The table that a device has now.
fn table(dev: &UnregisteredDevice<FakeDriver>) -> *const bindings::drm_driver {
    // SAFETY: The device is valid, and has no other user.
    unsafe { (*device::raw(dev)).driver }
}

#[kunit_tests(rgt_table)]
mod tests {
    use super::*;

    #[test]
    fn has_what_was_missing() -> Result {
        let fixture = Fixture::new()?;
        let base = table(&fixture.drm);

        extend(&fixture.drm)?;
        let extended = table(&fixture.drm);
        assert!(extended != base);
        // SAFETY: Both live as long as the device, at least, and do not change.
        let (base, extended) = unsafe { (&*base, &*extended) };
        let added = Features::SYNCOBJ.bits();
        assert_eq!(base.driver_features & added, 0);
        assert_eq!(extended.driver_features, base.driver_features | added);
        assert!(base.show_fdinfo.is_none());
        assert!(extended.show_fdinfo.is_some());
        Ok(())
    }

    #[test]
    fn keeps_the_rest() -> Result {
        let fixture = Fixture::new()?;
        let base = table(&fixture.drm);

        extend(&fixture.drm)?;
        // SAFETY: Both live as long as the device, at least, and do not change.
        let (base, extended) = unsafe { (&*base, &*table(&fixture.drm)) };
        assert_eq!(extended.name, base.name);
        assert_eq!(extended.ioctls, base.ioctls);
        assert_eq!(extended.num_ioctls, base.num_ioctls);
        assert!(extended.release.is_some() && extended.open.is_some());
        // SAFETY: File operations are constant.
        let (base, extended) = unsafe { (&*base.fops, &*extended.fops) };
        assert_eq!(extended.owner, base.owner);
        assert_eq!(extended.fop_flags, base.fop_flags);
        assert_eq!(extended.compat_ioctl.is_some(), base.compat_ioctl.is_some());
        assert!(base.show_fdinfo.is_none());
        assert!(extended.show_fdinfo.is_some());
        Ok(())
    }

    #[test]
    fn others_keep_theirs() -> Result {
        let fixture = Fixture::new()?;
        let base = table(&fixture.drm);
        let another = || UnregisteredDevice::new(fixture.parent.as_ref(), Ok(()));
        let (one, other) = (another()?, another()?);

        extend(&one)?;
        assert!(table(&other) == base);
        drop(one);
        // SAFETY: It lives as long as the device, at least.
        assert!(unsafe { (*base).show_fdinfo }.is_none());
        assert!(table(&another()?) == base);
        Ok(())
    }

    #[test]
    fn goes_after_the_device() -> Result {
        let fixture = Fixture::new()?;

        // Each copy is given back in its turn; KASAN tells if DRM looks at one that is gone.
        extend(&fixture.drm)?;
        extend(&fixture.drm)?;
        let object = fixture.object()?;
        drop(object);
        drop(fixture);
        Ok(())
    }
}
