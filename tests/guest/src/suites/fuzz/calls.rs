// SPDX-License-Identifier: GPL-2.0

//! The values of structures, and what becomes of a call.

use rgt::DeviceInfo;

use super::arena::Arena;
use super::choices::Choices;
use super::grammar::{Field, Grammar};

/// Objects that there were, of which some still are.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) handles: Vec<u32>,
    pub(super) syncobjs: Vec<u32>,
    pub(super) offsets: Vec<u64>,
    vms: Vec<u32>,
    contexts: Vec<u32>,
    queues: Vec<u32>,
}

/// The most objects of a kind that are remembered. Others are forgotten, and closed with the file.
const MOST: usize = 24;

/// The most elements of arrays.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    ops: u32,
    ibs: u32,
    bos: u32,
    syncs: u32,
}

impl Lengths {
    /// Those of a device.
    pub(super) fn of(info: &DeviceInfo) -> Self {
        Self {
            ops: info.max_bind_ops,
            ibs: info.max_ibs,
            bos: info.max_bos,
            syncs: info.max_syncs,
        }
    }
}

/// Makes values and calls.
pub(super) struct Caller<'a> {
    pub(super) grammar: &'a Grammar,
    pub(super) arena: Arena,
    pub(super) dice: Choices,
    pub(super) fd: i32,
    pub(super) objects: Objects,
    pub(super) lengths: Lengths,
    /// The op of a bind, or the type of a sync, that is being made.
    pub(super) kind: u64,
    /// How often each call succeeded.
    pub(super) successes: Vec<u32>,
}

