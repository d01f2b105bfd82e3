// SPDX-License-Identifier: GPL-2.0

//! A model of VRAM and its LRU lists, to which the driver's admission admits numbers for BOs.

use kernel::prelude::*;

use crate::placement::{
    admit,
    Candidate,
    Claim,
    Class,
    History,
    Recency,
    ScanResistant, //
};

/// The policy of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// Plain LRU: every use evicts the least recently used BO.
    Lru,
    /// The scan-resistant policy.
    ScanResistant,
}

/// The placements of the BOs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Where {
    /// In VRAM only.
    Vram,
    /// Preferably in VRAM.
    VramOrGtt,
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
    policy: Option<ScanResistant>,
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
            policy: (rule == Rule::ScanResistant).then(|| ScanResistant::new(capacity)),
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

    /// Uses a BO.
    pub(super) fn touch(&mut self, number: usize) -> Result {
        self.uses += 1;

        let policy = self.policy.take();
        let mut candidate = ModelBo {
            model: self,
            policy: policy.as_ref(),
            number,
            moved: 0,
        };
        let class = admit(policy.as_ref(), &mut candidate);
        self.policy = policy;

        let class = class?;
        let uses = self.uses;
        let bo = &mut self.bos[number];
        bo.seen = true;
        if let Some(resident) = &mut bo.resident {
            *resident = (class, uses);
        }
        Ok(())
    }

    /// Evicts until there are `size` bytes free: the least recently used cold BOs first, only those
    /// that are evictable for a claim if there is one. Returns the bytes that were moved.
    fn evict(&mut self, size: u64, claim: Option<(&ScanResistant, Claim)>) -> u64 {
        let mut moved = 0;

        while self.free < size {
            let victim = self
                .bos
                .iter_mut()
                .filter(|bo| bo.resident.is_some())
                .filter(|bo| {
                    claim.is_none_or(|(policy, claim)| policy.is_evictable_for(&bo.history, claim))
                })
                .min_by_key(|bo| bo.resident);
            let Some(victim) = victim else {
                break;
            };

            victim.resident = None;
            self.free += victim.size;
            moved += victim.size;
        }
        self.moved += moved;
        moved
    }
}

/// A BO of a model, while it is used.
struct ModelBo<'a> {
    model: &'a mut Model,
    policy: Option<&'a ScanResistant>,
    number: usize,
    /// Bytes that were moved, but for a claim.
    moved: u64,
}

impl ModelBo<'_> {
    fn bo(&self) -> &Bo {
        &self.model.bos[self.number]
    }

    /// Brings the BO to VRAM if there is room. Returns the bytes that were moved as TTM counts them,
    /// to which the first move of a BO belongs.
    fn enter(&mut self) -> u64 {
        let Bo { size, seen, .. } = *self.bo();
        if self.model.free < size {
            return 0;
        }

        self.model.free -= size;
        self.model.bos[self.number].resident = Some((Class::Hot, self.model.uses));
        if seen {
            self.model.moved += size;
        }
        size
    }
}

impl Candidate for ModelBo<'_> {
    fn size(&self) -> u64 {
        self.bo().size
    }

    fn history(&self) -> &History {
        &self.bo().history
    }

    fn class(&self) -> Option<Class> {
        self.bo().resident.map(|(class, _)| class)
    }

    fn oldest_hot(&self, policy: &ScanResistant) -> Option<Recency> {
        self.model
            .bos
            .iter()
            .filter_map(|bo| match bo.resident {
                Some((Class::Hot, used)) => Some((used, policy.recency(&bo.history))),
                _ => None,
            })
            .min_by_key(|(used, _)| *used)
            .map(|(_, recency)| recency)
    }

    fn is_voluntary(&self) -> bool {
        self.model.place == Where::VramOrGtt && self.bo().seen
    }

    fn may_come_back(&self) -> bool {
        true
    }

    fn came_back(&mut self, _bytes: u64) {}

    fn hops(&self) -> u64 {
        1
    }

    fn validate_elsewhere(&mut self) -> Result {
        Ok(())
    }

    fn validate_for(&mut self, claim: Claim) -> Result<u64> {
        let size = self.size();
        let claim = self.policy.map(|policy| (policy, claim));
        let evicted = self.model.evict(size, claim);

        Ok(evicted + self.enter())
    }

    fn validate(&mut self) -> Result {
        if self.bo().resident.is_some() {
            return Ok(());
        }
        if self.model.place == Where::Vram {
            let size = self.size();
            self.moved += self.model.evict(size, None);
        }
        self.moved += self.enter();
        Ok(())
    }

    fn bytes_moved(&self) -> u64 {
        self.moved
    }
}
