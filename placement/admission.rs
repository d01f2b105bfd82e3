// SPDX-License-Identifier: GPL-2.0

//! Admission to VRAM: how a BO comes in when it is used, and how soon it is evicted again.

use kernel::prelude::*;

use super::scan_resistant::{
    Claim,
    History,
    Recency,
    ScanResistant, //
};

/// The class of a BO in VRAM. Cold BOs are evicted before hot ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// The BO's uses do not justify its place.
    Cold,
    /// All others.
    Hot,
}

/// A BO that is used and may be in VRAM, as admission sees it.
///
/// [`bo::validate()`](crate::bo::validate) implements it with TTM, the KUnit model with numbers.
pub(crate) trait Candidate {
    /// Returns the BO's size in bytes.
    fn size(&self) -> u64;

    /// Returns the BO's uses.
    fn history(&self) -> &History;

    /// Records the use.
    fn used(&self, policy: &ScanResistant) {
        policy.used(self.history(), self.size());
    }

    /// Returns the BO's class if it is in VRAM.
    fn class(&self) -> Option<Class>;

    /// Returns the recency of the least recently used hot BO in VRAM.
    fn oldest_hot(&self, policy: &ScanResistant) -> Option<Recency>;

    /// Returns whether it is a choice to bring the BO to VRAM: it may be elsewhere, and has content
    /// to copy.
    fn is_voluntary(&self) -> bool;

    /// Returns whether the rate of BOs that come back allows one more.
    fn may_come_back(&self) -> bool;

    /// Counts the bytes that were moved for a voluntary BO.
    fn came_back(&mut self, bytes: u64);

    /// Returns how many moves it takes to bring the BO to VRAM: two by way of a hop.
    fn hops(&self) -> u64;

    /// Validates the BO in its places but VRAM.
    fn validate_elsewhere(&mut self) -> Result;

    /// Brings the BO to VRAM if there is room, or if evicting BOs for its claim makes room. Returns
    /// the bytes that were moved.
    fn validate_for(&mut self, claim: Claim) -> Result<u64>;

    /// Validates the BO in all of its places, evicting any others.
    fn validate(&mut self) -> Result;

    /// Returns the bytes that [`Self::validate()`] has moved so far, those of evicted BOs included.
    fn bytes_moved(&self) -> u64;
}

/// Admits a BO that is used to VRAM, or leaves it where it is. Returns its class.
///
/// Without a policy, every use justifies any eviction, as plain LRU has it.
pub(crate) fn admit(policy: Option<&ScanResistant>, bo: &mut impl Candidate) -> Result<Class> {
    if let Some(policy) = policy {
        bo.used(policy);
    }

    if let Some(class) = bo.class() {
        bo.validate()?;
        return Ok(match class {
            Class::Cold if claim(policy, bo).is_none() => Class::Cold,
            _ => Class::Hot,
        });
    }

    let voluntary = bo.is_voluntary();
    if voluntary && !bo.may_come_back() {
        bo.validate_elsewhere()?;
        return Ok(Class::Hot);
    }

    let (size, hops) = (bo.size(), bo.hops());
    let before = bo.bytes_moved();
    let claimed = match claim(policy, bo) {
        Some(claim) => bo.validate_for(claim)?,
        None => 0,
    };
    let done = match bo.class() {
        Some(_) => Ok(()),
        None => bo.validate(),
    };
    let moved = bo.bytes_moved() - before;
    if voluntary {
        bo.came_back(claimed + moved);
    }
    done?;

    // BOs with a better claim were evicted.
    let forced = policy.is_some() && moved > hops * size;
    Ok(if forced { Class::Cold } else { Class::Hot })
}

/// Returns the claim of a BO that was just used.
fn claim(policy: Option<&ScanResistant>, bo: &impl Candidate) -> Option<Claim> {
    match policy {
        Some(policy) => policy.claim(bo.history(), bo.oldest_hot(policy)),
        None => Some(Claim::ANY),
    }
}
