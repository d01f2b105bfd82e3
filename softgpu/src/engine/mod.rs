// SPDX-License-Identifier: GPL-2.0

//! Engines: a thread each that runs the packets of its ring.
//!
//! [`Engine`] is the state behind the registers, [`worker`] the thread's loop, [`source`] and
//! [`packet`] fetch and decode, [`execute`] runs packets with the [`transfer`]s that access memory,
//! [`draw`] has those that draw. [`error_injection`] makes an engine hang or slow.

mod draw;
mod error_injection;
mod execute;
mod operands;
mod packet;
mod ring;
mod source;
mod transfer;
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

use error_injection::ErrorInjection;
pub use error_injection::Hang;
pub use ring::{Ring, RingRegister};

/// The state that the engines of a GPU share.
pub struct Shared {
    /// Memory and address spaces.
    pub memory: Memory,
    /// Interrupts.
    pub irqs: Irqs,
    /// Fault records that the driver has not read.
    pub faults: FaultQueue,
    /// Queued TLB invalidations.
    pub invalidations: Invalidations,
}

/// An engine's class: the packets that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every packet.
    Render,
    /// Every packet but those that draw.
    Copy,
}

impl Class {
    /// Returns the value of the class register.
    pub fn bits(self) -> u32 {
        match self {
            Self::Render => class::RENDER,
            Self::Copy => class::COPY,
        }
    }
}

/// The reason why a packet did not finish.
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
    /// The thread runs a packet.
    running: bool,
    /// Number of threads that wait until it does not.
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
    /// Notified when the state has changed for the thread.
    wake: Condvar,
    /// Notified when the thread has finished a packet.
    idle: Condvar,
    /// The packet under way is to stop.
    stop: AtomicBool,
    injection: Mutex<ErrorInjection>,
    totals: Mutex<Totals>,
    /// Latched high half of the busy time.
    busy_high: AtomicU32,
}

impl Engine {
    /// Creates an idle engine and starts its thread.
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
            injection: Mutex::default(),
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

    /// Returns the engine's class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether the engine is enabled.
    pub fn enabled(&self) -> bool {
        self.lock().enabled
    }

    /// Whether the engine runs a packet or has one to run.
    pub fn busy(&self) -> bool {
        let state = self.lock();
        state.running || state.has_work()
    }

    /// Whether a fault of the ring has halted the engine.
    pub fn halted(&self) -> bool {
        self.lock().halted
    }

    /// Returns the ring's registers.
    pub fn ring(&self) -> Ring {
        self.lock().ring
    }

    /// Returns the counters since the last reset.
    pub fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the low half of the busy time in nanoseconds and latches the high half.
    pub fn busy_low(&self) -> u32 {
        let busy = self.totals().busy();
        self.busy_high.store((busy >> 32) as u32, Ordering::Relaxed);
        busy as u32
    }

    /// Returns the high half of the busy time as [`busy_low`](Self::busy_low) latched it.
    pub fn busy_high(&self) -> u32 {
        self.busy_high.load(Ordering::Relaxed)
    }

    /// Enables or disables the engine. An invalid ring halts it.
    pub fn set_enabled(&self, enabled: bool) {
        let mut state = self.lock();
        if enabled && !state.enabled && !state.ring.is_valid() {
            state.halted = true;
        }
        state.enabled = enabled;
        self.wake.notify_all();
    }

    /// Writes a register of the ring, unless the engine is enabled or still runs a packet, which
    /// will move the head of the ring that it was fetched from.
    pub fn set_ring(&self, register: RingRegister, value: u32) {
        let mut state = self.lock();
        if !state.enabled && !state.running {
            state.ring.set(register, value);
        }
    }

    /// Sets the ring's tail. An invalid one is ignored.
    pub fn ring_doorbell(&self, tail: u32) {
        let mut state = self.lock();
        if tail.is_multiple_of(4) && tail < state.ring.size {
            state.ring.tail = tail;
            self.wake.notify_all();
        }
    }

    /// Resets the engine: stops it after its current memory access, disables it and clears head and
    /// tail.
    pub fn reset(&self) {
        if self.ignores_reset() {
            return;
        }
        let mut state = self.stop_packet();
        state.ring.head = 0;
        state.ring.tail = 0;
    }

    /// Resets the engine as [`reset`](Self::reset) does, and all registers of the ring.
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

    /// Sleeps for `duration` between two looks of a packet that polls memory.
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
