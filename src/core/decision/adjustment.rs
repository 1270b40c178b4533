//! Who bears which part of the bill, and for which reason.

use serde::{Deserialize, Serialize};

use super::Denial;
use crate::core::money::Fen;

/// Who bears an adjusted amount: the group codes of X12 835 (`domain.md` 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustmentGroup {
    /// Patient responsibility.
    Pr,
    /// Other adjustment.
    Oa,
    /// Contractual obligation.
    Co,
}

/// Why an amount is not paid by the plan: our own codes with a numeric crosswalk to CARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AdjustmentReason {
    /// Paid by funds before this plan.
    PriorPayer,
    /// Borne by the hospital.
    HospitalBorne,
    /// An item that the plan excludes.
    NonCoveredItem,
    /// Beyond what counts of an item.
    ItemMax,
    /// Paid from the personal account, where the plan does not count that.
    AccountMoney,
    /// Beyond what counts of a base.
    BaseMax,
    /// Not in the base of any responsibility.
    NonCoveredBase,
    /// The plan's deductible.
    Deductible,
    /// The person's share above the deductible.
    Coinsurance,
    /// Beyond a limit.
    BenefitMax,
    /// A reviewer set a smaller amount.
    Reviewed,
    /// Nothing is paid at all. Stored and sent by the denial's own name.
    #[serde(untagged)]
    Denied(Denial),
}

impl AdjustmentReason {
    /// Who bears it.
    pub fn group(self) -> AdjustmentGroup {
        match self {
            AdjustmentReason::PriorPayer => AdjustmentGroup::Oa,
            AdjustmentReason::HospitalBorne => AdjustmentGroup::Co,
            _ => AdjustmentGroup::Pr,
        }
    }

    /// The number of the nearest claim adjustment reason code (`domain.md` 5).
    pub fn carc(self) -> &'static str {
        match self {
            AdjustmentReason::PriorPayer => "23",
            AdjustmentReason::HospitalBorne => "45",
            AdjustmentReason::NonCoveredItem | AdjustmentReason::AccountMoney => "96",
            AdjustmentReason::NonCoveredBase => "204",
            AdjustmentReason::Deductible => "1",
            AdjustmentReason::Reviewed => "216",
            AdjustmentReason::Coinsurance => "2",
            AdjustmentReason::BenefitMax
            | AdjustmentReason::ItemMax
            | AdjustmentReason::BaseMax => "119",
            AdjustmentReason::Denied(denial) => denial.carc(),
        }
    }
}

/// A part of the settled total that the plan does not pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment {
    /// Why.
    pub reason: AdjustmentReason,
    /// How much.
    pub amount: Fen,
}

/// What becomes of one fee line: its total is its adjustments and its indemnity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineDecision {
    /// The line, as the settlement numbers it.
    pub line_no: String,
    /// The part of the indemnity that falls to it.
    #[serde(default, skip_serializing_if = "Fen::is_zero")]
    pub payout: Fen,
    /// Who bears the rest.
    pub adjustments: Vec<Adjustment>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decision::code;

    #[test]
    fn a_denial_is_written_by_its_own_name_and_read_by_it() {
        for denial in [Denial::NotEligible, Denial::PreExisting, Denial::FilingLimit] {
            let reason = AdjustmentReason::Denied(denial);
            assert_eq!(code(&reason), code(&denial));
            let written = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<AdjustmentReason>(&written).unwrap(), reason);
        }
        let deductible = AdjustmentReason::Deductible;
        assert_eq!(code(&deductible), "DEDUCTIBLE");
        assert!(serde_json::from_str::<AdjustmentReason>("\"OTHER\"").is_err());
    }
}
