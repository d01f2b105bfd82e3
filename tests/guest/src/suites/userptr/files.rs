// SPDX-License-Identifier: GPL-2.0

//! Memory of files.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{io, slice};

use anyhow::{Context, Result, ensure};
use rustix::io::Errno;

use super::area::{Area, HUGE, READ_WRITE};
use super::basic::submit;
use crate::expect::{fails, of_library, same};
use crate::harness::{Outcome, Test, skip, tests};
use crate::rig::{PAGE, Rig, noise};

pub(super) const TESTS: &[Test] = tests![
    memfd,
    truncated,
    written_back,
    private_copies,
    direct_io,
    direct_io_beside_a_job,
    direct_access,
];

const LEN: usize = 32 * PAGE as usize;

pub(super) fn memory_file(len: usize) -> Result<File> {
    // SAFETY: The name is a string.
    let fd = unsafe { libc::memfd_create(c"userptr".as_ptr(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("memfd_create");
    }
    // SAFETY: The file is ours.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(len as u64)?;
    Ok(file)
}

pub(super) fn shared(file: &File, len: usize) -> Result<Area> {
    Area::map(len, READ_WRITE, libc::MAP_SHARED, Some((file.as_fd(), 0)))
}

/// What the GPU writes is in the file.
fn memfd() -> Outcome {
    let rig = Rig::new()?;
    let file = memory_file(LEN)?;
    let area = shared(&file, LEN)?;
    let bound = area.bind(&rig)?;
    bound.fill(&rig, 0x0102_0304)?;
    let mut data = vec![0; LEN];
    file.read_exact_at(&mut data, 0)?;
    let is_it = |word: &[u8; 4]| *word == 0x0102_0304_u32.to_ne_bytes();
    ensure!(data.as_chunks::<4>().0.iter().all(is_it), "not in the file");
    file.write_all_at(&vec![9; LEN], 0)?;
    same(
        "written to the file",
        bound.checksum(&rig)?,
        area.checksum(),
    )?;
    same("seen", area.read(0), 0x0909_0909)
}

/// Memory past the end of a file is none.
fn truncated() -> Outcome {
    let rig = Rig::new()?;
    let file = memory_file(LEN)?;
    let area = shared(&file, LEN)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    bound.fill(&rig, 3)?;
    file.set_len(LEN as u64 / 2)?;
    fails("past the end", Errno::FAULT, submit(&rig))?;
    file.set_len(LEN as u64)?;
    same("longer again", bound.checksum(&rig)?, area.checksum())?;
    same(
        "and empty there",
        (area.read(0), area.read(LEN - 4)),
        (3, 0),
    )
}

/// A file system on a loop device, or on persistent memory, unmounted when dropped.
struct Disk {
    at: PathBuf,
    device: Option<Loop>,
}

/// A loop device of a file in the guest's memory, detached when dropped.
struct Loop {
    device: PathBuf,
    image: PathBuf,
}

impl Loop {
    fn new() -> Result<Self> {
        let image = PathBuf::from("/tmp/userptr.img");
        File::create(&image)?.set_len(16 << 20)?;
        let device = run(Command::new("losetup").arg("-f"))?.trim().into();
        let this = Self { device, image };
        run(Command::new("losetup").args([&this.device, &this.image]))?;
        Ok(this)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // A test that fails has told why already.
        let _ = run(Command::new("losetup").arg("-d").arg(&self.device));
        let _ = fs::remove_file(&self.image);
    }
}

impl Disk {
    /// An ext4 on a loop device.
    fn new() -> Result<Self> {
        let device = Loop::new()?;
        let path = device.device.clone();
        let this = Self {
            at: PathBuf::from("/tmp/userptr.mnt"),
            device: Some(device),
        };
        this.make(&path, "rw")?;
        Ok(this)
    }

    fn make(&self, device: &Path, options: &str) -> Outcome {
        fs::create_dir_all(&self.at)?;
        run(Command::new("/usr/sbin/mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-b", "4096"])
            .arg(device))?;
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", options])
            .arg(device)
            .arg(&self.at))
        .map(drop)
    }

    fn file(&self, len: usize, flags: libc::c_int) -> Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags)
            .open(self.at.join("file"))?;
        file.set_len(len as u64)?;
        Ok(file)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that fails has told why already.
        let _ = run(Command::new("umount").arg(&self.at));
        drop(self.device.take());
    }
}

