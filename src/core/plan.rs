//! A plan (方案) as data: what [`super::adjudicate`] follows. Read from a document by
//! [`document`]; immutable once published.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clocks::ClockRules;
use super::day::{Day, PeriodStart};
use super::figures::{Figure, Figures};
use super::money::{Fen, Rounding};
use super::rules::Rule;
use super::settlement::Settlement;

#[cfg(test)]
pub(crate) mod arbitrary;
mod benefit;
mod condition;
pub mod document;
mod lines;
mod summary;

pub use benefit::{
    BaseMax, Benefit, ClaimFree, DayLimit, Deductible, FixedSum, Indemnity, Limit, LowerRate, Per,
    PerDiem, Share, Tier,
};
pub use condition::{Answer, Circumstances, ClassRange, Condition};
pub use lines::{CapPer, Exclusion, ItemCap, Keyword, LineSelector, name_of};
pub use summary::summary;

/// One published version of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plan.
    pub plan_id: String,
    /// The version, unique inside the plan.
    pub version: String,
    /// The programme's name.
    pub name: String,
    /// The first attribution date this version decides.
    pub start_date: Day,
    /// The last one, where the programme ends with it.
    pub end_date: Option<Day>,
    /// On which day benefit periods begin. The same in all versions of a plan.
    pub period_start: PeriodStart,
    /// Which day of a settlement decides coverage, version and period. The same in all versions.
    pub attribution: Attribution,
    /// Who hands the money to the person.
    pub payment_mode: PaymentMode,
    /// How an amount at a rate becomes whole fen.
    pub rounding: Rounding,
    /// In which order the claims of a member are decided. The same in all versions of a plan.
    pub claim_order: ClaimOrder,
    /// What becomes of money that has to come back.
    pub recovery: RecoveryMode,
    /// Whether what the person paid from the personal account counts as borne.
    pub account_money: AccountMoney,
    /// What happens when lines could be excluded and none are known.
    pub lines_absent: LinesAbsent,
    /// A claim that comes in more days after discharge is denied (申请时效).
    pub filing_days: Option<u16>,
    /// How many days may lie between two coverages of the plan that count as renewed (续保).
    pub renewal_gap_days: u16,
    /// Fund codes that pay after this plan although a settlement lists them among the funds: their
    /// money is left in the base, and the payout never goes beyond what was really borne.
    pub later_payers: Vec<String>,
    /// Facts without which a claim stays `INCOMPLETE`.
    pub required_facts: Vec<Fact>,
    /// What the plan pays for. Their order is the order in which they take from a bill and use up
    /// what they share.
    pub responsibilities: Vec<Responsibility>,
    /// Responsibilities that share a deductible, a maximum or limits.
    pub groups: Vec<Group>,
    /// Lines that the plan never pays for.
    pub exclusions: Vec<Exclusion>,
    /// Lines that the plan counts up to an amount only.
    pub item_caps: Vec<ItemCap>,
    /// A payout above it is reviewed by a person (F10 in `domain.md` 4.3).
    pub green_ceiling: Fen,
    /// A payout above it needs two reviewers (双人复核); none: one is enough.
    pub four_eyes_above: Option<Fen>,
    /// What a person should look at, in the order of their numbers (F1–F23 in `domain.md` 4.3).
    pub rules: Vec<Rule>,
    /// How long its claims may take (`domain.md` 4.4).
    pub clocks: ClockRules,
    /// SHA-256 of the document, in hex.
    pub hash: String,
}

/// In which order the claims of a member use up what they share (M8 in `domain.md` 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimOrder {
    /// As they came in. One that comes late changes nothing of the others.
    #[default]
    Processed,
    /// By the day of service, then by the time of settlement. One that comes late takes its place,
    /// and those behind it are decided again.
    ServiceDate,
}

/// What becomes of money that has to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryMode {
    /// It is collected from whom it was paid to.
    #[default]
    Collect,
    /// It is set off against the member's next payouts under the plan (冲抵).
    Offset,
}

/// Whether what was paid from the personal account (个人账户) counts as borne by the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountMoney {
    /// It is the person's own money, as mainstream products have it (`domain.md` 3.1).
    #[default]
    OwnMoney,
    /// It stays with the person and is no base of any benefit.
    NotCounted,
}