impl Caller<'_> {
    /// Makes a call of the driver's, and remembers what it made.
    pub(super) fn call(&mut self) {
        let index = self.dice.below(self.grammar.calls.len() as u32) as usize;
        let call = &self.grammar.calls[index];
        let at = self.structure(call.structure, call.name);
        let mut number = call.number;
        if self.dice.below(50) == 0 {
            // Another size, as that of an older or newer header.
            number = (number & !(0x3fff << 16)) | (self.dice.below(256) << 16);
        }
        if !self.arena.ioctl(self.fd, number, at) {
            return;
        }
        self.successes[index] += 1;
        let (objects, field) = match call.name {
            "gem_create" => (&mut self.objects.handles, "handle"),
            "vm_create" => (&mut self.objects.vms, "vm_id"),
            "ctx_create" => (&mut self.objects.contexts, "ctx_id"),
            "bind_queue_create" => (&mut self.objects.queues, "queue_id"),
            "gem_mmap_offset" => {
                if let Some(offset) = result(self.grammar, self.arena, call.structure, at, "offset")
                {
                    push(&mut self.objects.offsets, offset);
                }
                return;
            }
            _ => return,
        };
        if let Some(id) = result(self.grammar, self.arena, call.structure, at, field) {
            push(objects, id as u32);
        }
    }

    /// Writes a structure into the arena, with what it refers to. Returns its address.
    fn structure(&mut self, index: usize, name: &str) -> u64 {
        let structure = &self.grammar.structs[index];
        let mut bytes = vec![0; structure.size];
        for field in &structure.fields {
            if field.size == 16 {
                self.array(&mut bytes, field);
                continue;
            }
            let value = match self.dice.below(12) {
                0 => self.value(name, field.name),
                _ => match self.usual(name, field.name) {
                    Some(value) => value,
                    None => self.value(name, field.name),
                },
            };
            bytes[field.at..][..field.size].copy_from_slice(&value.to_le_bytes()[..field.size]);
        }
        let at = self.arena.place(self.dice.roll());
        self.arena.write(at, &bytes);
        at
    }

    /// Makes an array: its elements are where structures are that others read and write.
    fn array(&mut self, bytes: &mut [u8], field: &Field) {
        /// So many elements are made. If there are more, they are the same ones in turn: of BOs that
        /// works with private ones alone.
        const MADE: u32 = 4;
        let (element, most) = match field.name {
            "ops" => ("vm_bind_op", self.lengths.ops),
            "ibs" => ("cs_ib", self.lengths.ibs),
            "bos" => ("cs_bo", self.lengths.bos),
            _ => ("sync", self.lengths.syncs),
        };
        let Some(index) = self.grammar.find(element) else {
            return;
        };
        let size = self.grammar.structs[index].size as u32;
        let full = self.dice.below(60) == 0;
        let stride = match self.dice.below(30) {
            _ if full => size,
            0 => self.dice.below(64),
            1 => size + 8,
            _ => size,
        };
        let count = match self.dice.below(40) {
            _ if full => most + self.dice.below(2),
            0 => self.dice.roll(),
            // With a sync that is not there nothing else is looked at.
            1..28 if element == "sync" => 0,
            _ => self.dice.below(4),
        };
        let mut address = self.arena.place(self.dice.roll());
        // The first one is where the array begins, the others follow at its stride.
        let place = |number: u32| address + u64::from(number) * u64::from(stride);
        for number in (0..count.min(MADE)).rev() {
            let from = self.structure(index, element);
            let bytes = self.arena.bytes(from, size);
            self.arena.write(place(number), &bytes);
        }
        if full {
            for number in MADE..count {
                let bytes = self.arena.bytes(place(number % MADE), size);
                self.arena.write(place(number), &bytes);
            }
        }
        if self.dice.below(40) == 0 {
            address = self.wild();
        }
        bytes[field.at..][..4].copy_from_slice(&stride.to_le_bytes());
        bytes[field.at + 4..][..4].copy_from_slice(&count.to_le_bytes());
        bytes[field.at + 8..][..8].copy_from_slice(&address.to_le_bytes());
    }

    /// The value of a field that goes with those before it, where few do.
    fn usual(&mut self, of: &str, field: &str) -> Option<u64> {
        const MAP: u64 = 0;
        const UNMAP_ALL: u64 = 2;
        const PREFETCH: u64 = 4;
        const USERPTR: u64 = 5;
        const SYNCOBJ: u64 = 0;
        const TIMELINE: u64 = 1;
        const USER_FENCE: u64 = 2;
        match (of, field) {
            ("vm_bind_op", "op") => self.kind = u64::from(self.dice.below(6)),
            ("sync", "type") => self.kind = u64::from(self.dice.below(3)),
            _ => {}
        }
        Some(match (of, field, self.kind) {
            ("vm_bind_op", "op", kind) | ("sync", "type", kind) => kind,
            ("vm_bind_op", "handle", MAP | UNMAP_ALL) => return None,
            ("vm_bind_op", "offset", MAP) => self.page(4),
            // Not more than the memory has behind it: jobs write there, too.
            ("vm_bind_op", "offset", USERPTR) => self.arena.place(0) + self.page(4),
            ("vm_bind_op", "size", USERPTR) => 4096 + self.page(4),
            ("vm_bind_op", "region", PREFETCH) => u64::from(self.dice.below(3)),
            ("vm_bind_op", "addr" | "size", UNMAP_ALL) => 0,
            ("vm_bind_op", "addr" | "size", _) => return None,
            ("sync", "address", USER_FENCE) => self.arena.place(self.dice.roll()),
            ("sync", "value", USER_FENCE) => self.dice.roll().into(),
            ("sync", "handle", SYNCOBJ | TIMELINE) => return None,
            ("sync", "value", TIMELINE) => self.point(),
            ("vm_bind_op" | "sync", _, _) => 0,
            ("cs", "engine", _) => u64::from(self.dice.below(3)),
            ("cs" | "vm_bind" | "cs_ib", "flags", _) => 0,
            ("cs_bo", "flags", _) => u64::from(self.dice.below(4)),
            _ => return None,
        })
    }

    /// A value for a field of a structure.
    fn value(&mut self, of: &str, field: &str) -> u64 {
        if self.dice.below(60) == 0 {
            return self.extreme();
        }
        let objects = &self.objects;
        match field {
            "pad" | "extensions" => 0,
            "handle" if of == "sync" => pick(&mut self.dice, &objects.syncobjs),
            "handle" => pick(&mut self.dice, &objects.handles),
            // Private BOs and open queues are the exception.
            "vm_id" if of == "gem_create" && self.dice.below(3) != 0 => 0,
            "vm_id" => pick(&mut self.dice, &objects.vms),
            "ctx_id" => pick(&mut self.dice, &objects.contexts),
            "queue_id" if self.dice.below(2) == 0 => 0,
            "queue_id" => pick(&mut self.dice, &objects.queues),
            "data" => self.arena.place(self.dice.roll()),
            "address" if self.dice.below(2) == 0 => 0,
            "address" => self.arena.place(self.dice.roll()),
            // Few, so that calls meet.
            "addr" => 0x10_0000 * u64::from(self.dice.below(6)) + self.page(4),
            "offset" => self.page(4),
            "size" if of == "query" => u64::from(self.dice.below(200)),
            "size" => 4096 + self.page(64),
            "dwords" => u64::from(self.dice.below(64)),
            "engine" => u64::from(self.dice.below(4)),
            "alignment" => 4096 * u64::from(self.dice.below(3)),
            // In the past, mostly: a thread that waits makes no calls.
            "timeout_ns" => u64::from(self.dice.below(2)),
            "value" => u64::from(self.dice.below(5)),
            "flags" if self.dice.below(3) != 0 => 0,
            "placement" | "preferred" => u64::from(self.dice.below(16)),
            _ => self.constant(),
        }
    }

    /// So many pages at most, in bytes.
    fn page(&mut self, most: u32) -> u64 {
        4096 * u64::from(self.dice.below(most))
    }

    /// A point of a timeline: one of the first, so that calls meet, or one of those beyond which there
    /// are few.
    pub(super) fn point(&mut self) -> u64 {
        const FAR: [u64; 4] = [1, u64::MAX - 1, u64::MAX, 1 << 63];
        match self.dice.below(10) {
            0 => FAR[self.dice.below(FAR.len() as u32) as usize],
            _ => self.dice.below(5).into(),
        }
    }

    fn constant(&mut self) -> u64 {
        let constants = &self.grammar.constants;
        match self.dice.below(3) {
            0 => u64::from(self.dice.below(4)),
            _ => constants[self.dice.below(constants.len() as u32) as usize],
        }
    }

    /// A number at an end of some range.
    fn extreme(&mut self) -> u64 {
        let bit = 1 << self.dice.below(64);
        match self.dice.below(5) {
            0 => u64::MAX,
            1 => bit,
            2 => bit - 1,
            3 => i64::MAX as u64,
            _ => u64::from(self.dice.roll()),
        }
    }

    /// An address at which the process has no memory.
    fn wild(&mut self) -> u64 {
        match self.dice.below(4) {
            0 => 0,
            1 => 8 * u64::from(self.dice.below(512)),
            2 => 0xffff_8880_0000_0000 + 8 * u64::from(self.dice.roll()),
            _ => u64::MAX - u64::from(self.dice.below(64)),
        }
    }
}

