//! Clocks (时限): how long a claim may take, by law and by promise (`domain.md` 4.4). A breach is
//! told and never changes money.
//!
//! A clock runs from its start while nobody is awaited; one of working days runs on those only. A
//! day is 24 hours of running, so that a pause of a minute moves the end by a minute.

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::claim::{Claim, ClaimState};
use super::day::Moment;
use super::money::{Fen, Rate};
use super::payout::{PayoutKind, PayoutState};
use super::plan::{PaymentMode, Plans};
use super::review::{ContactPurpose, Deed};

/// µs of an hour.
const HOUR: i64 = 3_600_000_000;
/// µs of a day.
const DAY: i64 = 24 * HOUR;

/// What a clock is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// 首次联系: from the claim waiting for a person to the first word with the claimant.
    Contact,
    /// 小额案件: from the claim being complete to a decision, for small payouts.
    SmallClaim,
    /// 核定: from the claim being complete to a decision.
    Decision,
    /// 拒赔通知: from a denial to the notice of it, where it was not told in the answer.
    RefusalNotice,
    /// 给付: from a payment being instructed to its arrival.
    Payment,
}

impl ClockKind {
    /// All of them.
    pub const ALL: [ClockKind; 5] = [
        ClockKind::Contact,
        ClockKind::SmallClaim,
        ClockKind::Decision,
        ClockKind::RefusalNotice,
        ClockKind::Payment,
    ];
}

/// In what a clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Hours.
    Hours,
    /// Days of the calendar (自然日).
    Days,
    /// Working days (工作日).
    WorkingDays,
}

/// One clock of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockRule {
    /// What it is about.
    pub kind: ClockKind,
    /// How much it allows.
    pub limit: u16,
    /// Of what.
    pub unit: Unit,
    /// At which part of the limit it warns.
    pub warn_at: Rate,
    /// For payouts up to this only.
    pub up_to: Option<Fen>,
}

/// The clocks of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockRules {
    /// The id of the calendar of working days; none: every weekday is one.
    pub calendar: Option<String>,
    /// At most one of a kind.
    pub clocks: Vec<ClockRule>,
}

/// What happened to a claim that clocks go by, in the round that began when it was last complete.
/// Nothing of it is there for a claim that was decided as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// Since when it can be decided; none: since it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Moment>,
    /// When it first waited for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pended: Option<Moment>,
    /// While an answer was awaited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// When somebody first spoke with the claimant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Moment>,
    /// When it was decided; none: as it came, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Moment>,
    /// When the notice of a denial was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Moment>,
}

/// While something was awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub from: Moment,
    /// Until when; none: it still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// How a clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// It runs.
    Running,
    /// It waits for an answer.
    Paused,
    /// It runs, and is close to its end.
    Warning,
    /// It ran out before what it is about came.
    Breached,
    /// What it is about came in time.
    Met,
}

/// A clock of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// What it is about.
    pub kind: ClockKind,
    /// When it began.
    pub start: Moment,
    /// What it does not count.
    pub pauses: Vec<Pause>,
    /// When it warns; none while it is paused before that.
    pub warn: Option<Moment>,
    /// When it runs out; none while it is paused before that.
    pub due: Option<Moment>,
    /// When what it is about came.
    pub stop: Option<Moment>,
}

impl Clock {
    /// How it stands at a moment.
    pub fn state(&self, now: Moment) -> ClockState {
        let end = self.stop.unwrap_or(now);
        let is_late = self.due.is_some_and(|due| end > due);
        match (is_late, self.stop) {
            (true, _) => ClockState::Breached,
            (false, Some(_)) => ClockState::Met,
            (false, None) if self.is_paused() => ClockState::Paused,
            (false, None) if self.warn.is_some_and(|warn| now >= warn) => ClockState::Warning,
            (false, None) => ClockState::Running,
        }
    }

    fn is_paused(&self) -> bool {
        self.pauses.last().is_some_and(|pause| pause.until.is_none())
    }
}

impl Timeline {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Timeline::default()
    }

    /// What there is to remember after a change of state, perhaps by the deed of a person. `from` is
    /// none for a claim that is new.
    #[must_use]
    pub fn after(
        &self,
        from: Option<ClaimState>,
        to: ClaimState,
        deed: Option<&Deed>,
        now: Moment,
    ) -> Timeline {
        use ClaimState as S;
        let is_decided = |state| matches!(state, S::Approved | S::Paid | S::Denied);
        let mut next = self.clone();
        if from.is_some_and(is_decided) && to.is_in_review() {
            // It begins anew, and so do its clocks.
            next = Timeline { complete: Some(now), ..Timeline::default() };
        }
        if from == Some(S::Denied) && matches!(to, S::Approved | S::Paid) {
            // What stood in the way is gone, and that decided it at once.
            next = Timeline { complete: Some(now), decided: Some(now), ..Timeline::default() };
        }
        if from == Some(S::Incomplete) && to != S::Incomplete {
            next.complete = Some(now);
        }
        if to.is_in_review() {
            next.pended = next.pended.or(Some(now));
        }
        if from != Some(S::InformationRequested) && to == S::InformationRequested {
            next.pauses.push(Pause { from: now, until: None });
            next.contact = next.contact.or(Some(now));
        }
        if to != S::InformationRequested
            && let Some(pause) = next.pauses.last_mut()
        {
            pause.until = pause.until.or(Some(now));
        }
        if is_decided(to) && from.is_some_and(|from| !is_decided(from)) {
            next.decided = Some(now);
            next.notice = None;
        }
        match deed {
            Some(Deed::Contact { purpose: ContactPurpose::RefusalNotice }) => {
                next.notice = next.notice.or(Some(now));
            }
            Some(Deed::Contact { purpose: ContactPurpose::Claimant }) => {
                next.contact = next.contact.or(Some(now));
            }
            _ => {}
        }
        next
    }
}

