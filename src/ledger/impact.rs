//! What a change of the roster or of a plan does to claims that were decided: large mistakes ask
//! first.

use std::collections::HashSet;

use crate::core::money::Fen;
use crate::feed::Told;

/// What a change does to claims that were decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Impact {
    /// How many claims are decided otherwise.
    pub claims: u64,
    /// How many members they belong to.
    pub members: u64,
    /// By how much payouts grow together, decided or reserved.
    pub increase: Fen,
    /// By how much they shrink together.
    pub decrease: Fen,
}

/// The most that changes without being told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImpactBound {
    /// Claims. They bound the members too.
    pub claims: u64,
    /// What payouts grow or shrink by together.
    pub amount: Fen,
}

impl ImpactBound {
    /// Whatever changes is meant.
    pub const NONE: ImpactBound = ImpactBound { claims: u64::MAX, amount: Fen::MAX };

    /// Whether more changes than is done without being told so.
    pub fn is_exceeded_by(&self, impact: &Impact) -> bool {
        let moved = i128::from(impact.increase.fen()) + i128::from(impact.decrease.fen());
        impact.claims > self.claims || moved > i128::from(self.amount.fen())
    }
}

impl Impact {
    /// Of these changes, each claim once.
    pub fn of(changes: &[Told]) -> Impact {
        let mut impact = Impact::default();
        let (mut claims, mut members) = (HashSet::new(), HashSet::new());
        for change in changes {
            claims.insert(change.news.claim_id);
            members.insert(change.news.member_id.as_str());
            let before = change.news.payout_before.unwrap_or_default();
            let after = change.news.figures.map_or(Fen::ZERO, |figures| figures.payout);
            impact.increase = impact.increase + after.minus_up_to(before);
            impact.decrease = impact.decrease + before.minus_up_to(after);
        }
        impact.claims = claims.len() as u64;
        impact.members = members.len() as u64;
        impact
    }

    /// Both together; members of parts are different ones.
    #[must_use]
    pub fn plus(self, other: Impact) -> Impact {
        Impact {
            claims: self.claims + other.claims,
            members: self.members + other.members,
            increase: self.increase + other.increase,
            decrease: self.decrease + other.decrease,
        }
    }
}
