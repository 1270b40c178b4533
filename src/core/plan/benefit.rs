//! What a responsibility pays: a part of a bill, a sum for each day in hospital, or a fixed sum.

use serde::{Deserialize, Serialize};

use super::{Bucket, Condition, LineSelector, Plan};
use crate::core::day::{Day, Period};
use crate::core::decision::{CounterBook, CounterKey, Counters};
use crate::core::money::{Fen, Rate};

/// What a responsibility pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Benefit {
    /// A part of what the person bears of a bill (费用补偿): never more than was really borne.
    Indemnity(Indemnity),
    /// A sum for each day in hospital (住院津贴), whatever the bill says.
    PerDiem(PerDiem),
    /// A fixed sum for an event without a bill (定额给付).
    FixedSum(FixedSum),
}

/// A part of what the person bears of a bill. The fields stand in the order in which they work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indemnity {
    /// Which buckets of the burden make the base.
    pub base: Vec<Bucket>,
    /// The base is taken from these lines alone, for specific drugs say; none for the whole bill.
    pub items: Option<LineSelector>,
    /// The most of the base that counts.
    pub base_max: Option<BaseMax>,
    /// What stays with the person first (起付线, 免赔额).
    pub deductible: Option<Deductible>,
    /// The plan's share of the rest.
    pub share: Share,
    /// Rates that replace a higher one where they apply; the smallest wins.
    pub lower_rates: Vec<LowerRate>,
    /// The most a person bears of the base in a period (个人负担封顶).
    pub out_of_pocket_max: Option<Fen>,
}

/// The most of a base that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseMax {
    /// The amount.
    pub amount: Fen,
    /// In which span.
    pub per: Per,
}

/// In which span an amount or a number of days is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One claim.
    Claim,
    /// One day of a stay: a claim has as many as its stay has days.
    Day,
    /// One stay, with all its interim settlements.
    Stay,
    /// One illness or injury: all claims whose main diagnoses share their ICD-10 category.
    Cause,
    /// One benefit period.
    #[default]
    Period,
    /// Everything the plan ever paid to the person.
    Lifetime,
}

impl Per {
    /// Whether the use is counted over earlier claims, because no counter is kept for the span: a
    /// cause is health data, a stay is over soon, and its days may come in several claims.
    pub fn is_of_claims(self) -> bool {
        matches!(self, Per::Day | Per::Stay | Per::Cause)
    }

    /// Whether it is the benefit period.
    pub fn is_period(&self) -> bool {
        *self == Per::Period
    }
}

/// What stays with the person first (起付线, 免赔额).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deductible {
    /// The amount.
    pub amount: Fen,
    /// In which span it is borne once.
    pub per: Per,
    /// Smaller amounts after whole periods of coverage without a payout, by number of periods.
    pub claim_free: Vec<ClaimFree>,
}

/// A deductible after periods without a payout (无理赔优惠).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimFree {
    /// At least this many unbroken periods.
    pub years: u8,
    /// The deductible then.
    pub amount: Fen,
}

/// The plan's share of what is left of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// One rate for everything.
    Rate(Rate),
    /// Rates by how much has come together (分段累进).
    Tiers {
        /// In which span it comes together.
        per: Per,
        /// From the lowest up; only the last has no end.
        tiers: Vec<Tier>,
    },
    /// What raises the reimbursed share of the expense in scope to this rate (补差): the person is
    /// left with the rest of that expense. Looks at the bill's whole expense in scope.
    RaiseTo(Rate),
}

/// One tier of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Up to which sum it holds; none for the last.
    pub up_to: Option<Fen>,
    /// The plan's share inside it.
    pub rate: Rate,
}

/// A rate that replaces a higher one where it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowerRate {
    /// The rate.
    pub rate: Rate,
    /// For whom or what it applies.
    pub when: Condition,
}

/// The most that is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The amount.
    pub amount: Fen,
    /// In which span.
    pub per: Per,
    /// For whom or what; every limit that applies holds.
    pub when: Condition,
}

/// A sum for each day in hospital (住院津贴).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerDiem {
    /// For each day.
    pub amount: Fen,
    /// Days of a stay that are not paid, the first ones (免赔天数).
    pub after_days: u16,
    /// The most days that are paid.
    pub day_limits: Vec<DayLimit>,
}

/// The most days that are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayLimit {
    /// The days.
    pub days: u16,
    /// In which span.
    pub per: Per,
}

/// A fixed sum for an event without a bill (定额给付).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedSum {
    /// What happened, as events name it: `death`, `disability`, ….
    pub event: String,
    /// The sum insured.
    pub amount: Fen,
    /// The share of the sum by grade, grade 1 first; empty where it does not depend on a grade.
    pub grades: Vec<Rate>,
}

impl Deductible {
    /// The amount for a member who is covered since a day without a break, and the periods without
    /// a payout that made it smaller.
    pub fn reached(
        &self,
        plan: &Plan,
        period: Period,
        covered_since: Day,
        counters: &CounterBook,
    ) -> (Fen, Option<u8>) {
        let Some(most) = self.claim_free.last() else { return (self.amount, None) };
        let years = claim_free_years(plan, period, covered_since, counters, most.years);
        let reached = self.claim_free.iter().rev().find(|it| it.years <= years);
        reached.map_or((self.amount, None), |it| (it.amount, Some(it.years)))
    }
}

/// How many whole periods directly before `period` were covered and without a payout, at most
/// `enough`.
fn claim_free_years(
    plan: &Plan,
    period: Period,
    covered_since: Day,
    counters: &CounterBook,
    enough: u8,
) -> u8 {
    let mut years = 0;
    let mut period = period;
    while years < enough {
        period = plan.period_start.period_of(period.start.previous());
        let is_paid = |(key, used): (&CounterKey, &Counters)| {
            key.plan_id == plan.plan_id && key.period_start == period.start && !used.paid.is_zero()
        };
        if period.start < covered_since || counters.iter().any(is_paid) {
            break;
        }
        years += 1;
    }
    years
}

impl Indemnity {
    pub(super) fn counts_by_claims(&self) -> bool {
        let of_share = match &self.share {
            Share::Tiers { per, .. } => per.is_of_claims(),
            Share::Rate(_) | Share::RaiseTo(_) => false,
        };
        of_share
            || self.base_max.iter().any(|it| it.per.is_of_claims())
            || self.deductible.iter().any(|it| it.per.is_of_claims())
    }
}
