// SPDX-License-Identifier: MIT

//! Shows that the whole path works: memory in every region is allocated, mapped, copied by the
//! GPU and compared by checksums, and a picture is drawn.

mod args;
mod canvas;
mod font;
mod layout;
mod pattern;
mod picture;
mod regions;
mod render;
mod scene;
mod table;
mod tux;

use std::process::ExitCode;

use clap::Parser;
use rgt::Device;

use args::Arguments;
use table::Row;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("rgt-demo: data came back wrong");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("rgt-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let device = match &arguments.node {
        Some(node) => Device::open_path(node)?,
        None => Device::open()?,
    };
    let mut rows = Rows::default();
    println!("{}", table::HEAD);
    regions::run(&device, arguments.bytes, &mut |row| rows.add(&row))?;
    let picture = render::run(&device, arguments.size, &mut |row| rows.add(&row))?;

    let path = arguments.out.join("demo.png");
    picture.save(&path)?;
    println!(
        "\n{} of {} right, picture in {}",
        rows.right,
        rows.all,
        path.display()
    );
    Ok(rows.right == rows.all)
}

/// Counts the rows of the table while they are shown.
#[derive(Default)]
struct Rows {
    all: usize,
    right: usize,
}

impl Rows {
    fn add(&mut self, row: &Row) {
        println!("{row}");
        self.all += 1;
        self.right += usize::from(row.right());
    }
}
