// SPDX-License-Identifier: MIT

//! Devices: finding and opening their render nodes.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drm::Device as _;
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::handle::Shared;
use crate::ioctl::{self, Contained, Request};
use crate::query::{DeviceInfo, Engine, EngineClass};

/// Name by which the driver answers DRM's version call.
pub const DRIVER_NAME: &str = "rust_gpu_ttm";

/// An open render node: one client of one GPU. Clones share it.
#[derive(Debug, Clone)]
pub struct Device {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    path: PathBuf,
    info: DeviceInfo,
    engines: Vec<Engine>,
    shared: Shared,
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.file.as_fd()
    }
}

impl drm::Device for Device {}

/// A node before it is known whose it is.
struct Node(File);

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Node {}

impl Device {
    /// Opens the first GPU of the driver.
    pub fn open() -> Result<Self> {
        let path = Self::list()?.into_iter().next().ok_or(Error::NoDevice)?;
        Self::open_path(path)
    }

    /// Opens the GPU with this node.
    pub fn open_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (node, driver) = open_node(path)?;
        if driver != DRIVER_NAME {
            return Err(Error::WrongDriver {
                path: path.to_path_buf(),
                driver,
            });
        }
        let info = DeviceInfo::query(&node)?;
        let engines = Engine::query(&node)?;
        let inner = Inner {
            file: node.0,
            path: path.to_path_buf(),
            info,
            engines,
            shared: Shared::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The render nodes of all GPUs of the driver, in the order of their numbers.
    pub fn list() -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir("/dev/dri") {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Error::Open {
                    path: "/dev/dri".into(),
                    errno: errno_of(&error),
                });
            }
        };
        let mut numbers: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .strip_prefix("renderD")?
                    .parse()
                    .ok()
            })
            .collect();
        numbers.sort_unstable();
        let ours = |path: &PathBuf| open_node(path).is_ok_and(|(_, name)| name == DRIVER_NAME);
        let paths = numbers
            .iter()
            .map(|number| PathBuf::from(format!("/dev/dri/renderD{number}")));
        Ok(paths.filter(ours).collect())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// The node's path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The driver's name, description and version.
    pub fn driver(&self) -> Result<drm::Driver> {
        self.get_driver().map_err(|error| Error::Os {
            call: "VERSION",
            errno: errno_of(&error),
        })
    }

    /// Returns the device's properties, as they were when the node was opened.
    pub fn info(&self) -> &DeviceInfo {
        &self.inner.info
    }

    /// The engines.
    pub fn engines(&self) -> &[Engine] {
        &self.inner.engines
    }

    /// The first engine of a class.
    pub fn engine(&self, class: EngineClass) -> Result<Engine> {
        let found = self.engines().iter().find(|engine| engine.class == class);
        found
            .copied()
            .ok_or(Error::BadAnswer("no engine of the class"))
    }

    /// Makes a call that writes nothing but its structure.
    pub fn call<T: Contained>(&self, request: &mut T) -> Result<()> {
        ioctl::call(self, request).map_err(|errno| Error::Os {
            call: <T as Request>::NAME,
            errno,
        })
    }
}

fn open_node(path: &Path) -> Result<(Node, String)> {
    let open = OpenOptions::new().read(true).write(true).open(path);
    let failed = |error: std::io::Error| Error::Open {
        path: path.to_path_buf(),
        errno: errno_of(&error),
    };
    let node = Node(open.map_err(failed)?);
    let driver = node.get_driver().map_err(failed)?;
    Ok((node, driver.name().to_string_lossy().into_owned()))
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
