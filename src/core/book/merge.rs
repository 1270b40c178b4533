//! Two members that prove to be one: everything leaves the one and joins the other. Money that was
//! paid stays where it is and counts for the claim that takes the old one's place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Outcome, concluded, merge_counters, voided_since};
use super::{Because, Book, Cause, ClaimChange, Command, Effect, Refusal};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::CounterBook;
use crate::core::member::Roster;
use crate::core::money::Fen;
use crate::core::payout::{self, Payout, PayoutKind, PayoutRef, PayoutState};
use crate::core::plan::Plans;
use crate::core::review::{Deed, Review};
use crate::core::route::{Evaluation, no_figure};
use crate::core::usage::NeedsHistory;

/// Everything that goes from one member to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The member that is closed.
    pub member_id: String,
    /// What the roster says of it.
    pub roster: Arc<Roster>,
    /// Its claims that stand, in the order in which they were decided, with the number that each
    /// gets and what was paid for it.
    pub claims: Vec<Arc<Claim>>,
    /// Claims of either member whose identities named both, and now name one.
    pub cleared: BTreeSet<ClaimId>,
}

impl Book {
    /// The claims that go with the member: those that stand, and those that were taken back and
    /// for which money still has to come back.
    pub fn leaving(&self) -> impl Iterator<Item = ClaimId> {
        let owes =
            |claim: &Claim| claim.payouts.iter().any(|it| it.state == PayoutState::Instructed);
        let leaves = move |claim: &&Arc<Claim>| {
            claim.moved_to.is_none() && (claim.state() != ClaimState::Voided || owes(claim))
        };
        self.claims.iter().filter(leaves).map(|claim| claim.id)
    }

    /// What goes to another member, with the numbers that the claims get there.
    pub fn departure(
        &self,
        numbers: &BTreeMap<ClaimId, ClaimId>,
        cleared: BTreeSet<ClaimId>,
    ) -> Departure {
        let moved = |claim: &Arc<Claim>| {
            let id = *numbers.get(&claim.id)?;
            let paid = payout::net_paid(&claim.payouts);
            let payouts = (paid > Fen::ZERO).then(|| Payout {
                number: 1,
                kind: PayoutKind::Payment,
                amount: paid,
                state: PayoutState::Offset,
                create_time: claim.update_time,
                offset_with: Some(PayoutRef { claim: claim.id, number: last_number(claim) + 1 }),
            });
            Some(Arc::new(Claim {
                id,
                payouts: payouts.into_iter().collect(),
                person_unclear: claim.person_unclear && !cleared.contains(&claim.id),
                revision: 0,
                ..(**claim).clone()
            }))
        };
        Departure {
            member_id: self.member_id.clone(),
            roster: self.roster.clone(),
            claims: self.claims.iter().filter_map(moved).collect(),
            cleared,
        }
    }

    /// Closes the member: every claim that stands is voided, and what was paid for it counts for the
    /// one that takes its place.
    pub(super) fn leave(
        &mut self,
        into: &str,
        numbers: &BTreeMap<ClaimId, ClaimId>,
        cleared: &BTreeSet<ClaimId>,
        now: Moment,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let cleared = cleared.clone();
        let mut effects = vec![Effect::Merged { into: into.to_owned(), cleared }];
        for index in 0..self.claims.len() {
            let claim = self.claims[index].clone();
            let Some(new) = numbers.get(&claim.id) else { continue };
            let payouts = handed_over(&claim, *new, now);
            let evaluation = Evaluation {
                route: claim.evaluation.route,
                plan: claim.evaluation.plan.clone(),
                payment_mode: claim.evaluation.payment_mode,
                ..no_figure(ClaimState::Voided, Vec::new())
            };
            let moved = Arc::new(Claim {
                evaluation,
                review: Review::default(),
                moved_to: Some(*new),
                payouts: payout::merged(&claim.payouts, &payouts),
                update_time: voided_since(&claim, now),
                ..(*claim).clone()
            });
            self.claims[index] = moved.clone();
            effects.push(Effect::Claim(Box::new(ClaimChange {
                cause: Cause::Moved,
                because: None,
                from: Some(claim.state()),
                payout_before: Some(claim.payout()),
                claim: moved,
                facts_changed: false,
                decides: true,
                act: None,
                payouts,
            })));
        }
        self.counters = merge_counters(&self.counters, CounterBook::new());
        self.merged_into = Some(into.to_owned());
        Ok(effects)
    }

