// SPDX-License-Identifier: MIT

//! Syncobjs: places for the fences of jobs, which other jobs and processes wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use drm::control::Device as _;
use drm::control::syncobj::Handle;
use rustix::io::Errno;

use crate::bo::deadline_after;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::sync_file::SyncFile;
use crate::uapi;

/// A fence in a syncobj, as a job waits for it or is to put its own there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync(pub(crate) uapi::drm_rgt_sync);

/// When a wait for syncobjs begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFrom {
    /// Now: a syncobj without a fence is an error.
    Now,
    /// Once the job is submitted whose fence it is.
    Submission,
}

/// A syncobj. It holds one fence, or a timeline of points that have a fence each.
#[derive(Debug)]
pub struct Syncobj {
    device: Device,
    handle: Handle,
}

/// The device as the calls want it that DRM has for all drivers. Not a part of [`Device`], which
/// has no display.
struct Calls<'a>(&'a Device);

impl AsFd for Calls<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Calls<'_> {}
impl drm::control::Device for Calls<'_> {}

/// Makes a call, again as long as a signal interrupts it.
fn call<T>(name: &'static str, mut make: impl FnMut() -> io::Result<T>) -> Result<T> {
    loop {
        match make().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)) {
            Ok(value) => return Ok(value),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(Errno::TIME) => return Err(Error::TimedOut),
            Err(errno) => return Err(Error::Os { call: name, errno }),
        }
    }
}

impl Syncobj {
    /// A syncobj without a fence.
    pub fn new(device: &Device) -> Result<Self> {
        Self::create(device, false)
    }

    /// A syncobj whose fence has signalled.
    pub fn signalled(device: &Device) -> Result<Self> {
        Self::create(device, true)
    }

    fn create(device: &Device, signalled: bool) -> Result<Self> {
        let handle = call("SYNCOBJ_CREATE", || Calls(device).create_syncobj(signalled))?;
        Ok(Self {
            device: device.clone(),
            handle,
        })
    }

    /// The syncobj that another process [shared](Self::share).
    pub fn open(device: &Device, shared: BorrowedFd<'_>) -> Result<Self> {
        let handle = call("SYNCOBJ_FD_TO_HANDLE", || {
            Calls(device).fd_to_syncobj(shared, false)
        })?;
        Ok(Self {
            device: device.clone(),
            handle,
        })
    }

    /// A descriptor by which another process can [open](Self::open) it.
    pub fn share(&self) -> Result<OwnedFd> {
        call("SYNCOBJ_HANDLE_TO_FD", || {
            self.calls().syncobj_to_fd(self.handle, false)
        })
    }

    /// Its handle among the device's.
    pub fn handle(&self) -> u32 {
        self.handle.into()
    }

    /// Its fence, for a job.
    pub fn sync(&self) -> Sync {
        Sync(uapi::drm_rgt_sync {
            type_: uapi::DRM_RGT_SYNC_SYNCOBJ,
            handle: self.handle(),
            ..Default::default()
        })
    }

    /// The fence at a point of its timeline, for a job.
    pub fn at(&self, point: u64) -> Sync {
        Sync(uapi::drm_rgt_sync {
            type_: uapi::DRM_RGT_SYNC_TIMELINE,
            handle: self.handle(),
            value: point,
            ..Default::default()
        })
    }

    /// Waits for its fence; `TimedOut` when that does not signal in time.
    pub fn wait(&self, timeout: Duration, from: WaitFrom) -> Result<()> {
        let deadline = deadline_after(timeout);
        let early = from == WaitFrom::Submission;
        call("SYNCOBJ_WAIT", || {
            let handles = [self.handle];
            self.calls().syncobj_wait(&handles, deadline, true, early)
        })?;
        Ok(())
    }

    /// Waits for a point of its timeline; `TimedOut` when that does not signal in time.
    pub fn wait_at(&self, point: u64, timeout: Duration, from: WaitFrom) -> Result<()> {
        let early = from == WaitFrom::Submission;
        self.wait_timeline(point, timeout, early, false)
    }

    /// Waits until a point of its timeline has a fence, which a job may wait for then.
    pub fn wait_available(&self, point: u64, timeout: Duration) -> Result<()> {
        self.wait_timeline(point, timeout, true, true)
    }

    fn wait_timeline(
        &self,
        point: u64,
        timeout: Duration,
        early: bool,
        available: bool,
    ) -> Result<()> {
        let deadline = deadline_after(timeout);
        call("SYNCOBJ_TIMELINE_WAIT", || {
            let (handles, points) = ([self.handle], [point]);
            let calls = self.calls();
            calls.syncobj_timeline_wait(&handles, &points, deadline, true, early, available)
        })?;
        Ok(())
    }

    /// Makes its fence one that has signalled.
    pub fn signal(&self) -> Result<()> {
        call("SYNCOBJ_SIGNAL", || {
            self.calls().syncobj_signal(&[self.handle])
        })
    }

    /// Makes the fence of a point of its timeline one that has signalled.
    pub fn signal_at(&self, point: u64) -> Result<()> {
        call("SYNCOBJ_TIMELINE_SIGNAL", || {
            self.calls()
                .syncobj_timeline_signal(&[self.handle], &[point])
        })
    }

    /// Takes its fence away.
    pub fn reset(&self) -> Result<()> {
        call("SYNCOBJ_RESET", || {
            self.calls().syncobj_reset(&[self.handle])
        })
    }

    /// The last point of its timeline that has signalled.
    pub fn reached(&self) -> Result<u64> {
        self.query(false)
    }

    /// The last point of its timeline that has a fence.
    pub fn submitted(&self) -> Result<u64> {
        self.query(true)
    }

    fn query(&self, submitted: bool) -> Result<u64> {
        let mut points = [0];
        call("SYNCOBJ_QUERY", || {
            self.calls()
                .syncobj_timeline_query(&[self.handle], &mut points, submitted)
        })?;
        Ok(points[0])
    }

    /// Puts the fence of another syncobj into this one. A point of 0 is the fence of a binary one.
    pub fn transfer_from(&self, point: u64, source: &Self, source_point: u64) -> Result<()> {
        call("SYNCOBJ_TRANSFER", || {
            let (from, to) = (source.handle, self.handle);
            self.calls()
                .syncobj_timeline_transfer(from, to, source_point, point)
        })
    }

    /// Its fence, as a file.
    pub fn sync_file(&self) -> Result<SyncFile> {
        let fd = call("SYNCOBJ_HANDLE_TO_FD", || {
            self.calls().syncobj_to_fd(self.handle, true)
        })?;
        Ok(SyncFile::from(fd))
    }

    /// A syncobj with the fence of a file. The kernel puts it into one that is there already, which
    /// the `drm` crate does not know.
    pub fn of_sync_file(device: &Device, file: &SyncFile) -> Result<Self> {
        let imported = Self::new(device)?;
        imported.import(file)?;
        Ok(imported)
    }

    fn import(&self, file: &SyncFile) -> Result<()> {
        let mut request = uapi::drm_syncobj_handle {
            handle: self.handle(),
            flags: uapi::RGT_SYNCOBJ_IMPORT_SYNC_FILE,
            fd: std::os::fd::AsRawFd::as_raw_fd(&file.as_fd()),
            ..Default::default()
        };
        self.device.call(&mut request)
    }

    fn calls(&self) -> Calls<'_> {
        Calls(&self.device)
    }
}

impl Drop for Syncobj {
    fn drop(&mut self) {
        // The handle is ours, so this fails only with a device that is gone.
        let _ = self.calls().destroy_syncobj(self.handle);
    }
}
