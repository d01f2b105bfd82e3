// SPDX-License-Identifier: GPL-2.0

//! A machine on which DMA mappings are bounce buffers: other pages than those of the process.

use std::sync::Arc;

use rgt::Mapping;
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![is_refused];

fn is_refused() -> Outcome {
    let rig = Rig::new()?;
    same("the feature", rig.device.info().user_memory, false)?;
    let memory = Arc::new(Mapping::anonymous(PAGE as usize)?);
    fails("a bind", Errno::OPNOTSUPP, rig.vm.map_memory(&memory))
}
