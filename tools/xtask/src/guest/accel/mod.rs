// SPDX-License-Identifier: GPL-2.0

//! Which accelerator QEMU runs a guest with.
//!
//! That /dev/kvm opens proves little: there are virtual machines whose KVM starts a firmware and
//! gets stuck in the first kernel. So KVM is taken by itself only where the CPU has what it builds
//! on and the guest's own kernel has booted with it.

mod answer;
mod probe;

use std::fs::{self, File};
use std::sync::{Mutex, Once, PoisonError};

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::answer::Answer;
use crate::kernel::Kernel;
use crate::paths::Paths;
use crate::progress;

/// The device of the kernel's hypervisor.
const DEVICE: &str = "/dev/kvm";

/// `RGT_ACCEL`: what the caller wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// KVM where it works, else TCG.
    #[default]
    Auto,
    /// Emulation.
    Tcg,
    /// KVM, or an error.
    Kvm,
}

/// An accelerator of QEMU's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accel {
    /// QEMU's own translator.
    Tcg,
    /// The CPU.
    Kvm,
}

impl Accel {
    /// The name, as QEMU's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }
}

/// The facts of the machine that the choice depends on.
struct Host {
    /// Whether the CPU says that it has virtualization.
    cpu: bool,
    /// Whether the device can be used; why not.
    device: Result<(), String>,
}

impl Host {
    fn of_this_machine() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let device = File::options().read(true).write(true).open(DEVICE);
        Self {
            cpu: has_virtualization(&cpuinfo),
            device: device
                .map(drop)
                .map_err(|error| format!("cannot open {DEVICE}: {error}")),
        }
    }
}

/// Whether a CPU's flags, as /proc/cpuinfo has them, have virtualization among them.
fn has_virtualization(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.trim() == "flags")
        .any(|(_, flags)| {
            let mut flags = flags.split_whitespace();
            flags.any(|flag| matches!(flag, "svm" | "vmx"))
        })
}

/// The next step in the choice of a guest's accelerator.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Take it, for that reason.
    Take(Accel, String),
    /// Boot a guest with KVM first.
    Probe,
    /// End the run, for that reason.
    Refuse(String),
}

/// Decides by what the caller wants, what the machine has, and, once a guest has tried it, what
/// became of that.
fn decide(wanted: Wanted, host: &Host, answer: Option<&Answer>) -> Decision {
    let take = |accel, why: &str| Decision::Take(accel, why.to_owned());
    match (wanted, &host.device, answer) {
        (Wanted::Tcg, ..) => take(Accel::Tcg, "RGT_ACCEL=tcg"),
        (Wanted::Auto, ..) if !host.cpu => take(Accel::Tcg, "the CPU shows neither svm nor vmx"),
        (Wanted::Auto, Err(why), _) => take(Accel::Tcg, why),
        (Wanted::Kvm, Err(why), _) => Decision::Refuse(format!("RGT_ACCEL=kvm: {why}")),
        (_, Ok(()), None) => Decision::Probe,
        (Wanted::Auto, _, Some(Answer::Up { millis })) => Decision::Take(
            Accel::Kvm,
            format!("this kernel came up with it in {millis} ms"),
        ),
        (Wanted::Auto, _, Some(Answer::Down { why })) => Decision::Take(
            Accel::Tcg,
            format!("this kernel does not come up with kvm: {why}"),
        ),
        (Wanted::Kvm, _, Some(Answer::Up { .. })) => take(Accel::Kvm, "RGT_ACCEL=kvm"),
        (Wanted::Kvm, _, Some(Answer::Down { why })) => Decision::Refuse(format!(
            "RGT_ACCEL=kvm: this kernel does not come up with it here: {why}; \
             RGT_ACCEL=tcg goes without"
        )),
    }
}

/// Says which accelerator guests will have, as far as that is known before there is a kernel; gives
/// an error if the caller wants one that is not here.
pub(crate) fn announce(wanted: Wanted) -> Result<()> {
    let host = Host::of_this_machine();
    match decide(wanted, &host, None) {
        Decision::Take(accel, why) => tell(accel, &why),
        Decision::Refuse(why) => bail!("{why}"),
        Decision::Probe => {
            let doubt = match host.cpu {
                true => "",
                false => ", though the CPU shows neither svm nor vmx",
            };
            progress::say(&format!(
                "  accelerator: kvm, if the guest's kernel comes up with it{doubt}"
            ));
        }
    }
    Ok(())
}

