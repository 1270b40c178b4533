//! What goes into the store and comes out of it, in the words of the schema.

use std::sync::Arc;

use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::clocks::ClockKind;
use crate::core::day::{Day, Moment};
use crate::core::decision::{CounterKey, Counters};
use crate::core::event::ClaimEvent;
use crate::core::money::Fen;
use crate::core::payout::Payout;
use crate::core::review::Texts;
use crate::core::route::ReasonCode;

/// Where a lane's log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// The lane.
    pub lane: u16,
    /// Of the last event; 0 before the first.
    pub position: i64,
    /// Of the last event; empty before the first.
    pub hash: String,
    /// Of the last event.
    pub time: Moment,
    /// The last claim number given out.
    pub claims: i64,
    /// Up to which revision the log names the documents in force.
    pub documents_revision: i64,
}

/// Which claim a settlement made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRow {
    /// The settlement's platform.
    pub source: String,
    /// Its id there.
    pub settlement_id: String,
    /// The claim.
    pub claim_id: ClaimId,
    /// Whose it is.
    pub member_id: String,
}

/// An event, as the exact bytes that were hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The lane.
    pub lane: u16,
    /// The position there.
    pub position: i64,
    /// When it was recorded.
    pub time: Moment,
    /// Its hash.
    pub hash: String,
    /// JSON of [`crate::core::event::Event`].
    pub body: String,
}

/// Personal facts that belong to an event.
#[derive(Clone, PartialEq, Eq)]
pub struct FactRow {
    /// The lane.
    pub lane: u16,
    /// The event's position.
    pub position: i64,
    /// The salt of the digest in the event.
    pub salt: String,
    /// JSON of [`crate::core::settlement::Settlement`] or [`crate::core::member::Roster`].
    pub body: String,
}

impl std::fmt::Debug for FactRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactRow")
            .field("lane", &self.lane)
            .field("position", &self.position)
            .field("body", &"***")
            .finish_non_exhaustive()
    }
}

/// A claim that is new or changed.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// The claim; its payouts are rows of their own.
    pub claim: Arc<Claim>,
    /// Where its facts lie now; `None` where they lay before. A new claim needs one.
    pub facts_position: Option<i64>,
    /// Where its decision lies now; `None` where it lay before.
    pub decision_position: Option<i64>,
    /// The position of its event.
    pub revision: i64,
    /// What runs out first; none where nothing does.
    pub due: Option<Due>,
}

/// The clock of a claim that runs out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub clock: ClockKind,
    /// When it warns.
    pub warn: Moment,
    /// When it runs out.
    pub time: Moment,
}

/// A member that is new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The lane.
    pub lane: u16,
    /// The member.
    pub member_id: String,
    /// Where the newest roster entry lies; `None` where it lay before.
    pub facts_position: Option<i64>,
    /// Whether a settlement of the member was reversed in this batch. It stays known for ever.
    pub has_voids: bool,
    /// What it owes and the next payouts are to be set off against.
    pub receivable: Fen,
    /// The member that it proved to be.
    pub merged_into: Option<String>,
    /// When it changed.
    pub time: Moment,
}

/// What a member has used in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRow {
    /// The lane.
    pub lane: u16,
    /// The member.
    pub member_id: String,
    /// Which counter.
    pub key: CounterKey,
    /// What is used.
    pub counters: Counters,
}

/// A payout that is new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutRow {
    /// The claim.
    pub claim_id: ClaimId,
    /// The payout.
    pub payout: Payout,
}

/// Everything that one batch writes. Each key at most once in each list: PostgreSQL refuses to
/// write one row twice in a statement.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// New heads of the lanes that the batch locked.
    pub heads: Vec<LaneHead>,
    /// New events.
    pub events: Vec<EventRow>,
    /// New facts.
    pub facts: Vec<FactRow>,
    /// Claims that are new or changed.
    pub claims: Vec<ClaimRow>,
    /// Claims that changed again, with the position of the event before.
    pub earlier: Vec<(ClaimId, i64)>,
    /// Members that are new or changed.
    pub members: Vec<MemberRow>,
    /// Counters that are new or changed.
    pub counters: Vec<CounterRow>,
    /// Payouts that are new or changed.
    pub payouts: Vec<PayoutRow>,
}

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestRow {
    /// The id that its caller chose, a UUID.
    pub request_id: String,
    /// Keyed hash of what was asked, in hex.
    pub digest: String,
    /// The claim it was about.
    pub claim_id: ClaimId,
    /// The events that it made: the first and the last position.
    pub positions: (i64, i64),
}

