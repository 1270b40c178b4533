//! What a decision (理算结果) is made of: steps, adjustments, counters before and after.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::day::{Day, Period};
use super::money::{Fen, Rate};

/// What the plan pays for one settlement, and why. Made by [`super::adjudicate`] only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The settled total, which adjustments and payout add up to.
    pub total: Fen,
    /// What the person bears before this plan: `eligible + ineligible`.
    pub burden: Fen,
    /// Of it what the plan looks at.
    pub eligible: Fen,
    /// The day that decides coverage, version and period.
    pub attribution_date: Day,
    /// The benefit period (保单年度) whose counters were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The chain from total to payout.
    pub steps: Vec<Step>,
    /// Who bears what and for which reason; with the payout they add up to `total`.
    pub adjustments: Vec<Adjustment>,
    /// Every counter that was read, before and after.
    pub counters: Vec<CounterChange>,
}

impl Decision {
    /// What the plan pays: where the chain of steps ends. Not stored beside the chain, so the two
    /// cannot disagree.
    pub fn payout(&self) -> Fen {
        self.steps.last().map_or(Fen::ZERO, |step| step.after)
    }

    /// The part of the burden that the plan does not look at.
    pub fn ineligible(&self) -> Fen {
        self.burden - self.eligible
    }

    /// What stays with the person.
    pub fn patient_share(&self) -> Fen {
        self.burden - self.payout()
    }

    /// The plan's deductible taken from this settlement.
    pub fn deductible(&self) -> Fen {
        self.adjusted(AdjustmentReason::Deductible)
    }

    /// The sum of the adjustments for one reason.
    pub fn adjusted(&self, reason: AdjustmentReason) -> Fen {
        let of_reason = |adjustment: &&Adjustment| adjustment.reason == reason;
        self.adjustments.iter().filter(of_reason).map(|adjustment| adjustment.amount).sum()
    }
}

/// One rule's effect on an amount, in words a member can check by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The amount before.
    pub before: Fen,
    /// The amount after.
    pub after: Fen,
    /// The rule and exactly the operands needed to redo the arithmetic.
    #[serde(flatten)]
    pub why: Why,
}

/// The facts behind a step. A step of a responsibility (保险责任) names it; the others belong to the
/// claim's own chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Why {
    /// From the bill to the burden: what funds and hospital bore.
    PriorPayers {
        /// What all funds paid.
        funds: Fen,
        /// What the hospital bears.
        hospital: Fen,
    },
    /// From the burden to the eligible part: lines that the plan excludes.
    ExcludedLines {
        /// What the excluded lines took away.
        ineligible: Fen,
        /// Their line numbers.
        lines: Vec<String>,
    },
    /// The plan does not pay at all.
    Denied {
        /// Why not.
        denial: Denial,
    },
    /// From the eligible part to the base of one responsibility.
    Base {
        /// The responsibility.
        responsibility: String,
    },
    /// What is left of a deductible (起付线).
    Deductible {
        /// The responsibility.
        responsibility: String,
        /// The deductible of the period.
        limit: Fen,
        /// Used by earlier claims.
        used: Fen,
        /// Taken now.
        taken: Fen,
    },
    /// The plan's share.
    Rate {
        /// The responsibility.
        responsibility: String,
        /// The share.
        rate: Rate,
    },
    /// What is left of a limit (限额) of the period.
    PeriodLimit {
        /// The responsibility.
        responsibility: String,
        /// The limit of the period.
        limit: Fen,
        /// Paid by earlier claims.
        used: Fen,
    },
    /// The payout: the sum of all responsibilities, never more than was really borne.
    Payout,
}

impl Why {
    /// The responsibility whose chain the step belongs to; empty for the claim's own.
    pub fn responsibility(&self) -> &str {
        match self {
            Why::Base { responsibility }
            | Why::Deductible { responsibility, .. }
            | Why::Rate { responsibility, .. }
            | Why::PeriodLimit { responsibility, .. } => responsibility,
            Why::PriorPayers { .. }
            | Why::ExcludedLines { .. }
            | Why::Denied { .. }
            | Why::Payout => "",
        }
    }
}

/// Why a claim is denied at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Denial {
    /// The person has no coverage at all.
    NotEligible,
    /// The attribution date lies before the first coverage.
    BeforeCoverage,
    /// The attribution date lies after a coverage, or between two.
    AfterCoverage,
    /// No version of the plan is in force on the attribution date.
    PlanNotInForce,
    /// No responsibility of the plan covers this kind of treatment.
    ServiceNotCovered,
}

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
            AdjustmentReason::NonCoveredItem => "96",
            AdjustmentReason::NonCoveredBase | AdjustmentReason::ServiceNotCovered => "204",
            AdjustmentReason::Deductible => "1",
            AdjustmentReason::Coinsurance => "2",
            AdjustmentReason::BenefitMax => "119",
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
        }
    }
}

/// The stable text of an enum value that is stored and sent by name.
pub fn code<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("only enums without fields are named"),
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

/// Which counter (累计): a plan, a period and a responsibility. Keyed by plan, not by version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CounterKey {
    /// The plan.
    pub plan_id: String,
    /// The first day of the benefit period.
    pub period_start: Day,
    /// The responsibility.
    pub responsibility: String,
}

/// What a member has used in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Of the plan's deductible.
    pub deductible: Fen,
    /// Eligible expense that stayed with the person.
    pub burden: Fen,
    /// Paid by the plan.
    pub paid: Fen,
}

impl Counters {
    /// What remains when `earlier` is taken away. Counters only grow along a chain of claims.
    #[must_use]
    pub fn since(self, earlier: Counters) -> Counters {
        Counters {
            deductible: self.deductible - earlier.deductible,
            burden: self.burden - earlier.burden,
            paid: self.paid - earlier.paid,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Counters) -> Counters {
        Counters {
            deductible: self.deductible + other.deductible,
            burden: self.burden + other.burden,
            paid: self.paid + other.paid,
        }
    }
}

/// One counter before and after a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterChange {
    /// Which one.
    #[serde(flatten)]
    pub key: CounterKey,
    /// Before the decision.
    pub before: Counters,
    /// After it.
    pub after: Counters,
}

/// All counters of a member. A missing one is zero.
pub type CounterBook = BTreeMap<CounterKey, Counters>;
