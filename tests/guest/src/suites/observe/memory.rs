// SPDX-License-Identifier: GPL-2.0

//! How much memory there is, in use, and where a BO is.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Placement, Region, RegionKind};

use super::files::{Debugfs, FdInfo, Line};
use crate::expect::{each, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM};

pub(super) const TESTS: &[Test] = tests![
    regions_are_those_of_query,
    managers_show_their_blocks,
    bos_add_up_to_what_is_used,
    a_bo_is_where_gem_info_says,
    fdinfo_of_each_region,
    fdinfo_of_an_active_bo,
    page_tables_are_in_vram,
];

/// A region's name in the files.
fn name(kind: RegionKind) -> &'static str {
    match kind {
        RegionKind::System => "system",
        RegionKind::Gtt => "gtt",
        RegionKind::Vram => "vram",
        RegionKind::Scratchpad => "scratchpad",
        RegionKind::Other(_) => "unknown",
    }
}

/// The name of the one region of a mask.
fn place(placement: Placement) -> &'static str {
    if placement == Placement::SYSTEM {
        "system"
    } else if placement == Placement::GTT {
        "gtt"
    } else if placement == Placement::VRAM {
        "vram"
    } else if placement.is_empty() {
        "none"
    } else {
        "several"
    }
}

fn regions_are_those_of_query() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let bos = [rig.vram(3 * MIB)?, rig.gtt(5 * PAGE)?];
    for bo in &bos {
        rig.fill(bo, 1)?;
    }

    let regions = rig.device.regions()?;
    same("regions", debugfs.lines("regions")?.len(), regions.len())?;
    for mut region in regions {
        // What jobs had is given up by a worker.
        let line = loop {
            let line = debugfs.line("regions", "region", name(region.kind))?;
            let now = rig.device.region(region.kind)?.context("the region")?;
            if std::mem::replace(&mut region, now) == now {
                break line;
            }
        };
        let read = Region {
            size: line.number("size")?,
            used: line.number("used")?,
            cpu_visible_size: line.number("visible_size")?,
            cpu_visible_used: line.number("visible_used")?,
            ..region
        };
        same("a region", read, region)?;
        same("moves under way", line.number("eviction_fences")?, 0)?;
        if region.kind == RegionKind::Vram {
            free_blocks_add_up(&line)?;
        }
    }
    Ok(())
}

/// A region's free bytes are those of its free blocks together.
fn free_blocks_add_up(line: &Line) -> Outcome {
    let free = line.number("free")?;
    let used = line.number("used")?;
    ensure!(
        free <= line.number("size")? - used,
        "{free} bytes free, {used} used"
    );
    let (mut sum, mut largest) = (0, 0);
    for block in line.text("free_blocks")?.split(',') {
        let (order, count) = block.split_once(':').context("order and count")?;
        let size = PAGE << order.parse::<u32>()?;
        sum += size * count.parse::<u64>()?;
        largest = largest.max(size);
    }
    same(
        "sum and largest",
        (sum, largest),
        (free, line.number("largest_free")?),
    )?;
    ensure!(line.number("cleared")? <= free, "more is zero than is free");
    Ok(())
}

/// The number in a text behind a key and a colon, without its unit.
fn value(text: &str, key: &str) -> Result<u64> {
    let (_, rest) = text
        .split_once(&format!("{key}: "))
        .with_context(|| format!("no {key} in {text:?}"))?;
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Ok(rest[..end].parse()?)
}

fn managers_show_their_blocks() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let bos = [rig.vram(3 * MIB)?, rig.gtt(5 * PAGE)?];
    for bo in &bos {
        rig.fill(bo, 1)?;
    }

    for region in rig.device.regions()? {
        if region.kind == RegionKind::System {
            continue;
        }
        let text = debugfs.text(&format!("{}_mm", name(region.kind)))?;
        same("size", value(&text, "size")?, region.size)?;
        ensure!(value(&text, "usage")? <= region.size, "{text}");
        let mut free = 0;
        for line in text.lines().filter(|line| line.starts_with("order-")) {
            let order: u32 = line["order-".len()..][..2].trim().parse()?;
            let count = value(line, "free_blocks")?;
            let shift = if line.contains("MiB") { 20 } else { 10 };
            let bytes = count * (PAGE << order);
            same(line, value(line, "free")?, bytes >> shift)?;
            free += bytes;
        }
        let counts = region.kind != RegionKind::Gtt;
        same("has blocks", free != 0, counts)?;
        let reserved = match region.kind {
            RegionKind::Vram => debugfs.page_tables()?.number("size")?,
            _ => 0,
        };
        if counts {
            let total = (region.size + reserved) / MIB;
            same("total", value(&text, "total")?, total)?;
            ensure!(free <= region.size, "{text}");
        }
        if region.kind == RegionKind::Vram {
            ensure!(free <= region.size - bos[0].size(), "{text}");
            same(
                "visible",
                value(&text, "visible_size")?,
                region.cpu_visible_size / MIB,
            )?;
        }
    }
    Ok(())
}

/// Bytes of the BOs that are in a region, by the list of them all.
fn listed(debugfs: &Debugfs, kind: RegionKind) -> Result<u64> {
    debugfs
        .lines("bos")?
        .iter()
        .filter(|line| line.text("place").is_ok_and(|place| place == name(kind)))
        .map(|line| line.number("size"))
        .sum()
}

