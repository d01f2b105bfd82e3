// SPDX-License-Identifier: GPL-2.0

//! The search for stale data in new memory.

use anyhow::{Context, Result, ensure};
use rgt::{Bo, BoFlags, Placement, RegionKind};

use super::is_stale;
use crate::expect::same;
use crate::harness::Outcome;
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM};

const CHUNK: u64 = 4 * MIB;
/// Bytes of system pages that are taken, of each kind.
const PAGES: u64 = 32 * MIB;

/// How memory is read.
#[derive(Clone, Copy)]
enum Way {
    /// The CPU reads it all.
    Mapped,
    /// The GPU sums it.
    Summed,
    /// The GPU copies it to where the CPU reads it.
    Copied,
}

const WAYS: [Way; 3] = [Way::Mapped, Way::Summed, Way::Copied];

/// Ways for BOs of VRAM: as they are cleared differently, in part or whole.
const VRAM: [(&str, Make); 4] = [
    ("hidden VRAM", HIDDEN),
    ("contiguous VRAM", |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS)
    }),
    ("VRAM", |bo| bo.placement(Placement::VRAM)),
    ("visible VRAM", |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS)
    }),
];

/// Checks that a BO that was never used reads as zeros.
fn check(rig: &Rig, bo: &Bo, way: Way) -> Outcome {
    match way {
        Way::Summed => same("sum", rig.checksum(bo)?, 0),
        Way::Mapped => all_zero(bo),
        Way::Copied => {
            let copy = rig.gtt(bo.size())?;
            rig.copy(bo, &copy)?;
            all_zero(&copy)
        }
    }
}

fn all_zero(bo: &Bo) -> Outcome {
    let map = bo.map()?;
    let mut data = vec![0; map.len() / 4];
    map.read_slice(0, &mut data);
    let found = data.iter().position(|word| *word != 0);
    let Some(at) = found else { return Ok(()) };
    ensure!(!is_stale(data[at]), "word {at} is stale: {:#x}", data[at]);
    same("first word that is not zero", found, None)
}

/// Takes most of the memory, keeps it, and checks each BO in another way.
pub(super) fn everywhere(rig: &Rig) -> Outcome {
    let mut all = Vec::new();
    let mut ways = WAYS.iter().copied().cycle();
    let mut take = |name: &str, size: u64, make: Make, ways: &mut dyn Iterator<Item = Way>| {
        let bo = rig.bo(size, make)?;
        let way = ways.next().context("it has no end")?;
        check(rig, &bo, way).with_context(|| name.to_owned())?;
        all.push(bo);
        Ok::<(), anyhow::Error>(())
    };
    for region in rig.device.regions()? {
        match region.kind {
            RegionKind::Vram => {
                // The window goes last, to what must be there.
                let visible = region.cpu_visible_size / CHUNK;
                let count = region.size.saturating_sub(region.used) / CHUNK;
                for index in 0..count.saturating_sub(visible) {
                    let (name, make) = VRAM[index as usize % 3];
                    take(name, CHUNK, make, &mut ways)?;
                }
                for _ in 0..visible.saturating_sub(4) {
                    take(VRAM[3].0, CHUNK, VRAM[3].1, &mut ways)?;
                }
            }
            RegionKind::Scratchpad => {
                for _ in 0..region.size.saturating_sub(region.used) / PAGE {
                    take(
                        "scratchpad",
                        PAGE,
                        |bo| bo.placement(Placement::SCRATCHPAD),
                        &mut [Way::Summed, Way::Copied].into_iter().cycle(),
                    )?;
                }
            }
            _ => {}
        }
    }
    for (name, make) in [SHARED[1], SHARED[2]] {
        for _ in 0..PAGES / CHUNK {
            take(name, CHUNK, make, &mut ways)?;
        }
    }
    for _ in 0..PAGES / CHUNK {
        // The GPU does not see it.
        let mut mapped = std::iter::once(Way::Mapped);
        take("system pages", CHUNK, SYSTEM, &mut mapped)?;
    }
    Ok(())
}

/// Takes a few BOs of changing sizes, checks them, and frees them.
pub(super) fn a_few(rig: &Rig, round: usize) -> Outcome {
    let kinds = [VRAM[0], VRAM[1], VRAM[2], VRAM[3], SHARED[1], SHARED[2]];
    let bos = (0..4)
        .map(|index| {
            let (name, make) = kinds[(round + index) % kinds.len()];
            let size = PAGE << ((round / 3 + index * 5) % 11);
            Ok((name, rig.bo(size, make)?))
        })
        .collect::<Result<Vec<_>>>()?;
    for (index, (name, bo)) in bos.iter().enumerate() {
        check(rig, bo, WAYS[(round + index) % WAYS.len()]).with_context(|| (*name).to_owned())?;
    }
    Ok(())
}