/// Runs a program, and returns what it said.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// What the GPU writes to a page of a file gets to the disk, also after the page was written there.
fn written_back() -> Outcome {
    let rig = Rig::new()?;
    let disk = Disk::new()?;
    let file = disk.file(LEN, 0)?;
    let area = shared(&file, LEN)?;
    let bound = area.bind(&rig)?;
    for round in 1..4 {
        bound.fill(&rig, round)?;
        file.sync_all()?;
        // Without the pages of the cache it is what is on the disk.
        area.advise(0, LEN, libc::MADV_DONTNEED)?;
        fs::write("/proc/sys/vm/drop_caches", "1")?;
        let sum = rgt::checksum::of_fill(round, LEN as u64 / 4);
        same(&format!("round {round}"), area.checksum(), sum)?;
    }
    drop((bound, area, file));
    Ok(())
}

/// A private mapping of a file: the GPU writes a copy.
fn private_copies() -> Outcome {
    let rig = Rig::new()?;
    let file = memory_file(LEN)?;
    file.write_all_at(&vec![1; LEN], 0)?;
    let area = Area::map(LEN, READ_WRITE, libc::MAP_PRIVATE, Some((file.as_fd(), 0)))?;
    let bound = area.bind(&rig)?;
    same("the file's", bound.checksum(&rig)?, area.checksum())?;
    bound.fill(&rig, 2)?;
    same("the process's", area.read(LEN - 4), 2)?;
    let mut data = [0; 4];
    file.read_exact_at(&mut data, 0)?;
    same("the file", data, [1; 4])
}

/// A disk and the GPU read and write the same pages.
fn direct_io() -> Outcome {
    let rig = Rig::new()?;
    let disk = Disk::new()?;
    let file = disk.file(LEN, libc::O_DIRECT)?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    // SAFETY: The area stays while this is used, and only by calls of the kernel.
    let bytes = || unsafe { slice::from_raw_parts_mut(area.as_ptr().cast::<u8>(), LEN) };
    let vram = rig.vram(LEN as u64)?;
    for round in 0..8 {
        let data = noise(round, LEN / 4);
        let staging = rig.gtt(LEN as u64)?;
        staging.map()?.write_slice(0, &data);
        rig.copy(&staging, &vram)?;
        bound.copy_from(&rig, &vram)?;
        file.write_all_at(bytes(), 0)?;
        bound.fill(&rig, 0)?;
        file.read_exact_at(bytes(), 0)?;
        same(
            &format!("round {round}"),
            bound.checksum(&rig)?,
            rig.checksum(&staging)?,
        )?;
    }
    drop(file);
    Ok(())
}

/// A disk writes the first half of a range while the GPU writes the other one.
fn direct_io_beside_a_job() -> Outcome {
    const HALF: usize = LEN / 2;
    let rig = Rig::new()?;
    let disk = Disk::new()?;
    let file = disk.file(HALF, libc::O_DIRECT)?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    // SAFETY: The area stays while this is used, and only by calls of the kernel.
    let half = || unsafe { slice::from_raw_parts_mut(area.as_ptr().cast::<u8>(), HALF) };
    for round in 1..5 {
        let data = noise(round, HALF / 4);
        for (at, word) in (0..HALF).step_by(4).zip(&data) {
            area.write(at, *word);
        }
        file.write_all_at(half(), 0)?;
        bound.fill(&rig, 0)?;
        let busy = rig.busy(rig.copy, Duration::from_millis(300), |work| {
            let at = bound.addr() + HALF as u64;
            work.commands.fill(at, HALF as u64, round)?;
            Ok(())
        })?;
        busy.begins()?;
        loop {
            let over = !busy.runs()?;
            file.read_exact_at(half(), 0)?;
            if over {
                break;
            }
        }
        busy.wait()?;
        for (at, word) in (0..HALF).step_by(4).zip(&data) {
            same("from the disk", area.read(at), *word)?;
            same("from the GPU", area.read(HALF + at), round)?;
        }
        same("sum", bound.checksum(&rig)?, area.checksum())?;
    }
    drop(file);
    Ok(())
}

/// Pages of persistent memory, which a file system maps as they are, are a device's.
fn direct_access() -> Outcome {
    let device = Path::new("/dev/pmem0");
    if !device.exists() {
        return skip("there is no persistent memory");
    }
    let rig = Rig::new()?;
    let disk = Disk {
        at: PathBuf::from("/tmp/userptr.pmem"),
        device: None,
    };
    disk.make(device, "dax=always")?;
    let file = disk.file(HUGE, 0)?;
    file.write_all_at(&[1; 4096], 0)?;
    let area = shared(&file, LEN)?;
    area.write(0, 5);
    let bound = area.bind(&rig).map(drop);
    fails("DAX", Errno::FAULT, of_library(bound))?;
    same("it is there", area.read(0), 5)?;
    drop((area, file));
    Ok(())
}
