//! Counters (累计): what a member has used up in a benefit period.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::day::Day;
use crate::core::money::Fen;

/// Which counter (累计): a plan, a period and a responsibility. Keyed by plan, not by version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CounterKey {
    /// The plan.
    pub plan_id: String,
    /// The first day of the benefit period.
    pub period_start: Day,
    /// The responsibility, or the group of responsibilities that share something.
    pub responsibility: String,
}

/// What a member has used in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Of the plan's deductible.
    pub deductible: Fen,
    /// Eligible expense that stayed with the person.
    pub burden: Fen,
    /// Paid by the plan.
    pub paid: Fen,
    /// Days in hospital that were paid for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub days: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(days: &u32) -> bool {
    *days == 0
}

impl Counters {
    /// What of the base came together after the deductible: where tiers go on.
    #[must_use]
    pub fn above_deductible(self) -> Fen {
        (self.burden + self.paid).minus_up_to(self.deductible)
    }

    /// What remains when `earlier` is taken away. Counters only grow along a chain of claims.
    #[must_use]
    pub fn since(self, earlier: Counters) -> Counters {
        Counters {
            deductible: self.deductible - earlier.deductible,
            burden: self.burden - earlier.burden,
            paid: self.paid - earlier.paid,
            days: self.days.checked_sub(earlier.days).expect("days only grow along a chain"),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Counters) -> Counters {
        Counters {
            deductible: self.deductible + other.deductible,
            burden: self.burden + other.burden,
            paid: self.paid + other.paid,
            days: self.days.saturating_add(other.days),
        }
    }
}

/// One counter before and after a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterChange {
    /// Which one.
    #[serde(flatten)]
    pub key: CounterKey,
    /// Before the decision.
    pub before: Counters,
    /// After it.
    pub after: Counters,
}

/// All counters of a member. A missing one is zero.
pub type CounterBook = BTreeMap<CounterKey, Counters>;
