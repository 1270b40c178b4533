//! What the ledger refuses, as its caller is told.

use tonic::Code;

use super::{Fault, Precondition, RETRY_LATER, RETRY_SOON, listed, plan_problem, traced};
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
            LedgerError::IdentityConflict => fault(Code::AlreadyExists, R::IdentityConflict),
            LedgerError::Overlap(overlap) => {
                let fault = fault(Code::FailedPrecondition, R::CoverageOverlap)
                    .with("first_start_date", overlap.first_start)
                    .with("second_start_date", overlap.second_start);
                let subject = "member.coverages".to_owned();
                Fault { precondition: Some(Precondition { kind: "COVERAGE", subject }), ..fault }
            }
            LedgerError::PlanUnknown { plan_id } => Fault::plan_not_found(plan_id, None),
            LedgerError::PlanInvalid(problems) => {
                let fault = fault(Code::InvalidArgument, R::PlanInvalid)
                    .with("problem_count", problems.len());
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
