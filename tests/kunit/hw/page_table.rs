// SPDX-License-Identifier: GPL-2.0

//! Page tables: what is mapped, at which level, and how many tables that takes.

use core::ops::Range;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    faux,
    prelude::*, //
};

use crate::{
    hw::{
        PageUnderTest,
        TablesUnderTest, //
    },
    rust::{
        bindings,
        devres::BoundDevice, //
    },
    tests::fake::faux_device, //
};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Where most tests map something: not at the start of any table above level 0.
const BASE: u64 = 5 * GIB + 6 * MIB;

/// Creates a device that can do DMA.
pub(super) fn device() -> Result<faux::Registration> {
    let parent = faux_device("rgt-kunit-page-table")?;
    let dev: *const Device<Bound> = of(&parent);

    // SAFETY: `Device` is transparent over `device`, and the mask of this one is not used yet.
    unsafe { (*dev.cast_mut().cast::<bindings::device>()).coherent_dma_mask = u64::MAX };
    Ok(parent)
}

pub(super) fn of(parent: &faux::Registration) -> &Device<Bound> {
    let dev: &faux::Device<Bound> = parent.as_ref();

    dev.as_ref()
}

fn tables(parent: &faux::Registration) -> Result<TablesUnderTest> {
    TablesUnderTest::new(BoundDevice::new(of(parent))?)
}

/// Returns what maps a page of a writable mapping of contiguous memory.
fn to(level: u32, address: u64) -> Option<PageUnderTest> {
    Some(PageUnderTest {
        level,
        address: Some(address),
        writable: true,
    })
}

fn null(level: u32) -> Option<PageUnderTest> {
    Some(PageUnderTest {
        level,
        address: None,
        writable: true,
    })
}

/// Inserts a range and maps it to contiguous memory.
fn map(tables: &mut TablesUnderTest, va: Range<u64>, address: u64) -> Result {
    tables.insert(&va)?;
    tables.map(&va, &[(va.clone(), address)], true)
}

fn map_null(tables: &mut TablesUnderTest, va: &Range<u64>) -> Result {
    tables.insert_null(va)?;
    tables.map_null(va)
}

/// Unmaps and removes a range, which may be a part of one that was inserted.
fn unmap(tables: &mut TablesUnderTest, va: &Range<u64>) -> Result {
    tables.cut(va)?;
    tables.unmap(va)?;
    tables.remove(va)?;
    Ok(())
}

/// The mappings that there should be, which do not overlap.
struct Model(KVec<(Range<u64>, Option<u64>)>);

impl Model {
    /// Removes what is in `va`, cutting what is partly in it, and returns the parts.
    fn carve(&mut self, va: &Range<u64>) -> Result<KVec<Range<u64>>> {
        let (mut kept, mut removed) = (KVec::new(), KVec::new());
        for (of, address) in &self.0 {
            let inner = of.start.max(va.start)..of.end.min(va.end);
            if inner.is_empty() {
                kept.push((of.clone(), *address), GFP_KERNEL)?;
                continue;
            }
            for rest in [of.start..inner.start, inner.end..of.end] {
                if !rest.is_empty() {
                    let address = address.map(|address| address + (rest.start - of.start));
                    kept.push((rest, address), GFP_KERNEL)?;
                }
            }
            removed.push(inner, GFP_KERNEL)?;
        }
        self.0 = kept;
        Ok(removed)
    }

    /// Returns what `va` is mapped to: memory, nothing with [`Some`], or not at all.
    fn at(&self, va: u64) -> Option<Option<u64>> {
        let (of, address) = self.0.iter().find(|(of, _)| of.contains(&va))?;
        Some(address.map(|address| address + (va - of.start)))
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.checked_rem(limit).unwrap_or(0)
    }
}

