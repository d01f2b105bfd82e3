// SPDX-License-Identifier: GPL-2.0

//! Mappings of which parts are unmapped or replaced, seen by the GPU.

use anyhow::Result;
use rgt::{BindOp, BoFlags, Placement};

use super::seen::{numbered, pages, seen, seen_at};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    offset_in_the_bo,
    unmap_the_middle,
    unmap_the_ends,
    unmap_over_mappings_and_holes,
    replace_the_middle,
    replace_all,
    cut_a_large_page,
    large_pages_at_odd_places,
    tables_come_and_go,
];

fn offset_in_the_bo() -> Outcome {
    let rig = Rig::new()?;
    let bo = numbered(&rig, 16, 100)?;
    let range = rig.vm.reserve(8 * PAGE)?;
    rig.vm.bind(&[BindOp::map(
        &bo,
        5 * PAGE,
        range.addr() + 2 * PAGE,
        4 * PAGE,
    )])?;
    let expected = pages(&[(2, None), (4, Some(105)), (2, None)]);
    same("pages", seen(&rig, &[&bo], &range)?, expected)
}

fn unmap_the_middle() -> Outcome {
    let rig = Rig::new()?;
    let bo = numbered(&rig, 16, 100)?;
    let range = rig.vm.reserve(16 * PAGE)?;
    rig.vm
        .bind(&[BindOp::map(&bo, 0, range.addr(), 16 * PAGE)])?;
    same(
        "pages before",
        seen(&rig, &[&bo], &range)?,
        pages(&[(16, Some(100))]),
    )?;
    rig.vm
        .bind(&[BindOp::unmap(range.addr() + 6 * PAGE, 4 * PAGE)])?;
    let expected = pages(&[(6, Some(100)), (4, None), (6, Some(110))]);
    same("pages after", seen(&rig, &[&bo], &range)?, expected)?;
    // The hole can be filled again.
    rig.vm
        .bind(&[BindOp::map(&bo, 0, range.addr() + 6 * PAGE, 4 * PAGE)])?;
    let expected = pages(&[(6, Some(100)), (4, Some(100)), (6, Some(110))]);
    same("pages at last", seen(&rig, &[&bo], &range)?, expected)
}

fn unmap_the_ends() -> Outcome {
    let rig = Rig::new()?;
    let bo = numbered(&rig, 8, 100)?;
    let range = rig.vm.reserve(8 * PAGE)?;
    let end = range.addr() + 8 * PAGE;
    rig.vm
        .bind(&[BindOp::map(&bo, 0, range.addr(), 8 * PAGE)])?;
    rig.vm.bind(&[
        BindOp::unmap(range.addr(), 2 * PAGE),
        BindOp::unmap(end - PAGE, PAGE),
    ])?;
    let expected = pages(&[(2, None), (5, Some(102)), (1, None)]);
    same("pages", seen(&rig, &[&bo], &range)?, expected)
}

fn unmap_over_mappings_and_holes() -> Outcome {
    let rig = Rig::new()?;
    let (one, other) = (numbered(&rig, 4, 100)?, numbered(&rig, 4, 200)?);
    let range = rig.vm.reserve(12 * PAGE)?;
    let at = |page: u64| range.addr() + page * PAGE;
    rig.vm.bind(&[
        BindOp::map(&one, 0, at(0), 4 * PAGE),
        BindOp::map(&other, 0, at(5), 4 * PAGE),
        BindOp::map(&one, 0, at(10), 2 * PAGE),
        BindOp::unmap(at(2), 9 * PAGE),
    ])?;
    let expected = pages(&[(2, Some(100)), (9, None), (1, Some(101))]);
    same("pages", seen(&rig, &[&one, &other], &range)?, expected)
}

fn replace_the_middle() -> Outcome {
    let rig = Rig::new()?;
    let (one, other) = (numbered(&rig, 16, 100)?, numbered(&rig, 16, 200)?);
    let range = rig.vm.reserve(16 * PAGE)?;
    rig.vm.bind(&[
        BindOp::map(&one, 0, range.addr(), 16 * PAGE),
        BindOp::map(&other, 3 * PAGE, range.addr() + 4 * PAGE, 5 * PAGE),
    ])?;
    let expected = pages(&[(4, Some(100)), (5, Some(203)), (7, Some(109))]);
    same("pages", seen(&rig, &[&one, &other], &range)?, expected)
}

fn replace_all() -> Outcome {
    let rig = Rig::new()?;
    let (one, other) = (numbered(&rig, 8, 100)?, numbered(&rig, 8, 200)?);
    let range = rig.vm.reserve(8 * PAGE)?;
    let map = |bo| BindOp::map(bo, 0, range.addr(), 8 * PAGE);
    for (bo, tag) in [(&one, 100), (&other, 200), (&one, 100)] {
        rig.vm.bind(&[map(bo)])?;
        // The GPU read the range before: a stale translation would show the other BO.
        same(
            "pages",
            seen(&rig, &[&one, &other], &range)?,
            pages(&[(8, Some(tag))]),
        )?;
    }
    Ok(())
}

