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
    /// See [`Denial`].
    NotEligible,
    /// See [`Denial`].
    BeforeCoverage,
    /// See [`Denial`].
    AfterCoverage,
    /// See [`Denial`].
    PlanNotInForce,
    /// See [`Denial`].
    ServiceNotCovered,
    /// See [`Denial`].
    ClassNotCovered,
    /// See [`Denial`].
    HospitalNotCovered,
    /// See [`Denial`].
    RegionNotCovered,
    /// See [`Denial`].
    PreExisting,
    /// See [`Denial`].
    WaitingPeriod,
    /// See [`Denial`].
    FilingLimit,
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
            AdjustmentReason::NonCoveredBase
            | AdjustmentReason::ServiceNotCovered
            | AdjustmentReason::ClassNotCovered
            | AdjustmentReason::HospitalNotCovered
            | AdjustmentReason::RegionNotCovered => "204",
            AdjustmentReason::PreExisting => "51",
            AdjustmentReason::WaitingPeriod => "179",
            AdjustmentReason::FilingLimit => "29",
            AdjustmentReason::Deductible => "1",
            AdjustmentReason::Coinsurance => "2",
            AdjustmentReason::BenefitMax
            | AdjustmentReason::ItemMax
            | AdjustmentReason::BaseMax => "119",
            AdjustmentReason::NotEligible => "31",
            AdjustmentReason::BeforeCoverage | AdjustmentReason::PlanNotInForce => "26",
            AdjustmentReason::AfterCoverage => "27",
        }
    }
}

impl From<Denial> for AdjustmentReason {
    fn from(denial: Denial) -> AdjustmentReason {
        match denial {
            Denial::NotEligible => AdjustmentReason::NotEligible,
            Denial::BeforeCoverage => AdjustmentReason::BeforeCoverage,
            Denial::AfterCoverage => AdjustmentReason::AfterCoverage,
            Denial::PlanNotInForce => AdjustmentReason::PlanNotInForce,
            Denial::ServiceNotCovered => AdjustmentReason::ServiceNotCovered,
            Denial::ClassNotCovered => AdjustmentReason::ClassNotCovered,
            Denial::HospitalNotCovered => AdjustmentReason::HospitalNotCovered,
            Denial::RegionNotCovered => AdjustmentReason::RegionNotCovered,
            Denial::PreExisting => AdjustmentReason::PreExisting,
            Denial::WaitingPeriod => AdjustmentReason::WaitingPeriod,
            Denial::FilingLimit => AdjustmentReason::FilingLimit,
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
