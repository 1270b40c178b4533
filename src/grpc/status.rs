//! Why a call, or one item of a stream, is refused. The only place that chooses a gRPC code.

mod of_ledger;
mod rejects;

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::core::checks::Problem;
use crate::core::plan::document::PlanProblem;
use crate::feed::WatchError;
use crate::intake::Unreadable;
use crate::ledger::{Impact, LedgerError};
use crate::pb::{self, ErrorReason};

/// The largest message a caller may send.
pub(crate) use crate::intake::MESSAGE_BYTES_MAX;

const DOMAIN: &str = "greenlane";
/// Details travel in a trailer, in base64; common clients take 8 KiB of trailers.
const DETAILS_BYTES_MAX: usize = 5_000;
/// A moment later the queues have moved on.
const RETRY_SOON: Duration = Duration::from_millis(100);
/// A restart or a failover takes about that long.
const RETRY_LATER: Duration = Duration::from_secs(1);

/// A refusal with its facts. Never holds a personal value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    fields: Vec<Problem>,
    retry: Option<Duration>,
    precondition: Option<Precondition>,
    /// Where what was sent is kept.
    reject_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Precondition {
    kind: &'static str,
    subject: String,
}

impl Fault {
    fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Fault {
        Fault {
            code,
            reason,
            message: message.into(),
            metadata: Vec::new(),
            fields: Vec::new(),
            retry: None,
            precondition: None,
            reject_id: None,
        }
    }

    fn with(mut self, key: &'static str, value: impl std::fmt::Display) -> Fault {
        self.metadata.push((key, value.to_string()));
        self
    }

    fn retry(self, after: Duration) -> Fault {
        Fault { retry: Some(after), ..self }
    }

    /// No claim has this id.
    pub(super) fn claim_not_found(claim_id: impl std::fmt::Display) -> Fault {
        Fault::new(Code::NotFound, ErrorReason::ClaimNotFound, "no claim has this id")
            .with("claim_id", claim_id)
    }

    /// No member is known by this selector.
    pub(super) fn member_not_found(selector: &str) -> Fault {
        let message = format!("no member is known by this {selector}");
        Fault::new(Code::NotFound, ErrorReason::MemberNotFound, message).with("selector", selector)
    }

    /// More would change than is done without being told so.
    pub(super) fn impact_unconfirmed(impact: &Impact) -> Fault {
        let message = format!(
            "{} claims of {} members would change, by {} more and {} less; confirm_impact is not set",
            impact.claims, impact.members, impact.increase, impact.decrease
        );
        let fault = Fault::new(Code::FailedPrecondition, ErrorReason::ImpactUnconfirmed, message)
            .with("claim_count", impact.claims)
            .with("member_count", impact.members)
            .with("increase_fen", impact.increase.fen())
            .with("decrease_fen", impact.decrease.fen());
        let subject = "confirm_impact".to_owned();
        Fault { precondition: Some(Precondition { kind: "IMPACT", subject }), ..fault }
    }