/// Returns the accelerator for guests of the given kernel. A guest tries it unless one has before,
/// with this kernel on this machine; where the caller insists on KVM, a bad answer is not trusted.
pub(crate) fn choose(paths: &Paths, kernel: &Kernel) -> Result<Accel> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = paths.options.accel;
    let host = Host::of_this_machine();
    let mut decision = decide(wanted, &host, None);
    if decision == Decision::Probe {
        let record = answer::Record::of(paths, &kernel.image())?;
        let known = record.read();
        let known = known.filter(|answer| wanted == Wanted::Auto || answer.is_up());
        let answer = match known {
            Some(answer) => answer,
            None => {
                let answer = probe::run(paths, kernel)?;
                record.write(&answer)?;
                answer
            }
        };
        decision = decide(wanted, &host, Some(&answer));
    }
    match decision {
        Decision::Take(accel, why) => {
            tell(accel, &why);
            Ok(accel)
        }
        Decision::Refuse(why) => bail!("{why}"),
        Decision::Probe => bail!("nothing is known of KVM after it was tried"),
    }
}

/// Says the choice, once in a run.
fn tell(accel: Accel, why: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| progress::say(&format!("  accelerator: {} ({why})", accel.name())));
}

#[cfg(test)]
mod tests {
    use super::answer::Answer;
    use super::{Accel, Decision, Host, Wanted, decide, has_virtualization};

    const GOOD: Host = Host {
        cpu: true,
        device: Ok(()),
    };
    const NO_FLAG: Host = Host {
        cpu: false,
        device: Ok(()),
    };

    fn no_device(cpu: bool) -> Host {
        Host {
            cpu,
            device: Err("no device".to_owned()),
        }
    }

    fn up() -> Answer {
        Answer::Up { millis: 900 }
    }

    fn down() -> Answer {
        Answer::Down {
            why: "stuck".to_owned(),
        }
    }

    /// The accelerator that is taken, if one is.
    fn taken(wanted: Wanted, host: &Host, answer: Option<&Answer>) -> Option<Accel> {
        match decide(wanted, host, answer) {
            Decision::Take(accel, _) => Some(accel),
            _ => None,
        }
    }

    #[test]
    fn auto_takes_kvm_where_cpu_device_and_a_boot_say_so() {
        let stuck = down();
        assert_eq!(decide(Wanted::Auto, &GOOD, None), Decision::Probe);
        assert_eq!(taken(Wanted::Auto, &GOOD, Some(&up())), Some(Accel::Kvm));
        assert_eq!(taken(Wanted::Auto, &GOOD, Some(&stuck)), Some(Accel::Tcg));
        let Decision::Take(_, why) = decide(Wanted::Auto, &GOOD, Some(&stuck)) else {
            panic!("auto gave up");
        };
        assert!(why.contains("stuck"));
    }

    #[test]
    fn auto_does_not_try_kvm_where_the_cpu_or_the_device_is_missing() {
        for host in [NO_FLAG, no_device(true), no_device(false)] {
            assert_eq!(taken(Wanted::Auto, &host, None), Some(Accel::Tcg));
            assert_eq!(taken(Wanted::Auto, &host, Some(&up())), Some(Accel::Tcg));
        }
    }

    #[test]
    fn kvm_is_an_error_where_it_does_not_work() {
        let refused = |host: &Host, answer| match decide(Wanted::Kvm, host, answer) {
            Decision::Refuse(why) => why,
            decision => panic!("{decision:?}"),
        };
        assert!(refused(&no_device(true), None).contains("no device"));
        assert!(refused(&GOOD, Some(&down())).contains("stuck"));
        assert_eq!(decide(Wanted::Kvm, &NO_FLAG, None), Decision::Probe);
        assert_eq!(taken(Wanted::Kvm, &NO_FLAG, Some(&up())), Some(Accel::Kvm));
    }

    #[test]
    fn tcg_needs_nothing() {
        for host in [GOOD, NO_FLAG, no_device(false)] {
            assert_eq!(taken(Wanted::Tcg, &host, Some(&up())), Some(Accel::Tcg));
        }
    }

    #[test]
    fn flags_are_words_of_the_line_of_flags() {
        assert!(has_virtualization(
            "model name\t: x\nflags\t\t: fpu svm sse\n"
        ));
        assert!(has_virtualization("flags\t\t: fpu vmx\n"));
        assert!(!has_virtualization(
            "flags\t\t: fpu svm_lock vmxnot\nvmx flags\t: vnmi\n"
        ));
        assert!(!has_virtualization("model name\t: svm\n"));
    }
}
