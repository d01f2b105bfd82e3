// SPDX-License-Identifier: GPL-2.0

//! Turns: whose job an engine gets next.
//!
//! An engine does what it has got in that order, so that a job waits for all that are with the
//! engine already, whatever its priority. Hence an engine gets few of the clients' jobs at a time.
//! The others wait for their turns: those of higher priority come first, and of one priority the
//! clients take turns, however many contexts and jobs each has. This is start-time fair queueing
//! with jobs of one length: a client's next turn begins one unit of virtual time after its last
//! one, but not in the past.
//!
//! Jobs of the kernel take no turns.

use core::cmp::Reverse;

use kernel::{
    new_spinlock,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode,
        RBTreeNodeReservation, //
    },
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    }, //
};

use crate::{
    fence::Timeline,
    rust::{
        dma_fence::{
            Fence,
            PendingFence,
            UnpublishedFence, //
        },
        drm::sched::Priority, //
    }, //
};

/// The most jobs of clients that an engine has at a time.
const MAX_DEPTH: u32 = 16;

/// Of a context, the short jobs in a row for each of its jobs that the engine may have behind
/// another.
const SHORT_JOBS: u32 = 4;

/// A job that takes less device time than this is short.
const SHORT_NS: u64 = 50_000;

/// The virtual times at which a client's next turns begin on an engine, by priority. Changed with
/// the lock of the engine's [`Arbiter`].
pub(crate) struct NextTurns([Atomic<u64>; Priority::Kernel as usize]);

impl NextTurns {
    /// Returns the turns of a client that has had none.
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(0)))
    }
}

/// The length of a context's last jobs on an engine.
pub(crate) struct Lengths(Atomic<u32>);

impl Lengths {
    /// Returns that of a context without jobs.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Notes the device time of a job that has ended.
    pub(crate) fn add(&self, ns: u64) {
        let short = if ns < SHORT_NS {
            self.0.load(Relaxed).saturating_add(1)
        } else {
            0
        };
        self.0.store(short, Relaxed);
    }

    /// Returns how many jobs the engine may have, the context's next one included. That is one
    /// unless the context's jobs have been short.
    fn depth(&self) -> u32 {
        (1 + self.0.load(Relaxed) / SHORT_JOBS).min(MAX_DEPTH)
    }
}

/// The order of turns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    priority: Reverse<Priority>,
    /// The virtual time at which the turn begins.
    start: u64,
    /// Of those that begin at one time, the one that came first is first.
    number: u64,
}

/// A job that waits for its turn.
struct Waiting {
    /// How many jobs the engine may have then.
    depth: u32,
    begin: PendingFence,
}

/// Gives the turns of an engine.
#[pin_data]
pub(crate) struct Arbiter {
    #[pin]
    state: SpinLock<State>,
}

struct State {
    /// The clients' jobs that the engine has, or is about to get.
    running: u32,
    /// Whether the engine has one behind which no other may be.
    alone: bool,
    /// The virtual time of the last turn of each priority.
    now: [u64; Priority::Kernel as usize],
    /// The number of jobs that have waited.
    waited: u64,
    waiting: RBTree<Key, Waiting>,
}

impl State {
    /// Checks whether the engine may have one more job, if it may have `depth` of them then.
    fn has_room(&self, depth: u32) -> bool {
        self.running == 0 || (!self.alone && self.running < depth)
    }

    /// Returns the key of a client's next turn.
    fn next(&mut self, priority: Priority, turns: &NextTurns) -> Key {
        let index = index(priority);
        let next = &turns.0[index];
        let start = next.load(Relaxed).max(self.now[index]);

        next.store(start + 1, Relaxed);
        self.waited += 1;
        Key {
            priority: Reverse(priority),
            start,
            number: self.waited,
        }
    }

    /// Begins a turn.
    fn begin(&mut self, key: &Key, depth: u32) {
        let now = &mut self.now[index(key.priority.0)];

        *now = key.start.max(*now);
        self.running += 1;
        self.alone |= depth == 1;
    }

    /// Ends a turn.
    fn end(&mut self) {
        self.running -= 1;
        if self.running == 0 {
            self.alone = false;
        }
    }

