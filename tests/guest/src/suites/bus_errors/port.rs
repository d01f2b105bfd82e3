// SPDX-License-Identifier: GPL-2.0

//! The root port above a GPU, and what the kernel tells of its errors.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use rgt::Device;

use crate::expect::same;
use crate::harness::{Monitor, Outcome};
use crate::peer::Uevents;
use crate::rig::PATIENCE;
use crate::suites::reset::directory;

/// How bad an error is, which cannot be corrected.
#[derive(Clone, Copy, Debug)]
pub(in crate::suites) enum Severity {
    /// A transaction is lost.
    NonFatal,
    /// The link is not reliable.
    Fatal,
}

impl Severity {
    /// An error of the kind, as QEMU calls it: a completer abort, or one of the data link protocol.
    fn error(self) -> &'static str {
        match self {
            Self::NonFatal => "COMP_ABORT",
            Self::Fatal => "DLP",
        }
    }

    /// The kernel's counter of such messages to a root port.
    fn counter(self) -> &'static str {
        match self {
            Self::NonFatal => "aer_rootport_total_err_nonfatal",
            Self::Fatal => "aer_rootport_total_err_fatal",
        }
    }
}

/// The root port above a GPU.
pub(in crate::suites) struct Port {
    id: String,
    dir: PathBuf,
}

impl Port {
    /// Finds it.
    pub(in crate::suites) fn above(device: &Device) -> Result<Self> {
        let nodes = Device::list()?;
        let number = nodes.iter().position(|node| node == device.path());
        let function = fs::canonicalize(directory(device)?)?;
        Ok(Self {
            id: format!("port{}", number.context("a GPU that is not listed")?),
            dir: function
                .parent()
                .context("a GPU without a port")?
                .to_owned(),
        })
    }

    /// Has it detect an error.
    pub(in crate::suites) fn inject(self, severity: Severity) -> Result<Recovery> {
        let recovery = Recovery {
            events: Uevents::new()?,
            before: self.count(severity)?,
            port: self,
            severity,
        };
        let line = format!(
            "pcie_aer_inject_error {} {}",
            recovery.port.id,
            severity.error()
        );
        let answer = Monitor::open()?.command(&line)?;
        ensure!(answer.contains("OK"), "{line}: {answer}");
        Ok(recovery)
    }

    fn count(&self, severity: Severity) -> Result<u64> {
        let path = self.dir.join(severity.counter());
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.trim_end().parse()?)
    }
}

/// The recovery from an error.
pub(in crate::suites) struct Recovery {
    events: Uevents,
    port: Port,
    severity: Severity,
    /// Errors of the severity before.
    before: u64,
}

impl Recovery {
    /// Waits until the GPU works again.
    pub(in crate::suites) fn recovers(&self) -> Outcome {
        self.ends("SUCCESSFUL_RECOVERY")
    }

    /// Waits until the kernel gives the GPU up.
    pub(super) fn fails(&self) -> Outcome {
        self.ends("FAILED_RECOVERY")
    }

    fn ends(&self, how: &str) -> Outcome {
        for wanted in ["BEGIN_RECOVERY", how] {
            let event = self.events.next("ERROR_EVENT", PATIENCE)?;
            same("recovery", event.as_str(), wanted)?;
        }
        let errors = self.port.count(self.severity)? - self.before;
        same("errors that the kernel counts", errors, 1)
    }
}
