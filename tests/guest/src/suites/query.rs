// SPDX-License-Identifier: GPL-2.0

//! QUERY.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::ioctl;
use rgt::uapi::{self, drm_rgt_query, drm_rgt_query_device};
use rgt::{Device, EngineClass, Placement, RegionKind, abi};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::arguments::{KERNEL, Row, refused_by};
use crate::expect::{call, fails, same};
use crate::harness::{Outcome, Suite, tests};
use crate::rig::{MIB, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "query",
    needs: &[],
    tags: &[],
    tests: &[tests![
        device,
        regions,
        engines,
        size_zero_tells_the_size,
        short_buffer_gets_the_beginning,
        long_buffer_keeps_its_rest,
        list_head_alone,
        bad_arguments,
        bad_pointers,
        used_follows_the_backing,
        timestamps,
        clocks,
    ]],
};

const QUERIES: [u32; 3] = [
    uapi::DRM_RGT_QUERY_DEVICE,
    uapi::DRM_RGT_QUERY_REGIONS,
    uapi::DRM_RGT_QUERY_ENGINES,
];

fn device() -> Outcome {
    let device = Device::open()?;
    let info = device.info();
    same(
        "PCI ID",
        (info.vendor, info.device),
        (abi::pci::VENDOR, abi::pci::DEVICE),
    )?;
    same(
        "major revision",
        u32::from(info.revision.0),
        abi::regs::REVISION_MAJOR,
    )?;
    same(
        "page size",
        u64::from(info.page_size),
        abi::limits::PAGE_SIZE,
    )?;
    ensure!(info.va.start < info.va.end, "no addresses: {:?}", info.va);
    ensure!(
        info.va.end <= 1 << abi::limits::VA_BITS,
        "too many addresses: {:?}",
        info.va
    );
    ensure!(info.va.start.is_multiple_of(4096) && info.va.end.is_multiple_of(4096));
    same("most VMs", info.max_vms, 0)?;
    ensure!((1..=abi::limits::IB_MAX_DWORDS).contains(&info.max_ib_dwords));
    ensure!(info.max_ibs >= 1);
    Ok(())
}

fn regions() -> Outcome {
    let regions = Device::open()?.regions()?;
    for kind in [RegionKind::System, RegionKind::Gtt, RegionKind::Vram] {
        same(
            "entries of a region",
            regions.iter().filter(|r| r.kind == kind).count(),
            1,
        )?;
    }
    for region in regions {
        ensure!(region.min_page_size.is_power_of_two() && region.min_page_size >= 4096);
        ensure!(region.cpu_visible_size <= region.size, "{region:?}");
        ensure!(region.cpu_visible_used <= region.used, "{region:?}");
        if region.kind == RegionKind::Vram {
            ensure!(region.size > 0 && region.cpu_visible_size > 0, "{region:?}");
            ensure!(region.used <= region.size, "{region:?}");
            ensure!(
                region.cpu_visible_used <= region.cpu_visible_size,
                "{region:?}"
            );
        }
    }
    Ok(())
}

fn engines() -> Outcome {
    let device = Device::open()?;
    for class in [EngineClass::Render, EngineClass::Copy] {
        ensure!(
            device.engines().iter().any(|engine| engine.class == class),
            "no {class} engine"
        );
    }
    let mut ids: Vec<_> = device.engines().iter().map(|engine| engine.id).collect();
    ids.sort_unstable();
    ids.dedup();
    same(
        "different engine numbers",
        ids.len(),
        device.engines().len(),
    )
}

fn size_zero_tells_the_size() -> Outcome {
    let device = Device::open()?;
    let size = device.query_into(uapi::DRM_RGT_QUERY_DEVICE, &mut [])?;
    same(
        "size of DEVICE",
        size,
        size_of::<drm_rgt_query_device>() as u64,
    )?;
    for query in [uapi::DRM_RGT_QUERY_REGIONS, uapi::DRM_RGT_QUERY_ENGINES] {
        let size = device.query_into(query, &mut [])?;
        let mut list = vec![0; size as usize];
        same("size of a list", device.query_into(query, &mut list)?, size)?;
        let word = |at: usize| u32::from_ne_bytes(list[at..at + 4].try_into().expect("4 bytes"));
        same(
            "size of a list by its head",
            8 + u64::from(word(0)) * u64::from(word(4)),
            size,
        )?;
    }
    Ok(())
}

