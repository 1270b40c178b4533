//! Why the ledger did not do what it was asked.

use super::Impact;
use crate::core::book::ReviewRefusal;
use crate::core::checks::{Problem, join};
use crate::core::claim::ClaimId;
use crate::core::day::Day;
use crate::core::member::CoverageOverlap;
use crate::core::plan::document::PlanProblem;
use crate::store::StoreError;

/// Why the ledger did not do what it was asked. Carries facts, never personal values.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The key is known with other facts.
    #[error("settlement {settlement_id} of {source_id} is known with other content")]
    Conflict {
        /// The platform.
        source_id: String,
        /// The settlement.
        settlement_id: String,
        /// The claim that has the key.
        claim_id: ClaimId,
        /// The fields that differ.
        fields: Vec<&'static str>,
    },
    /// A reversal would take back something else than the whole settlement.
    #[error("the reversal differs from the settlement in {field}")]
    ReversalDiffers {
        /// The claim.
        claim_id: ClaimId,
        /// What differs.
        field: &'static str,
    },
    /// A follow-up fits nothing that is recorded. Never leaves the ledger: it is parked then.
    #[error("nothing that is recorded fits")]
    NothingFits,
    /// No claim has this id.
    #[error("no claim has this id")]
    ClaimNotFound,
    /// A person wants to do something that cannot be done to the claim.
    #[error("{refusal}")]
    Review {
        /// The claim.
        claim_id: ClaimId,
        /// Why not.
        refusal: Box<ReviewRefusal>,
    },
    /// More would change than is done without being told so.
    #[error("{} claims would change", .0.claims)]
    ImpactUnconfirmed(Impact),
    /// No member has this id.
    #[error("no member has this id")]
    MemberNotFound,
    /// The member proved to be another one before.
    #[error("the member is another one by now")]
    MemberMerged {
        /// The member.
        member_id: String,
        /// The one that it is.
        into: String,
    },
    /// The id of a request names another one that was carried out.
    #[error("request {request_id} was carried out with other content")]
    RequestIdReused {
        /// The id.
        request_id: String,
    },
    /// Certificate and the bureau's own key name different members.
    #[error("certificate and external id name different members")]
    IdentityConflict,
    /// An import would make two coverages share a day.
    #[error(transparent)]
    Overlap(CoverageOverlap),
    /// A coverage names a plan that nobody published.
    #[error("plan {plan_id} is not published")]
    PlanUnknown {
        /// The plan.
        plan_id: String,
    },
    /// A plan document is wrong.
    #[error("the plan document has {} problems", .0.len())]
    PlanInvalid(Vec<PlanProblem>),
    /// The version is published with another content.
    #[error("version {version} of plan {plan_id} is published with other content")]
    PlanVersionExists {
        /// The plan.
        plan_id: String,
        /// The version.
        version: String,
        /// The published document's hash.
        hash: String,
    },
    /// The version of a document is published with another content.
    #[error("version {version} of {document_id} is published with other content")]
    DocumentVersionExists {
        /// The document.
        document_id: String,
        /// The version.
        version: String,
        /// The published document's hash.
        hash: String,
    },
    /// Claims were decided already on days that the version would decide.
    #[error("plan {plan_id} has claims decided up to {last_decided_date}")]
    PlanStartsInDecidedPast {
        /// The plan.
        plan_id: String,
        /// The version's first day.
        start_date: Day,
        /// The last decided day.
        last_decided_date: Day,
    },
    /// The lease of a sender is somebody else's by now; nothing was written.
    #[error("the lease of {sender} has ended")]
    PullLeaseLost {
        /// The sender.
        sender: String,
    },
    /// Nobody ever fetched from this sender.
    #[error("nobody ever fetched from {sender}")]
    PullNotFound {
        /// The sender.
        sender: String,
    },
    /// The server is going down; nothing was written.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database cannot be reached; nothing was written.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The commit's outcome is unknown; a repeat finds the truth by its key.
    #[error("the outcome is unknown; repeat the request")]
    OutcomeUnknown,
    /// Lost to concurrent transactions after our own retries; nothing was written.
    #[error("lost to concurrent transactions; repeat the request")]
    Contended,
    /// Stored data breaks an invariant.
    #[error("stored data is damaged")]
    DataLoss,
    /// Our own fault; this command only, nothing of it was written.
    #[error("the command failed")]
    CommandFailed,
}

impl From<StoreError> for LedgerError {
    /// For reads and for writes that surely did not happen. Logged here, once.
    fn from(error: StoreError) -> LedgerError {
        let outcome = match &error {
            StoreError::CommitUnknown(_) => LedgerError::OutcomeUnknown,
            StoreError::Contended(_) => LedgerError::Contended,
            StoreError::Corrupt { .. } => LedgerError::DataLoss,
            error if error.is_connection() => LedgerError::Unavailable,
            _ => LedgerError::CommandFailed,
        };
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        outcome
    }
}

impl LedgerError {
    /// The fields that differ from what is recorded, by the message they stand in; none for an
    /// error that is about something else.
    pub fn differing(&self) -> Vec<Problem> {
        let in_message = |message: &str, field: &str| Problem {
            field: join(message, field),
            problem: "differs from what is recorded".to_owned(),
        };
        match self {
            LedgerError::Conflict { fields, .. } => {
                // What belongs to an event is named as its own message has it.
                let is_of_event = |field: &str| field == "event" || field.starts_with("event.");
                let message = |field| if is_of_event(field) { "" } else { "settlement" };
                fields.iter().map(|field| in_message(message(field), field)).collect()
            }
            LedgerError::ReversalDiffers { field, .. } => vec![in_message("reversal", field)],
            _ => Vec::new(),
        }
    }
}
