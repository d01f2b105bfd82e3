// SPDX-License-Identifier: GPL-2.0

//! Where a BO is put, as its creation asks for it.

use anyhow::{Context, Result};
use rgt::{Bo, BoFlags, BoPriority, Placement, Region, RegionKind};
use rustix::io::Errno;

use crate::expect::{each, fails, same};
use crate::harness::{End, Outcome, Suite, Tag, in_child, tests};
use crate::rig::{HIDDEN, MIB, Make, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "placement",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[tests![
        first_that_the_gpu_sees,
        first_that_the_cpu_sees,
        preferred_ones_first,
        preferred_ones_give_way,
        low_priority_is_evicted_first,
        cpu_access_is_in_the_window,
        no_cpu_access_leaves_the_window_alone,
        no_cpu_access_may_use_the_window,
        contiguous_and_aligned,
        too_large_for_all,
        too_large_for_the_window,
    ]],
};

const VISIBLE: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS);

fn vram(rig: &Rig) -> Result<Region> {
    rig.device
        .region(RegionKind::Vram)?
        .context("there is VRAM")
}

/// A BO that the GPU has filled.
fn used(rig: &Rig, size: u64, make: Make) -> Result<Bo> {
    let bo = rig.bo(size, make)?;
    rig.fill(&bo, 0x5a5a_5a5a)?;
    Ok(bo)
}

fn first_that_the_gpu_sees() -> Outcome {
    let rig = Rig::new()?;
    let cases = [
        (Placement::VRAM, Placement::VRAM),
        (Placement::GTT, Placement::GTT),
        (Placement::VRAM | Placement::GTT, Placement::VRAM),
        (Placement::VRAM | Placement::SYSTEM, Placement::VRAM),
        (Placement::GTT | Placement::SYSTEM, Placement::GTT),
        (
            Placement::VRAM | Placement::GTT | Placement::SYSTEM,
            Placement::VRAM,
        ),
    ];
    for (mask, expected) in cases {
        let bo = Bo::builder(MIB).placement(mask).create(&rig.device)?;
        same(
            "before its first use",
            bo.info()?.current_placement,
            Placement::empty(),
        )?;
        rig.fill(&bo, 1)?;
        let info = bo.info()?;
        same("where it is", info.current_placement, expected)?;
        same("where it may be", info.placement, mask)?;
    }
    Ok(())
}

fn first_that_the_cpu_sees() -> Outcome {
    let rig = Rig::new()?;
    let cases = [
        (Placement::SYSTEM, Placement::SYSTEM),
        (Placement::GTT | Placement::SYSTEM, Placement::GTT),
        (Placement::VRAM | Placement::SYSTEM, Placement::VRAM),
    ];
    for (mask, expected) in cases {
        let bo = Bo::builder(MIB).placement(mask).create(&rig.device)?;
        bo.map()?.write(0, 1);
        same("where it is", bo.info()?.current_placement, expected)?;
    }
    Ok(())
}

fn preferred_ones_first() -> Outcome {
    let rig = Rig::new()?;
    let both = Placement::VRAM | Placement::GTT;
    for (preferred, expected) in [
        (Placement::empty(), Placement::VRAM),
        (Placement::VRAM, Placement::VRAM),
        (Placement::GTT, Placement::GTT),
        (both, Placement::VRAM),
    ] {
        let bo = Bo::builder(MIB).placement(both).preferred(preferred);
        let bo = bo.create(&rig.device)?;
        rig.fill(&bo, 1)?;
        same("where it is", bo.info()?.current_placement, expected)?;
    }
    Ok(())
}

/// Those that do not fit where they prefer to be are put elsewhere.
fn preferred_ones_give_way() -> Outcome {
    let rig = Rig::new()?;
    let vram = vram(&rig)?;
    let make: Make = |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .preferred(Placement::VRAM)
            .flags(BoFlags::NO_CPU_ACCESS)
    };
    let _most = used(&rig, vram.size - vram.used - 8 * MIB, HIDDEN)?;
    let bos = (0..4)
        .map(|_| used(&rig, 4 * MIB, make))
        .collect::<Result<Vec<_>>>()?;
    let mut in_vram = 0;
    for bo in &bos {
        in_vram += u32::from(bo.info()?.current_placement == Placement::VRAM);
    }
    same("some are in VRAM", (1..4).contains(&in_vram), true)
}

/// When VRAM is short, BOs of low priority go before those that were used before them.
fn low_priority_is_evicted_first() -> Outcome {
    let rig = Rig::new()?;
    let vram = vram(&rig)?;
    let size = (vram.size - vram.used) / 4 / MIB * MIB;
    let make = |priority| {
        let bo = HIDDEN(Bo::builder(size)).priority(priority);
        let bo = bo.create(&rig.device)?;
        rig.fill(&bo, 7)?;
        anyhow::Ok(bo)
    };
    let high = make(BoPriority::High)?;
    let normal = make(BoPriority::Normal)?;
    let low = make(BoPriority::Low)?;
    for bo in [&high, &normal, &low, &low] {
        rig.fill(bo, 8)?;
    }
    let _more = [make(BoPriority::Normal)?, make(BoPriority::Normal)?];
    same(
        "low",
        low.info()?.current_placement != Placement::VRAM,
        true,
    )?;
    same("high", high.info()?.current_placement, Placement::VRAM)?;
    let _more = [make(BoPriority::Normal)?, make(BoPriority::Normal)?];
    same("high", high.info()?.current_placement, Placement::VRAM)?;
    same("normal", normal.size(), size)
}

