//! Questions about what came in, and documents to be published.

use super::query::uuid;
use super::{Problems, limits as own};
use crate::core::checks::{Checks, limits};
use crate::core::day::Day;
use crate::core::decision::code;
use crate::core::figures::FigureKind;
use crate::ledger::{PROFILE, Refresh};
use crate::pb;
use crate::store::RejectFilter;

/// The most bytes of a document; above any profile.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// The longest id or version of a document.
const DOCUMENT_ID_MAX: usize = 64;

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
pub(in crate::grpc) fn document(
    request: &pb::PublishDocumentRequest,
) -> Result<(DocumentKind, String), Problems> {
    let mut checks = Checks::default();
    let kind = kind(request.kind(), &mut checks);
    if request.content.is_empty() {
        checks.refuse("content", "is required");
    }
    if request.content.len() > DOCUMENT_BYTES_MAX {
        checks.refuse("content", format!("must be at most {DOCUMENT_BYTES_MAX} bytes"));
    }
    checks.done((kind, request.content.clone()))
}

/// What kind of document is asked for.
pub(in crate::grpc) fn document_kind(kind: pb::DocumentKind) -> Result<DocumentKind, Problems> {
    let mut checks = Checks::default();
    let kind = self::kind(kind, &mut checks);
    checks.done(kind)
}

/// What a document is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum DocumentKind {
    /// The profile of a sender.
    Profile,
    /// Figures that plans name.
    Figures(FigureKind),
}

impl DocumentKind {
    /// As it is stored.
    pub(in crate::grpc) fn name(self) -> String {
        match self {
            DocumentKind::Profile => PROFILE.to_owned(),
            DocumentKind::Figures(kind) => code(&kind),
        }
    }
}

fn kind(kind: pb::DocumentKind, checks: &mut Checks) -> DocumentKind {
    match kind {
        pb::DocumentKind::Profile => DocumentKind::Profile,
        pb::DocumentKind::Calendar => DocumentKind::Figures(FigureKind::Calendar),
        pb::DocumentKind::Baseline => DocumentKind::Figures(FigureKind::Baseline),
        pb::DocumentKind::SharedAccounts => DocumentKind::Figures(FigureKind::SharedAccounts),
        pb::DocumentKind::Unspecified => {
            checks.refuse("kind", "is required: a DOCUMENT_KIND");
            DocumentKind::Profile
        }
    }
}

/// Figures that shall be told from the book.
pub(in crate::grpc) struct FiguresAsked {
    pub(in crate::grpc) figures: Refresh,
    pub(in crate::grpc) id: String,
    pub(in crate::grpc) version: String,
}

/// What figures are asked for.
pub(in crate::grpc) fn refresh(
    request: &pb::RefreshFiguresRequest,
) -> Result<FiguresAsked, Problems> {
    let mut checks = Checks::default();
    let id = checks.required_code("document_id", &request.document_id, DOCUMENT_ID_MAX);
    let version = checks.required_code("version", &request.version, DOCUMENT_ID_MAX);
    let from = checks.day("from_date", &request.from_date);
    let until = checks.day("until_date", &request.until_date);
    let stated = [("from_date", &request.from_date), ("until_date", &request.until_date)];
    let figures = match request.kind() {
        pb::DocumentKind::Baseline => {
            for (field, _) in stated.into_iter().filter(|(_, text)| text.is_empty()) {
                checks.refuse(field, "is required for a baseline");
            }
            if from.zip(until).is_some_and(|(from, until)| until < from) {
                checks.refuse("until_date", "must not be before from_date");
            }
            let (from, until) = (from.unwrap_or(Day::EARLIEST), until.unwrap_or(Day::EARLIEST));
            Refresh::Baseline { from, until }
        }
        pb::DocumentKind::SharedAccounts => {
            for (field, _) in stated.into_iter().filter(|(_, text)| !text.is_empty()) {
                checks.refuse(field, "must be empty: accounts are told from the roster as it is");
            }
            Refresh::SharedAccounts
        }
        _ => {
            let problem = "must be DOCUMENT_KIND_BASELINE or DOCUMENT_KIND_SHARED_ACCOUNTS";
            checks.refuse("kind", problem);
            Refresh::SharedAccounts
        }
    };
    checks.done(FiguresAsked { figures, id, version })
}
