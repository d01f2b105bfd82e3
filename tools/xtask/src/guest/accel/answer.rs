// SPDX-License-Identifier: GPL-2.0

//! The result of a boot with KVM, remembered for the kernel and the machine that it was on.

use std::fs;
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use fnv::FnvHasher;

use super::DEVICE;
use crate::paths::Paths;

/// The result of a boot with KVM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel came up.
    Up {
        /// How long it took.
        millis: u128,
    },
    /// It did not.
    Down {
        /// Why, in a line.
        why: String,
    },
}

impl Answer {
    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    fn to_line(&self) -> String {
        match self {
            Self::Up { millis } => format!("up {millis}\n"),
            Self::Down { why } => format!("down {}\n", why.replace('\n', " ")),
        }
    }

    fn from_line(line: &str) -> Option<Self> {
        match line.trim_end().split_once(' ')? {
            ("up", millis) => Some(Self::Up {
                millis: millis.parse().ok()?,
            }),
            ("down", why) => Some(Self::Down {
                why: why.to_owned(),
            }),
            _ => None,
        }
    }
}

/// The file of one answer: a text of all that it is for, and the answer as its last line.
pub(super) struct Record {
    file: PathBuf,
    key: String,
}

impl Record {
    /// Returns that of the kernel `image` on this machine.
    pub(super) fn of(paths: &Paths, image: &Path) -> Result<Self> {
        let dir = paths.cache.join("accel");
        fs::create_dir_all(&dir)?;
        Ok(Self::new(&dir, key(image)?))
    }

    fn new(dir: &Path, key: String) -> Self {
        let name = format!("{:016x}", hash(key.as_bytes()));
        Self {
            file: dir.join(name),
            key,
        }
    }

    /// Returns the answer, if there is one.
    pub(super) fn read(&self) -> Option<Answer> {
        let text = fs::read_to_string(&self.file).ok()?;
        Answer::from_line(text.strip_prefix(&self.key)?)
    }

    /// Keeps the answer.
    pub(super) fn write(&self, answer: &Answer) -> Result<()> {
        fs::write(&self.file, format!("{}{}", self.key, answer.to_line()))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// All that an answer depends on, a line each.
fn key(image: &Path) -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let host = fs::read_to_string("/proc/version").unwrap_or_default();
    let qemu = Command::new("qemu-system-x86_64")
        .arg("--version")
        .output()
        .context("cannot run QEMU")?;
    let qemu = String::from_utf8_lossy(&qemu.stdout);
    let device = fs::metadata(DEVICE).with_context(|| format!("cannot look at {DEVICE}"))?;
    let kernel = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    Ok(format!(
        "cpu {}\nhost {}\nqemu {}\nkvm {:x}\nkernel {:016x}\n",
        model.unwrap_or_default(),
        host.trim_end(),
        qemu.lines().next().unwrap_or_default(),
        device.rdev(),
        hash(&kernel)
    ))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Record};

    #[test]
    fn an_answer_is_remembered_for_what_it_was_given_for() {
        let dir = tempfile::tempdir().unwrap();
        let record = |key: &str| Record::new(dir.path(), key.to_owned());
        let here = record("cpu A\nkernel 1\n");
        assert_eq!(here.read(), None);
        let down = Answer::Down {
            why: "two\nlines".to_owned(),
        };
        here.write(&down).unwrap();
        let read = here.read().unwrap();
        assert!(!read.is_up());
        assert_eq!(
            read,
            Answer::Down {
                why: "two lines".to_owned()
            }
        );
        here.write(&Answer::Up { millis: 12 }).unwrap();
        assert_eq!(here.read(), Some(Answer::Up { millis: 12 }));
        assert_eq!(record("cpu A\nkernel 2\n").read(), None);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        assert_eq!(Answer::from_line("up soon"), None);
        assert_eq!(Answer::from_line(""), None);
    }
}
