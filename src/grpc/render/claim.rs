//! A claim with its whole explanation.

use super::decision::decision;
use super::{event, review, settlement, text, timestamp};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::clocks::{Clock, ClockState, Pause, clocks};
use crate::core::day::Moment;
use crate::core::decision::code;
use crate::core::explain::{self, Language};
use crate::core::figures::FigureRef;
use crate::core::money::Fen;
use crate::core::payout::{Payout, PayoutKind, PayoutState};
use crate::core::plan::{PaymentMode, Plans};
use crate::core::route::{Reason, Route};
use crate::grpc::names::claim_state;
use crate::pb;

/// A claim as it stands. One that is not recorded has no id, no revision and no times.
pub(in crate::grpc) fn claim(claim: &Claim) -> pb::Claim {
    let (facts, evaluation) = (&claim.settlement, &claim.evaluation);
    let is_recorded = claim.revision > 0;
    let recorded = |text: String| if is_recorded { text } else { String::new() };
    let plan = evaluation.plan.as_ref();
    pb::Claim {
        claim_id: recorded(claim.id.to_string()),
        settlement: facts.event.is_none().then(|| settlement::settlement(facts)),
        member_id: claim.member_id.clone(),
        plan_id: plan.map(|plan| plan.plan_id.clone()).unwrap_or_default(),
        plan_version: plan.map(|plan| plan.version.clone()).unwrap_or_default(),
        state: claim_state(evaluation.state).into(),
        route: route(evaluation.route).into(),
        review_reasons: evaluation.reasons.iter().map(review_reason).collect(),
        decision: evaluation.decision.as_ref().map(|it| decision(it, evaluation)),
        payouts: claim.payouts.iter().map(|it| payout(it, claim.id, is_recorded)).collect(),
        create_time: is_recorded.then(|| timestamp(claim.create_time)),
        update_time: is_recorded.then(|| timestamp(claim.update_time)),
        revision: recorded(revision(claim.id.lane, claim.revision)),
        payment_mode: payment_mode(evaluation.payment_mode).into(),
        next_step: next_step(claim.state(), claim.payout(), evaluation.payment_mode).into(),
        denial_reason: evaluation.denial.as_ref().map(code).unwrap_or_default(),
        event: facts.event.as_ref().map(|it| event::event(facts, it)),
        reversal: claim.reversal.as_deref().map(super::settlement::reversal),
        review: review::review(&claim.review).filter(|_| is_recorded),
        moved_to_claim_id: text(claim.moved_to.as_ref().map(ClaimId::to_string).as_ref()),
        flags: evaluation.flags.iter().map(review_reason).collect(),
        clocks: Vec::new(),
        figures: evaluation.figures.iter().map(figure).collect(),
    }
}

/// A claim as it stands, and how its clocks stand now.
pub(in crate::grpc) fn claim_with_clocks(it: &Claim, plans: &Plans, now: Moment) -> pb::Claim {
    let clocks = clocks(it, plans).iter().map(|it| clock(it, now)).collect();
    pb::Claim { clocks, ..claim(it) }
}

fn clock(clock: &Clock, now: Moment) -> pb::Clock {
    let state = match clock.state(now) {
        ClockState::Running => pb::ClockState::Running,
        ClockState::Paused => pb::ClockState::Paused,
        ClockState::Warning => pb::ClockState::Warning,
        ClockState::Breached => pb::ClockState::Breached,
        ClockState::Met => pb::ClockState::Met,
    };
    let pause = |it: &Pause| pb::ClockPause {
        start_time: Some(timestamp(it.from)),
        end_time: it.until.map(timestamp),
    };
    pb::Clock {
        clock_code: code(&clock.kind).to_ascii_uppercase(),
        state: state.into(),
        start_time: Some(timestamp(clock.start)),
        warn_time: clock.warn.map(timestamp),
        due_time: clock.due.map(timestamp),
        stop_time: clock.stop.map(timestamp),
        pauses: clock.pauses.iter().map(pause).collect(),
    }
}

fn figure(figure: &FigureRef) -> pb::FigureVersion {
    pb::FigureVersion {
        kind_code: code(&figure.kind).to_ascii_uppercase(),
        document_id: figure.id.clone(),
        version: figure.version.clone().unwrap_or_default(),
    }
}

/// How the place of a claim's event is written.
pub(super) fn revision(lane: u16, position: i64) -> String {
    format!("{lane}/{position}")
}

pub(super) fn route(route: Route) -> pb::Route {
    match route {
        Route::Green => pb::Route::Green,
        Route::Review => pb::Route::Review,
    }
}

pub(super) fn payment_mode(mode: Option<PaymentMode>) -> pb::PaymentMode {
    match mode {
        None => pb::PaymentMode::Unspecified,
        Some(PaymentMode::HospitalDeducts) => pb::PaymentMode::HospitalDeducts,
        Some(PaymentMode::Transfer) => pb::PaymentMode::Transfer,
    }
}

/// What the clerk at the window does now.
pub(super) fn next_step(
    state: ClaimState,
    payout: Fen,
    payment_mode: Option<PaymentMode>,
) -> pb::NextStep {
    match state {
        ClaimState::Incomplete => pb::NextStep::SendMissingFacts,
        ClaimState::Pended => pb::NextStep::AwaitReview,
        ClaimState::InformationRequested => pb::NextStep::SendInformation,
        ClaimState::Approved if payout > Fen::ZERO => match payment_mode {
            Some(PaymentMode::HospitalDeducts) => pb::NextStep::DeductAtWindow,
            Some(PaymentMode::Transfer) | None => pb::NextStep::AwaitTransfer,
        },
        ClaimState::Approved | ClaimState::Denied => pb::NextStep::CollectWholeBurden,
        ClaimState::Paid | ClaimState::Voided => pb::NextStep::None,
    }
}

pub(super) fn review_reason(reason: &Reason) -> pb::ReviewReason {
    let evidence = reason.evidence.iter();
    pb::ReviewReason {
        code: code(&reason.code),
        evidence: evidence
            .map(|(key, value)| pb::Evidence { key: key.clone(), value: value.clone() })
            .collect(),
        text_zh: explain::reason_text(reason, Language::Zh),
        text_en: explain::reason_text(reason, Language::En),
    }
}

/// A payout of a claim; one that is not recorded has neither an id nor a time.
pub(super) fn payout(payout: &Payout, claim_id: ClaimId, is_recorded: bool) -> pb::Payout {
    let kind = match payout.kind {
        PayoutKind::Payment => pb::PayoutKind::Payment,
        PayoutKind::Recovery => pb::PayoutKind::Recovery,
    };
    let state = match payout.state {
        PayoutState::Instructed => pb::PayoutState::Instructed,
        PayoutState::Sent => pb::PayoutState::Sent,
        PayoutState::Settled => pb::PayoutState::Settled,
        PayoutState::Failed => pb::PayoutState::Failed,
        PayoutState::Returned => pb::PayoutState::Returned,
        PayoutState::Cancelled => pb::PayoutState::Cancelled,
        PayoutState::Offset => pb::PayoutState::Offset,
    };
    pb::Payout {
        payout_id: if is_recorded {
            format!("{claim_id}/{}", payout.number)
        } else {
            String::new()
        },
        kind: kind.into(),
        amount_fen: payout.amount.fen(),
        state: state.into(),
        create_time: is_recorded.then(|| timestamp(payout.create_time)),
        offset_payout_id: match payout.offset_with {
            Some(with) if is_recorded => format!("{}/{}", with.claim, with.number),
            _ => String::new(),
        },
    }
}