/// What happens when a plan excludes or caps lines and a settlement has none (`domain.md` 3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinesAbsent {
    /// No line is taken to be excluded.
    #[default]
    Eligible,
    /// A person looks first.
    Review,
}

/// Which day of a settlement decides coverage, version and benefit period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The day basic insurance settled (结算日).
    Settlement,
    /// The last day of the stay (出院日).
    Discharge,
    /// The first day of the stay (入院日).
    Admission,
}

impl Attribution {
    /// The deciding day; `None` when the settlement does not state it.
    ///
    /// What happened without a bill has one day only: its own.
    pub fn day_of(self, settlement: &Settlement) -> Option<Day> {
        if let Some(event) = &settlement.event {
            return Some(event.event_date);
        }
        match self {
            Attribution::Settlement => settlement.settle_time.and_then(super::day::Moment::day),
            Attribution::Discharge => settlement.discharge_date,
            Attribution::Admission => settlement.admission_date,
        }
    }
}

/// Who hands the money to the person (`domain.md` 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMode {
    /// 直赔: the hospital deducts it at the window and is paid later.
    HospitalDeducts,
    /// 快赔: transferred to the member's payee after discharge.
    Transfer,
}

/// A fact that a plan may require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Admission and discharge dates.
    Stay,
    /// The hospital's code.
    Hospital,
    /// Fee lines, up to the whole bill.
    Lines,
    /// An invoice number.
    Invoice,
    /// At least one diagnosis.
    Diagnosis,
    /// The medical category.
    MedicalCategory,
    /// The hospital's level.
    HospitalLevel,
    /// The region of treatment.
    Region,
}

impl Fact {
    /// Whether `settlement` states it.
    pub fn is_stated(self, settlement: &Settlement) -> bool {
        match self {
            Fact::Stay => {
                settlement.admission_date.is_some() && settlement.discharge_date.is_some()
            }
            Fact::Hospital => settlement.hospital_code.is_some(),
            Fact::Lines => settlement.has_all_lines(),
            Fact::Invoice => settlement.invoice_no.is_some(),
            Fact::Diagnosis => !settlement.diagnoses.is_empty(),
            Fact::MedicalCategory => settlement.medical_category.is_some(),
            Fact::HospitalLevel => settlement.hospital_level.is_some(),
            Fact::Region => settlement.region.is_some(),
        }
    }
}

/// One benefit inside a plan (保险责任).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responsibility {
    /// Its id, unique inside the plan; the counters carry it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// When it applies.
    pub when: Condition,
    /// How long after the unbroken coverage began it applies (等待期).
    pub waiting: Option<Waiting>,
    /// What it pays.
    pub benefit: Benefit,
    /// The most it pays. Every limit that applies holds.
    pub limits: Vec<Limit>,
}

/// A waiting period (等待期). It runs from the first day of unbroken coverage, so that a renewal
/// does not begin it anew (`domain.md` 3.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its days: with 30, the 31st day of coverage is the first that is paid for.
    pub days: u16,
    /// What is paid for from the first day, an accident say.
    pub unless: Option<Condition>,
}

/// Responsibilities that share a deductible, a maximum or limits. Its counters are kept under its
/// own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id, unique among the responsibilities and groups of the plan.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The ids of the responsibilities, at least two.
    pub responsibilities: Vec<String>,
    /// The deductible they share: used up in the order in which the plan names them.
    pub deductible: Option<Deductible>,
    /// The most a person bears of what they count, in a period.
    pub out_of_pocket_max: Option<Fen>,
    /// The most they pay together.
    pub limits: Vec<Limit>,
}

/// A part of the personal burden (`domain.md` 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// 全自费.
    OutOfCatalogue,
    /// 超限价.
    OverLimit,
    /// 先行自付.
    AdvanceSelfPay,
    /// 起付线 of basic insurance.
    BasicDeductible,
    /// 统筹后自付.
    InScopeCopay,
}

impl Bucket {
    /// All of them, in the order of `domain.md` 3.1.
    pub const ALL: [Bucket; 5] = [
        Bucket::OutOfCatalogue,
        Bucket::OverLimit,
        Bucket::AdvanceSelfPay,
        Bucket::BasicDeductible,
        Bucket::InScopeCopay,
    ];
}