fn short_buffer_gets_the_beginning() -> Outcome {
    let device = Device::open()?;
    for query in [uapi::DRM_RGT_QUERY_DEVICE, uapi::DRM_RGT_QUERY_ENGINES] {
        let all = device.query_into(query, &mut [])? as usize;
        let ask = || -> Result<Vec<u8>> {
            let mut whole = vec![0; all];
            device.query_into(query, &mut whole)?;
            Ok(whole)
        };
        for len in [1, 4, 7, all - 1] {
            // Until engines, of which the time is told, are idle.
            let (whole, size, data) = loop {
                let (whole, mut data) = (ask()?, vec![0xa5; all]);
                let size = device.query_into(query, &mut data[..len])?;
                if ask()? == whole {
                    break (whole, size, data);
                }
            };
            same("size of the whole answer", size, whole.len() as u64)?;
            same("the beginning", &data[..len], &whole[..len])?;
            ensure!(
                data[len..].iter().all(|byte| *byte == 0xa5),
                "wrote past {len} bytes"
            );
        }
    }
    Ok(())
}

fn long_buffer_keeps_its_rest() -> Outcome {
    let device = Device::open()?;
    for query in QUERIES {
        let mut data = vec![0xa5; 4096];
        let size = device.query_into(query, &mut data)? as usize;
        ensure!(size < data.len() && data[..size].iter().any(|byte| *byte != 0xa5));
        ensure!(
            data[size..].iter().all(|byte| *byte == 0xa5),
            "wrote past the answer"
        );
    }
    Ok(())
}

fn list_head_alone() -> Outcome {
    let device = Device::open()?;
    let mut head = [0; 8];
    device.query_into(uapi::DRM_RGT_QUERY_ENGINES, &mut head)?;
    let count = u32::from_ne_bytes(head[..4].try_into()?);
    same(
        "engines by the head",
        count as usize,
        device.engines().len(),
    )
}

