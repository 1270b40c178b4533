//! What is used up, before this claim and by it.

use std::collections::BTreeMap;

use crate::core::day::Period;
use crate::core::decision::{CounterChange, CounterKey, Counters};
use crate::core::plan::{Per, Plan};
use crate::core::usage::Usage;

/// The counters that a claim reads, while it uses them.
pub(super) struct Tally<'a> {
    usage: &'a Usage<'a>,
    plan: &'a Plan,
    period: Period,
    changes: Vec<CounterChange>,
}

/// Names an opened counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(usize);

impl<'a> Tally<'a> {
    pub(super) fn new(usage: &'a Usage<'a>, plan: &'a Plan, period: Period) -> Tally<'a> {
        Tally { usage, plan, period, changes: Vec::with_capacity(1) }
    }

    /// Opens the counter of a responsibility or of a group.
    pub(super) fn open(&mut self, id: &str) -> Slot {
        let known = self.changes.iter().position(|change| change.key.responsibility == id);
        if let Some(index) = known {
            return Slot(index);
        }
        let key = CounterKey {
            plan_id: self.plan.plan_id.clone(),
            period_start: self.period.start,
            responsibility: id.to_owned(),
        };
        let before = self.usage.counters.get(&key).copied().unwrap_or_default();
        self.changes.push(CounterChange { key, before, after: before });
        Slot(self.changes.len() - 1)
    }

    /// What is used up in a span, by this claim too.
    pub(super) fn used(&self, slot: Slot, per: Per) -> Counters {
        let change = &self.changes[slot.0];
        let now = || change.after.since(change.before);
        let of_claims = |book: &BTreeMap<String, Counters>| {
            book.get(&change.key.responsibility).copied().unwrap_or_default().plus(now())
        };
        match per {
            Per::Claim | Per::Day => now(),
            Per::Stay => of_claims(&self.usage.stay),
            Per::Cause => of_claims(&self.usage.cause),
            Per::Period => change.after,
            Per::Lifetime => {
                let other = |(key, used): (&CounterKey, &Counters)| {
                    let is_same = key.plan_id == change.key.plan_id
                        && key.responsibility == change.key.responsibility
                        && key.period_start != change.key.period_start;
                    is_same.then_some(*used)
                };
                let others = self.usage.counters.iter().filter_map(other);
                others.fold(change.after, Counters::plus)
            }
        }
    }

    /// Uses some more.
    pub(super) fn post(&mut self, slot: Slot, more: Counters) {
        let change = &mut self.changes[slot.0];
        change.after = change.after.plus(more);
    }

    /// Every counter that was opened.
    pub(super) fn into_changes(self) -> Vec<CounterChange> {
        self.changes
    }
}