    /// No such plan, no such version, or none in force; `more` tells which.
    pub(super) fn plan_not_found(
        plan_id: impl std::fmt::Display,
        more: Option<(&'static str, String)>,
    ) -> Fault {
        let message = match &more {
            Some(("version", _)) => "the plan has no such version",
            Some(_) => "no version of the plan is in force on that day",
            None => "no such plan is published",
        };
        let mut fault =
            Fault::new(Code::NotFound, ErrorReason::PlanNotFound, message).with("plan_id", plan_id);
        fault.metadata.extend(more);
        fault
    }

    /// A page token that is not one of ours for this list.
    pub(super) fn page_token_invalid() -> Fault {
        let message = "the page token does not belong to this list; start again at the first page";
        Fault::new(Code::InvalidArgument, ErrorReason::PageTokenInvalid, message)
            .with("field", "page_token")
    }

    /// A resume token that is not one of this ledger's.
    pub(super) fn token_foreign() -> Fault {
        let message = "the resume token does not belong to this ledger";
        Fault::new(Code::InvalidArgument, ErrorReason::TokenForeign, message)
            .with("field", "resume_token")
    }

    /// The call took too long.
    pub(super) fn deadline_exceeded(timeout: Duration) -> Fault {
        let message = "the call took longer than allowed";
        Fault::new(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded, message)
            .with("timeout_ms", timeout.as_millis())
    }

    /// Too many calls are in flight.
    pub(super) fn too_many_requests(limit: usize) -> Fault {
        let message = "too many requests are in flight";
        Fault::new(Code::ResourceExhausted, ErrorReason::TooManyRequests, message)
            .with("limit", limit)
            .retry(RETRY_SOON)
    }

    /// The message is too large.
    pub(super) fn message_too_large() -> Fault {
        let message = format!("a message may have at most {MESSAGE_BYTES_MAX} bytes");
        Fault::new(Code::InvalidArgument, ErrorReason::MessageTooLarge, message)
            .with("limit_bytes", MESSAGE_BYTES_MAX)
    }

    /// The server is ending.
    pub(super) fn shutting_down() -> Fault {
        let message = LedgerError::ShuttingDown.to_string();
        Fault::new(Code::Unavailable, ErrorReason::ShuttingDown, message).retry(RETRY_LATER)
    }

    /// Our own fault. The log has it under the trace that the caller is given.
    pub(super) fn command_failed() -> Fault {
        traced(Code::Internal, ErrorReason::CommandFailed, "the command failed")
    }

    /// What the transport says of a request it could not hand to us. `None` when the caller is
    /// gone and nobody waits for an answer.
    pub(super) fn of_transport(status: &Status) -> Option<Fault> {
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => Some(Fault::message_too_large()),
            Code::Internal => Some(unreadable("not a protobuf message of this method", "")),
            _ => None,
        }
    }

    /// Whether the fault is that of the server or its database rather than of one item, so that
    /// going on makes no sense.
    pub(super) fn ends_a_stream(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DataLoss | Code::Aborted)
            && self.reason != ErrorReason::ClaimChanged
    }

    /// A message that cannot be read, with what its sender says of it.
    pub(super) fn of_message(error: &Unreadable, infno: &str) -> Fault {
        let is_whole =
            |it: &&Problem| it.field == "payload" || it.field.rsplit('.').next() == Some("infno");
        match error.problems.iter().find(is_whole) {
            Some(found) => {
                Fault { fields: error.problems.clone(), ..unreadable(&found.to_string(), infno) }
            }
            None => Fault::from(error.problems.clone()),
        }
    }

    /// What a stream tells of the one item that is refused.
    pub(super) fn into_refusal(self) -> pb::Refusal {
        let violation =
            |it: Problem| pb::FieldViolation { field: it.field, description: it.problem };
        pb::Refusal {
            code: self.code as i32,
            reason: self.reason as i32,
            message: self.message,
            field_violations: self.fields.into_iter().map(violation).collect(),
            reject_id: self.reject_id.unwrap_or_default(),
        }
    }
}

fn unreadable(problem: &str, infno: &str) -> Fault {
    let infno = if infno.is_empty() { "2304" } else { infno };
    Fault::new(Code::InvalidArgument, ErrorReason::MessageUnreadable, "the message is unreadable")
        .with("infno", infno)
        .with("problem", problem)
}

/// A fault whose cause only the log may know.
fn traced(code: Code, reason: ErrorReason, message: &str) -> Fault {
    let mut bytes = [0; 16];
    // Without randomness the trace is zeros: still an answer, and the log line has its time.
    let _ = getrandom::fill(&mut bytes);
    let trace_id = hex::encode(bytes);
    tracing::error!(trace_id, reason = reason.as_str_name(), "{message}");
    Fault::new(code, reason, message).with("trace_id", trace_id)
}

fn listed<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    fields.collect::<Vec<_>>().join(",")
}

impl From<Vec<Problem>> for Fault {
    fn from(problems: Vec<Problem>) -> Fault {
        let message = match problems.len() {
            1 => "1 field is invalid".to_owned(),
            count => format!("{count} fields are invalid"),
        };
        let fault = Fault::new(Code::InvalidArgument, ErrorReason::InvalidField, message);
        Fault { fields: problems, ..fault }
    }
}

