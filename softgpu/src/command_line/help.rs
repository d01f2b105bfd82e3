// SPDX-License-Identifier: GPL-2.0

//! The help behind the options, as text and for the manual page.

use std::fmt::Write;

/// A part of the help: its title and its lines. Lines that begin with blanks are to be shown as
/// they are; others are paragraphs.
pub struct Section {
    /// Its title, in capitals.
    pub title: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The commands of the control socket: their syntax and effect.
///
/// GPU, ENGINE and VECTOR are numbers from 0, the others numbers.
pub const COMMANDS: [(&str, &str); 10] = [
    (
        "hang GPU ENGINE",
        "The engine hangs before its next packet, until it or the device is reset.",
    ),
    (
        "hang GPU ENGINE fatal",
        "The same, until the device is reset: a reset of the engine does nothing.",
    ),
    (
        "hang GPU tlb",
        "The next TLB invalidation by register hangs, until the device is reset.",
    ),
    (
        "slow GPU ENGINE FACTOR",
        "The engine's packets take FACTOR times as long from now on; 1 is normal.",
    ),
    (
        "lose GPU VECTOR COUNT",
        "The next COUNT messages of the interrupt vector are not sent.",
    ),
    (
        "poison GPU OFFSET LENGTH",
        "Pages of VRAM with any of LENGTH bytes from OFFSET go bad: reads of them fault.",
    ),
    (
        "garble GPU RATE",
        "One in RATE accesses to registers, VRAM and configuration arrives garbled; 0 ends it.",
    ),
    (
        "remove GPU",
        "The GPU is off the bus for good: reads give ones, writes do nothing.",
    ),
    (
        "power-loss GPU",
        "Registers, VRAM and scratchpad are lost, as by a reset of the device.",
    ),
    (
        "counters GPU",
        "Answers with what its engines have done, as a line of JSON.",
    ),
];

/// The sections beside the options and the commands.
pub const SECTIONS: [Section; 4] = [
    Section {
        title: "CONTROL SOCKET",
        text: "\
A command is a line of words, separated by blanks, of at most 256 bytes. It is answered by a line: \
\"ok\", what was asked for, or \"error: \" and a reason. GPUs are numbered from 0 in the order of the \
command line. Engine 0 is the render engine, 1 and 2 are copy engines. Vector 0 reports faults, \
vector 1 + n the fences of engine n.",
    },
    Section {
        title: "EXIT STATUS",
        text: "  \
0    all clients are gone, or SIGTERM or SIGINT came; the sockets are removed
  1    an error, told in a line on standard error; of a GPU whose connection
       failed when all clients are gone
  2    a command line that makes no sense
  101  a bug in softgpu, told on standard error",
    },
    Section {
        title: "ENVIRONMENT",
        text: "\
RUST_LOG says which messages are shown on standard error: \"error\", \"warn\", \"info\" (the default) or \
\"off\".",
    },
    Section {
        title: "EXAMPLES",
        text: "\
A GPU with 1 GiB of VRAM, a quarter of it visible, and its guest. QEMU must share the guest's memory:

  softgpu --socket /tmp/gpu --vram 1G --visible 256M --control /tmp/control &
  qemu-system-x86_64 -machine q35,memory-backend=mem -m 1G \\
      -object memory-backend-memfd,id=mem,size=1G,share=on \\
      -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"path\":\"/tmp/gpu\",\"type\":\"unix\"}}'

A hang of its first copy engine:

  echo hang 0 1 | nc -NU /tmp/control

Two GPUs that can access each other's VRAM, the second without a scratchpad:

  softgpu --gpu socket=/tmp/gpu0 --gpu socket=/tmp/gpu1,vram=64M,scratchpad=0",
    },
];

/// The text that `--help` shows behind the options.
pub(super) fn text() -> String {
    let mut all = String::from("Control commands:\n");
    for (usage, does) in COMMANDS {
        // Writing to a string does not fail.
        let _ = write!(all, "  {usage}\n          {does}\n");
    }
    for section in SECTIONS {
        let _ = write!(all, "\n{}:\n", capitalized(section.title));
        for line in section.text.lines() {
            let _ = match line.is_empty() {
                true => writeln!(all),
                false => writeln!(all, "  {line}"),
            };
        }
    }
    all
}

/// A title as clap writes its own.
fn capitalized(title: &str) -> String {
    title
        .chars()
        .take(1)
        .chain(title.to_lowercase().chars().skip(1))
        .collect()
}