/// Makes random changes, and compares after each what is `found` at every page with a model.
pub(super) fn change_at_random(
    tables: &mut TablesUnderTest,
    mut found: impl FnMut(&mut TablesUnderTest, u64) -> Option<Option<u64>>,
) -> Result {
    const WINDOW: u64 = 6 * MIB;

    let mut model = Model(KVec::new());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    // Around an entry of level 2.
    let base = 3 * GIB - 4 * MIB;
    for _ in 0..120 {
        let unit = [PAGE, 64 << 10, 2 * MIB][dice.below(3) as usize];
        let start = dice.below(WINDOW / unit) * unit;
        let size = (1 + dice.below(24)) * unit;
        let va = base + start..base + (start + size).min(WINDOW);
        let kind = dice.below(4);
        let address = match kind {
            0 | 1 => Some((1 + dice.below(64)) * 2 * MIB + start % (2 * MIB) * (kind & 1)),
            _ => None,
        };

        match kind {
            0 | 1 => tables.insert(&va)?,
            2 => tables.insert_null(&va)?,
            _ => tables.cut(&va)?,
        }
        for part in &model.carve(&va)? {
            tables.unmap(part)?;
            tables.remove(part)?;
        }
        match (kind, address) {
            (0 | 1, Some(address)) => tables.map(&va, &[(va.clone(), address)], true)?,
            (2, _) => tables.map_null(&va)?,
            _ => {}
        }
        if kind != 3 {
            model.0.push((va, address), GFP_KERNEL)?;
        }
        for page in (base..base + WINDOW).step_by(PAGE as usize) {
            let (found, wanted) = (found(tables, page), model.at(page));
            if found != wanted {
                pr_err!("at {page:#x}: {found:?}, not {wanted:?}\n");
                return Err(EINVAL);
            }
        }
    }
    for part in &model.carve(&(base..base + WINDOW))? {
        tables.unmap(part)?;
        tables.remove(part)?;
    }
    match tables.count() {
        1 => Ok(()),
        _ => Err(EINVAL),
    }
}

#[kunit_tests(rgt_page_table)]
mod tests {
    use super::*;

    #[test]
    fn level_0_is_there_for_pages_only() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        assert_eq!(tables.count(), 1);

        map(&mut tables, BASE..BASE + 4 * MIB, 64 * MIB)?;
        assert_eq!(tables.count(), 3);
        assert_eq!(tables.page(BASE + 3 * MIB), to(1, 67 * MIB));

        // Memory that is not aligned as the addresses are.
        let other = BASE + 8 * MIB;
        map(&mut tables, other..other + 4 * MIB, MIB)?;
        assert_eq!(tables.count(), 5);
        assert_eq!(tables.page(other + 3 * MIB + PAGE), to(0, 4 * MIB + PAGE));

