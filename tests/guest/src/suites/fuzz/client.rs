// SPDX-License-Identifier: GPL-2.0

//! A process that makes calls on one file, in several threads.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rgt::Device;
use rgt::ioctl::{FdToHandle, HandleToFd, Request};
use rgt::uapi::drm_gem_close;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, memfd_create};

use super::arena::Arena;
use super::calls::{Caller, Lengths, Objects, pick, push};
use super::choices::Choices;
use super::corpus::Corpus;
use super::coverage::Coverage;
use super::grammar::Grammar;
use crate::harness::Outcome;
use crate::rig::Dice;

const THREADS: u32 = 2;
/// As many calls are one sequence at most.
const LONGEST: u32 = 6;

// Ioctls of DRM's own.
const GEM_CLOSE: u32 = drm_gem_close::OPCODE;
const HANDLE_TO_FD: u32 = HandleToFd::OPCODE;
const FD_TO_HANDLE: u32 = FdToHandle::OPCODE;
const SYNCOBJ_CREATE: u32 = 0xc008_64bf;
const SYNCOBJ_DESTROY: u32 = 0xc008_64c0;
const SYNCOBJ_WAIT: u32 = 0xc028_64c3;
const SYNCOBJ_RESET: u32 = 0xc010_64c4;
const SYNCOBJ_SIGNAL: u32 = 0xc010_64c5;
const SYNCOBJ_TIMELINE_WAIT: u32 = 0xc030_64ca;
const SYNCOBJ_QUERY: u32 = 0xc018_64cb;
const SYNCOBJ_TRANSFER: u32 = 0xc020_64cc;
const SYNCOBJ_TIMELINE_SIGNAL: u32 = 0xc018_64cd;
const SYNCOBJ_EVENTFD: u32 = 0xc018_64cf;

/// Makes calls: arguments are a seed, milliseconds, and the folder of what was found.
pub(in crate::suites) fn run(arguments: &[&str]) -> Outcome {
    let [seed, millis, folder] = arguments else {
        bail!("expected a seed, milliseconds and a folder")
    };
    let seed: u32 = seed.parse()?;
    let corpus = Arc::new(Mutex::new(Corpus::load(Path::new(folder))?));
    let end = Instant::now() + Duration::from_millis(millis.parse()?);
    let grammar = Arc::new(Grammar::new()?);
    let nodes = Device::list()?;
    let node = nodes.first().context("no device")?;
    let lengths = Lengths::of(Device::open()?.info());
    let file = Arc::new(OpenOptions::new().read(true).write(true).open(node)?);
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (grammar, file) = (grammar.clone(), file.clone());
            let (arena, corpus) = (Arena::new()?, corpus.clone());
            let seed = seed * THREADS + number + 1;
            Ok(thread::spawn(move || {
                let caller = Caller {
                    grammar: &grammar,
                    arena,
                    dice: Choices::new(seed),
                    fd: file.as_raw_fd(),
                    objects: Objects::default(),
                    lengths,
                    kind: 0,
                    successes: vec![0; grammar.calls.len()],
                };
                sequences(caller, &file, &corpus, seed, end)
            }))
        })
        .collect::<Result<_>>()?;
    let mut successes = vec![0; grammar.calls.len()];
    for thread in threads {
        let more = thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        successes
            .iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
    let corpus = corpus.lock().unwrap_or_else(PoisonError::into_inner);
    corpus.save(&seed.to_string())?;
    // What never succeeds is not tested.
    let names = grammar.calls.iter().map(|call| call.name);
    let never: Vec<_> = names
        .zip(&successes)
        .filter(|(_, count)| **count == 0)
        .collect();
    ensure!(never.is_empty(), "seed {seed}: {never:?} of {successes:?}");
    Ok(())
}

/// Makes sequences of calls until it is time. Returns how often each of the driver's succeeded.
fn sequences(
    mut caller: Caller<'_>,
    file: &File,
    corpus: &Mutex<Corpus>,
    seed: u32,
    end: Instant,
) -> Result<Vec<u32>> {
    let scratch = memfd_create("fuzz", MemfdFlags::CLOEXEC)?;
    let event = eventfd(0, EventfdFlags::CLOEXEC)?;
    let corpus = || corpus.lock().unwrap_or_else(PoisonError::into_inner);
    // Other numbers than those of the calls.
    let mut changes = Dice::new(!seed);
    let mut fds = vec![];
    let coverage = Coverage::new()?;
    while Instant::now() < end {
        caller.dice.begin(corpus().script(&mut changes));
        for _ in 0..=caller.dice.below(LONGEST) {
            one(&mut caller, file, &scratch, &event, &mut fds);
        }
        if let Some(coverage) = &coverage {
            corpus().learn(coverage.places(), caller.dice.made());
            coverage.clear();
        }
    }
    Ok(caller.successes)
}

fn one(
    caller: &mut Caller<'_>,
    file: &File,
    scratch: impl AsFd,
    event: impl AsFd,
    fds: &mut Vec<u32>,
) {
    match caller.dice.below(25) {
        0 => close(caller),
        1 => share(caller, fds),
        2 => take(caller, fds),
        3 => create_syncobj(caller),
        4 => use_syncobj(caller),
        5 => touch(caller, file, scratch),
        6 => use_timeline(caller, event),
        _ => caller.call(),
    }
}

