// SPDX-License-Identifier: GPL-2.0

use std::process::ExitCode;
use std::time::Duration;

use super::{Manner, Report, closing, times};
use crate::ktap::{self, Verdict};

fn result(name: &str, verdict: Verdict, said: &str) -> ktap::Result {
    ktap::Result {
        name: name.to_owned(),
        verdict,
        said: said.to_owned(),
    }
}

fn report(whole: bool) -> Report {
    Report::new(Manner {
        whole,
        ..Manner::default()
    })
}

/// The file that a report leaves.
fn close(report: &Report) -> (ExitCode, serde_json::Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out/test.json");
    report.end();
    let code = report.close(Some(&path)).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    (code, serde_json::from_str(&text).unwrap())
}

#[test]
fn a_skipped_test_is_neither_passed_nor_failed() {
    let report = report(false);
    report.fact("kernel", "debug");
    report.test(
        "gem",
        result("gem.create", Verdict::Pass, "chatter"),
        Some(Duration::from_millis(1500)),
    );
    report.test(
        "lowmem/pressure",
        result("pressure.all", Verdict::Skip, "no swap"),
        None,
    );
    let (code, json) = close(&report);
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(json["kernel"], "debug");
    let sum = ["passed", "failed", "skipped"].map(|name| json[name].as_u64().unwrap());
    assert_eq!(sum, [1, 0, 1]);
    let tests = &json["tests"];
    assert_eq!(tests[0]["seconds"], 1.5);
    assert_eq!(
        (&tests[0]["why"], &tests[0]["guest"]),
        (&"".into(), &None::<u8>.into())
    );
    assert_eq!(tests[1]["verdict"], "skipped");
    assert_eq!(tests[1]["guest"], "lowmem");
    assert_eq!(tests[1]["suite"], "pressure");
    assert_eq!(tests[1]["why"], "no swap");
}

#[test]
fn a_failure_names_its_suspects_right_before_the_sum() {
    let report = report(false);
    report.suspect(Some("qemu 11.2.0".to_owned()));
    report.test("gem", result("gem.create", Verdict::Pass, ""), None);
    assert_eq!(closing(&report.state()), ["1 passed, 0 failed, 0 skipped"]);
    report.fail("gem", "gem.close", "no");
    assert_eq!(
        closing(&report.state()),
        ["qemu 11.2.0", "1 passed, 1 failed, 0 skipped"]
    );
}

#[test]
fn nothing_but_skips_is_no_success() {
    let report = report(false);
    report.test("gem", result("gem.create", Verdict::Skip, ""), None);
    assert_eq!(close(&report).0, ExitCode::FAILURE);
}

#[test]
fn what_is_skipped_wherever_it_runs_fails_a_whole_run() {
    for (whole, elsewhere, failed) in [
        (true, Verdict::Skip, 1),
        (true, Verdict::Pass, 0),
        (true, Verdict::Fail, 1),
        (false, Verdict::Skip, 0),
    ] {
        let report = report(whole);
        report.test("gem", result("gem.other", Verdict::Pass, ""), None);
        report.test("pressure", result("swap", Verdict::Skip, "no swap"), None);
        report.test("lowmem/pressure", result("swap", elsewhere, "none"), None);
        let (code, json) = close(&report);
        assert_eq!(json["failed"], failed, "{whole} {elsewhere:?}");
        assert_eq!(code == ExitCode::SUCCESS, failed == 0);
    }
}

#[test]
fn the_kernels_own_tests_may_leave_out_what_they_like() {
    let report = report(true);
    report.test("gem", result("gem.other", Verdict::Pass, ""), None);
    let left_out = result("page", Verdict::Skip, "no hugetlb");
    report.test("kernel-tests/selftest-udmabuf", left_out, None);
    assert_eq!(close(&report).1["failed"], 0);
}

#[test]
fn what_a_test_counts_is_in_the_report() {
    let report = report(false);
    let said = "it begins\n# counted 57 failures\n# counted many things\n# counted 2 whole rounds";
    report.test("inject", result("inject.probe", Verdict::Pass, said), None);
    let counted = &close(&report).1["tests"][0]["counted"];
    assert_eq!(
        *counted,
        serde_json::json!({"failures": 57, "whole rounds": 2})
    );
}

#[test]
fn the_longest_comes_first_and_boots_add_up() {
    let report = report(false);
    report.test("gem", result("gem.create", Verdict::Pass, ""), None);
    report.guest_took("lowmem", Duration::from_secs(9));
    report.guest_took("default", Duration::from_secs(5));
    report.guest_took("default", Duration::from_secs(6));
    report.suite_took("gem", Duration::from_secs(3));
    let (_, json) = close(&report);
    assert_eq!(
        times(&report.state()),
        [
            "time guest    11.0 s  default (2 boots)",
            "time guest     9.0 s  lowmem",
            "time suite     3.0 s  gem"
        ]
    );
    assert_eq!(json["guests"][0]["boots"], 2);
    assert_eq!(json["suites"][0]["seconds"], 3.0);
}
