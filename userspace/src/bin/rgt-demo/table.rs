// SPDX-License-Identifier: MIT

//! The table of what was moved and whether it came back right.

use std::fmt;
use std::time::Duration;

/// The line above the rows.
pub(crate) const HEAD: &str = "\
region                    size  engine    expected          GPU               read back            MiB/s";

/// One thing that was tried.
pub(crate) struct Row {
    /// Where the data was.
    pub(crate) region: String,
    /// How much it was.
    pub(crate) bytes: u64,
    /// The engine that moved it.
    pub(crate) engine: String,
    /// The checksum of the data that was put in.
    pub(crate) expected: u64,
    /// The result of the GPU's CHECKSUM packet.
    pub(crate) gpu: u64,
    /// The checksum of the data that the CPU reads back.
    pub(crate) read_back: u64,
    /// How long moving it once took.
    pub(crate) took: Duration,
}

impl Row {
    /// Whether all checksums are the same.
    pub(crate) fn right(&self) -> bool {
        self.gpu == self.expected && self.read_back == self.expected
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.bytes as f64 / f64::from(1 << 20) / self.took.as_secs_f64().max(1e-9);
        write!(
            f,
            "{:<20}{:>6} KiB  {:<8}  {:016x}  {:016x}  {:016x}  {rate:>8.1}  {}",
            self.region,
            self.bytes >> 10,
            self.engine,
            self.expected,
            self.gpu,
            self.read_back,
            if self.right() { "ok" } else { "FAIL" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(gpu: u64, read_back: u64) -> Row {
        Row {
            region: "VRAM".into(),
            bytes: 1 << 20,
            engine: "copy 1".into(),
            expected: 7,
            gpu,
            read_back,
            took: Duration::from_millis(500),
        }
    }

    #[test]
    fn a_row_is_right_only_if_both_checksums_are() {
        assert!(row(7, 7).right());
        assert!(!row(7, 8).right());
        assert!(!row(8, 7).right());
    }

    #[test]
    fn columns_are_under_their_heads() {
        let line = row(7, 7).to_string();
        let column = |name: &str| HEAD.find(name).unwrap();
        assert_eq!(&line[column("engine")..][..6], "copy 1");
        assert_eq!(&line[column("expected")..][..16], "0000000000000007");
        assert_eq!(&line[column("read back")..][..16], "0000000000000007");
        assert_eq!(line.find("2.0").unwrap() + 3, HEAD.len());
        assert!(line.ends_with("  ok"));
    }
}
