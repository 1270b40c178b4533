//! The rows of the results file: what became of each line, without a personal value.

use serde::{Deserialize, Serialize};

use super::lines::Line;
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

/// What became of one line: a claim, a refusal, or no settlement.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    /// The name of the line's file.
    pub(super) file: String,
    /// Its number there, from 1.
    pub(super) line: u64,
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
    /// Why the line makes no claim although nothing is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_settlement: Option<String>,
    /// What waits on the server for a settlement that is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parked_id: Option<String>,
    /// Which line of the rejects file it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rejects_line: Option<u64>,
}

/// Why a line was refused, by the server or before it was sent.
#[derive(Serialize, Deserialize)]
pub(super) struct Refused {
    /// The name of an `ErrorReason`.
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) fields: Vec<Field>,
}

/// One field that is wrong.
#[derive(Serialize, Deserialize)]
pub(super) struct Field {
    pub(super) field: String,
    pub(super) problem: String,
}

impl Row {
    fn of(line: &Line) -> Row {
        Row {
            file: line.file.to_string(),
            line: line.number,
            hash: hash_text(line.raw.hash),
            ..Row::default()
        }
    }

    /// A line that could not be sent.
    pub(super) fn unusable(line: &Line, why: Refused) -> Row {
        Row { refused: Some(why), ..Row::of(line) }
    }

    /// What the server answered; `None` if it says something this version does not know.
    pub(super) fn answered(line: &Line, answer: pb::SubmitSettlementsResponse) -> Option<Row> {
        let (settlement_id, source) = (answer.settlement_id, answer.source);
        let row = Row { settlement_id, source, ..Row::of(line) };
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
            Outcome::Refused(refusal) => Row { refused: Some(Refused::from(refusal)), ..row },
            Outcome::Parked(it) => Row { parked_id: Some(it.parked_id), ..row },
            Outcome::NoSettlement(it) => Row { no_settlement: Some(it.detail), ..row },
        })
    }

    /// Whether the row tells what became of this line.
    pub(super) fn is_of(&self, line: &Line) -> bool {
        *self.file == *line.file
            && self.line == line.number
            && self.hash == hash_text(line.raw.hash)
    }
}

impl From<pb::Refusal> for Refused {
    fn from(refusal: pb::Refusal) -> Refused {
        let field = |it: pb::FieldViolation| Field { field: it.field, problem: it.description };
        Refused {
            reason: refusal.reason().as_str_name().to_owned(),
            message: refusal.message,
            fields: refusal.field_violations.into_iter().map(field).collect(),
        }
    }
}

fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

fn bare(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// How many lines came to what.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    /// Those of `accepted` that were recorded before.
    pub(super) replayed: u64,
    pub(super) without_settlement: u64,
    /// Messages that wait on the server for their settlement.
    pub(super) parked: u64,
    pub(super) refused: u64,
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

    pub(super) fn lines(&self) -> u64 {
        self.accepted + self.without_settlement + self.parked + self.refused
    }
}
