// SPDX-License-Identifier: GPL-2.0

//! The folder that the guest shares with the host. Its driver loses the device in a hibernation.

use std::fs;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Where it is.
const FOLDER: &str = "/mnt";
/// How it is mounted, as the guest's init does it.
const TAG: &str = "share";
const OPTIONS: &std::ffi::CStr = c"trans=virtio,version=9p2000.L,msize=262144";
/// The driver of its device.
const DRIVER: &str = "/sys/bus/virtio/drivers/9pnet_virtio";

/// Does something while neither the folder nor its device is in use. Nothing in it may be open.
pub(super) fn without<T>(f: impl FnOnce() -> T) -> Result<T> {
    let devices =
        fs::read_dir(DRIVER)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut devices = devices.filter(|name| name.starts_with("virtio"));
    let device = devices.next().context("the share has no device")?;
    unmount(FOLDER, UnmountFlags::empty()).context("unmounting the share")?;
    fs::write(format!("{DRIVER}/unbind"), &device)?;
    let result = f();
    fs::write(format!("{DRIVER}/bind"), &device)?;
    mount(TAG, FOLDER, "9p", MountFlags::empty(), OPTIONS).context("mounting the share")?;
    Ok(result)
}
