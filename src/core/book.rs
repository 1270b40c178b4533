//! The member's book: what the ledger knows of one member, and the state machine of the system.
//! No I/O, so a simulation, a replay and production share it.

use std::sync::Arc;

use super::claim::{Claim, ClaimId, ClaimState};
use super::day::Moment;
use super::decision::CounterBook;
use super::member::{CoverageOverlap, Roster};
use super::payout::{self, Payout};
use super::plan::Plans;
use super::route::{World, evaluate, no_figure};
use super::settlement::{Comparison, FollowUp, Settlement};
use super::usage::NeedsHistory;
use change::{change_of, merge_counters, pay_target, post};

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
    /// Claims: all of them in the order in which they are decided when `is_full`, else only those
    /// that the batch touches.
    pub claims: Vec<Arc<Claim>>,
    /// Whether `claims` is the whole history.
    pub is_full: bool,
}

/// Something that shall happen to one member.
#[derive(Debug, Clone)]
pub enum Command {
    /// A settlement asks for benefit.
    Submit {
        /// The number of the claim if it is a new one.
        claim_id: ClaimId,
        /// The facts.
        settlement: Arc<Settlement>,
        /// Whether its identities name different members.
        person_unclear: bool,
    },
    /// A message about a settlement of the member that came apart from it.
    FollowUp(FollowUp),
    /// The bureau's roster says something of the member.
    Enrol {
        /// What it says.
        import: Arc<Roster>,
    },
}

/// What a command changes. To be recorded in this order, all or nothing.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A claim is new or changed.
    Claim(Box<ClaimChange>),
    /// The roster changed, or a person is recorded for the first time.
    Member(Arc<Roster>),
}

/// A claim after a change.
#[derive(Debug, Clone)]
pub struct ClaimChange {
    /// Why it changed.
    pub cause: Cause,
    /// The state before; none for a new claim.
    pub from: Option<ClaimState>,
    /// The claim after.
    pub claim: Arc<Claim>,
    /// Whether the settlement's facts are new or supplemented.
    pub facts_changed: bool,
    /// Payouts that are new or changed.
    pub payouts: Vec<Payout>,
}

/// Why a claim changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// Its settlement came in.
    Submitted,
    /// Facts that were absent came in.
    Supplemented,
    /// An earlier claim, a coverage or a payee changed.
    Redecided,
    /// Its settlement was reversed.
    Reversed,
}

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a refusal to the caller: repeat with the member's whole history.
    #[error("the command needs the member's history")]
    NeedsHistory,
    /// The key is known with other facts.
    #[error("settlement is known with other content: {}", fields.join(", "))]
    Conflict {
        /// The claim that has the key.
        claim_id: ClaimId,
        /// The fields that differ; never their values.
        fields: Vec<&'static str>,
    },
    /// A follow-up fits none of the member's claims, or more than one.
    #[error("no settlement of the member fits")]
    NothingFits,
    /// A reversal would take back something else than the whole settlement.
    #[error("the reversal differs from the settlement in {field}")]
    ReversalDiffers {
        /// The claim.
        claim_id: ClaimId,
        /// What differs; never the value.
        field: &'static str,
    },
    /// An import would make two coverages share a day.
    #[error(transparent)]
    Overlap(#[from] CoverageOverlap),
    /// The member is known to the bureau under another key.
    #[error("the member has another external id")]
    AnotherPerson,
}

