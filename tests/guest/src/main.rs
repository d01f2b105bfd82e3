// SPDX-License-Identifier: GPL-2.0

//! The test program of guests.

use std::process::ExitCode;

fn main() -> ExitCode {
    guest_tests::main()
}
