// SPDX-License-Identifier: GPL-2.0

//! Runs tests, each under a time limit, and prints TAP.

mod child;
mod control;
mod length;
pub(crate) mod meeting;
mod monitor;
mod over;
mod port;
mod program;
mod skip;
mod used;
mod watchdog;

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

pub(crate) use child::{End, HELPER, Helper, in_child};
pub(crate) use control::Control;
pub(crate) use length::Length;
pub(crate) use monitor::Monitor;
pub(crate) use over::SetOnDrop;
pub(crate) use program::{Program, Programs};
pub(crate) use skip::skip;
pub(crate) use suite_spec::{Need, Tag};
pub(crate) use used::Used;

use suite_spec::Spec;

use skip::Skipped;
use watchdog::Watchdog;

/// How a test ended.
pub(crate) type Outcome = anyhow::Result<()>;

/// Time that a test has unless it says otherwise. The debug kernel under software emulation is
/// slow; a test that hangs is stopped, one that is slow is not.
pub(crate) const LIMIT: Duration = Duration::from_secs(900);
/// Time that a test has which moves more than memory holds.
pub(crate) const LONG: Duration = Duration::from_secs(1800);
/// As above, in a run of the long form: a thousand times unplugged takes more than two hours.
const LONG_LIMIT: Duration = Duration::from_secs(4 * 3600);

/// A test.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Outcome,
    pub(crate) limit: Duration,
}

/// Tests about one thing.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// Requirements, all of which a guest must meet.
    pub(crate) needs: &'static [Need],
    /// Its groups, and the kinds of guests in which it runs again.
    pub(crate) tags: &'static [Tag],
    pub(crate) tests: &'static [&'static [Test]],
}

impl Suite {
    /// Its tests, in their order.
    pub(crate) fn tests(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter().copied().flatten()
    }

    /// Returns what it declares, for the plan of `make test`.
    pub(crate) fn spec(&self) -> Spec {
        Spec::new(self.name, self.needs, self.tags)
    }
}

/// A slice of tests out of the names of their functions, and a time limit if it is not [`LIMIT`].
macro_rules! tests {
    ($limit:expr; $($name:ident),* $(,)?) => {
        &[$($crate::harness::Test { name: stringify!($name), run: $name, limit: $limit }),*]
    };
    ($($name:ident),* $(,)?) => {
        $crate::harness::tests![$crate::harness::LIMIT; $($name),*]
    };
}
pub(crate) use tests;

/// Runs suites, of each only the test called `only` if one is given; true if none failed. Each
/// suite ends with a test of its own: that it left no memory in use.
pub(crate) fn run(suites: &[&Suite], only: Option<&str>) -> bool {
    let chosen = |test: &&Test| only.is_none_or(|only| only == test.name);
    let count = |suite: &&Suite| suite.tests().filter(chosen).count() + 1;
    let count: usize = suites.iter().map(count).sum();
    println!("TAP version 14\n1..{count}");
    panic::set_hook(Box::new(|info| say(&info.to_string())));
    let mut number = 0;
    let mut good = true;
    for suite in suites {
        let before = Used::now();
        let mut settles = true;
        for test in suite.tests().filter(chosen) {
            number += 1;
            good &= report(number, suite.name, test.name, test.limit, test.run);
            // The next test may count what is in use. One that leaves something is not waited for
            // again and again.
            settles = settles && before.as_ref().is_ok_and(|it| it.wait_until_back().is_ok());
        }
        number += 1;
        good &= report(number, suite.name, "nothing_left", LIMIT, || {
            before?.wait_until_back()
        });
    }
    good
}

fn report(
    number: usize,
    suite: &str,
    name: &str,
    limit: Duration,
    test: impl FnOnce() -> Outcome,
) -> bool {
    let title = format!("{number} - {suite}.{name}");
    let limit = Length::choose(limit, LONG_LIMIT) + Length::time().unwrap_or_default();
    // For how long nothing may come, to what reads this.
    println!("@limit {}", limit.as_secs());
    let guard = Watchdog::start(title.clone(), limit);
    let start = Instant::now();
    let outcome = panic::catch_unwind(AssertUnwindSafe(test));
    let took = start.elapsed();
    drop(guard);
    let (good, directive) = match outcome {
        Ok(Ok(())) => (true, String::new()),
        Ok(Err(error)) => match error.downcast_ref::<Skipped>() {
            Some(skipped) => (true, format!(" # SKIP {skipped}")),
            None => {
                say(&format!("{error:#}"));
                (false, String::new())
            }
        },
        // The hook has told where and why.
        Err(_) => (false, String::new()),
    };
    say(&format!("{suite}.{name}: {:.1} s", took.as_secs_f64()));
    println!("{}ok {title}{directive}", if good { "" } else { "not " });
    good
}

/// Tells the report how many of something there were in the test that runs.
pub(crate) fn counted(what: &str, number: u64) {
    println!("# counted {number} {what}");
}

/// Prints a diagnostic.
pub(crate) fn say(text: &str) {
    for line in text.lines() {
        println!("# {line}");
    }
}
