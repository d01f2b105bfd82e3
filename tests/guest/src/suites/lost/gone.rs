// SPDX-License-Identifier: GPL-2.0

//! A GPU that stops answering: everything ends, nothing waits for ever, and other GPUs do not care.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{Context, Device, FenceStatus, Priority, Syncobj, WaitFor, WaitFrom};
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{Control, Outcome, Test, tests};
use crate::peer::{SwFence, Uevents};
use crate::rig::{MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![in_the_middle_of_work];

/// How long anything may take to notice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a call says that its device is gone.
fn until_gone(what: &str, call: impl Fn() -> rgt::Result<()>) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Err(error) if error.errno() == Some(Errno::NODEV) => return Ok(()),
            result => ensure!(
                Instant::now() < deadline,
                "{what}: {result:?}, {PATIENCE:?} after the GPU has gone"
            ),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn in_the_middle_of_work() -> Outcome {
    let mut control = Control::open()?;
    let nodes = Device::list()?;
    let [other, lost, _] = &nodes[..] else {
        anyhow::bail!("three GPUs expected, {} found", nodes.len())
    };
    let safe = Rig::on(&Device::open_path(other)?)?;
    let rig = Rig::on(&Device::open_path(lost)?)?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let bos = [rig.vram(MIB)?, rig.gtt(MIB)?];
    for bo in &bos {
        rig.fill(bo, 7)?;
    }
    let map = bos[1].map()?;
    let done = Syncobj::new(&rig.device)?;
    let mut busy = rig.endless(rig.render, |work| {
        work.context(&context);
        work.signal(done.sync());
        Ok(())
    })?;
    let mut behind = rig.work(rig.copy)?;
    behind.wait_for(done.sync());
    // So that it does not run, even if the driver has ended the other one before the GPU goes.
    let gone = SwFence::new()?;
    let begin = Syncobj::of_sync_file(&rig.device, gone.file())?;
    behind.wait_for(begin.sync());
    let after = Syncobj::new(&rig.device)?;
    behind.signal(after.sync());
    behind.commands.nop()?;
    behind.submit()?;
    let files = [done.sync_file()?, after.sync_file()?];

    let events = Uevents::new()?;
    control.send("remove 1")?;
    gone.signal()?;
    for (name, syncobj, file) in [
        ("running", &done, &files[0]),
        ("waiting", &after, &files[1]),
    ] {
        syncobj
            .wait(PATIENCE, WaitFrom::Now)
            .with_context(|| format!("the {name} job"))?;
        ensure!(
            matches!(file.status()?, FenceStatus::Failed(_)),
            "the {name} job ended well"
        );
    }
    busy.forget();
    let helps = events.next("WEDGED", PATIENCE)?;
    same("what helps", helps.as_str(), "bus-reset")?;
    until_gone("a job", || {
        let mut work = rig.work(rig.copy).map_err(errno)?;
        work.commands.nop()?;
        work.job.clone().ib(work.commands.take()).submit()
    })?;
    until_gone("a context", || {
        Context::create(&rig.device, Priority::Normal).map(drop)
    })?;
    for bo in &bos {
        // Nothing is left to wait for, whether the kernel says so or that the device is gone.
        let waited = bo.wait(Duration::ZERO, WaitFor::All);
        ensure!(
            !matches!(waited, Err(rgt::Error::TimedOut)),
            "a BO is still busy"
        );
    }
    same("what the CPU sees", map.read(0), 7)?;

    // The other one has noticed nothing.
    let bo = safe.vram(PAGE)?;
    safe.fill(&bo, 5)?;
    same("the other GPU", bo.map()?.read(0), 5)?;

    // Its driver can be taken from it, with clients there and without.
    let device = format!("/sys/class/drm/{}/device", name_of(lost)?);
    let address = fs::canonicalize(&device).with_context(|| device.clone())?;
    let address = address.file_name().context("an address")?.to_owned();
    fs::write(
        format!("{device}/driver/unbind"),
        address.to_string_lossy().as_bytes(),
    )
    .context("unbind")?;
    fails("after unbinding", Errno::NODEV, rig.device.reset_count())
}

/// The error of a call inside a test's helper, which has been told in words.
fn errno(error: anyhow::Error) -> rgt::Error {
    match error.downcast::<rgt::Error>() {
        Ok(error) => error,
        Err(_) => rgt::Error::BadAnswer("not an error of the library"),
    }
}

fn name_of(node: &Path) -> Result<String> {
    let name = node.file_name().context("a node's name")?;
    Ok(name.to_string_lossy().into_owned())
}
