//! What a member has used up before a claim: by period, by stay, by cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claim::Claim;
use super::day::{Day, Span};
use super::decision::{CounterBook, Counters};
use super::plan::Plan;
use super::settlement::Settlement;

/// What a member has used up before a claim.
#[derive(Debug, Clone)]
pub struct Usage<'a> {
    /// By period.
    pub counters: &'a CounterBook,
    /// By earlier claims of the same stay, by responsibility or group. Looked at only by plans that
    /// [count by claims](Plan::counts_by_claims).
    pub stay: BTreeMap<String, Counters>,
    /// By earlier claims of the same cause, likewise.
    pub cause: BTreeMap<String, Counters>,
    /// The days of the stay that no earlier claim of it brought; `None` where nobody looked.
    pub days: Option<u16>,
    /// The days of the stay that earlier claims brought.
    pub earlier_days: u16,
}

impl<'a> Usage<'a> {
    /// Of a member whose earlier claims have neither stay nor cause in common with this one.
    pub fn new(counters: &'a CounterBook) -> Usage<'a> {
        Usage {
            counters,
            stay: BTreeMap::new(),
            cause: BTreeMap::new(),
            days: None,
            earlier_days: 0,
        }
    }

    /// Of a member with these counters before a settlement. The `earlier` claims, in order, are asked
    /// for only by plans that [count by claims](Plan::counts_by_claims).
    pub fn before(
        settlement: &Settlement,
        plan: &Plan,
        counters: &'a CounterBook,
        earlier: Option<&[Arc<Claim>]>,
    ) -> Result<Usage<'a>, NeedsHistory> {
        let mut usage = Usage::new(counters);
        if !plan.counts_by_claims() {
            return Ok(usage);
        }
        let earlier = earlier.ok_or(NeedsHistory)?;
        let holding = || earlier.iter().filter(|claim| claim.state().holds_counters());
        let of_stay = || {
            holding().filter(|claim| {
                claim.settlement.source == settlement.source
                    && settlement.visit_id.is_some()
                    && claim.settlement.visit_id == settlement.visit_id
            })
        };
        let cause = settlement.cause_category();
        let of_cause =
            holding().filter(|it| cause.is_some() && it.settlement.cause_category() == cause);
        usage.stay = used_by(of_stay(), &plan.plan_id);
        usage.cause = used_by(of_cause, &plan.plan_id);
        let stays: Vec<_> = of_stay().filter_map(|claim| claim.settlement.stay()).collect();
        (usage.days, usage.earlier_days) = days_beside(settlement.stay(), &stays);
        Ok(usage)
    }
}

/// The plan counts by stay or by cause, and the earlier claims are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision needs the member's history")]
pub struct NeedsHistory;

/// What these claims used up, by responsibility or group.
fn used_by<'a>(
    claims: impl Iterator<Item = &'a Arc<Claim>>,
    plan_id: &str,
) -> BTreeMap<String, Counters> {
    let decisions = claims.filter_map(|claim| claim.evaluation.decision.as_ref());
    let changes = decisions.flat_map(|decision| &decision.counters);
    let mut used = BTreeMap::new();
    for change in changes.filter(|change| change.key.plan_id == plan_id) {
        let slot: &mut Counters = used.entry(change.key.responsibility.clone()).or_default();
        *slot = slot.plus(change.after.since(change.before));
    }
    used
}

/// The days of a stay that none of the others has, and the days that the others have together.
fn days_beside(stay: Option<Span>, others: &[Span]) -> (Option<u16>, u16) {
    let mut taken: BTreeSet<Day> = BTreeSet::new();
    for other in others {
        taken.extend(other.days());
    }
    let count = |days: usize| u16::try_from(days).unwrap_or(u16::MAX);
    let new = stay.map(|stay| count(stay.days().filter(|day| !taken.contains(day)).count()));
    (new, count(taken.len()))
}
