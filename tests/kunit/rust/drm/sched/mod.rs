// SPDX-License-Identifier: GPL-2.0

//! The GPU scheduler: entities, jobs, time-outs and what remains when they go.

mod end;
mod killed;
mod mock;
mod pause;
mod prepare;
mod queue;
mod race;
mod timeout;
