//! What a decision (理算结果) is made of: steps, adjustments, counters before and after.

use serde::{Deserialize, Serialize};

use super::day::{Day, Period};
use super::money::Fen;

mod adjustment;
mod counter;
mod step;

pub use adjustment::{Adjustment, AdjustmentGroup, AdjustmentReason, LineDecision};
pub use counter::{CounterBook, CounterChange, CounterKey, Counters};
pub use step::{Lowered, Step, TierShare, Why};

/// What the plan pays for one settlement, and why. Made by [`super::adjudicate`] only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The settled total, which adjustments and indemnity add up to.
    pub total: Fen,
    /// What the person bears before this plan: `eligible + ineligible`.
    pub burden: Fen,
    /// Of it what the plan looks at.
    pub eligible: Fen,
    /// Of the payout what is paid whatever the bill says: sums by day or event (定额给付). The rest
    /// is indemnity.
    #[serde(default, skip_serializing_if = "Fen::is_zero")]
    pub fixed: Fen,
    /// The day that decides coverage, version and period.
    pub attribution_date: Day,
    /// The benefit period (保单年度) whose counters were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The chain from total to payout: the claim's own steps, then each responsibility's from its
    /// base to its amount, then the sum.
    pub steps: Vec<Step>,
    /// Who bears what and for which reason; with the indemnity they add up to `total`.
    pub adjustments: Vec<Adjustment>,
    /// The same for each fee line, in the settlement's order; empty without lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineDecision>,
    /// Every counter that was read, before and after.
    pub counters: Vec<CounterChange>,
}

impl Decision {
    /// What the plan pays: where the chain of steps ends. Not stored beside the chain, so the two
    /// cannot disagree.
    pub fn payout(&self) -> Fen {
        self.steps.last().map_or(Fen::ZERO, |step| step.after)
    }

    /// Of the payout what replaces money that the person really bore.
    pub fn indemnity(&self) -> Fen {
        self.payout() - self.fixed
    }

    /// The part of the burden that the plan does not look at.
    pub fn ineligible(&self) -> Fen {
        self.burden - self.eligible
    }

    /// What stays with the person of the bill. A fixed sum does not lessen it.
    pub fn patient_share(&self) -> Fen {
        self.burden - self.indemnity()
    }

    /// The plan's deductibles taken from this settlement.
    pub fn deductible(&self) -> Fen {
        let taken = |step: &Step| match step.why {
            Why::Deductible { taken, .. } => taken,
            _ => Fen::ZERO,
        };
        self.steps.iter().map(taken).sum()
    }

    /// The sum of the adjustments for one reason.
    pub fn adjusted(&self, reason: AdjustmentReason) -> Fen {
        let of_reason = |adjustment: &&Adjustment| adjustment.reason == reason;
        self.adjustments.iter().filter(of_reason).map(|adjustment| adjustment.amount).sum()
    }

    /// Why nothing at all is paid; `None` when something could be.
    pub fn denial(&self) -> Option<Denial> {
        self.steps.iter().find_map(|step| match step.why {
            Why::Denied { denial } => Some(denial),
            _ => None,
        })
    }
}

/// Why a claim is denied at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// No responsibility covers the member's class.
    ClassNotCovered,
    /// No responsibility covers this hospital.
    HospitalNotCovered,
    /// No responsibility covers treatment in this region.
    RegionNotCovered,
    /// No responsibility covers an illness that was known before the unbroken coverage.
    PreExisting,
    /// The waiting period has not ended.
    WaitingPeriod,
    /// The claim came in too late.
    FilingLimit,
    /// A reviewer: the same expense was claimed before.
    Duplicate,
    /// A reviewer: the expense was not necessary or not reasonable.
    NotNecessary,
    /// A reviewer: the material does not prove the claim.
    NotProved,
    /// A reviewer: somebody else has to pay, after a work injury or an accident say.
    OtherLiability,
    /// A reviewer: an exclusion of the terms applies.
    Excluded,
    /// A reviewer: the bill is not that of the member.
    OtherPerson,
    /// A reviewer: what was claimed is false.
    Untrue,
    /// A routing rule of the plan.
    Rule,
}

impl Denial {
    /// The number of the nearest claim adjustment reason code (`domain.md` 5).
    pub fn carc(self) -> &'static str {
        match self {
            Denial::NotEligible | Denial::OtherPerson => "31",
            Denial::BeforeCoverage | Denial::PlanNotInForce => "26",
            Denial::AfterCoverage => "27",
            Denial::ServiceNotCovered
            | Denial::ClassNotCovered
            | Denial::HospitalNotCovered
            | Denial::RegionNotCovered => "204",
            Denial::PreExisting => "51",
            Denial::WaitingPeriod => "179",
            Denial::FilingLimit => "29",
            Denial::Duplicate => "18",
            Denial::NotNecessary => "50",
            Denial::NotProved => "16",
            Denial::OtherLiability => "20",
            Denial::Excluded | Denial::Rule => "96",
            Denial::Untrue => "216",
        }
    }

    /// What only a reviewer denies with; the others are found by the rules.
    pub const OF_REVIEWERS: [Denial; 7] = [
        Denial::Duplicate,
        Denial::NotNecessary,
        Denial::NotProved,
        Denial::OtherLiability,
        Denial::Excluded,
        Denial::OtherPerson,
        Denial::Untrue,
    ];
}

/// The stable text of an enum value that is stored and sent by name.
pub fn code<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("only enums without fields are named"),
    }
}