/// A stay that ended and was settled whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayRow {
    /// Its claim.
    pub claim_id: ClaimId,
    /// The hospital.
    pub hospital_code: String,
    /// The first day, where it is stated.
    pub admission: Option<Day>,
    /// The last day, likewise.
    pub discharge: Option<Day>,
    /// The bill.
    pub total: Fen,
}

/// Claims for which one clock runs out first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockRow {
    /// The clock.
    pub clock: ClockKind,
    /// How many.
    pub claims: i64,
    /// For how many of them it warns.
    pub warned: i64,
    /// For how many of them it has run out.
    pub breached: i64,
}

/// A claim that counts, with its invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceRow {
    /// The invoice.
    pub invoice_no: String,
    /// The claim.
    pub claim_id: ClaimId,
    /// When the claim came in.
    pub create_time: Moment,
}

/// A published document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// `plan`, …
    pub kind: String,
    /// The document's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The first day it holds.
    pub start_date: Day,
    /// Its exact bytes.
    pub body: String,
    /// Their SHA-256, in hex.
    pub hash: String,
    /// 1, 2, 3, … in the order of publishing.
    pub revision: i64,
    /// When it was published.
    pub publish_time: Moment,
}

/// Which claims are asked for. An empty list or `None` asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimFilter {
    /// In one of these states.
    pub states: Vec<ClaimState>,
    /// Of this member, with its lane.
    pub member: Option<(u16, String)>,
    /// From this hospital.
    pub hospital_code: Option<String>,
    /// Decided under this plan.
    pub plan_id: Option<String>,
    /// With this invoice.
    pub invoice_no: Option<String>,
    /// Of this stay.
    pub visit_id: Option<String>,
    /// Of this settlement.
    pub settlement_id: Option<String>,
    /// From this platform.
    pub source: Option<String>,
    /// That came in at this time or later.
    pub created_from: Option<Moment>,
    /// That came in before this time.
    pub created_until: Option<Moment>,
}

/// Which claims that wait for a person are asked for. `None` asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFilter {
    /// In this state: `PENDED` or `INFORMATION_REQUESTED`.
    pub state: Option<ClaimState>,
    /// Decided under this plan.
    pub plan_id: Option<String>,
    /// From this hospital.
    pub hospital_code: Option<String>,
    /// With this reason among others.
    pub reason: Option<ReasonCode>,
    /// On which this person works.
    pub assignee: Option<String>,
    /// On which nobody works.
    pub only_free: bool,
    /// That would pay so much or more.
    pub amount_min: Option<Fen>,
    /// That would pay so much or less.
    pub amount_max: Option<Fen>,
    /// Which come first.
    pub order: QueueOrder,
}

/// Which claims of the queue come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QueueOrder {
    /// Those whose clock runs out first, then those that have waited longest.
    #[default]
    Due,
    /// Those that have waited longest.
    Age,
    /// Those that would pay most.
    Amount,
}

/// A claim of the queue with what its order is by.
#[derive(Debug, Clone)]
pub struct QueueRow {
    /// The claim.
    pub claim: Claim,
    /// µs when its clock runs out, or since it waits, or fen.
    pub key: i64,
}

/// The last claim of a page of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCursor {
    /// [`QueueRow::key`] of that claim.
    pub key: i64,
    /// Its id.
    pub id: ClaimId,
}

/// What claims under review hold of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveRow {
    /// The plan; none: claims without a figure.
    pub plan_id: Option<String>,
    /// How many claims wait.
    pub claims: i64,
    /// What they would pay.
    pub reserved: Fen,
    /// Since when the oldest waits.
    pub oldest: Moment,
    /// On how many somebody works.
    pub assigned: i64,
    /// What was let through behind them, for the same members: it is decided again when they are
    /// denied or approved with another amount.
    pub resting: Fen,
}

