//! What may happen to a member, and what it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Departure;
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::member::Roster;
use crate::core::money::Fen;
use crate::core::payout::Payout;
use crate::core::review::{Act, Texts};
use crate::core::settlement::{FollowUp, Settlement};

/// Something that shall happen to one member.
#[derive(Debug, Clone)]
pub enum Command {
    /// A settlement asks for benefit.
    Submit {
        /// The number of the claim if it is a new one.
        claim_id: ClaimId,
        /// The facts.
        settlement: Arc<Settlement>,
        /// What is known of it from outside the book.
        seen: Seen,
    },
    /// A message about a settlement of the member that came apart from it.
    FollowUp(FollowUp, Seen),
    /// The bureau's roster says something of the member.
    Enrol {
        /// What it says.
        import: Arc<Roster>,
    },
    /// A person does something to a claim.
    Review {
        /// The claim.
        claim_id: ClaimId,
        /// What.
        act: Arc<Act>,
        /// With these words.
        texts: Arc<Texts>,
    },
    /// A plan version came that decides what none decided before.
    Publish,
    /// The member proved to be another one: everything goes there.
    Leave {
        /// Where.
        into: String,
        /// The numbers that the claims get there, by their old ones.
        numbers: Arc<BTreeMap<ClaimId, ClaimId>>,
        /// Claims of either whose identities named both, and now name one.
        cleared: BTreeSet<ClaimId>,
    },
    /// A member proved to be this one: everything comes here.
    Join {
        /// Everything.
        departure: Arc<Departure>,
    },
}

/// What only a look beyond the member's book tells of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Whether its identities name different members.
    pub person_unclear: bool,
    /// The first two claims, of whatever members, that have its invoice already: one may be its own.
    pub invoice_of: [Option<ClaimId>; 2],
    /// Whether a stay that the book may not have lies within [reach](crate::core::plan::Plans::reach_of).
    pub has_neighbours: bool,
}

impl Seen {
    /// The first claim that has the invoice of the settlement of `own`, besides that one.
    pub(super) fn invoice_of_other(&self, own: ClaimId) -> Option<ClaimId> {
        self.invoice_of.into_iter().flatten().find(|claim| *claim != own)
    }
}

/// What a command changes. To be recorded in this order, all or nothing.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A claim is new or changed.
    Claim(Box<ClaimChange>),
    /// The roster changed, or a person is recorded for the first time.
    Member(Arc<Roster>),
    /// The member is another one.
    Merged {
        /// Which.
        into: String,
        /// Claims of either whose identities named both.
        cleared: BTreeSet<ClaimId>,
    },
}

/// A claim after a change.
#[derive(Debug, Clone)]
pub struct ClaimChange {
    /// Why it changed.
    pub cause: Cause,
    /// What it was decided again for.
    pub because: Option<Because>,
    /// The state before; none for a new claim.
    pub from: Option<ClaimState>,
    /// What it paid before, decided or reserved; none for a new claim.
    pub payout_before: Option<Fen>,
    /// The claim after.
    pub claim: Arc<Claim>,
    /// Whether the settlement's facts are new or supplemented.
    pub facts_changed: bool,
    /// Whether the decision is another one than before.
    pub decides: bool,
    /// What a person did, with the words.
    pub act: Option<(Arc<Act>, Arc<Texts>)>,
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
    /// A person did something.
    Reviewed,
    /// What is owed was set off against what is due.
    Offset,
    /// Two members proved to be one: the claim went from one to the other.
    Moved,
}

/// What a claim was decided again for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Another claim of the member, by its number, came, went or changed.
    Claim(i64),
    /// The roster says something else.
    Roster,
    /// A plan version came.
    Plan,
    /// Another member proved to be this one.
    Merge,
}
