//! What people make of claims, as the wire knows it.

use super::claim::review_reason;
use super::decision::decision;
use super::{claim_event, timestamp};
use crate::core::decision::code;
use crate::core::money::Fen;
use crate::core::review::{Act, Actor, ContactPurpose, Deed, Inquiry, Proposal, Review, Texts};
use crate::feed::Told;
use crate::pb;
use crate::store::{PastEvent, ReserveRow};

/// What stands of the work of people; none where nobody has to do with the claim.
pub(super) fn review(review: &Review) -> Option<pb::Review> {
    if review.is_untouched() {
        return None;
    }
    Some(pb::Review {
        assignee: review.assignee.clone().unwrap_or_default(),
        pend_time: review.since.map(timestamp),
        proposal: review.proposal.as_ref().map(proposal),
        inquiry: review.inquiry.map(inquiry),
        set_fen: review.award().map(|award| award.amount.fen()),
        accepted_reason_codes: review.accepted().iter().map(code).collect(),
    })
}

fn proposal(proposal: &Proposal) -> pb::Proposal {
    pb::Proposal { actor: Some(actor(&proposal.actor)), payout_fen: proposal.amount.fen() }
}

fn inquiry(inquiry: Inquiry) -> pb::Inquiry {
    pb::Inquiry {
        ask_time: Some(timestamp(inquiry.ask_time)),
        item_count: i32::try_from(inquiry.items).unwrap_or(i32::MAX),
        answer_time: inquiry.answer_time.map(timestamp),
    }
}

fn actor(actor: &Actor) -> pb::Actor {
    pb::Actor { name: actor.name.clone(), is_asserted: actor.is_asserted }
}

/// What a person did, with the words where they may be told.
pub(super) fn act(act: &Act, texts: Option<&Texts>) -> pb::ReviewAct {
    let deed = match &act.deed {
        Deed::Assign { .. } => pb::ReviewDeed::Assign,
        Deed::Approve { .. } => pb::ReviewDeed::Approve,
        Deed::Deny { .. } => pb::ReviewDeed::Deny,
        Deed::RequestInformation => pb::ReviewDeed::RequestInformation,
        Deed::ProvideInformation => pb::ReviewDeed::ProvideInformation,
        Deed::Reopen => pb::ReviewDeed::Reopen,
        Deed::Comment => pb::ReviewDeed::Comment,
        Deed::Contact { purpose: ContactPurpose::Claimant } => pb::ReviewDeed::Contact,
        Deed::Contact { purpose: ContactPurpose::RefusalNotice } => pb::ReviewDeed::RefusalNotice,
    };
    let texts = texts.cloned().unwrap_or_default();
    pb::ReviewAct {
        actor: Some(actor(&act.actor)),
        deed: deed.into(),
        assignee: match &act.deed {
            Deed::Assign { assignee, .. } => assignee.clone().unwrap_or_default(),
            _ => String::new(),
        },
        set_fen: match &act.deed {
            Deed::Approve { amount } => amount.map(Fen::fen),
            _ => None,
        },
        denial_reason: match &act.deed {
            Deed::Deny { denial } => denial.as_ref().map(code).unwrap_or_default(),
            _ => String::new(),
        },
        note: texts.note,
        items: texts.items,
        documents: texts.documents,
    }
}

/// Everything that happened to a claim of a lane, each with the decision as it stood then.
pub(in crate::grpc) fn history(lane: u16, past: Vec<PastEvent>) -> Vec<pb::ClaimHistoryEntry> {
    let mut stood = None;
    let entry = |past: PastEvent| {
        let PastEvent { position, time, event, texts } = past;
        let evaluation = event.clone().into_evaluation();
        if event.figures.is_none() {
            // Without figures of its own the event decides, if only that there is no figure.
            stood = evaluation.decision.as_ref().map(|it| decision(it, &evaluation));
        }
        let review_reasons = evaluation.reasons.iter().map(review_reason).collect();
        let act = event.act.as_ref().map(|it| act(it, texts.as_ref()));
        let told = Told::recorded(lane, position, time, event);
        pb::ClaimHistoryEntry {
            event: Some(claim_event::claim_event(&told)),
            decision: stood.clone(),
            review_reasons,
            act,
        }
    };
    past.into_iter().map(entry).collect()
}

/// What claims under review hold of one plan.
pub(in crate::grpc) fn reserve(row: &ReserveRow) -> pb::Reserve {
    pb::Reserve {
        plan_id: row.plan_id.clone().unwrap_or_default(),
        claim_count: row.claims,
        assigned_count: row.assigned,
        reserved_fen: row.reserved.fen(),
        at_risk_fen: row.resting.fen(),
        oldest_pend_time: Some(timestamp(row.oldest)),
    }
}
