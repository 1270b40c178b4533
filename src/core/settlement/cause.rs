//! Illness or accident, as far as the facts tell.

use serde::{Deserialize, Serialize};

use super::Settlement;

/// What a treatment or an event goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// 疾病.
    Disease,
    /// 意外伤害.
    Accident,
}

/// Medical categories that mean an injury: 19 意外门诊, 22 外伤住院 (`domain.md` 1.11).
const INJURY_CATEGORIES: [&str; 2] = ["19", "22"];

/// ICD-10 chapters of injuries and their external causes: S, T and V to Y (`domain.md` 4.3, F13).
const INJURY_CHAPTERS: [&str; 6] = ["S", "T", "V", "W", "X", "Y"];

/// Whether a code begins with a prefix, in capitals or not.
pub fn has_prefix(code: &str, prefix: &str) -> bool {
    code.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

impl Settlement {
    /// The main diagnosis (主要诊断), ICD-10; the first that is stated.
    pub fn main_diagnosis(&self) -> Option<&str> {
        self.diagnoses.first().map(|diagnosis| diagnosis.code.reveal())
    }

    /// Illness or accident: as an event states it, else by medical category and main diagnosis.
    /// `None` when neither is stated.
    pub fn cause(&self) -> Option<Cause> {
        if let Some(event) = &self.event {
            return event.cause;
        }
        let category = self.medical_category.as_deref();
        let main = self.main_diagnosis();
        let is_of = |code: Option<&str>, prefixes: &[&str]| {
            code.is_some_and(|code| prefixes.iter().any(|prefix| has_prefix(code, prefix)))
        };
        let by_category = is_of(category, &INJURY_CATEGORIES);
        let by_diagnosis = is_of(main, &INJURY_CHAPTERS);
        if by_category || by_diagnosis {
            Some(Cause::Accident)
        } else {
            category.or(main).map(|_| Cause::Disease)
        }
    }

    /// The ICD-10 category of the main diagnosis, its first three characters in capitals: what
    /// claims of one cause share. `None` without a diagnosis.
    pub fn cause_category(&self) -> Option<String> {
        Some(self.main_diagnosis()?.chars().take(3).collect::<String>().to_ascii_uppercase())
    }
}
