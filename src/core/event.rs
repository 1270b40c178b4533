//! What the ledger records: one event for every change in a lane, as the exact bytes that are
//! hashed. Events carry no personal data; those facts lie beside them and are named by digest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ENGINE_VERSION;
use super::book::{Cause, ClaimChange};
use super::claim::ClaimState;
use super::day::Moment;
use super::decision::{Decision, Denial};
use super::payout::Payout;
use super::plan::{PaymentMode, PlanRef};
use super::route::{Evaluation, Reason, Route};
use super::settlement::Reversal;

/// One change in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A claim is new or changed.
    Claim(Box<ClaimEvent>),
    /// A member is new or changed.
    Member(MemberEvent),
    /// A document is in force from here on.
    Document(DocumentEvent),
}

/// A claim after a change, with its whole decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimEvent {
    /// The claim's number in the lane.
    pub claim: i64,
    /// The member.
    pub member: String,
    /// The settlement's platform.
    pub source: String,
    /// The settlement's id.
    pub settlement_id: String,
    /// The hospital, for those who watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hospital: Option<String>,
    /// Why it changed.
    pub cause: Cause,
    /// The state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ClaimState>,
    /// The state after.
    pub state: ClaimState,
    /// Who lets it through.
    pub route: Route,
    /// Why not the green channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Why it was denied at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// The version that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
    /// Who hands over the money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_mode: Option<PaymentMode>,
    /// The figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Payouts that are new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payouts: Vec<Payout>,
    /// Whether the settlement's identities named different members.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person_unclear: bool,
    /// What took the settlement back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Arc<Reversal>>,
    /// The digest of the settlement, when its facts are new here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// The engine that decided.
    pub engine: String,
}

/// A member after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberEvent {
    /// The member.
    pub member: String,
    /// The digest of what the roster says.
    pub facts: String,
}

/// A document that is in force from here on, so that a replay knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentEvent {
    /// `plan`.
    pub document: String,
    /// The document's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub hash: String,
}

impl ClaimEvent {
    /// The event of a change; `facts` is the digest of the settlement where its facts are new.
    pub fn of(change: &ClaimChange, facts: Option<String>) -> ClaimEvent {
        let claim = &change.claim;
        let evaluation = claim.evaluation.clone();
        ClaimEvent {
            claim: claim.id.number,
            member: claim.member_id.clone(),
            source: claim.settlement.source.clone(),
            settlement_id: claim.settlement.settlement_id.clone(),
            hospital: claim.settlement.hospital_code.clone(),
            cause: change.cause,
            from: change.from,
            state: evaluation.state,
            route: evaluation.route,
            reasons: evaluation.reasons,
            denial: evaluation.denial,
            plan: evaluation.plan,
            payment_mode: evaluation.payment_mode,
            decision: evaluation.decision,
            payouts: change.payouts.clone(),
            person_unclear: claim.person_unclear,
            reversal: claim.reversal.clone(),
            facts,
            engine: ENGINE_VERSION.to_owned(),
        }
    }

    /// The evaluation that the event carries.
    pub fn into_evaluation(self) -> Evaluation {
        Evaluation {
            state: self.state,
            route: self.route,
            reasons: self.reasons,
            denial: self.denial,
            plan: self.plan,
            payment_mode: self.payment_mode,
            decision: self.decision,
        }
    }
}

/// The digest that stands for facts in an event: SHA-256 over salt and bytes, in hex. The salt
/// keeps a digest from telling anything once the facts are erased.
pub fn facts_digest(salt: &str, facts: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(facts).finalize())
}

/// The hash of an event: SHA-256 over the hash before it in its lane, lane, position, time and
/// bytes. Hex, so that it can be redone with any tool.
pub fn event_hash(before: &str, lane: u16, position: i64, time: Moment, body: &str) -> String {
    let head = format!("{before}|{lane}|{position}|{}|", time.micros());
    hex::encode(Sha256::new().chain_update(head).chain_update(body).finalize())
}
