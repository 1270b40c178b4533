//! Refusals that are for what was sent: kept, listed, told with the id under which they are kept.

use tonic::Code;

use super::{Fault, plan_problem, unreadable};
use crate::core::checks::Problem;
use crate::core::plan::document::PlanProblem;
use crate::ledger::Grounds;
use crate::pb::{self, ErrorReason};

const REASON_PREFIX: &str = "ERROR_REASON_";

/// The code of a refusal that is for what was sent, so that it is kept; `None` for any other.
fn reject_code(reason: ErrorReason) -> Option<Code> {
    match reason {
        ErrorReason::InvalidField | ErrorReason::MessageUnreadable => Some(Code::InvalidArgument),
        ErrorReason::SettlementConflict => Some(Code::AlreadyExists),
        ErrorReason::ReversalDiffers => Some(Code::FailedPrecondition),
        _ => None,
    }
}

impl Fault {
    /// Whether what was sent is well formed and contradicts what is recorded.
    pub(in crate::grpc) fn is_contradiction(&self) -> bool {
        matches!(self.reason, ErrorReason::SettlementConflict | ErrorReason::ReversalDiffers)
    }

    /// What is kept of a refusal that is for what was sent; `None` for any other.
    pub(in crate::grpc) fn grounds(&self) -> Option<Grounds> {
        let is_kept = reject_code(self.reason).is_some();
        let name = self.reason.as_str_name();
        is_kept.then(|| Grounds {
            reason: name.strip_prefix(REASON_PREFIX).unwrap_or(name).to_owned(),
            message: self.message.clone(),
            fields: self.fields.clone(),
        })
    }

    /// The same fault; what was sent is kept under this id.
    pub(in crate::grpc) fn kept(self, reject_id: String) -> Fault {
        Fault { reject_id: Some(reject_id.clone()), ..self.with("reject_id", reject_id) }
    }

    /// What a reject was refused for.
    pub(in crate::grpc) fn refusal_of(reject_id: &str, grounds: Grounds) -> pb::Refusal {
        let name = format!("{REASON_PREFIX}{}", grounds.reason);
        let reason = ErrorReason::from_str_name(&name).unwrap_or_default();
        let code = reject_code(reason).unwrap_or(Code::Unknown);
        let fault = Fault { fields: grounds.fields, ..Fault::new(code, reason, grounds.message) };
        fault.kept(reject_id.to_owned()).into_refusal()
    }

    /// No reject has this id.
    pub(in crate::grpc) fn reject_not_found(reject_id: &str) -> Fault {
        Fault::new(Code::NotFound, ErrorReason::RejectNotFound, "no reject has this id")
            .with("reject_id", reject_id)
    }

    /// A payload that is no protobuf of its form.
    pub(in crate::grpc) fn not_protobuf() -> Fault {
        unreadable("payload is no protobuf message of the reject's form", "")
    }

    /// A document with everything that is wrong with it.
    pub(in crate::grpc) fn document_invalid(problems: Vec<PlanProblem>) -> Fault {
        let message = format!("the document has {} problems", problems.len());
        let fault = Fault::new(Code::InvalidArgument, ErrorReason::DocumentInvalid, message)
            .with("problem_count", problems.len());
        let content = |it: PlanProblem| {
            let found = plan_problem(it);
            let field = if found.field == "document" { "content".to_owned() } else { found.field };
            Problem { field, ..found }
        };
        Fault { fields: problems.into_iter().map(content).collect(), ..fault }
    }
}
