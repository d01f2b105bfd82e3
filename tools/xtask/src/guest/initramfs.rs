// SPDX-License-Identifier: GPL-2.0

//! The guest's whole file system: busybox, modules, programs, an init.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc;

use super::modules;
use super::rundir::RunDir;
use crate::kernel::Kernel;
use crate::module;

/// The archive, in the folder of the run.
pub(super) const FILE: &str = "initramfs.cpio";

const BUSYBOX: &str = "/bin/busybox";
const DIR: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const PLAIN: u32 = 0o100_644;
/// Folders that have to be there before anything is mounted.
const DIRS: [&str; 16] = [
    "bin",
    "dev",
    "etc",
    "lib",
    "lib/x86_64-linux-gnu",
    "lib64",
    "mnt",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/sbin",
];
/// Scripts that suites run besides the programs.
const SCRIPTS: [(&str, &[u8]); 2] = [
    ("bin/leak-scan", include_bytes!("../../../guest/leak-scan")),
    (
        "bin/reload-test",
        include_bytes!("../../../guest/reload-test"),
    ),
];
/// gputop, which shows the clients of any DRM driver, and what makes a file system of an ext4, with
/// all that they need.
const TOOLS: [&str; 10] = [
    "etc/mke2fs.conf",
    "lib/x86_64-linux-gnu/libblkid.so.1",
    "lib/x86_64-linux-gnu/libc.so.6",
    "lib/x86_64-linux-gnu/libcom_err.so.2",
    "lib/x86_64-linux-gnu/libe2p.so.2",
    "lib/x86_64-linux-gnu/libext2fs.so.2",
    "lib/x86_64-linux-gnu/libuuid.so.1",
    "lib64/ld-linux-x86-64.so.2",
    "usr/bin/gputop",
    "usr/sbin/mke2fs",
];

/// Writes the archive. The same inputs make the same bytes; it is not packed,
/// as unpacking takes a guest longer than loading.
pub(super) fn write(kernel: &Kernel, run: &RunDir) -> Result<()> {
    let root = run.path().join("root");
    modules::stage(kernel, &run.path().join(module::FILE), &root)?;
    let mut archive = Archive {
        out: BufWriter::new(File::create(run.path().join(FILE))?),
        inode: 0,
    };
    for dir in DIRS {
        archive.add(dir, DIR, b"")?;
    }
    archive.add("init", PROGRAM, include_bytes!("../../../guest/init"))?;
    archive.add(
        "etc/profile",
        PLAIN,
        include_bytes!("../../../guest/profile"),
    )?;
    archive.add(
        "etc/kernel-leaks",
        PLAIN,
        include_bytes!("../../../kernel/leaks"),
    )?;
    archive.busybox()?;
    for (name, script) in SCRIPTS {
        archive.add(name, PROGRAM, script)?;
    }
    for tool in TOOLS {
        let path = Path::new("/").join(tool);
        let content = fs::read(&path);
        let content = content.with_context(|| format!("cannot read {}", path.display()))?;
        archive.add(tool, PROGRAM, &content)?;
    }
    archive.tree(&run.path().join("bin"), "bin", PROGRAM)?;
    archive.tree(&root.join("lib"), "lib", PLAIN)?;
    newc::trailer(archive.out)?.flush()?;
    fs::remove_dir_all(&root)?;
    Ok(())
}

/// Writes an archive of an init, in the language of busybox's shell, and what it needs.
pub(super) fn write_init(out: impl Write, init: &[u8]) -> Result<()> {
    let mut archive = Archive { out, inode: 0 };
    for dir in ["bin", "dev"] {
        archive.add(dir, DIR, b"")?;
    }
    archive.busybox()?;
    archive.add("init", PROGRAM, init)?;
    newc::trailer(archive.out)?.flush()?;
    Ok(())
}

struct Archive<W> {
    out: W,
    inode: u32,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = content
            .len()
            .try_into()
            .with_context(|| format!("{name} is too large"))?;
        let mut file = newc::Builder::new(name)
            .ino(self.inode)
            .mode(mode)
            .nlink(1)
            .write(&mut self.out, size);
        file.write_all(content)?;
        file.finish()?;
        Ok(())
    }

    fn busybox(&mut self) -> Result<()> {
        let busybox = fs::read(BUSYBOX).with_context(|| format!("cannot read {BUSYBOX}"))?;
        self.add("bin/busybox", PROGRAM, &busybox)
    }

    /// Adds what is in the folder `from`, in the order of names.
    fn tree(&mut self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let mut paths = fs::read_dir(from)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            let name = format!("{to}/{}", path.file_name().unwrap_or_default().display());
            if path.is_dir() {
                self.add(&name, DIR, b"")?;
                self.tree(&path, &name, mode)?;
            } else {
                self.add(&name, mode, &fs::read(&path)?)?;
            }
        }
        Ok(())
    }
}
