// SPDX-License-Identifier: GPL-2.0

//! Calls while another client's jobs are held up, and BOs that these use have to move: no call
//! waits for them, and who calls can be killed.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rgt::{Bo, Context, Priority, RegionKind};

use crate::harness::{Helper, Outcome, Test, meeting, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![moves_behind_a_held_job];

/// The helper that submits a job.
pub(crate) const CALLER: &str = "caller";

/// Its jobs: one that needs all of VRAM, one that needs little of it, one that needs nothing.
const ALL: &str = "all";
const SOME: &str = "some";
const NOTHING: &str = "nothing";

/// BOs that are used by the held job: more than there are windows of the GART.
const HELD: usize = 40;

/// A call may take so long on a busy machine. The held job is held for longer.
const BOUND: Duration = Duration::from_secs(20);
/// A killed process is gone after that.
const GONE: Duration = Duration::from_secs(5);

/// The helper: makes BOs, says so, submits its job when it is told to, and says so.
pub(crate) fn call(arguments: &[&str]) -> Outcome {
    let [name, what] = arguments else {
        bail!("expected the name of a socket, and a job")
    };
    let mut socket = meeting::connect(name)?;
    let rig = Rig::new()?;
    let size = rig.device.region(RegionKind::Vram)?.context("VRAM")?.size;
    let (count, each) = match *what {
        ALL => (63, size / 64),
        SOME => (1, MIB),
        _ => (0, 0),
    };
    let bos = (0..count)
        .map(|_| rig.bo(each, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    let mut work = rig.work_of(rig.render, 64 + 16 * bos.len())?;
    for bo in &bos {
        let to = work.writes(bo)?;
        work.commands.write(to, &[1])?;
    }
    work.commands.nop()?;
    tell(&mut socket)?;
    hear(&mut socket)?;
    work.submit()?;
    tell(&mut socket)?;
    // Until it is killed.
    hear(&mut socket)
}

fn tell(socket: &mut UnixStream) -> Outcome {
    Ok(socket.write_all(&[1])?)
}

fn hear(socket: &mut UnixStream) -> Outcome {
    Ok(socket.read_exact(&mut [0])?)
}

/// A helper that is ready to submit its job.
struct Caller {
    name: &'static str,
    helper: Helper,
    socket: UnixStream,
}

impl Caller {
    fn new(name: &'static str) -> Result<Self> {
        let (helper, mut socket) = meeting::start(CALLER, name)?;
        hear(&mut socket)?;
        Ok(Self {
            name,
            helper,
            socket,
        })
    }

    /// Has it submit its job, which must not take long.
    fn submit(&mut self) -> Outcome {
        self.socket.set_read_timeout(Some(BOUND))?;
        tell(&mut self.socket)?;
        hear(&mut self.socket).with_context(|| format!("the CS of {:?} waits", self.name))
    }

    /// Kills it, and sees it gone.
    fn kill(self) -> Outcome {
        let start = Instant::now();
        self.helper.kill()?;
        let took = start.elapsed();
        ensure!(
            took < GONE,
            "{:?} was gone {took:?} after SIGKILL",
            self.name
        );
        Ok(())
    }
}

/// Does something in a thread, which must not take long.
fn soon(what: &str, work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let thread = thread::spawn(work);
    let deadline = Instant::now() + BOUND;
    while !thread.is_finished() {
        ensure!(Instant::now() < deadline, "{what} waits");
        thread::sleep(Duration::from_millis(10));
    }
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("{what}: panic"))?
}

/// Reads the fdinfo of all files of a process.
fn read_fdinfo(pid: u32) -> Outcome {
    let mut clients = 0;
    for file in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // Files come and go.
        let text = fs::read_to_string(file?.path()).unwrap_or_default();
        clients += u32::from(text.contains("drm-client-id"));
    }
    ensure!(clients != 0, "process {pid} is no client");
    Ok(())
}

fn moves_behind_a_held_job() -> Outcome {
    let rig = Rig::new()?;
    let mut callers = [ALL, SOME, NOTHING].map(Caller::new);
    let bos = (0..HELD)
        .map(|_| rig.bo(64 * PAGE, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    bos.iter().try_for_each(|bo| rig.fill(bo, 1))?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let uses = |work: &mut Work| {
        work.context(&context);
        for bo in &bos {
            work.writes(bo)?;
        }
        Ok(())
    };
    let held = rig.held(rig.render, uses)?;

    for caller in &mut callers {
        let caller = caller
            .as_mut()
            .map_err(|error| anyhow::anyhow!("{error:#}"))?;
        caller.submit()?;
    }
    let others: Vec<_> = callers.into_iter().collect::<Result<_>>()?;
    let mut pids: Vec<_> = others.iter().map(|it| it.helper.pid()).collect();
    pids.push(process::id());
    for pid in pids {
        soon("a reader of fdinfo", move || read_fdinfo(pid))?;
    }
    soon("a reader of debugfs", || {
        for entry in fs::read_dir("/sys/kernel/debug/dri")? {
            // Not all are of this driver.
            let _ = fs::read_to_string(entry?.path().join("bos"));
        }
        Ok(())
    })?;
    let moved = bos.iter().map(Bo::info).filter(|info| {
        info.as_ref()
            .is_ok_and(|info| info.current_placement != rgt::Placement::VRAM)
    });
    let moved = moved.count();
    ensure!(moved > 16, "only {moved} BOs of the held job had to move");
    others.into_iter().try_for_each(Caller::kill)?;
    ensure!(held.is_pending()?, "the held job ended");
    held.finish()
}
