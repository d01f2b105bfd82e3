// SPDX-License-Identifier: GPL-2.0

//! Memory through mappings.

use std::thread;

use rustix::mm::{MprotectFlags, mprotect};

use super::{MAPPABLE, STEP};
use crate::expect::{each, same};
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{MIB, PAGE, Rig, SHARED, noise};

pub(super) const TESTS: &[Test] = tests![
    every_page_in_each_region,
    the_gpu_sees_what_the_cpu_writes,
    the_cpu_sees_what_the_gpu_writes,
    two_mappings_are_coherent,
    parts_with_rights_of_their_own,
    survives_close,
    fork,
    threads_fault_together
];

fn every_page_in_each_region() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(MIB, make)?;
        let data = noise(bo.handle(), MIB as usize / 4);
        let map = bo.map()?;
        map.write_slice(0, &data);
        drop(map);
        let map = bo.map()?;
        let mut read = vec![0; data.len()];
        map.read_slice(0, &mut read);
        let wrong = read
            .iter()
            .zip(&data)
            .position(|(got, expected)| got != expected);
        same("first wrong dword", wrong, None)
    })
}

fn the_gpu_sees_what_the_cpu_writes() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(256 << 10, make)?;
        let data = noise(17, bo.size() as usize / 4);
        let map = bo.map()?;
        map.write_slice(0, &data);
        same("sum", rig.checksum(&bo)?, rgt::checksum::of_dwords(&data))?;
        map.write(STEP, !data[STEP / 4]);
        let sum = map.checksum(0..map.len());
        same(
            "sum after a change through the same mapping",
            rig.checksum(&bo)?,
            sum,
        )
    })
}

fn the_cpu_sees_what_the_gpu_writes() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(256 << 10, make)?;
        let map = bo.map()?;
        for pattern in [0xdead_beef, 0x1234_5678] {
            map.write(0, 0);
            rig.fill(&bo, pattern)?;
            let wrong = (0..map.len())
                .step_by(256)
                .find(|offset| map.read(*offset) != pattern);
            same("offset of the first wrong dword", wrong, None)?;
        }
        Ok(())
    })
}

fn two_mappings_are_coherent() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(4 * PAGE, make)?;
        let (one, other) = (bo.map()?, bo.map()?);
        for round in 1..100 {
            let at = round as usize * 652 % one.len() / 4 * 4;
            one.write(at, round);
            same("what the other one reads", other.read(at), round)?;
            other.write(at, !round);
            same("what the one reads", one.read(at), !round)?;
        }
        Ok(())
    })
}

/// A mapping in three pieces, of which two begin within the BO.
fn parts_with_rights_of_their_own() -> Outcome {
    const PAGES: usize = 16;
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(PAGES as u64 * PAGE, make)?;
        let all = bo.map()?;
        for page in 0..PAGES {
            all.write(page * STEP, page as u32 + 1);
        }
        let map = bo.map()?;
        let part = map.as_ptr().wrapping_add(5 * STEP);
        // SAFETY: The part is in the mapping, and is only read from here on.
        unsafe { mprotect(part.cast(), 6 * STEP, MprotectFlags::READ) }?;
        for page in (0..PAGES).rev() {
            same("page", map.read(page * STEP), page as u32 + 1)?;
        }
        Ok(())
    })
}

fn survives_close() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(8 * PAGE, make)?;
        let (touched, untouched) = (bo.map()?, bo.map()?);
        touched.fill(0..touched.len(), 0x5555_aaaa);
        drop(bo);
        // The next BO must not get the memory.
        let next = rig.bo(8 * PAGE, make)?;
        next.map()?.fill(0..8 * STEP, 1);
        for map in [&touched, &untouched] {
            let wrong = (0..map.len())
                .step_by(STEP)
                .find(|at| map.read(*at) != 0x5555_aaaa);
            same("offset of the first wrong page", wrong, None)?;
        }
        touched.write(0, 7);
        same("after a write", untouched.read(0), 7)
    })
}

fn fork() -> Outcome {
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(2 * PAGE, make)?;
        let map = bo.map()?;
        map.write(0, 0x600d);
        let end = in_child(|| {
            let seen = map.read(0) == 0x600d && map.read(STEP) == 0;
            map.write(4, 0xc41d);
            map.write(STEP, 0xc41e);
            u8::from(!seen)
        })?;
        same("how the child ended", end, End::Exit(0))?;
        same(
            "what the child wrote",
            (map.read(4), map.read(STEP)),
            (0xc41d, 0xc41e),
        )
    })
}

fn threads_fault_together() -> Outcome {
    const THREADS: usize = 4;
    let rig = Rig::new()?;
    each(MAPPABLE, |make| {
        let bo = rig.bo(64 * PAGE, make)?;
        let map = &bo.map()?;
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for page in 0..64 {
                        map.write(
                            page * STEP + thread * 4,
                            (page * THREADS + thread + 1) as u32,
                        );
                    }
                });
            }
        });
        for page in 0..64 {
            for thread in 0..THREADS {
                let expected = (page * THREADS + thread + 1) as u32;
                same(
                    "a thread's word",
                    map.read(page * STEP + thread * 4),
                    expected,
                )?;
            }
        }
        Ok(())
    })
}
