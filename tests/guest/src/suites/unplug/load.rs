// SPDX-License-Identifier: GPL-2.0

//! Uses of a device, all at once, and what becomes of them when it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rgt::{Bo, FenceStatus, Mapping, SyncFile, Syncobj};
use rustix::io::Errno;

use crate::expect::{fails, of_library, same};
use crate::harness::{Helper, Outcome};
use crate::peer::{DmaBuf, Vgem};
use crate::rig::{Busy, Calls, MIB, PAGE, PATIENCE, Rig, SHARED};
use crate::suites::clients;

/// Clients that allocate, bind, submit and move; mappings, and faults in them; jobs in flight and
/// queued; buffers that are shared both ways.
pub(super) struct Load {
    workers: Vec<Helper>,
    maps: Vec<(Bo, Mapping)>,
    jobs: Vec<(Busy, SyncFile)>,
    exported: (DmaBuf, Mapping),
    /// A buffer of another device.
    imported: Bo,
    /// Calls that are not made before it goes.
    calls: Calls,
    faults: Faults,
}

impl Load {
    /// Uses the device. Clients differ by `seed`.
    pub(super) fn new(seed: u32) -> Result<Self> {
        let rig = Rig::new()?;
        let workers = (0..2)
            .map(|number| clients::start(seed * 2 + number + 1, PATIENCE))
            .collect::<Result<_>>()?;
        let maps = SHARED
            .iter()
            .map(|(_, make)| {
                let bo = rig.bo(4 * PAGE, *make)?;
                rig.fill(&bo, 1)?;
                let map = bo.map()?;
                map.write(0, 2);
                Ok((bo, map))
            })
            .collect::<Result<_>>()?;
        let exported = DmaBuf::from(rig.visible(PAGE)?.export()?);
        let map = exported.map()?;
        let vgem = Vgem::open()?;
        let imported = Bo::import(&rig.device, vgem.dumb(MIB)?.export()?)?;
        rig.fill(&imported, 3)?;
        let calls = Calls::new()?;
        // One runs, and one waits for it: what clients copy goes on. In VMs of their own, as one that is
        // being made waits for others of its VM.
        let other = rig.sibling()?;
        let jobs = [(&rig, rig.render), (&other, rig.copy)]
            .into_iter()
            .map(|(rig, engine)| {
                let done = Syncobj::new(&rig.device)?;
                let busy = rig.endless(engine, |work| {
                    work.writes(&imported)?;
                    work.signal(done.sync());
                    Ok(())
                })?;
                Ok((busy, done.sync_file()?))
            })
            .collect::<Result<_>>()?;
        let faults = Faults::start();
        // Until the clients are in the middle of it.
        thread::sleep(Duration::from_millis(1500));
        Ok(Self {
            workers,
            maps,
            jobs,
            exported: (exported, map),
            imported,
            calls,
            faults,
        })
    }

    /// Jobs are in flight.
    pub(super) fn is_running(&self) -> Outcome {
        for (busy, _) in &self.jobs {
            ensure!(busy.runs()?, "a job has ended before the device went");
        }
        Ok(())
    }

    /// The device is gone: fences end, mappings stay, calls say so, and clients notice.
    pub(super) fn ends(self) -> Outcome {
        for (mut busy, file) in self.jobs {
            let start = Instant::now();
            while matches!(file.status()?, FenceStatus::Pending) {
                ensure!(start.elapsed() < PATIENCE, "a fence does not end");
                thread::sleep(Duration::from_millis(20));
            }
            busy.forget();
        }
        for (bo, map) in &self.maps {
            map.write(PAGE as usize, 3);
            same("what was just written", map.read(PAGE as usize), 3)?;
            fails("information on a BO", Errno::NODEV, bo.info())?;
        }
        self.exported.1.write(0, 4);
        same("the buffer's word", self.exported.1.read(0), 4)?;
        let mut calls = self.calls;
        for (name, make) in Calls::all()? {
            fails(name, Errno::NODEV, of_library(make(&mut calls)))?;
        }
        self.faults.stop()?;
        for worker in self.workers {
            let status = worker.end(PATIENCE)?;
            ensure!(!status.success(), "a client did not notice: {status}");
        }
        drop((self.imported, self.exported));
        Ok(())
    }
}

/// A thread that maps BOs and touches every page, for as long as there is a device.
struct Faults {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

impl Faults {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let rig = Rig::new()?;
            let bo = rig.visible(MIB)?;
            while !stopped.load(Ordering::Relaxed) {
                let Ok(map) = bo.map() else { break };
                for at in (0..MIB as usize).step_by(PAGE as usize) {
                    map.write(at, 5);
                }
            }
            Ok(())
        });
        Self { stop, thread }
    }

    fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow!("the thread of page faults panicked"))?
    }
}
