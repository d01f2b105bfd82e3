// SPDX-License-Identifier: GPL-2.0

//! Page tables in VRAM, as the device finds them there.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::page_table::{
    change_at_random,
    device,
    of, //
};
use crate::{
    hw::{
        abi::{
            limits::PAGE_SIZE,
            pte::*, //
        },
        TableWindow,
        TablesUnderTest, //
    },
    rust::{
        devres::BoundDevice,
        shared_words::SharedWords, //
    }, //
};

/// VRAM of a device that there is not.
struct FakeVram {
    words: KVVec<Atomic<u64>>,
    asleep: AtomicFlag,
}

impl FakeVram {
    /// Makes VRAM of so many pages, of undefined content.
    fn new(pages: u64) -> Result<Arc<Self>> {
        let mut words = KVVec::new();
        for _ in 0..pages as usize * ENTRIES {
            words.push(Atomic::new(u64::MAX), GFP_KERNEL)?;
        }
        let vram = Self {
            words,
            asleep: AtomicFlag::new(false),
        };
        Ok(Arc::new(vram, GFP_KERNEL)?)
    }

    /// Makes tables in it, as far as there is room.
    fn tables(self: &Arc<Self>, bound: BoundDevice) -> Result<TablesUnderTest> {
        let size = (self.words.len() / ENTRIES) as u64 * PAGE_SIZE;
        TablesUnderTest::in_vram(bound, KBox::new(Window(self.clone()), GFP_KERNEL)?, size)
    }

    /// Loses the content.
    fn lose(&self) {
        self.words
            .iter()
            .for_each(|word| word.store(u64::MAX, Relaxed));
    }

    /// Loses the content of a page.
    fn lose_page(&self, page: u64) {
        let words = self.words.chunks(ENTRIES).nth(page as usize);
        for word in words.into_iter().flatten() {
            word.store(u64::MAX, Relaxed);
        }
    }

    /// Returns what the page at `va` is mapped to; [`None`] inside if it is sparse. All tables but
    /// the root are here.
    fn page(&self, tables: &TablesUnderTest, va: u64) -> Option<Option<u64>> {
        let mut entry = tables.top_entry(va);
        let mut level = LEVELS - 1;
        while entry & VALID != 0 && level != 0 && entry & LEAF == 0 {
            level -= 1;
            let index = (va >> (12 + 9 * level)) as usize % ENTRIES;
            let table = (entry & ADDRESS) as usize / size_of::<u64>();
            entry = u64::from_le(self.words.get(table + index)?.load(Relaxed));
        }
        let offset = va % (PAGE_SIZE << (9 * level));
        let page = (entry & SPARSE == 0).then_some((entry & ADDRESS) + offset);
        (entry & VALID != 0).then_some(page)
    }
}

struct Window(Arc<FakeVram>);

impl TableWindow for Window {
    fn with_page(&self, offset: u64, f: &mut dyn FnMut(SharedWords<'_>)) {
        let Window(vram) = self;
        if vram.asleep.load(Relaxed) {
            return;
        }
        let page = vram
            .words
            .chunks(ENTRIES)
            .nth((offset / PAGE_SIZE) as usize);
        f(SharedWords::from(page.unwrap_or_default()));
    }
}

#[kunit_tests(rgt_table_memory)]
mod tests {
    use super::*;

    #[test]
    fn what_the_device_finds() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(64)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;

        change_at_random(&mut tables, |tables, va| vram.page(tables, va))
    }

    #[test]
    fn what_the_device_finds_after_a_loss() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(64)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;
        let mut lookups = 0;

        change_at_random(&mut tables, |tables, va| {
            lookups += 1;
            if lookups % 1000 == 0 {
                vram.lose();
                tables.restore();
            }
            vram.page(tables, va)
        })
    }

    #[test]
    fn spare_tables_are_empty_after_a_loss() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(8)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;
        let va = 3 * PAGE_SIZE..5 * PAGE_SIZE;

        tables.promise(&va)?;
        tables.release(&va);
        assert!(tables.kept() >= 3);
        vram.lose();
        tables.restore();
        tables.insert(&va)?;
        tables.map(&va, &[(va.clone(), 0)], true)?;
        for page in 0..8 {
            let mapped = (3..5).contains(&page).then(|| Some((page - 3) * PAGE_SIZE));
            assert_eq!(vram.page(&tables, page * PAGE_SIZE), mapped);
        }
        Ok(())
    }

    #[test]
    fn changes_during_a_sleep_are_there_after_it() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(16)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;
        let before = 3 * PAGE_SIZE..6 * PAGE_SIZE;
        // In a table that there is not yet.
        let new = (1 << 21) + PAGE_SIZE..(1 << 21) + 2 * PAGE_SIZE;

        tables.insert(&before)?;
        tables.map(&before, &[(before.clone(), 0)], true)?;
        vram.asleep.store(true, Relaxed);
        tables.unmap(&(4 * PAGE_SIZE..5 * PAGE_SIZE))?;
        tables.insert(&new)?;
        tables.map(&new, &[(new.clone(), 7 * PAGE_SIZE)], true)?;
        vram.asleep.store(false, Relaxed);
        vram.lose();
        tables.restore();

        assert_eq!(vram.page(&tables, 3 * PAGE_SIZE), Some(Some(0)));
        assert_eq!(vram.page(&tables, 4 * PAGE_SIZE), None);
        assert_eq!(vram.page(&tables, 5 * PAGE_SIZE), Some(Some(2 * PAGE_SIZE)));
        assert_eq!(vram.page(&tables, new.start), Some(Some(7 * PAGE_SIZE)));
        Ok(())
    }

    #[test]
    fn what_the_device_finds_when_pages_go_bad() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(128)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;
        let (mut lookups, mut moved) = (0, 0);

        change_at_random(&mut tables, |tables, va| {
            lookups += 1;
            if lookups % 5000 == 0 {
                let page = lookups / 5000 % 64;
                moved += u32::from(tables.relocate(page * PAGE_SIZE).unwrap_or(false));
                vram.lose_page(page);
            }
            vram.page(tables, va)
        })?;
        assert!(moved > 4);
        Ok(())
    }

    #[test]
    fn in_system_memory_where_there_is_no_room() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(3)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;

        change_at_random(&mut tables, |tables, va| {
            tables.page(va).map(|page| page.address)
        })?;
        assert_eq!(tables.vram_used(), 3 * PAGE_SIZE);
        Ok(())
    }

    #[test]
    fn memory_of_those_that_are_gone_is_used_again() -> Result {
        let parent = device()?;
        let vram = FakeVram::new(2)?;
        let mut tables = vram.tables(BoundDevice::new(of(&parent))?)?;
        let va = 0..4 * PAGE_SIZE;

        for round in 1..9 {
            let at = round * PAGE_SIZE;
            tables.insert(&va)?;
            tables.map(&va, &[(va.clone(), at)], true)?;
            // The third is in system memory.
            assert_eq!(tables.vram_used(), 2 * PAGE_SIZE);
            let page = tables.page(PAGE_SIZE).and_then(|page| page.address);
            assert_eq!(page, Some(at + PAGE_SIZE));
            tables.unmap(&va)?;
            tables.remove(&va)?;
            while tables.trim() {}
            assert_eq!(tables.vram_used(), 0);
        }
        Ok(())
    }
}
