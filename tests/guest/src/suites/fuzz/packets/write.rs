// SPDX-License-Identifier: GPL-2.0

//! Packets that do what they should, of which dwords are changed then.

use rgt::abi::packet::{self as op, header, len};
use rgt::packet::{self, Area, Blend, Corner, Rect, Rows, Surface};

use crate::rig::Dice;

/// Bytes of each piece of memory that packets use.
pub(super) const SIZE: u64 = 64 << 10;

/// No job has more dwords.
pub(super) const MOST: usize = 128;

/// Packets that have a length of their own, those of rings among them.
const KINDS: [(u32, u32); 16] = [
    (op::NOP, 1),
    (op::FENCE, len::FENCE),
    (op::INDIRECT, len::INDIRECT),
    (op::TLB_INVALIDATE, len::TLB_INVALIDATE),
    (op::WAIT, len::WAIT),
    (op::TIMESTAMP, len::TIMESTAMP),
    (op::COPY, len::COPY),
    (op::FILL, len::FILL),
    (op::WRITE, len::WRITE_MIN),
    (op::CHECKSUM, len::CHECKSUM),
    (op::COPY_ROWS, len::COPY_ROWS),
    (op::ATOMIC_ADD, len::ATOMIC_ADD),
    (op::ATOMIC_SWAP, len::ATOMIC_SWAP),
    (op::RECT_FILL, len::RECT_FILL),
    (op::BLIT, len::BLIT),
    (op::TRIANGLE, len::TRIANGLE),
];

/// Packets that are being written.
pub(super) struct Packets<'a> {
    dice: &'a mut Dice,
    /// Where the pieces of memory are. Atomics are done in the first one.
    memory: &'a [u64],
    dwords: Vec<u32>,
    /// Where packets begin.
    headers: Vec<usize>,
}

impl<'a> Packets<'a> {
    /// Some packets; if `draws`, of those that draw, too.
    pub(super) fn new(dice: &'a mut Dice, memory: &'a [u64], draws: bool) -> Self {
        const PACKETS: u32 = 6;
        let mut this = Self {
            dice,
            memory,
            dwords: vec![],
            headers: vec![],
        };
        for _ in 0..=this.dice.below(PACKETS) {
            let kinds = if draws { 11 } else { 8 };
            match this.dice.below(kinds) {
                8 => this.rect_fill(),
                9 => this.blit(),
                10 => this.triangle(),
                kind => this.transfer(kind),
            }
        }
        this
    }

    /// All dwords.
    pub(super) fn dwords(&self) -> &[u32] {
        &self.dwords
    }

    /// Changes up to eight dwords: headers by their fields, and any by their bits.
    pub(super) fn damage(&mut self) {
        for _ in 0..=self.dice.below(8) {
            if self.dice.below(3) == 0 {
                let at = self.dice.below(self.headers.len() as u32) as usize;
                self.damage_header(self.headers[at]);
            } else {
                let at = self.dice.below(self.dwords.len() as u32) as usize;
                self.dwords[at] = self.damaged(self.dwords[at]);
            }
        }
    }

    fn damage_header(&mut self, at: usize) {
        let old = self.dwords[at];
        self.dwords[at] = match self.dice.below(5) {
            0 => {
                let kind = self.dice.below(KINDS.len() as u32) as usize;
                let (opcode, dwords) = KINDS[kind];
                header(opcode, 0, dwords)
            }
            1 => (old & !0xff) | self.dice.below(0x100),
            2 => (old & 0xffff) | (self.dice.below(32) << 16),
            3 => (old & 0xffff) | (self.dice.roll() << 16),
            _ => old ^ (1 << (8 + self.dice.below(8))),
        };
    }

    fn damaged(&mut self, old: u32) -> u32 {
        match self.dice.below(6) {
            0 | 1 => old ^ (1 << self.dice.below(32)),
            2 => 0,
            3 => u32::MAX - self.dice.below(8),
            4 => self.dice.below(64),
            _ => self.dice.roll(),
        }
    }

    fn packet(&mut self, dwords: &[u32]) {
        self.headers.push(self.dwords.len());
        self.dwords.extend(dwords);
    }

    /// The address of so many bytes of memory.
    fn place(&mut self, bytes: u64, alignment: u32) -> u64 {
        let piece = self.dice.below(self.memory.len() as u32) as usize;
        self.place_in(piece, bytes, alignment)
    }

    fn place_in(&mut self, piece: usize, bytes: u64, alignment: u32) -> u64 {
        let places = (SIZE - bytes) as u32 / alignment + 1;
        self.memory[piece] + u64::from(alignment * self.dice.below(places))
    }

