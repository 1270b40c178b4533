//! One change of a claim, as watchers are told.

use super::claim::{next_step, payment_mode, payout, revision, route};
use super::{review, text, timestamp};
use crate::core::book::{Because, Cause};
use crate::core::claim::ClaimId;
use crate::core::decision::code;
use crate::core::money::Fen;
use crate::feed::Told;
use crate::grpc::names::claim_state;
use crate::ledger::Impact;
use crate::pb;

/// An event of the feed.
pub(in crate::grpc) fn claim_event(told: &Told) -> pb::ClaimEvent {
    let news = &told.news;
    let (plan_id, plan_version) = news.plan.clone().unwrap_or_default();
    let cause = match news.cause {
        Cause::Submitted => pb::ClaimEventCause::Submitted,
        Cause::Supplemented => pb::ClaimEventCause::Supplemented,
        Cause::Redecided => pb::ClaimEventCause::Redecided,
        Cause::Reversed => pb::ClaimEventCause::Reversed,
        Cause::Reviewed => pb::ClaimEventCause::Reviewed,
        Cause::Offset => pb::ClaimEventCause::Offset,
        Cause::Moved => pb::ClaimEventCause::Moved,
    };
    let (trigger, trigger_claim_id) = match news.because {
        None => (pb::ClaimEventTrigger::Unspecified, String::new()),
        Some(Because::Claim(number)) => {
            let claim_id = ClaimId { lane: told.lane, number };
            (pb::ClaimEventTrigger::Claim, claim_id.to_string())
        }
        Some(Because::Roster) => (pb::ClaimEventTrigger::Roster, String::new()),
        Some(Because::Plan) => (pb::ClaimEventTrigger::Plan, String::new()),
        Some(Because::Merge) => (pb::ClaimEventTrigger::Merge, String::new()),
    };
    // What is only tried has no place.
    let is_recorded = told.mark.position > 0;
    let due = news.figures.map_or(Fen::ZERO, |figures| figures.payout);
    pb::ClaimEvent {
        claim_id: news.claim_id.to_string(),
        revision: if is_recorded { revision(told.lane, told.mark.position) } else { String::new() },
        event_time: is_recorded.then(|| timestamp(told.time)),
        cause: cause.into(),
        state_before: news.state_before.map_or(pb::ClaimState::Unspecified, claim_state).into(),
        state: claim_state(news.state).into(),
        route: route(news.route).into(),
        member_id: news.member_id.clone(),
        source: news.source.clone(),
        settlement_id: news.settlement_id.clone(),
        hospital_code: text(news.hospital_code.as_ref()),
        plan_id,
        plan_version,
        payout_fen: news.figures.map(|figures| figures.payout.fen()),
        patient_share_fen: news.figures.map(|figures| figures.patient_share.fen()),
        review_reason_codes: news.reasons.iter().map(code).collect(),
        denial_reason: news.denial.as_ref().map(code).unwrap_or_default(),
        payouts: news.payouts.iter().map(|it| payout(it, news.claim_id, is_recorded)).collect(),
        payment_mode: payment_mode(news.payment_mode).into(),
        next_step: next_step(news.state, due, news.payment_mode).into(),
        payout_before_fen: news.payout_before.map(Fen::fen),
        trigger: trigger.into(),
        trigger_claim_id,
        act: news.act.as_ref().map(|act| review::act(act, None)),
    }
}

/// What changed, or would change, in order.
pub(in crate::grpc) fn changes(changes: &[Told]) -> Vec<pb::ClaimEvent> {
    changes.iter().map(claim_event).collect()
}

/// What a change of the roster or of a plan does to claims.
pub(in crate::grpc) fn impact(impact: &Impact) -> pb::Impact {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    pb::Impact {
        claim_count: count(impact.claims),
        member_count: count(impact.members),
        increase_fen: impact.increase.fen(),
        decrease_fen: impact.decrease.fen(),
    }
}
