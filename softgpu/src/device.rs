// SPDX-License-Identifier: GPL-2.0

//! The GPU without its PCI side.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::abi::{limits, pte, regs};
use crate::bad_pages::BadPages;
use crate::engine::{Class, Engine, Shared};
use crate::fault::FaultQueue;
use crate::garbling::Garbling;
use crate::invalidation::Invalidations;
use crate::irq::Irqs;
use crate::memory::Memory;
use crate::peers::Window;
use crate::registers::Latches;
use crate::scratchpad::Scratchpad;
use crate::vram::Vram;

/// The engines of this GPU, by number.
const ENGINES: [Class; 3] = [Class::Render, Class::Copy, Class::Copy];

/// The largest scratchpad: more than any chip has.
const SCRATCHPAD_MAX: u64 = 64 << 20;

/// The configuration of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of VRAM.
    pub vram: u64,
    /// Bytes of it, from its start, that BAR 2 shows.
    pub visible: u64,
    /// Bytes of the scratchpad.
    pub scratchpad: u64,
}

impl Config {
    /// Checks a configuration. Without `visible` all of VRAM is visible, or as much of it as the
    /// size of a BAR allows.
    pub fn new(vram: u64, visible: Option<u64>, scratchpad: u64) -> anyhow::Result<Self> {
        ensure!(
            vram != 0 && vram.is_multiple_of(pte::BLOCK_2M),
            "the size of VRAM, {vram} bytes, is not a multiple of 2 MiB"
        );
        ensure!(
            vram <= 1 << limits::VA_BITS,
            "the size of VRAM, {vram} bytes, is more than {} bits can address",
            limits::VA_BITS
        );
        let visible = visible.unwrap_or(1 << vram.ilog2());
        ensure!(
            visible.is_power_of_two() && visible >= limits::PAGE_SIZE,
            "the visible size, {visible} bytes, is not a power of two of at least one page"
        );
        ensure!(
            visible <= vram,
            "the visible size, {visible} bytes, is more than the {vram} bytes of VRAM"
        );
        ensure!(
            scratchpad.is_multiple_of(limits::PAGE_SIZE) && scratchpad <= SCRATCHPAD_MAX,
            "the size of the scratchpad, {scratchpad} bytes, is not a multiple of 4 KiB of at most \
             {SCRATCHPAD_MAX} bytes"
        );
        Ok(Self {
            vram,
            visible,
            scratchpad,
        })
    }
}

/// The state of the registers.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) latches: Latches,
    pub(crate) resets: u32,
    pub(crate) removed: bool,
}

/// A GPU: its registers (in `registers.rs`) and the units that they control.
pub struct Device {
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    pub(crate) engines: Vec<Arc<Engine>>,
    vram: Arc<Vram>,
    window: Arc<Window>,
    garbling: Garbling,
    /// Serializes register accesses, resets and removal.
    state: Mutex<State>,
    threads: Vec<JoinHandle<()>>,
    pub(crate) powered_on: Instant,
}

