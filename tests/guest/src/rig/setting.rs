// SPDX-License-Identifier: GPL-2.0

//! Settings of the kernel.

use std::fs;

use anyhow::{Context, Result};

/// A file of the kernel's that has another value, until this is dropped.
pub(crate) struct Setting {
    path: &'static str,
    before: String,
}

impl Setting {
    pub(crate) fn change(path: &'static str, value: &str) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
        // The one of several values that counts is in brackets.
        let chosen = text
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        let before = chosen.map_or(text.as_str(), |(value, _)| value).to_owned();
        fs::write(path, value).with_context(|| path.to_owned())?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        // Nothing else can be done about it.
        let _ = fs::write(self.path, &self.before);
    }
}
