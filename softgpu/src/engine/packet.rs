// SPDX-License-Identifier: GPL-2.0

//! Decoding of packets.

use crate::abi::limits;
use crate::abi::packet::{self as op, len};
use crate::fault::{Access, Fault};

use super::Class;
use super::draw::{Blit, Rectangle, Triangle};
use super::operands::{Operands, check_alignment, require};

/// The kind of buffer that a packet is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// In a ring.
    Ring,
    /// In an indirect buffer.
    Indirect,
}

/// The header of a packet that its buffer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    opcode: u32,
    flags: u32,
    pub(super) dwords: u32,
}

impl Header {
    /// Reads a header; none if an engine of `class` does not take such a packet at `level`.
    pub(super) fn parse(raw: u32, class: Class, level: Level) -> Option<Self> {
        let header = Self {
            opcode: raw & 0xff,
            flags: raw >> 8 & 0xff,
            dwords: raw >> 16,
        };
        let (flags, lengths) = match header.opcode {
            op::NOP => (0, 1..=len::MAX),
            op::FENCE => (op::FENCE_IRQ, len::FENCE..=len::FENCE),
            op::INDIRECT => (0, len::INDIRECT..=len::INDIRECT),
            op::TLB_INVALIDATE => (0, len::TLB_INVALIDATE..=len::TLB_INVALIDATE),
            op::WAIT => (0, len::WAIT..=len::WAIT),
            op::TIMESTAMP => (0, len::TIMESTAMP..=len::TIMESTAMP),
            op::COPY => (0, len::COPY..=len::COPY),
            op::FILL => (0, len::FILL..=len::FILL),
            op::WRITE => (0, len::WRITE_MIN..=len::MAX),
            op::CHECKSUM => (0, len::CHECKSUM..=len::CHECKSUM),
            op::COPY_ROWS => (0, len::COPY_ROWS..=len::COPY_ROWS),
            op::ATOMIC_ADD => (0, len::ATOMIC_ADD..=len::ATOMIC_ADD),
            op::ATOMIC_SWAP => (0, len::ATOMIC_SWAP..=len::ATOMIC_SWAP),
            op::RECT_FILL => (0, len::RECT_FILL..=len::RECT_FILL),
            op::BLIT => (op::BLEND, len::BLIT..=len::BLIT),
            op::TRIANGLE => (op::BLEND, len::TRIANGLE..=len::TRIANGLE),
            _ => return None,
        };
        let ring_only = matches!(
            header.opcode,
            op::FENCE | op::INDIRECT | op::TLB_INVALIDATE | op::WAIT | op::TIMESTAMP
        );
        let render_only = matches!(header.opcode, op::RECT_FILL | op::BLIT | op::TRIANGLE);
        let allowed = header.flags & !flags == 0
            && lengths.contains(&header.dwords)
            && !(ring_only && level != Level::Ring)
            && !(render_only && class != Class::Render);
        allowed.then_some(header)
    }

    /// Bytes to fetch after the header.
    pub(super) fn operand_bytes(self) -> usize {
        match self.opcode {
            op::NOP => 0,
            _ => (self.dwords as usize - 1) * 4,
        }
    }
}

/// A packet with valid operands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Nop,
    Fence {
        address: u64,
        value: u64,
        irq: bool,
    },
    Indirect {
        space: u32,
        dwords: u32,
        address: u64,
        tag: u64,
    },
    TlbInvalidate {
        space: u32,
        start: u64,
        size: u64,
    },
    Wait {
        address: u64,
        value: u64,
    },
    Timestamp {
        address: u64,
    },
    Copy {
        source: u64,
        destination: u64,
        bytes: u64,
    },
    Fill {
        destination: u64,
        bytes: u64,
        pattern: u32,
    },
    Write {
        destination: u64,
        data: Vec<u8>,
    },
    Checksum {
        source: u64,
        bytes: u64,
        destination: u64,
    },
    CopyRows {
        source: Rows,
        destination: Rows,
        bytes: u32,
        rows: u32,
    },
    Atomic {
        address: u64,
        change: Change,
        result: u64,
    },
    RectFill(Rectangle),
    Blit(Blit),
    Triangle(Triangle),
}

/// Rows of bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Where the first begins.
    pub(super) address: u64,
    /// Bytes from one to the next.
    pub(super) pitch: u32,
}

/// The operation of an atomic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add(u64),
    Swap { expected: u64, new: u64 },
}

impl Change {
    /// The new value for an old one; none to leave it.
    pub(super) fn apply(self, old: u64) -> Option<u64> {
        match self {
            Self::Add(summand) => Some(old.wrapping_add(summand)),
            Self::Swap { expected, new } => (old == expected).then_some(new),
        }
    }
}

