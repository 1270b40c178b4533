//! The review desk as the tests use it: acts with who acts, and claims in every state.

use greenlane::pb;
use greenlane::pb::review_claims_item::Act;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::serving::{Served, stay, submit, told};

/// A burden that pays 115,000.00 in an untouched year, above the ceiling of the green channel.
pub const ABOVE_CEILING: i64 = 12_000_000;
/// What it pays.
pub const ABOVE_CEILING_PAYS: i64 = 11_500_000;

/// A request of somebody.
pub fn by<T>(actor: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("greenlane-actor", actor.parse().unwrap());
    request
}

/// An id for one more request.
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Carries out an act by its own method.
pub async fn act(served: &Served, actor: &str, act: Act) -> Result<pb::ReviewedClaim, Status> {
    let mut client = served.reviews();
    macro_rules! with_changes {
        ($answer:expr) => {{
            let answer = $answer.await?.into_inner();
            let (claim, replayed) = (answer.claim, answer.replayed);
            pb::ReviewedClaim { claim, replayed, changes: answer.changes }
        }};
    }
    macro_rules! without_changes {
        ($answer:expr) => {{
            let answer = $answer.await?.into_inner();
            let (claim, replayed) = (answer.claim, answer.replayed);
            pb::ReviewedClaim { claim, replayed, changes: Vec::new() }
        }};
    }
    Ok(match act {
        Act::Assign(it) => without_changes!(client.assign_claim(by(actor, it))),
        Act::Approve(it) => with_changes!(client.approve_claim(by(actor, it))),
        Act::Deny(it) => with_changes!(client.deny_claim(by(actor, it))),
        Act::RequestInformation(it) => {
            without_changes!(client.request_information(by(actor, it)))
        }
        Act::ProvideInformation(it) => {
            without_changes!(client.provide_information(by(actor, it)))
        }
        Act::Reopen(it) => with_changes!(client.reopen_claim(by(actor, it))),
        Act::Comment(it) => without_changes!(client.comment_claim(by(actor, it))),
        Act::RecordContact(it) => without_changes!(client.record_contact(by(actor, it))),
    })
}

/// Carries out an act that must succeed, for the first time; gives the claim after it.
pub async fn done(served: &Served, actor: &str, item: Act) -> pb::Claim {
    let answer = act(served, actor, item).await.unwrap();
    assert!(!answer.replayed);
    answer.claim.unwrap()
}

/// Reason and metadata of an act that must be refused.
pub async fn reason_of(served: &Served, actor: &str, item: Act) -> crate::serving::Told {
    let error = act(served, actor, item).await.expect_err("must be refused");
    told(&error)
}

macro_rules! an_act {
    ($(#[$doc:meta])* $name:ident, $act:ident, $request:ident { $($field:ident: $value:expr),* }) => {
        $(#[$doc])*
        pub fn $name(claim: &pb::Claim) -> pb::$request {
            pb::$request {
                claim_id: claim.claim_id.clone(),
                request_id: request_id(),
                revision: claim.revision.clone(),
                $($field: $value,)*
                ..pb::$request::default()
            }
        }
    };
}

an_act!(
    /// Whoever asks works on it.
    assign, Assign, AssignClaimRequest {}
);
an_act!(
    /// As the rules give it.
    approve, Approve, ApproveClaimRequest {}
);
an_act!(
    /// For a reason of reviewers.
    deny, Deny, DenyClaimRequest { reason_code: "NOT_NECESSARY".into() }
);
an_act!(
    /// Two things are missing.
    ask, RequestInformation, RequestInformationRequest {
        items: vec!["出院小结".into(), "费用清单".into()]
    }
);
an_act!(
    /// What was asked for is there.
    answer, ProvideInformation, ProvideInformationRequest { note: "已补齐".into() }
);
an_act!(
    /// Somebody complained.
    reopen, Reopen, ReopenClaimRequest { note: "复议".into() }
);
an_act!(
    /// Something to be known.
    comment, Comment, CommentClaimRequest { note: "已电话核实".into() }
);

an_act!(
    /// Spoke with the claimant.
    contact, RecordContact, RecordContactRequest { purpose: pb::ContactPurpose::Claimant.into() }
);

/// Another amount than the rules give.
pub fn approve_amount(claim: &pb::Claim, fen: i64) -> pb::ApproveClaimRequest {
    let note = "按协议赔付".to_owned();
    pb::ApproveClaimRequest { payout_fen: Some(fen), note, ..approve(claim) }
}

/// One act of each kind on a claim.
pub fn every_act(claim: &pb::Claim) -> [Act; 8] {
    [
        Act::Assign(assign(claim)),
        Act::Approve(approve(claim)),
        Act::Deny(deny(claim)),
        Act::RequestInformation(ask(claim)),
        Act::ProvideInformation(answer(claim)),
        Act::Reopen(reopen(claim)),
        Act::Comment(comment(claim)),
        Act::RecordContact(contact(claim)),
    ]
}

/// Records a settlement.
pub async fn claim_of(served: &Served, settlement: pb::Settlement) -> pb::Claim {
    let answer = served.settlements().submit_settlement(submit(settlement)).await.unwrap();
    let answer = answer.into_inner();
    assert!(!answer.replayed);
    answer.claim.unwrap()
}

/// A claim that waits for a person, because it pays much.
pub async fn pended(served: &Served, id: &str, cert_no: &str) -> pb::Claim {
    let claim = claim_of(served, stay(id, cert_no, ABOVE_CEILING)).await;
    assert_eq!(claim.state(), pb::ClaimState::Pended);
    claim
}

/// A claim as it stands.
pub async fn read(served: &Served, claim_id: &str) -> pb::Claim {
    let request = pb::GetClaimRequest { claim_id: claim_id.to_owned(), include_history: false };
    served.claims().get_claim(request).await.unwrap().into_inner().claim.unwrap()
}

/// The claim of a settlement as it stands.
pub async fn read_of(served: &Served, settlement_id: &str) -> pb::Claim {
    let settlement_id = settlement_id.to_owned();
    let request = pb::ListClaimsRequest { settlement_id, ..pb::ListClaimsRequest::default() };
    let mut claims = served.claims().list_claims(request).await.unwrap().into_inner().claims;
    claims.retain(|claim| claim.moved_to_claim_id.is_empty());
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// The reversal of a whole stay.
pub fn reversal(settlement: &pb::Settlement) -> pb::ReverseSettlementRequest {
    pb::ReverseSettlementRequest {
        reversal: Some(pb::Reversal {
            source: settlement.source.clone(),
            settlement_id: settlement.settlement_id.clone(),
            reversal_id: format!("R-{}", settlement.settlement_id),
            total_fen: settlement.total_fen,
            ..pb::Reversal::default()
        }),
        validate_only: false,
    }
}

pub fn payout_of(claim: &pb::Claim) -> i64 {
    claim.decision.as_ref().map_or(0, |it| it.payout_fen)
}

pub fn reasons(claim: &pb::Claim) -> Vec<&str> {
    claim.review_reasons.iter().map(|it| it.code.as_str()).collect()
}

/// What changed besides, shortly: settlement, amount before and after.
pub fn changed(changes: &[pb::ClaimEvent]) -> Vec<(&str, i64, i64)> {
    let short = |it| {
        let event: &pb::ClaimEvent = it;
        let (before, after) = (event.payout_before_fen, event.payout_fen);
        (event.settlement_id.as_str(), before.unwrap_or(-1), after.unwrap_or(-1))
    };
    changes.iter().map(short).collect()
}
