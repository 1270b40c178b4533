//! An event without a bill (保险事故): a death, a disability. It is kept as a settlement of nothing:
//! its key, person and day are a settlement's, its amounts are zero, and this says what happened.

use serde::{Deserialize, Serialize};

use super::Cause;
use crate::core::day::Day;
use crate::core::personal::Personal;

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

/// A document that proves an event, kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentReference {
    /// What it is: `death_certificate`, `accident_report`, ….
    pub kind: String,
    /// Where the sender keeps it. May tell of a person, so it prints as `***`.
    pub reference: Personal,
}
