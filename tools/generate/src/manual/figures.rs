// SPDX-License-Identifier: GPL-2.0

//! Figures that the manual's text gives for names, compared with the numbers.

use std::sync::LazyLock;

use regex::Regex;

use crate::numbers::{Numbers, Topic};

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// `` `NAME` (FIGURE) `` or `` `module::NAME` (FIGURE UNIT) `` in a sentence.
static IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"`(?:([a-z:]+)::)?([A-Z][A-Z0-9_]+)`\s\((0x[0-9a-f_]+|[0-9]+)(?: (KiB|MiB))?\)")
});
/// `` | OFFSET | `REGISTER` | ``, `REGISTER_LO/HI` being a pair.
static REGISTER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\| (0x[0-9a-f]+) \| `([A-Z0-9_]+)(?:/HI)?` \|"));
/// `` | BIT | `NAME` | `` and `` | HIGH:LOW | `NAME` | ``, of page-table entries.
static BITS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\| (?:([0-9]+):)?([0-9]+) \| `([A-Z0-9_]+)` \|"));
/// `` | `PACKET`, opcode OPCODE, LENGTH dwords | ``.
static PACKET: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?m)^\| `([A-Z_]+)`, opcode (0x[0-9a-f]+)(?:, ([0-9]+) dwords)? \|")
});

/// The places where the figures of the manual's text are not the crate's.
pub(crate) fn wrong_figures(manual: &str, numbers: &Numbers) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |topics: &[&Topic], name: &str, figure: u64| {
        let mut constants = topics.iter().filter_map(|topic| topic.constant(name));
        if !constants.any(|constant| constant.value == figure) {
            wrong.push(format!("{name} is not {figure:#x} ({figure})"));
        }
    };
    for found in IN_TEXT.captures_iter(manual) {
        let topics: Vec<&Topic> = match found.get(1) {
            Some(module) => {
                let path: Vec<&str> = module.as_str().split("::").collect();
                numbers.topic(&path).into_iter().collect()
            }
            None => numbers.topics.iter().collect(),
        };
        let unit = match found.get(4).map(|unit| unit.as_str()) {
            Some("KiB") => 1 << 10,
            Some("MiB") => 1 << 20,
            _ => 1,
        };
        compare(&topics, &found[2], number(&found[3]) * unit);
    }
    let of = |path: &[&str]| numbers.topic(path).into_iter().collect::<Vec<_>>();
    for found in REGISTER.captures_iter(manual) {
        compare(&of(&["regs"]), &found[2], number(&found[1]));
    }
    for found in BITS.captures_iter(manual) {
        let low = number(&found[2]);
        let high = found.get(1).map_or(low, |high| number(high.as_str()));
        let mask = u64::MAX << low & u64::MAX >> (63 - high.min(63));
        compare(&of(&["pte"]), &found[3], mask);
    }
    for found in PACKET.captures_iter(manual) {
        compare(&of(&["packet"]), &found[1], number(&found[2]));
        if let Some(length) = found.get(3) {
            compare(&of(&["packet", "len"]), &found[1], number(length.as_str()));
        }
    }
    wrong
}

/// The number that digits of one of the patterns say; what fits no number is no constant's.
fn number(figure: &str) -> u64 {
    let parsed = match figure.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(&digits.replace('_', ""), 16),
        None => figure.parse(),
    };
    parsed.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_ones_are_found() {
        let numbers = Numbers::read(&crate::root().join("hw/abi/src")).unwrap();
        let right = "\
of `BAR_REGS_SIZE` (64 KiB), `pci::VENDOR` (0x1af4) and `limits::ADDRESS_SPACES` (16)
| 0x010 | `VRAM_SIZE_LO/HI` | RO |
| 0x18 | `RING_HEAD` | RO |
| 3 | `SPARSE` | |
| 47:12 | `ADDRESS` | |
| `COPY`, opcode 0x10, 7 dwords | dword | |
| `NOP`, opcode 0x00 | |
";
        assert_eq!(wrong_figures(right, &numbers), Vec::<String>::new());
        for wrong in [
            "`BAR_REGS_SIZE` (32 KiB)",
            "`pci::VENDOR` (0x1af5)",
            "`regs::VENDOR` (0x1af4)",
            "`NO_SUCH_NAME` (1)",
            "| 0x011 | `VRAM_SIZE_LO/HI` | RO |",
            "| 2 | `SPARSE` | |",
            "| 46:12 | `ADDRESS` | |",
            "| `COPY`, opcode 0x11, 7 dwords | dword | |",
            "| `COPY`, opcode 0x10, 8 dwords | dword | |",
        ] {
            assert_eq!(wrong_figures(wrong, &numbers).len(), 1, "{wrong}");
        }
    }
}
