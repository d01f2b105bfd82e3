// SPDX-License-Identifier: MIT

//! The text about one GPU.

use std::fmt::Write;

use rgt::{Device, DeviceInfo, Region};

/// Describes a device in aligned lines.
pub(crate) fn of(device: &Device) -> anyhow::Result<String> {
    let driver = device.driver()?;
    let info = device.info();
    let (major, minor, patch) = driver.version;
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "{name:<14}{value}");

    line("node", device.path().display().to_string())?;
    line(
        "driver",
        format!(
            "{} {major}.{minor}.{patch} ({})",
            driver.name().display(),
            driver.description().display()
        ),
    )?;
    line("PCI ID", format!("{:04x}:{:04x}", info.vendor, info.device))?;
    line(
        "revision",
        format!("{}.{}", info.revision.0, info.revision.1),
    )?;
    line("resets", device.reset_count()?.to_string())?;
    limits(info, &mut line)?;

    writeln!(text)?;
    regions(&mut text, &device.regions()?)?;
    writeln!(text)?;
    writeln!(text, "engine  class")?;
    for engine in device.engines() {
        writeln!(text, "{:<8}{}", engine.id, engine.class)?;
    }
    Ok(text)
}

fn limits(
    info: &DeviceInfo,
    line: &mut impl FnMut(&str, String) -> std::fmt::Result,
) -> std::fmt::Result {
    line(
        "GPU addresses",
        format!("{:#x} to {:#x}", info.va.start, info.va.end.wrapping_sub(1)),
    )?;
    line("page size", human(info.page_size.into()))?;
    line(
        "most VMs",
        match info.max_vms {
            0 => "no limit".to_owned(),
            max => max.to_string(),
        },
    )?;
    line("largest IB", format!("{} dwords", info.max_ib_dwords))?;
    line("most IBs", format!("{} in a job", info.max_ibs))?;
    line(
        "atomics",
        match (info.atomics, info.system_atomics) {
            (false, _) => "none",
            (true, false) => "in VRAM and scratchpad",
            (true, true) => "everywhere",
        }
        .to_owned(),
    )
}

fn regions(text: &mut String, regions: &[Region]) -> std::fmt::Result {
    writeln!(
        text,
        "{:<12}{:>12}{:>12}{:>12}{:>14}{:>12}",
        "region", "size", "used", "visible", "visible used", "page size"
    )?;
    for region in regions {
        let bounded = |bytes| {
            if region.size == 0 {
                "-".into()
            } else {
                human(bytes)
            }
        };
        writeln!(
            text,
            "{:<12}{:>12}{:>12}{:>12}{:>14}{:>12}",
            region.kind,
            bounded(region.size),
            human(region.used),
            bounded(region.cpu_visible_size),
            bounded(region.cpu_visible_used),
            human(region.min_page_size.into()),
        )?;
    }
    Ok(())
}

/// Bytes in the largest unit that leaves a number of at least 1.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let unit = ((bytes.ilog2() / 10) as usize).min(UNITS.len());
    let value = bytes as f64 / (1u64 << (unit * 10)) as f64;
    let decimals = if value.fract() == 0.0 { 0 } else { 1 };
    format!("{value:.decimals$} {}", UNITS[unit - 1])
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_are_short_and_exact_where_they_can_be() {
        assert_eq!(human(0), "0 B");
        assert_eq!(human(4096), "4 KiB");
        assert_eq!(human(256 << 20), "256 MiB");
        assert_eq!(human(1536 << 20), "1.5 GiB");
        assert_eq!(human(u64::MAX), "16384.0 PiB".replace(".0", ""));
    }
}
