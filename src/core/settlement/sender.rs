//! What a sender says beside the facts: how far its amounts may differ, codes that nobody knows,
//! and what it computed itself.

use serde::{Deserialize, Serialize};

use super::TOLERANCE;
use crate::core::money::Fen;

/// What the sender of a settlement says beside its facts. Only `payout` bears on a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SenderNotes {
    /// How far two routes to one amount may differ, as the sender's profile says; `None` means
    /// [`TOLERANCE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Fen>,
    /// What the sender itself computed that the plan pays (`domain.md` 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<SenderPayout>,
    /// Facts that the sender's profile filled in, by name: the message did not state them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filled_in: Vec<String>,
    /// Codes that are in no dictionary: kept as they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_codes: Vec<UnknownCode>,
}

/// A payout that the sender computed: the bureau's own, in a push to insurers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SenderPayout {
    /// In all (`settClaSumamt`).
    pub total: Fen,
    /// Of it for what lies in the catalogue (`settClaInPay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_catalogue: Option<Fen>,
    /// Of it for what lies out of the catalogue (`settClaOutPay`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_catalogue: Option<Fen>,
    /// The deductible it took in the catalogue (`dedcInStd`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_catalogue_deductible: Option<Fen>,
    /// The deductible it took out of the catalogue (`dedcOutStd`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_catalogue_deductible: Option<Fen>,
}

/// A code that is in no dictionary (`domain.md` 1.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownCode {
    /// The national name of the field: `fund_pay_type`.
    pub field: String,
    /// The code as it came, after the sender's code map.
    pub code: String,
}

impl SenderNotes {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == SenderNotes::default()
    }

    /// How far two routes to one amount may differ.
    pub fn tolerance(&self) -> Fen {
        self.tolerance.unwrap_or(TOLERANCE)
    }
}

impl SenderPayout {
    /// The parts by name, for evidence; what is not stated is left out.
    pub fn parts(&self) -> Vec<(&'static str, Fen)> {
        let parts = [
            ("sender_payout_fen", Some(self.total)),
            ("sender_in_catalogue_fen", self.in_catalogue),
            ("sender_out_of_catalogue_fen", self.out_of_catalogue),
            ("sender_in_catalogue_deductible_fen", self.in_catalogue_deductible),
            ("sender_out_of_catalogue_deductible_fen", self.out_of_catalogue_deductible),
        ];
        parts.into_iter().filter_map(|(name, amount)| Some((name, amount?))).collect()
    }
}
