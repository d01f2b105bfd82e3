// SPDX-License-Identifier: GPL-2.0

//! vkms, a display whose pictures can be read back.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use drm::buffer::{Buffer, DrmFourcc, Handle};
use drm::control::atomic::AtomicModeReq;
use drm::control::connector::Interface;
use drm::control::property::Value;
use drm::control::{
    AtomicCommitFlags, Device as _, Mode, ResourceHandle, connector, crtc, framebuffer, plane,
    property,
};
use drm::{ClientCapability, Device as _};
use rgt::{Mapping, SyncFile};

use super::{Card, DmaBuf, Dumb};

/// Bytes of a pixel.
const PIXEL: u32 = 4;

/// The display, with one screen.
pub(crate) struct Vkms {
    card: Card,
    crtc: crtc::Handle,
    screen: connector::Handle,
    writeback: connector::Handle,
    plane: plane::Handle,
    mode: Mode,
    mode_blob: Value<'static>,
}

/// A picture that the display can show, or be read back to.
pub(crate) struct Picture<'a> {
    vkms: &'a Vkms,
    buffer: Dumb<'a>,
    fb: framebuffer::Handle,
}

/// A commit that has begun.
pub(crate) struct Shown {
    /// When the picture is on the screen.
    pub(crate) flipped: SyncFile,
    /// When it was read back.
    pub(crate) read_back: SyncFile,
}

/// A buffer as the display sees it.
struct Scanout {
    size: (u32, u32),
    handle: Handle,
}

impl Buffer for Scanout {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn format(&self) -> DrmFourcc {
        DrmFourcc::Xrgb8888
    }

    fn pitch(&self) -> u32 {
        self.size.0 * PIXEL
    }

    fn handle(&self) -> Handle {
        self.handle
    }
}

/// The properties of an object, by name.
struct Properties(HashMap<String, property::Handle>);

