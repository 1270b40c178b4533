//! The rows of the results file: what became of each record, without a personal value.

use serde::{Deserialize, Serialize};

use crate::intake::file::{Flaw, Record, Sheet};
use crate::pb;
use crate::pb::submit_settlements_response::Outcome;

/// The version of the results file.
const FORMAT: u32 = 1;

/// The first row: which input the results are of.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Header {
    greenlane_ingest: u32,
    /// The name of the file or directory; `-` for standard input.
    pub(super) input: String,
    pub(super) sender: String,
    pub(super) infno: String,
}

impl Header {
    pub(super) fn of(input: String, sender: String, infno: String) -> Header {
        Header { greenlane_ingest: FORMAT, input, sender, infno }
    }
}

/// What became of one record: a claim, a refusal, or no settlement.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    /// The name of the record's file.
    pub(super) file: String,
    /// The line of that file on which it begins, from 1.
    pub(super) line: u64,
    /// The byte of the line at which it begins, where that is not the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    /// XXH3 of its text in hexadecimal digits, by which a later run knows it again.
    pub(super) hash: String,
    settlement_id: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// Absent where the claim has no figure yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    payout_fen: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient_share_fen: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refused>,
    /// Why the record makes no claim although nothing is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_settlement: Option<String>,
    /// What waits on the server for a settlement that is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parked_id: Option<String>,
    /// On which line of the rejects file it begins, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejects_line: Option<u64>,
    /// The name of that file, where it is not the first one of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejects_file: Option<String>,
}

/// Why a record was refused, by the server or before it was sent.
#[derive(Serialize, Deserialize)]
pub(super) struct Refused {
    /// The name of an `ErrorReason`.
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) fields: Vec<Field>,
    /// Under which id the server keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reject_id: Option<String>,
}

/// One field that is wrong.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Field {
    #[serde(rename = "field")]
    pub(super) name: String,
    pub(super) problem: String,
    /// The line of the file, where that is not where the record begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The byte of the line in JSON, the number of the column in CSV, both from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    /// What the table's own header calls the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

impl Field {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Field {
        Field { name: field.into(), problem: problem.into(), ..Field::default() }
    }

    pub(super) fn of(flaw: Flaw) -> Field {
        let Flaw { field, problem, line, column } = flaw;
        Field { name: field, problem, line, column, header: None }
    }

    /// The same with the column of a table that it is about.
    fn in_table(self, sheet: Option<&Sheet>) -> Field {
        let Some((column, header)) = sheet.and_then(|it| it.column_of(&self.name)) else {
            return self;
        };
        Field { column: Some(column), header: Some(header.to_owned()), ..self }
    }
}

impl Row {
    fn of(record: &Record) -> Row {
        Row {
            file: record.file.to_string(),
            line: record.line,
            column: Some(record.column).filter(|column| *column != 1),
            hash: hash_text(record.hash),
            ..Row::default()
        }
    }

    /// The same, of a record that was to correct this reject: where the server keeps nothing new, it
    /// keeps that one.
    pub(super) fn correcting(mut self, reject_id: Option<String>) -> Row {
        if let Some(refused) = &mut self.refused {
            refused.reject_id = refused.reject_id.take().or(reject_id);
        }
        self
    }

    /// A record that could not be sent.
    pub(super) fn unusable(record: &Record, why: Refused) -> Row {
        Row { refused: Some(why.in_table(record.sheet.as_deref())), ..Row::of(record) }
    }

    /// What the server answered; `None` if it says something this version does not know.
    pub(super) fn answered(record: &Record, answer: pb::SubmitSettlementsResponse) -> Option<Row> {
        let (settlement_id, source) = (answer.settlement_id, answer.source);
        let row = Row { settlement_id, source, ..Row::of(record) };
        Some(match answer.outcome? {
            Outcome::Accepted(accepted) => {
                let claim = accepted.claim.unwrap_or_default();
                let state = bare(claim.state().as_str_name(), "CLAIM_STATE_");
                let route = bare(claim.route().as_str_name(), "ROUTE_");
                Row {
                    claim_id: Some(claim.claim_id),
                    state: Some(state),
                    route: Some(route),
                    payout_fen: claim.decision.as_ref().map(|it| it.payout_fen),
                    patient_share_fen: claim.decision.as_ref().map(|it| it.patient_share_fen),
                    replayed: Some(accepted.replayed),
                    ..row
                }
            }
            Outcome::Refused(refusal) => {
                let refused = Refused::from(refusal).in_table(record.sheet.as_deref());
                Row { refused: Some(refused), ..row }
            }
            Outcome::Parked(it) => Row { parked_id: Some(it.parked_id), ..row },
            Outcome::NoSettlement(it) => Row { no_settlement: Some(it.detail), ..row },
        })
    }

    /// Whether the row tells what became of this record.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        *self.file == *record.file
            && self.line == record.line
            && self.column.unwrap_or(1) == record.column
            && self.hash == hash_text(record.hash)
    }
}

impl Refused {
    fn in_table(self, sheet: Option<&Sheet>) -> Refused {
        let fields = self.fields.into_iter().map(|field| field.in_table(sheet)).collect();
        Refused { fields, ..self }
    }
}

impl From<pb::Refusal> for Refused {
    fn from(refusal: pb::Refusal) -> Refused {
        let field = |it: pb::FieldViolation| Field::new(it.field, it.description);
        Refused {
            reason: refusal.reason().as_str_name().to_owned(),
            message: refusal.message,
            fields: refusal.field_violations.into_iter().map(field).collect(),
            reject_id: Some(refusal.reject_id).filter(|id| !id.is_empty()),
        }
    }
}

pub(super) fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// How many records came to what.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Tally {
    pub(in crate::cli) accepted: u64,
    /// Those of `accepted` that were recorded before.
    pub(in crate::cli) replayed: u64,
    pub(in crate::cli) without_settlement: u64,
    /// Messages that wait on the server for their settlement.
    pub(in crate::cli) parked: u64,
    pub(in crate::cli) refused: u64,
}

impl Tally {
    pub(super) fn count(&mut self, row: &Row) {
        match (&row.refused, &row.no_settlement, &row.parked_id) {
            (Some(_), _, _) => self.refused += 1,
            (_, Some(_), _) => self.without_settlement += 1,
            (_, _, Some(_)) => self.parked += 1,
            _ => self.accepted += 1,
        }
        self.replayed += u64::from(row.replayed == Some(true));
    }

    pub(in crate::cli) fn lines(&self) -> u64 {
        self.accepted + self.without_settlement + self.parked + self.refused
    }
}
