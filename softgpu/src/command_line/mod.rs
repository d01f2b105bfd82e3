// SPDX-License-Identifier: GPL-2.0

//! The command line of `softgpu`, its `--help` and its manual page.

mod gpu_option;
pub mod help;

use std::path::{Path, PathBuf};

use clap::Parser;

pub use self::gpu_option::GpuOption;
use crate::device::Config;
use crate::size;

/// Virtual discrete GPUs for QEMU
///
/// Each GPU is a PCI device for one vfio-user-pci device of QEMU (10.1 or later), which connects to
/// the GPU's socket. The process ends when all its GPUs have lost their clients.
///
/// SIZE is a number of bytes, or one with the suffix K, M or G: units of 2^10, 2^20 and 2^30 bytes.
#[derive(Parser)]
#[command(
    name = "softgpu",
    version,
    override_usage = "softgpu --socket <PATH> [OPTIONS]\n       softgpu --gpu <GPU>... [OPTIONS]",
    after_long_help = help::text()
)]
pub struct Arguments {
    /// Where to listen for the client of the one GPU
    ///
    /// The socket file appears when connections are accepted. A socket without a listener is
    /// replaced; any other file there is an error.
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present = "gpu",
        conflicts_with = "gpu"
    )]
    socket: Option<PathBuf>,
    /// One of several GPUs: socket=PATH[,vram=SIZE][,visible=SIZE][,scratchpad=SIZE]
    ///
    /// Given once for each GPU, instead of --socket. The keys mean what the options of the same
    /// names do, which also say what a GPU has whose keys do not. A PATH has no comma. GPUs of one
    /// process can access each other's VRAM.
    #[arg(long, value_name = "GPU", value_parser = gpu_option::parse)]
    gpu: Vec<GpuOption>,
    /// Size of VRAM, in bytes
    ///
    /// A multiple of 2 MiB, at least 2 MiB.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256M")]
    vram: u64,
    /// Size of the part of VRAM that the CPU sees through BAR 2, in bytes
    ///
    /// A power of two from 4 KiB to the size of VRAM. The default is the largest one that fits.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    visible: Option<u64>,
    /// Size of the scratchpad, the memory on the chip, in bytes
    ///
    /// A multiple of 4 KiB of at most 64 MiB; 0 is a GPU without one.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256K")]
    scratchpad: u64,
    /// Where to listen for control commands: error injection and counters
    ///
    /// Like --socket, a Unix stream socket. Without the option there is none.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

impl Arguments {
    /// Where to listen for control commands.
    pub fn control(&self) -> Option<&Path> {
        self.control.as_deref()
    }

    /// The GPUs that are asked for, and where to listen for their clients.
    ///
    /// # Errors
    ///
    /// The reason why a size is refused.
    pub fn gpus(&self) -> anyhow::Result<Vec<(&Path, Config)>> {
        let mut gpus = Vec::new();
        if let Some(socket) = &self.socket {
            gpus.push((socket.as_path(), self.config(&GpuOption::default())?));
        }
        for gpu in &self.gpu {
            gpus.push((gpu.socket.as_path(), self.config(gpu)?));
        }
        Ok(gpus)
    }

    fn config(&self, gpu: &GpuOption) -> anyhow::Result<Config> {
        Config::new(
            gpu.vram.unwrap_or(self.vram),
            gpu.visible.or(self.visible),
            gpu.scratchpad.unwrap_or(self.scratchpad),
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn gpus_take_what_they_do_not_say_from_the_options() {
        let line = "softgpu --vram 64M --gpu socket=a --gpu socket=b,vram=32M";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let sizes: Vec<u64> = arguments
            .gpus()
            .unwrap()
            .iter()
            .map(|(_, config)| config.vram)
            .collect();
        assert_eq!(sizes, [64 << 20, 32 << 20]);
    }

    #[test]
    fn a_socket_is_needed_once() {
        for line in ["softgpu", "softgpu --socket a --gpu socket=b"] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }
}
