//! What a fresh evaluation changes about a claim, and what claims use up.

use std::sync::Arc;

use super::{Cause, ClaimChange};
use crate::core::claim::{Claim, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::{CounterBook, Decision};
use crate::core::money::Fen;
use crate::core::payout;
use crate::core::route::{Evaluation, Reason, ReasonCode, Route, reason};

/// What a fresh evaluation changes about a claim; `None` when nothing does.
pub(super) fn change_of(
    claim: &Claim,
    mut fresh: Evaluation,
    is_supplemented: bool,
    now: Moment,
) -> Option<ClaimChange> {
    let known = &claim.evaluation;
    let (from, to) = (claim.state(), fresh.state);
    let withdrawn = |reason: &Reason| reason.code == ReasonCode::DecisionWithdrawn;
    let waits = from == ClaimState::Pended && known.reasons.iter().any(withdrawn);
    let stood = matches!(from, ClaimState::Approved | ClaimState::Paid);
    let is_taken_back =
        (stood || waits) && matches!(to, ClaimState::Denied | ClaimState::Incomplete);
    if is_taken_back || (from != to && !from.may_become(to)) {
        fresh.state = ClaimState::Pended;
        fresh.route = Route::Review;
    }
    if is_taken_back {
        // What stood approved is never taken back without a person.
        fresh.reasons.push(reason(ReasonCode::DecisionWithdrawn, []));
    }
    let same_payout = claim.payout() == fresh.decision.as_ref().map_or(Fen::ZERO, Decision::payout);
    if from == ClaimState::Paid && fresh.state == ClaimState::Approved && same_payout {
        fresh.state = ClaimState::Paid;
    }
    if fresh == *known && !is_supplemented {
        return None;
    }
    let payouts = payout::instruct(&claim.payouts, pay_target(&fresh), now);
    let changed = Claim {
        payouts: payout::merged(&claim.payouts, &payouts),
        evaluation: fresh,
        update_time: now,
        ..claim.clone()
    };
    Some(ClaimChange {
        cause: if is_supplemented { Cause::Supplemented } else { Cause::Redecided },
        from: Some(from),
        claim: Arc::new(changed),
        facts_changed: is_supplemented,
        payouts,
    })
}

/// What a claim shall have paid in all; none while a person must look or facts are missing.
pub(super) fn pay_target(evaluation: &Evaluation) -> Option<Fen> {
    match evaluation.state {
        ClaimState::Approved | ClaimState::Paid | ClaimState::Denied | ClaimState::Voided => {
            Some(evaluation.decision.as_ref().map_or(Fen::ZERO, Decision::payout))
        }
        ClaimState::Incomplete | ClaimState::Pended | ClaimState::InformationRequested => None,
    }
}

/// Posts what a claim uses up.
pub(super) fn post(counters: &mut CounterBook, evaluation: &Evaluation) {
    let Some(decision) = &evaluation.decision else { return };
    if !evaluation.state.holds_counters() {
        return;
    }
    for change in &decision.counters {
        let used = change.after.since(change.before);
        let slot = counters.entry(change.key.clone()).or_default();
        *slot = slot.plus(used);
    }
}

/// Recomputed counters, with a zero for every counter that nobody uses any more, so that its row
/// is written too.
pub(super) fn merge_counters(known: &CounterBook, recomputed: CounterBook) -> CounterBook {
    let mut merged = recomputed;
    for key in known.keys() {
        merged.entry(key.clone()).or_default();
    }
    merged
}
