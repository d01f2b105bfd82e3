// SPDX-License-Identifier: GPL-2.0

//! The names of the KUnit tests, out of their sources: the module that has them takes minutes to
//! build and to run.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Where the suites are.
const FOLDER: &str = "tests/kunit";

/// Returns all tests below a checkout, as `SUITE.TEST`.
pub(super) fn all(src: &Path) -> Result<Vec<String>> {
    let mut folders = vec![src.join(FOLDER)];
    let mut tests = vec![];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder);
        let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                tests.extend(of_source(&fs::read_to_string(&path)?));
            }
        }
    }
    tests.sort();
    Ok(tests)
}

/// The tests of one file.
fn of_source(text: &str) -> Vec<String> {
    let (mut suite, mut is_test) = (None, false);
    let mut tests = vec![];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[kunit_tests(") {
            suite = name.strip_suffix(")]");
        } else if line == "#[test]" {
            is_test = true;
        } else if let Some(name) = line.strip_prefix("fn ") {
            let name = name.split('(').next();
            if let (true, Some(suite), Some(name)) = (is_test, suite, name) {
                tests.push(format!("{suite}.{name}"));
            }
            is_test = false;
        }
    }
    tests
}

/// The glob for all tests called `wanted`, or the test, or the suite of that name. A name that is
/// none is an error.
pub(super) fn glob(tests: &[String], wanted: &str) -> Result<String> {
    let mut parts = tests.iter().filter_map(|test| test.split_once('.'));
    if tests.iter().any(|test| test == wanted) || parts.clone().any(|(suite, _)| suite == wanted) {
        return Ok(wanted.to_owned());
    }
    if parts.any(|(_, test)| test == wanted) {
        return Ok(format!("*.{wanted}"));
    }
    bail!(
        "there is no KUnit test {wanted}; there are {}",
        tests.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{all, glob, of_source};

    const SOURCE: &str = "\
fn helper() {}
#[kunit_tests(rgt_placement)]
mod tests {
    #[test]
    fn vram_first() -> Result {
    fn inner() {}
    #[test]
    #[cfg(CONFIG_X)]
    fn falls_back() {
";

    #[test]
    fn tests_are_found_in_a_source() {
        let expected = ["rgt_placement.vram_first", "rgt_placement.falls_back"];
        assert_eq!(of_source(SOURCE), expected);
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(all(&src).unwrap().len() > 50);
    }

    #[test]
    fn a_name_is_that_of_tests_or_of_a_suite() {
        let tests = of_source(SOURCE);
        let glob = |wanted| glob(&tests, wanted);
        assert_eq!(glob("falls_back").unwrap(), "*.falls_back");
        assert_eq!(glob("rgt_placement").unwrap(), "rgt_placement");
        let one = "rgt_placement.vram_first";
        assert_eq!(glob(one).unwrap(), one);
        let error = glob("helper").unwrap_err().to_string();
        assert!(
            error.contains("no KUnit test helper") && error.contains(one),
            "{error}"
        );
    }
}
