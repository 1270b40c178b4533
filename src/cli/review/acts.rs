//! Acts on claims: what is asked of the server, and how a refusal is told.

use tonic::{Response, Status};
use tonic_types::StatusExt;

use super::{Desk, Once, Seen, code};
use crate::cli::Failure;
use crate::cli::client::told;
use crate::cli::statement::{standing_text, yuan};
use crate::core::explain::Language;
use crate::core::money::Fen;
use crate::pb;
use crate::pb::ErrorReason;
use crate::pb::review_claims_item::Act;

pub(super) fn take(
    claim_id: Option<String>,
    plan_id: String,
    order: pb::ReviewOrder,
    once: &Once,
) -> Act {
    Act::Assign(pb::AssignClaimRequest {
        claim_id: claim_id.unwrap_or_default(),
        request_id: once.id(),
        plan_id,
        order: order.into(),
        validate_only: once.validate_only,
        ..pb::AssignClaimRequest::default()
    })
}

pub(super) fn release(claim_id: String, once: &Once) -> Act {
    Act::Assign(pb::AssignClaimRequest {
        claim_id,
        request_id: once.id(),
        release: true,
        validate_only: once.validate_only,
        ..pb::AssignClaimRequest::default()
    })
}

pub(super) fn approve(seen: Seen, amount: Option<Fen>, note: Option<String>, once: &Once) -> Act {
    Act::Approve(pb::ApproveClaimRequest {
        claim_id: seen.claim_id,
        request_id: once.id(),
        revision: seen.revision,
        payout_fen: amount.map(Fen::fen),
        note: note.unwrap_or_default(),
        validate_only: once.validate_only,
    })
}

pub(super) fn deny(seen: Seen, reason: Option<&str>, note: Option<String>, once: &Once) -> Act {
    Act::Deny(pb::DenyClaimRequest {
        claim_id: seen.claim_id,
        request_id: once.id(),
        revision: seen.revision,
        reason_code: reason.map(code).unwrap_or_default(),
        note: note.unwrap_or_default(),
        validate_only: once.validate_only,
    })
}

pub(super) fn request(seen: Seen, items: Vec<String>, note: Option<String>, once: &Once) -> Act {
    Act::RequestInformation(pb::RequestInformationRequest {
        claim_id: seen.claim_id,
        request_id: once.id(),
        revision: seen.revision,
        items,
        note: note.unwrap_or_default(),
        validate_only: once.validate_only,
    })
}

pub(super) fn provide(
    claim_id: String,
    note: Option<String>,
    documents: Vec<String>,
    once: &Once,
) -> Act {
    Act::ProvideInformation(pb::ProvideInformationRequest {
        claim_id,
        request_id: once.id(),
        revision: String::new(),
        note: note.unwrap_or_default(),
        documents,
        validate_only: once.validate_only,
    })
}

pub(super) fn reopen(seen: Seen, note: String, once: &Once) -> Act {
    Act::Reopen(pb::ReopenClaimRequest {
        claim_id: seen.claim_id,
        request_id: once.id(),
        revision: seen.revision,
        note,
        validate_only: once.validate_only,
    })
}

pub(super) fn comment(claim_id: String, note: String, once: &Once) -> Act {
    Act::Comment(pb::CommentClaimRequest {
        claim_id,
        request_id: once.id(),
        revision: String::new(),
        note,
        validate_only: once.validate_only,
    })
}

pub(super) fn contact(
    claim_id: String,
    refusal_notice: bool,
    note: Option<String>,
    once: &Once,
) -> Act {
    let purpose = if refusal_notice {
        pb::ContactPurpose::RefusalNotice
    } else {
        pb::ContactPurpose::Claimant
    };
    Act::RecordContact(pb::RecordContactRequest {
        claim_id,
        request_id: once.id(),
        revision: String::new(),
        purpose: purpose.into(),
        note: note.unwrap_or_default(),
        validate_only: once.validate_only,
    })
}

