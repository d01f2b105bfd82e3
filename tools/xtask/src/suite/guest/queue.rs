// SPDX-License-Identifier: GPL-2.0

//! The suites that are still to run, for workers that each have a guest at a time.
//!
//! A guest gets its suites one by one, those that take longest first, so that several boots of the
//! same machine share what there is until nothing is left.

use std::sync::{Mutex, MutexGuard, PoisonError};

use suite_spec::{Need, Spec};

use super::assignment::{Assignment, Stage};

/// Seconds of work that are worth another boot of a machine that runs already.
const WORTH_A_BOOT: f64 = 60.0;
/// How many boots of a machine may end before their time.
const DEATHS: usize = 2;

/// A suite to run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// The number of its stage.
    pub(super) stage: usize,
    pub(super) suite: String,
    /// Whether it has to be the last one of its boot.
    pub(super) last: bool,
    /// How long it is expected to take.
    pub(super) seconds: f64,
}

/// A machine that is to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    /// The number of the machine.
    pub(super) guest: usize,
    /// How many boots of it there have been.
    pub(super) number: usize,
}

/// The guests and suites that are left.
pub(super) struct Queue {
    guests: Vec<Assignment>,
    state: Mutex<Vec<State>>,
}

/// How far a machine is.
#[derive(Default)]
struct State {
    left: Vec<Task>,
    running: usize,
    boots: usize,
    deaths: usize,
}

impl State {
    fn seconds(&self) -> f64 {
        self.left.iter().map(|task| task.seconds).sum()
    }
}

impl Queue {
    /// All suites of these guests; `seconds` tells how long one takes, by the report's name.
    pub(super) fn new(guests: Vec<Assignment>, seconds: impl Fn(&str) -> f64) -> Self {
        let tasks = |(stage, it): (usize, &Stage)| -> Vec<Task> {
            let task = |suite: &Spec| Task {
                stage,
                suite: suite.name.clone(),
                last: suite.needs(Need::LastOfBoot),
                seconds: seconds(&it.label(&suite.name)),
            };
            it.suites.iter().map(task).collect()
        };
        let state = |guest: &Assignment| State {
            left: guest.stages.iter().enumerate().flat_map(tasks).collect(),
            ..State::default()
        };
        Self {
            state: Mutex::new(guests.iter().map(state).collect()),
            guests,
        }
    }

    fn state(&self) -> MutexGuard<'_, Vec<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest with a number.
    pub(super) fn guest(&self, guest: usize) -> &Assignment {
        &self.guests[guest]
    }

    /// Returns the machine that a worker without one is to boot: one that does not run yet before
    /// another boot of one that does, and of these the one with the most work left. None if
    /// nothing is left that is worth it.
    pub(super) fn boot(&self) -> Option<Boot> {
        let mut state = self.state();
        let waits = |it: &State| it.running == 0;
        let worth = |it: &State| waits(it) || it.seconds() >= WORTH_A_BOOT;
        let guests = state.iter().enumerate();
        let (guest, _) = guests
            .filter(|(_, it)| !it.left.is_empty() && worth(it))
            .max_by(|(_, a), (_, b)| {
                let order = waits(a).cmp(&waits(b));
                order.then(a.seconds().total_cmp(&b.seconds()))
            })?;
        let chosen = &mut state[guest];
        chosen.running += 1;
        chosen.boots += 1;
        Some(Boot {
            guest,
            number: chosen.boots,
        })
    }

    /// Takes the next suite for a guest whose driver is as in `stage`: one of this stage, else one
    /// of the stage with the most work left; those that have to be the last only when they are.
    pub(super) fn next(&self, guest: usize, stage: usize) -> Option<Task> {
        let mut state = self.state();
        let left = &mut state[guest].left;
        let last = left.iter().all(|task| task.last);
        let may = |task: &Task| last || !task.last;
        let work = |stage: usize| -> f64 {
            let of_stage = left.iter().filter(|task| task.stage == stage && may(task));
            of_stage.map(|task| task.seconds).sum()
        };
        let rank = |task: &Task| (task.stage == stage, work(task.stage), task.seconds);
        let (at, _) = left
            .iter()
            .enumerate()
            .filter(|(_, task)| may(task))
            .max_by(|(_, a), (_, b)| {
                let (a, b) = (rank(a), rank(b));
                let order = a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
                order.then(a.2.total_cmp(&b.2))
            })?;
        Some(left.remove(at))
    }

    /// Notes that a boot has ended.
    pub(super) fn ended(&self, guest: usize) {
        self.state()[guest].running -= 1;
    }

    /// Notes that a boot has ended before its time. Gives the suites that the machine has left, and
    /// whether it boots for them once more.
    pub(super) fn died(&self, guest: usize) -> Left {
        let mut state = self.state();
        let state = &mut state[guest];
        state.running -= 1;
        state.deaths += 1;
        let stages = &self.guests[guest].stages;
        let labels = |left: &[Task]| -> Vec<String> {
            let label = |task: &Task| stages[task.stage].label(&task.suite);
            left.iter().map(label).collect()
        };
        let suites = labels(&state.left);
        if suites.is_empty() {
            return Left::None;
        }
        if state.deaths < DEATHS {
            return Left::Again(suites);
        }
        state.left.clear();
        Left::GivenUp(suites)
    }
}

/// The suites of a machine of which a boot has ended before its time, by their names in the report.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// There are none.
    None,
    /// They run in another boot.
    Again(Vec<String>),
    /// They do not run: the machine does not boot forever.
    GivenUp(Vec<String>),
}

#[cfg(test)]
mod tests;
