//! What the ledger refuses, as its caller is told.

use tonic::Code;

use super::{Fault, Precondition, RETRY_LATER, RETRY_SOON, listed, plan_problem, traced};
use crate::core::book::ReviewRefusal;
use crate::core::checks::Problem;
use crate::core::claim::ClaimId;
use crate::core::decision::code;
use crate::grpc::names::claim_state;
use crate::ledger::LedgerError;
use crate::pb::ErrorReason;

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Fault {
        use ErrorReason as R;
        let (message, differing) = (error.to_string(), error.differing());
        let fault = |code, reason| Fault::new(code, reason, message.clone());
        match error {
            LedgerError::Conflict { source_id, settlement_id, claim_id, fields } => {
                let fault = fault(Code::AlreadyExists, R::SettlementConflict)
                    .with("source", source_id)
                    .with("settlement_id", settlement_id)
                    .with("claim_id", claim_id)
                    .with("fields", listed(fields.iter().copied()));
                Fault { fields: differing, ..fault }
            }
            LedgerError::ReversalDiffers { claim_id, field } => {
                let fault = fault(Code::FailedPrecondition, R::ReversalDiffers)
                    .with("claim_id", claim_id)
                    .with("field", field);
                let subject = format!("reversal.{field}");
                let precondition = Precondition { kind: "WHOLE_SETTLEMENT", subject };
                Fault { precondition: Some(precondition), fields: differing, ..fault }
            }
            LedgerError::ClaimNotFound => fault(Code::NotFound, R::ClaimNotFound),
            LedgerError::Review { claim_id, refusal } => of_review(claim_id, *refusal),
            LedgerError::RequestIdReused { request_id } => {
                fault(Code::AlreadyExists, R::RequestIdReused).with("request_id", request_id)
            }
            LedgerError::ImpactUnconfirmed(impact) => Fault::impact_unconfirmed(&impact),
            LedgerError::MemberNotFound => Fault::member_not_found("member_id"),
            LedgerError::MemberMerged { member_id, into } => {
                let fault = fault(Code::FailedPrecondition, R::MemberMerged)
                    .with("member_id", &member_id)
                    .with("into_member_id", into);
                let precondition = Precondition { kind: "MEMBER", subject: member_id };
                Fault { precondition: Some(precondition), ..fault }
            }
            LedgerError::IdentityConflict => fault(Code::AlreadyExists, R::IdentityConflict),
            LedgerError::Overlap(overlap) => {
                let fault = fault(Code::FailedPrecondition, R::CoverageOverlap)
                    .with("first_start_date", overlap.first_start)
                    .with("second_start_date", overlap.second_start);
                let subject = "member.coverages".to_owned();
                Fault { precondition: Some(Precondition { kind: "COVERAGE", subject }), ..fault }
            }
            LedgerError::PlanUnknown { .. }
            | LedgerError::PlanInvalid(_)
            | LedgerError::PlanVersionExists { .. }
            | LedgerError::DocumentVersionExists { .. }
            | LedgerError::PlanStartsInDecidedPast { .. } => of_document(error),
            LedgerError::PullLeaseLost { sender } => {
                let fault =
                    fault(Code::FailedPrecondition, R::PullLeaseLost).with("sender", &sender);
                let precondition = Precondition { kind: "PULL_LEASE", subject: sender };
                Fault { precondition: Some(precondition), ..fault }
            }
            LedgerError::PullNotFound { sender } => {
                fault(Code::NotFound, R::PullNotFound).with("sender", sender)
            }
            LedgerError::ShuttingDown => Fault::shutting_down(),
            LedgerError::Unavailable => {
                fault(Code::Unavailable, R::DatabaseUnavailable).retry(RETRY_LATER)
            }
            LedgerError::OutcomeUnknown => {
                fault(Code::Unavailable, R::OutcomeUnknown).retry(RETRY_SOON)
            }
            LedgerError::Contended => fault(Code::Aborted, R::Contended).retry(RETRY_SOON),
            LedgerError::DataLoss => traced(Code::DataLoss, R::DataLoss, &message),
            LedgerError::CommandFailed | LedgerError::NothingFits => Fault::command_failed(),
        }
    }
}

