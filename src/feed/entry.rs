//! What the feed keeps of an event: enough to tell a watcher, a fraction of what is stored.

use std::sync::Arc;

use super::cursor::Mark;
use crate::core::book::Cause;
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::{Decision, Denial};
use crate::core::event::{ClaimEvent, Event};
use crate::core::money::Fen;
use crate::core::payout::Payout;
use crate::core::plan::PaymentMode;
use crate::core::route::{ReasonCode, Route};
use crate::store::{EventRow, StoreError};

/// One event of a lane.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The lane.
    pub lane: u16,
    /// Its place there.
    pub mark: Mark,
    /// When it was recorded.
    pub time: Moment,
    /// What happened to a claim; none for an event that watchers are not told.
    pub news: Option<Arc<ClaimNews>>,
}

/// One change of a claim, as watchers are told. Without personal data.
#[derive(Debug, PartialEq, Eq)]
pub struct ClaimNews {
    /// The claim.
    pub claim_id: ClaimId,
    /// The member, ours.
    pub member_id: String,
    /// The settlement's platform.
    pub source: String,
    /// The settlement's id there.
    pub settlement_id: String,
    /// The hospital.
    pub hospital_code: Option<String>,
    /// The plan that decided, with its version.
    pub plan: Option<(String, String)>,
    /// Why the claim changed.
    pub cause: Cause,
    /// The state before; none for a new claim.
    pub state_before: Option<ClaimState>,
    /// The state after.
    pub state: ClaimState,
    /// Who lets it through.
    pub route: Route,
    /// Why not the green channel.
    pub reasons: Vec<ReasonCode>,
    /// Why it was denied at once.
    pub denial: Option<Denial>,
    /// Who hands over the money.
    pub payment_mode: Option<PaymentMode>,
    /// What it comes to; none without a decision.
    pub figures: Option<Figures>,
    /// Payouts that this event instructed or changed.
    pub payouts: Vec<Payout>,
}

/// What a decision comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// What the plan pays.
    pub payout: Fen,
    /// What stays with the person.
    pub patient_share: Fen,
}

/// An event that fits a watcher's filter.
#[derive(Debug, Clone)]
pub struct Told {
    /// The lane.
    pub lane: u16,
    /// Its place there.
    pub mark: Mark,
    /// When it was recorded.
    pub time: Moment,
    /// What happened.
    pub news: Arc<ClaimNews>,
}

impl Told {
    pub(super) fn of(entry: &Entry, news: &Arc<ClaimNews>) -> Told {
        Told { lane: entry.lane, mark: entry.mark, time: entry.time, news: news.clone() }
    }
}

impl Entry {
    /// The entry of an event that is recorded under this hash (hex).
    pub fn of(lane: u16, position: i64, hash: &str, time: Moment, event: Event) -> Entry {
        let news = match event {
            Event::Claim(event) => Some(Arc::new(ClaimNews::of(lane, *event))),
            Event::Member(_) | Event::Document(_) => None,
        };
        Entry { lane, mark: Mark::of(position, hash), time, news }
    }

    /// Reads a stored event.
    pub(super) fn read(row: &EventRow) -> Result<Entry, StoreError> {
        let event = serde_json::from_str(&row.body).map_err(|_| StoreError::Corrupt {
            table: "event",
            key: format!("{}/{}", row.lane, row.position),
        })?;
        Ok(Entry::of(row.lane, row.position, &row.hash, row.time, event))
    }
}

impl ClaimNews {
    fn of(lane: u16, event: ClaimEvent) -> ClaimNews {
        let figures = |decision: &Decision| Figures {
            payout: decision.payout(),
            patient_share: decision.patient_share(),
        };
        ClaimNews {
            claim_id: ClaimId { lane, number: event.claim },
            member_id: event.member,
            source: event.source,
            settlement_id: event.settlement_id,
            hospital_code: event.hospital,
            plan: event.plan.map(|plan| (plan.plan_id, plan.version)),
            cause: event.cause,
            state_before: event.from,
            state: event.state,
            route: event.route,
            reasons: event.reasons.iter().map(|reason| reason.code).collect(),
            denial: event.denial,
            payment_mode: event.payment_mode,
            figures: event.decision.as_ref().map(figures),
            payouts: event.payouts,
        }
    }
}
