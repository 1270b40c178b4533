//! Why a command changes nothing.

use std::sync::Arc;

use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::decision::{Denial, code};
use crate::core::member::CoverageOverlap;
use crate::core::money::Fen;
use crate::core::route::ReasonCode;
use crate::core::usage::NeedsHistory;

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
    /// The member is another one by now.
    #[error("the member is another one")]
    Moved {
        /// Which.
        into: String,
    },
    /// The member has no such claim.
    #[error("no such claim")]
    NoSuchClaim,
    /// What a person wants to do is not for the claim to have done to it.
    #[error(transparent)]
    Review(#[from] ReviewRefusal),
}

/// Why an act of a person is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// The claim is not as the person saw it.
    #[error("the claim has changed")]
    Stale {
        /// The claim as it stands.
        claim: Arc<Claim>,
    },
    /// The state forbids it.
    #[error("the state {state:?} forbids it")]
    State {
        /// Where the claim stands.
        state: ClaimState,
    },
    /// Somebody else works on it.
    #[error("somebody else works on the claim")]
    Assigned {
        /// Who.
        assignee: String,
    },
    /// There is no figure to approve, and no amount was stated.
    #[error("the claim has no figure")]
    NoFigure,
    /// Something stands in the way that no person can let pass.
    #[error("the claim cannot be approved: {}", .reasons.iter().map(code).collect::<Vec<_>>().join(", "))]
    Unapprovable {
        /// What.
        reasons: Vec<ReasonCode>,
    },
    /// The rules deny it: there is nothing to approve.
    #[error("the rules deny the claim: {}", code(.denial))]
    DeniedByRules {
        /// Why.
        denial: Denial,
    },
    /// The amount is more than what the base and the limits leave.
    #[error("at most {most} can be approved")]
    BeyondLimits {
        /// The most.
        most: Fen,
    },
    /// The person approved it already; another one has to.
    #[error("a second person has to approve")]
    SecondPerson,
    /// Something was asked before: one asks once and completely.
    #[error("information was requested before")]
    AskedBefore,
    /// The rules pay, so a person has to say why it is denied.
    #[error("a denial needs its reason")]
    NoDenial,
}

impl From<NeedsHistory> for Refusal {
    fn from(_: NeedsHistory) -> Refusal {
        Refusal::NeedsHistory
    }
}