    /// Whether a command is about what stays with a member that proved to be another one: what was
    /// taken back before, and words about a claim.
    pub(super) fn keeps(&self, command: &Command) -> Result<bool, NeedsHistory> {
        let found = match command {
            Command::Review { act, .. } => return Ok(act.deed == Deed::Comment),
            Command::FollowUp(..) if !self.is_full => return Err(NeedsHistory),
            Command::FollowUp(what, _) => what.find(&self.claims),
            Command::Submit { .. }
            | Command::Enrol { .. }
            | Command::Publish
            | Command::Leave { .. }
            | Command::Join { .. } => None,
        };
        Ok(found.is_some_and(|index| self.claims[index].moved_to.is_none()))
    }

    /// Takes in everything of a member that proved to be this one: its settlements are submitted
    /// anew, behind those that are here, as when they first came.
    pub(super) fn join(
        &mut self,
        departure: &Departure,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let mut effects = Vec::new();
        let mut joined = self.roster.joined(&departure.roster);
        for claim in &departure.claims {
            joined.know_as(&claim.settlement.person);
        }
        if joined != *self.roster || !self.is_recorded {
            self.is_recorded = true;
            self.roster = Arc::new(joined);
            effects.push(Effect::Member(self.roster.clone()));
        }
        let mut cleared = departure.cleared.clone();
        // What was taken back learns nothing any more.
        let stands = |claim: &&mut Arc<Claim>| claim.state() != ClaimState::Voided;
        for claim in self.claims.iter_mut().filter(stands) {
            if cleared.contains(&claim.id) {
                Arc::make_mut(claim).person_unclear = false;
            }
        }
        let decided = self.decide_all(Because::Merge, now, plans)?;
        for effect in &decided {
            if let Effect::Claim(change) = effect {
                cleared.remove(&change.claim.id);
            }
        }
        effects.extend(decided);
        effects.extend(self.note_cleared(&cleared, now));
        for claim in &departure.claims {
            let member_id = self.member_id.clone();
            let claim = Arc::new(Claim { member_id, ..(**claim).clone() });
            if claim.state() == ClaimState::Voided {
                effects.push(self.take_debt(&claim, plans, now));
            } else {
                self.take_in(claim, Cause::Moved, now, plans, &mut effects)?;
            }
        }
        Ok(effects)
    }

    /// Takes in a claim that was taken back, for what is still owed of it.
    fn take_debt(&mut self, claim: &Claim, plans: &Plans, now: Moment) -> Effect {
        let owed = payout::instruct(&claim.payouts, Some(Fen::ZERO), now);
        let payouts = payout::merged(&claim.payouts, &owed);
        let claim = Arc::new(Claim { payouts: payouts.clone(), ..claim.clone() });
        self.has_voids = true;
        self.insert(claim.clone(), plans);
        Effect::Claim(Box::new(ClaimChange {
            cause: Cause::Moved,
            because: None,
            from: None,
            payout_before: None,
            claim,
            facts_changed: true,
            decides: true,
            act: None,
            payouts,
        }))
    }

    /// Claims whose person is clear now, and that come out as before: a person let them pass.
    fn note_cleared(&mut self, cleared: &BTreeSet<ClaimId>, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        for slot in &mut self.claims {
            if !cleared.contains(&slot.id) || slot.state() == ClaimState::Voided {
                continue;
            }
            let (evaluation, review) = (slot.evaluation.clone(), slot.review.clone());
            let why = (Cause::Redecided, Some(Because::Merge));
            let change = concluded(slot, Outcome { evaluation, review }, why, None, now);
            *slot = change.claim.clone();
            effects.push(Effect::Claim(Box::new(change)));
        }
        effects
    }
}

fn last_number(claim: &Claim) -> u32 {
    claim.payouts.iter().map(|it| it.number).max().unwrap_or(0)
}

/// What becomes of the money of a claim that goes: nothing is sent any more, and what was paid is
/// handed over.
fn handed_over(claim: &Claim, new: ClaimId, now: Moment) -> Vec<Payout> {
    let is_unsent = |it: &&Payout| it.state == PayoutState::Instructed;
    let cancel = |it: &Payout| Payout { state: PayoutState::Cancelled, ..it.clone() };
    let mut rows: Vec<Payout> = claim.payouts.iter().filter(is_unsent).map(cancel).collect();
    let paid = payout::net_paid(&claim.payouts);
    if paid > Fen::ZERO {
        rows.push(Payout {
            number: last_number(claim) + 1,
            kind: PayoutKind::Recovery,
            amount: paid,
            state: PayoutState::Offset,
            create_time: now,
            offset_with: Some(PayoutRef { claim: new, number: 1 }),
        });
    }
    rows
}
