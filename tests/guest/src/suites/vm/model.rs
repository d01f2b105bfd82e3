// SPDX-License-Identifier: GPL-2.0

//! Random binds, unbinds, evictions and jobs against a model of the address space.
//!
//! What is mapped are BOs and memory of the process. Each page of each is full of one value, so that the checksum of a page tells which one the GPU
//! sees. Several VMs share the BOs, and each has several bind queues, which change a part of the
//! addresses each.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rgt::{BindOp, BindQueue, Binding, Bo, BoFlags, Mapping, Placement, Syncobj, checksum};

use crate::expect::same;
use crate::harness::{Length, Outcome, Test, tests};
use crate::rig::{Dice, Make, PAGE, Pressure, Rig};

pub(super) const TESTS: &[Test] = tests![random_binds];

/// Changes of a queue in a round.
const CHANGES: u32 = 6;
const VMS: usize = 2;
const QUEUES: u64 = 3;
/// Pages of addresses that a queue changes.
const PART: u64 = 96;
/// Pages of a BO: more than a block of 64 KiB, and not whole ones.
const BO_PAGES: u64 = 40;

const KINDS: &[Make] = &[
    |bo| bo.placement(Placement::GTT),
    |bo| bo.placement(Placement::VRAM),
    |bo| bo.placement(Placement::VRAM | Placement::GTT),
    |bo| bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS),
];

/// What can be mapped.
enum Memory {
    Bo(Bo),
    Process(Mapping),
}

/// A BO, or as much memory of the process, and what is in its pages.
struct Content {
    memory: Memory,
    values: Vec<u32>,
}

/// Where a page of addresses leads: to a content, by its index, and a page of it.
type Target = (usize, u64);

/// A VM, its queues, and what is mapped.
struct Space {
    rig: Rig,
    range: Binding,
    queues: Vec<BindQueue>,
    /// By pages of `range`.
    mapped: BTreeMap<u64, Target>,
    /// Those that only this VM has, behind those that all have.
    private: Vec<Content>,
}

impl Space {
    fn new(rig: Rig, tag: u32) -> Result<Self> {
        let range = rig.vm.reserve(QUEUES * PART * PAGE)?;
        let queues = (0..QUEUES).map(|_| BindQueue::create(&rig.vm));
        let queues = queues.collect::<Result<_, _>>()?;
        let private = |index: u32| {
            let bo = Bo::builder(BO_PAGES * PAGE)
                .placement(Placement::VRAM | Placement::GTT)
                .private(&rig.vm)
                .create(&rig.device)?;
            Content::new(Memory::Bo(bo), tag + index * 1000)
        };
        let mut private = (0..2).map(private).collect::<Result<Vec<_>>>()?;
        if rig.device.info().user_memory {
            for index in 2..4 {
                let memory = Memory::Process(Mapping::anonymous((BO_PAGES * PAGE) as usize)?);
                private.push(Content::new(memory, tag + index * 1000)?);
            }
        }
        Ok(Self {
            rig,
            range,
            queues,
            mapped: BTreeMap::new(),
            private,
        })
    }

    fn addr(&self, page: u64) -> u64 {
        self.range.addr() + page * PAGE
    }

    fn content<'a>(&'a self, shared: &'a [Content], index: usize) -> &'a Content {
        shared
            .get(index)
            .unwrap_or_else(|| &self.private[index - shared.len()])
    }

    /// A random change in the part of a queue, done to the model and returned for the GPU.
    fn change(&mut self, queue: u64, shared: &[Content], dice: &mut Dice) -> BindOp {
        let first = queue * PART;
        let start = first + u64::from(dice.below(PART as u32));
        let room = first + PART - start;
        let pages = 1 + u64::from(dice.below(room.min(BO_PAGES) as u32));
        if dice.below(3) == 0 {
            for page in start..start + pages {
                self.mapped.remove(&page);
            }
            return BindOp::unmap(self.addr(start), pages * PAGE);
        }
        let count = shared.len() + self.private.len();
        let index = dice.below(count as u32) as usize;
        let offset = u64::from(dice.below((BO_PAGES - pages + 1) as u32));
        for page in 0..pages {
            self.mapped.insert(start + page, (index, offset + page));
        }
        self.content(shared, index)
            .map(offset * PAGE, self.addr(start), pages * PAGE)
    }

    /// Queues changes to all queues, and returns what tells that they are done.
    fn changes(&mut self, shared: &[Content], dice: &mut Dice) -> Result<Vec<Syncobj>> {
        let mut done = Vec::new();
        for queue in 0..QUEUES {
            let syncobj = Syncobj::new(&self.rig.device)?;
            let count = 1 + dice.below(CHANGES);
            let ops: Vec<_> = (0..count)
                .map(|_| self.change(queue, shared, dice))
                .collect();
            // In one call or in several.
            let (last, others) = ops.split_last().context("there are changes")?;
            let queue = &self.queues[queue as usize];
            if dice.below(2) == 0 {
                queue.bind(&ops, &[], &[syncobj.sync()])?;
            } else {
                for op in others {
                    queue.bind(&[*op], &[], &[])?;
                }
                queue.bind(&[*last], &[], &[syncobj.sync()])?;
            }
            done.push(syncobj);
        }
        Ok(done)
    }