/// Runs a table of a QUERY into a buffer, which a call that fails does not touch, and then again
/// with size 0, which needs no buffer.
fn refuses(query: u32, rows: &[Row<'_, drm_rgt_query>]) -> Outcome {
    const UNTOUCHED: u8 = 0xa5;
    let device = Device::open()?;
    let buffer: Vec<_> = vec![Cell::new(UNTOUCHED); 4096];
    for size in [buffer.len() as u64, 0] {
        let good = drm_rgt_query {
            query,
            size,
            data: buffer.as_ptr() as u64,
            ..Default::default()
        };
        let call = |request: &mut drm_rgt_query| {
            // SAFETY: The buffer is ours to be written. Rows change its address to one of nothing
            // only.
            unsafe { ioctl::call_unchecked(&device, request) }
        };
        let untouched = || {
            let all = buffer.iter().all(|byte| byte.get() == UNTOUCHED);
            ensure!(all, "the buffer was written");
            Ok(())
        };
        refused_by(&device, good, rows, call, untouched)?;
        buffer.iter().for_each(|byte| byte.set(UNTOUCHED));
    }
    Ok(())
}

fn bad_arguments() -> Outcome {
    for query in QUERIES {
        refuses(
            query,
            &[
                ("query 5", &|it| it.query = 5, Errno::INVAL),
                ("query 0x100", &|it| it.query = 0x100, Errno::INVAL),
                ("query -1", &|it| it.query = u32::MAX, Errno::INVAL),
                ("arg", &|it| it.arg = 1, Errno::INVAL),
                ("extensions", &|it| it.extensions = 1, Errno::INVAL),
                (
                    "an unknown context",
                    &|it| (it.query, it.arg) = (uapi::DRM_RGT_QUERY_CTX, 99),
                    Errno::NOENT,
                ),
            ],
        )?;
    }
    Ok(())
}

fn bad_pointers() -> Outcome {
    let device = Device::open()?;
    for query in QUERIES {
        for data in [0, 8, KERNEL, u64::MAX - 3] {
            let mut request = drm_rgt_query {
                query,
                size: 4096,
                data,
                ..Default::default()
            };
            let call = |request: &mut drm_rgt_query| {
                // SAFETY: They are addresses of nothing.
                unsafe { ioctl::call_unchecked(&device, request) }
            };
            let result = call(&mut request);
            let result = result.map_err(|errno| rgt::Error::Os {
                call: "QUERY",
                errno,
            });
            fails("bad address", Errno::FAULT, result)?;
            request.size = 0;
            call(&mut request)?;
        }
    }
    Ok(())
}

/// The GPU's clock and the CPU's run alike.
fn timestamps() -> Outcome {
    const PAUSE: Duration = Duration::from_millis(200);
    let device = Device::open()?;
    let first = device.timestamp()?;
    ensure!(first.frequency >= 1_000_000, "{first:?}");
    std::thread::sleep(PAUSE);
    let second = device.timestamp()?;
    same("frequency", second.frequency, first.frequency)?;
    let cpu = second.cpu - first.cpu;
    let gpu = Duration::from_nanos(
        (u128::from(second.ticks - first.ticks) * 1_000_000_000 / u128::from(first.frequency))
            .try_into()?,
    );
    ensure!(cpu >= PAUSE, "the CPU's clock: {cpu:?}");
    // The guest's clock is not the host's, but near.
    ensure!(
        gpu >= PAUSE / 2 && gpu <= cpu * 3 + first.delta + second.delta,
        "the GPU's clock: {gpu:?} of {cpu:?}"
    );
    Ok(())
}

fn clocks() -> Outcome {
    let device = Device::open()?;
    let ask = |arg| {
        let mut answer = uapi::drm_rgt_query_timestamp::default();
        let mut request = drm_rgt_query {
            query: uapi::DRM_RGT_QUERY_TIMESTAMP,
            arg,
            size: size_of_val(&answer) as u64,
            data: &raw mut answer as u64,
            ..Default::default()
        };
        call(&device, &mut request).map(|()| answer)
    };
    for clock in [ClockId::Realtime, ClockId::Monotonic, ClockId::Boottime] {
        let now = || {
            let now = clock_gettime(clock);
            (now.tv_sec * 1_000_000_000 + now.tv_nsec) as u64
        };
        let before = now();
        let answer = ask(clock as u32)?;
        let after = now();
        ensure!(
            (before..=after).contains(&answer.cpu_ns)
                && answer.cpu_ns + answer.cpu_delta_ns <= after,
            "{clock:?}: {answer:?}, from {before} to {after}"
        );
    }
    for clock in [2, 3, 4, 12, 1 << 31, u32::MAX] {
        same("a clock", ask(clock).err(), Some(Errno::INVAL))?;
    }
    Ok(())
}

fn used_follows_the_backing() -> Outcome {
    const SIZE: u64 = 4 * MIB;
    let rig = Rig::new()?;
    for (kind, placement) in [
        (RegionKind::Vram, Placement::VRAM),
        (RegionKind::Gtt, Placement::GTT),
    ] {
        let used =
            || -> Result<u64> { Ok(rig.device.region(kind)?.map_or(0, |region| region.used)) };
        let before = used()?;
        let bo = rgt::Bo::builder(SIZE)
            .placement(placement)
            .create(&rig.device)?;
        same("used after create", used()?, before)?;
        bo.map()?.write(0, 1);
        ensure!(
            used()? >= before + SIZE,
            "{kind}: used {} before, {} now",
            before,
            used()?
        );
    }
    Ok(())
}
