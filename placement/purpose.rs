// SPDX-License-Identifier: GPL-2.0

//! The purpose of an eviction, which TTM hands from the place of a validation to the choice of BOs.

use super::scan_resistant::Claim;

/// The purpose of an eviction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A BO has to be there: any may go.
    Need,
    /// A BO may be elsewhere, but its cgroup is entitled to the room. BOs of that stay: they are
    /// entitled to it, too.
    Entitlement,
    /// A BO has a claim.
    Claim(Claim),
}

impl Purpose {
    const NEED: u16 = 0;
    const ENTITLEMENT: u16 = u16::MAX;

    /// Returns the purpose as the hint of a place.
    pub(crate) fn hint(self) -> u16 {
        match self {
            Self::Need => Self::NEED,
            Self::Entitlement => Self::ENTITLEMENT,
            Self::Claim(claim) => claim.number().get(),
        }
    }

    /// Returns the purpose that a place has as its hint.
    pub(crate) fn from_hint(hint: u16) -> Self {
        match hint {
            Self::ENTITLEMENT => Self::Entitlement,
            hint => Claim::from_number(hint).map_or(Self::Need, Self::Claim),
        }
    }
}
