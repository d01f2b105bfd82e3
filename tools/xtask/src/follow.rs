// SPDX-License-Identifier: GPL-2.0

//! Reading a file while it grows.

use std::fs::File;
use std::io::Read;
use std::mem::take;
use std::path::PathBuf;

use anyhow::Result;

/// A growing file, read line by line. It need not be there yet.
pub(crate) struct Follow {
    path: PathBuf,
    file: Option<File>,
    partial: Vec<u8>,
}

impl Follow {
    /// Follows the file at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            partial: vec![],
        }
    }

    /// Hands over each line that is complete.
    pub(crate) fn each(&mut self, mut line: impl FnMut(&str) -> Result<()>) -> Result<()> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.read_to_end(&mut self.partial)?;
        let Some(end) = self.partial.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(());
        };
        let rest = self.partial.split_off(end + 1);
        let complete = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&complete)
            .lines()
            .try_for_each(&mut line)
    }

    /// Hands over all that is left, a line without an end included.
    pub(crate) fn rest(&mut self, mut line: impl FnMut(&str) -> Result<()>) -> Result<()> {
        self.each(&mut line)?;
        let partial = take(&mut self.partial);
        String::from_utf8_lossy(&partial).lines().try_for_each(line)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::Follow;

    #[test]
    fn lines_come_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut follow = Follow::new(path.clone());
        let mut seen = vec![];
        let mut read = |follow: &mut Follow, rest| {
            let mut push = |line: &str| {
                seen.push(line.to_owned());
                Ok(())
            };
            match rest {
                true => follow.rest(&mut push).unwrap(),
                false => follow.each(&mut push).unwrap(),
            }
            std::mem::take(&mut seen)
        };
        assert!(read(&mut follow, false).is_empty());
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\r\ntw").unwrap();
        assert_eq!(read(&mut follow, false), ["one"]);
        file.write_all(b"o\nthree").unwrap();
        assert_eq!(read(&mut follow, false), ["two"]);
        assert_eq!(read(&mut follow, true), ["three"]);
        assert!(read(&mut follow, true).is_empty());
    }
}