        unmap(&mut tables, &(BASE..BASE + 4 * MIB))?;
        unmap(&mut tables, &(other..other + 4 * MIB))?;
        assert_eq!(tables.count(), 1);
        assert_eq!(tables.page(BASE), None);
        Ok(())
    }

    #[test]
    fn a_block_takes_the_place_of_a_table_and_back() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE..BASE + 2 * MIB;
        let halves = [(BASE..BASE + MIB, 3 * MIB), (BASE + MIB..va.end, 7 * MIB)];

        tables.insert(&va)?;
        tables.map(&va, &halves, true)?;
        assert_eq!(tables.count(), 4);
        assert_eq!(tables.page(BASE + MIB), to(0, 7 * MIB));
        tables.unmap(&va)?;
        tables.map(&va, &[(va.clone(), 2 * MIB)], true)?;
        assert_eq!(tables.count(), 3);
        assert_eq!(tables.page(BASE + MIB), to(1, 3 * MIB));
        tables.unmap(&va)?;
        tables.map(&va, &halves, false)?;
        assert_eq!(tables.count(), 4);
        assert_eq!(
            tables.page(BASE),
            to(0, 3 * MIB).map(|page| PageUnderTest {
                writable: false,
                ..page
            })
        );
        Ok(())
    }

    #[test]
    fn parts_of_a_block_are_unmapped() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        map(&mut tables, BASE..BASE + 2 * MIB, 2 * MIB)?;

        let middle = BASE + MIB..BASE + MIB + 3 * PAGE;
        unmap(&mut tables, &middle)?;
        assert_eq!(tables.page(middle.start - PAGE), to(0, 3 * MIB - PAGE));
        assert_eq!(tables.page(middle.start), None);
        assert_eq!(tables.page(middle.end), to(0, 3 * MIB + 3 * PAGE));
        unmap(&mut tables, &(BASE..middle.start))?;
        assert_eq!(tables.count(), 4);
        unmap(&mut tables, &(middle.end..BASE + 2 * MIB))?;
        assert_eq!(tables.count(), 1);
        Ok(())
    }

    #[test]
    fn ranges_may_overlap_while_one_replaces_the_other() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let (old, new) = (BASE..BASE + 2 * MIB, BASE + MIB..BASE + 3 * MIB);
        map(&mut tables, old.clone(), 2 * MIB)?;

        tables.insert(&new)?;
        let both = new.start..old.end;
        tables.unmap(&both)?;
        tables.remove(&both)?;
        tables.map(&new, &[(new.clone(), 31 * MIB)], true)?;
        assert_eq!(tables.page(BASE), to(0, 2 * MIB));
        assert_eq!(tables.page(both.start), to(0, 31 * MIB));
        unmap(&mut tables, &new)?;
        assert_eq!(tables.page(both.start), None);
        unmap(&mut tables, &(BASE..new.start))?;
        assert_eq!(tables.count(), 1);
        Ok(())
    }

    #[test]
    fn a_large_null_range_takes_a_handful_of_tables() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE + PAGE..BASE + 700 * GIB;

        map_null(&mut tables, &va)?;
        // One below the root at each end, and two more at the first.
        assert!(tables.count() <= 1 + 2 + 2 + 1);
        assert_eq!(tables.page(BASE), None);
        assert_eq!(tables.page(BASE + PAGE), null(0));
        assert_eq!(tables.page(BASE + 2 * MIB), null(1));
        assert_eq!(tables.page(6 * GIB), null(2));
        assert_eq!(tables.page(va.end - PAGE), null(1));
        assert_eq!(tables.page(va.end), None);
        map_null(&mut tables, &(1024 * GIB..2048 * GIB))?;
        assert_eq!(tables.page(1999 * GIB), null(3));
        unmap(&mut tables, &(1024 * GIB..2048 * GIB))?;
        unmap(&mut tables, &va)?;
        assert_eq!(tables.count(), 1);
        Ok(())
    }

    #[test]
    fn memory_in_a_null_range_and_back() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = 512 * GIB..1024 * GIB;
        map_null(&mut tables, &va)?;
        assert_eq!(tables.count(), 1);

        let at = 600 * GIB + 2 * MIB;
        let inner = at + PAGE..at + 5 * MIB;
        tables.insert(&inner)?;
        assert_eq!(tables.page(at), null(0));
        assert_eq!(tables.page(700 * GIB), null(2));
        tables.unmap(&inner)?;
        tables.remove(&inner)?;
        tables.map(&inner, &[(inner.clone(), 32 * MIB + PAGE)], true)?;
        assert_eq!(tables.page(at), null(0));
        assert_eq!(tables.page(at + PAGE), to(0, 32 * MIB + PAGE));
        assert_eq!(tables.page(at + 2 * MIB), to(1, 34 * MIB));
        assert_eq!(tables.page(inner.end), null(0));

        tables.insert_null(&inner)?;
        tables.unmap(&inner)?;
        tables.remove(&inner)?;
        tables.map_null(&inner)?;
        for page in [at, inner.start, at + 2 * MIB, inner.end - PAGE, inner.end] {
            assert_eq!(tables.page(page).and_then(|page| page.address), None);
            assert!(tables.page(page).is_some());
        }
        unmap(&mut tables, &va)?;
        assert_eq!(tables.count(), 1);
        Ok(())
    }

    #[test]
    fn a_hole_in_a_null_range() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = 0..1024 * GIB;
        map_null(&mut tables, &va)?;

        let hole = 77 * GIB + PAGE..801 * GIB;
        unmap(&mut tables, &hole)?;
        assert_eq!(tables.page(hole.start - PAGE), null(0));
        for va in [hole.start, 78 * GIB, 600 * GIB, hole.end - PAGE] {
            assert_eq!(tables.page(va), None);
        }
        assert_eq!(tables.page(hole.end), null(2));
        unmap(&mut tables, &(0..hole.start))?;
        unmap(&mut tables, &(hole.end..va.end))?;
        assert_eq!(tables.count(), 1);
        Ok(())
    }

    #[test]
    fn what_is_not_inserted_cannot_be_mapped() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE..BASE + PAGE;

        assert_eq!(tables.map(&va, &[(va.clone(), 0)], true), Err(EINVAL));
        tables.insert(&va)?;
        assert_eq!(tables.map(&va, &[(va.clone(), 1)], true), Err(EINVAL));
        assert_eq!(tables.map(&va, &[], true), Err(EINVAL));
        assert_eq!(
            tables.map(&va, &[(va.end..va.end + PAGE, 0)], true),
            Err(EINVAL)
        );
        assert_eq!(tables.page(BASE), None);
        Ok(())
    }

    #[test]
    fn tables_are_kept_for_a_while() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE..BASE + 4 * PAGE;

        map(&mut tables, va.clone(), 3 * MIB)?;
        assert_eq!((tables.count(), tables.kept()), (4, 0));
        unmap(&mut tables, &va)?;
        // Those of the mapping, and those for a cut that did not need them.
        assert_eq!((tables.count(), tables.kept()), (1, 6));
        map(&mut tables, va.clone(), 5 * MIB)?;
        unmap(&mut tables, &va)?;
        assert_eq!((tables.count(), tables.kept()), (1, 6));

        // Some were needed since the start.
        assert!(tables.trim());
        assert_eq!(tables.kept(), 6);
        let other = 77 * GIB..77 * GIB + PAGE;
        tables.promise(&other)?;
        assert!(!tables.trim());
        assert_eq!(tables.kept(), 3);
        assert!(!tables.trim());
        assert_eq!(tables.kept(), 3);
        tables.release(&other);
        assert!(tables.trim());
        assert_eq!(tables.kept(), 3);
        assert!(!tables.trim());
        assert_eq!(tables.kept(), 0);
        Ok(())
    }

    #[test]
    fn a_promise_is_for_one_change() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let promised = 77 * GIB..77 * GIB + PAGE;

        tables.promise(&promised)?;
        map(&mut tables, BASE..BASE + PAGE, 3 * MIB)?;
        assert_eq!((tables.count(), tables.kept()), (4, 3));
        unmap(&mut tables, &(BASE..BASE + PAGE))?;
        assert_eq!((tables.count(), tables.kept()), (1, 9));
        tables.release(&promised);
        // Now they are for all.
        tables.promise(&(BASE..BASE + 2 * PAGE))?;
        assert_eq!(tables.kept(), 9);
        Ok(())
    }

    #[test]
    fn many_tables_are_not_kept() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE..BASE + 600 * MIB;

        map(&mut tables, va.clone(), MIB)?;
        assert_eq!(tables.count(), 1 + 2 + 300);
        unmap(&mut tables, &va)?;
        assert_eq!(tables.count(), 1);
        assert!(tables.kept() < 270);
        Ok(())
    }

    #[test]
    fn nothing_is_left_in_tables_that_are_used_again() -> Result {
        let parent = device()?;
        let mut tables = tables(&parent)?;
        let va = BASE + 5 * PAGE..BASE + 2 * MIB - PAGE;

        map(&mut tables, va.clone(), 3 * MIB)?;
        // In the order of updates: a table without users goes as it is.
        tables.cut(&va)?;
        tables.remove(&va)?;
        tables.unmap(&va)?;
        map(&mut tables, BASE + MIB..BASE + MIB + PAGE, 7 * MIB)?;
        for page in (BASE..BASE + 2 * MIB).step_by(PAGE as usize) {
            assert_eq!(tables.page(page).is_some(), page == BASE + MIB);
        }
        unmap(&mut tables, &(BASE + MIB..BASE + MIB + PAGE))?;

        // All of a table is written before it is linked.
        let whole = BASE..BASE + 2 * MIB;
        let halves = [
            (BASE..BASE + MIB, 3 * MIB),
            (BASE + MIB..whole.end, 7 * MIB),
        ];
        tables.insert(&whole)?;
        tables.map(&whole, &halves, true)?;
        assert_eq!(tables.page(BASE), to(0, 3 * MIB));
        assert_eq!(tables.page(whole.end - PAGE), to(0, 8 * MIB - PAGE));
        Ok(())
    }

    #[test]
    fn random_changes() -> Result {
        let parent = device()?;
        let found = |tables: &mut TablesUnderTest, va| tables.page(va).map(|page| page.address);

        change_at_random(&mut tables(&parent)?, found)
    }
}
