// SPDX-License-Identifier: GPL-2.0

//! The names of the KUnit tests, out of their sources: the module that has them takes minutes to
//! build and to run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Where the suites are.
const FOLDER: &str = "tests/kunit";

/// Where documentation has examples that are tests.
const EXAMPLES: &str = "rust";

/// Makes a suite of those.
const DOCTESTS: &str = "tests/kunit/doctests.awk";

/// Returns all tests below a checkout, as `SUITE.TEST`.
pub(super) fn all(src: &Path) -> Result<Vec<String>> {
    let mut tests = of_source(&examples(src)?);
    for path in files(&src.join(FOLDER))? {
        tests.extend(of_source(&fs::read_to_string(&path)?));
    }
    tests.sort();
    Ok(tests)
}

/// The suite that the build makes of the examples.
fn examples(src: &Path) -> Result<String> {
    let mut awk = Command::new("awk");
    awk.arg("-v").arg(format!("root={}/", src.display()));
    awk.arg("-f").arg(src.join(DOCTESTS));
    let files = files(&src.join(EXAMPLES))?;
    awk.args(
        files
            .iter()
            .filter(|path| path.extension() == Some("rs".as_ref())),
    );
    let output = awk.output().context("cannot run awk")?;
    ensure!(
        output.status.success(),
        "{DOCTESTS}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![folder.to_owned()];
    let mut files = vec![];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder);
        let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let list = match path.is_dir() {
                true => &mut folders,
                false => &mut files,
            };
            list.push(path);
        }
    }
    Ok(files)
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
        let tests = all(&src).unwrap();
        assert!(tests.len() > 50);
        assert!(tests.iter().any(|test| test.starts_with("rgt_doctests.")));
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