fn cpu_access_is_in_the_window() -> Outcome {
    let rig = Rig::new()?;
    let before = vram(&rig)?;
    let bo = used(&rig, 2 * MIB, VISIBLE)?;
    let after = vram(&rig)?;
    same("use", after.used - before.used, 2 * MIB)?;
    same(
        "visible use",
        after.cpu_visible_used - before.cpu_visible_used,
        2 * MIB,
    )?;
    drop(bo);
    Ok(())
}

fn no_cpu_access_leaves_the_window_alone() -> Outcome {
    let rig = Rig::new()?;
    let before = vram(&rig)?;
    let _bos = (0..8)
        .map(|_| used(&rig, 2 * MIB, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    let after = vram(&rig)?;
    same("use", after.used - before.used, 16 * MIB)?;
    same(
        "visible use",
        after.cpu_visible_used,
        before.cpu_visible_used,
    )
}

/// The flag is a preference: VRAM outside the window being full, the window serves as well.
fn no_cpu_access_may_use_the_window() -> Outcome {
    const SIZE: u64 = 8 * MIB;
    let rig = Rig::new()?;
    let start = vram(&rig)?;
    let count = (start.size - start.cpu_visible_size) / SIZE + 1;
    let bos = (0..count)
        .map(|_| used(&rig, SIZE, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    for bo in &bos {
        same("where it is", bo.info()?.current_placement, Placement::VRAM)?;
    }
    Ok(())
}

/// Both can only be had where there is enough in one piece, also after VRAM was cut up.
fn contiguous_and_aligned() -> Outcome {
    let rig = Rig::new()?;
    let mut small = (0..64)
        .map(|_| used(&rig, 64 << 10, |bo| bo.placement(Placement::VRAM)))
        .collect::<Result<Vec<_>>>()?;
    let mut keep = false;
    small.retain(|_| {
        keep = !keep;
        keep
    });
    let makes: [(_, Make); 3] = [
        ("contiguous", |bo| {
            bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS)
        }),
        ("aligned", |bo| {
            bo.placement(Placement::VRAM).alignment(2 << 20)
        }),
        ("contiguous, visible and aligned", |bo| {
            bo.placement(Placement::VRAM)
                .flags(BoFlags::CONTIGUOUS | BoFlags::CPU_ACCESS)
                .alignment(2 << 20)
        }),
    ];
    each(makes, |make| {
        let bo = used(&rig, 4 * MIB + 4096, make)?;
        same("where it is", bo.info()?.current_placement, Placement::VRAM)?;
        let sum = rgt::checksum::of_fill(0x5a5a_5a5a, bo.size() / 4);
        same("sum", rig.checksum(&bo)?, sum)
    })
}

fn too_large_for_all() -> Outcome {
    let rig = Rig::new()?;
    let vram = vram(&rig)?;
    let gtt = rig
        .device
        .region(RegionKind::Gtt)?
        .context("there is GTT")?;
    let create = |size, mask, flags| {
        Bo::builder(size)
            .placement(mask)
            .flags(flags)
            .create(&rig.device)
            .map(|bo| bo.size())
    };
    let nothing = BoFlags::empty();
    fails(
        "more than VRAM",
        Errno::NOSPC,
        create(vram.size + 4096, Placement::VRAM, nothing),
    )?;
    fails(
        "more than the window",
        Errno::NOSPC,
        create(
            vram.cpu_visible_size + 4096,
            Placement::VRAM,
            BoFlags::CPU_ACCESS,
        ),
    )?;
    fails(
        "more than GTT",
        Errno::NOSPC,
        create(gtt.size + 4096, Placement::GTT, nothing),
    )?;
    let either = create(vram.size + 4096, Placement::VRAM | Placement::GTT, nothing)?;
    same("more than VRAM, but not than GTT", either, vram.size + 4096)
}

/// The CPU's touch of VRAM that never fits into the window ends in SIGBUS, and evicts no other BO.
fn too_large_for_the_window() -> Outcome {
    let rig = Rig::new()?;
    let window = vram(&rig)?.cpu_visible_size;
    let neighbour = used(&rig, 4 * MIB, VISIBLE)?;
    let huge = rig.bo(window + 2 * MIB, HIDDEN)?;
    let map = huge.map()?;
    same(
        "how the touch ends",
        in_child(|| u8::from(map.read(0) != 0))?,
        End::Signal(libc::SIGBUS),
    )?;
    same(
        "where the neighbour is",
        neighbour.info()?.current_placement,
        Placement::VRAM,
    )
}
