//! What came in and is no claim, and documents, as the wire knows them.

use super::{text, timestamp};
use crate::core::figures::FigureKind;
use crate::core::settlement::FollowUp;
use crate::grpc::intake::form;
use crate::grpc::status::Fault;
use crate::ledger::{Grounds, PROFILE};
use crate::pb;
use crate::store::{DocumentRow, ParkedRow, RejectRow};

/// A reject, with its bytes only where they are asked for.
pub(in crate::grpc) fn reject(row: &RejectRow, with_payload: bool) -> pb::Reject {
    let bytes = |bytes: &Vec<u8>| if with_payload { bytes.clone() } else { Vec::new() };
    pb::Reject {
        reject_id: row.reject_id.clone(),
        sender: row.delivery.sender.clone(),
        refusal: Some(Fault::refusal_of(&row.reject_id, Grounds::of_row(row))),
        source: text(row.source.as_ref()),
        settlement_id: text(row.settlement_id.as_ref()),
        infno: row.delivery.infno.clone(),
        create_time: Some(timestamp(row.create_time)),
        update_time: Some(timestamp(row.update_time)),
        attempts: i32::try_from(row.attempts).unwrap_or(i32::MAX),
        form: form(&row.delivery).into(),
        payload: bytes(&row.delivery.payload),
        request_payload: bytes(&row.delivery.request_payload),
    }
}

/// What waits, without its facts.
pub(in crate::grpc) fn parked(row: &ParkedRow) -> pb::ParkedMessage {
    let what: Option<FollowUp> = serde_json::from_str(&row.body).ok();
    let kind = match &what {
        Some(FollowUp::Reversal(_)) => pb::ParkedKind::Reversal,
        Some(FollowUp::Supplement(_)) => pb::ParkedKind::Supplement,
        None => pb::ParkedKind::Unspecified,
    };
    let named = what.as_ref().and_then(FollowUp::settlement_id);
    pb::ParkedMessage {
        parked_id: row.parked_id.clone(),
        kind: kind.into(),
        sender: row.delivery.sender.clone(),
        source: row.source.clone(),
        settlement_id: named.unwrap_or_default().to_owned(),
        visit_id: text(row.visit_id.as_ref()),
        receive_time: Some(timestamp(row.receive_time)),
    }
}

/// A published document.
pub(in crate::grpc) fn document(row: &DocumentRow, with_content: bool) -> pb::Document {
    let kind = match FigureKind::named(&row.kind) {
        Some(FigureKind::Calendar) => pb::DocumentKind::Calendar,
        Some(FigureKind::Baseline) => pb::DocumentKind::Baseline,
        Some(FigureKind::SharedAccounts) => pb::DocumentKind::SharedAccounts,
        None if row.kind == PROFILE => pb::DocumentKind::Profile,
        None => pb::DocumentKind::Unspecified,
    };
    pb::Document {
        kind: kind.into(),
        document_id: row.id.clone(),
        version: row.version.clone(),
        document_hash: row.hash.clone(),
        publish_time: Some(timestamp(row.publish_time)),
        content: if with_content { row.body.clone() } else { String::new() },
    }
}