    /// Compares each page that is mapped with the model, after the binds. Nothing is named.
    fn check(&self, shared: &[Content], after: &[Syncobj]) -> Outcome {
        let result = self.rig.gtt(QUEUES * PART * 8)?;
        let mut work = self
            .rig
            .work_of(self.rig.copy, self.mapped.len() * 16 + 64)?;
        after
            .iter()
            .for_each(|syncobj| work.wait_for(syncobj.sync()));
        let to = work.writes(&result)?;
        for page in self.mapped.keys() {
            work.commands
                .checksum(self.addr(*page), PAGE, to + page * 8)?;
        }
        work.run().context("looking at what is mapped")?;
        let seen = result.map()?;
        for (page, (index, offset)) in &self.mapped {
            let value = self.content(shared, *index).values[*offset as usize];
            same(
                &format!("page {page}: page {offset} of content {index}"),
                seen.read_u64(*page as usize * 8),
                checksum::of_fill(value, PAGE / 4),
            )?;
        }
        Ok(())
    }

    /// Fills a page that is mapped with another value.
    fn write(&mut self, shared: &mut [Content], dice: &mut Dice) -> Result<()> {
        let count = self.mapped.len() as u32;
        if count == 0 {
            return Ok(());
        }
        let nth = dice.below(count) as usize;
        let (page, (index, offset)) = self.mapped.iter().nth(nth).context("a page")?;
        let (addr, index, offset) = (self.addr(*page), *index, *offset as usize);
        let value = dice.roll();
        let mut work = self.rig.work(self.rig.render)?;
        work.commands.fill(addr, PAGE, value)?;
        work.run()?;
        let content = match index.checked_sub(shared.len()) {
            None => &mut shared[index],
            Some(index) => &mut self.private[index],
        };
        content.values[offset] = value;
        Ok(())
    }

    /// Checks that an address where nothing is mapped faults.
    fn check_hole(&self, dice: &mut Dice) -> Outcome {
        let page = u64::from(dice.below((QUEUES * PART) as u32));
        if self.mapped.contains_key(&page) {
            return Ok(());
        }
        let result = self.rig.gtt(PAGE)?;
        let mut work = self.rig.work(self.rig.copy)?;
        let to = work.writes(&result)?;
        work.commands.copy(self.addr(page), to, 4)?;
        work.commands.write(to + 4, &[1])?;
        work.run()?;
        // The rest of a job that faults is skipped.
        same("what a job wrote behind a hole", result.map()?.read(4), 0)
    }
}

impl Content {
    fn new(memory: Memory, tag: u32) -> Result<Self> {
        let values: Vec<_> = (0..BO_PAGES as u32).map(|page| tag + page).collect();
        let fill = |map: &Mapping| {
            for (page, value) in values.iter().enumerate() {
                let start = page * PAGE as usize;
                map.fill(start..start + PAGE as usize, *value);
            }
        };
        match &memory {
            Memory::Bo(bo) => fill(&bo.map()?),
            Memory::Process(map) => fill(map),
        }
        Ok(Self { memory, values })
    }

    /// What maps bytes of it at an address.
    fn map(&self, offset: u64, addr: u64, size: u64) -> BindOp {
        match &self.memory {
            Memory::Bo(bo) => BindOp::map(bo, offset, addr, size),
            // SAFETY: The memory is as long there as the VM has jobs, and anyone may change it.
            Memory::Process(map) => unsafe {
                BindOp::memory(map.as_ptr().byte_add(offset as usize).cast(), addr, size)
            },
        }
    }

    /// Gives some pages up, if it is memory of the process: they are empty then.
    fn give_up(&mut self, dice: &mut Dice) -> Outcome {
        let Memory::Process(map) = &self.memory else {
            return Ok(());
        };
        let first = dice.below(BO_PAGES as u32) as usize;
        let count = 1 + dice.below(BO_PAGES as u32 - first as u32) as usize;
        // SAFETY: All of it is memory of the mapping, which may change at any time.
        unsafe {
            rustix::mm::madvise(
                map.as_ptr().byte_add(first * PAGE as usize).cast(),
                count * PAGE as usize,
                rustix::mm::Advice::LinuxDontNeed,
            )
        }?;
        self.values[first..first + count].fill(0);
        Ok(())
    }
}

fn random_binds() -> Outcome {
    const SEED: u32 = 0x6d0d_e100;
    let mut dice = Dice::new(SEED);
    let first = Rig::new()?;
    let mut shared = Vec::new();
    for (index, make) in KINDS.iter().enumerate() {
        let bo = first.bo(BO_PAGES * PAGE, *make)?;
        let content = Content::new(Memory::Bo(bo), 0x0100_0000 + index as u32 * 1000)?;
        shared.push(content);
    }
    let mut spaces = Vec::new();
    for index in 0..VMS as u32 {
        let tag = 0x0200_0000 + index * 10_000;
        spaces.push(Space::new(first.sibling()?, tag)?);
    }
    let pressure = Pressure::new()?;

    for round in 0..Length::choose(24, 2000) {
        for space in &mut spaces {
            let what = format!("round {round}, VM {}", space.rig.vm.id());
            let after = space
                .changes(&shared, &mut dice)
                .with_context(|| what.clone())?;
            space.check(&shared, &after).with_context(|| what.clone())?;
            space.write(&mut shared, &mut dice).with_context(|| what)?;
        }
        let evict = dice.below(4) == 0;
        if evict {
            pressure.round()?;
        }
        // Not before the jobs have ended, which is so here.
        for content in spaces.iter_mut().flat_map(|space| &mut space.private) {
            if dice.below(2) == 0 {
                content.give_up(&mut dice)?;
            }
        }
        for space in &spaces {
            let what = format!("round {round}, VM {}, later", space.rig.vm.id());
            space.check(&shared, &[]).with_context(|| what.clone())?;
            space.check_hole(&mut dice).with_context(|| what)?;
        }
    }
    Ok(())
}