/// Carries out one act. What only notes something changes no later claim.
pub(super) async fn carry_out(act: Act, desk: &Desk) -> Result<pb::ReviewedClaim, Failure> {
    let mut client = desk.client().await?;
    let request_id = request_id(&act).to_owned();
    let noted = |claim, replayed| pb::ReviewedClaim { claim, replayed, changes: Vec::new() };
    let ruled = |claim, replayed, changes| pb::ReviewedClaim { claim, replayed, changes };
    let done = match act {
        Act::Assign(it) => {
            let answer = client.assign_claim(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| noted(it.claim, it.replayed))
        }
        Act::Approve(it) => {
            let answer = client.approve_claim(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| ruled(it.claim, it.replayed, it.changes))
        }
        Act::Deny(it) => {
            let answer = client.deny_claim(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| ruled(it.claim, it.replayed, it.changes))
        }
        Act::RequestInformation(it) => {
            let answer = client.request_information(desk.signed(it)).await;
            answer.map(Response::into_inner).map(|it| noted(it.claim, it.replayed))
        }
        Act::ProvideInformation(it) => {
            let answer = client.provide_information(desk.signed(it)).await;
            answer.map(Response::into_inner).map(|it| noted(it.claim, it.replayed))
        }
        Act::Reopen(it) => {
            let answer = client.reopen_claim(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| ruled(it.claim, it.replayed, it.changes))
        }
        Act::Comment(it) => {
            let answer = client.comment_claim(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| noted(it.claim, it.replayed))
        }
        Act::RecordContact(it) => {
            let answer = client.record_contact(desk.signed(it)).await.map(Response::into_inner);
            answer.map(|it| noted(it.claim, it.replayed))
        }
    };
    done.map_err(|status| refused(&status, &request_id, desk.shown.language()))
}

fn request_id(act: &Act) -> &str {
    match act {
        Act::Assign(it) => &it.request_id,
        Act::Approve(it) => &it.request_id,
        Act::Deny(it) => &it.request_id,
        Act::RequestInformation(it) => &it.request_id,
        Act::ProvideInformation(it) => &it.request_id,
        Act::Reopen(it) => &it.request_id,
        Act::Comment(it) => &it.request_id,
        Act::RecordContact(it) => &it.request_id,
    }
}

/// A refusal with the way out of it: how the claim stands now, or how to ask again what became of
/// the act.
fn refused(status: &Status, request_id: &str, language: Language) -> Failure {
    let details = status.get_error_details();
    let info = details.error_info();
    let reason = info.and_then(|info| ErrorReason::from_str_name(&info.reason));
    if let (Some(ErrorReason::ClaimChanged), Some(info)) = (reason, info) {
        let of = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
        return Failure::Told(changed(status.message(), &info.reason, of, language));
    }
    // What comes without our details is the word of the transport: the answer is lost.
    let is_unknown = match reason {
        None | Some(ErrorReason::OutcomeUnknown | ErrorReason::DeadlineExceeded) => true,
        Some(_) => false,
    };
    match told(status) {
        Failure::Told(text) if is_unknown && !request_id.is_empty() => Failure::Told(format!(
            "{text}\n  it is not known whether that was done; the same command with\n  \
             --request-id {request_id} tells, and does nothing twice"
        )),
        failure => failure,
    }
}

/// The claim is not as the person saw it.
fn changed(message: &str, reason: &str, of: impl Fn(&str) -> String, language: Language) -> String {
    let state = pb::ClaimState::from_str_name(&of("state")).unwrap_or_default();
    let state = standing_text(state, pb::Route::Unspecified, "", language);
    let amount = of("payout_fen").parse().map_or_else(|_| "?".to_owned(), yuan);
    let (claim, revision) = (of("claim_id"), of("revision"));
    format!(
        "{message} ({reason})\n  claim {claim}  {state}  {amount}  revision {revision}\n  \
         look at it again: greenlane review show {claim}\n  \
         then repeat with: --revision {revision}"
    )
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn told_of(reason: ErrorReason, metadata: &[(&str, &str)]) -> String {
        let metadata: std::collections::HashMap<_, _> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let details = ErrorDetails::with_error_info(reason.as_str_name(), "greenlane", metadata);
        let status = Status::with_error_details(tonic::Code::Unavailable, "why", details);
        refused(&status, "ID", Language::En).to_string()
    }

    #[test]
    fn an_unknown_outcome_names_the_request_to_repeat() {
        let lost = refused(&Status::unavailable("broken pipe"), "ID", Language::En).to_string();
        assert!(lost.contains("--request-id ID"), "{lost}");
        let tried = refused(&Status::unavailable("broken pipe"), "", Language::En).to_string();
        assert!(!tried.contains("--request-id"), "{tried}");
        for (reason, is_unknown) in [
            (ErrorReason::OutcomeUnknown, true),
            (ErrorReason::DeadlineExceeded, true),
            (ErrorReason::ShuttingDown, false),
            (ErrorReason::ClaimAssigned, false),
        ] {
            let text = told_of(reason, &[]);
            assert_eq!(text.contains("--request-id ID"), is_unknown, "{text}");
        }
    }

    #[test]
    fn amounts_of_a_refusal_are_told_in_yuan() {
        let text = told_of(ErrorReason::AmountBeyondLimits, &[("most_fen", "4200000")]);
        assert!(text.ends_with("most: 42,000.00"), "{text}");
    }
}