/// VRAM that is one block, aligned to the largest page and mapped at an address that is, too.
fn cut_a_large_page() -> Outcome {
    const SIZE: u64 = 4 * MIB;
    const HOLE: u64 = 2 * MIB + 64 * PAGE;
    let rig = Rig::new()?;
    let bo = rig.bo(SIZE, |bo| {
        bo.placement(Placement::VRAM)
            .flags(BoFlags::CONTIGUOUS | BoFlags::CPU_ACCESS)
            .alignment(2 << 20)
    })?;
    let range = rig.vm.map(&bo)?;
    let map = bo.map()?;
    for page in 0..SIZE / PAGE {
        map.write((page * PAGE) as usize, page as u32);
    }
    rig.vm.bind(&[BindOp::unmap(range.addr() + HOLE, PAGE)])?;

    let result = rig.gtt(PAGE)?;
    let places = [
        0,
        2 * MIB - PAGE,
        2 * MIB,
        HOLE - PAGE,
        HOLE + PAGE,
        SIZE - PAGE,
        HOLE,
    ];
    let mut work = rig.work(rig.copy)?;
    work.job = work.job.clone().read(&bo);
    let to = work.writes(&result)?;
    for (index, place) in (0..).zip(places) {
        work.commands
            .copy(range.addr() + place, to + index * 4, 4)?;
    }
    result.map()?.fill(0..64, u32::MAX);
    work.run()?;
    for (index, place) in places.iter().enumerate() {
        let expected = if *place == HOLE {
            u32::MAX
        } else {
            (place / PAGE) as u32
        };
        same("page", result.map()?.read(index * 4), expected)?;
    }
    Ok(())
}

fn large_pages_at_odd_places() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(4 * MIB, |bo| {
        bo.placement(Placement::VRAM)
            .flags(BoFlags::CPU_ACCESS)
            .alignment(2 << 20)
    })?;
    let map = bo.map()?;
    for page in 0..1024 {
        map.write(page * PAGE as usize, 5000 + page as u32);
    }
    let range = rig.vm.reserve(8 * MIB)?;
    let result = rig.gtt(PAGE)?;
    // Offset and address aligned to different page sizes.
    for (offset, shift) in [
        (0, PAGE),
        (PAGE, 0),
        (16 * PAGE, 16 * PAGE),
        (2 * MIB, 16 * PAGE),
    ] {
        let addr = range.addr() + 2 * MIB + shift;
        rig.vm.bind(&[
            BindOp::unmap(range.addr(), range.size()),
            BindOp::map(&bo, offset, addr, 2 * MIB - PAGE),
        ])?;
        let mut work = rig.work(rig.copy)?;
        work.job = work.job.clone().read(&bo);
        let to = work.writes(&result)?;
        for (index, page) in (0..).zip([0, 1, 15, 16, 17, 255, 510]) {
            work.commands.copy(addr + page * PAGE, to + index * 4, 4)?;
        }
        work.run()?;
        for (index, page) in [0, 1, 15, 16, 17, 255, 510].into_iter().enumerate() {
            let expected = 5000 + (offset / PAGE) as u32 + page;
            same("page", result.map()?.read(index * 4), expected)?;
        }
    }
    Ok(())
}

/// Page tables are freed with the last page that they map, and others come in their place, while
/// the GPU remembers which way it went: through the page, and to what faulted beside it.
fn tables_come_and_go() -> Outcome {
    const ROUNDS: u32 = 6;
    let rig = Rig::new()?;
    let range = rig.vm.reserve(4 * MIB)?;
    let start = range.addr().next_multiple_of(2 * MIB);
    for round in 0..ROUNDS {
        let tag = 1000 * (1 + round);
        // By turns a page, whose table has the level below too, and a large page without one.
        let count = [1, 2 * MIB / PAGE][round as usize % 2];
        let bo = numbered(&rig, count, tag)?;
        let see = || -> Result<_> {
            let of = |addr| seen_at(&rig, &[&bo], addr, 1);
            Ok([of(start)?, of(start + MIB)?].concat())
        };
        rig.vm.bind(&[BindOp::map(&bo, 0, start, count * PAGE)])?;
        let middle = (count > 1).then_some(tag + (MIB / PAGE) as u32);
        same("mapped", see()?, vec![Some(tag), middle])?;
        rig.vm.bind(&[BindOp::unmap(start, count * PAGE)])?;
        same("unmapped", see()?, vec![None, None])?;
    }
    Ok(())
}
