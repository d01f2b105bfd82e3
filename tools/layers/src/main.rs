// SPDX-License-Identifier: GPL-2.0

//! Shows the graph of the module's folders, and what it has that the table of layers has not.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use layers::{Graph, LAYERS};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// The checkout.
    #[arg(default_value = ".")]
    checkout: PathBuf,
    /// The form of the graph.
    #[arg(long = "as", value_enum, default_value_t = As::Text)]
    form: As,
}

#[derive(Clone, Copy, ValueEnum)]
enum As {
    /// Each folder with those that it imports from, and circles.
    Text,
    /// Every import across folders, and between the files of a circle.
    Imports,
    /// The graph for Graphviz, and nothing else.
    Dot,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let graph = Graph::read(&arguments.checkout)?;
    match arguments.form {
        As::Text => print!("{}", layers::text(&graph)),
        As::Imports => print!("{}", layers::imports(&graph)),
        As::Dot => {
            print!("{}", layers::dot(&graph, LAYERS));
            return Ok(ExitCode::SUCCESS);
        }
    }
    let broken = layers::check(&graph, LAYERS);
    for line in &broken {
        println!("wrong: {line}");
    }
    Ok(match broken.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
