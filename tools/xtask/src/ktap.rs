// SPDX-License-Identifier: GPL-2.0

//! Reading KTAP as it comes: the kernel's nested results, and plain TAP.

use std::mem::take;

/// How many lines are kept for a result that may fail.
const KEPT: usize = 60;

/// The verdict on a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It did not apply.
    Skip,
}

/// A test's result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Result {
    /// The test's name, with those of the suites around it in front.
    pub(crate) name: String,
    /// Its verdict.
    pub(crate) verdict: Verdict,
    /// Why it was skipped, or else what was said before the result.
    pub(crate) said: String,
}

#[derive(Default)]
struct Level {
    name: Option<String>,
    plan: Option<usize>,
    seen: usize,
    failed: bool,
}

/// The state between lines.
#[derive(Default)]
pub(crate) struct Parser {
    levels: Vec<Level>,
    said: Vec<String>,
}

impl Parser {
    /// Takes a line, and gives the results that it brings.
    pub(crate) fn line(&mut self, line: &str) -> Vec<Result> {
        let text = line.trim_start();
        let depth = (line.len() - text.len()) / 4;
        if text.starts_with("KTAP version ") || text.starts_with("TAP version ") {
            let results = self.close(depth);
            self.open(depth);
            return results;
        }
        if let Some(name) = text.strip_prefix("# Subtest: ") {
            let results = self.close(depth + 1);
            self.open(depth);
            self.levels[depth].name = Some(name.trim().to_owned());
            self.said.clear();
            return results;
        }
        if let Some(plan) = text.strip_prefix("1..").and_then(leading_number) {
            self.open(depth);
            self.levels[depth].plan = Some(plan);
            return vec![];
        }
        if let Some((ok, name)) = parse_result(text) {
            return self.result(depth, ok, name);
        }
        if !self.levels.is_empty() && self.said.len() < KEPT {
            self.said.push(text.to_owned());
        }
        vec![]
    }

    /// Takes the end, and gives the results for what is missing.
    pub(crate) fn finish(&mut self) -> Vec<Result> {
        if self.levels.is_empty() {
            return vec![Result {
                name: "plan".to_owned(),
                verdict: Verdict::Fail,
                said: "no test reported anything".to_owned(),
            }];
        }
        self.close(0)
    }

    fn open(&mut self, depth: usize) {
        while self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
    }

    /// Ends the levels from `depth` on; one without all its results fails.
    fn close(&mut self, depth: usize) -> Vec<Result> {
        let mut results = vec![];
        while self.levels.len() > depth {
            let prefix = self.prefix(self.levels.len());
            let Some(level) = self.levels.pop() else {
                break;
            };
            if level.plan == Some(level.seen) {
                continue;
            }
            let planned = level
                .plan
                .map_or("an unknown number of".to_owned(), |plan| plan.to_string());
            let said = format!("{} of {planned} results came", level.seen);
            let said = [take(&mut self.said).join("\n"), said].join("\n");
            if let Some(parent) = self.levels.last_mut() {
                parent.failed = true;
            }
            results.push(Result {
                name: format!("{prefix}plan"),
                verdict: Verdict::Fail,
                said: said.trim().to_owned(),
            });
        }
        results
    }

    fn result(&mut self, depth: usize, ok: bool, text: &str) -> Vec<Result> {
        let nested = self.levels.len() > depth + 1;
        let below_failed = self.levels.get(depth + 1).is_some_and(|level| level.failed);
        // KUnit does not plan how often it repeats a test with other parameters; that it tells of
        // the test itself is the end of them.
        if let Some(level) = self.levels.get_mut(depth + 1)
            && level.seen != 0
        {
            level.plan.get_or_insert(level.seen);
        }
        let mut results = self.close(depth + 1);
        let below_failed = below_failed || !results.is_empty();
        self.open(depth);
        let (name, directive) = match text.split_once(" # ") {
            Some((name, directive)) => (name, directive),
            None => (text, ""),
        };
        let (verdict, skipped) = match (ok, skip_reason(directive)) {
            (_, Some(reason)) => (Verdict::Skip, reason),
            (true, None) => (Verdict::Pass, ""),
            (false, None) => (Verdict::Fail, ""),
        };
        let prefix = self.prefix(depth + 1);
        let level = &mut self.levels[depth];
        level.seen += 1;
        level.failed |= verdict == Verdict::Fail;
        let mut said = take(&mut self.said).join("\n");
        if verdict == Verdict::Skip {
            said = skipped.to_owned();
        }
        // A suite's own result says nothing new, unless only itself failed.
        if !nested || (verdict == Verdict::Fail && !below_failed) {
            results.push(Result {
                name: format!("{prefix}{}", name.trim()),
                verdict,
                said,
            });
        }
        results
    }

    /// The names of the first `depth` levels.
    fn prefix(&self, depth: usize) -> String {
        self.levels
            .iter()
            .take(depth)
            .filter_map(|level| level.name.as_deref())
            .map(|name| format!("{name}."))
            .collect()
    }
}

/// The reason after the word `SKIP`, if a directive is one.
fn skip_reason(directive: &str) -> Option<&str> {
    let (word, reason) = directive.split_at_checked(4)?;
    word.eq_ignore_ascii_case("skip").then(|| reason.trim())
}

fn leading_number(text: &str) -> Option<usize> {
    text.split_whitespace().next()?.parse().ok()
}

/// Splits `ok 3 - name # SKIP why` into the verdict and the rest.
fn parse_result(text: &str) -> Option<(bool, &str)> {
    let (ok, rest) = match text.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok ")?),
    };
    let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
    number.parse::<usize>().ok()?;
    Some((ok, name.trim_start().strip_prefix("- ").unwrap_or(name)))
}

#[cfg(test)]
mod tests;