impl From<WatchError> for Fault {
    fn from(error: WatchError) -> Fault {
        let message = error.to_string();
        let out_of_range = |reason, lane: u16, position: i64| {
            Fault::new(Code::OutOfRange, reason, message)
                .with("lane", lane)
                .with("position", position)
        };
        match error {
            WatchError::Expired { lane, position } => {
                out_of_range(ErrorReason::TokenExpired, lane, position)
            }
            WatchError::HistoryLost { lane, position } => {
                out_of_range(ErrorReason::TokenHistoryLost, lane, position)
            }
            WatchError::Store(error) => LedgerError::from(error).into(),
        }
    }
}

impl Fault {
    /// The same fault about a request whose facts lie under another name.
    pub(super) fn renamed(mut self, from: &str, to: &str) -> Fault {
        for problem in &mut self.fields {
            if let Some(rest) = problem.field.strip_prefix(from) {
                problem.field = format!("{to}{rest}");
            }
        }
        self
    }
}

fn plan_problem(found: PlanProblem) -> Problem {
    let told = found.told();
    let field = if found.key.is_empty() { "document".to_owned() } else { found.key };
    let problem = match found.line {
        0 => told,
        line => format!("line {line}: {told}"),
    };
    Problem { field, problem }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Status {
        let mut details = ErrorDetails::new();
        let mut metadata = fault.metadata;
        let mut bytes = 0;
        let mut told = fault.fields;
        // What does not fit is told once the rest is mended.
        told.retain(|it| {
            bytes += it.field.len() * 2 + it.problem.len() + 8;
            bytes <= DETAILS_BYTES_MAX
        });
        if fault.reason == ErrorReason::InvalidField {
            metadata.push(("fields", listed(told.iter().map(|it| it.field.as_str()))));
        }
        if fault.code == Code::InvalidArgument {
            for it in told {
                details.add_bad_request_violation(it.field, it.problem);
            }
        }
        if let Some(Precondition { kind, subject }) = fault.precondition {
            details.add_precondition_failure_violation(kind, subject, fault.message.as_str());
        }
        if let Some(after) = fault.retry {
            details.set_retry_info(Some(after));
        }
        let metadata: Vec<_> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let metadata: std::collections::HashMap<_, _> = metadata.into_iter().collect();
        details.set_error_info(fault.reason.as_str_name(), DOMAIN, metadata);
        Status::with_error_details(fault.code, fault.message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::About;

    fn problem(field: String) -> Problem {
        Problem { field, problem: "is required".into() }
    }

    #[test]
    fn an_error_names_its_reason_and_every_field() {
        let problems = vec![problem("settlement.total_fen".into()), problem("settlement".into())];
        let fault = Fault::from(problems);
        let refusal = fault.clone().into_refusal();
        assert_eq!(refusal.code, 3);
        assert_eq!(refusal.field_violations.len(), 2);
        let status = Status::from(fault);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "ERROR_REASON_INVALID_FIELD");
        assert_eq!(info.metadata["fields"], "settlement.total_fen,settlement");
        assert_eq!(details.bad_request().unwrap().field_violations.len(), 2);
    }

    #[test]
    fn a_flood_of_fields_fits_into_the_trailers_of_common_clients() {
        let long = |n| problem(format!("settlement.lines[{n}].out_of_catalogue_fen"));
        let status = Status::from(Fault::from((0..50).map(long).collect::<Vec<_>>()));
        assert!(status.details().len() < 6_000, "{}", status.details().len());
        let kept = status.get_error_details().bad_request().unwrap().field_violations.len();
        assert!(kept > 30, "{kept}");
    }

    #[test]
    fn our_own_faults_tell_a_trace_and_nothing_else() {
        for error in [LedgerError::CommandFailed, LedgerError::DataLoss] {
            let status = Status::from(Fault::from(error));
            let details = status.get_error_details();
            let metadata = &details.error_info().unwrap().metadata;
            assert_eq!(metadata.len(), 1);
            assert_eq!(metadata["trace_id"].len(), 32);
        }
    }

    #[test]
    fn a_message_that_is_no_json_is_unreadable_and_a_wrong_field_is_not() {
        let reason = |field: &str| {
            let problems = vec![problem(field.into()), problem("other".into())];
            Fault::of_message(&Unreadable { problems, about: About::default() }, "").reason
        };
        assert_eq!(reason("payload"), ErrorReason::MessageUnreadable);
        assert_eq!(reason("source.infno"), ErrorReason::MessageUnreadable);
        assert_eq!(reason("output.setlinfo.setl_id"), ErrorReason::InvalidField);
    }
}