    /// Begins the turn of the first that waits, if the engine may have its job.
    fn begin_first(&mut self) -> Option<RBTreeNode<Key, Waiting>> {
        let (key, depth) = {
            let first = self.waiting.cursor_front()?;
            let (key, waiting) = first.current();
            (*key, waiting.depth)
        };
        if !self.has_room(depth) {
            return None;
        }
        self.begin(&key, depth);
        self.waiting.remove_node(&key)
    }
}

/// Returns the index of a client's priority.
fn index(priority: Priority) -> usize {
    (priority as usize).min(Priority::High as usize)
}

impl Arbiter {
    /// Makes the one of an engine that has no jobs.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                state <- new_spinlock!(
                    State {
                        running: 0,
                        alone: false,
                        now: [0; Priority::Kernel as usize],
                        waited: 0,
                        waiting: RBTree::new(),
                    },
                    "Arbiter::state"
                ),
            }),
            GFP_KERNEL,
        )
    }

    /// Ends a turn, and begins those that the engine has room for then.
    fn end(&self) {
        self.state.lock().end();
        loop {
            // Fences signal without the lock.
            let Some(node) = self.state.lock().begin_first() else {
                return;
            };
            let (_, waiting) = node.to_key_value();
            waiting.begin.signal(Ok(()));
        }
    }
}

/// The turn of a job. Dropping it ends the turn, or the wait for it.
pub(crate) struct Turn {
    arbiter: Arc<Arbiter>,
    priority: Priority,
    stage: Stage,
}

enum Stage {
    /// The job was not asked about yet: all that waiting may take.
    New {
        node: RBTreeNodeReservation<Key, Waiting>,
        begin: UnpublishedFence,
    },
    /// It waits, unless this is no key of one that does: then the turn has begun.
    Waiting(Key, ARef<Fence>),
    /// It has begun.
    Begun,
    /// It has ended.
    Ended,
}

impl Turn {
    /// Allocates a turn. `timeline` is the entity's, whose jobs have their turns in order.
    pub(crate) fn new(
        arbiter: &Arc<Arbiter>,
        priority: Priority,
        timeline: &Timeline,
    ) -> Result<Self> {
        Ok(Self {
            arbiter: arbiter.clone(),
            priority,
            stage: Stage::New {
                node: RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT)?,
                begin: timeline.new_fence()?,
            },
        })
    }

    /// Takes the turn if it is that of the job, or returns the fence that signals when it begins.
    pub(crate) fn take(&mut self, turns: &NextTurns, lengths: &Lengths) -> Option<ARef<Fence>> {
        match core::mem::replace(&mut self.stage, Stage::Begun) {
            Stage::New { node, begin } => {
                let depth = lengths.depth();
                let mut state = self.arbiter.state.lock();
                let key = state.next(self.priority, turns);
                let is_first = state
                    .waiting
                    .cursor_front()
                    .is_none_or(|first| key < *first.current().0);
                if is_first && state.has_room(depth) {
                    state.begin(&key, depth);
                    // Memory is freed without the lock.
                    drop(state);
                    return None;
                }

                let (fence, begin) = begin.publish();
                state
                    .waiting
                    .insert(node.into_node(key, Waiting { depth, begin }));
                drop(state);
                self.stage = Stage::Waiting(key, fence.clone());
                Some(fence)
            }
            Stage::Waiting(key, fence) => {
                // Its turn has begun if it is not among them.
                self.arbiter.state.lock().waiting.get(&key)?;
                self.stage = Stage::Waiting(key, fence.clone());
                Some(fence)
            }
            Stage::Begun => None,
            Stage::Ended => {
                self.stage = Stage::Ended;
                None
            }
        }
    }

    /// Ends the turn, or the wait for it.
    pub(crate) fn end(&mut self) {
        match core::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::New { .. } | Stage::Ended => {}
            Stage::Waiting(key, _) => {
                let node = self.arbiter.state.lock().waiting.remove_node(&key);
                match node {
                    Some(node) => node.to_key_value().1.begin.signal(Err(ECANCELED)),
                    None => self.arbiter.end(),
                }
            }
            Stage::Begun => self.arbiter.end(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
    }
}
