//! One change of a claim, as watchers are told.

use super::claim::{next_step, payment_mode, payout, revision, route};
use super::{text, timestamp};
use crate::core::book::Cause;
use crate::core::decision::code;
use crate::core::money::Fen;
use crate::feed::Told;
use crate::grpc::names::claim_state;
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
    };
    let due = news.figures.map_or(Fen::ZERO, |figures| figures.payout);
    pb::ClaimEvent {
        claim_id: news.claim_id.to_string(),
        revision: revision(told.lane, told.mark.position),
        event_time: Some(timestamp(told.time)),
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
        payouts: news.payouts.iter().map(|it| payout(it, news.claim_id, true)).collect(),
        payment_mode: payment_mode(news.payment_mode).into(),
        next_step: next_step(news.state, due, news.payment_mode).into(),
    }
}
