// SPDX-License-Identifier: GPL-2.0

//! Tables of bad arguments.
//!
//! A row changes one thing in a valid request. The call has to fail with the row's errno, and to
//! change nothing: neither its structure, nor the memory in use, nor which handles and contexts
//! the client has. The valid request has to work after all rows.

use std::fmt::Debug;

use anyhow::{Context, Result, bail, ensure};
use rgt::ioctl::Request;
use rgt::uapi::{drm_gem_close, drm_rgt_ctx_create, drm_rgt_ctx_destroy, drm_rgt_gem_create};
use rgt::{Device, Placement};
use rustix::io::Errno;

use crate::expect::{call, raw, same};
use crate::harness::{Outcome, Used};
use crate::rig::PAGE;

/// A row: its name, the change that it makes, and the errno of the call.
pub(crate) type Row<'a, T> = (&'a str, &'a dyn Fn(&mut T), Errno);

/// An address of the kernel's.
pub(crate) const KERNEL: u64 = 0xffff_8000_0000_0000;

/// Runs a table of a call. Returns the answer to the valid
/// request.
pub(crate) fn refused<T>(device: &Device, good: T, rows: &[Row<'_, T>]) -> Result<T>
where
    T: Request + Copy + Debug + PartialEq,
{
    refused_by(device, good, rows, |it| call(device, it), || Ok(()))
}

/// As [`refused()`], for calls that are made by `call`, and with a check of what else a call may
/// change.
pub(crate) fn refused_by<T: Copy + Debug + PartialEq>(
    device: &Device,
    mut good: T,
    rows: &[Row<'_, T>],
    call: impl Fn(&mut T) -> rustix::io::Result<()>,
    unchanged: impl Fn() -> Outcome,
) -> Result<T> {
    let before = State::of(device)?;
    for (name, change, errno) in rows {
        let mut request = good;
        change(&mut request);
        ensure!(request != good, "{name}: is a valid request");
        let sent = request;
        fails_with(name, *errno, call(&mut request))?;
        same("the structure", request, sent).context(name.to_string())?;
        before.is_still(device).context(name.to_string())?;
        unchanged().context(name.to_string())?;
    }
    call(&mut good).context("the valid request")?;
    Ok(good)
}

/// Runs a table of entries of an array, each alone, after a valid one, and before one.
pub(crate) fn refused_entries<T: Copy + Debug + PartialEq>(
    device: &Device,
    good: T,
    rows: &[Row<'_, T>],
    call: impl Fn(&[T]) -> rustix::io::Result<()>,
    unchanged: impl Fn() -> Outcome,
) -> Outcome {
    let before = State::of(device)?;
    for (name, change, errno) in rows {
        let mut bad = good;
        change(&mut bad);
        ensure!(bad != good, "{name}: is a valid entry");
        for entries in [&[bad][..], &[good, bad], &[bad, good]] {
            fails_with(name, *errno, call(entries))?;
            before.is_still(device).context(name.to_string())?;
            unchanged().context(name.to_string())?;
        }
    }
    call(&[good]).context("the valid entry")
}

/// Makes sure that each flag that is not defined gives EINVAL and changes nothing.
pub(crate) fn undefined_flags<T>(
    device: &Device,
    good: T,
    defined: u32,
    set: impl Fn(&mut T, u32),
) -> Outcome
where
    T: Request + Copy + Debug + PartialEq,
{
    let before = State::of(device)?;
    for flag in bits_without(defined) {
        let mut request = good;
        set(&mut request, flag);
        let name = format!("flag {flag:#x}");
        fails_with(&name, Errno::INVAL, call(device, &mut request))?;
    }
    before.is_still(device)
}

/// Returns the bits that a mask does not have.
pub(crate) fn bits_without(mask: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS)
        .map(|bit| 1 << bit)
        .filter(move |flag| flag & mask == 0)
}

fn fails_with(name: &str, errno: Errno, result: rustix::io::Result<()>) -> Outcome {
    match result {
        Err(got) if got == errno => Ok(()),
        result => bail!("{name}: must fail with {errno:?}, gave {result:?}"),
    }
}

/// State that a failed call must not change.
struct State {
    used: Used,
    numbers: (u32, u32),
}

impl State {
    fn of(device: &Device) -> Result<Self> {
        Ok(Self {
            used: Used::now()?,
            numbers: next_numbers(device)?,
        })
    }

    fn is_still(&self, device: &Device) -> Outcome {
        let numbers = next_numbers(device)?;
        same("the next handle and context", numbers, self.numbers)?;
        self.used.wait_until_back()
    }
}

/// Returns the numbers of the next handle and the next context, which are the lowest that are free.
fn next_numbers(device: &Device) -> Result<(u32, u32)> {
    let create = drm_rgt_gem_create {
        size: PAGE,
        placement: Placement::GTT.bits(),
        ..Default::default()
    };
    let handle = raw(device, create)?.handle;
    raw(device, drm_gem_close { handle, pad: 0 })?;
    let ctx_id = raw(device, drm_rgt_ctx_create::default())?.ctx_id;
    raw(device, drm_rgt_ctx_destroy { ctx_id, pad: 0 })?;
    Ok((handle, ctx_id))
}
