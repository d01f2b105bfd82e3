// SPDX-License-Identifier: GPL-2.0

//! Reading what `cargo test` prints.

use std::mem::take;

pub(super) use crate::ktap::Result;
use crate::ktap::Verdict;

/// The state between lines.
#[derive(Default)]
pub(super) struct Parser {
    /// The test program that runs.
    program: Option<String>,
    /// The tests of it that failed, waiting for what they said.
    failed: Vec<Result>,
    /// Which of them is speaking.
    speaking: Option<usize>,
}

impl Parser {
    /// Takes a line, and gives the results that it brings.
    pub(super) fn line(&mut self, line: &str) -> Vec<Result> {
        if let Some(program) = started(line) {
            let results = self.finish();
            self.program = Some(program);
            return results;
        }
        let Some(program) = &self.program else {
            return vec![];
        };
        if let Some((name, verdict, why)) = parse_result(line) {
            let result = Result {
                name: format!("{program}: {name}"),
                verdict,
                said: why.to_owned(),
            };
            if verdict != Verdict::Fail {
                return vec![result];
            }
            self.failed.push(result);
        } else if line.starts_with("test result: ") {
            self.program = None;
            return self.failures();
        } else if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            let name = format!("{program}: {name}");
            self.speaking = self.failed.iter().position(|result| result.name == name);
        } else if line == "failures:" {
            self.speaking = None;
        } else if let Some(speaking) = self.speaking {
            let said = &mut self.failed[speaking].said;
            said.push_str(line);
            said.push('\n');
        }
        vec![]
    }

    /// Takes the end; a program that has not summed up has crashed.
    pub(super) fn finish(&mut self) -> Vec<Result> {
        let mut results = self.failures();
        if let Some(program) = self.program.take() {
            results.push(Result {
                name: program,
                verdict: Verdict::Fail,
                said: "the test program ended early".to_owned(),
            });
        }
        results
    }

    fn failures(&mut self) -> Vec<Result> {
        self.speaking = None;
        take(&mut self.failed)
    }
}

/// The program's name, if the line says that one starts.
fn started(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} documentation"));
    }
    let (_, path) = line.strip_prefix("Running ")?.rsplit_once('(')?;
    let file = path.strip_suffix(')')?.rsplit('/').next()?;
    Some(
        file.rsplit_once('-')
            .map_or(file, |(name, _hash)| name)
            .to_owned(),
    )
}

/// The name, the verdict, and why it was left out if it was.
fn parse_result(line: &str) -> Option<(&str, Verdict, &str)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let (verdict, why) = match verdict {
        "ok" => (Verdict::Pass, ""),
        "FAILED" => (Verdict::Fail, ""),
        other => {
            let why = other.strip_prefix("ignored")?;
            (Verdict::Skip, why.strip_prefix(", ").unwrap_or("ignored"))
        }
    };
    Some((name, verdict, why))
}

#[cfg(test)]
mod tests {
    use super::{Parser, Result, Verdict};

    const OUTPUT: &str = "\
   Compiling softgpu v0.1.0 (/src/softgpu)
     Running unittests src/lib.rs (/cache/target/debug/deps/softgpu-0123456789abcdef)

running 3 tests
test mmu::walks ... ok
test ring::wraps ... FAILED
test fuzz::long ... ignored, takes an hour

failures:

---- ring::wraps stdout ----
thread 'ring::wraps' panicked at softgpu/src/ring.rs:9:1:
assertion failed

failures:
    ring::wraps

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
   Doc-tests softgpu

running 1 test
test softgpu/src/lib.rs - (line 3) ... ok

test result: ok. 1 passed; 0 failed
";

    fn parse(text: &str) -> Vec<Result> {
        let mut parser = Parser::default();
        let mut results: Vec<_> = text.lines().flat_map(|line| parser.line(line)).collect();
        results.extend(parser.finish());
        results
    }

    #[test]
    fn every_test_has_its_line() {
        let results = parse(OUTPUT);
        let seen: Vec<_> = results
            .iter()
            .map(|r| (r.name.as_str(), r.verdict))
            .collect();
        assert_eq!(
            seen,
            [
                ("softgpu: mmu::walks", Verdict::Pass),
                ("softgpu: fuzz::long", Verdict::Skip),
                ("softgpu: ring::wraps", Verdict::Fail),
                (
                    "softgpu documentation: softgpu/src/lib.rs - (line 3)",
                    Verdict::Pass
                ),
            ]
        );
        assert_eq!(results[1].said, "takes an hour");
        assert!(results[2].said.contains("assertion failed"));
        assert!(!results[2].said.contains("failures:"));
    }

    #[test]
    fn a_crash_is_a_failure() {
        let upto = OUTPUT.split("test ring").next().unwrap();
        let results = parse(upto);
        assert_eq!(results.len(), 2);
        assert_eq!(
            (results[1].name.as_str(), results[1].verdict),
            ("softgpu", Verdict::Fail)
        );
    }
}
