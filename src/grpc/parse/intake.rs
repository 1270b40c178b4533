//! Questions about what came in, and documents to be published.

use super::query::uuid;
use super::{Problems, limits as own};
use crate::core::checks::{Checks, limits};
use crate::pb;
use crate::store::RejectFilter;

/// The most bytes of a document; above any profile.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// Which rejects are asked for.
pub(in crate::grpc) fn reject_filter(
    request: &pb::ListRejectsRequest,
) -> Result<RejectFilter, Problems> {
    let mut checks = Checks::default();
    let settlement_id = &request.settlement_id;
    let reason = match pb::ErrorReason::try_from(request.reason) {
        Ok(pb::ErrorReason::Unspecified) => None,
        Ok(reason) => Some(reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned()),
        Err(_) => {
            checks.refuse("reason", "must be a known reason");
            None
        }
    };
    let filter = RejectFilter {
        sender: checks.text("sender", &request.sender, own::SENDER_MAX),
        reason,
        settlement_id: checks.code("settlement_id", settlement_id, limits::SETTLEMENT_ID_MAX),
        reject_id: uuid(&mut checks, "reject_id", &request.reject_id),
    };
    checks.done(filter)
}

/// Which reject is to be sent again.
pub(in crate::grpc) fn reject_id(request: &pb::RetryRejectRequest) -> Result<String, Problems> {
    let mut checks = Checks::default();
    if request.reject_id.is_empty() {
        checks.refuse("reject_id", "is required");
    }
    checks.text("sender", &request.sender, own::SENDER_MAX);
    let id = uuid(&mut checks, "reject_id", &request.reject_id);
    checks.done(id.unwrap_or_default())
}

/// Which reject a request of a stream corrects; none where it names none.
pub(in crate::grpc) fn corrects(
    request: &pb::SubmitSettlementsRequest,
) -> Result<Option<String>, Problems> {
    let mut checks = Checks::default();
    let id = uuid(&mut checks, "reject_id", &request.reject_id);
    checks.done(id)
}

/// Of which sender and which stay.
pub(in crate::grpc) fn parked_filter(
    request: &pb::ListParkedRequest,
) -> Result<(Option<String>, Option<String>), Problems> {
    let mut checks = Checks::default();
    let sender = checks.text("sender", &request.sender, own::SENDER_MAX);
    let visit_id = checks.code("visit_id", &request.visit_id, limits::VISIT_ID_MAX);
    checks.done((sender, visit_id))
}

/// A document to be published; what it says is checked by whoever reads it.
pub(in crate::grpc) fn document(request: &pb::PublishDocumentRequest) -> Result<String, Problems> {
    let mut checks = Checks::default();
    kind(request.kind(), &mut checks);
    if request.content.is_empty() {
        checks.refuse("content", "is required");
    }
    if request.content.len() > DOCUMENT_BYTES_MAX {
        checks.refuse("content", format!("must be at most {DOCUMENT_BYTES_MAX} bytes"));
    }
    checks.done(request.content.clone())
}

/// What kind of document is asked for.
pub(in crate::grpc) fn document_kind(kind: pb::DocumentKind) -> Result<(), Problems> {
    let mut checks = Checks::default();
    self::kind(kind, &mut checks);
    checks.done(())
}

fn kind(kind: pb::DocumentKind, checks: &mut Checks) {
    match kind {
        pb::DocumentKind::Profile => {}
        pb::DocumentKind::Unspecified => checks.refuse("kind", "must be DOCUMENT_KIND_PROFILE"),
    }
}
