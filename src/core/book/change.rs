//! What a fresh evaluation changes about a claim, and what claims use up.

use std::sync::Arc;

use super::{Because, Cause, ClaimChange};
use crate::core::claim::{Claim, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::{CounterBook, Decision};
use crate::core::money::Fen;
use crate::core::payout;
use crate::core::review::{Deed, Review};
use crate::core::route::{
    Evaluation, Reason, ReasonCode, Route, Standing, World, evaluate, figure_changed,
};
use crate::core::usage::NeedsHistory;

/// What becomes of a claim: where it stands, and what is left of the work of people on it.
pub(super) struct Outcome {
    pub(super) evaluation: Evaluation,
    pub(super) review: Review,
}

/// Decides a known claim again. What goes back to a person is looked at whole: then neither what
/// was ruled nor what stood counts any more.
pub(super) fn decided_again(
    claim: &Claim,
    has_new_facts: bool,
    world: World<'_>,
) -> Result<Outcome, NeedsHistory> {
    let stood = claim.state().is_let_through();
    let mut review = claim.review.clone();
    let evaluated = |review: &Review, let_through| {
        let person_unclear = claim.person_unclear;
        let has_stood = stood || is_withdrawn(claim);
        let (claim_id, invoice_of) = (claim.id, claim.invoice_of);
        let standing = Standing {
            claim_id,
            person_unclear,
            invoice_of,
            review,
            let_through,
            has_new_facts,
            flags: &claim.evaluation.flags,
            has_stood,
        };
        evaluate(&claim.settlement, standing, world)
    };
    let let_through = stood.then(|| review.let_through().unwrap_or_default());
    let mut evaluation = evaluated(&review, let_through)?;
    if stood && evaluation.state != ClaimState::Approved {
        let award = review.award();
        review.ruling = None;
        evaluation = evaluated(&review, None)?;
        if let Some(award) = award {
            let figure = evaluation.decision.as_ref().map_or(Fen::ZERO, Decision::payout);
            review.doubts.push(figure_changed(award, figure));
            evaluation = evaluated(&review, None)?;
        }
    }
    Ok(Outcome { evaluation, review })
}

/// Whether a claim waits because what stood was taken back.
pub(super) fn is_withdrawn(claim: &Claim) -> bool {
    let withdrawn = |reason: &Reason| reason.code == ReasonCode::DecisionWithdrawn;
    claim.state().is_in_review() && claim.evaluation.reasons.iter().any(withdrawn)
}

/// What a fresh outcome changes about a claim; `None` when nothing does.
pub(super) fn change_of(
    claim: &Claim,
    fresh: Outcome,
    (cause, because): (Cause, Option<Because>),
    now: Moment,
) -> Option<ClaimChange> {
    let change = resolved(claim, fresh, (cause, because), now);
    let after = &change.claim;
    let is_same = after.evaluation == claim.evaluation && after.review == claim.review;
    (!is_same || cause == Cause::Supplemented).then_some(change)
}

/// A claim after a fresh outcome, as far as the rules alone may move it.
pub(super) fn resolved(
    claim: &Claim,
    fresh: Outcome,
    (cause, because): (Cause, Option<Because>),
    now: Moment,
) -> ClaimChange {
    let Outcome { mut evaluation, review } = fresh;
    let (from, to) = (claim.state(), evaluation.state);
    if from != to && !from.may_become(to) {
        evaluation.state = ClaimState::Pended;
        evaluation.route = Route::Review;
    }
    concluded(claim, Outcome { evaluation, review }, (cause, because), None, now)
}

/// A claim that stands as it was found, with the money that follows.
pub(super) fn concluded(
    claim: &Claim,
    fresh: Outcome,
    (cause, because): (Cause, Option<Because>),
    deed: Option<&Deed>,
    now: Moment,
) -> ClaimChange {
    let Outcome { mut evaluation, mut review } = fresh;
    let from = claim.state();
    let payout_of = |it: &Evaluation| it.decision.as_ref().map_or(Fen::ZERO, Decision::payout);
    let same_payout = claim.payout() == payout_of(&evaluation);
    if from == ClaimState::Paid && evaluation.state == ClaimState::Approved && same_payout {
        evaluation.state = ClaimState::Paid;
    }
    if evaluation.state.is_in_review() {
        review.since = review.since.or(Some(now));
    } else {
        review.since = None;
        review.assignee = None;
        review.inquiry = None;
    }
    if !evaluation.state.is_in_review() || !same_payout {
        review.proposal = None;
    }
    let before = (cause != Cause::Submitted).then_some(from);
    let timeline = claim.timeline.after(before, evaluation.state, deed, now);
    let payouts = payout::instruct(&claim.payouts, pay_target(&evaluation), now);
    let decides = evaluation.decision != claim.evaluation.decision;
    let changed = Claim {
        payouts: payout::merged(&claim.payouts, &payouts),
        timeline,
        evaluation,
        review,
        update_time: voided_since(claim, now),
        ..claim.clone()
    };
    ClaimChange {
        cause,
        because,
        from: Some(from),
        payout_before: Some(claim.payout()),
        claim: Arc::new(changed),
        facts_changed: cause == Cause::Supplemented,
        decides,
        act: None,
        payouts,
    }
}

/// When a claim changed last; of a voided one, when it was voided: what replaces it depends on that,
/// whatever is said of it or set off later.
pub(super) fn voided_since(claim: &Claim, now: Moment) -> Moment {
    if claim.state() == ClaimState::Voided { claim.update_time } else { now }
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
