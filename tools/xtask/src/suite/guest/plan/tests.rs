// SPDX-License-Identifier: GPL-2.0

use super::*;

/// What the test program is taken to have.
fn listed() -> Vec<String> {
    let mut names: Vec<&str> = GUESTS
        .iter()
        .flat_map(|(_, suites)| *suites)
        .copied()
        .collect();
    names.extend(MEMORY_SUITES);
    names.extend(ELSEWHERE);
    names.extend(["unbind", DMABUF]);
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn planned(only: Option<&str>) -> Vec<(&'static str, Vec<String>)> {
    let plan = plan(&listed(), only).unwrap();
    plan.into_iter()
        .map(|guest| (guest.machine.name, guest.suites))
        .collect()
}

#[test]
fn the_default_guest_runs_all_but_what_needs_another_one() {
    let plan = planned(None);
    let (name, suites) = &plan[0];
    assert_eq!(*name, "default");
    assert!(
        ELSEWHERE
            .iter()
            .all(|suite| !suites.iter().any(|it| it == suite))
    );
    assert_eq!(suites.len(), listed().len() - ELSEWHERE.len() + 1);
    assert_eq!(suites.last().unwrap(), RELOAD);
    assert_eq!(plan.len(), GUESTS.len() + 1);
}

#[test]
fn every_suite_that_needs_a_guest_has_one() {
    for suite in ELSEWHERE {
        assert!(
            GUESTS.iter().any(|(_, suites)| suites.contains(suite)),
            "{suite}"
        );
    }
}

#[test]
fn a_suite_is_chosen_once_and_a_guest_whole() {
    assert_eq!(planned(Some("gem")), [("default", vec!["gem".to_owned()])]);
    assert_eq!(
        planned(Some("mask32")),
        [("mask32", DATA.iter().map(|it| (*it).to_owned()).collect())]
    );
    assert_eq!(
        planned(Some("swiotlb/cs")),
        [("swiotlb", vec!["cs".to_owned()])]
    );
    for suite in ELSEWHERE {
        assert_eq!(planned(Some(suite)).len(), 1, "{suite}");
    }
}

#[test]
fn a_group_has_suites_of_many_guests() {
    let memory = planned(Some(MEMORY));
    let names: Vec<_> = memory.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"default") && names.contains(&"lowmem"));
    assert!(names.contains(&"more") && !names.contains(&"peers"));
    assert!(!names.contains(&kernel_tests::NAME));
    assert!(
        !memory
            .iter()
            .any(|(_, suites)| suites.iter().any(|it| JOBS.contains(&it.as_str())))
    );
    assert!(
        !memory[0]
            .1
            .iter()
            .any(|suite| suite == "unbind" || suite == RELOAD)
    );

    let dmabuf = planned(Some(DMABUF));
    let suites: Vec<_> = dmabuf.iter().flat_map(|(_, suites)| suites).collect();
    assert!(suites.len() >= 4 && suites.iter().all(|suite| suite.starts_with(DMABUF)));
}

#[test]
fn the_kernels_own_tests_run_on_the_plain_kernel_too_when_named() {
    let only = Some(kernel_tests::NAME);
    let suites: Vec<_> = kernel_tests::SUITES
        .iter()
        .map(|it| it.to_string())
        .collect();
    assert_eq!(planned(only), [(kernel_tests::NAME, suites)]);
    let plain: Vec<_> = plain(only).into_iter().flat_map(|it| it.suites).collect();
    assert!(!plain.is_empty());
    assert!(
        plain
            .iter()
            .all(|suite| kernel_tests::command(suite).is_some())
    );
    assert!(super::plain(None).is_empty() && super::plain(Some("gem")).is_empty());
}

#[test]
fn the_kernels_own_tests_are_there_wherever_they_are_chosen() {
    for only in [
        kernel_tests::NAME,
        "kernel-tests/kunit-dma-buf",
        "selftest-heaps",
    ] {
        assert!(kernel_tests::are_chosen(Some(only)), "{only}");
        assert!(plan(&listed(), Some(only)).is_ok(), "{only}");
    }
    assert!(kernel_tests::are_chosen(None));
    assert!(!kernel_tests::are_chosen(Some("gem")));
}

#[test]
fn what_is_not_there_is_an_error() {
    let error = plan(&listed(), Some("nothing")).unwrap_err().to_string();
    assert!(error.contains("there is no suite nothing"), "{error}");
    assert!(error.contains("swiotlb"), "{error}");
    assert!(plan(&listed(), Some("swiotlb/unbind")).is_err());
    assert!(plan(&["gem".to_owned()], None).is_err());
}

#[test]
fn stress_takes_what_has_a_long_form() {
    assert_eq!(stress(None).unwrap().suites, LONG);
    assert_eq!(stress(Some("hunt")).unwrap().suites, ["hunt"]);
    assert!(stress(Some("gem")).is_err());
}