/// Why a document is refused.
fn of_document(error: LedgerError) -> Fault {
    use ErrorReason as R;
    let message = error.to_string();
    let fault = |code, reason| Fault::new(code, reason, message.clone());
    match error {
        LedgerError::PlanUnknown { plan_id } => Fault::plan_not_found(plan_id, None),
        LedgerError::PlanInvalid(problems) => {
            let fault =
                fault(Code::InvalidArgument, R::PlanInvalid).with("problem_count", problems.len());
            Fault { fields: problems.into_iter().map(plan_problem).collect(), ..fault }
        }
        LedgerError::PlanVersionExists { plan_id, version, hash } => {
            fault(Code::AlreadyExists, R::PlanVersionExists)
                .with("plan_id", plan_id)
                .with("version", version)
                .with("document_hash", hash)
        }
        LedgerError::DocumentVersionExists { document_id, version, hash } => {
            fault(Code::AlreadyExists, R::DocumentVersionExists)
                .with("document_id", document_id)
                .with("version", version)
                .with("document_hash", hash)
        }
        LedgerError::PlanStartsInDecidedPast { plan_id, start_date, last_decided_date } => {
            let fault = fault(Code::FailedPrecondition, R::PlanStartsInDecidedPast)
                .with("plan_id", &plan_id)
                .with("start_date", start_date)
                .with("last_decided_date", last_decided_date);
            let precondition = Precondition { kind: "PLAN_START_DATE", subject: plan_id };
            Fault { precondition: Some(precondition), ..fault }
        }
        error => error.into(),
    }
}

/// Why an act of a person is refused.
fn of_review(claim_id: ClaimId, refusal: ReviewRefusal) -> Fault {
    use ErrorReason as R;
    let message = refusal.to_string();
    let forbidden = |reason, kind| {
        let fault = Fault::new(Code::FailedPrecondition, reason, message.clone());
        let precondition = Precondition { kind, subject: claim_id.to_string() };
        Fault { precondition: Some(precondition), ..fault.with("claim_id", claim_id) }
    };
    match refusal {
        ReviewRefusal::Stale { claim } => {
            let message = format!("the claim has changed; it would pay {} now", claim.payout());
            Fault::new(Code::Aborted, R::ClaimChanged, message)
                .with("claim_id", claim_id)
                .with("revision", format!("{}/{}", claim_id.lane, claim.revision))
                .with("state", claim_state(claim.state()).as_str_name())
                .with("payout_fen", claim.payout().fen())
        }
        ReviewRefusal::State { state } => {
            let state = claim_state(state).as_str_name();
            forbidden(R::ClaimStateForbids, "CLAIM_STATE").with("state", state)
        }
        ReviewRefusal::Assigned { assignee } => {
            forbidden(R::ClaimAssigned, "ASSIGNEE").with("assignee", assignee)
        }
        ReviewRefusal::NoFigure => {
            forbidden(R::ClaimNotApprovable, "APPROVABLE").with("reasons", "NO_FIGURE")
        }
        ReviewRefusal::Unapprovable { reasons } => {
            let reasons: Vec<String> = reasons.iter().map(code).collect();
            forbidden(R::ClaimNotApprovable, "APPROVABLE").with("reasons", reasons.join(","))
        }
        ReviewRefusal::DeniedByRules { denial } => {
            forbidden(R::ClaimNotApprovable, "APPROVABLE").with("reasons", code(&denial))
        }
        ReviewRefusal::BeyondLimits { most } => {
            forbidden(R::AmountBeyondLimits, "LIMITS").with("most_fen", most.fen())
        }
        ReviewRefusal::SecondPerson => forbidden(R::SecondPersonRequired, "SECOND_PERSON"),
        ReviewRefusal::AskedBefore => forbidden(R::InformationRequestedBefore, "ASKED_ONCE"),
        ReviewRefusal::NoDenial => {
            let problem = "is required: the rules do not deny the claim".to_owned();
            vec![Problem { field: "reason_code".to_owned(), problem }].into()
        }
    }
}
