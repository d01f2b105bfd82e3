// SPDX-License-Identifier: GPL-2.0

//! The suites, in the order in which they run.

mod bus_errors;
mod cgroup;
mod clients;
mod cs;
mod device_fuzz;
mod dmabuf;
mod evict;
mod fair;
mod faults;
mod fuzz;
mod gem;
mod gpus;
mod inject;
mod iommu;
mod isolation;
mod leak;
mod lost;
mod madvise;
mod mmap;
mod moves;
mod observe;
mod others;
mod overcommit;
mod placement;
mod policy;
mod power;
mod pressure;
mod query;
mod racing;
mod reset;
mod room;
mod runtime_pm;
mod scratchpad;
mod soak;
mod stale_data;
mod submit;
mod unbind;
mod unplug;
mod userptr;
mod vm;
mod wait;
mod zero;

use std::process::ExitCode;

use crate::harness::{Outcome, Suite, say};

/// All suites.
pub(crate) const ALL: &[Suite] = &[
    query::SUITE,
    gem::SUITE,
    mmap::SUITE,
    wait::SUITE,
    vm::SUITE,
    cs::SUITE,
    userptr::SUITE,
    userptr::SWAPPED,
    userptr::DMA,
    zero::SUITE,
    clients::SUITE,
    placement::SUITE,
    scratchpad::SUITE,
    faults::SUITE,
    evict::SUITE,
    moves::SUITE,
    racing::SUITE,
    room::SUITE,
    room::IN_MEMORY,
    overcommit::SUITE,
    stale_data::SUITE,
    isolation::SUITE,
    submit::SUITE,
    fair::SUITE,
    gpus::SUITE,
    dmabuf::SUITE,
    dmabuf::P2P,
    dmabuf::NO_P2P,
    dmabuf::THREE,
    dmabuf::QXL,
    dmabuf::BOUNCED,
    iommu::SUITE,
    bus_errors::SUITE,
    lost::SUITE,
    policy::SUITE,
    cgroup::SUITE,
    madvise::SUITE,
    pressure::SUITE,
    leak::SUITE,
    fuzz::SUITE,
    others::STRESS_NG,
    others::TRINITY,
    // Before those that unbind the device: TTM leaks a little each time the last one goes.
    inject::SUITE,
    inject::BACKUP,
    inject::DEVICE,
    observe::SUITE,
    runtime_pm::SUITE,
    power::SUITE,
    power::HIBERNATION,
    soak::SUITE,
    reset::SUITE,
    device_fuzz::SUITE,
    unbind::SUITE,
    unplug::SUITE,
];

/// Runs a helper: what a test starts as another process.
pub(crate) fn help(name: &str, arguments: &[&str]) -> ExitCode {
    let outcome: Outcome = match name {
        leak::QUITTER => leak::quit(arguments),
        clients::WORKER => clients::work(arguments),
        observe::HOLDER => observe::hold(),
        zero::DIRTIER => zero::dirty(),
        overcommit::WORKER => overcommit::work(arguments),
        stale_data::FILLER => stale_data::fill(arguments),
        submit::SUBMITTER => submit::work(arguments),
        submit::PARTNER => submit::take_part(arguments),
        submit::INTERRUPTED => submit::run_jobs(arguments),
        submit::LATE => submit::be_late(arguments),
        dmabuf::GIVER => dmabuf::give(arguments),
        dmabuf::IMPORTER => dmabuf::import(arguments),
        fuzz::CALLER => fuzz::run(arguments),
        fuzz::ATTACKER => fuzz::attack(arguments),
        device_fuzz::USER => device_fuzz::use_it(arguments),
        device_fuzz::ATTACKER => device_fuzz::attack_it(arguments),
        fair::CALLER => fair::call(arguments),
        fair::HOARDER => fair::hoard(arguments),
        faults::FAULTER => faults::fault(),
        room::HOG => room::hog(),
        room::SUBMITTER => room::submit(arguments),
        isolation::VICTIM => isolation::die(arguments),
        userptr::LEAVER => userptr::leave(arguments),
        stale_data::CHURNER => stale_data::churn(arguments),
        _ => Err(anyhow::anyhow!("no helper {name}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("helper {name}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
