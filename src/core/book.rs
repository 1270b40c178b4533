//! The member's book: what the ledger knows of one member, and the state machine of the system.
//! No I/O, so a simulation, a replay and production share it.

use std::sync::Arc;

use super::claim::{Claim, ClaimId, ClaimState};
use super::clocks::Timeline;
use super::day::Moment;
use super::decision::CounterBook;
use super::member::Roster;
use super::money::Fen;
use super::plan::Plans;
use super::review::Review;
use super::route::{World, no_figure};
use super::settlement::{Comparison, FollowUp, Settlement};
use super::usage::NeedsHistory;
use change::{change_of, decided_again, merge_counters, post, resolved};

pub use command::{Because, Cause, ClaimChange, Command, Effect, Seen};
pub use merge::Departure;
pub use refusal::{Refusal, ReviewRefusal};

/// What the ledger knows of one member. Cheap to copy: a command works on a copy, so that a
/// refusal or a panic leaves nothing behind.
#[derive(Debug, Clone)]
pub struct Book {
    /// Ours, a UUID.
    pub member_id: String,
    /// Whether the ledger has recorded this member before.
    pub is_recorded: bool,
    /// What the roster says.
    pub roster: Arc<Roster>,
    /// What the member has used.
    pub counters: CounterBook,
    /// Whether a settlement of the member was ever reversed: only then can another one replace it.
    pub has_voids: bool,
    /// What the member owes and the next payouts are to be set off against.
    pub receivable: Fen,
    /// The member that this one proved to be; then nothing is decided here any more.
    pub merged_into: Option<String>,
    /// Claims: all of them in the order in which they are decided when `is_full`, else only those
    /// that the batch touches.
    pub claims: Vec<Arc<Claim>>,
    /// Whether `claims` is the whole history.
    pub is_full: bool,
}

impl Book {
    /// The book of a member that nothing is known of.
    pub fn new(member_id: String) -> Book {
        Book {
            member_id,
            is_recorded: false,
            roster: Arc::default(),
            counters: CounterBook::new(),
            claims: Vec::new(),
            is_full: true,
            has_voids: false,
            receivable: Fen::ZERO,
            merged_into: None,
        }
    }

    /// The claim with a key, as far as this book knows.
    pub fn claim_of(&self, settlement: &Settlement) -> Option<&Arc<Claim>> {
        self.claims.iter().find(|claim| {
            claim.settlement.settlement_id == settlement.settlement_id
                && claim.settlement.source == settlement.source
        })
    }

    /// Applies one command: the state machine of the whole system. No effects means that the
    /// command was carried out before. After a refusal the book must not be used again.
    pub fn apply(
        &mut self,
        command: &Command,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if let Some(into) = &self.merged_into
            && !self.keeps(command)?
        {
            return Err(Refusal::Moved { into: into.clone() });
        }
        let mut effects = match command {
            Command::Submit { claim_id, settlement, seen } => {
                match self.claim_of(settlement).cloned() {
                    Some(known) => self.submit_again(&known, settlement, *seen, now, plans),
                    None => self.submit(*claim_id, settlement, *seen, now, plans),
                }
            }
            Command::FollowUp(FollowUp::Reversal(reversal), _) => {
                self.reverse(reversal, now, plans)
            }
            Command::FollowUp(FollowUp::Supplement(facts), seen) => {
                self.supplement(facts, *seen, now, plans)
            }
            Command::Enrol { import } => self.enrol(import, now, plans),
            Command::Review { claim_id, act, texts } => {
                self.review(*claim_id, act, texts, now, plans)
            }
            Command::Publish => self.decide_all(Because::Plan, now, plans),
            Command::Leave { into, numbers, cleared } => self.leave(into, numbers, cleared, now),
            Command::Join { departure } => self.join(departure, now, plans),
        }?;
        self.set_off(&mut effects, now, plans)?;
        Ok(effects)
    }

    fn submit(
        &mut self,
        id: ClaimId,
        settlement: &Arc<Settlement>,
        seen: Seen,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        let may_replace = self.has_voids && settlement.visit_id.is_some();
        // Whoever has used nothing has no claim before which another one counts.
        let may_come_before =
            !self.counters.is_empty() && order::may_come_before(settlement, &self.roster, plans);
        let has_neighbours = seen.has_neighbours || self.has_near(settlement, plans);
        if !self.is_full && (may_replace || may_come_before || has_neighbours) {
            return Err(Refusal::NeedsHistory);
        }
        let claim = Arc::new(Claim {
            id,
            member_id: self.member_id.clone(),
            settlement: settlement.clone(),
            person_unclear: seen.person_unclear,
            invoice_of: seen.invoice_of_other(id),
            timeline: Timeline::default(),
            reversal: None,
            moved_to: None,
            review: Review::default(),
            evaluation: no_figure(ClaimState::Incomplete, Vec::new()),
            payouts: Vec::new(),
            create_time: now,
            update_time: now,
            revision: 0,
        });
        let mut effects = Vec::with_capacity(2);
        if !self.is_recorded {
            self.is_recorded = true;
            effects.push(Effect::Member(self.roster.clone()));
        }
        self.take_in(claim, Cause::Submitted, now, plans, &mut effects)?;
        Ok(effects)
    }

    /// Whether a stay that the book has lies within reach of the rules of any plan.
    fn has_near(&self, settlement: &Settlement, plans: &Plans) -> bool {
        let Some(reach) = plans.reach_of(settlement) else { return false };
        let mut stays = self.claims.iter().filter_map(|claim| claim.settlement.stay());
        stays.any(|stay| stay.overlaps(&reach))
    }

