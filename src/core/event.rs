//! What the ledger records: one event for every change in a lane, as the exact bytes that are
//! hashed. Events carry no personal data; those facts lie beside them and are named by digest.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ENGINE_VERSION;
use super::book::{Because, Cause, ClaimChange};
use super::claim::{ClaimId, ClaimState};
use super::clocks::Timeline;
use super::day::Moment;
use super::decision::{Decision, Denial};
use super::figures::FigureRef;
use super::money::Fen;
use super::payout::Payout;
use super::plan::{PaymentMode, PlanRef};
use super::review::{Act, Review};
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
    /// A member proved to be another one.
    Merge(MergeEvent),
}

/// A claim after a change, with its whole decision where that is another one than before.
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
    /// What it was decided again for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// What a person did; its texts lie beside the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Arc<Act>>,
    /// The digest of the texts of the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<String>,
    /// The position of the claim's event before; none for a new claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<i64>,
    /// What it paid before, decided or reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_before: Option<Fen>,
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
    /// What was noted and holds nothing up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Reason>,
    /// The versions of the figures that its rules looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule_figures: Vec<FigureRef>,
    /// Why it was denied at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// The version that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
    /// Who hands over the money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_mode: Option<PaymentMode>,
    /// The figure, where it is another one than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What the figure comes to, where it is the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// What people made of it.
    #[serde(default, skip_serializing_if = "Review::is_untouched")]
    pub review: Review,
    /// Payouts that are new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payouts: Vec<Payout>,
    /// Whether the settlement's identities named different members.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person_unclear: bool,
    /// The claim that had the invoice when this one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_of: Option<ClaimId>,
    /// What its clocks go by.
    #[serde(default, skip_serializing_if = "Timeline::is_empty")]
    pub timeline: Timeline,
    /// What took the settlement back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Arc<Reversal>>,
    /// When the claim came in, where that was before this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Moment>,
    /// The claim that took its place with another member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<ClaimId>,
    /// The digest of the settlement, when its facts are new here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<String>,
    /// The engine that decided.
    pub engine: String,
}

/// What a decision comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What the plan pays.
    pub payout: Fen,
    /// What stays with the person.
    pub patient_share: Fen,
}

impl Figures {
    /// Of a decision.
    pub fn of(decision: &Decision) -> Figures {
        Figures { payout: decision.payout(), patient_share: decision.patient_share() }
    }
}

/// A member that proved to be another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeEvent {
    /// The member that is closed.
    pub member: String,
    /// The one that goes on.
    pub into: String,
    /// Claims of either whose identities named both, and now name one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cleared: BTreeSet<ClaimId>,
    /// In the lane of the one that goes on: lane and position of the event that closed the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<(u16, i64)>,
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
    /// The event of a change; `facts` is the digest of the settlement where its facts are new,
    /// `texts` that of the words of a person.
    pub fn of(change: &ClaimChange, facts: Option<String>, texts: Option<String>) -> ClaimEvent {
        let claim = &change.claim;
        let evaluation = claim.evaluation.clone();
        let (decision, figures) = match evaluation.decision {
            Some(decision) if !change.decides => (None, Some(Figures::of(&decision))),
            decision => (decision, None),
        };
        ClaimEvent {
            claim: claim.id.number,
            member: claim.member_id.clone(),
            source: claim.settlement.source.clone(),
            settlement_id: claim.settlement.settlement_id.clone(),
            hospital: claim.settlement.hospital_code.clone(),
            cause: change.cause,
            because: change.because,
            act: change.act.as_ref().map(|(act, _)| act.clone()),
            texts,
            // The claim still has the position of the event before.
            previous: (claim.revision > 0).then_some(claim.revision),
            payout_before: change.payout_before,
            from: change.from,
            state: evaluation.state,
            route: evaluation.route,
            reasons: evaluation.reasons,
            flags: evaluation.flags,
            rule_figures: evaluation.figures,
            denial: evaluation.denial,
            plan: evaluation.plan,
            payment_mode: evaluation.payment_mode,
            decision,
            figures,
            review: claim.review.clone(),
            payouts: change.payouts.clone(),
            person_unclear: claim.person_unclear,
            invoice_of: claim.invoice_of,
            timeline: claim.timeline.clone(),
            reversal: claim.reversal.clone(),
            create_time: (change.cause == Cause::Moved && change.from.is_none())
                .then_some(claim.create_time),
            moved_to: claim.moved_to,
            facts,
            engine: ENGINE_VERSION.to_owned(),
        }
    }

    /// What the figure comes to; none without one.
    pub fn figures(&self) -> Option<Figures> {
        self.decision.as_ref().map(Figures::of).or(self.figures)
    }

    /// The evaluation that the event carries, without a decision where that is the one before.
    pub fn into_evaluation(self) -> Evaluation {
        Evaluation {
            state: self.state,
            route: self.route,
            reasons: self.reasons,
            flags: self.flags,
            figures: self.rule_figures,
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
