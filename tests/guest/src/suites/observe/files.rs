// SPDX-License-Identifier: GPL-2.0

//! The files that tell about a device and its clients, read and taken apart.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rgt::{Bo, Device};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

const DEBUGFS: &str = "/sys/kernel/debug";

/// Mounts a file system unless something is there already.
pub(super) fn mounted(kind: &str, path: &str, sign: &str) -> Result<()> {
    if Path::new(path).join(sign).exists() {
        return Ok(());
    }
    match mount(
        kind,
        path,
        kind,
        MountFlags::empty(),
        None::<&std::ffi::CStr>,
    ) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("mounting {kind}")),
    }
}

/// The pairs of one line of a debugfs file, or of a trace event.
#[derive(Debug, Clone)]
pub(crate) struct Line(HashMap<String, String>);

impl Line {
    fn parse(text: &str) -> Result<Self> {
        text.split(' ')
            .map(|pair| {
                let (key, value) = pair.split_once('=').context(format!("in {text:?}"))?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Those of what is already taken apart.
    pub(super) fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self(pairs.map(owned).collect())
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        let value = self.0.get(key);
        value
            .map(String::as_str)
            .with_context(|| format!("no {key} in {self:?}"))
    }

    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.with_context(|| format!("{key}={text}"))
    }
}

/// The debugfs directory of a device.
pub(crate) struct Debugfs(PathBuf);

impl Debugfs {
    pub(crate) fn of(device: &Device) -> Result<Self> {
        mounted("debugfs", DEBUGFS, "dri")?;
        let address = FdInfo::of(device)?.text("drm-pdev")?.to_owned();
        Ok(Self(Path::new(DEBUGFS).join("dri").join(address)))
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// The names of all files that can be read, the driver's and DRM's.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file() && about.permissions().mode() & 0o400 != 0 {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    /// The text of a file.
    pub(crate) fn text(&self, file: &str) -> Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).with_context(|| format!("{}", path.display()))
    }

    /// All lines of a file.
    pub(crate) fn lines(&self, file: &str) -> Result<Vec<Line>> {
        self.text(file)?.lines().map(Line::parse).collect()
    }

    /// The line of a file that has this pair.
    pub(crate) fn line(&self, file: &str, key: &str, value: &str) -> Result<Line> {
        let lines = self.lines(file)?;
        lines
            .into_iter()
            .find(|line| line.text(key).is_ok_and(|text| text == value))
            .with_context(|| format!("no {key}={value} in {file}"))
    }

    /// The use of the VRAM for page tables.
    pub(crate) fn page_tables(&self) -> Result<Line> {
        let line = self.lines("page_tables")?.pop();
        line.context("no line in page_tables")
    }

    /// The lines of the BOs that a client has made.
    pub(super) fn bos_of(&self, client: u64) -> Result<Vec<Line>> {
        let mut lines = self.lines("bos")?;
        lines.retain(|line| line.number("client").is_ok_and(|number| number == client));
        Ok(lines)
    }

    /// The line of a BO, which must be the only one of its size among those of its client.
    pub(crate) fn bo(&self, bo: &Bo) -> Result<Line> {
        let client = FdInfo::of(bo.device())?.number("drm-client-id")?;
        let mut lines = self.bos_of(client)?;
        lines.retain(|line| line.number("size").is_ok_and(|size| size == bo.size()));
        match lines.as_slice() {
            [line] => Ok(line.clone()),
            lines => bail!("{} BOs of {} bytes", lines.len(), bo.size()),
        }
    }
}

/// The fdinfo of a client.
pub(crate) struct FdInfo(HashMap<String, String>);

impl FdInfo {
    pub(crate) fn of(device: &Device) -> Result<Self> {
        let path = format!("/proc/self/fdinfo/{}", device.as_fd().as_raw_fd());
        let text = fs::read_to_string(&path)?;
        Ok(Self(
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
                .collect(),
        ))
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        let value = self.0.get(key);
        value
            .map(String::as_str)
            .with_context(|| format!("no {key} in fdinfo"))
    }

    /// A number of bytes, or of whatever has no unit.
    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        let (number, unit) = match text.split_once(' ') {
            None => (text, 1),
            Some((number, "KiB")) => (number, 1 << 10),
            Some((number, "MiB")) => (number, 1 << 20),
            Some(_) => bail!("{key}: {text}"),
        };
        Ok(number.parse::<u64>()? * unit)
    }

    /// Returns a client's bytes in a region: total, shared, resident.
    pub(crate) fn memory(&self, region: &str) -> Result<(u64, u64, u64)> {
        let value = |stat| self.number(&format!("drm-{stat}-{region}"));
        Ok((value("total")?, value("shared")?, value("resident")?))
    }
}
