//! An event without a bill as the wire knows it.

use super::settlement::person;
use super::text;
use crate::core::settlement::{InsuredEvent, Settlement};
use crate::grpc::names::cause;
use crate::pb;

/// Every fact of an event; reading it again gives the same settlement of nothing.
pub(super) fn event(facts: &Settlement, event: &InsuredEvent) -> pb::InsuredEvent {
    let documents = event.documents.iter().map(|it| pb::DocumentReference {
        kind: it.kind.clone(),
        reference: it.reference.reveal().to_owned(),
    });
    pb::InsuredEvent {
        source: facts.source.clone(),
        event_id: facts.settlement_id.clone(),
        member: Some(person(&facts.person)),
        insured_region: text(facts.insured_region.as_ref()),
        kind: event.kind.clone(),
        event_date: event.event_date.to_string(),
        cause: cause(event.cause).into(),
        disability_grade: event.grade.map_or(0, i32::from),
        circumstances: event.circumstances.clone(),
        documents: documents.collect(),
    }
}