/// One event of a claim, with the words of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// The position in its lane.
    pub position: i64,
    /// When it was recorded.
    pub time: Moment,
    /// What happened.
    pub event: ClaimEvent,
    /// The words of a person.
    pub texts: Option<Texts>,
}

/// The last claim of a page. The order is by time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimCursor {
    /// When that claim came in.
    pub create_time: Moment,
    /// Its id.
    pub id: ClaimId,
}

/// What came in, as it came.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Who delivered it; empty: nobody in particular.
    pub sender: String,
    /// `MESSAGE`, `SETTLEMENT`, `EVENT`, `SUPPLEMENT` or `REVERSAL`.
    pub format: String,
    /// The transaction, where the sender said it apart from the message.
    pub infno: String,
    /// The bytes as sent.
    pub payload: Vec<u8>,
    /// The request that a message answers.
    pub request_payload: Vec<u8>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A follow-up that waits for its settlement.
#[derive(Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// Ours, a UUID that grows with time.
    pub parked_id: String,
    /// SHA-256 of `body`, in hex.
    pub digest: String,
    /// The platform that issued the ids.
    pub source: String,
    /// The settlement it names.
    pub settlement_id: Option<String>,
    /// The stay it names.
    pub visit_id: Option<String>,
    /// `REVERSAL` or `SUPPLEMENT`.
    pub kind: String,
    /// JSON of [`crate::core::settlement::FollowUp`].
    pub body: String,
    /// What came. Its bytes are read only to make a reject of it.
    pub delivery: Delivery,
    /// When it came.
    pub receive_time: Moment,
}

impl std::fmt::Debug for ParkedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParkedRow")
            .field("parked_id", &self.parked_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectRow {
    /// Ours, a UUID that grows with time.
    pub reject_id: String,
    /// SHA-256 of everything that was sent, in hex.
    pub digest: String,
    /// What came.
    pub delivery: Delivery,
    /// The platform of the settlement it is about.
    pub source: Option<String>,
    /// The settlement it is about.
    pub settlement_id: Option<String>,
    /// What it says of it: `SETTLEMENT`, `REVERSAL` or `SUPPLEMENT`; empty where that could not be
    /// told.
    pub topic: String,
    /// The reason, as in an error of the API.
    pub reason: String,
    /// JSON: the code, the message and every field that is wrong.
    pub problems: String,
    /// When it came first.
    pub create_time: Moment,
    /// When it came last.
    pub update_time: Moment,
    /// How often it came.
    pub attempts: i64,
}

/// Which rejects are asked for; `None` asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectFilter {
    /// Of this sender.
    pub sender: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
    /// About this settlement.
    pub settlement_id: Option<String>,
    /// This one.
    pub reject_id: Option<String>,
}

/// What waits and what is rejected: sender, reason or kind, how many, since when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Rejects by sender and reason.
    pub rejects: Vec<(String, String, i64, Moment)>,
    /// Parked follow-ups by sender and kind.
    pub parked: Vec<(String, String, i64, Moment)>,
}

/// Who fetches from a sender, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRow {
    /// The sender.
    pub sender: String,
    /// The lease of who fetches, a UUID; empty: nobody's.
    pub lease_id: String,
    /// Which process that is, or was last.
    pub holder: String,
    /// Until when the lease lasts.
    pub lease_expire_time: Moment,
    /// How far it has come; empty: nowhere yet.
    pub cursor: String,
    /// Since when it is paused.
    pub pause_time: Option<Moment>,
    /// When it was first fetched from, or paused.
    pub create_time: Moment,
    /// When everything that was there had been fetched, last.
    pub caught_up_time: Option<Moment>,
    /// Why the last attempt failed; empty: it did not.
    pub failure: String,
    /// How many attempts failed in a row.
    pub failures: i64,
    /// How many records were handed over in all.
    pub records: i64,
    /// When one of these last changed.
    pub update_time: Moment,
}