/// Names one published version exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRef {
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its document, in hex.
    pub hash: String,
}

impl Plan {
    /// The name of this version.
    pub fn reference(&self) -> PlanRef {
        PlanRef {
            plan_id: self.plan_id.clone(),
            version: self.version.clone(),
            hash: self.hash.clone(),
        }
    }

    /// Whether it decides on `day`.
    pub fn is_in_force(&self, day: Day) -> bool {
        self.start_date <= day && self.end_date.is_none_or(|end| day <= end)
    }

    /// Whether lines can change what it pays.
    pub fn looks_at_lines(&self) -> bool {
        let has_items = |responsibility: &Responsibility| match &responsibility.benefit {
            Benefit::Indemnity(indemnity) => indemnity.items.is_some(),
            Benefit::PerDiem(_) | Benefit::FixedSum(_) => false,
        };
        !self.exclusions.is_empty()
            || !self.item_caps.is_empty()
            || self.responsibilities.iter().any(has_items)
    }

    /// Whether a decision needs the member's earlier claims, not only the counters: something is
    /// counted by stay or by cause.
    pub fn counts_by_claims(&self) -> bool {
        let of_groups = self.groups.iter().any(|group| {
            group.deductible.iter().any(|it| it.per.is_of_claims())
                || group.limits.iter().any(|limit| limit.per.is_of_claims())
        });
        let of_caps = self.item_caps.iter().any(|cap| cap.per == CapPer::Day);
        of_groups || of_caps || self.responsibilities.iter().any(Responsibility::counts_by_claims)
    }
}

impl Responsibility {
    fn counts_by_claims(&self) -> bool {
        let of_benefit = match &self.benefit {
            Benefit::Indemnity(indemnity) => indemnity.counts_by_claims(),
            // Interim settlements of one stay may state the same days.
            Benefit::PerDiem(_) => true,
            Benefit::FixedSum(_) => false,
        };
        of_benefit || self.limits.iter().any(|limit| limit.per.is_of_claims())
    }
}

/// All published plans, each with its versions by first day, and the figures that their rules and
/// clocks look at.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    plans: BTreeMap<String, Vec<Arc<Plan>>>,
    figures: Figures,
}

impl Plans {
    /// Adds a version. One that is known already stays as it is: versions are immutable.
    pub fn publish(&mut self, plan: Arc<Plan>) {
        let versions = self.plans.entry(plan.plan_id.clone()).or_default();
        if versions.iter().all(|known| known.version != plan.version) {
            versions.push(plan);
            versions.sort_by_key(|version| version.start_date);
        }
    }

    /// All versions of one plan, by first day.
    pub fn versions(&self, plan_id: &str) -> &[Arc<Plan>] {
        self.plans.get(plan_id).map_or(&[], Vec::as_slice)
    }

    /// One version by name.
    pub fn version(&self, plan_id: &str, version: &str) -> Option<&Arc<Plan>> {
        self.versions(plan_id).iter().find(|plan| plan.version == version)
    }

    /// The version in force on `day`: the newest that has begun, unless it has ended.
    pub fn in_force(&self, plan_id: &str, day: Day) -> Option<&Arc<Plan>> {
        let begun = self.versions(plan_id).iter().rev().find(|plan| plan.start_date <= day);
        begun.filter(|plan| plan.is_in_force(day))
    }

    /// The versions of one plan share their order; a plan that nobody published has the usual one.
    pub fn order_of(&self, plan_id: &str) -> ClaimOrder {
        self.versions(plan_id).first().map(|plan| plan.claim_order).unwrap_or_default()
    }

    /// Whether any plan decides claims in another order than they come in.
    pub fn any_by_service_date(&self) -> bool {
        let first_versions = self.plans.values().filter_map(|versions| versions.first());
        first_versions.into_iter().any(|plan| plan.claim_order == ClaimOrder::ServiceDate)
    }

    /// Every version of every plan.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values().flatten()
    }

    /// Adds a version of figures.
    pub fn publish_figure(&mut self, figure: Figure) {
        self.figures.publish(figure);
    }

    /// Published figures.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }
}