impl Device {
    /// Powers a GPU on.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let vram = Arc::new(Vram::new(config.vram)?);
        let window = Arc::new(Window::new(Arc::clone(&vram), config.visible));
        let shared = Arc::new(Shared {
            memory: Memory::new(Arc::clone(&vram), Scratchpad::new(config.scratchpad)?),
            irqs: Irqs::default(),
            faults: FaultQueue::default(),
            invalidations: Invalidations::default(),
        });
        let mut device = Self {
            config,
            shared,
            engines: Vec::new(),
            vram,
            window,
            garbling: Garbling::default(),
            state: Mutex::default(),
            threads: Vec::new(),
            powered_on: Instant::now(),
        };
        for (number, class) in (0..).zip(ENGINES) {
            let (engine, thread) = Engine::start(number, class, Arc::clone(&device.shared))
                .with_context(|| format!("cannot start the thread of engine {number}"))?;
            device.engines.push(engine);
            device.threads.push(thread);
        }
        let shared = Arc::clone(&device.shared);
        let thread = thread::Builder::new()
            .name("tlb".to_owned())
            .spawn(move || shared.invalidations.work(&shared.memory))
            .context("cannot start the thread of the TLB")?;
        device.threads.push(thread);
        Ok(device)
    }

    /// Returns the configuration.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Returns the state that the engines share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns its VRAM.
    pub fn vram(&self) -> &Arc<Vram> {
        &self.vram
    }

    /// The engines, by number.
    pub fn engines(&self) -> &[Arc<Engine>] {
        &self.engines
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of resets since power on.
    pub fn resets(&self) -> u32 {
        self.lock().resets
    }

    /// Loses all state and the content of VRAM and scratchpad.
    pub fn reset(&self) {
        self.reset_state(&mut self.lock());
    }

    pub(crate) fn reset_state(&self, state: &mut State) {
        for engine in &self.engines {
            engine.reset_all();
        }
        {
            let mut view = self.shared.memory.write();
            view.mmu.reset();
            self.shared.invalidations.reset();
            let seed = state.resets.into();
            view.vram.lose(seed);
            view.scratchpad.lose(seed);
        }
        self.shared.faults.clear();
        self.shared.irqs.reset();
        self.vram.bad_pages.report_all();
        state.latches = Latches::default();
        state.resets = state.resets.wrapping_add(1);
    }

    /// The pages of VRAM that went bad.
    pub fn bad_pages(&self) -> &BadPages {
        &self.vram.bad_pages
    }

    /// Poisons the pages of VRAM that overlap `length` bytes from `offset`: engines' reads fault,
    /// the CPU reads ones. False if the range is empty or ends outside of VRAM.
    pub fn poison(&self, offset: u64, length: u64) -> bool {
        let end = offset.checked_add(length);
        if length == 0 || end.is_none_or(|end| end > self.config.vram) {
            return false;
        }
        // No access to the pages is under way.
        let view = self.shared.memory.write();
        let first = offset & !(limits::PAGE_SIZE - 1);
        let mut is_new = false;
        for page in (first..offset + length).step_by(limits::PAGE_SIZE as usize) {
            if let Some(page) = view.vram.slice(page, limits::PAGE_SIZE) {
                page.copy_from(&[0xffu8; limits::PAGE_SIZE as usize]);
            }
            is_new |= view.vram.bad_pages.add(page);
        }
        drop(view);
        if is_new {
            self.shared.irqs.raise(regs::VECTOR_FAULT);
        }
        true
    }

    /// Returns the window of its VRAM for other GPUs.
    pub fn window(&self) -> &Arc<Window> {
        &self.window
    }

    /// Returns what becomes of the messages of its client.
    pub fn garbling(&self) -> &Garbling {
        &self.garbling
    }

    /// Follows BAR 2 and the memory space bit of the PCI command register.
    pub fn set_window(&self, start: Option<u64>) {
        let state = self.lock();
        self.window.set(start.filter(|_| !state.removed));
    }

    /// Removes the GPU from the bus for good: its registers read as ones, and its engines stop.
    pub fn remove(&self) {
        let mut state = self.lock();
        self.reset_state(&mut state);
        state.removed = true;
        let mut view = self.shared.memory.write();
        view.dma.unmap_all();
        view.dma.set_bus_master(false);
        self.window.set(None);
        self.shared.irqs.set_bus_master(false);
    }

    /// Removes the GPU by surprise, while its client stays: the memory behind BAR 2 becomes ones,
    /// too.
    pub fn pull_out(&self) {
        self.remove();
        self.shared
            .memory
            .write()
            .vram
            .set_ones(self.config.visible);
    }

    /// Whether the GPU was removed.
    pub fn removed(&self) -> bool {
        self.lock().removed
    }

    /// Follows the AtomicOp Requester Enable bit of the PCI Express capability.
    pub fn set_system_atomics(&self, allowed: bool) {
        self.shared.memory.write().system_atomics = allowed;
    }

    /// Follows the bus master bit of the PCI command register.
    pub fn set_bus_master(&self, allowed: bool) {
        let state = self.lock();
        let allowed = allowed && !state.removed;
        self.shared.memory.write().dma.set_bus_master(allowed);
        self.shared.irqs.set_bus_master(allowed);
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        for engine in &self.engines {
            engine.shut_down();
        }
        self.shared.invalidations.shut_down();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfio_user::DmaMap;

    const M: u64 = 1 << 20;

    #[test]
    fn a_removed_gpu_stays_off_the_bus() {
        let device = Device::new(Config::new(2 * M, None, 0).unwrap()).unwrap();
        let reaches = |allowed| {
            device.set_bus_master(allowed);
            let file = rustix::fs::memfd_create(c"ram", rustix::fs::MemfdFlags::CLOEXEC);
            let file = file.unwrap();
            rustix::fs::ftruncate(&file, 4096).unwrap();
            let dma = &mut device.shared().memory.write().dma;
            let map = DmaMap {
                address: 0,
                size: 4096,
                offset: 0,
                read: true,
                write: true,
            };
            dma.unmap_all();
            dma.map(&map, &file).unwrap();
            dma.reach(0, 1, false).is_some()
        };
        assert!(reaches(true));
        assert!(!reaches(false));
        device.remove();
        assert!(!reaches(true));
    }

    #[test]
    fn configs() {
        let config = |vram, visible| Config::new(vram, visible, 0).map(|config| config.visible);
        assert_eq!(config(256 * M, None).unwrap(), 256 * M);
        assert_eq!(config(192 * M, None).unwrap(), 128 * M);
        assert_eq!(config(192 * M, Some(64 * M)).unwrap(), 64 * M);
        for (vram, visible) in [
            (0, None),
            (3 * M, None),
            (1 << 49, None),
            (64 * M, Some(128 * M)),
            (64 * M, Some(48 * M)),
            (64 * M, Some(0)),
            (64 * M, Some(2048)),
        ] {
            assert!(config(vram, visible).is_err(), "{vram} {visible:?}");
        }
        for scratchpad in [0, 4 << 10, 256 << 10, 64 * M] {
            assert!(Config::new(2 * M, None, scratchpad).is_ok(), "{scratchpad}");
        }
        for scratchpad in [1, 2048, 65 * M, !4095] {
            assert!(
                Config::new(2 * M, None, scratchpad).is_err(),
                "{scratchpad}"
            );
        }
    }
}
