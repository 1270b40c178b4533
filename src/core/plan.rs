//! A plan (方案) as data: what [`super::adjudicate`] follows. Read from a document by
//! [`super::plan_document`]; immutable once published.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::day::{Day, PeriodStart};
use super::money::{Fen, Rate};
use super::settlement::{Line, Settlement};

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
    /// On which day benefit periods begin. The same in all versions of a plan.
    pub period_start: PeriodStart,
    /// Which day of a settlement decides coverage, version and period. The same in all versions.
    pub attribution: Attribution,
    /// Who hands the money to the person.
    pub payment_mode: PaymentMode,
    /// Facts without which a claim stays `INCOMPLETE`.
    pub required_facts: Vec<Fact>,
    /// What the plan pays for.
    pub responsibilities: Vec<Responsibility>,
    /// Lines that the plan never pays for.
    pub exclusions: Vec<Exclusion>,
    /// A payout above it is reviewed by a person (F10 in `domain.md` 4.3).
    pub green_ceiling: Fen,
    /// SHA-256 of the document, in hex.
    pub hash: String,
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
    pub fn day_of(self, settlement: &Settlement) -> Option<Day> {
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
    /// Fee lines.
    Lines,
    /// An invoice number.
    Invoice,
    /// At least one diagnosis.
    Diagnosis,
}

impl Fact {
    /// Whether `settlement` states it.
    pub fn is_stated(self, settlement: &Settlement) -> bool {
        match self {
            Fact::Stay => {
                settlement.admission_date.is_some() && settlement.discharge_date.is_some()
            }
            Fact::Hospital => settlement.hospital_code.is_some(),
            Fact::Lines => !settlement.lines.is_empty(),
            Fact::Invoice => settlement.invoice_no.is_some(),
            Fact::Diagnosis => !settlement.diagnoses.is_empty(),
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
    /// Prefixes of the medical categories it covers (`med_type`); empty for all.
    pub medical_categories: Vec<String>,
    /// Which buckets of the burden make its base.
    pub base: Vec<Bucket>,
    /// The deductible of a person and period.
    pub deductible: Option<Fen>,
    /// The plan's share.
    pub rate: Rate,
    /// The most it pays to a person in a period.
    pub period_limit: Option<Fen>,
}

impl Responsibility {
    /// Whether it covers this kind of treatment. An unstated category is not held against anybody.
    pub fn covers(&self, settlement: &Settlement) -> bool {
        let Some(category) = &settlement.medical_category else { return true };
        self.medical_categories.is_empty()
            || self.medical_categories.iter().any(|prefix| category.starts_with(prefix.as_str()))
    }
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

/// Lines that the plan never pays for: any of the three marks is enough (`domain.md` 3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// What is excluded, for people.
    pub name: String,
    /// National item codes, exact.
    pub item_codes: Vec<String>,
    /// Charge classes (`med_chrgitm_type`), exact.
    pub charge_classes: Vec<String>,
    /// Parts of the item's name.
    pub keywords: Vec<String>,
}

impl Exclusion {
    /// Whether `line` is meant: by item code first, then charge class, then keyword.
    pub fn matches(&self, line: &Line) -> bool {
        let is_code = line
            .item_code
            .as_ref()
            .is_some_and(|code| self.item_codes.iter().any(|excluded| excluded == code.reveal()));
        let is_class =
            line.charge_class.as_ref().is_some_and(|class| self.charge_classes.contains(class));
        let is_named = line.item_name.as_ref().is_some_and(|name| {
            self.keywords.iter().any(|keyword| name.reveal().contains(keyword.as_str()))
        });
        is_code || is_class || is_named
    }
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
}

/// All published plans, each with its versions by first day.
#[derive(Debug, Clone, Default)]
pub struct Plans(BTreeMap<String, Vec<Arc<Plan>>>);

impl Plans {
    /// Adds a version. One that is known already stays as it is: versions are immutable.
    pub fn publish(&mut self, plan: Arc<Plan>) {
        let versions = self.0.entry(plan.plan_id.clone()).or_default();
        if versions.iter().all(|known| known.version != plan.version) {
            versions.push(plan);
            versions.sort_by_key(|version| version.start_date);
        }
    }

    /// All versions of one plan, by first day.
    pub fn versions(&self, plan_id: &str) -> &[Arc<Plan>] {
        self.0.get(plan_id).map_or(&[], Vec::as_slice)
    }

    /// One version by name.
    pub fn version(&self, plan_id: &str, version: &str) -> Option<&Arc<Plan>> {
        self.versions(plan_id).iter().find(|plan| plan.version == version)
    }

    /// The version in force on `day`.
    pub fn in_force(&self, plan_id: &str, day: Day) -> Option<&Arc<Plan>> {
        self.versions(plan_id).iter().rev().find(|plan| plan.start_date <= day)
    }

    /// Every version of every plan.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.0.values().flatten()
    }
}
