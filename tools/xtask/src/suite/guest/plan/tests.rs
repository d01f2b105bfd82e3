// SPDX-License-Identifier: GPL-2.0

use super::*;

/// The guests that names choose, with the labels of what they run.
fn planned(names: &str) -> Vec<(&'static str, Vec<String>)> {
    let labels = |stage: &Stage| -> Vec<String> {
        stage
            .suites
            .iter()
            .map(|suite| stage.label(suite))
            .collect()
    };
    plan(&Choice::of(names))
        .unwrap()
        .iter()
        .map(|guest| {
            (
                guest.machine.name,
                guest.stages.iter().flat_map(labels).collect(),
            )
        })
        .collect()
}

fn of(stage: &str, suites: &[&str]) -> Vec<String> {
    suites
        .iter()
        .map(|suite| format!("{stage}/{suite}"))
        .collect()
}

/// The suites that the test program is taken to have.
fn listed() -> Vec<String> {
    let all = everything();
    let stages = all.iter().flat_map(|guest| &guest.stages);
    let suites = stages.flat_map(|stage| stage.suites.clone());
    suites
        .filter(|suite| suite != RELOAD && kernel_tests::command(suite).is_none())
        .collect()
}

#[test]
fn everything_runs_in_guests_with_names_of_their_own() {
    let all = planned("");
    assert_eq!(all.len(), GUESTS.len() + 1);
    let labels: Vec<_> = all.iter().flat_map(|(_, labels)| labels).collect();
    for (at, label) in labels.iter().enumerate() {
        assert!(!labels[..at].contains(label), "{label}");
    }
    for suite in MEMORY_SUITES
        .iter()
        .chain(JOBS)
        .chain(LONG)
        .chain(LAST)
        .chain(SCANNED)
    {
        assert!(
            listed().iter().any(|it| it == suite) || *suite == RELOAD,
            "{suite}"
        );
    }
}

#[test]
fn a_suite_is_chosen_once_and_a_guest_or_a_stage_whole() {
    assert_eq!(planned("gem"), [("default", vec!["gem".to_owned()])]);
    assert_eq!(planned("mask32"), [("default", of("mask32", DATA))]);
    assert_eq!(planned("swiotlb/cs"), [("swiotlb", of("swiotlb", &["cs"]))]);
    assert_eq!(
        planned("hunt"),
        [("small-vram", of("small-vram", &["hunt"]))]
    );
    let (name, default) = &planned("default")[0];
    assert_eq!((*name, default.len()), ("default", DEFAULT_SUITES.len()));
}

#[test]
fn several_names_choose_together() {
    let expected = [
        (
            "default",
            vec![
                "gem".to_owned(),
                "moves".to_owned(),
                "coherent/gem".to_owned(),
            ],
        ),
        ("swiotlb", of("swiotlb", &["cs"])),
    ];
    assert_eq!(planned("moves swiotlb/cs,coherent/gem gem"), expected);
    // What is not a guest's is chosen elsewhere.
    assert_eq!(planned("cargo,gem").len(), 1);
    assert!(planned("kunit cargo").is_empty());
}

#[test]
fn a_group_has_suites_of_many_guests() {
    let memory = planned(MEMORY);
    let names: Vec<_> = memory.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"default") && names.contains(&"lowmem"));
    assert!(!names.contains(&"peers") && !names.contains(&kernel_tests::NAME));
    let labels: Vec<_> = memory.iter().flat_map(|(_, labels)| labels).collect();
    let has = |wanted: &str| labels.iter().any(|label| *label == wanted);
    assert!(has("evict") && has("coherent/evict") && has("small-vram/hunt"));
    assert!(!has("submit") && !has("unbind") && !has(RELOAD) && !has("two-gpus/lost"));

    let dmabuf = planned(DMABUF);
    let labels: Vec<_> = dmabuf.iter().flat_map(|(_, labels)| labels).collect();
    let about = |label: &String| is_dmabuf(label.rsplit('/').next().unwrap_or_default());
    assert!(labels.len() >= 4 && labels.iter().all(|label| about(label)));
}

#[test]
fn leaks_are_looked_for_where_a_suite_wants_it() {
    let scans = |names: &str| -> Vec<&str> {
        let plan = plan(&Choice::of(names)).unwrap();
        let scanned = plan.iter().filter(|guest| guest.machine.kmemleak);
        scanned.map(|guest| guest.machine.name).collect()
    };
    assert_eq!(scans(""), ["default", "lowmem"]);
    assert_eq!(scans("gem,reload"), ["default"]);
    assert!(scans("gem,lowmem/gem").is_empty());
}

#[test]
fn the_kernels_own_tests_run_on_the_plain_kernel_too_when_named() {
    let name = kernel_tests::NAME;
    assert_eq!(planned(name), [(name, of(name, kernel_tests::SUITES))]);
    let plain = plain(&Choice::of(name));
    let mut suites = plain.iter().flat_map(|guest| &guest.stages[0].suites);
    assert_eq!(plain.len(), 2);
    assert!(suites.all(|suite| kernel_tests::command(suite).is_some()));
    assert!(super::plain(&Choice::of("")).is_empty());
    assert!(super::plain(&Choice::of("gem")).is_empty());
}

#[test]
fn what_is_not_there_is_an_error_that_tells_what_is() {
    for wrong in ["nothing", "gem,nothing", "swiotlb/unbind", "nothing/gem"] {
        let error = plan(&Choice::of(wrong)).unwrap_err().to_string();
        let wrong = wrong.trim_start_matches("gem,");
        assert!(
            error.contains(&format!("there is no suite {wrong};")),
            "{error}"
        );
        for known in [
            "cargo", "kunit", MEMORY, DMABUF, "swiotlb", "mask32", "hunt", "evict",
        ] {
            assert!(error.contains(known), "{error}");
        }
    }
}

#[test]
fn a_test_is_run_where_it_is() {
    let listed = ["gem.create", "gem.close", "vm.create", "cs.run"].map(str::to_owned);
    let guests = || plan(&Choice::of("gem,vm,swiotlb/cs")).unwrap();
    let kept = with_test(guests(), &listed, "create").unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].stages[0].suites, ["gem", "vm"]);
    let error = with_test(guests(), &listed, "nothing")
        .unwrap_err()
        .to_string();
    assert!(error.contains("there is no test nothing"), "{error}");
    assert!(
        error.contains("gem.close") && error.contains("cs.run"),
        "{error}"
    );
}

#[test]
fn the_test_program_has_what_guests_run_and_no_more() {
    let mut listed = listed();
    check(&listed).unwrap();
    listed.push("new".to_owned());
    assert!(
        check(&listed)
            .unwrap_err()
            .to_string()
            .contains("no guest runs new")
    );
    listed.retain(|suite| suite != "new" && suite != "vm");
    assert!(
        check(&listed)
            .unwrap_err()
            .to_string()
            .contains("vm is to run")
    );
}

#[test]
fn stress_takes_what_has_a_long_form() {
    let stress = |names: &str| super::stress(&Choice::of(names));
    assert_eq!(stress("").unwrap().stages[0].suites, LONG);
    assert_eq!(stress("hunt").unwrap().stages[0].suites, ["hunt"]);
    assert!(stress("gem").is_err());
}