/// A field of a structure after its call.
fn result(grammar: &Grammar, arena: Arena, structure: usize, at: u64, name: &str) -> Option<u64> {
    let mut fields = grammar.structs[structure].fields.iter();
    let field = fields.find(|field| field.name == name)?;
    Some(arena.read(at + field.at as u64, field.size))
}

/// Remembers an object, in the place of the oldest one if there are many.
pub(super) fn push<T>(objects: &mut Vec<T>, object: T) {
    if objects.len() == MOST {
        objects.remove(0);
    }
    objects.push(object);
}

/// One of some objects, which need not be any more.
pub(super) fn pick(dice: &mut Choices, objects: &[u32]) -> u64 {
    match objects.len() as u32 {
        0 => u64::from(dice.below(3)),
        count => u64::from(objects[dice.below(count) as usize]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, Caller, Choices, Grammar, Lengths, Objects};

    #[test]
    fn all_that_calls_are_given_is_in_the_arena() {
        let grammar = Grammar::new().unwrap();
        let mut caller = Caller {
            grammar: &grammar,
            arena: Arena::new().unwrap(),
            dice: Choices::new(1),
            // No file: all calls fail.
            fd: -1,
            objects: Objects::default(),
            lengths: Lengths {
                ops: 4096,
                ibs: 64,
                bos: 4096,
                syncs: 1024,
            },
            kind: 0,
            successes: vec![0; grammar.calls.len()],
        };
        for _ in 0..5000 {
            caller.dice.begin(vec![]);
            caller.call();
        }
        assert!(caller.successes.iter().all(|count| *count == 0));
    }
}
