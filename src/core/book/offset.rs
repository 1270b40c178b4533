//! What is owed is set off against what is due, where the plan wants it so (冲抵). Both stay in the
//! books of their claims, and the money that would go both ways stays where it is.

use std::sync::Arc;

use super::change::voided_since;
use super::{Book, Cause, ClaimChange, Effect, Refusal};
use crate::core::claim::Claim;
use crate::core::day::Moment;
use crate::core::money::Fen;
use crate::core::payout::{self, Payout, PayoutKind, PayoutRef, PayoutState};
use crate::core::plan::{Plans, RecoveryMode};

/// A payout that is not sent yet: the place of its claim, and its number there.
#[derive(Clone, Copy)]
struct Open {
    index: usize,
    number: u32,
    amount: Fen,
}

impl Book {
    /// Sets off open recoveries against open payments of the same plan, oldest first. Sent money is
    /// never touched, and nothing is ever paid below zero.
    pub(super) fn set_off(
        &mut self,
        effects: &mut Vec<Effect>,
        now: Moment,
        plans: &Plans,
    ) -> Result<(), Refusal> {
        if effects.is_empty() {
            return Ok(());
        }
        if !self.is_full {
            return if self.receivable > Fen::ZERO && effects.iter().any(pays) {
                Err(Refusal::NeedsHistory)
            } else {
                Ok(())
            };
        }
        while let Some((debt, due)) = self.next_pair(plans) {
            let amount = debt.amount.min(due.amount);
            let name = |book: &Book, open: Open| PayoutRef {
                claim: book.claims[open.index].id,
                number: book.number_of(open, amount),
            };
            let (of_debt, of_due) = (name(self, debt), name(self, due));
            self.settle(debt, amount, of_due, now, effects);
            self.settle(due, amount, of_debt, now, effects);
        }
        let owed = self.claims.iter().flat_map(|claim| {
            let counts = is_set_off(claim, plans);
            claim.payouts.iter().filter(move |it| counts && is_open(it, PayoutKind::Recovery))
        });
        self.receivable = owed.map(|it| it.amount).sum();
        Ok(())
    }

    /// The oldest recovery and the oldest payment of one plan that are both open.
    fn next_pair(&self, plans: &Plans) -> Option<(Open, Open)> {
        let open = |kind: PayoutKind| {
            self.claims.iter().enumerate().filter(|(_, claim)| is_set_off(claim, plans)).flat_map(
                move |(index, claim)| {
                    let of_kind = claim.payouts.iter().filter(move |it| is_open(it, kind));
                    of_kind.map(move |it| Open { index, number: it.number, amount: it.amount })
                },
            )
        };
        let plan_of = |it: &Open| {
            let plan = self.claims[it.index].evaluation.plan.as_ref();
            plan.map(|plan| plan.plan_id.as_str())
        };
        open(PayoutKind::Recovery).find_map(|debt| {
            let due = open(PayoutKind::Payment).find(|due| plan_of(due) == plan_of(&debt))?;
            Some((debt, due))
        })
    }

    /// The number of the row that is set off: a part of a payout is a row of its own.
    fn number_of(&self, open: Open, amount: Fen) -> u32 {
        if amount == open.amount {
            return open.number;
        }
        let numbers = self.claims[open.index].payouts.iter().map(|it| it.number);
        numbers.max().unwrap_or(0) + 1
    }

    fn settle(
        &mut self,
        open: Open,
        amount: Fen,
        with: PayoutRef,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let number = self.number_of(open, amount);
        let claim = &self.claims[open.index];
        let known = claim.payouts.iter().find(|it| it.number == open.number);
        let known = known.expect("an open payout is one of its claim").clone();
        let set_off = Payout {
            number,
            amount,
            state: PayoutState::Offset,
            offset_with: Some(with),
            create_time: now,
            ..known.clone()
        };
        let rest = open.amount - amount;
        let rows = if rest.is_zero() {
            vec![Payout { create_time: known.create_time, ..set_off }]
        } else if known.create_time == now {
            // Instructed in this very commit: it is instructed smaller.
            vec![Payout { amount: rest, ..known }, set_off]
        } else {
            let cancelled = Payout { state: PayoutState::Cancelled, ..known.clone() };
            let smaller = Payout { number: number + 1, amount: rest, create_time: now, ..known };
            vec![cancelled, set_off, smaller]
        };
        let changed = Arc::new(Claim {
            payouts: payout::merged(&claim.payouts, &rows),
            update_time: voided_since(claim, now),
            ..(**claim).clone()
        });
        self.claims[open.index] = changed.clone();
        // A command may change a claim more than once: what it said last holds.
        let known = effects.iter_mut().rev().find_map(|effect| match effect {
            Effect::Claim(change) if change.claim.id == changed.id => Some(change),
            _ => None,
        });
        match known {
            Some(change) => {
                change.payouts = payout::merged(&change.payouts, &rows);
                change.claim = changed;
            }
            None => effects.push(Effect::Claim(Box::new(ClaimChange {
                cause: Cause::Offset,
                because: None,
                from: Some(changed.state()),
                payout_before: Some(changed.payout()),
                claim: changed,
                facts_changed: false,
                decides: false,
                act: None,
                payouts: rows,
            }))),
        }
    }
}

/// Whether a claim's plan sets off.
fn is_set_off(claim: &Claim, plans: &Plans) -> bool {
    let plan = claim.evaluation.plan.as_ref();
    let plan = plan.and_then(|plan| plans.version(&plan.plan_id, &plan.version));
    plan.is_some_and(|plan| plan.recovery == RecoveryMode::Offset)
}

fn is_open(payout: &Payout, kind: PayoutKind) -> bool {
    payout.kind == kind && payout.state == PayoutState::Instructed
}

/// Whether an effect instructs a payment.
fn pays(effect: &Effect) -> bool {
    match effect {
        Effect::Claim(change) => {
            change.payouts.iter().any(|payout| is_open(payout, PayoutKind::Payment))
        }
        Effect::Member(_) | Effect::Merged { .. } => false,
    }
}
