// SPDX-License-Identifier: GPL-2.0

//! Interrupts: pending and enabled bits, and the event of each MSI-X vector.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::abi::limits::MAX_VECTORS;

const VECTORS: usize = MAX_VECTORS as usize;

#[derive(Default)]
struct State {
    pending: u32,
    enabled: u32,
    /// Enabled vectors whose message could not be sent yet.
    held: u32,
    /// MSI-X messages are memory writes: without bus mastering there are none.
    bus_master: bool,
    events: [Option<OwnedFd>; VECTORS],
    /// Numbers of messages to lose, by vector.
    losses: [u32; VECTORS],
}

impl State {
    /// Sends the messages of `vectors` that may be sent, and holds those back that cannot be.
    fn send(&mut self, vectors: u32) {
        let vectors = vectors & self.enabled;
        self.held |= vectors;
        if !self.bus_master {
            return;
        }
        for (vector, (event, losses)) in self.events.iter().zip(&mut self.losses).enumerate() {
            if let Some(event) = event
                && vectors & 1 << vector != 0
            {
                self.held &= !(1 << vector);
                if *losses > 0 {
                    *losses -= 1;
                    continue;
                }
                signal(event);
            }
        }
    }

    /// Sends the messages that were held back.
    fn send_pending(&mut self) {
        self.send(self.pending);
    }
}

/// Signals an event. One whose count is full is signalled already.
fn signal(event: &OwnedFd) {
    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
}

/// The interrupt unit.
#[derive(Default)]
pub struct Irqs(Mutex<State>);

impl Irqs {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises the interrupt of `vector`.
    pub fn raise(&self, vector: u32) {
        let mut state = self.lock();
        state.pending |= 1 << vector;
        state.send(1 << vector);
    }

    /// Returns the pending bits.
    pub fn pending(&self) -> u32 {
        self.lock().pending
    }

    /// Vectors whose message is due and could not be sent yet: MSI-X's pending bits.
    pub fn held(&self) -> u32 {
        self.lock().held
    }

    /// Clears pending bits. A message that was held back is not due any more.
    pub fn clear(&self, vectors: u32) {
        let mut state = self.lock();
        state.pending &= !vectors;
        state.held &= !vectors;
    }

    /// Returns the enabled vectors.
    pub fn enabled(&self) -> u32 {
        self.lock().enabled
    }

    /// Sets the enabled vectors; pending ones that become enabled are sent.
    pub fn set_enabled(&self, vectors: u32) {
        let mut state = self.lock();
        let new = vectors & !state.enabled;
        state.enabled = vectors & ((1 << MAX_VECTORS) - 1);
        state.held &= state.enabled;
        let pending = state.pending & new;
        state.send(pending);
    }

    /// Follows the bus master bit of the PCI command register.
    pub fn set_bus_master(&self, allowed: bool) {
        let mut state = self.lock();
        let was = std::mem::replace(&mut state.bus_master, allowed);
        if allowed && !was {
            state.send_pending();
        }
    }

    /// Connects vectors from `first` to events, or disconnects them. Pending and enabled vectors
    /// are sent to the new events, so that none is lost while the client changes them. Events
    /// become non-blocking: no client can make an engine wait.
    pub fn connect(&self, first: u32, events: Vec<Option<OwnedFd>>) -> Result<(), Errno> {
        for event in events.iter().flatten() {
            fcntl_setfl(event, fcntl_getfl(event)? | OFlags::NONBLOCK)?;
        }
        let mut state = self.lock();
        for (vector, event) in (first..MAX_VECTORS).zip(events) {
            let connected = event.is_some();
            state.events[vector as usize] = event;
            if connected {
                let pending = state.pending & 1 << vector;
                state.send(pending);
            }
        }
        Ok(())
    }

    /// Disconnects all vectors.
    pub fn disconnect(&self) {
        self.lock().events = Default::default();
    }

    /// Loses the next `count` messages of a vector. False if there is no such vector.
    pub fn lose(&self, vector: u32, count: u32) -> bool {
        match self.lock().losses.get_mut(vector as usize) {
            Some(losses) => {
                *losses = count;
                true
            }
            None => false,
        }
    }

    /// Sends messages of vectors as if the device had raised them, for a client that asks.
    pub fn trigger(&self, first: u32, count: u32) {
        let state = self.lock();
        let events = state.events.iter().skip(first as usize);
        for event in events.take(count as usize).flatten() {
            signal(event);
        }
    }

    /// Clears pending and enabled bits. The events stay connected.
    pub fn reset(&self) {
        let mut state = self.lock();
        state.pending = 0;
        state.enabled = 0;
        state.held = 0;
    }
}
