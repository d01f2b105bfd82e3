// SPDX-License-Identifier: GPL-2.0

//! Offsets and sizes that can be mapped.

use std::ptr;

use anyhow::ensure;
use rgt::uapi::*;
use rgt::{Bo, Device, Mapping};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::{MAPPABLE, STEP};
use crate::arguments::{refused, undefined_flags};
use crate::expect::{each, fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_part,
    past_the_end,
    private_mappings,
    another_clients_offset,
    bad_arguments
];

fn a_part() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(16 * PAGE, make)?;
        let part = bo.map_front(2 * STEP)?;
        let whole = bo.map()?;
        part.write(0, 1);
        part.write(2 * STEP - 4, 2);
        same("first dword", whole.read(0), 1)?;
        same("last dword", whole.read(2 * STEP - 4), 2)?;
        same("after it", whole.read(2 * STEP), 0)
    })
}

fn past_the_end() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(4 * PAGE)?;
    let _neighbour = rig.gtt(4 * PAGE)?;
    let at = |offset: u64, len: usize| Mapping::new(&rig.device, offset, len);
    let start = bo.mmap_offset()?;
    fails("longer than the BO", Errno::INVAL, at(start, 5 * STEP))?;
    fails("from its middle", Errno::INVAL, at(start + PAGE, STEP))?;
    fails("over its end", Errno::INVAL, at(start + 3 * PAGE, 2 * STEP))?;
    fails("an offset of nothing", Errno::INVAL, at(1 << 45, STEP))?;
    fails("offset 0", Errno::INVAL, at(0, STEP))?;
    bo.map_front(4 * STEP)?.write(4 * STEP - 4, 1);
    Ok(())
}

fn private_mappings() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    // One that cannot be written now may be by mprotect().
    for (what, prot) in [
        ("a writable one", ProtFlags::READ | ProtFlags::WRITE),
        ("one that is only read", ProtFlags::READ),
        ("one without access", ProtFlags::empty()),
    ] {
        // SAFETY: The kernel chooses the address; nothing of ours is replaced.
        let result = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                STEP,
                prot,
                MapFlags::PRIVATE,
                &rig.device,
                bo.mmap_offset()?,
            )
        };
        let result = result.map(|_| ()).map_err(|errno| rgt::Error::Os {
            call: "mmap",
            errno,
        });
        fails(what, Errno::INVAL, result)?;
    }
    Ok(())
}

fn another_clients_offset() -> Outcome {
    let rig = Rig::new()?;
    let other = Device::open()?;
    let bo = rig.gtt(PAGE)?;
    let offset = bo.mmap_offset()?;
    fails(
        "another client's BO",
        Errno::ACCESS,
        Mapping::new(&other, offset, STEP),
    )?;
    Mapping::new(&rig.device, offset, STEP)?;

    // The right to map it goes with the handle, also while the BO lives on with another client.
    let shared = Bo::import(&other, bo.export()?)?;
    same("offset", shared.mmap_offset()?, offset)?;
    drop(bo);
    fails(
        "a BO whose handle is closed",
        Errno::ACCESS,
        Mapping::new(&rig.device, offset, STEP),
    )?;
    Mapping::new(&other, offset, STEP)?;
    drop(shared);
    let stale = Mapping::new(&rig.device, offset, STEP);
    crate::expect::fails_any("a closed BO", &[Errno::INVAL, Errno::ACCESS], stale)
}

fn bad_arguments() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let good = drm_rgt_gem_mmap_offset {
        handle: bo.handle(),
        ..Default::default()
    };
    let answer = refused(
        &rig.device,
        good,
        &[
            ("extensions", &|it| it.extensions = 1, Errno::INVAL),
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle += 1000, Errno::NOENT),
        ],
    )?;
    undefined_flags(&rig.device, good, 0, |it, flag| it.flags = flag)?;
    let offset = answer.offset;
    ensure!(
        offset != 0 && offset.is_multiple_of(PAGE),
        "offset {offset:#x}"
    );
    same("asked again", bo.mmap_offset()?, offset)
}
