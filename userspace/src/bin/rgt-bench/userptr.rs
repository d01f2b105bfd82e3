// SPDX-License-Identifier: MIT

//! Memory of the process: what it costs the thread to give it to the GPU, to have it fetched again
//! when it has changed, and to upload it, against an upload by way of a BO.

use std::cell::Cell;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::{
    BindOp, Binding, Bo, CommandBuffer, Device, EngineClass, Job, Mapping, Placement, Syncobj, Vm,
    WaitFrom,
};
use rustix::mm::{Advice, madvise};

use crate::clock::Samples;
use crate::row::{cost, row};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Sizes, and how often each is measured.
const SIZES: [(&str, u64, usize); 3] = [
    ("4K", 4 * KIB, 51),
    ("2M", 2 * MIB, 21),
    ("256M", 256 * MIB, 3),
];
/// Bytes of an upload, and how often it is done.
const UPLOAD: (u64, usize) = (64 * MIB, 3);
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures them.
pub(crate) fn run(device: &Device) -> Result<()> {
    for (name, size, times) in SIZES {
        Case::new(device, size)?.measure(name, times)?;
    }
    upload(device)
}

/// Memory, and a job that writes a dword of it.
struct Case {
    memory: Arc<Mapping>,
    vm: Vm,
    range: Binding,
    device: Device,
    done: Syncobj,
    /// What the last job has written.
    written: Cell<u32>,
}

impl Case {
    fn new(device: &Device, size: u64) -> Result<Self> {
        let vm = Vm::create(device)?;
        let memory = Arc::new(Mapping::anonymous(usize::try_from(size)?)?);
        // As programs have it that upload: it is there.
        memory.fill(0..memory.len(), 1);
        Ok(Self {
            memory,
            range: vm.reserve(size)?,
            vm,
            device: device.clone(),
            done: Syncobj::new(device)?,
            written: Cell::new(1),
        })
    }

    fn measure(&self, name: &str, times: usize) -> Result<()> {
        let [
            mut bind,
            mut unbind,
            mut first,
            mut next,
            mut change,
            mut again,
        ] = std::array::from_fn(|_| Samples::default());
        let size = self.range.size();
        // SAFETY: The memory is as long there as the VM.
        let map = unsafe { BindOp::memory(self.memory.as_ptr().cast(), self.range.addr(), size) };
        let unmap = BindOp::unmap(self.range.addr(), size);
        for _ in 0..times {
            bind.time(|| self.bind(&map))?;
            self.wait()?;
            self.job(&mut first)?;
            self.job(&mut next)?;
            change.time(|| self.change())?;
            self.job(&mut again)?;
            unbind.time(|| self.bind(&unmap))?;
            self.wait()?;
        }
        for (what, samples) in [
            ("bind", &bind),
            ("first", &first),
            ("next", &next),
            ("change", &change),
            ("again", &again),
            ("unbind", &unbind),
        ] {
            cost(format_args!("{name}.{what}"), samples.median());
        }
        Ok(())
    }

    fn bind(&self, op: &BindOp) -> Result<()> {
        Ok(self
            .vm
            .bind_in_order(slice::from_ref(op), &[], &[self.done.sync()])?)
    }

    fn wait(&self) -> Result<()> {
        Ok(self.done.wait(PATIENCE, WaitFrom::Submission)?)
    }

    /// Submits a job that writes a dword of the memory, waits for it, and sees that it has.
    fn job(&self, samples: &mut Samples) -> Result<()> {
        let engine = self.device.engine(EngineClass::Copy)?;
        let mut commands = CommandBuffer::new(&self.vm, 16)?;
        // The last page: the first one is given up in between.
        let last = self.memory.len() - 4;
        let value = self.written.get() + 1;
        self.written.set(value);
        commands.write(self.range.addr() + last as u64, &[value])?;
        let job = Job::new(&self.vm, engine).ib(commands.take());
        samples.time(|| job.submit())?;
        commands.wait(PATIENCE)?;
        ensure!(self.memory.read(last) == value, "the job wrote nothing");
        Ok(())
    }

    /// Has the kernel give one page up, of which the GPU is told.
    fn change(&self) -> Result<()> {
        // SAFETY: The page is of the mapping, and may change at any time.
        unsafe { madvise(self.memory.as_ptr().cast(), 4096, Advice::LinuxDontNeed) }
            .context("madvise")
    }
}

/// An upload of memory to VRAM, from where it is and by way of a BO.
fn upload(device: &Device) -> Result<()> {
    let (size, times) = UPLOAD;
    let case = Case::new(device, size)?;
    let vram = Bo::builder(size)
        .placement(Placement::VRAM)
        .create(device)?;
    let target = case.vm.map(&vram)?;
    let copy = |from: u64| -> Result<()> {
        let mut commands = CommandBuffer::new(&case.vm, 16)?;
        commands.copy(from, target.addr(), size)?;
        Job::new(&case.vm, device.engine(EngineClass::Copy)?)
            .write(&vram)
            .ib(commands.take())
            .submit()?;
        Ok(commands.wait(PATIENCE)?)
    };
    let staged = || -> Result<()> {
        let staging = Bo::builder(size).placement(Placement::GTT).create(device)?;
        let map = staging.map()?;
        let mut chunk = [0; 1024];
        for offset in (0..map.len()).step_by(size_of_val(&chunk)) {
            case.memory.read_slice(offset, &mut chunk);
            map.write_slice(offset, &chunk);
        }
        copy(case.vm.map(&staging)?.addr())
    };
    // In the time that the engine spends on it.
    let engine = device.engine(EngineClass::Copy)?;
    let busy = || device.busy(engine);
    let direct = || copy(case.vm.map_memory_read_only(&case.memory)?.addr());

    let ways: [(&str, &dyn Fn() -> Result<()>); 2] = [("direct", &direct), ("staged", &staged)];
    for (name, way) in ways {
        way()?;
        let (mut samples, mut device_time) = (Samples::default(), Samples::default());
        for _ in 0..times {
            let before = busy()?;
            samples.time(way)?;
            device_time.add((busy()? - before).as_nanos() as u64);
        }
        cost(format_args!("upload.{name}"), samples.median());
        row(
            format_args!("upload.{name}.device"),
            device_time.median(),
            "ns",
        );
    }
    Ok(())
}
