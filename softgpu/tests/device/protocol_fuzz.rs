// SPDX-License-Identifier: GPL-2.0

//! Random clients: whatever one says, the process does not panic, hang or die by a signal, and what
//! is framed well is answered.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use rustix::event::EventfdFlags;

use crate::gpu::{memory_file, wait_for};
use crate::process::Running;
use crate::raw::{
    DMA_MAP, DMA_UNMAP, GET_INFO, GET_IRQ_INFO, GET_REGION_INFO, NO_REPLY, REGION_READ,
    REGION_WRITE, RESET, Raw, SET_IRQS, VERSION, access, fields, header, version,
};

const TIME: Duration = Duration::from_secs(5);

/// A message that is framed well.
#[derive(Clone, Debug)]
struct Message {
    command: u16,
    flags: u32,
    body: Vec<u8>,
    /// The kinds of descriptors that come with it.
    fds: Vec<usize>,
    /// The file of guest memory is cut off, or grows, behind the device's back.
    length: Option<u64>,
}

/// A connection.
#[derive(Clone, Debug)]
struct Conversation {
    agrees: bool,
    messages: Vec<Message>,
    /// Bytes that are no message, or only part of one.
    end: Vec<u8>,
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..40u32, 1 => any::<u32>(), 1 => (0..32u32).prop_map(|bit| 1 << bit)]
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0..64u64).prop_map(|page| page * 4096),
        1 => any::<u64>(),
        1 => (0..8u64).prop_map(|page| (page * 4096).wrapping_neg()),
    ]
}

fn body() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let data = || prop::collection::vec(any::<u8>(), 0..64);
    prop_oneof![
        4 => (small(), prop::array::uniform3(address())).prop_map(|(flags, numbers)| {
            (DMA_MAP, fields(&[32, flags % 4], &numbers))
        }),
        2 => (small(), prop::array::uniform2(address())).prop_map(|(flags, numbers)| {
            (DMA_UNMAP, fields(&[24, flags % 4], &numbers))
        }),
        1 => prop::array::uniform4(small()).prop_map(|words| (GET_INFO, fields(&words, &[]))),
        2 => (prop::array::uniform3(small()), address()).prop_map(|([argsz, flags, index], size)| {
            (GET_REGION_INFO, fields(&[argsz + 32 * (index & 1), flags, index], &[size, size]))
        }),
        1 => prop::array::uniform4(small()).prop_map(|words| (GET_IRQ_INFO, fields(&words, &[]))),
        3 => prop::array::uniform3(small()).prop_map(|[flags, start, count]| {
            (SET_IRQS, fields(&[20, flags, 2, start % 12, count % 12], &[]))
        }),
        2 => (0..10u32, address(), small()).prop_map(|(region, offset, count)| {
            (REGION_READ, access(region, offset, count))
        }),
        4 => (0..10u32, 0..0x2100u64, data()).prop_map(|(region, offset, data)| {
            let mut body = access(region, offset & !3, data.len() as u32);
            body.extend(data);
            (REGION_WRITE, body)
        }),
        1 => Just((RESET, vec![])),
        1 => data().prop_map(|data| (VERSION, data)),
        2 => (0..20u16, data()),
        1 => (any::<u16>(), data()),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    (
        body(),
        prop_oneof![8 => Just(0u32), 1 => Just(NO_REPLY)],
        prop_oneof![
            3 => Just(vec![]),
            3 => Just(vec![0]),
            2 => prop::collection::vec(0..6usize, 0..20),
        ],
        // Too short or too long for its command.
        prop_oneof![8 => Just(0isize), 1 => -8..8isize],
        prop_oneof![8 => Just(None), 1 => (0..300u64).prop_map(|pages| Some(pages * 4096))],
    )
        .prop_map(|((command, mut body), flags, fds, more, length)| {
            body.resize(body.len().saturating_add_signed(more), 0);
            Message {
                command,
                flags,
                body,
                fds,
                length,
            }
        })
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let part = (any::<u16>(), 0..20u16, small(), small(), 0..20usize).prop_map(
        |(id, command, size, flags, length)| {
            let mut bytes = header(id, command, size, flags);
            bytes.truncate(length);
            bytes
        },
    );
    let end = prop_oneof![
        1 => Just(vec![]),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        2 => part,
    ];
    let messages = prop::collection::vec(message(), 0..40);
    (prop::bool::weighted(0.8), messages, end).prop_map(|(agrees, messages, end)| Conversation {
        agrees,
        messages,
        end,
    })
}

/// Descriptors of all kinds; the first is guest memory.
struct Descriptors(Vec<OwnedFd>);

impl Descriptors {
    fn new() -> Self {
        let (pipe, _closed) = rustix::pipe::pipe().unwrap();
        let event = rustix::event::eventfd(0, EventfdFlags::empty()).unwrap();
        Self(vec![
            memory_file(256 * 4096).into(),
            memory_file(0).into(),
            event,
            pipe,
            File::open("/dev/null").unwrap().into(),
            File::open("/").unwrap().into(),
        ])
    }

    fn take(&self, kinds: &[usize]) -> Vec<BorrowedFd<'_>> {
        kinds.iter().map(|kind| self.0[*kind].as_fd()).collect()
    }
}

/// Has a conversation; whether the device agreed on the version in it.
fn converse(raw: &mut Raw, conversation: &Conversation) -> bool {
    let descriptors = Descriptors::new();
    let mut agreed = false;
    if conversation.agrees {
        raw.ask(VERSION, &version(0, b"{}\0")).unwrap();
        agreed = true;
    }
    for message in &conversation.messages {
        if let Some(length) = message.length {
            rustix::fs::ftruncate(&descriptors.0[0], length).unwrap();
        }
        let fds = descriptors.take(&message.fds);
        raw.send(message.command, message.flags, &message.body, &fds)
            .unwrap();
        if message.flags & NO_REPLY == 0 {
            let reply = raw.reply(message.command).unwrap();
            agreed |= message.command == VERSION && reply.is_ok();
        }
    }
    // The device may have closed the connection in the middle of this.
    let _ = raw.send_bytes(&conversation.end, &[]);
    raw.finish();
    raw.wait_closed();
    agreed
}

#[test]
fn random_clients_get_answers() {
    let mut runner = TestRunner::new(Config::default());
    let conversations = conversation();
    let directory = tempfile::tempdir().unwrap();
    let (socket, log) = (directory.path().join("gpu"), directory.path().join("log"));
    let start = Instant::now();
    let mut child = None;
    let mut rounds = 0;
    while start.elapsed() < TIME || rounds < 5 {
        rounds += 1;
        let running = child.get_or_insert_with(|| Running::logged(&socket, &["--vram=2M"], &log));
        let conversation = conversations.new_tree(&mut runner).unwrap().current();
        let shown = Shown(&conversation);
        if !converse(&mut Raw::connect(&socket), shown.0) {
            assert!(
                running.0.try_wait().unwrap().is_none(),
                "it waits for another"
            );
            continue;
        }
        // Status 1 is that of a connection that failed.
        let status = running.status();
        let words = std::fs::read_to_string(&log).unwrap();
        assert!(matches!(status, Some(0 | 1)), "{status:?}: {words}");
        assert!(!words.contains("panicked"), "{words}");
        child = None;
        wait_for("the socket to go", || !socket.exists());
    }
}

/// Shows what was said if it ends badly.
struct Shown<'a>(&'a Conversation);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", self.0);
        }
    }
}
