// SPDX-License-Identifier: GPL-2.0

//! `make mutants`: faults in the kernel, each of which some suite should see.

mod list;
mod tree;
mod trial;

use std::fs;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use serde_json::json;

use self::list::Fault;
use self::trial::{Trial, Verdict};
use crate::paths::Paths;
use crate::progress::{say, show};

/// The report's file, below out/.
const FILE: &str = "mutants.json";

/// Tries all faults, or those that are named, each in guests of its own. That a suite did not see one
/// is shown, and no failure.
pub(crate) fn run(paths: &Paths, names: &[String]) -> Result<ExitCode> {
    let faults = list::choose(list::read(paths)?, names)?;
    let tree = tree::ensure(paths)?;
    let trial = Trial { paths, tree: &tree };
    let sound = trial.without(&list::suites(&faults))?;
    ensure!(
        matches!(sound, Verdict::NotReached),
        "without a fault: {sound}"
    );

    let mut tried = vec![];
    for (at, fault) in faults.iter().enumerate() {
        say(&format!(
            "  {} of {}: {}",
            at + 1,
            faults.len(),
            fault.suites.join(" ")
        ));
        let verdict = trial.of(fault)?;
        show(&format!("{:<28} {verdict}", fault.name));
        tried.push((fault, verdict));
        save(paths, &tried)?;
    }
    show(&sum(&tried));
    Ok(ExitCode::SUCCESS)
}

/// Writes what is known for programs to read.
fn save(paths: &Paths, tried: &[(&Fault, Verdict)]) -> Result<()> {
    let faults: Vec<_> = tried
        .iter()
        .map(|(fault, verdict)| {
            json!({"name": fault.name, "suites": fault.suites, "verdict": verdict.to_string()})
        })
        .collect();
    fs::create_dir_all(paths.out())?;
    let text = serde_json::to_string_pretty(&json!({"faults": faults}))?;
    Ok(fs::write(paths.out().join(FILE), text)?)
}

/// The last line.
fn sum(tried: &[(&Fault, Verdict)]) -> String {
    let count = |wanted: fn(&Verdict) -> bool| {
        let verdicts = tried.iter().map(|(_, verdict)| verdict);
        verdicts.filter(|verdict| wanted(verdict)).count()
    };
    format!(
        "{} killed, {} survived, {} never reached",
        count(|verdict| matches!(verdict, Verdict::Killed(_))),
        count(|verdict| matches!(verdict, Verdict::Survived)),
        count(|verdict| matches!(verdict, Verdict::NotReached)),
    )
}
