// SPDX-License-Identifier: GPL-2.0

//! Programs that nobody here wrote, out of the toolchain root, with the libraries that they load.
//!
//! They are in the share of each boot, and not in its file system, which is memory.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Their folder, in that of the run and in the share.
pub(super) const FOLDER: &str = "others";

/// The library that is in the guest's file system.
const COMMON: &str = "/libc.so.6";

const PROGRAMS: [&str; 2] = ["/usr/bin/stress-ng", "/usr/bin/trinity"];

/// Puts them into the folder of a run.
pub(crate) fn stage(run: &Path) -> Result<()> {
    let folder = run.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for program in PROGRAMS {
        let program = Path::new(program);
        take(program, &folder)?;
        for library in libraries(program)? {
            take(Path::new(&library), &folder)?;
        }
    }
    Ok(())
}

/// The libraries that a program loads, as the loader has it, but for the one that every guest has.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output().context("ldd")?;
    ensure!(
        output.status.success(),
        "ldd {}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let path = |line: &str| Some(line.split_once("=> ")?.1.split(' ').next()?.to_owned());
    let paths = text.lines().filter_map(path);
    Ok(paths.filter(|path| !path.ends_with(COMMON)).collect())
}

fn take(from: &Path, folder: &Path) -> Result<()> {
    let name = from.file_name().context("a file's name")?;
    fs::copy(from, folder.join(name))
        .map(drop)
        .with_context(|| format!("cannot copy {}", from.display()))
}

/// Puts what a run has of them into the share of a boot.
pub(super) fn share(run: &Path, share: &Path) -> Result<()> {
    let from = run.join(FOLDER);
    if !from.exists() {
        return Ok(());
    }
    let to = share.join(FOLDER);
    fs::create_dir(&to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::hard_link(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FOLDER, share, stage};

    #[test]
    fn a_program_comes_with_its_libraries() {
        let run = tempfile::tempdir().unwrap();
        let boot = run.path().join("share");
        std::fs::create_dir(&boot).unwrap();
        share(run.path(), &boot).unwrap();
        assert!(!boot.join(FOLDER).exists());
        stage(run.path()).unwrap();
        share(run.path(), &boot).unwrap();
        for name in ["stress-ng", "trinity", "libJudy.so.1"] {
            assert!(boot.join(FOLDER).join(name).is_file(), "{name}");
        }
    }
}