    fn transfer(&mut self, kind: u32) {
        match kind {
            0 => {
                let dwords = 1 + self.dice.below(8);
                self.packet(&[packet::nop(dwords)]);
                // They are not looked at.
                for _ in 1..dwords {
                    let any = self.dice.roll();
                    self.dwords.push(any);
                }
            }
            1 => {
                let bytes = u64::from(self.dice.below(8192));
                let (from, to) = (self.place(bytes, 1), self.place(bytes, 1));
                self.packet(&packet::copy(from, to, bytes));
            }
            2 => {
                let bytes = 4 * u64::from(self.dice.below(2048));
                let to = self.place(bytes, 4);
                self.packet(&packet::fill(to, bytes, kind));
            }
            3 => {
                let count = 1 + self.dice.below(8);
                let to = self.place(4 * u64::from(count), 4);
                self.packet(&packet::write_head(to, count));
                for _ in 0..count {
                    let any = self.dice.roll();
                    self.dwords.push(any);
                }
            }
            4 => {
                let bytes = 4 * u64::from(self.dice.below(2048));
                let (from, to) = (self.place(bytes, 4), self.place(8, 8));
                self.packet(&packet::checksum(from, bytes, to));
            }
            5 => self.copy_rows(),
            6 => {
                let (at, summand) = (self.place_in(0, 8, 8), self.dice.roll().into());
                let old = self.old();
                self.packet(&packet::atomic_add(at, summand, old));
            }
            _ => {
                let (at, new) = (self.place_in(0, 8, 8), self.dice.roll().into());
                let old = self.old();
                self.packet(&packet::atomic_swap(at, 0, new, old));
            }
        }
    }

    /// Where an atomic puts what was there before, if anywhere.
    fn old(&mut self) -> u64 {
        match self.dice.below(2) {
            0 => 0,
            _ => self.place(8, 8),
        }
    }

    fn copy_rows(&mut self) {
        const PITCH: u32 = 256;
        const ROWS: u32 = 32;
        let most = u64::from(PITCH * (ROWS + 1));
        let flat = self.is_flat();
        let [from, to] = [(); 2].map(|()| Rows {
            addr: self.place(most, 1),
            pitch: if flat { 0 } else { self.dice.below(PITCH + 1) },
        });
        let (bytes, rows) = (self.dice.below(PITCH + 1), self.dice.below(ROWS + 1));
        self.packet(&packet::copy_rows(from, to, bytes, rows));
    }

    /// Whether rows are in the same place, so that memory has any number of them. With many more of them
    /// the engine is busy until it is reset.
    fn is_flat(&mut self) -> bool {
        self.dice.below(16) == 0
    }

    /// A surface of 64 times 64 pixels or less.
    fn surface(&mut self) -> Surface {
        const SIDE: u32 = 64;
        Surface {
            addr: self.place(u64::from(4 * SIDE * SIDE), 4),
            pitch: match self.is_flat() {
                true => 0,
                false => 4 * self.dice.below(SIDE + 1),
            },
        }
    }

    /// Left edge, top edge, width and height of a part of a surface.
    fn part(&mut self) -> [u32; 4] {
        const HALF: u32 = 32;
        let [x, y] = [(); 2].map(|()| self.dice.below(HALF));
        let [width, height] = [(); 2].map(|()| 1 + self.dice.below(HALF));
        [x, y, width, height]
    }

    fn blend(&mut self) -> Blend {
        match self.dice.below(2) {
            0 => Blend::Replace,
            _ => Blend::Over,
        }
    }

    fn rect_fill(&mut self) {
        let surface = self.surface();
        let [x, y, width, height] = self.part();
        let rect = Rect {
            x,
            y,
            width,
            height,
            pixel: self.dice.roll(),
        };
        self.packet(&packet::rect_fill(surface, rect));
    }

    fn blit(&mut self) {
        let [from, to] = [(); 2].map(|()| {
            let surface = self.surface();
            let [x, y, width, height] = self.part();
            Area {
                surface,
                x,
                y,
                width,
                height,
            }
        });
        let blend = self.blend();
        self.packet(&packet::blit(from, to, blend));
    }

    fn triangle(&mut self) {
        let surface = self.surface();
        let [_, _, width, height] = self.part();
        // On the surface, and beside it.
        let corners = [(); 3].map(|()| {
            let [x, y] = [(); 2].map(|()| self.dice.below(0x8000) as i32 - 0x2000);
            Corner {
                x,
                y,
                pixel: self.dice.roll(),
            }
        });
        let blend = self.blend();
        self.packet(&packet::triangle(surface, width, height, corners, blend));
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Packets};
    use crate::rig::Dice;

    #[test]
    fn each_packet_is_behind_the_one_before_it_until_dwords_change() {
        let mut dice = Dice::new(1);
        let mut changed = 0;
        for round in 0..1000 {
            let mut packets = Packets::new(&mut dice, &[0x10_0000, 0x20_0000], round % 2 == 0);
            let whole = packets.dwords().to_vec();
            assert!(whole.len() <= MOST);
            let mut at = 0;
            for header in &packets.headers {
                assert_eq!(at, *header);
                at += (whole[at] >> 16) as usize;
            }
            assert_eq!(at, whole.len());
            packets.damage();
            assert_eq!(whole.len(), packets.dwords().len());
            let differ = whole.iter().zip(packets.dwords()).filter(|(a, b)| a != b);
            let differ = differ.count();
            assert!(differ <= 8);
            changed += differ;
        }
        assert!(changed > 1000);
    }
}
