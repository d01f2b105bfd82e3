// SPDX-License-Identifier: GPL-2.0

use super::{Parser, Verdict};

fn parse(text: &str) -> Vec<(String, Verdict)> {
    let mut parser = Parser::default();
    let mut results: Vec<_> = text.lines().flat_map(|line| parser.line(line)).collect();
    results.extend(parser.finish());
    results
        .into_iter()
        .map(|result| (result.name, result.verdict))
        .collect()
}

fn named(name: &str, verdict: Verdict) -> (String, Verdict) {
    (name.to_owned(), verdict)
}

const KUNIT: &str = "\
KTAP version 1
1..2
    KTAP version 1
    # Subtest: placement
    # module: rust_gpu_ttm
    1..3
    ok 1 vram_first
    # falls_back: ASSERTION FAILED at placement/mod.rs:41
    Expected a == b to be true, but is false
    not ok 2 falls_back
    ok 3 hidden # SKIP no hidden memory
# placement: pass:1 fail:1 skip:1 total:3
not ok 1 placement
    KTAP version 1
    # Subtest: fence
    1..1
        KTAP version 1
        # Subtest: signals
        ok 1 once
        ok 2 twice
        1..2
    ok 1 signals
ok 2 fence
";

#[test]
fn nested_suites_give_their_leaves() {
    assert_eq!(
        parse(KUNIT),
        [
            named("placement.vram_first", Verdict::Pass),
            named("placement.falls_back", Verdict::Fail),
            named("placement.hidden", Verdict::Skip),
            named("fence.signals.once", Verdict::Pass),
            named("fence.signals.twice", Verdict::Pass),
        ]
    );
}

#[test]
fn a_failure_comes_with_what_was_said() {
    let mut parser = Parser::default();
    let failed = KUNIT
        .lines()
        .flat_map(|line| parser.line(line))
        .find(|result| result.verdict == Verdict::Fail)
        .unwrap();
    assert!(failed.said.contains("ASSERTION FAILED"));
    assert!(failed.said.contains("Expected a == b"));
}

#[test]
fn a_skipped_test_comes_with_the_reason() {
    let text = "TAP version 14\n1..2\n# chatter\nok 1 - a # SKIP no swap\nok 2 - b # skip\n";
    let mut parser = Parser::default();
    let results: Vec<_> = text.lines().flat_map(|line| parser.line(line)).collect();
    let said = |at: usize| (results[at].verdict, results[at].said.as_str());
    assert_eq!(said(0), (Verdict::Skip, "no swap"));
    assert_eq!(said(1), (Verdict::Skip, ""));
}

#[test]
fn a_crash_is_a_failure() {
    let upto = KUNIT.split("    ok 3").next().unwrap();
    let results = parse(upto);
    assert_eq!(
        results[2..],
        [
            named("placement.plan", Verdict::Fail),
            named("plan", Verdict::Fail)
        ]
    );
}

#[test]
fn flat_tap_has_plain_names() {
    assert_eq!(
        parse("TAP version 14\n1..2\nok 1 - create\n# size 0\nnot ok 2 - size zero\n"),
        [
            named("create", Verdict::Pass),
            named("size zero", Verdict::Fail)
        ]
    );
}

#[test]
fn nothing_is_a_failure() {
    assert_eq!(parse(""), [named("plan", Verdict::Fail)]);
    assert_eq!(parse("ok then\nnothing\n"), [named("plan", Verdict::Fail)]);
}

#[test]
fn a_missing_plan_is_a_failure() {
    assert_eq!(
        parse("TAP version 14\nok 1 - a\n"),
        [named("a", Verdict::Pass), named("plan", Verdict::Fail)]
    );
}

#[test]
fn several_documents_follow_each_other() {
    assert_eq!(
        parse("KTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..2\nok 1 b\n"),
        [
            named("a", Verdict::Pass),
            named("b", Verdict::Pass),
            named("plan", Verdict::Fail)
        ]
    );
}

#[test]
fn a_suite_that_fails_by_itself_is_named() {
    let text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n    ok 1 a\nnot ok 1 s\n";
    assert_eq!(
        parse(text),
        [named("s.a", Verdict::Pass), named("s", Verdict::Fail)]
    );
}

#[test]
fn a_test_with_parameters_needs_no_plan() {
    let begin =
        "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: t\n    ok 1 a\n    ok 2 b\n";
    let leaves = [named("t.a", Verdict::Pass), named("t.b", Verdict::Pass)];
    assert_eq!(parse(&format!("{begin}ok 1 t\n")), leaves);
    // Unless it ends in the middle.
    assert!(parse(begin).contains(&named("t.plan", Verdict::Fail)));
}
