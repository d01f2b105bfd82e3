// SPDX-License-Identifier: GPL-2.0

//! The option `--gpu` of the command line.

use std::path::PathBuf;

use crate::size;

/// The value of `--gpu`: pairs of a key and a value, separated by commas. A key that is left out
/// has the value of its option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuOption {
    /// Where to listen for the client.
    pub socket: PathBuf,
    /// Bytes of VRAM.
    pub vram: Option<u64>,
    /// Bytes of it that the CPU sees.
    pub visible: Option<u64>,
    /// Bytes of the scratchpad.
    pub scratchpad: Option<u64>,
}

/// Reads the option's value.
pub(super) fn parse(text: &str) -> Result<GpuOption, String> {
    let mut option = GpuOption::default();
    for pair in text.split(',') {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("not a key and a value: '{pair}'"))?;
        let size = || size::parse(value).map(Some);
        match key {
            "socket" => option.socket = value.into(),
            "vram" => option.vram = size()?,
            "visible" => option.visible = size()?,
            "scratchpad" => option.scratchpad = size()?,
            _ => return Err(format!("no such key: '{key}'")),
        }
    }
    if option.socket.as_os_str().is_empty() {
        return Err("no socket".to_owned());
    }
    Ok(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let wanted = GpuOption {
            socket: "/run/a=b".into(),
            vram: Some(64 << 20),
            visible: None,
            scratchpad: Some(0),
        };
        assert_eq!(
            parse("vram=64M,socket=/run/a=b,scratchpad=0"),
            Ok(wanted.clone())
        );
        assert_eq!(parse("socket=/run/a=b").unwrap().socket, wanted.socket);
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "socket",
            "vram=1M",
            "socket=",
            "socket=a,",
            "socket=a,size=1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("socket=a,vram=x").unwrap_err().contains("not a size"));
    }
}
