// SPDX-License-Identifier: GPL-2.0

//! Page faults that block: the call that needs the page, and no other.

use anyhow::Result;
use rgt::BindOp;
use rgt::checksum::of_fill;
use rgt::uapi::DRM_RGT_REGION_GTT;

use super::basic::submit;
use super::late::Late;
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![a_bind_waits, a_job_waits, killed_while_it_waits];

const LEN: usize = 8 * PAGE as usize;

/// Jobs of the same VM go on.
fn a_bind_waits() -> Outcome {
    let rig = Rig::new()?;
    let late = Late::new(LEN)?;
    let range = rig.vm.reserve(LEN as u64)?;
    let op = late.area().op(range.addr());
    late.while_awaited(
        || rig.vm.bind(&[op]),
        || {
            submit(&rig)?;
            // It changes all the while.
            late.give_up()
        },
    )??;
    late.area().number(3);
    let result = rig.gtt(8)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&result)?;
    work.commands.checksum(range.addr(), LEN as u64, to)?;
    work.run()?;
    same(
        "checksum",
        result.map()?.read_u64(0),
        late.area().checksum(),
    )
}

/// Other clients' go on, and other VMs' of the same client.
fn a_job_waits() -> Outcome {
    let rig = Rig::new()?;
    let late = Late::new(LEN)?;
    late.bring()?;
    let bound = late.area().bind(&rig)?;
    late.area().number(3);
    let sibling = rig.sibling()?;
    for round in 0..2 {
        late.give_up()?;
        let prefetch = BindOp::prefetch(bound.addr(), LEN as u64, DRM_RGT_REGION_GTT);
        let call = || match round {
            0 => submit(&rig),
            _ => rig.vm.bind(&[prefetch]),
        };
        late.while_awaited(call, || {
            submit(&Rig::new()?)?;
            submit(&sibling)?;
            late.give_up()
        })??;
        let zeros = of_fill(0, LEN as u64 / 4);
        same("checksum", bound.checksum(&rig)?, zeros)?;
        late.area().number(3);
        same("checksum", bound.checksum(&rig)?, late.area().checksum())?;
    }
    Ok(())
}

fn killed_while_it_waits() -> Outcome {
    let rig = Rig::new()?;
    let range = rig.vm.reserve(LEN as u64)?;
    let end_of = |first: bool| -> Result<End> {
        in_child(|| {
            // SAFETY: It has the child killed a second later.
            let kill = || unsafe { libc::alarm(1) };
            let Ok(late) = Late::new(LEN) else { return 1 };
            let op = late.area().op(range.addr());
            if first {
                kill();
                return 2 + u8::from(rig.vm.bind(&[op]).is_ok());
            }
            if late.bring().is_err() || rig.vm.bind(&[op]).is_err() || late.give_up().is_err() {
                return 1;
            }
            let prefetch = BindOp::prefetch(range.addr(), LEN as u64, DRM_RGT_REGION_GTT);
            kill();
            2 + u8::from(rig.vm.bind(&[prefetch]).is_ok())
        })
    };
    same("a bind", end_of(true)?, End::Signal(libc::SIGALRM))?;
    same("a prefetch", end_of(false)?, End::Signal(libc::SIGALRM))?;
    drop(range);
    Ok(submit(&rig)?)
}
