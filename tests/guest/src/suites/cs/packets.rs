// SPDX-License-Identifier: GPL-2.0

//! Jobs that do what they should.

use anyhow::Result;
use rgt::packet::{Rect, Surface};
use rgt::{Engine, checksum};

use crate::expect::{each, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, PAGE, Rig, SHARED, noise};

pub(super) const TESTS: &[Test] = tests![
    copy,
    copy_of_any_alignment,
    fill,
    write,
    checksum_of_noise,
    rect_fill,
    through_hidden_vram,
    across_pages_of_every_region,
    several_buffers_in_order,
    most_buffers,
    a_full_buffer,
];

/// Runs a test on an engine of each class.
fn on_each(check: impl Fn(&Rig, Engine) -> Outcome) -> Outcome {
    let rig = Rig::new()?;
    each(
        [("copy engine", rig.copy), ("render engine", rig.render)],
        |engine| check(&rig, engine),
    )
}

fn copy() -> Outcome {
    on_each(|rig, engine| {
        let (source, target) = (rig.gtt(64 * PAGE)?, rig.vram(64 * PAGE)?);
        let data = noise(1, 64 * 1024);
        source.map()?.write_slice(0, &data);
        let mut work = rig.work(engine)?;
        let (from, to) = (work.reads(&source)?, work.writes(&target)?);
        work.commands.copy(from, to, 64 * PAGE)?;
        work.run()?;
        same(
            "sum",
            target.map()?.checksum(0..(64 * PAGE) as usize),
            checksum::of_dwords(&data),
        )
    })
}

/// The bytes of dwords.
fn bytes(dwords: &[u32]) -> Vec<u8> {
    dwords
        .iter()
        .flat_map(|dword| dword.to_le_bytes())
        .collect()
}

fn copy_of_any_alignment() -> Outcome {
    const SIZE: usize = 4 * PAGE as usize;
    on_each(|rig, engine| {
        let (source, target) = (rig.gtt(SIZE as u64)?, rig.gtt(SIZE as u64)?);
        let data = noise(2, SIZE / 4);
        source.map()?.write_slice(0, &data);
        let cases = [
            (0, 1, 1),
            (1, 0, 3),
            (3, 2, 4095),
            (4095, 1, 2),
            (7, 4097, 8191),
        ];
        for (from_offset, to_offset, len) in cases {
            target.map()?.fill(0..SIZE, 0);
            let mut work = rig.work(engine)?;
            let (from, to) = (work.reads(&source)?, work.writes(&target)?);
            work.commands
                .copy(from + from_offset, to + to_offset, len)?;
            work.run()?;
            let mut expected = vec![0; SIZE];
            let (start, len) = (to_offset as usize, len as usize);
            expected[start..start + len]
                .copy_from_slice(&bytes(&data)[from_offset as usize..][..len]);
            let mut got = vec![0; SIZE / 4];
            target.map()?.read_slice(0, &mut got);
            let wrong = bytes(&got)
                .iter()
                .zip(&expected)
                .position(|(got, byte)| got != byte);
            same("first wrong byte", wrong, None)?;
        }
        Ok(())
    })
}

fn fill() -> Outcome {
    on_each(|rig, engine| {
        let target = rig.gtt(4 * PAGE)?;
        let mut work = rig.work(engine)?;
        let to = work.writes(&target)?;
        work.commands
            .fill(to + 8, 2 * PAGE, 0x1111_1111)?
            .fill(to + 12, 4, 0x2222_2222)?;
        work.run()?;
        let map = target.map()?;
        let words = [
            4,
            8,
            12,
            16,
            8 + 2 * PAGE as usize - 4,
            8 + 2 * PAGE as usize,
        ];
        let got = words.map(|offset| map.read(offset));
        same(
            "words",
            got,
            [0, 0x1111_1111, 0x2222_2222, 0x1111_1111, 0x1111_1111, 0],
        )
    })
}

fn write() -> Outcome {
    on_each(|rig, engine| {
        let target = rig.gtt(2 * PAGE)?;
        let data = noise(3, 1024);
        let mut work = rig.work_of(engine, 2048)?;
        let to = work.writes(&target)?;
        work.commands.write(to + 2048, &data)?.write(to, &[7])?;
        work.run()?;
        let map = target.map()?;
        same("one dword", (map.read(0), map.read(4)), (7, 0))?;
        same(
            "many dwords",
            map.checksum(2048..2048 + 4096),
            checksum::of_dwords(&data),
        )
    })
}

fn checksum_of_noise() -> Outcome {
    on_each(|rig, engine| {
        let (source, result) = (rig.gtt(16 * PAGE)?, rig.gtt(PAGE)?);
        let data = noise(4, 16 * 1024);
        source.map()?.write_slice(0, &data);
        let ranges = [(0, 16 * 1024), (0, 1), (1, 1023), (1023, 2), (5, 0)];
        let mut work = rig.work(engine)?;
        let (from, to) = (work.reads(&source)?, work.writes(&result)?);
        result.map()?.fill(0..64, u32::MAX);
        for (index, (start, count)) in (0..).zip(ranges) {
            work.commands
                .checksum(from + start * 4, count * 4, to + index * 8)?;
        }
        work.run()?;
        for (index, (start, count)) in ranges.into_iter().enumerate() {
            let expected = checksum::of_dwords(&data[start as usize..][..count as usize]);
            same("sum", result.map()?.read_u64(index * 8), expected)?;
        }
        Ok(())
    })
}

