// SPDX-License-Identifier: GPL-2.0

//! The commands of the control socket.

use std::str::FromStr;
use std::sync::Arc;

use crate::device::Device;
use crate::engine::{Engine, Hang};

use super::counters::Counters;

/// Runs the command in a line and returns its answer.
pub(super) fn answer(gpus: &[Arc<Device>], line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let gpu = |word| {
        gpus.get(number::<usize>(word)?)
            .ok_or_else(|| no("GPU", word))
    };
    match words[..] {
        ["hang", at, "tlb"] => gpu(at)?.shared().invalidations.hang(),
        ["hang", at, on] => engine(gpu(at)?, on)?.hang(Hang::EngineReset),
        ["hang", at, on, "fatal"] => engine(gpu(at)?, on)?.hang(Hang::DeviceReset),
        ["slow", at, on, factor] => engine(gpu(at)?, on)?.slow_down(number(factor)?),
        ["lose", at, vector, count] => {
            if !gpu(at)?.shared().irqs.lose(number(vector)?, number(count)?) {
                return Err(no("vector", vector));
            }
        }
        ["poison", at, offset, length] => {
            if !gpu(at)?.poison(number(offset)?, number(length)?) {
                return Err(no("such bytes of VRAM", &format!("{offset} {length}")));
            }
        }
        ["garble", at, one_in] => gpu(at)?.garbling().set(number(one_in)?),
        ["remove", at] => gpu(at)?.pull_out(),
        ["power-loss", at] => gpu(at)?.reset(),
        ["counters", at] => {
            return serde_json::to_string(&Counters::of(gpu(at)?))
                .map_err(|error| error.to_string());
        }
        [command, ..] => return Err(no("such command", command)),
        [] => return Err("an empty line".to_owned()),
    }
    Ok("ok".to_owned())
}

fn engine<'a>(gpu: &'a Device, word: &str) -> Result<&'a Arc<Engine>, String> {
    let engine = gpu.engines().get(number::<usize>(word)?);
    engine.ok_or_else(|| no("engine", word))
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

fn no(what: &str, word: &str) -> String {
    format!("no {what}: {word}")
}

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::command_line::help::COMMANDS;

    #[test]
    fn the_help_names_commands_that_there_are() {
        for (usage, _) in COMMANDS {
            let words = usage.split(' ').map(|word| match word {
                "GPU" | "ENGINE" | "VECTOR" | "FACTOR" | "COUNT" | "RATE" => "0",
                word => word,
            });
            let line = words.collect::<Vec<_>>().join(" ");
            assert_eq!(answer(&[], &line).unwrap_err(), "no GPU: 0", "{line}");
        }
        assert_eq!(answer(&[], "help 0").unwrap_err(), "no such command: help");
    }
}
