// SPDX-License-Identifier: GPL-2.0

//! References that keep devices awake.

use core::ptr;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    faux,
    prelude::*, //
};

use crate::{
    rust::pm::runtime::{
        Awake,
        Power,
        Suspending, //
    },
    tests::fake::faux_device, //
};

// Declared as in `helpers.h`.
unsafe extern "C" {
    fn rgt_test_enable_runtime_pm(dev: *mut c_void);
    fn rgt_test_disable_runtime_pm(dev: *mut c_void);
    fn rgt_test_runtime_suspend(dev: *mut c_void) -> c_int;
    fn rgt_test_is_runtime_suspended(dev: *mut c_void) -> bool;
}

/// A device that has runtime PM, and is active.
struct Sleeper(faux::Registration);

impl Sleeper {
    fn new() -> Result<Self> {
        let this = Self(faux_device("rgt-kunit-pm")?);
        // SAFETY: The device is registered.
        unsafe { rgt_test_enable_runtime_pm(this.raw()) };
        Ok(this)
    }

    fn dev(&self) -> &Device {
        let dev: &faux::Device<Bound> = self.0.as_ref();
        dev.as_ref()
    }

    fn raw(&self) -> *mut c_void {
        // CAST: `Device` is transparent over `device`.
        ptr::from_ref(self.dev()).cast_mut().cast()
    }

    /// Suspends it, and returns whether that was possible.
    fn suspend(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { rgt_test_runtime_suspend(self.raw()) >= 0 }
    }

    fn is_suspended(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { rgt_test_is_runtime_suspended(self.raw()) }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // SAFETY: The device is registered.
        unsafe { rgt_test_disable_runtime_pm(self.raw()) };
    }
}

#[kunit_tests(rgt_pm)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_keeps_a_device_awake() -> Result {
        let sleeper = Sleeper::new()?;
        let awake = Awake::resume_and_get(sleeper.dev())?;

        assert!(!sleeper.suspend());
        let other = awake.clone();
        drop(awake);
        assert!(!sleeper.suspend());
        drop(other);
        assert!(sleeper.suspend() && sleeper.is_suspended());
        let awake = Awake::resume_and_get(sleeper.dev())?;
        assert!(!sleeper.is_suspended());
        drop(awake);
        assert!(sleeper.suspend());
        Ok(())
    }

    #[test]
    fn a_device_that_sleeps_is_left_asleep() -> Result {
        let sleeper = Sleeper::new()?;

        assert!(Awake::get_if_in_use(sleeper.dev()).is_none());
        let awake = Awake::get_if_active(sleeper.dev());
        assert!(awake.is_some() && !sleeper.suspend());
        assert!(Awake::get_if_in_use(sleeper.dev()).is_some());
        drop(awake);
        assert!(sleeper.suspend());
        assert!(Awake::get_if_active(sleeper.dev()).is_none());
        assert!(Awake::get_if_in_use(sleeper.dev()).is_none());
        assert!(sleeper.is_suspended());
        Ok(())
    }

    #[test]
    fn work_is_for_those_who_keep_it_awake() -> Result {
        let sleeper = Sleeper::new()?;
        let power = Power::new(sleeper.dev());
        let suspending = Suspending::new(sleeper.dev());

        assert_eq!(power.hold().err(), Some(EBUSY));
        assert!(!suspending.is_wanted());
        let awake = power.resume_and_get()?;
        assert!(suspending.is_wanted());
        let held = power.hold()?;
        drop(awake);
        assert!(!sleeper.suspend());
        drop(held);
        // The callback waits for its own work, which would keep the device awake if it counted.
        let held = power.suspend(&suspending, || power.hold())?;
        assert!(!suspending.is_wanted());
        assert_eq!(power.hold().err(), Some(EBUSY));
        drop(held);
        assert!(sleeper.suspend());
        Ok(())
    }
}
