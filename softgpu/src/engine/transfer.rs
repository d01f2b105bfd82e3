// SPDX-License-Identifier: GPL-2.0

//! Accesses to memory, a piece at a time. Between two pieces the engine may be stopped, and within
//! a bounded number of bytes the memory is unlocked.

use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use vm_memory::{Bytes, VolatileMemory, VolatileSlice};

use crate::checksum::Checksum;
use crate::cost::Meter;
use crate::dma;
use crate::fault::{Access, Fault, Reason};
use crate::memory::{Piece, View, in_range};

use super::packet::{Change, Rows};
use super::{Engine, Stop};

/// Bytes that are summed at once, out of a buffer: few enough for the second cache of a core, and
/// so many that what is ahead in memory is fetched meanwhile.
const BUFFER: usize = 256 << 10;
/// Bytes of a pattern that are written at once: they stay in the nearest cache.
const PATTERN: usize = 2 << 10;

/// The accesses of an engine.
pub(super) struct Transfer<'a> {
    engine: &'a Engine,
    meter: RefCell<Meter>,
    /// A bounce buffer that packets share.
    buffer: &'a RefCell<Vec<u8>>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(engine: &'a Engine, buffer: &'a RefCell<Vec<u8>>) -> Self {
        Self {
            engine,
            meter: RefCell::default(),
            buffer,
        }
    }

    /// Charges the engine with the fetch of a packet.
    pub(super) fn charge_fetch(&self, ahead: bool) {
        let mut totals = self.engine.totals();
        self.meter.borrow_mut().charge_fetch(&mut totals, ahead);
    }

    /// Charges the engine with the accesses of a packet, and with `besides` nanoseconds.
    pub(super) fn charge(&self, besides: u64) {
        self.meter
            .borrow_mut()
            .charge(&mut self.engine.totals(), besides);
    }

    /// Drops the accesses that have not been charged.
    pub(super) fn forget(&self) {
        self.meter.replace(Meter::default());
    }

    /// Records an access to `length` bytes of a piece at `address`.
    fn note(
        &self,
        view: &View,
        space: u32,
        address: u64,
        length: u64,
        access: Access,
        piece: &Piece<'_>,
    ) {
        let translations = view.translations(self.engine.number, space, address, length);
        self.meter
            .borrow_mut()
            .note(access, piece.path(), address, length, translations);
    }

    /// Reads bytes.
    pub(super) fn read(
        &self,
        space: u32,
        address: u64,
        into: &mut [u8],
        access: Access,
    ) -> Result<(), Stop> {
        let length = into.len() as u64;
        self.pieces(space, address, length, access, |done, piece| {
            let done = done as usize;
            let into = &mut into[done..done + piece.length() as usize];
            match piece {
                Piece::Memory(_, memory) => {
                    memory.copy_to(into);
                }
                Piece::Sparse(_) => into.fill(0),
            }
        })
    }

    /// Copies memory.
    pub(super) fn copy(
        &self,
        space: u32,
        source: u64,
        destination: u64,
        bytes: u64,
    ) -> Result<(), Stop> {
        check_range(space, source, bytes, Access::Read)?;
        check_range(space, destination, bytes, Access::Write)?;
        let mut done = 0;
        while done < bytes {
            let view = self.engine.shared.memory.read();
            let losses = dma::losses();
            let left = bytes - done;
            let mut from = view.cursor(space, source + done, left, Access::Read)?;
            let mut to = view.cursor(space, destination + done, left, Access::Write)?;
            while let Some(read) = from.piece()?
                && let Some(written) = to.piece()?
            {
                self.check_stop()?;
                let length = read.length().min(written.length());
                let (source, destination) = (source + done, destination + done);
                // First, while the caches still have what the look-ups have read.
                self.note(&view, space, source, length, Access::Read, &read);
                self.note(&view, space, destination, length, Access::Write, &written);
                match (&read, &written) {
                    (Piece::Memory(_, from), Piece::Memory(_, to)) => {
                        from.copy_to_volatile_slice(*to)
                    }
                    (Piece::Sparse(_), Piece::Memory(_, to)) => set(to, 0, length),
                    (_, Piece::Sparse(_)) => {}
                }
                view.check_losses(losses, space, source, Access::Read)?;
                view.check_losses(losses, space, destination, Access::Write)?;
                from.advance(length);
                to.advance(length);
                done += length;
            }
        }
        Ok(())
    }

    /// Copies rows of `bytes` bytes.
    pub(super) fn copy_rows(
        &self,
        space: u32,
        source: Rows,
        destination: Rows,
        bytes: u32,
        rows: u32,
    ) -> Result<(), Stop> {
        let (bytes, rows) = (u64::from(bytes), u64::from(rows));
        check_rows(space, source, bytes, rows, Access::Read)?;
        check_rows(space, destination, bytes, rows, Access::Write)?;
        if bytes == 0 {
            return Ok(());
        }
        let row = |side: Rows, row| side.address + row * u64::from(side.pitch);
        (0..rows).try_for_each(|n| self.copy(space, row(source, n), row(destination, n), bytes))
    }

    /// Fills memory with a pattern.
    pub(super) fn fill(
        &self,
        space: u32,
        destination: u64,
        bytes: u64,
        pattern: u32,
    ) -> Result<(), Stop> {
        let [byte, rest @ ..] = pattern.to_le_bytes();
        if rest == [byte; 3] {
            return self.pieces(
                space,
                destination,
                bytes,
                Access::Write,
                |_, piece| match piece {
                    Piece::Memory(_, memory) => set(&memory, byte, memory.len() as u64),
                    Piece::Sparse(_) => {}
                },
            );
        }
        let length = bytes.min(PATTERN as u64) as usize;
        let buffer = pattern.to_le_bytes().repeat(length / 4);
        self.pieces(
            space,
            destination,
            bytes,
            Access::Write,
            |_, piece| match piece {
                Piece::Memory(_, memory) => repeat(&memory, &buffer),
                Piece::Sparse(_) => {}
            },
        )
    }

    /// Writes bytes.
    pub(super) fn write(&self, space: u32, destination: u64, data: &[u8]) -> Result<(), Stop> {
        self.pieces(
            space,
            destination,
            data.len() as u64,
            Access::Write,
            |done, piece| match piece {
                Piece::Memory(_, memory) => memory.copy_from(&data[done as usize..]),
                Piece::Sparse(_) => {}
            },
        )
    }

    /// Returns the checksum of memory.
    pub(super) fn checksum(&self, space: u32, source: u64, bytes: u64) -> Result<u64, Stop> {
        // Others may write the memory meanwhile: what is summed is a copy of it.
        let mut buffer = self.buffer.borrow_mut();
        buffer.resize(BUFFER, 0);
        let mut sum = Checksum::default();
        self.pieces(space, source, bytes, Access::Read, |_, piece| match piece {
            Piece::Memory(_, memory) => {
                let mut done = 0;
                while done < memory.len() {
                    let Ok(rest) = memory.offset(done) else { break };
                    let read = rest.copy_to(&mut buffer);
                    sum.add(&buffer[..read]);
                    done += read;
                }
            }
            Piece::Sparse(length) => sum.add_zeros(length),
        })?;
        Ok(sum.value().into())
    }

    /// Reads an aligned 64-bit word with acquire semantics.
    pub(super) fn load(&self, space: u32, address: u64) -> Result<u64, Stop> {
        let view = self.engine.shared.memory.read();
        let losses = dma::losses();
        let piece = view.word(space, address, Access::Read)?;
        self.note(&view, space, address, 8, Access::Read, &piece);
        let word = match piece {
            Piece::Memory(_, memory) => memory
                .load::<u64>(0, Ordering::Acquire)
                .map(u64::from_le)
                .map_err(|_| misaligned(space, address, Access::Read))?,
            Piece::Sparse(_) => 0,
        };
        view.check_losses(losses, space, address, Access::Read)?;
        Ok(word)
    }

    /// Writes an aligned 64-bit word with release semantics.
    pub(super) fn store(&self, space: u32, address: u64, value: u64) -> Result<(), Stop> {
        let view = self.engine.shared.memory.read();
        let losses = dma::losses();
        let piece = view.word(space, address, Access::Write)?;
        self.note(&view, space, address, 8, Access::Write, &piece);
        if let Piece::Memory(_, memory) = piece {
            memory
                .store(value.to_le(), 0, Ordering::Release)
                .map_err(|_| misaligned(space, address, Access::Write))?;
        }
        view.check_losses(losses, space, address, Access::Write)?;
        Ok(())
    }

    /// Changes an aligned 64-bit word atomically and returns its old value.
    pub(super) fn change(&self, space: u32, address: u64, change: Change) -> Result<u64, Stop> {
        let view = self.engine.shared.memory.read();
        let losses = dma::losses();
        let piece = view.word(space, address, Access::Write)?;
        if piece.path().is_some_and(|path| !view.takes_atomics(path)) {
            return Err(fail(space, address, Access::Write, Reason::NoAtomics));
        }
        // It reads, too: a bad page has no word to change.
        view.word(space, address, Access::Read)?;
        for access in [Access::Read, Access::Write] {
            self.note(&view, space, address, 8, access, &piece);
        }
        let Piece::Memory(_, memory) = piece else {
            return Ok(0);
        };
        let word = memory
            .get_atomic_ref::<AtomicU64>(0)
            .map_err(|_| misaligned(space, address, Access::Write))?;
        let change = |old| change.apply(u64::from_le(old)).map(u64::to_le);
        let old = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
        view.check_losses(losses, space, address, Access::Write)?;
        Ok(u64::from_le(old.unwrap_or_else(|old| old)))
    }

    /// Calls `each` for the pieces of a range, with the number of bytes before the piece.
    fn pieces(
        &self,
        space: u32,
        address: u64,
        bytes: u64,
        access: Access,
        mut each: impl FnMut(u64, Piece<'_>),
    ) -> Result<(), Stop> {
        check_range(space, address, bytes, access)?;
        let mut done = 0;
        while done < bytes {
            let view = self.engine.shared.memory.read();
            let losses = dma::losses();
            let mut cursor = view.cursor(space, address + done, bytes - done, access)?;
            while let Some(piece) = cursor.piece()? {
                self.check_stop()?;
                let length = piece.length();
                self.note(&view, space, address + done, length, access, &piece);
                each(done, piece);
                view.check_losses(losses, space, address + done, access)?;
                cursor.advance(length);
                done += length;
            }
        }
        Ok(())
    }

    /// Fails if the packet is to stop.
    pub(super) fn check_stop(&self) -> Result<(), Stop> {
        if self.engine.stopped() {
            Err(Stop::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// A range that leaves its address space is refused as a whole, before anything is done to it.
pub(super) fn check_range(
    space: u32,
    address: u64,
    bytes: u64,
    access: Access,
) -> Result<(), Fault> {
    if bytes == 0 || in_range(address, bytes) {
        return Ok(());
    }
    Err(Fault {
        space,
        address,
        access,
        reason: Reason::OutOfRange,
    })
}

/// As [`check_range`], for rows of `bytes` bytes.
pub(super) fn check_rows(
    space: u32,
    rows: Rows,
    bytes: u64,
    count: u64,
    access: Access,
) -> Result<(), Fault> {
    if bytes == 0 || count == 0 {
        return Ok(());
    }
    let before_last = u64::from(rows.pitch).checked_mul(count - 1);
    let length = before_last.and_then(|before| before.checked_add(bytes));
    check_range(space, rows.address, length.unwrap_or(u64::MAX), access)
}

fn fail(space: u32, address: u64, access: Access, reason: Reason) -> Stop {
    Stop::Fault(Fault {
        space,
        address,
        access,
        reason,
    })
}

fn misaligned(space: u32, address: u64, access: Access) -> Stop {
    fail(space, address, access, Reason::Misaligned)
}

/// Writes `byte` to the first `length` bytes, if there are so many.
fn set(memory: &VolatileSlice<'_>, byte: u8, length: u64) {
    let guard = memory.ptr_guard_mut();
    let length = memory.len().min(length as usize);
    // SAFETY: The guard keeps that many bytes mapped and writable. No reference to them exists: all
    // that the device and its client do to such memory is by raw pointers.
    unsafe { ptr::write_bytes(guard.as_ptr(), byte, length) };
}

/// Writes `pattern` over and over.
fn repeat(memory: &VolatileSlice<'_>, pattern: &[u8]) {
    let mut done = 0;
    while done < memory.len() {
        let Ok(rest) = memory.offset(done) else { break };
        rest.copy_from(pattern);
        done += pattern.len().max(1);
    }
}
