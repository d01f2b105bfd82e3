// SPDX-License-Identifier: GPL-2.0

use super::*;

/// The plan for the suites that the test program has.
fn real() -> Plan {
    Plan::new(guest_tests::specs()).unwrap()
}

/// The guests that names choose.
pub(in super::super) fn chosen(names: &str) -> Vec<Assignment> {
    real().choose(&Choice::of(names)).unwrap()
}

/// The labels of a guest's suites.
fn labels(guest: &Assignment) -> Vec<String> {
    let of_stage = |stage: &Stage| -> Vec<String> {
        let suites = stage.suites.iter();
        suites.map(|suite| stage.label(&suite.name)).collect()
    };
    guest.stages.iter().flat_map(of_stage).collect()
}

/// The guests that names choose, with the labels of what they run.
fn planned(names: &str) -> Vec<(&'static str, Vec<String>)> {
    let guests = chosen(names);
    let planned = guests
        .iter()
        .map(|guest| (guest.machine.name, labels(guest)));
    planned.collect()
}

fn of(stage: &str, suites: &[&str]) -> Vec<String> {
    suites
        .iter()
        .map(|suite| format!("{stage}/{suite}"))
        .collect()
}

/// The names of all guests in which a suite of these requirements and tags runs.
fn homes(needs: &[Need], tags: &[Tag]) -> Result<Vec<String>> {
    let plan = Plan::new(vec![Spec::new("new", needs, tags)])?;
    let stages = plan.stages().filter(|stage| stage.has("new"));
    Ok(stages.map(|stage| stage.name.to_owned()).collect())
}

#[test]
fn a_suite_runs_where_its_requirements_are_met_first() {
    let first = |needs: &[Need]| homes(needs, &[]).unwrap();
    assert_eq!(first(&[]), ["default"]);
    assert_eq!(first(&[Need::LeakScan, Need::LastOfBoot]), ["default"]);
    assert_eq!(first(&[Need::SmallVram]), ["small-vram"]);
    assert_eq!(first(&[Need::Swap, Need::LeakScan]), ["lowmem"]);
    assert_eq!(first(&[Need::Iommu]), ["iommu"]);
    assert_eq!(first(&[Need::BounceBuffers]), ["swiotlb"]);
    assert_eq!(first(&[Need::TwoGpus, Need::NoPeerAccess]), ["two-gpus"]);
    assert_eq!(first(&[Need::Monitor]), ["two-gpus"]);
    assert_eq!(first(&[Need::PeerAccess]), ["peers"]);
    assert_eq!(first(&[Need::ThreeGpus, Need::Qxl]), ["peers"]);
}

#[test]
fn a_suite_runs_again_wherever_a_tag_is_taken_and_its_requirements_are_met() {
    let all = ["default", "coherent", "mask32", "swiotlb", "iommu"];
    assert_eq!(homes(&[], &[Tag::Memory, Tag::Dma]).unwrap(), all);
    let some = homes(&[Need::Iommu], &[Tag::Dma, Tag::Iommu]).unwrap();
    assert_eq!(some, ["iommu"]);
    let both = homes(&[], &[Tag::LowMemory, Tag::Iommu]).unwrap();
    assert_eq!(both, ["default", "iommu", "lowmem"]);
}

#[test]
fn a_suite_without_a_guest_is_an_error_of_the_plan() {
    let error = homes(&[Need::Swap, Need::Qxl], &[Tag::Dma]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no guest runs the suite new, which needs swap and qxl"
    );
}

#[test]
fn everything_runs_in_guests_with_names_of_their_own() {
    let plan = real();
    assert_eq!(plan.guests.len(), GUESTS.len() + 1);
    for stage in plan.stages() {
        assert!(!stage.suites.is_empty(), "{}", stage.name);
    }
    let labels: Vec<_> = plan.guests.iter().flat_map(labels).collect();
    for (at, label) in labels.iter().enumerate() {
        assert!(!labels[..at].contains(label), "{label}");
    }
    for suite in &plan.suites {
        assert!(plan.stages().any(|stage| stage.has(&suite.name)));
    }
}

