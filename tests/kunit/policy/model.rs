// SPDX-License-Identifier: GPL-2.0

//! VRAM, its lists and the driver's use of the policy, without BOs.

use kernel::prelude::*;

use crate::placement::{
    Claim,
    History,
    Policy, //
};

/// What the model decides by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// Every use evicts what was not used for longest.
    Lru,
    /// The policy.
    Policy,
}

/// Where the BOs may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Where {
    /// In VRAM when they are used.
    Vram,
    /// Preferably in VRAM.
    VramOrGtt,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Cold,
    Hot,
}

struct Bo {
    size: u64,
    history: History,
    /// Class and time of the last use while it is in VRAM.
    resident: Option<(Class, usize)>,
    seen: bool,
}

/// A model that BOs of known sizes are used in.
pub(super) struct Model {
    policy: Option<Policy>,
    place: Where,
    free: u64,
    bos: KVVec<Bo>,
    uses: usize,
    moved: u64,
}

impl Model {
    pub(super) fn new(capacity: u64, rule: Rule, place: Where, sizes: &[u64]) -> Result<Self> {
        let mut bos = KVVec::with_capacity(sizes.len(), GFP_KERNEL)?;
        for &size in sizes {
            bos.push(
                Bo {
                    size,
                    history: History::new(),
                    resident: None,
                    seen: false,
                },
                GFP_KERNEL,
            )?;
        }

        Ok(Self {
            policy: (rule == Rule::Policy).then(|| Policy::new(capacity)),
            place,
            free: capacity,
            bos,
            uses: 0,
            moved: 0,
        })
    }

    /// Bytes that were copied into VRAM or out of it.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// Uses a BO, as `bo/validate.rs` does.
    pub(super) fn touch(&mut self, number: usize) {
        let size = self.bos[number].size;

        self.uses += 1;
        if let Some(policy) = &self.policy {
            policy.used(&self.bos[number].history, size);
        }
        let class = match self.bos[number].resident {
            Some((Class::Hot, _)) => Some(Class::Hot),
            Some(_) if self.claim(number).is_some() => Some(Class::Hot),
            Some(_) => Some(Class::Cold),
            None => self.enter(number),
        };
        self.bos[number].resident = class.map(|class| (class, self.uses));
        self.bos[number].seen = true;
    }

    fn claim(&self, number: usize) -> Option<Claim> {
        let Some(policy) = &self.policy else {
            return Some(Claim::ANY);
        };
        let oldest = self
            .bos
            .iter()
            .filter_map(|bo| match bo.resident {
                Some((Class::Hot, used)) => Some((used, policy.standing(&bo.history))),
                _ => None,
            })
            .min_by_key(|(used, _)| *used)
            .map(|(_, standing)| standing);

        policy.claim(&self.bos[number].history, oldest)
    }

    /// Brings a BO into VRAM if it deserves it or has to be there.
    fn enter(&mut self, number: usize) -> Option<Class> {
        let Bo { size, seen, .. } = self.bos[number];
        let mut class = Class::Hot;

        if self.free < size {
            if let Some(claim) = self.claim(number) {
                self.evict(size, Some(claim));
            }
        }
        if self.free < size {
            if self.place == Where::VramOrGtt {
                return None;
            }
            self.evict(size, None);
            class = Class::Cold;
        }
        self.free -= size;
        if seen {
            self.moved += size;
        }
        Some(class)
    }

    /// Evicts until there is room, only those that yield if it is for a claim.
    fn evict(&mut self, size: u64, claim: Option<Claim>) {
        while self.free < size {
            let policy = &self.policy;
            let yields = |bo: &Bo| match (policy, claim) {
                (Some(policy), Some(claim)) => policy.yields(&bo.history, claim),
                _ => true,
            };
            let victim = self
                .bos
                .iter_mut()
                .filter(|bo| bo.resident.is_some() && yields(bo))
                .min_by_key(|bo| bo.resident);
            let Some(victim) = victim else {
                return;
            };

            victim.resident = None;
            self.free += victim.size;
            self.moved += victim.size;
        }
    }
}
