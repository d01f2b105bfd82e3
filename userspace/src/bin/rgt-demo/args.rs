// SPDX-License-Identifier: MIT

//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;

/// Move data through every memory region of the GPU and draw a picture.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Folder that demo.png is written to
    #[arg(long, default_value = ".")]
    pub(crate) out: PathBuf,
    /// Width and height of the picture
    #[arg(long, default_value = "640x480")]
    pub(crate) size: Size,
    /// Bytes that are moved in every region, rounded up to whole pages
    #[arg(long, default_value_t = 2 << 20, value_parser = clap::value_parser!(u64).range(4096..=64 << 20))]
    pub(crate) bytes: u64,
    /// Render node, instead of the first one of the driver
    #[arg(long)]
    pub(crate) node: Option<PathBuf>,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('x').and_then(|(width, height)| {
            Some(Self {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
            })
        });
        match parsed {
            Some(size)
                if (64..=4096).contains(&size.width.min(size.height))
                    && size.width.max(size.height) <= 4096 =>
            {
                Ok(size)
            }
            _ => Err("expected WIDTHxHEIGHT, each from 64 to 4096".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers_in_bounds() {
        assert_eq!(
            "640x480".parse(),
            Ok(Size {
                width: 640,
                height: 480
            })
        );
        for bad in [
            "",
            "640",
            "640x",
            "x480",
            "10x480",
            "640x5000",
            "-1x64",
            "640x480x2",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
