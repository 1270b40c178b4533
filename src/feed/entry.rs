//! What the feed keeps of an event: enough to tell a watcher, a fraction of what is stored.

use std::sync::Arc;

use super::cursor::Mark;
use crate::core::book::{Because, Cause};
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::Denial;
use crate::core::event::{ClaimEvent, Event, Figures};
use crate::core::money::Fen;
use crate::core::payout::Payout;
use crate::core::plan::PaymentMode;
use crate::core::review::Act;
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
    /// What it was decided again for.
    pub because: Option<Because>,
    /// What a person did.
    pub act: Option<Arc<Act>>,
    /// What it paid before; none for a new claim.
    pub payout_before: Option<Fen>,
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
    /// A change that is only tried: it has no place yet.
    pub fn untold(lane: u16, time: Moment, event: ClaimEvent) -> Told {
        let news = Arc::new(ClaimNews::of(lane, event));
        Told { lane, mark: Mark::default(), time, news }
    }

    /// A change that was recorded at a place.
    pub fn recorded(lane: u16, position: i64, time: Moment, event: ClaimEvent) -> Told {
        let mark = Mark { position, check: 0 };
        Told { mark, ..Told::untold(lane, time, event) }
    }

    /// The same as if it were only tried.
    #[must_use]
    pub fn without_place(self) -> Told {
        Told { mark: Mark::default(), ..self }
    }

    /// An entry as it is told.
    pub fn of(entry: &Entry, news: &Arc<ClaimNews>) -> Told {
        Told { lane: entry.lane, mark: entry.mark, time: entry.time, news: news.clone() }
    }
}

impl Entry {
    /// The entry of an event that is recorded under this hash (hex).
    pub fn of(lane: u16, position: i64, hash: &str, time: Moment, event: Event) -> Entry {
        let news = match event {
            Event::Claim(event) => Some(Arc::new(ClaimNews::of(lane, *event))),
            Event::Member(_) | Event::Document(_) | Event::Merge(_) => None,
        };
        Entry { lane, mark: Mark::of(position, hash), time, news }
    }

    /// Reads a stored event.
    pub fn read(row: &EventRow) -> Result<Entry, StoreError> {
        let event = serde_json::from_str(&row.body).map_err(|_| StoreError::Corrupt {
            table: "event",
            key: format!("{}/{}", row.lane, row.position),
        })?;
        Ok(Entry::of(row.lane, row.position, &row.hash, row.time, event))
    }
}

impl ClaimNews {
    /// What an event of a lane says of its claim.
    pub fn of(lane: u16, event: ClaimEvent) -> ClaimNews {
        let figures = event.figures();
        ClaimNews {
            claim_id: ClaimId { lane, number: event.claim },
            member_id: event.member,
            source: event.source,
            settlement_id: event.settlement_id,
            hospital_code: event.hospital,
            plan: event.plan.map(|plan| (plan.plan_id, plan.version)),
            cause: event.cause,
            because: event.because,
            act: event.act,
            payout_before: event.payout_before,
            state_before: event.from,
            state: event.state,
            route: event.route,
            reasons: event.reasons.iter().map(|reason| reason.code).collect(),
            denial: event.denial,
            payment_mode: event.payment_mode,
            figures,
            payouts: event.payouts,
        }
    }
}
