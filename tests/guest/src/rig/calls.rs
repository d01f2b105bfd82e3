// SPDX-License-Identifier: GPL-2.0

//! Every call of the uAPI, with arguments that are right.

use std::any::Any;
use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::*;
use rgt::{BindOp, BindQueue, Binding, Bo, Context, Priority, Syncobj, UserFence, Vm, WaitFor};

use super::{MIB, PAGE, Rig, Work};
use crate::expect::raw;
use crate::peer::{DmaBuf, Vgem};

/// The uAPI's numbers, which `make generate` makes.
const LAYOUT: &str = include_str!("../../../uapi/layout.txt");

/// The prefix of the names of ioctl numbers.
const NUMBER: &str = "DRM_IOCTL_RGT_";

/// A call: its name, and how it is made.
pub(crate) type Call = (&'static str, fn(&mut Calls) -> Result<()>);

/// A client with all that its calls are about. Each succeeds once.
pub(crate) struct Calls {
    /// Objects that calls have created, kept until no failure is injected any more.
    made: Vec<Box<dyn Any>>,
    work: Work,
    fenced: Work,
    bo: Bo,
    range: Binding,
    context: Context,
    queue: BindQueue,
    waits: [Syncobj; 2],
    signals: [Syncobj; 2],
    word: UserFence,
    buffer: DmaBuf,
    doomed: Doomed,
    rig: Rig,
}

/// Numbers of what is destroyed.
struct Doomed {
    ctx: u32,
    vm: u32,
    queue: u32,
    bo: u32,
}

impl Doomed {
    fn new(rig: &Rig) -> Result<Self> {
        let queue = drm_rgt_bind_queue_create {
            vm_id: rig.vm.id(),
            ..Default::default()
        };
        let bo = drm_rgt_gem_create {
            size: PAGE,
            placement: DRM_RGT_PLACEMENT_VRAM,
            ..Default::default()
        };
        Ok(Self {
            ctx: raw(&rig.device, drm_rgt_ctx_create::default())?.ctx_id,
            vm: raw(&rig.device, drm_rgt_vm_create::default())?.vm_id,
            queue: raw(&rig.device, queue)?.queue_id,
            bo: raw(&rig.device, bo)?.handle,
        })
    }
}

/// The calls. What follows the name of an ioctl says how its call is special.
const CALLS: &[Call] = &[
    ("QUERY", |it| Ok(it.rig.device.regions().map(drop)?)),
    ("GEM_CREATE", |it| {
        let bo = Bo::builder(PAGE).create(&it.rig.device)?;
        it.keep(bo)
    }),
    ("GEM_MMAP_OFFSET", |it| Ok(it.bo.mmap_offset().map(drop)?)),
    ("GEM_INFO", |it| Ok(it.bo.info().map(drop)?)),
    ("GEM_WAIT", |it| {
        Ok(it.bo.wait(Duration::from_secs(1), WaitFor::All)?)
    }),
    ("GEM_MADVISE", |it| Ok(it.bo.dont_need().map(drop)?)),
    ("CTX_CREATE", |it| {
        let context = Context::create(&it.rig.device, Priority::Low)?;
        it.keep(context)
    }),
    ("CTX_DESTROY", |it| {
        it.raw(drm_rgt_ctx_destroy {
            ctx_id: it.doomed.ctx,
            pad: 0,
        })
    }),
    ("CTX_SET_PROPERTY", |it| {
        Ok(it.context.set_priority(Priority::Low)?)
    }),
    ("VM_CREATE", |it| {
        let vm = Vm::create(&it.rig.device)?;
        it.keep(vm)
    }),
    ("VM_DESTROY", |it| {
        it.raw(drm_rgt_vm_destroy {
            vm_id: it.doomed.vm,
            pad: 0,
        })
    }),
    ("BIND_QUEUE_CREATE", |it| {
        let queue = BindQueue::create(&it.rig.vm)?;
        it.keep(queue)
    }),
    ("BIND_QUEUE_DESTROY", |it| {
        it.raw(drm_rgt_bind_queue_destroy {
            vm_id: it.rig.vm.id(),
            queue_id: it.doomed.queue,
        })
    }),
    ("VM_BIND", |it| Ok(it.rig.vm.bind(&[it.map()])?)),
    ("VM_BIND with fences", |it| {
        let ops = [it.map(), BindOp::unmap(it.range.addr(), PAGE)];
        let waits = [it.waits[0].sync(), it.waits[1].at(1)];
        let signals = [it.signals[0].sync(), it.signals[1].at(1), it.word.sync(1)];
        Ok(it.queue.bind(&ops, &waits, &signals)?)
    }),
    ("CS", |it| Ok(it.work.job.submit()?)),
    ("CS with fences", |it| Ok(it.fenced.job.submit()?)),
    // Those of DRM that come to the driver.
    ("GEM_CLOSE", |it| {
        it.raw(drm_gem_close {
            handle: it.doomed.bo,
            pad: 0,
        })
    }),
    ("PRIME_HANDLE_TO_FD", |it| {
        let file = it.bo.export()?;
        it.keep(file)
    }),
    ("PRIME_FD_TO_HANDLE", |it| {
        let bo = Bo::import(&it.rig.device, &it.buffer)?;
        it.keep(bo)
    }),
];

impl Calls {
    /// A new client.
    pub(crate) fn new() -> Result<Self> {
        let rig = Rig::new()?;
        let device = &rig.device;
        let bo = rig.vram(2 * PAGE)?;
        rig.fill(&bo, 1)?;
        let waits = [Syncobj::signalled(device)?, Syncobj::new(device)?];
        waits[1].signal_at(1)?;
        let signals = [Syncobj::new(device)?, Syncobj::new(device)?];
        let word = UserFence::new();
        let context = Context::create(device, Priority::Normal)?;

        let mut work = rig.work(rig.copy)?;
        work.commands.nop()?;
        work.cut();
        let mut fenced = rig.work(rig.render)?;
        let to = fenced.writes(&bo)?;
        fenced.commands.fill(to, PAGE, 2)?;
        fenced.context(&context);
        for sync in [waits[0].sync(), waits[1].at(1)] {
            fenced.wait_for(sync);
        }
        for sync in [signals[0].sync(), signals[1].at(1), word.sync(1)] {
            fenced.signal(sync);
        }
        fenced.cut();

        Ok(Self {
            made: Vec::new(),
            work,
            fenced,
            range: rig.vm.reserve(2 * PAGE)?,
            queue: BindQueue::create(&rig.vm)?,
            buffer: Vgem::open()?.dumb(MIB)?.export()?,
            doomed: Doomed::new(&rig)?,
            bo,
            context,
            waits,
            signals,
            word,
            rig,
        })
    }

    /// Has those succeed that have failed, after whatever effect they had.
    pub(crate) fn renew(&mut self) -> Result<()> {
        self.made.clear();
        for name in [
            "CTX_DESTROY",
            "VM_DESTROY",
            "BIND_QUEUE_DESTROY",
            "GEM_CLOSE",
        ] {
            let (_, make) = CALLS.iter().find(|call| call.0 == name).expect("a call");
            // It may be gone already.
            let _ = make(self);
        }
        self.doomed = Doomed::new(&self.rig)?;
        Ok(())
    }

    /// All of them.
    pub(crate) fn all() -> Result<&'static [Call]> {
        let lines = LAYOUT.lines();
        let numbers = lines.filter_map(|line| line.strip_prefix(NUMBER)?.split_once(" = "));
        let mut count = 0;
        for (number, _) in numbers {
            count += 1;
            ensure!(
                CALLS.iter().any(|(name, _)| *name == number),
                "no call of {number}"
            );
        }
        ensure!(count != 0, "no numbers of ioctls");
        Ok(CALLS)
    }

    /// The operation that maps the BO.
    fn map(&self) -> BindOp {
        BindOp::map(&self.bo, 0, self.range.addr(), self.bo.size())
    }

    fn keep(&mut self, made: impl Any) -> Result<()> {
        self.made.push(Box::new(made));
        Ok(())
    }

    fn raw<T: rgt::ioctl::Request>(&self, request: T) -> Result<()> {
        Ok(raw(&self.rig.device, request).map(drop)?)
    }
}