fn bos_add_up_to_what_is_used() -> Outcome {
    const LOOKS: u32 = 60;
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let kinds = [RegionKind::System, RegionKind::Gtt, RegionKind::Vram];
    // The driver's own memory is in use, and on no list.
    let own = |kind| -> Result<u64> {
        let used = rig.device.region(kind)?.context("no such region")?.used;
        let listed = listed(&debugfs, kind)?;
        used.checked_sub(listed)
            .with_context(|| format!("{kind}: {listed} listed, {used} used"))
    };
    // A BO that was closed is in use until its last unbind is done.
    let settled = |kind| -> Result<u64> {
        let (mut last, mut looks) = (own(kind)?, 0);
        while looks < LOOKS {
            thread::sleep(Duration::from_millis(5));
            let now = own(kind)?;
            looks = if now == last { looks + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    };
    let before = kinds.map(settled);

    let mut bos = Vec::new();
    for (pages, (_, make)) in (7..).zip(SHARED) {
        let bo = rig.bo(pages * PAGE, make)?;
        rig.fill(&bo, 1)?;
        bos.push(bo);
    }
    let system = rig.bo(3 * MIB, SYSTEM)?;
    system.map()?.write(0, 1);
    bos.push(system);
    let many = kinds.map(settled);
    bos.truncate(2);
    let few = kinds.map(settled);

    for (kind, ((before, many), few)) in kinds.iter().zip(before.into_iter().zip(many).zip(few)) {
        let before = before?;
        same(name(*kind), (many?, few?), (before, before))?;
    }
    Ok(())
}

fn a_bo_is_where_gem_info_says() -> Outcome {
    let kinds = SHARED
        .into_iter()
        .chain([("hidden VRAM", HIDDEN), ("system", SYSTEM)]);
    each(kinds, |make| {
        let rig = Rig::new()?;
        let debugfs = Debugfs::of(&rig.device)?;
        let bo = rig.bo(9 * PAGE, make)?;
        let check = |resident: u64| -> Outcome {
            let (info, line) = (bo.info()?, debugfs.bo(&bo)?);
            same("place", line.text("place")?, place(info.current_placement))?;
            same("resident", line.number("resident")?, resident)?;
            same("flags", line.number("flags")?, info.flags.bits().into())?;
            let places = line.text("places")?.split(',').count() as u32;
            same("places", places, info.placement.bits().count_ones())
        };
        check(0)?;
        if bo.info()?.placement == Placement::SYSTEM {
            bo.map()?.write(0, 1);
        } else {
            rig.fill(&bo, 1)?;
        }
        let place = bo.info()?;
        ensure!(
            place.placement.contains(place.current_placement)
                && !place.current_placement.is_empty(),
            "in {:?}",
            place.current_placement
        );
        check(1)
    })
}

/// The changes of the client's fdinfo for each region that come with a BO: total, shared and
/// resident in one region, nothing in the others.
fn fdinfo_of_each_region() -> Outcome {
    let cases: [(&str, Make, &str, bool); 4] = [
        ("VRAM", HIDDEN, "vram", true),
        ("GTT", |bo| bo.placement(Placement::GTT), "gtt", true),
        (
            "VRAM or GTT",
            |bo| bo.placement(Placement::VRAM | Placement::GTT),
            "vram",
            true,
        ),
        ("system", SYSTEM, "system", false),
    ];
    for (what, make, region, gpu) in cases {
        let rig = Rig::new()?;
        let read = || -> Result<Vec<(u64, u64, u64)>> {
            let info = FdInfo::of(&rig.device)?;
            ["system", "gtt", "vram", "scratchpad"]
                .iter()
                .map(|name| info.memory(name))
                .collect()
        };
        let others = |memory: Vec<_>| -> Vec<_> {
            let index = ["system", "gtt", "vram", "scratchpad"]
                .iter()
                .position(|r| *r == region);
            memory
                .into_iter()
                .enumerate()
                .filter(|(i, _)| Some(*i) != index)
                .collect()
        };
        let size = 11 * PAGE;
        let empty = read()?;
        let bo = rig.bo(size, make)?;
        same(what, FdInfo::of(&rig.device)?.memory(region)?, (size, 0, 0))?;
        if gpu {
            rig.fill(&bo, 1)?;
        } else {
            bo.map()?.write(0, 1);
        }
        same(
            what,
            FdInfo::of(&rig.device)?.memory(region)?,
            (size, 0, size),
        )?;
        same(what, others(read()?), others(empty.clone()))?;
        let purgeable = || FdInfo::of(&rig.device)?.number(&format!("drm-purgeable-{region}"));
        same("purgeable when needed", purgeable()?, 0)?;
        bo.dont_need()?;
        same("purgeable when not needed", purgeable()?, size)?;
        drop(bo);
        same(what, read()?, empty)?;
    }
    Ok(())
}

fn fdinfo_of_an_active_bo() -> Outcome {
    let rig = Rig::new()?;
    let bo: Bo = rig.vram(21 * PAGE)?;
    rig.fill(&bo, 1)?;
    let active = || FdInfo::of(&rig.device)?.number("drm-active-vram");
    same("active when idle", active()?, 0)?;

    let job = rig.held(rig.copy, |work| work.writes(&bo).map(drop))?;
    let seen = active()?;
    ensure!(
        seen >= bo.size(),
        "{seen} bytes active, at least {} are",
        bo.size()
    );
    job.finish()?;
    same("active afterwards", active()?, 0)
}

/// All of a client's page tables are in VRAM that is set aside for them, but for the root of its VM.
fn page_tables_are_in_vram() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 1)?;
    let own = FdInfo::of(&rig.device)?.number("rgt-page-tables")?;
    let usage = Debugfs::of(&rig.device)?.page_tables()?;
    let (used, size) = (usage.number("used")?, usage.number("size")?);
    ensure!(own >= 4 * PAGE, "{own} bytes of page tables");
    ensure!(
        (own - PAGE..=size).contains(&used),
        "{used} bytes of {size} are used, {own} are the client's"
    );
    Ok(())
}
