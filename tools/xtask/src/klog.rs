// SPDX-License-Identifier: GPL-2.0

//! Complaints in a kernel log.

mod frame;
mod overlaps;
mod races;
mod starved;

/// Words, one of which is in one of the first lines of a complaint. The leak checker's are not
/// among them: it speaks when it is asked, and who asks reads what it found.
const COMPLAINTS: [&str; 39] = [
    // Faults and stops.
    "BUG: ",
    "kernel BUG at",
    "Oops",
    "general protection fault",
    "Unable to handle kernel",
    "Kernel panic",
    "panicked at",
    "stack-protector:",
    "Bad page state",
    "Bad page map",
    "bad pmd",
    "Trying to vfree",
    "unregister_netdevice: waiting",
    // Warnings, those of lockdep and RCU among them.
    "WARNING: ",
    "possible recursive locking",
    "possible circular locking",
    "possible irq lock inversion",
    "inconsistent lock state",
    "suspicious RCU usage",
    "bad unlock balance",
    "held lock freed",
    "still has locks held",
    "DEBUG_LOCKS_WARN_ON",
    starved::REPORTED,
    "Call Trace:",
    // Stalls.
    "soft lockup",
    "hard LOCKUP",
    "blocked for more than",
    "rcu: INFO:",
    "self-detected stall",
    // Checkers.
    "KASAN:",
    "KCSAN:",
    "UBSAN:",
    "DMA-API: ",
    "ODEBUG: ",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "unreferenced object",
];

/// Messages of the checkers about themselves.
const HARMLESS: [&str; 5] = [
    "DMA-API: preallocated",
    "DMA-API: debugging enabled by kernel config",
    "KASAN: KernelAddressSanitizer initialized",
    "kasan: KernelAddressSanitizer initialized",
    "Kernel command line:",
];

/// How many lines of a complaint are kept that does not say where it ends.
const LINES: usize = 30;
/// Reports: a part of the first line, a part of the last one, and the most lines of one.
const REPORTS: [(&str, &str); 3] = [
    ("KASAN: ", RULE),
    ("KCSAN: ", RULE),
    (starved::REPORTED, "</TASK>"),
];
const REPORT: usize = 200;
const RULE: &str = "==========";

/// One complaint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Splat {
    /// The number of its first line in the log, from 0.
    pub(crate) at: usize,
    /// The line that gave it away.
    pub(crate) title: String,
    /// That line and what follows.
    pub(crate) text: String,
}

/// Finds the complaints in a log.
pub(crate) fn scan(log: &str) -> Vec<Splat> {
    let lines: Vec<_> = log.lines().collect();
    let mut splats = vec![];
    let mut at = 0;
    while let Some(found) = lines[at..].iter().position(|line| is_complaint(line)) {
        let start = at + found;
        let end = start + length(&lines[start..]);
        splats.push(Splat {
            at: start,
            title: message(lines[start]).to_owned(),
            text: lines[start..end].join("\n"),
        });
        at = end;
    }
    splats
}

/// How many of these lines, the first of which gave it away, are a complaint.
fn length(lines: &[&str]) -> usize {
    let report = REPORTS.iter().find(|(name, _)| lines[0].contains(name));
    let (most, end) = report.map_or((LINES, "---[ end"), |(_, end)| (REPORT, *end));
    let until = |most: usize, end: &str| {
        let mut lines = lines.iter().take(most);
        lines.position(|line| line.contains(end)).map(|at| at + 1)
    };
    until(most, end).unwrap_or(LINES.min(lines.len()))
}

/// Whether a complaint is neither the driver's nor of what it builds on: it is told, and fails
/// nothing.
pub(crate) fn is_elsewhere(splat: &Splat) -> bool {
    let kinds = [
        races::is_elsewhere,
        starved::is_elsewhere,
        overlaps::is_elsewhere,
    ];
    kinds.iter().any(|is_elsewhere| is_elsewhere(splat))
}

fn is_complaint(line: &str) -> bool {
    COMPLAINTS.iter().any(|complaint| line.contains(complaint))
        && !HARMLESS.iter().any(|harmless| line.contains(harmless))
}

/// Returns what a kernel said when it panicked, if it did.
pub(crate) fn panic(log: &str) -> Option<&str> {
    let mut lines = log.lines().rev().map(message);
    lines.find(|line| line.starts_with("Kernel panic - "))
}

/// Whether a line of a log is the driver's.
pub(crate) fn of_driver(line: &str) -> bool {
    message(line).starts_with("rust_gpu_ttm")
}

/// A line of a log without its time stamp.
pub(crate) fn message(line: &str) -> &str {
    let Some(stamped) = line.strip_prefix('[') else {
        return line;
    };
    match stamped.split_once(']') {
        Some((stamp, rest)) if stamp.trim().parse::<f64>().is_ok() => {
            rest.strip_prefix(' ').unwrap_or(rest)
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests;