impl From<NeedsHistory> for Refusal {
    fn from(_: NeedsHistory) -> Refusal {
        Refusal::NeedsHistory
    }
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
        match command {
            Command::Submit { claim_id, settlement, person_unclear } => {
                match self.claim_of(settlement).cloned() {
                    Some(known) => {
                        self.submit_again(&known, settlement, *person_unclear, now, plans)
                    }
                    None => self.submit(*claim_id, settlement, *person_unclear, now, plans),
                }
            }
            Command::FollowUp(FollowUp::Reversal(reversal)) => self.reverse(reversal, now, plans),
            Command::FollowUp(FollowUp::Supplement(facts)) => self.supplement(facts, now, plans),
            Command::Enrol { import } => self.enrol(import, now, plans),
        }
    }

    fn submit(
        &mut self,
        id: ClaimId,
        settlement: &Arc<Settlement>,
        person_unclear: bool,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if self.has_voids && settlement.visit_id.is_some() && !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let place = self.insert(Arc::new(Claim {
            id,
            member_id: self.member_id.clone(),
            settlement: settlement.clone(),
            person_unclear,
            reversal: None,
            evaluation: no_figure(ClaimState::Incomplete, Vec::new()),
            payouts: Vec::new(),
            create_time: now,
            update_time: now,
            revision: 0,
        }));
        let is_last = place + 1 == self.claims.len();
        let counters_before;
        let counters = if is_last {
            &self.counters
        } else {
            counters_before = self.used_before(place);
            &counters_before
        };
        let world = World {
            roster: &self.roster,
            plans,
            counters,
            earlier: self.is_full.then_some(&self.claims[..place]),
            received: now,
            first_plan: None,
        };
        let evaluation = evaluate(settlement, person_unclear, world)?;
        let mut effects = Vec::with_capacity(2);
        if !self.is_recorded {
            self.is_recorded = true;
            effects.push(Effect::Member(self.roster.clone()));
        }
        let payouts = payout::instruct(&[], pay_target(&evaluation), now);
        let claim = Arc::make_mut(&mut self.claims[place]);
        claim.evaluation = evaluation;
        claim.payouts.clone_from(&payouts);
        let claim = self.claims[place].clone();
        let change = ClaimChange {
            cause: Cause::Submitted,
            from: None,
            claim: claim.clone(),
            facts_changed: true,
            payouts,
        };
        effects.push(Effect::Claim(Box::new(change)));
        if is_last {
            post(&mut self.counters, &claim.evaluation);
        } else {
            effects.extend(self.decide_again(place + 1, None, now, plans)?);
        }
        Ok(effects)
    }

    fn submit_again(
        &mut self,
        known: &Claim,
        settlement: &Settlement,
        person_unclear: bool,
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
                let index = self.claims.iter().position(|claim| claim.id == known.id);
                let index = index.expect("a known claim is in the book");
                let slot = &mut self.claims[index];
                *slot = Arc::new(Claim {
                    settlement: Arc::from(merged),
                    person_unclear: slot.person_unclear || person_unclear,
                    ..(**slot).clone()
                });
                let first = if self.has_voids { self.reorder_from(index) } else { index };
                Ok(self.decide_again(first, Some(known.id), now, plans)?)
            }
        }
    }

    fn enrol(
        &mut self,
        import: &Roster,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if let (Some(ours), Some(theirs)) = (&self.roster.external_id, &import.external_id)
            && ours != theirs
        {
            // Two persons of the bureau who share an identity here: money must not change hands.
            return Err(Refusal::AnotherPerson);
        }
        let merged = self.roster.merged(import)?;
        if self.is_recorded && merged == *self.roster {
            return Ok(Vec::new());
        }
        if self.is_recorded && !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        self.is_recorded = true;
        self.roster = Arc::new(merged);
        let mut effects = vec![Effect::Member(self.roster.clone())];
        effects.extend(self.decide_again(0, None, now, plans)?);
        Ok(effects)
    }

    /// Decides the claims from `first` on again, in the order they were processed, each under the
    /// version that first decided it. Only what comes out differently is an effect, and the claim
    /// that was `supplemented`. Needs the whole history.
    pub fn decide_again(
        &mut self,
        first: usize,
        supplemented: Option<ClaimId>,
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
                let world = World {
                    roster: &self.roster,
                    plans,
                    counters: &counters,
                    earlier: Some(&self.claims[..index]),
                    received: claim.create_time,
                    first_plan: claim.evaluation.plan.as_ref(),
                };
                let fresh = evaluate(&claim.settlement, claim.person_unclear, world)?;
                let is_supplemented = supplemented == Some(claim.id);
                if let Some(change) = change_of(&claim, fresh, is_supplemented, now) {
                    self.claims[index] = change.claim.clone();
                    effects.push(Effect::Claim(Box::new(change)));
                }
            }
            post(&mut counters, &self.claims[index].evaluation);
        }
        self.counters = merge_counters(&self.counters, counters);
        Ok(effects)
    }
}

mod change;
mod follow_ups;
mod order;

#[cfg(test)]
mod tests;
