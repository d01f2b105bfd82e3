// SPDX-License-Identifier: GPL-2.0

//! Every call of the uAPI, and what other files have to do with the device.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use anyhow::Result;
use rgt::Device;

use super::fail::{Failures, failing};
use crate::expect::{each, same};
use crate::harness::{Outcome, Test, Used};
use crate::peer::{DmaBuf, Vgem};
use crate::rig::{Calls, MIB, PAGE, Rig, SHARED};
use crate::suites::runtime_pm::Auto;

pub(super) const TESTS: &[Test] = failing![
    opening: 50,
    every_call: 150,
    attaching: 15,
    waking: 20,
];

fn opening(failures: &mut Failures) -> Outcome {
    let path = Device::open()?.path().to_owned();
    failures.each_allocation(
        || Ok(None),
        |device| {
            *device = Some(Device::open_path(&path)?);
            Ok(())
        },
    )
}

/// The file that a call makes whose number the kernel fails to tell: it is there all the same.
struct Untold(Option<RawFd>);

impl Untold {
    /// One that the next call makes.
    fn next() -> Result<Self> {
        Ok(Self(Some(File::open("/dev/null")?.as_raw_fd())))
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // SAFETY: The number was free before the call, and nothing has been told of it. If there
            // is no such file, nothing is done.
            unsafe { libc::close(file) };
        }
    }
}

fn every_call(failures: &mut Failures) -> Outcome {
    each(Calls::all()?.iter().copied(), |make| {
        let before = Used::now()?;
        let calls = RefCell::new(Calls::new()?);
        failures.each_allocation_checked(
            || {
                calls.borrow_mut().renew()?;
                Untold::next()
            },
            |untold| {
                make(&mut calls.borrow_mut())?;
                untold.0 = None;
                Ok(())
            },
            |_| Ok(()),
        )?;
        drop(calls);
        before.wait_until_back()
    })
}

/// Another device imports a BO, of which it cannot reach VRAM.
fn attaching(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let [_, in_pages @ ..] = SHARED;
    each(in_pages, |make| {
        failures.each_allocation_checked(
            || {
                let bo = rig.bo(MIB, make)?;
                rig.fill(&bo, 7)?;
                Ok((DmaBuf::from(bo.export()?), bo, None))
            },
            |(buffer, _, imported)| {
                *imported = Some(vgem.import(buffer)?);
                Ok(())
            },
            |(_, bo, _)| {
                let sum = rgt::checksum::of_fill(7, MIB / 4);
                same("sum", rig.checksum(bo)?, sum)
            },
        )
    })
}

/// A job wakes the device.
fn waking(failures: &mut Failures) -> Outcome {
    const SOON: Duration = Duration::from_millis(10);
    let rig = Rig::new()?;
    let bo = rig.vram(PAGE)?;
    let auto = Auto::after(&rig.device, SOON)?;
    failures.each_allocation_checked(
        || -> Result<_> {
            let mut work = rig.work(rig.copy)?;
            let to = work.writes(&bo)?;
            work.commands.fill(to, PAGE, 7)?;
            auto.falls_asleep()?;
            Ok(work)
        },
        |work| work.submit(),
        |work| work.wait(),
    )?;
    drop(auto);
    let sum = rgt::checksum::of_fill(7, PAGE / 4);
    same("sum", rig.checksum(&bo)?, sum)
}