#[test]
fn a_suite_is_chosen_once_and_a_guest_or_a_stage_whole() {
    assert_eq!(planned("gem"), [("default", vec!["gem".to_owned()])]);
    let dma = ["gem", "mmap", "cs", "userptr-dma", "zero", "evict"];
    assert_eq!(planned("mask32"), [("default", of("mask32", &dma))]);
    assert_eq!(planned("swiotlb/cs"), [("swiotlb", of("swiotlb", &["cs"]))]);
    assert_eq!(
        planned("stale-data"),
        [("small-vram", of("small-vram", &["stale-data"]))]
    );
    let (name, default) = &planned("default")[0];
    assert_eq!(*name, "default");
    assert!(default.len() > 20 && default.iter().all(|label| !label.contains('/')));
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
    // Tests without a guest are chosen elsewhere.
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
    assert!(has("evict") && has("coherent/evict") && has("small-vram/stale-data"));
    assert!(!has("submit") && !has("unbind") && !has(RELOAD) && !has("peers/lost"));

    let dmabuf = planned(DMABUF);
    let labels: Vec<_> = dmabuf.iter().flat_map(|(_, labels)| labels).collect();
    let about = |label: &String| {
        let suite = label.rsplit('/').next();
        suite.is_some_and(|suite| suite.starts_with(DMABUF))
    };
    assert!(labels.len() >= 4 && labels.iter().all(|label| about(label)));
}

#[test]
fn a_group_has_the_suite_of_its_name_wherever_that_runs() {
    let default = [
        "userptr",
        "userptr-dma",
        "coherent/userptr-dma",
        "mask32/userptr-dma",
    ];
    let expected = [
        ("default", default.map(str::to_owned).to_vec()),
        ("swiotlb", of("swiotlb", &["userptr-dma"])),
        ("iommu", of("iommu", &["userptr", "userptr-dma"])),
        ("lowmem", of("lowmem", &["userptr-swap"])),
    ];
    assert_eq!(planned(USERPTR), expected);
    // One of them alone.
    let expected = [("default", vec!["userptr".to_owned()])];
    assert_eq!(planned("default/userptr"), expected);
}

#[test]
fn leaks_are_looked_for_where_a_suite_wants_it() {
    let scans = |names: &str| -> Vec<&str> {
        let guests = chosen(names);
        let scanned = guests.iter().filter(|guest| guest.machine.kmemleak);
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
    assert!(suites.all(|suite| kernel_tests::command(&suite.name).is_some()));
    assert!(super::plain(&Choice::of("")).is_empty());
    assert!(super::plain(&Choice::of("gem")).is_empty());
}

#[test]
fn what_is_not_there_is_an_error_that_tells_what_is() {
    for wrong in ["nothing", "gem,nothing", "swiotlb/unbind", "nothing/gem"] {
        let error = real().choose(&Choice::of(wrong)).unwrap_err().to_string();
        let wrong = wrong.trim_start_matches("gem,");
        assert!(
            error.contains(&format!("there is no suite {wrong};")),
            "{error}"
        );
        for known in [
            "cargo",
            "kunit",
            MEMORY,
            DMABUF,
            "swiotlb",
            "mask32",
            "stale-data",
            "evict",
        ] {
            assert!(error.contains(known), "{error}");
        }
    }
}

#[test]
fn a_test_is_run_where_it_is() {
    let listed = ["gem.create", "gem.close", "vm.create", "cs.run"].map(str::to_owned);
    let guests = || chosen("gem,vm,swiotlb/cs");
    let kept = with_test(guests(), &listed, "create").unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(labels(&kept[0]), ["gem", "vm"]);
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
fn stress_takes_what_has_a_long_form() {
    let stress = |names: &str| -> Result<Vec<Vec<String>>> {
        let guests = real().stress(&Choice::of(names))?;
        Ok(guests.iter().map(labels).collect())
    };
    let [default, iommu] = &stress("").unwrap()[..] else {
        panic!("not two guests")
    };
    assert_eq!(
        *default,
        [
            "vm",
            "userptr",
            "racing",
            "overcommit",
            "stale-data",
            "submit",
            "fuzz",
            "stress-ng",
            "trinity",
            "inject-device",
            "runtime-pm",
            "power",
            "soak",
            "unplug"
        ]
    );
    assert_eq!(*iommu, ["iommu/device-fuzz"]);
    assert_eq!(stress("stale-data").unwrap(), [["stale-data"]]);
    assert_eq!(stress("device-fuzz").unwrap(), [["iommu/device-fuzz"]]);
    assert!(stress("gem").is_err());
    let time = Duration::from_secs(86400);
    let [soak] = &real().soak(time).unwrap()[..] else {
        panic!("not one guest")
    };
    assert_eq!(labels(soak), ["soak"]);
    assert!(soak.machine.limit > time);
}
