// SPDX-License-Identifier: GPL-2.0

//! The manual page of `softgpu`: its command line's definition as a page.

use anyhow::Result;
use clap::CommandFactory;
use clap_mangen::Man;
use roff::{Roff, bold, roman};
use softgpu::command_line::Arguments;
use softgpu::command_line::help::{COMMANDS, SECTIONS};

/// The text of the page.
pub(crate) fn page() -> Result<String> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    let usage = command.render_usage().to_string();
    let man = Man::new(command);
    let mut page = b".\\\" SPDX-License-Identifier: GPL-2.0\n".to_vec();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim);
    as_is(&mut synopsis, usage);
    synopsis.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut rest = Roff::new();
    rest.control("SH", ["CONTROL COMMANDS"]);
    for (usage, does) in COMMANDS {
        rest.control("TP", []);
        rest.text([bold(usage)]);
        rest.text([roman(does)]);
    }
    for section in SECTIONS {
        rest.control("SH", [section.title]);
        for paragraph in section.text.split("\n\n") {
            rest.control("PP", []);
            match paragraph.starts_with(' ') {
                true => as_is(&mut rest, paragraph.lines()),
                false => drop(rest.text([roman(paragraph)])),
            }
        }
    }
    rest.to_writer(&mut page)?;
    Ok(String::from_utf8(page)?)
}

/// Lines that are not filled.
fn as_is<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str>) {
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