fn rect_fill() -> Outcome {
    let rig = Rig::new()?;
    let surface = rig.vram(8 * PAGE)?;
    let pitch = 256;
    let mut work = rig.work(rig.render)?;
    let to = work.writes(&surface)?;
    let rect = Rect {
        x: 5,
        y: 3,
        width: 20,
        height: 40,
        pixel: 0x00ff_8000,
    };
    let dot = Rect {
        x: 6,
        y: 4,
        width: 1,
        height: 1,
        pixel: 1,
    };
    work.commands.rect_fill(Surface { addr: to, pitch }, rect)?;
    work.commands.rect_fill(Surface { addr: to, pitch }, dot)?;
    work.run()?;
    let map = surface.map()?;
    for y in 0..64 {
        for x in 0..64 {
            let inside = (5..25).contains(&x) && (3..43).contains(&y);
            let expected = match (x, y) {
                (6, 4) => 1,
                _ if inside => 0x00ff_8000,
                _ => 0,
            };
            same(
                "pixel",
                (x, y, map.read((y * 256 + x * 4) as usize)),
                (x, y, expected),
            )?;
        }
    }
    Ok(())
}

fn through_hidden_vram() -> Outcome {
    on_each(|rig, engine| {
        let size = 256 * PAGE;
        let (up, hidden, down) = (rig.gtt(size)?, rig.bo(size, HIDDEN)?, rig.gtt(size)?);
        let data = noise(5, size as usize / 4);
        up.map()?.write_slice(0, &data);
        for (source, target) in [(&up, &hidden), (&hidden, &down)] {
            let mut work = rig.work(engine)?;
            let (from, to) = (work.reads(source)?, work.writes(target)?);
            work.commands.copy(from, to, size)?;
            work.run()?;
        }
        same(
            "sum",
            down.map()?.checksum(0..size as usize),
            checksum::of_dwords(&data),
        )
    })
}

fn across_pages_of_every_region() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |from| {
        each(SHARED, |to| -> Outcome {
            let (source, target) = (rig.bo(32 * PAGE, from)?, rig.bo(32 * PAGE, to)?);
            let data = noise(source.handle() * 64 + target.handle(), 32 * 1024);
            source.map()?.write_slice(0, &data);
            rig.copy(&source, &target)?;
            let sum = target.map()?.checksum(0..(32 * PAGE) as usize);
            same("sum", sum, checksum::of_dwords(&data))
        })
    })
}

fn several_buffers_in_order() -> Outcome {
    on_each(|rig, engine| {
        let (one, other, result) = (rig.gtt(PAGE)?, rig.vram(PAGE)?, rig.gtt(PAGE)?);
        let mut work = rig.work(engine)?;
        let (a, b) = (work.writes(&one)?, work.writes(&other)?);
        let sum = work.writes(&result)?;
        work.commands.fill(a, PAGE, 6)?;
        work.cut();
        work.commands.copy(a, b, PAGE)?;
        work.cut();
        work.commands.fill(a, PAGE, 7)?;
        work.cut();
        work.commands.checksum(b, PAGE, sum)?;
        work.run()?;
        same(
            "sum",
            result.map()?.read_u64(0),
            checksum::of_fill(6, PAGE / 4),
        )?;
        same("the first BO", one.map()?.read(0), 7)
    })
}

fn most_buffers() -> Outcome {
    let rig = Rig::new()?;
    let count = rig.device.info().max_ibs.min(1024);
    let target = rig.gtt(PAGE)?;
    let mut work = rig.work_of(rig.copy, count as usize * 4)?;
    let to = work.writes(&target)?;
    for index in 1..=count {
        work.commands
            .write(to + u64::from(index % 8) * 4, &[index])?;
        if index < count {
            work.cut();
        }
    }
    work.run()?;
    let map = target.map()?;
    let last = |slot: u32| {
        (1..=count)
            .rev()
            .find(|index| index % 8 == slot)
            .unwrap_or(0)
    };
    for slot in 0..8 {
        same("slot", map.read(slot as usize * 4), last(slot))?;
    }
    Ok(())
}

fn a_full_buffer() -> Outcome {
    let rig = Rig::new()?;
    let dwords = rig.device.info().max_ib_dwords as usize;
    let target = rig.gtt(PAGE)?;
    let mut work = rig.work_of(rig.copy, dwords)?;
    let to = work.writes(&target)?;
    let nops = dwords - 4;
    let padding = |count: usize| -> Result<Vec<u32>> {
        let mut packet = vec![0; count];
        packet[0] = rgt::packet::nop(u32::try_from(count)?);
        Ok(packet)
    };
    for start in (0..nops).step_by(0x8000) {
        work.commands.raw(&padding((nops - start).min(0x8000))?)?;
    }
    work.commands.write(to, &[0xf111])?;
    work.run()?;
    same("what its last packet wrote", target.map()?.read(0), 0xf111)
}
