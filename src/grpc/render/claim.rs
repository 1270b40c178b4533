//! A claim with its whole explanation.

use super::{day, settlement, timestamp};
use crate::core::ENGINE_VERSION;
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::decision::{self, Decision, code};
use crate::core::explain::{self, Language};
use crate::core::money::Fen;
use crate::core::payout::{Payout, PayoutKind, PayoutState};
use crate::core::plan::PaymentMode;
use crate::core::route::{Evaluation, Reason, Route};
use crate::grpc::names::claim_state;
use crate::pb;

/// A claim as it stands. One that is not recorded has no id, no revision and no times.
pub(in crate::grpc) fn claim(claim: &Claim) -> pb::Claim {
    let evaluation = &claim.evaluation;
    let is_recorded = claim.revision > 0;
    let recorded = |text: String| if is_recorded { text } else { String::new() };
    let plan = evaluation.plan.as_ref();
    pb::Claim {
        claim_id: recorded(claim.id.to_string()),
        settlement: Some(settlement::settlement(&claim.settlement)),
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

fn review_reason(reason: &Reason) -> pb::ReviewReason {
    let evidence = reason.evidence.iter();
    pb::ReviewReason {
        code: code(&reason.code),
        evidence: evidence
            .map(|(key, value)| pb::Evidence { key: key.clone(), value: value.clone() })
            .collect(),
        text_zh: explain::reason_text(reason, Language::Zh).to_owned(),
        text_en: explain::reason_text(reason, Language::En).to_owned(),
    }
}

fn decision(decision: &Decision, evaluation: &Evaluation) -> pb::Decision {
    let plan = evaluation.plan.as_ref();
    let period = decision.period.as_ref();
    pb::Decision {
        payout_fen: decision.payout().fen(),
        burden_fen: decision.burden.fen(),
        eligible_fen: decision.eligible.fen(),
        ineligible_fen: decision.ineligible().fen(),
        deductible_fen: decision.deductible().fen(),
        patient_share_fen: decision.patient_share().fen(),
        steps: decision.steps.iter().map(step).collect(),
        adjustments: decision.adjustments.iter().map(adjustment).collect(),
        counters: decision.counters.iter().flat_map(counter_changes).collect(),
        plan_version: plan.map(|plan| plan.version.clone()).unwrap_or_default(),
        engine_version: ENGINE_VERSION.to_owned(),
        plan_hash: plan.map(|plan| plan.hash.clone()).unwrap_or_default(),
        period_start: day(period.map(|period| period.start)),
        period_end: day(period.map(|period| period.end)),
        attribution_date: decision.attribution_date.to_string(),
    }
}

fn step(step: &decision::Step) -> pb::Step {
    let operands = explain::operands(&step.why).into_iter();
    pb::Step {
        code: explain::step_code(&step.why).to_owned(),
        responsibility: step.why.responsibility().to_owned(),
        before_fen: step.before.fen(),
        after_fen: step.after.fen(),
        operands: operands
            .map(|(name, value)| pb::Operand { name: name.to_owned(), value })
            .collect(),
        text_zh: explain::step_text(step, Language::Zh),
        text_en: explain::step_text(step, Language::En),
    }
}

fn adjustment(adjustment: &decision::Adjustment) -> pb::Adjustment {
    let group = match adjustment.reason.group() {
        decision::AdjustmentGroup::Pr => pb::AdjustmentGroup::Pr,
        decision::AdjustmentGroup::Oa => pb::AdjustmentGroup::Oa,
        decision::AdjustmentGroup::Co => pb::AdjustmentGroup::Co,
    };
    pb::Adjustment {
        group: group.into(),
        reason_code: code(&adjustment.reason),
        carc: adjustment.reason.carc().to_owned(),
        amount_fen: adjustment.amount.fen(),
        line_no: String::new(),
    }
}

/// One row for each counter of a responsibility.
fn counter_changes(change: &decision::CounterChange) -> [pb::CounterChange; 3] {
    let (before, after) = (&change.before, &change.after);
    let row = |counter: &str, before: Fen, after: Fen| pb::CounterChange {
        plan_id: change.key.plan_id.clone(),
        responsibility: change.key.responsibility.clone(),
        period_start: change.key.period_start.to_string(),
        counter: counter.to_owned(),
        unit: "fen".to_owned(),
        before: before.fen(),
        after: after.fen(),
    };
    [
        row("deductible", before.deductible, after.deductible),
        row("burden", before.burden, after.burden),
        row("paid", before.paid, after.paid),
    ]
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
    }
}
