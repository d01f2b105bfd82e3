// SPDX-License-Identifier: GPL-2.0

//! Engines: a thread each that runs the packets of its ring.
//!
//! [`Engine`] is what the registers show and the driver changes, [`worker`] the thread's loop,
//! [`source`] and [`packet`] fetch and decode, [`execute`] runs packets with the [`transfer`]s that
//! touch memory, [`draw`] those that draw. [`trouble`] is what somebody may ask for who tests a driver.

mod draw;
mod execute;
mod operands;
mod packet;
mod ring;
mod source;
mod transfer;
mod trouble;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::abi::class;
use crate::cost::Totals;
use crate::fault::{Fault, FaultQueue};
use crate::invalidation::Invalidations;
use crate::irq::Irqs;
use crate::memory::Memory;

pub use ring::{Ring, RingRegister};
pub use trouble::Hang;
use trouble::Trouble;

/// What the engines of a GPU share.
pub struct Shared {
    /// Memory and address spaces.
    pub memory: Memory,
    /// Interrupts.
    pub irqs: Irqs,
    /// Faults that wait for the driver.
    pub faults: FaultQueue,
    /// Invalidations that wait for accesses under way.
    pub invalidations: Invalidations,
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every packet.
    Render,
    /// Every packet but those that draw.
    Copy,
}

impl Class {
    /// The class as the register shows it.
    pub fn bits(self) -> u32 {
        match self {
            Self::Render => class::RENDER,
            Self::Copy => class::COPY,
        }
    }
}

/// Why a packet did not finish.
#[derive(Debug)]
enum Stop {
    /// It faulted.
    Fault(Fault),
    /// The engine is reset, or was disabled while it waited.
    Interrupted,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

#[derive(Default)]
struct State {
    enabled: bool,
    halted: bool,
    /// The thread is at a packet.
    running: bool,
    /// Threads that wait until it is not.
    waiters: u32,
    /// The thread is to end.
    exit: bool,
    ring: Ring,
}

impl State {
    fn has_work(&self) -> bool {
        self.enabled && !self.halted && self.ring.head != self.ring.tail
    }
}

/// An engine.
pub struct Engine {
    number: u32,
    class: Class,
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Told when the thread has a reason to look at the state.
    wake: Condvar,
    /// Told when the thread is no longer at a packet.
    idle: Condvar,
    /// The packet under way is to stop.
    stop: AtomicBool,
    trouble: Mutex<Trouble>,
    totals: Mutex<Totals>,
    /// High half of the busy time, for the register.
    busy_high: AtomicU32,
}

impl Engine {
    /// An engine at rest, and its thread.
    pub fn start(
        number: u32,
        class: Class,
        shared: Arc<Shared>,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let engine = Arc::new(Self {
            number,
            class,
            shared,
            state: Mutex::default(),
            wake: Condvar::new(),
            idle: Condvar::new(),
            stop: AtomicBool::new(false),
            trouble: Mutex::default(),
            totals: Mutex::default(),
            busy_high: AtomicU32::new(0),
        });
        let worker = Arc::clone(&engine);
        let thread = thread::Builder::new()
            .name(format!("engine{number}"))
            .spawn(move || worker.work())?;
        Ok((engine, thread))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The engine's class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether it may fetch packets.
    pub fn enabled(&self) -> bool {
        self.lock().enabled
    }

    /// Whether it has packets to do.
    pub fn busy(&self) -> bool {
        let state = self.lock();
        state.running || state.has_work()
    }

    /// Whether its ring faulted.
    pub fn halted(&self) -> bool {
        self.lock().halted
    }

    /// The registers of its ring.
    pub fn ring(&self) -> Ring {
        self.lock().ring
    }

    /// What it did since its reset.
    pub fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Low half of the nanoseconds that it was busy; keeps the high half for later.
    pub fn busy_low(&self) -> u32 {
        let busy = self.totals().busy();
        self.busy_high.store((busy >> 32) as u32, Ordering::Relaxed);
        busy as u32
    }

    /// High half of the nanoseconds when [`busy_low`](Self::busy_low) was asked last.
    pub fn busy_high(&self) -> u32 {
        self.busy_high.load(Ordering::Relaxed)
    }

    /// Lets it fetch packets, or not.
    pub fn set_enabled(&self, enabled: bool) {
        let mut state = self.lock();
        if enabled && !state.enabled && !state.ring.is_valid() {
            state.halted = true;
        }
        state.enabled = enabled;
        self.wake.notify_all();
    }

    /// Writes a register of the ring, unless the engine is enabled or still at a packet: that one
    /// moves the head by the ring that it was fetched from.
    pub fn set_ring(&self, register: RingRegister, value: u32) {
        let mut state = self.lock();
        if !state.enabled && !state.running {
            state.ring.set(register, value);
        }
    }

    /// Sets the ring's tail, if it can be one.
    pub fn ring_doorbell(&self, tail: u32) {
        let mut state = self.lock();
        if tail.is_multiple_of(4) && tail < state.ring.size {
            state.ring.tail = tail;
            self.wake.notify_all();
        }
    }

    /// Stops at the next piece of memory and goes back to the start of the ring, disabled.
    pub fn reset(&self) {
        if self.ignores_reset() {
            return;
        }
        let mut state = self.stop_packet();
        state.ring.head = 0;
        state.ring.tail = 0;
    }

    /// As [`reset`](Self::reset), and forgets where the ring is.
    pub fn reset_all(&self) {
        self.stop_packet().ring = Ring::default();
    }

    /// Ends the thread.
    pub fn shut_down(&self) {
        self.stop_packet().exit = true;
        self.wake.notify_all();
    }

    /// Disables the engine and waits until no packet is under way.
    fn stop_packet(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.enabled = false;
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_all();
        self.shared.faults.wake();
        state.waiters += 1;
        while state.running {
            state = self
                .idle
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.waiters -= 1;
        self.stop.store(false, Ordering::Relaxed);
        self.end_hang();
        *self.totals() = Totals::default();
        self.busy_high.store(0, Ordering::Relaxed);
        state.halted = false;
        state
    }

    /// Sleeps for `duration` within a packet that waits for memory to change.
    fn pause(&self, duration: Duration) -> Result<(), Stop> {
        let state = self.lock();
        if self.stopped() || !state.enabled {
            return Err(Stop::Interrupted);
        }
        // Early or late does not matter: the caller looks at the memory again.
        drop(
            self.wake
                .wait_timeout(state, duration)
                .unwrap_or_else(PoisonError::into_inner),
        );
        Ok(())
    }
}