impl Properties {
    fn of<T: ResourceHandle>(card: &Card, object: T) -> Result<Self> {
        let set = card.get_properties(object)?;
        let (handles, _) = set.as_props_and_values();
        handles
            .iter()
            .map(|&handle| {
                let info = card.get_property(handle)?;
                Ok((info.name().to_string_lossy().into_owned(), handle))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    fn get(&self, name: &str) -> Result<property::Handle> {
        let found = self.0.get(name).copied();
        found.with_context(|| format!("no property {name}"))
    }
}

/// A commit that is being put together.
struct Request<'a> {
    card: &'a Card,
    raw: AtomicModeReq,
}

impl Request<'_> {
    /// Sets properties of an object.
    fn set<T: ResourceHandle>(&mut self, object: T, values: &[(&str, Value<'_>)]) -> Result<()> {
        let properties = Properties::of(self.card, object)?;
        for (name, value) in values {
            self.raw.add_property(object, properties.get(name)?, *value);
        }
        Ok(())
    }
}

impl Vkms {
    /// Opens it, and finds its parts.
    pub(crate) fn open() -> Result<Self> {
        let card = Card::of_driver("vkms")?;
        for capability in [
            ClientCapability::UniversalPlanes,
            ClientCapability::Atomic,
            ClientCapability::WritebackConnectors,
        ] {
            card.set_client_capability(capability, true)?;
        }
        let resources = card.resource_handles()?;
        let crtc = *resources.crtcs().first().context("a CRTC")?;
        let connectors = resources
            .connectors()
            .iter()
            .map(|&handle| card.get_connector(handle, true))
            .collect::<Result<Vec<_>, _>>()?;
        let find = |writeback: bool| {
            connectors
                .iter()
                .find(|info| (info.interface() == Interface::Writeback) == writeback)
                .context("a connector")
        };
        let (screen, writeback) = (find(false)?, find(true)?);
        let mode = screen
            .modes()
            .iter()
            .copied()
            .min_by_key(|mode| mode.size())
            .context("a mode")?;
        let plane = *card.plane_handles()?.first().context("a plane")?;
        Ok(Self {
            crtc,
            screen: screen.handle(),
            writeback: writeback.handle(),
            plane,
            mode,
            mode_blob: card.create_property_blob(&mode)?,
            card,
        })
    }

    /// Bytes of a picture, in whole pages.
    pub(crate) fn bytes(&self) -> u64 {
        let (width, height) = self.mode.size();
        (u64::from(width) * u64::from(height) * u64::from(PIXEL)).next_multiple_of(4096)
    }

    /// Pixels of a picture.
    pub(crate) fn pixels(&self) -> usize {
        let (width, height) = self.mode.size();
        usize::from(width) * usize::from(height)
    }

    /// Returns a picture in a buffer of another device.
    pub(crate) fn import(&self, buf: &DmaBuf) -> Result<Picture<'_>> {
        self.picture(self.card.import(buf)?)
    }

    /// A picture in a buffer of the display's own.
    pub(crate) fn own(&self) -> Result<Picture<'_>> {
        self.picture(self.card.dumb(self.bytes())?)
    }

    fn picture<'a>(&'a self, buffer: Dumb<'a>) -> Result<Picture<'a>> {
        let (width, height) = self.mode.size();
        let scanout = Scanout {
            size: (width.into(), height.into()),
            handle: buffer.handle(),
        };
        let fb = self
            .card
            .add_framebuffer(&scanout, 24, 32)
            .context("ADDFB")?;
        Ok(Picture {
            vkms: self,
            buffer,
            fb,
        })
    }

    /// Shows a picture, after a fence if there is one or else after those of its buffer, and reads
    /// the screen back to another. Does not wait.
    pub(crate) fn show(
        &self,
        picture: &Picture<'_>,
        after: Option<&SyncFile>,
        back: &Picture<'_>,
    ) -> Result<Shown> {
        let (width, height) = self.mode.size();
        let (width, height) = (u64::from(width), u64::from(height));
        let mut out_fences = [-1i32; 2];
        let pointer = |fence: &mut i32| Value::Unknown(std::ptr::from_mut(fence) as u64);

        let mut request = Request {
            card: &self.card,
            raw: AtomicModeReq::new(),
        };
        let [flipped, read_back] = &mut out_fences;
        request.set(self.screen, &[("CRTC_ID", Value::CRTC(Some(self.crtc)))])?;
        request.set(
            self.crtc,
            &[
                ("MODE_ID", self.mode_blob),
                ("ACTIVE", Value::Boolean(true)),
                ("OUT_FENCE_PTR", pointer(flipped)),
            ],
        )?;
        request.set(
            self.plane,
            &[
                ("FB_ID", Value::Framebuffer(Some(picture.fb))),
                ("CRTC_ID", Value::CRTC(Some(self.crtc))),
                ("SRC_X", Value::UnsignedRange(0)),
                ("SRC_Y", Value::UnsignedRange(0)),
                ("SRC_W", Value::UnsignedRange(width << 16)),
                ("SRC_H", Value::UnsignedRange(height << 16)),
                ("CRTC_X", Value::SignedRange(0)),
                ("CRTC_Y", Value::SignedRange(0)),
                ("CRTC_W", Value::UnsignedRange(width)),
                ("CRTC_H", Value::UnsignedRange(height)),
            ],
        )?;
        if let Some(fence) = after {
            let fd = i64::from(fence.as_fd().as_raw_fd());
            request.set(self.plane, &[("IN_FENCE_FD", Value::SignedRange(fd))])?;
        }
        request.set(
            self.writeback,
            &[
                ("CRTC_ID", Value::CRTC(Some(self.crtc))),
                ("WRITEBACK_FB_ID", Value::Framebuffer(Some(back.fb))),
                ("WRITEBACK_OUT_FENCE_PTR", pointer(read_back)),
            ],
        )?;
        let flags = AtomicCommitFlags::ALLOW_MODESET | AtomicCommitFlags::NONBLOCK;
        self.card
            .atomic_commit(flags, request.raw)
            .context("the commit")?;

        ensure!(!out_fences.contains(&-1), "no fences: {out_fences:?}");
        // SAFETY: The kernel made the files for this call.
        let [flipped, read_back] = out_fences.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Shown {
            flipped: flipped.into(),
            read_back: read_back.into(),
        })
    }
}

impl Drop for Vkms {
    fn drop(&mut self) {
        let Value::Blob(blob) = self.mode_blob else {
            return;
        };
        if NonZeroU32::new(blob as u32).is_some() {
            // It is ours.
            let _ = self.card.destroy_property_blob(blob);
        }
    }
}

impl Picture<'_> {
    /// Maps it, if it is the display's own.
    pub(crate) fn map(&self) -> Result<Mapping> {
        self.buffer.map()
    }
}

impl Drop for Picture<'_> {
    fn drop(&mut self) {
        // It is ours; this takes it off the screen.
        let _ = self.vkms.card.destroy_framebuffer(self.fb);
    }
}
