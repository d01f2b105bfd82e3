// SPDX-License-Identifier: MIT

//! Binds: what mapping and unmapping pages costs the thread that asks for it, and the whole machine
//! until it is done.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use rgt::{BindOp, Binding, Bo, Device, Placement, Syncobj, Vm, WaitFrom};

use crate::clock::Samples;
use crate::filler::Filler;
use crate::row::cost;

const PAGE: u64 = 4096;
/// Pages of a mapping, and how often it is made.
const SIZES: [(u64, usize); 3] = [(1, 51), (512, 51), (65_536, 5)];
/// Pages that a large entry of the page tables is of.
const LARGE: u64 = 512;
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures them.
pub(crate) fn run(device: &Device) -> Result<()> {
    let filler = Filler::start()?;
    for (pages, times) in SIZES {
        // Half a large page further, so that each page has an entry of its own.
        let odd = LARGE / 2 * PAGE;
        Case::new(device, pages, Placement::GTT, odd)?.measure("pages", times, &filler)?;
        cost(format_args!("words.{pages}.call"), words(pages, times));
    }
    // Entries of 2 MiB, where the memory allows it.
    let (pages, times) = SIZES[1];
    Case::new(device, pages, Placement::VRAM, 0)?.measure("large", times, &filler)
}

/// A BO, and addresses to map it at.
struct Case {
    vm: Vm,
    bo: Bo,
    range: Binding,
    addr: u64,
    done: Syncobj,
}

impl Case {
    fn new(device: &Device, pages: u64, placement: Placement, odd: u64) -> Result<Self> {
        let vm = Vm::create(device)?;
        let bo = Bo::builder(pages * PAGE)
            .placement(placement)
            .private(&vm)
            .create(device)?;
        let range = vm.reserve((pages + 2 * LARGE) * PAGE)?;
        let addr = range.addr().next_multiple_of(LARGE * PAGE) + odd;
        Ok(Self {
            vm,
            bo,
            range,
            addr,
            done: Syncobj::new(device)?,
        })
    }

    fn measure(&self, kind: &str, times: usize, filler: &Filler) -> Result<()> {
        let size = self.bo.size();
        let map = BindOp::map(&self.bo, 0, self.addr, size);
        let unmap = BindOp::unmap(self.addr, size);
        debug_assert!(self.addr + size <= self.range.addr() + self.range.size());
        let ops = [("bind", map), ("unbind", unmap)];
        // The first one has the BO get its memory.
        for (_, op) in &ops {
            self.bind(op)?;
            self.wait()?;
        }
        let mut calls = [Samples::default(), Samples::default()];
        let mut alls = calls.clone();
        for _ in 0..times {
            for ((_, op), call) in ops.iter().zip(&mut calls) {
                call.time(|| self.bind(op))?;
                self.wait()?;
            }
            for ((_, op), all) in ops.iter().zip(&mut alls) {
                all.add(filler.per_job(1, || {
                    self.bind(op)?;
                    self.wait()
                })?);
            }
        }
        let pages = size / PAGE;
        for (((name, _), call), all) in ops.iter().zip(&calls).zip(&alls) {
            cost(format_args!("{kind}.{pages}.{name}.call"), call.median());
            cost(format_args!("{kind}.{pages}.{name}.done"), all.median());
        }
        Ok(())
    }

    fn bind(&self, op: &BindOp) -> Result<()> {
        Ok(self
            .vm
            .bind_in_order(std::slice::from_ref(op), &[], &[self.done.sync()])?)
    }

    fn wait(&self) -> Result<()> {
        Ok(self.done.wait(PATIENCE, WaitFrom::Submission)?)
    }
}

/// Returns what writing as many words costs that are made of addresses and flags, as entries of page
/// tables are.
fn words(count: u64, times: usize) -> u64 {
    let pages: Vec<u64> = (0..count).map(|page| page * PAGE).collect();
    let mut table = vec![0u64; count as usize];
    let mut samples = Samples::default();
    for _ in 0..times {
        samples.time(|| {
            for (word, page) in table.iter_mut().zip(&pages) {
                *black_box(word) = page | 7;
            }
        });
    }
    samples.median()
}
