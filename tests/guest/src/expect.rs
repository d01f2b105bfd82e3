// SPDX-License-Identifier: GPL-2.0

//! Expectations of calls.

use std::fmt::Debug;

use anyhow::{Context, Result, bail, ensure};
use rgt::ioctl::{self, Request};
use rgt::{Device, Mapping};
use rustix::io::Errno;

use crate::harness::Outcome;

/// A call that must fail with this errno.
pub(crate) fn fails<T: Debug, E: Into<rgt::Error>>(
    what: &str,
    errno: Errno,
    result: Result<T, E>,
) -> Outcome {
    match result {
        Ok(value) => bail!("{what}: must fail with {errno}, gave {value:?}"),
        Err(error) => {
            let error = error.into();
            ensure!(
                error.errno() == Some(errno),
                "{what}: must fail with {errno:?}, failed with {error}"
            );
            Ok(())
        }
    }
}

/// A call that must fail with one of these.
pub(crate) fn fails_any<T: Debug>(what: &str, errnos: &[Errno], result: rgt::Result<T>) -> Outcome {
    match result {
        Ok(value) => bail!("{what}: must fail, gave {value:?}"),
        Err(error) => {
            let known = error.errno().is_some_and(|errno| errnos.contains(&errno));
            ensure!(
                known,
                "{what}: must fail with one of {errnos:?}, failed with {error}"
            );
            Ok(())
        }
    }
}

/// The result of a call of the library, of one that gives any error.
pub(crate) fn of_library<T>(result: Result<T>) -> rgt::Result<T> {
    result.map_err(|error| error.downcast().expect("an error of the library"))
}

/// Makes a raw call.
pub(crate) fn call<T: Request>(device: &Device, request: &mut T) -> rustix::io::Result<()> {
    // SAFETY: What a test has the kernel write is memory that the test keeps for it, or nothing.
    unsafe { ioctl::call_unchecked(device, request) }
}

/// Makes a raw call; gives what the kernel left in the structure.
pub(crate) fn raw<T: Request>(device: &Device, mut request: T) -> rgt::Result<T> {
    match call(device, &mut request) {
        Ok(()) => Ok(request),
        Err(errno) => Err(rgt::Error::Os {
            call: T::NAME,
            errno,
        }),
    }
}

/// Makes a raw call that must fail; gives what the kernel left in the structure.
pub(crate) fn refused_with<T: Request>(device: &Device, errno: Errno, mut request: T) -> Result<T> {
    match call(device, &mut request) {
        Err(got) if got == errno => Ok(request),
        result => bail!("{} must fail with {errno:?}, gave {result:?}", T::NAME),
    }
}

/// Two values that must be the same.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Outcome {
    ensure!(
        got == expected,
        "{what}: expected {expected:?}, got {got:?}"
    );
    Ok(())
}

/// Runs a check for each of several named things, and says which one failed.
pub(crate) fn each<T>(
    things: impl IntoIterator<Item = (&'static str, T)>,
    mut check: impl FnMut(T) -> Outcome,
) -> Outcome {
    for (name, thing) in things {
        check(thing).with_context(|| name)?;
    }
    Ok(())
}

/// The content that a mapping must have, byte for byte.
pub(crate) fn content_is(what: &str, map: &Mapping, wanted: &[u32]) -> Outcome {
    let mut found = vec![0; wanted.len()];
    map.read_slice(0, &mut found);
    let at = found.iter().zip(wanted).position(|(a, b)| a != b);
    ensure!(at.is_none(), "{what}: dword {at:?} is wrong");
    Ok(())
}