impl Packet {
    /// Decodes the operands of a packet that runs in `space`.
    pub(super) fn decode(
        header: Header,
        operands: Vec<u8>,
        space: u32,
    ) -> Result<Self, Option<Fault>> {
        let mut from = Operands::new(&operands, space);
        Ok(match header.opcode {
            op::NOP => Self::Nop,
            op::FENCE => Self::Fence {
                address: from.address(8, Access::Write)?,
                value: from.qword(),
                irq: header.flags & op::FENCE_IRQ != 0,
            },
            op::INDIRECT => {
                let space = from.dword();
                let dwords = from.dword();
                require(space < limits::ADDRESS_SPACES && dwords <= limits::IB_MAX_DWORDS)?;
                let address = from.qword();
                check_alignment(space, address, 4, Access::Fetch)?;
                let tag = from.qword();
                Self::Indirect {
                    space,
                    dwords,
                    address,
                    tag,
                }
            }
            op::TLB_INVALIDATE => {
                let space = from.dword();
                require(space < limits::ADDRESS_SPACES && from.dword() == 0)?;
                Self::TlbInvalidate {
                    space,
                    start: from.qword(),
                    size: from.qword(),
                }
            }
            op::WAIT => Self::Wait {
                address: from.address(8, Access::Read)?,
                value: from.qword(),
            },
            op::TIMESTAMP => Self::Timestamp {
                address: from.address(8, Access::Write)?,
            },
            op::COPY => Self::Copy {
                source: from.qword(),
                destination: from.qword(),
                bytes: from.qword(),
            },
            op::FILL => {
                let destination = from.address(4, Access::Write)?;
                let bytes = from.qword();
                require(bytes.is_multiple_of(4))?;
                let pattern = from.dword();
                Self::Fill {
                    destination,
                    bytes,
                    pattern,
                }
            }
            op::WRITE => Self::Write {
                destination: from.address(4, Access::Write)?,
                data: from.rest().to_vec(),
            },
            op::CHECKSUM => {
                let source = from.address(4, Access::Read)?;
                let bytes = from.qword();
                require(bytes.is_multiple_of(4))?;
                let destination = from.address(8, Access::Write)?;
                Self::Checksum {
                    source,
                    bytes,
                    destination,
                }
            }
            op::COPY_ROWS => Self::CopyRows {
                source: Rows {
                    address: from.qword(),
                    pitch: from.dword(),
                },
                destination: Rows {
                    address: from.qword(),
                    pitch: from.dword(),
                },
                bytes: from.dword(),
                rows: from.dword(),
            },
            op::ATOMIC_ADD => Self::Atomic {
                address: from.address(8, Access::Write)?,
                change: Change::Add(from.qword()),
                result: from.address(8, Access::Write)?,
            },
            op::ATOMIC_SWAP => Self::Atomic {
                address: from.address(8, Access::Write)?,
                change: Change::Swap {
                    expected: from.qword(),
                    new: from.qword(),
                },
                result: from.address(8, Access::Write)?,
            },
            op::RECT_FILL => Self::RectFill(Rectangle::decode(&mut from)?),
            op::BLIT => Self::Blit(Blit::decode(&mut from, header.flags)?),
            op::TRIANGLE => Self::Triangle(Triangle::decode(&mut from, header.flags)?),
            _ => return Err(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let parse = |opcode, flags, dwords, class, level| {
            Header::parse(op::header(opcode, flags, dwords), class, level).is_some()
        };
        let (render, copy) = (Class::Render, Class::Copy);
        assert!(parse(op::NOP, 0, 1, copy, Level::Indirect));
        assert!(!parse(op::NOP, 0, 0, copy, Level::Ring));
        assert!(!parse(op::NOP, 1, 1, copy, Level::Ring));
        assert!(parse(op::FENCE, op::FENCE_IRQ, 5, copy, Level::Ring));
        assert!(!parse(op::FENCE, 2, 5, copy, Level::Ring));
        assert!(!parse(op::FENCE, 0, 6, copy, Level::Ring));
        for opcode in [op::FENCE, op::WAIT] {
            assert!(!parse(opcode, 0, 5, copy, Level::Indirect));
        }
        for opcode in [op::INDIRECT, op::TLB_INVALIDATE] {
            assert!(parse(opcode, 0, 7, copy, Level::Ring));
            assert!(!parse(opcode, 0, 7, copy, Level::Indirect));
        }
        assert!(parse(op::TIMESTAMP, 0, 3, copy, Level::Ring));
        assert!(!parse(op::TIMESTAMP, 0, 3, copy, Level::Indirect));
        assert!(parse(op::RECT_FILL, 0, 9, render, Level::Indirect));
        for (opcode, dwords) in [(op::RECT_FILL, 9), (op::BLIT, 15), (op::TRIANGLE, 15)] {
            assert!(!parse(opcode, 0, dwords, copy, Level::Indirect));
        }
        assert!(parse(op::BLIT, op::BLEND, 15, render, Level::Ring));
        assert!(!parse(op::RECT_FILL, op::BLEND, 9, render, Level::Ring));
        assert!(parse(op::WRITE, 0, 4, copy, Level::Indirect));
        assert!(!parse(op::WRITE, 0, 3, copy, Level::Indirect));
        assert!(!parse(0xff, 0, 1, render, Level::Ring));
    }
}
