// SPDX-License-Identifier: GPL-2.0

//! Makes the files that are committed although they follow from others: the C headers and the
//! tables of the device's numbers, the list of the uAPI's layouts and its constants for syzkaller, the
//! table of the driver's layers, and the manual page of the device process.
//!
//! `make generate` writes them. A test sees to it that what is committed is what would be written.

mod architecture;
mod fuzz;
mod header;
mod layout;
mod man;
mod manual;
mod numbers;
mod parts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use self::numbers::Numbers;

/// The sources of the numbers.
const NUMBERS: &str = "hw/abi/src";
/// The C header, in the package of the numbers.
const HEADER: &str = "hw/abi/include/softgpu.h";
/// The packets among them, for the driver's users.
const PACKETS: &str = "include/uapi/drm/rust_gpu_ttm_packet.h";
/// The driver's uAPI, which is not made here.
const UAPI: &str = "include/uapi/drm/rust_gpu_ttm_drm.h";
/// Its sizes, offsets and numbers.
const LAYOUT: &str = "tests/uapi/layout.txt";
/// Its descriptions for syzkaller, which are not made here.
const DESCRIPTIONS: &str = "tests/fuzz/rust_gpu_ttm.txt";
/// Their constants.
const CONSTANTS: &str = "tests/fuzz/rust_gpu_ttm.txt.const";
/// The programmer's manual, of which a part is made here.
const MANUAL: &str = "docs/hardware.md";
/// The page on the driver's architecture, of which a part is made here.
const ARCHITECTURE: &str = "docs/architecture.md";
/// The manual page, in the package of the device process.
const MAN: &str = "softgpu/softgpu.1";

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(root: &Path, name: &str) -> Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
}

/// The files by their names in the checkout, and what they are to hold.
fn files(root: &Path) -> Result<[(&'static str, String); 7]> {
    let numbers = Numbers::read(&root.join(NUMBERS))?;
    Ok([
        (HEADER, header::text(&numbers)?),
        (PACKETS, header::packets(&numbers)?),
        (LAYOUT, layout::list(root)?),
        (CONSTANTS, fuzz::constants(root)?),
        (MANUAL, manual::with_tables(&read(root, MANUAL)?, &numbers)?),
        (
            ARCHITECTURE,
            architecture::with_table(&read(root, ARCHITECTURE)?)?,
        ),
        (MAN, man::page()?),
    ])
}

/// The places where the manual's figures are not the crate's.
fn wrong_figures(root: &Path) -> Result<Vec<String>> {
    let numbers = Numbers::read(&root.join(NUMBERS))?;
    Ok(manual::wrong_figures(&read(root, MANUAL)?, &numbers))
}

fn main() -> Result<()> {
    let root = root();
    for (name, text) in files(&root)? {
        // An unchanged file keeps its time, so that nothing is built for it.
        if read(&root, name).ok().as_ref() != Some(&text) {
            fs::write(root.join(name), text).with_context(|| format!("cannot write {name}"))?;
            println!("{name}");
        }
    }
    let wrong = wrong_figures(&root)?;
    ensure!(wrong.is_empty(), "{MANUAL}: {}", wrong.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_would_be_generated() {
        let root = root();
        for (name, text) in files(&root).unwrap() {
            let committed = read(&root, name).unwrap_or_default();
            assert!(
                committed == text,
                "{name} is out of date: run `make generate`"
            );
        }
    }

    #[test]
    fn figures_of_the_manual_are_those_of_the_device() {
        assert_eq!(wrong_figures(&root()).unwrap(), Vec::<String>::new());
    }
}