/// The clocks of a claim under its plan, in the order of their kinds. None of a claim that was taken
/// back, or that no plan is known of.
pub fn clocks(claim: &Claim, plans: &Plans) -> Vec<Clock> {
    let reference = claim.evaluation.plan.as_ref();
    let plan = reference.and_then(|it| plans.version(&it.plan_id, &it.version));
    let Some(plan) = plan.filter(|_| claim.state() != ClaimState::Voided) else {
        return Vec::new();
    };
    let calendar = plan.clocks.calendar.as_ref();
    let weekdays = Calendar::default();
    let calendar = calendar.and_then(|id| plans.figures().calendar(id));
    let calendar = calendar.map_or(&weekdays, AsRef::as_ref);
    let found = plan.clocks.clocks.iter().filter_map(|rule| clock(claim, *rule, calendar));
    found.collect()
}

/// The one of these clocks that runs out first, of those that still run.
pub fn most_urgent(clocks: &[Clock]) -> Option<&Clock> {
    clocks.iter().filter(|it| it.stop.is_none() && it.due.is_some()).min_by_key(|it| it.due)
}

fn clock(claim: &Claim, rule: ClockRule, calendar: &Calendar) -> Option<Clock> {
    let line = &claim.timeline;
    let is_decided =
        matches!(claim.state(), ClaimState::Approved | ClaimState::Paid | ClaimState::Denied);
    let complete = line.complete.unwrap_or(claim.create_time);
    let decided = is_decided.then(|| line.decided.unwrap_or(complete));
    let (start, stop, pauses) = match rule.kind {
        // Whoever has the decision has been told.
        ClockKind::Contact => {
            let told = line.contact.into_iter().chain(decided).min();
            (line.pended?, told, &[][..])
        }
        ClockKind::SmallClaim | ClockKind::Decision => {
            // What is denied is paid nothing, however large it was.
            let is_denied = claim.state() == ClaimState::Denied;
            let payout = claim.evaluation.decision.as_ref().filter(|_| !is_denied);
            let payout = payout.map(|_| claim.payout());
            let is_small = |most: Fen| payout.is_some_and(|payout| payout <= most);
            if claim.state() == ClaimState::Incomplete || !rule.up_to.is_none_or(is_small) {
                return None;
            }
            (complete, decided, &line.pauses[..])
        }
        ClockKind::RefusalNotice => {
            let denied = line.decided.filter(|_| claim.state() == ClaimState::Denied)?;
            (denied, line.notice, &[][..])
        }
        ClockKind::Payment => (payment_since(claim)?, None, &[][..]),
    };
    let unit = match rule.unit {
        Unit::Hours => HOUR,
        Unit::Days | Unit::WorkingDays => DAY,
    };
    let limit = i64::from(rule.limit) * unit;
    let runs = Runs { pauses, working: (rule.unit == Unit::WorkingDays).then_some(calendar) };
    let warn = runs.end(start, rule.warn_at.part_of(limit));
    let due = runs.end(start, limit);
    Some(Clock { kind: rule.kind, start, pauses: pauses.to_vec(), warn, due, stop })
}

/// Since when a payment to the person is on its way that has not arrived: one that failed and the
/// one that followed it are one.
fn payment_since(claim: &Claim) -> Option<Moment> {
    if claim.evaluation.payment_mode != Some(PaymentMode::Transfer) {
        return None;
    }
    let mut since = None;
    for payout in claim.payouts.iter().filter(|it| it.kind == PayoutKind::Payment) {
        match payout.state {
            PayoutState::Instructed
            | PayoutState::Sent
            | PayoutState::Failed
            | PayoutState::Returned => since = since.or(Some(payout.create_time)),
            PayoutState::Settled => since = None,
            PayoutState::Cancelled | PayoutState::Offset => {}
        }
    }
    since
}

/// When a clock runs.
struct Runs<'a> {
    pauses: &'a [Pause],
    /// On working days only, by this calendar.
    working: Option<&'a Calendar>,
}

impl Runs<'_> {
    /// When a clock that began at `start` has run for so many µs; `None` where it is paused before.
    fn end(&self, start: Moment, limit: i64) -> Option<Moment> {
        let (mut at, mut left) = (start, limit);
        loop {
            let pause = self
                .pauses
                .iter()
                .find(|it| it.from <= at && it.until.is_none_or(|until| at < until));
            if let Some(pause) = pause {
                at = pause.until?;
                continue;
            }
            let midnight = || at.day().map(|day| day.next().start());
            if let Some(calendar) = self.working
                && !calendar.is_workday(at.day()?)
            {
                at = midnight().filter(|next| *next > at)?;
                continue;
            }
            let pauses = self.pauses.iter().map(|pause| pause.from).filter(|from| *from > at);
            let day_end = self.working.and_then(|_| midnight());
            let until = pauses.chain(day_end).min();
            let Some(until) = until.filter(|until| until.micros() - at.micros() < left) else {
                return Some(Moment::from_micros(at.micros().saturating_add(left)));
            };
            if until <= at {
                return None;
            }
            left -= until.micros() - at.micros();
            at = until;
        }
    }
}

#[cfg(test)]
mod tests;
