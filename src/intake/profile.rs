//! A sender's profile (来源): how its messages are to be read. Data, published like plans.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::core::money::Fen;
use crate::core::plan::document::PlanProblem;

mod document;

/// How the messages of one sender are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The sender's name, as callers give it.
    pub profile_id: String,
    /// Its version.
    pub version: String,
    /// Its name for people.
    pub name: String,
    /// The platform that issued every id of this sender, six digits; `None` where messages say it.
    pub source: Option<String>,
    /// Whether the stated total of all funds holds the personal account (`domain.md` 1.7).
    pub fund_total_includes_account: bool,
    /// How its reversals look; `None` where both ways are taken as they come.
    pub reversal: Option<ReversalDialect>,
    /// How far two routes to one amount may differ; `None` means one fen.
    pub tolerance: Option<Fen>,
    /// Its institution, where a message names none.
    pub hospital_code: Option<String>,
    /// What is known of institutions, by their code.
    pub institutions: BTreeMap<String, Institution>,
    /// Its codes in the words of the national dictionaries, by national field name.
    pub codes: BTreeMap<String, BTreeMap<String, String>>,
}

/// How a sender's reversals look (`domain.md` 1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalDialect {
    /// A new id with negative amounts.
    Negative,
    /// The original under its old id with positive amounts.
    Echo,
}

/// What a profile knows of an institution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Institution {
    /// Its level, two digits (`hosp_lv`).
    pub level: Option<String>,
    /// Its region, six digits.
    pub region: Option<String>,
}

impl Profile {
    /// The national interface as it is written, for senders without a profile.
    pub fn national() -> Profile {
        Profile {
            profile_id: "national".to_owned(),
            version: "1".to_owned(),
            name: "国家医保接口".to_owned(),
            source: None,
            fund_total_includes_account: false,
            reversal: None,
            tolerance: None,
            hospital_code: None,
            institutions: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    /// Reads a profile document, or tells everything that is wrong with it at its line.
    pub fn read(document: &str) -> Result<Profile, Vec<PlanProblem>> {
        document::read(document)
    }
}

#[cfg(test)]
mod tests;
