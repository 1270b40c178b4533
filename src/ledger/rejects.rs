//! What came in and cannot be used, kept as it came with its reasons.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::LedgerError;
use crate::core::checks::Problem;
use crate::core::day::Moment;
use crate::store::{Delivery, ParkedRow, RejectKey, RejectRow};

/// The reason of two values for one fact, as an error of the API has it.
pub const CONFLICT: &str = "SETTLEMENT_CONFLICT";
/// The reason of a reversal that is not that of the whole settlement.
pub const REVERSAL_DIFFERS: &str = "REVERSAL_DIFFERS";

/// Why something cannot be used. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// As an error of the API has it, without its prefix: `INVALID_FIELD`.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
    /// Every field that is wrong.
    pub fields: Vec<Problem>,
}

/// What is stored of [`Grounds`] beside the reason.
#[derive(Serialize, Deserialize)]
struct Told {
    message: String,
    fields: Vec<Problem>,
}

/// Something that cannot be used.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// What came.
    pub delivery: Delivery,
    /// The platform of the settlement it is about, as far as it could be read.
    pub source: Option<String>,
    /// The settlement it is about, as far as it could be read.
    pub settlement_id: Option<String>,
    /// What it says of it: `SETTLEMENT`, `REVERSAL` or `SUPPLEMENT`; empty where that could not be
    /// told.
    pub topic: &'static str,
    /// Why it cannot be used.
    pub grounds: Grounds,
}

impl Grounds {
    /// The grounds of a refusal that is about what was sent.
    pub(super) fn of(error: &LedgerError) -> Grounds {
        let reason = match error {
            LedgerError::Conflict { .. } => CONFLICT,
            LedgerError::ReversalDiffers { .. } => REVERSAL_DIFFERS,
            _ => "COMMAND_FAILED",
        };
        let (reason, fields) = (reason.to_owned(), error.differing());
        Grounds { reason, message: error.to_string(), fields }
    }

    /// The grounds of a stored reject.
    pub fn of_row(row: &RejectRow) -> Grounds {
        let told = serde_json::from_str(&row.problems);
        let Told { message, fields } = told.unwrap_or(Told {
            message: "the reasons cannot be read by this version".to_owned(),
            fields: Vec::new(),
        });
        Grounds { reason: row.reason.clone(), message, fields }
    }
}

impl Rejected {
    /// A follow-up that waited and cannot be applied.
    pub(super) fn of_parked(row: &ParkedRow, grounds: Grounds) -> Rejected {
        Rejected {
            delivery: row.delivery.clone(),
            source: Some(row.source.clone()),
            settlement_id: row.settlement_id.clone(),
            topic: if row.kind == "REVERSAL" { "REVERSAL" } else { "SUPPLEMENT" },
            grounds,
        }
    }

    /// What makes it good: its digest, and the settlement it is about.
    pub(super) fn key(row: &RejectRow) -> RejectKey {
        (row.digest.clone(), row.source.clone(), row.settlement_id.clone())
    }

    /// The row that keeps it, if none keeps the same bytes already.
    pub(super) fn row(self, now: Moment) -> RejectRow {
        let Grounds { reason, message, fields } = self.grounds;
        let told = serde_json::to_string(&Told { message, fields });
        RejectRow {
            reject_id: Uuid::now_v7().to_string(),
            digest: digest(&self.delivery),
            delivery: self.delivery,
            source: self.source,
            settlement_id: self.settlement_id,
            topic: self.topic.to_owned(),
            reason,
            problems: told.expect("texts are always JSON"),
            create_time: now,
            update_time: now,
            attempts: 1,
        }
    }
}

/// Names what came by everything that was sent.
pub(super) fn digest(delivery: &Delivery) -> String {
    let Delivery { sender, format, infno, payload, request_payload } = delivery;
    let mut hash = Sha256::new();
    for part in [sender.as_bytes(), format.as_bytes(), infno.as_bytes(), payload] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.update(request_payload);
    hex::encode(hash.finalize())
}
