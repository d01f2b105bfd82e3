// SPDX-License-Identifier: GPL-2.0

//! Ports of the console device, at the other end of which something of the host listens.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use anyhow::{Context, Result, bail};

const PORTS: &str = "/sys/class/virtio-ports";

/// Opens the port of a name.
pub(super) fn open(name: &str) -> Result<File> {
    let ports = fs::read_dir(PORTS).context("this guest has no ports")?;
    for port in ports {
        let port = port?;
        if fs::read_to_string(port.path().join("name"))?.trim_end() == name {
            let path = Path::new("/dev").join(port.file_name());
            let file = OpenOptions::new().read(true).write(true).open(&path);
            return file.with_context(|| format!("cannot open {}", path.display()));
        }
    }
    bail!("no port in {PORTS} is named {name}")
}