/// Makes an ioctl of these words. Returns their place if it succeeded.
fn ioctl(caller: &mut Caller<'_>, number: u32, words: &[u32]) -> Option<u64> {
    let at = caller.arena.place(caller.dice.roll());
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    caller.arena.write(at, &bytes);
    caller.arena.ioctl(caller.fd, number, at).then_some(at)
}

fn close(caller: &mut Caller<'_>) {
    let handle = pick(&mut caller.dice, &caller.objects.handles) as u32;
    ioctl(caller, GEM_CLOSE, &[handle, 0]);
}

/// Exports a BO. Buffers are open until the process ends.
fn share(caller: &mut Caller<'_>, fds: &mut Vec<u32>) {
    const MOST: usize = 200;
    let handle = pick(&mut caller.dice, &caller.objects.handles) as u32;
    let flags = libc::O_CLOEXEC as u32 | (caller.dice.below(2) * libc::O_RDWR as u32);
    if fds.len() == MOST {
        return;
    }
    if let Some(at) = ioctl(caller, HANDLE_TO_FD, &[handle, flags, 0]) {
        fds.push(caller.arena.read(at + 8, 4) as u32);
    }
}

fn take(caller: &mut Caller<'_>, fds: &[u32]) {
    let fd = pick(&mut caller.dice, fds) as u32;
    if let Some(at) = ioctl(caller, FD_TO_HANDLE, &[0, 0, fd]) {
        let handle = caller.arena.read(at, 4) as u32;
        push(&mut caller.objects.handles, handle);
    }
}

fn create_syncobj(caller: &mut Caller<'_>) {
    let flags = caller.dice.below(2);
    if let Some(at) = ioctl(caller, SYNCOBJ_CREATE, &[0, flags]) {
        let handle = caller.arena.read(at, 4) as u32;
        push(&mut caller.objects.syncobjs, handle);
    }
}

fn use_syncobj(caller: &mut Caller<'_>) {
    let handle = pick(&mut caller.dice, &caller.objects.syncobjs) as u32;
    let list = caller.arena.place(caller.dice.roll());
    caller.arena.write(list, &handle.to_le_bytes());
    let [low, high] = halves(list);
    match caller.dice.below(6) {
        0 => ioctl(caller, SYNCOBJ_DESTROY, &[handle, 0]),
        1 => ioctl(caller, SYNCOBJ_RESET, &[low, high, 1, 0]),
        2 | 3 => ioctl(caller, SYNCOBJ_SIGNAL, &[low, high, 1, 0]),
        // At once.
        _ => ioctl(caller, SYNCOBJ_WAIT, &[low, high, 0, 0, 1, 0, 0, 0, 0, 0]),
    };
}

/// The low half and the high half.
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// Uses a syncobj as a timeline.
fn use_timeline(caller: &mut Caller<'_>, event: impl AsFd) {
    let handle = pick(&mut caller.dice, &caller.objects.syncobjs) as u32;
    let point = caller.point();
    let [handles, points] = [(); 2].map(|()| caller.arena.place(caller.dice.roll()));
    caller.arena.write(points, &point.to_le_bytes());
    caller.arena.write(handles, &handle.to_le_bytes());
    let [handles_low, handles_high] = halves(handles);
    let [points_low, points_high] = halves(points);
    let list = [handles_low, handles_high, points_low, points_high];
    let array = |flags| [&list[..], &[1, flags]].concat();
    let [low, high] = halves(point);
    let (number, words) = match caller.dice.below(6) {
        // At once: the time is in the past.
        0 => {
            let flags = caller.dice.below(8);
            let rest = [0, 0, 1, flags, 0, 0, 0, 0];
            (SYNCOBJ_TIMELINE_WAIT, [&list[..], &rest].concat())
        }
        1 => (SYNCOBJ_QUERY, array(caller.dice.below(2))),
        2 => {
            let to = pick(&mut caller.dice, &caller.objects.syncobjs) as u32;
            let [to_low, to_high] = halves(caller.point());
            let words = vec![handle, to, low, high, to_low, to_high, 0, 0];
            (SYNCOBJ_TRANSFER, words)
        }
        3 => {
            /// DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE
            const AVAILABLE: u32 = 4;
            let flags = AVAILABLE * caller.dice.below(2);
            let event = event.as_fd().as_raw_fd() as u32;
            (SYNCOBJ_EVENTFD, vec![handle, flags, low, high, event, 0])
        }
        _ => (SYNCOBJ_TIMELINE_SIGNAL, array(0)),
    };
    ioctl(caller, number, &words);
}

/// Maps a page of a BO, and accesses it.
fn touch(caller: &mut Caller<'_>, file: &File, scratch: impl AsFd) {
    let offsets = &caller.objects.offsets;
    if offsets.is_empty() {
        return;
    }
    let offset = offsets[caller.dice.below(offsets.len() as u32) as usize];
    // SAFETY: The kernel chooses the address. The kernel accesses the page, so that it is no signal
    // if there is nothing to access, and it is unmapped then.
    unsafe {
        let map = libc::mmap(
            ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            offset as libc::off_t,
        );
        if map == libc::MAP_FAILED {
            return;
        }
        if caller.dice.below(2) == 0 {
            libc::getrandom(map, 8, 0);
        } else {
            libc::pwrite(scratch.as_fd().as_raw_fd(), map, 8, 0);
        }
        libc::munmap(map, 4096);
    }
}
