//! The claim (赔案): the request for benefit that one settlement makes, and the states it may take.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clocks::Timeline;
use super::day::Moment;
use super::money::Fen;
use super::payout::Payout;
use super::review::Review;
use super::route::Evaluation;
use super::settlement::{Reversal, Settlement};

/// Names a claim: its lane and its number there. Written `3-18442`, short enough for the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClaimId {
    /// The lane, for ever.
    pub lane: u16,
    /// Counted from 1 in the lane; gaps are possible.
    pub number: i64,
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.lane, self.number)
    }
}

/// A text that names no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a claim id such as 3-18442")]
pub struct NoClaimId;

impl FromStr for ClaimId {
    type Err = NoClaimId;
    fn from_str(text: &str) -> Result<ClaimId, NoClaimId> {
        let (lane, number) = text.split_once('-').ok_or(NoClaimId)?;
        let id = ClaimId {
            lane: lane.parse().map_err(|_| NoClaimId)?,
            number: number.parse().map_err(|_| NoClaimId)?,
        };
        (id.number > 0 && id.to_string() == text).then_some(id).ok_or(NoClaimId)
    }
}

/// Where a claim stands (`design.md` 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimState {
    /// A required fact is missing; holds nothing.
    Incomplete,
    /// Waits for a person (挂起).
    Pended,
    /// A person asked for material (补件).
    InformationRequested,
    /// Decided; a payout is instructed when there is something to pay.
    Approved,
    /// The payout has settled.
    Paid,
    /// Nothing is paid (拒赔).
    Denied,
    /// Reversed by its sender (撤销), or gone to the member that its own proved to be.
    Voided,
}

impl ClaimState {
    /// Whether a claim may move from this state to `next`. Staying is no move.
    pub fn may_become(self, next: ClaimState) -> bool {
        use ClaimState as S;
        match self {
            S::Incomplete => matches!(next, S::Pended | S::Approved | S::Denied | S::Voided),
            S::Pended => {
                matches!(next, S::Approved | S::Denied | S::InformationRequested | S::Voided)
            }
            S::InformationRequested => matches!(next, S::Pended | S::Denied | S::Voided),
            S::Approved => matches!(next, S::Paid | S::Pended | S::Voided),
            S::Paid => matches!(next, S::Approved | S::Pended | S::Voided),
            S::Denied => matches!(next, S::Pended | S::Approved | S::Voided),
            S::Voided => false,
        }
    }

    /// Whether a claim in this state is on the desk of a reviewer.
    pub fn is_in_review(self) -> bool {
        matches!(self, ClaimState::Pended | ClaimState::InformationRequested)
    }

    /// Whether what a claim in this state pays was let through.
    pub fn is_let_through(self) -> bool {
        matches!(self, ClaimState::Approved | ClaimState::Paid)
    }

    /// Whether a claim in this state uses up deductible and limits. A claim under review does, so
    /// that two claims never spend one allowance.
    pub fn holds_counters(self) -> bool {
        match self {
            ClaimState::Pended
            | ClaimState::InformationRequested
            | ClaimState::Approved
            | ClaimState::Paid => true,
            ClaimState::Incomplete | ClaimState::Denied | ClaimState::Voided => false,
        }
    }
}

/// A claim as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its id.
    pub id: ClaimId,
    /// Whose it is; ours, a UUID.
    pub member_id: String,
    /// The facts, with everything that was supplemented.
    pub settlement: Arc<Settlement>,
    /// Whether the settlement's identities named different persons. Stays with the claim.
    pub person_unclear: bool,
    /// What took the settlement back; then the claim is voided.
    pub reversal: Option<Arc<Reversal>>,
    /// The claim that took its place with the member that this one proved to be; then it is voided.
    pub moved_to: Option<ClaimId>,
    /// What people made of it.
    pub review: Review,
    /// The claim that had the invoice when this one came (F2). Stays with the claim.
    pub invoice_of: Option<ClaimId>,
    /// What its clocks go by.
    pub timeline: Timeline,
    /// State, route, reasons and decision.
    pub evaluation: Evaluation,
    /// Every payout ever instructed, oldest first.
    pub payouts: Vec<Payout>,
    /// When the claim came in.
    pub create_time: Moment,
    /// When it last changed; of a voided claim, when it was voided.
    pub update_time: Moment,
    /// The position of its last event in its lane; zero before it is recorded.
    pub revision: i64,
}

impl Claim {
    /// Where the claim stands.
    pub fn state(&self) -> ClaimState {
        self.evaluation.state
    }

    /// What the plan pays, decided or reserved; zero without a decision.
    pub fn payout(&self) -> Fen {
        let decision = self.evaluation.decision.as_ref();
        decision.map_or(Fen::ZERO, super::decision::Decision::payout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_id_reads_as_it_is_written() {
        let id: ClaimId = "3-18442".parse().unwrap();
        assert_eq!((id.lane, id.number, id.to_string()), (3, 18442, "3-18442".into()));
        for text in ["", "3", "3-", "3-0", "3--1", "+3-1", "03-1", "3-1-1", "70000-1", "3-1 "] {
            assert_eq!(text.parse::<ClaimId>(), Err(NoClaimId), "{text:?}");
        }
    }

    #[test]
    fn a_voided_claim_never_moves_again_and_an_approved_one_is_never_denied_alone() {
        use ClaimState as S;
        let all = [S::Incomplete, S::Pended, S::InformationRequested, S::Approved, S::Paid];
        for state in all.into_iter().chain([S::Denied]) {
            assert!(!S::Voided.may_become(state));
            assert!(state.may_become(S::Voided));
            assert!(!state.may_become(state));
            assert!(!state.may_become(S::Incomplete));
        }
        assert!(!S::Approved.may_become(S::Denied));
        assert!(!S::Paid.may_become(S::Denied));
    }
}