    /// Decides a claim that is new here, in its place, and those behind it again.
    fn take_in(
        &mut self,
        claim: Arc<Claim>,
        cause: Cause,
        now: Moment,
        plans: &Plans,
        effects: &mut Vec<Effect>,
    ) -> Result<(), NeedsHistory> {
        let place = self.insert(claim, plans);
        let is_last = place + 1 == self.claims.len();
        let counters_before;
        let counters = if is_last {
            &self.counters
        } else {
            counters_before = self.used_before(place);
            &counters_before
        };
        let new = &self.claims[place];
        let world = World {
            earlier: self.is_full.then_some(&self.claims[..place]),
            ..self.world_at(place, counters, plans)
        };
        let fresh = decided_again(new, true, world)?;
        let change = resolved(new, fresh, (cause, None), now);
        let claim = change.claim.clone();
        self.claims[place] = claim.clone();
        effects.push(Effect::Claim(Box::new(ClaimChange {
            from: None,
            payout_before: None,
            facts_changed: true,
            decides: true,
            // Those that came along are rows of their own here.
            payouts: claim.payouts.clone(),
            ..change
        })));
        if is_last {
            post(&mut self.counters, &claim.evaluation);
        } else {
            let because = Because::Claim(claim.id.number);
            effects.extend(self.decide_again(place + 1, None, because, now, plans)?);
        }
        Ok(())
    }

    fn submit_again(
        &mut self,
        known: &Claim,
        settlement: &Settlement,
        seen: Seen,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        match known.settlement.compare(settlement) {
            Comparison::Same => Ok(Vec::new()),
            Comparison::Conflict(fields) => Err(Refusal::Conflict { claim_id: known.id, fields }),
            // What was taken back learns nothing any more.
            Comparison::Supplement(_) if known.state() == ClaimState::Voided => Ok(Vec::new()),
            Comparison::Supplement(_) if !self.is_full => Err(Refusal::NeedsHistory),
            Comparison::Supplement(merged) => {
                let index = self.place_of(known.id).expect("a known claim is in the book");
                let slot = &mut self.claims[index];
                *slot = Arc::new(Claim {
                    settlement: Arc::from(merged),
                    person_unclear: slot.person_unclear || seen.person_unclear,
                    invoice_of: slot.invoice_of.or(seen.invoice_of_other(slot.id)),
                    ..(**slot).clone()
                });
                let first = self.reorder_from(index, plans);
                let because = Because::Claim(known.id.number);
                Ok(self.decide_again(first, Some(known.id), because, now, plans)?)
            }
        }
    }

    fn enrol(
        &mut self,
        import: &Roster,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if self.roster.is_another(import) {
            // Two persons of the bureau who share an identity here: money must not change hands.
            return Err(Refusal::AnotherPerson);
        }
        let merged = if self.roster.is_alias(import) {
            // Another record of the person: this one holds, and the other adds.
            self.roster.joined(import)
        } else {
            self.roster.merged(import)?
        };
        if self.is_recorded && merged == *self.roster {
            return Ok(Vec::new());
        }
        if self.is_recorded && !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        self.is_recorded = true;
        self.roster = Arc::new(merged);
        let mut effects = vec![Effect::Member(self.roster.clone())];
        effects.extend(self.decide_all(Because::Roster, now, plans)?);
        Ok(effects)
    }

    /// Decides every claim again, in the order that holds now.
    fn decide_all(
        &mut self,
        because: Because,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        self.reorder_from(0, plans);
        Ok(self.decide_again(0, None, because, now, plans)?)
    }

    /// Decides the claims from `first` on again, in the plan's order, each under the version that
    /// first decided it. Only what comes out differently is an effect, and the claim that was
    /// `supplemented`. Needs the whole history.
    pub fn decide_again(
        &mut self,
        first: usize,
        supplemented: Option<ClaimId>,
        because: Because,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, NeedsHistory> {
        assert!(self.is_full, "only a whole history can be decided again");
        let mut counters = CounterBook::new();
        let mut effects = Vec::new();
        for index in 0..self.claims.len() {
            let claim = self.claims[index].clone();
            let is_fixed = index < first || claim.state() == ClaimState::Voided;
            if !is_fixed {
                let world = self.world_at(index, &counters, plans);
                let is_supplemented = supplemented == Some(claim.id);
                let fresh = decided_again(&claim, is_supplemented, world)?;
                let why = if is_supplemented {
                    (Cause::Supplemented, None)
                } else {
                    (Cause::Redecided, Some(because))
                };
                if let Some(change) = change_of(&claim, fresh, why, now) {
                    self.claims[index] = change.claim.clone();
                    effects.push(Effect::Claim(Box::new(change)));
                }
            }
            post(&mut counters, &self.claims[index].evaluation);
        }
        self.counters = merge_counters(&self.counters, counters);
        Ok(effects)
    }

    /// What the claim at a place is decided in, with what those before it use up.
    fn world_at<'a>(
        &'a self,
        index: usize,
        counters: &'a CounterBook,
        plans: &'a Plans,
    ) -> World<'a> {
        let claim = &self.claims[index];
        World {
            roster: &self.roster,
            plans,
            counters,
            earlier: Some(&self.claims[..index]),
            received: claim.create_time,
            first_plan: claim.evaluation.decided_under(),
            first_figures: &claim.evaluation.figures,
            member_id: &self.member_id,
            others: &self.claims,
        }
    }

    /// Where a claim stands among the others.
    fn place_of(&self, id: ClaimId) -> Option<usize> {
        self.claims.iter().position(|claim| claim.id == id)
    }
}

mod change;
mod command;
mod follow_ups;
mod merge;
mod offset;
mod order;
mod refusal;
mod review;

#[cfg(test)]
mod tests;
