//! An event without a bill becomes a settlement of nothing.

use super::limits as own;
use super::member::required_day;
use super::settlement::{person, source};
use super::{Problems, missing};
use crate::core::checks::{Checks, limits};
use crate::core::money::Fen;
use crate::core::personal::Personal;
use crate::core::settlement::{
    Amounts, DOCUMENTS_MAX, DocumentReference, InsuredEvent, Settlement, is_word,
};
use crate::grpc::names::cause_of;
use crate::pb;

/// Reads an event; fields are named from the request on. Only here a settlement gets an event.
pub(in crate::grpc) fn event(message: Option<&pb::InsuredEvent>) -> Result<Settlement, Problems> {
    let Some(message) = message else { return Err(missing("event")) };
    let mut checks = Checks::default();
    let settlement = checks.nested("event", |checks| read(message, checks));
    checks.done(settlement)
}

fn read(message: &pb::InsuredEvent, checks: &mut Checks) -> Settlement {
    let event_id = &message.event_id;
    Settlement {
        source: source(&message.source, checks),
        settlement_id: checks.required_code("event_id", event_id, limits::SETTLEMENT_ID_MAX),
        person: person(message.member.as_ref(), checks),
        insured_region: checks.region("insured_region", &message.insured_region),
        event: Some(insured_event(message, checks)),
        amounts: Amounts { personal_total: Some(Fen::ZERO), ..Amounts::default() },
        ..Settlement::silent()
    }
}

fn insured_event(message: &pb::InsuredEvent, checks: &mut Checks) -> InsuredEvent {
    let cause = pb::Cause::try_from(message.cause);
    if cause.is_err() {
        checks.refuse("cause", "must be a known cause, or CAUSE_UNSPECIFIED");
    }
    if !(0..=10).contains(&message.disability_grade) {
        checks.refuse("disability_grade", "must be 1 to 10, or 0 where there is none");
    }
    InsuredEvent {
        kind: word("kind", &message.kind, checks),
        event_date: required_day("event_date", &message.event_date, checks),
        cause: cause.ok().and_then(cause_of),
        grade: u8::try_from(message.disability_grade).ok().filter(|grade| *grade > 0),
        circumstances: circumstances(&message.circumstances, checks),
        documents: documents(&message.documents, checks),
    }
}

fn circumstances(words: &[String], checks: &mut Checks) -> Vec<String> {
    if !checks.at_most("circumstances", words.len(), own::CIRCUMSTANCES_MAX) {
        return Vec::new();
    }
    let read = |(index, it): (usize, &String)| {
        checks.item("circumstances", index, |checks| word("", it, checks))
    };
    words.iter().enumerate().map(read).collect()
}

/// Nobody can look at an event without documents.
fn documents(rows: &[pb::DocumentReference], checks: &mut Checks) -> Vec<DocumentReference> {
    if rows.is_empty() {
        checks.refuse("documents", "is required");
    }
    if !checks.at_most("documents", rows.len(), DOCUMENTS_MAX) {
        return Vec::new();
    }
    let read = |(index, row): (usize, &pb::DocumentReference)| {
        checks.item("documents", index, |checks| {
            let reference = &row.reference;
            let reference = checks.required_text("reference", reference, own::REFERENCE_MAX);
            DocumentReference {
                kind: word("kind", &row.kind, checks),
                reference: Personal::new(reference),
            }
        })
    };
    rows.iter().enumerate().map(read).collect()
}

/// A word that plans use, spelled as in their documents.
fn word(field: &str, value: &str, checks: &mut Checks) -> String {
    if value.is_empty() {
        checks.refuse(field, "is required");
    } else if !is_word(value) {
        checks.refuse(field, "must be at most 40 of a-z, 0-9 and _");
    }
    value.to_owned()
}
