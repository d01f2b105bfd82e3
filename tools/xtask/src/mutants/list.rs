// SPDX-License-Identifier: GPL-2.0

//! The faults of tools/mutants, and the suites that could see them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use super::tree;
use crate::paths::Paths;

/// The table of suites, below the checkout.
const SUITES: &str = "tools/mutants/suites";
/// Stands before a fault's name in the patch.
const MACRO: &str = "mutant(";

/// A fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    /// The suites that could see it.
    pub(super) suites: Vec<String>,
}

/// Reads them, in the order of the patch.
pub(super) fn read(paths: &Paths) -> Result<Vec<Fault>> {
    let read = |file: &str| {
        fs::read_to_string(paths.src.join(file)).with_context(|| format!("cannot read {file}"))
    };
    parse(&read(tree::PATCH)?, &read(SUITES)?)
}

fn parse(patch: &str, suites: &str) -> Result<Vec<Fault>> {
    let mut faults: Vec<Fault> = vec![];
    for name in names(patch) {
        if faults.iter().any(|fault| fault.name == name) {
            bail!("{name} is two faults");
        }
        faults.push(Fault {
            name: name.to_owned(),
            suites: suites_of(name, suites)?,
        });
    }
    Ok(faults)
}

/// The names in what a patch adds.
fn names(patch: &str) -> impl Iterator<Item = &str> {
    let added = patch.lines().filter(|line| line.starts_with('+'));
    // Not where the macro is made or told of.
    let uses = added.filter(|line| !line.contains("#define") && !line.contains(" * "));
    uses.flat_map(|line| line.split(MACRO).skip(1))
        .filter_map(|rest| rest.split(')').next())
}

/// The suites of the longest beginning of a name.
fn suites_of(name: &str, table: &str) -> Result<Vec<String>> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let found = rows
        .filter_map(|row| row.split_once(char::is_whitespace))
        .filter(|(beginning, _)| name.starts_with(beginning))
        .max_by_key(|(beginning, _)| beginning.len());
    let (_, suites) = found.with_context(|| format!("{SUITES} has no suites for {name}"))?;
    Ok(suites.split_whitespace().map(str::to_owned).collect())
}

/// Returns the faults with these names, all of them if there are no names.
pub(super) fn choose(faults: Vec<Fault>, names: &[String]) -> Result<Vec<Fault>> {
    for name in names {
        if !faults.iter().any(|fault| fault.name == *name) {
            let known: Vec<_> = faults.iter().map(|fault| fault.name.as_str()).collect();
            bail!("there is no fault {name}; there are {}", known.join(", "));
        }
    }
    let wanted = |fault: &Fault| names.is_empty() || names.contains(&fault.name);
    Ok(faults.into_iter().filter(wanted).collect())
}

/// All suites of some faults, each once.
pub(super) fn suites(faults: &[Fault]) -> Vec<String> {
    let all: BTreeSet<_> = faults.iter().flat_map(|fault| &fault.suites).collect();
    all.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{SUITES, choose, parse, suites};
    use crate::mutants::tree::PATCH;

    const TEXT: &str = "\
--- a/x.c
+++ b/x.c
+ * mutant() - Whether a fault is made here
+#define mutant(name) (mutant_is(#name))
-\tif (mutant(no_more))
+\tif (a && !mutant(pool_first))
+\t\tb = mutant(pool_second_one) ? 1 : mutant(walk) ? 2 : 3;
";
    const TABLE: &str = "# begins\nwalk\troom\npool_ gem zero\npool_second\tmmap\n";

    #[test]
    fn a_fault_has_the_suites_of_the_longest_beginning() {
        let faults = parse(TEXT, TABLE).unwrap();
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (fault.name.as_str(), fault.suites.join(" ")))
            .collect();
        let wanted = [
            ("pool_first", "gem zero"),
            ("pool_second_one", "mmap"),
            ("walk", "room"),
        ];
        assert_eq!(
            found,
            wanted.map(|(name, suites)| (name, suites.to_owned()))
        );
        assert_eq!(suites(&faults), ["gem", "mmap", "room", "zero"]);
        assert!(parse(TEXT, "walk room\n").is_err());
    }

    #[test]
    fn a_name_that_is_none_is_told() {
        let faults = || parse(TEXT, TABLE).unwrap();
        assert_eq!(choose(faults(), &[]).unwrap().len(), 3);
        assert_eq!(choose(faults(), &["walk".to_owned()]).unwrap().len(), 1);
        assert!(choose(faults(), &["wlak".to_owned()]).is_err());
    }

    #[test]
    fn all_faults_have_suites() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |file| fs::read_to_string(src.join(file)).unwrap();
        assert!(parse(&read(PATCH), &read(SUITES)).unwrap().len() > 55);
    }
}
