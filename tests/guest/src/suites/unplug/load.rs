// SPDX-License-Identifier: GPL-2.0

//! Uses of a device, all at once, and what becomes of them when it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rgt::{Bo, FenceStatus, Mapping, SyncFile, Syncobj};
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{Helper, Outcome};
use crate::peer::{DmaBuf, Vgem};
use crate::rig::{Busy, MIB, PAGE, PATIENCE, Rig, SHARED};
use crate::suites::clients;

/// Clients that allocate, bind, submit and move; mappings, and faults in them; jobs in flight and
/// queued; buffers that are shared both ways.
pub(super) struct Load {
    rig: Rig,
    workers: Vec<Helper>,
    maps: Vec<(Bo, Mapping)>,
    jobs: Vec<(Busy, SyncFile)>,
    exported: (DmaBuf, Mapping),
    /// A buffer of another device.
    imported: Bo,
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
        let jobs = [rig.copy, rig.render]
            .into_iter()
            .map(|engine| {
                let done = Syncobj::new(&rig.device)?;
                let busy = rig.busy(engine, Duration::from_secs(3), |work| {
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
            rig,
            workers,
            maps,
            jobs,
            exported: (exported, map),
            imported,
            faults,
        })
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
        fails("a query", Errno::NODEV, self.rig.device.regions())?;
        let more = Bo::builder(PAGE).create(&self.rig.device);
        fails("a new BO", Errno::NODEV, more)?;
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
