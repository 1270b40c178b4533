//! An event without a bill (保险事故): a death, a disability. It is kept as a settlement of nothing:
//! its key, person and day are a settlement's, its amounts are zero, and this says what happened.

use serde::{Deserialize, Serialize};

use super::Cause;
use crate::core::day::Day;
use crate::core::personal::Personal;

/// Whether a text is a word that plans and events share: 1 to 40 of a to z, 0 to 9 and `_`.
pub fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=40).contains(&text.len()) && text.bytes().all(allowed)
}

/// The most documents of one event, however often it is reported.
pub const DOCUMENTS_MAX: usize = 50;

/// What happened to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsuredEvent {
    /// What it was, in the plan's words: `death`, `disability`, ….
    pub kind: String,
    /// When it happened (出险日期). Decides coverage, version and period.
    pub event_date: Day,
    /// Illness or accident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The grade of a disability (伤残等级), 1 the gravest, to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<u8>,
    /// How it came about, in the plan's words: `driving`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub circumstances: Vec<String>,
    /// What proves it. Greenlane keeps the references, not the documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentReference>,
}

impl InsuredEvent {
    /// The event with what another report of it adds: a cause, a grade, circumstances that were not
    /// stated, documents. Else the fields that differ.
    pub(super) fn merged(&self, again: &InsuredEvent) -> Result<InsuredEvent, Vec<&'static str>> {
        let mut merged = self.clone();
        let mut differ = Vec::new();
        if self.kind != again.kind {
            differ.push("event.kind");
        }
        if self.event_date != again.event_date {
            differ.push("event.event_date");
        }
        match (self.cause, again.cause) {
            (Some(known), Some(again)) if known != again => differ.push("event.cause"),
            (known, again) => merged.cause = known.or(again),
        }
        match (self.grade, again.grade) {
            (Some(known), Some(again)) if known != again => differ.push("event.disability_grade"),
            (known, again) => merged.grade = known.or(again),
        }
        let sorted = |event: &InsuredEvent| {
            let mut circumstances = event.circumstances.clone();
            circumstances.sort();
            circumstances
        };
        if self.circumstances.is_empty() {
            merged.circumstances.clone_from(&again.circumstances);
        } else if !again.circumstances.is_empty() && sorted(again) != sorted(self) {
            differ.push("event.circumstances");
        }
        let is_new = |document: &&DocumentReference| !self.documents.contains(document);
        merged.documents.extend(again.documents.iter().filter(is_new).cloned());
        if merged.documents.len() > DOCUMENTS_MAX {
            differ.push("event.documents");
        }
        if differ.is_empty() { Ok(merged) } else { Err(differ) }
    }
}

/// A document that proves an event, kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentReference {
    /// What it is: `death_certificate`, `accident_report`, ….
    pub kind: String,
    /// Where the sender keeps it. May tell of a person, so it prints as `***`.
    pub reference: Personal,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, grade: Option<u8>, documents: &[&str]) -> InsuredEvent {
        let document = |reference: &&str| DocumentReference {
            kind: "report".into(),
            reference: Personal::new(*reference),
        };
        InsuredEvent {
            kind: kind.into(),
            event_date: Day::EARLIEST,
            cause: None,
            grade,
            circumstances: vec![],
            documents: documents.iter().map(document).collect(),
        }
    }

    #[test]
    fn a_later_report_adds_and_never_changes() {
        let first = event("disability", None, &["D-1"]);
        let graded = event("disability", Some(4), &["D-2"]);
        let merged = first.merged(&graded).unwrap();
        assert_eq!(merged, event("disability", Some(4), &["D-1", "D-2"]));
        assert_eq!(merged.merged(&first), Ok(merged.clone()), "the first again adds nothing");
        let other = event("death", Some(5), &[]);
        assert_eq!(merged.merged(&other), Err(vec!["event.kind", "event.disability_grade"]));
    }
}
