//! Routing rules (审核规则): what of a settlement a person should look at. Each is the plan's data,
//! with its thresholds and what follows from a hit; its number is that of `domain.md` 4.3.
//!
//! Rules see the settlement, the member's book and published figures, and never change an amount.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::claim::{Claim, ClaimId, ClaimState};
use super::day::{Moment, Span};
use super::decision::{CounterBook, Decision, Denial};
use super::figures::{FigureRef, Figures};
use super::identity_card::Sex;
use super::member::Roster;
use super::money::{Fen, Rate};
use super::plan::{CapPer, LineSelector, Plan, Plans};
use super::route::{Reason, ReasonCode};
use super::settlement::{Quantity, Settlement};

mod bill;
mod catalogue;
mod person;
mod stay;

#[cfg(test)]
mod tests;

pub(super) use bill::sender_payout;
pub use catalogue::{BUILT_IN, Described, catalogue, table};

/// What follows from a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A person looks first.
    Review,
    /// It is noted, and the claim goes its way.
    Flag,
    /// Nothing is paid.
    Deny,
}

/// One rule of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What follows from a hit.
    pub action: Action,
    /// What it looks for.
    pub test: Test,
}

/// What a rule looks for, with its thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// F2: another claim has the same invoice.
    DuplicateInvoice,
    /// F3: another settlement of the person has the same hospital, days and total.
    DuplicateStay,
    /// F5: the bill comes to nothing.
    NothingBilled,
    /// F6: two stays share days.
    OverlappingStays {
        /// So many days may be shared: the day of a transfer.
        transfer_days: u16,
    },
    /// F7 (分解住院): back in hospital soon after, with a main diagnosis of the same ICD-10 category.
    Readmission {
        /// So many days after, or fewer.
        days: u16,
        /// A stay in another hospital that begins so many days after, or fewer, is a transfer.
        transfer_days: u16,
        /// Main diagnoses, by prefix, of therapies in cycles.
        exempt_diagnoses: Vec<String>,
    },
    /// F8 (挂床): on too few days of the stay something was done.
    LowIntensity {
        /// Stays of so many days or more.
        stay_days: u16,
        /// On less than this share of them.
        share: Rate,
        /// Charge classes that tell that something was done.
        charge_classes: Vec<String>,
    },
    /// F9: the stay is longer than the hospital's usually are.
    LengthOutlier {
        /// The id of the baseline.
        baseline: String,
        /// So many standard deviations above the mean.
        deviations: Decimal,
    },
    /// F9: a day costs more than it usually does in the hospital.
    CostOutlier {
        /// The id of the baseline.
        baseline: String,
        /// So many standard deviations above the mean.
        deviations: Decimal,
    },
    /// F10: what the plan pays the person in the period comes to more.
    CumulativeCeiling {
        /// Than this.
        amount: Fen,
    },
    /// F11: a diagnosis or an item does not go with the person's sex or age.
    SexAge {
        /// What goes with whom.
        conflicts: Vec<GoesWith>,
    },
    /// F12: more of an item than is plausible.
    Quantity {
        /// The most of each.
        items: Vec<QuantityMax>,
    },
    /// F13: signs of an injury or of a work injury: somebody else may have to pay.
    Injury(Signs),
    /// F14: signs of a birth.
    Maternity(Signs),
    /// F15: the person died; the money goes to others.
    Death {
        /// Ways of leaving hospital (`dscg_way`) that mean death.
        discharge_ways: Vec<String>,
    },
    /// F16: treated elsewhere.
    CrossRegion {
        /// Prefixes of the regions that are home; empty: the city of the platform.
        home: Vec<String>,
    },
    /// F16 (零星报销): settled at the centre from papers.
    ManualReimbursement {
        /// Places of settlement (`pay_loc`) that mean the centre.
        pay_locations: Vec<String>,
    },
    /// F17: on the roster, with no class on the day.
    ClassEnded,
    /// F18: the bill is mostly out of the catalogue or over limit prices.
    OutOfCatalogue {
        /// A larger share than this.
        share: Rate,
    },
    /// F19: many persons have the payee's account.
    SharedAccount {
        /// The id of the figures.
        accounts: String,
        /// More than so many.
        persons: u16,
    },
    /// F20: it came in late.
    LateNotice {
        /// More days after discharge than this.
        days: u16,
    },
    /// F21: the sender computed another payout.
    SenderPayout {
        /// By more than this; none: the sender's own tolerance.
        tolerance: Option<Fen>,
    },
    /// F22: the identity card number is of the first generation, or cannot be one.
    WeakIdentity,
    /// F22: the roster has another name.
    NameDiffers,
}

/// Signs of something, each enough by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signs {
    /// Prefixes of medical categories.
    pub medical_categories: Vec<String>,
    /// Prefixes of diagnoses.
    pub diagnoses: Vec<String>,
    /// Funds that paid.
    pub funds: Vec<String>,
}

/// Whom diagnoses or items go with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoesWith {
    /// Prefixes of diagnoses.
    pub diagnoses: Vec<String>,
    /// National item codes, by prefix.
    pub item_codes: Vec<String>,
    /// Only with this sex.
    pub sex: Option<Sex>,
    /// Only at these ages, in whole years, both included.
    pub ages: Option<(u16, u16)>,
}

/// The most of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantityMax {
    /// What it is, for people.
    pub name: String,
    /// The lines.
    pub lines: LineSelector,
    /// The most.
    pub most: Quantity,
    /// Of which unit it is the most.
    pub per: CapPer,
}

/// A rule that hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What follows.
    pub action: Action,
    /// What it saw.
    pub reason: Reason,
}

/// Everything rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The settlement.
    pub settlement: &'a Settlement,
    /// Its figure.
    pub decision: &'a Decision,
    /// The plan.
    pub plan: &'a Plan,
    /// The member, ours.
    pub member_id: &'a str,
    /// What the roster says.
    pub roster: &'a Roster,
    /// What the member had used before.
    pub counters: &'a CounterBook,
    /// When it came in.
    pub received: Moment,
    /// The claim itself.
    pub claim_id: ClaimId,
    /// The claim that had the invoice when this one came.
    pub invoice_of: Option<ClaimId>,
    /// The member's other claims, as far as any rule may look at them.
    pub others: &'a [Arc<Claim>],
    /// Published figures.
    pub figures: &'a Figures,
    /// The versions it was first looked at with.
    pub first_figures: &'a [FigureRef],
}

impl<'a> Facts<'a> {
    /// The claims that came before this one and were not taken back, of settlements with other ids.
    /// A claim that stood is never doubted for one that came after it.
    fn earlier(&self) -> impl Iterator<Item = &'a Claim> + use<'a> {
        let own = (self.received, self.claim_id);
        let claims = self.others.iter().map(AsRef::as_ref);
        claims.filter(move |it| (it.create_time, it.id) < own && it.state() != ClaimState::Voided)
    }
}

impl Test {
    /// How many days from a stay another one can lie that the rule looks at; `None` where it looks
    /// at none.
    fn reach_days(&self) -> Option<u16> {
        match self {
            Test::Readmission { days, .. } => Some(*days),
            Test::DuplicateStay | Test::OverlappingStays { .. } => Some(0),
            _ => None,
        }
    }

    /// What a hit is called.
    pub fn code(&self) -> ReasonCode {
        match self {
            Test::DuplicateInvoice => ReasonCode::DuplicateInvoice,
            Test::DuplicateStay => ReasonCode::DuplicateStay,
            Test::NothingBilled => ReasonCode::NothingBilled,
            Test::OverlappingStays { .. } => ReasonCode::OverlappingStays,
            Test::Readmission { .. } => ReasonCode::Readmission,
            Test::LowIntensity { .. } => ReasonCode::LowIntensity,
            Test::LengthOutlier { .. } => ReasonCode::LengthOutlier,
            Test::CostOutlier { .. } => ReasonCode::CostOutlier,
            Test::CumulativeCeiling { .. } => ReasonCode::CumulativeCeiling,
            Test::SexAge { .. } => ReasonCode::SexAge,
            Test::Quantity { .. } => ReasonCode::Quantity,
            Test::Injury(_) => ReasonCode::Injury,
            Test::Maternity(_) => ReasonCode::Maternity,
            Test::Death { .. } => ReasonCode::Death,
            Test::CrossRegion { .. } => ReasonCode::CrossRegion,
            Test::ManualReimbursement { .. } => ReasonCode::ManualReimbursement,
            Test::ClassEnded => ReasonCode::ClassEnded,
            Test::OutOfCatalogue { .. } => ReasonCode::OutOfCatalogue,
            Test::SharedAccount { .. } => ReasonCode::SharedAccount,
            Test::LateNotice { .. } => ReasonCode::LateNotice,
            Test::SenderPayout { .. } => ReasonCode::SenderPayoutDiffers,
            Test::WeakIdentity => ReasonCode::WeakIdentity,
            Test::NameDiffers => ReasonCode::NameDiffers,
        }
    }

    /// What the rule saw, where it hits. Several hits of one rule are one, with the evidence of all.
    fn evidence(&self, facts: Facts<'_>) -> Option<Vec<(String, String)>> {
        match self {
            Test::DuplicateStay => stay::duplicate(facts),
            Test::OverlappingStays { transfer_days } => stay::overlapping(facts, *transfer_days),
            Test::Readmission { days, transfer_days, exempt_diagnoses } => {
                stay::readmission(facts, *days, *transfer_days, exempt_diagnoses)
            }
            Test::LowIntensity { stay_days, share, charge_classes } => {
                stay::low_intensity(facts, *stay_days, *share, charge_classes)
            }
            Test::LengthOutlier { baseline, deviations } => {
                stay::length_outlier(facts, baseline, *deviations)
            }
            Test::CostOutlier { baseline, deviations } => {
                stay::cost_outlier(facts, baseline, *deviations)
            }
            Test::Death { discharge_ways } => stay::death(facts, discharge_ways),
            Test::CrossRegion { home } => stay::cross_region(facts, home),
            Test::LateNotice { days } => stay::late_notice(facts, *days),
            Test::DuplicateInvoice => bill::duplicate_invoice(facts),
            Test::NothingBilled => bill::nothing_billed(facts),
            Test::CumulativeCeiling { amount } => bill::cumulative_ceiling(facts, *amount),
            Test::Quantity { items } => bill::quantity(facts, items),
            Test::Injury(signs) | Test::Maternity(signs) => bill::signs(facts, signs),
            Test::ManualReimbursement { pay_locations } => {
                bill::manual_reimbursement(facts, pay_locations)
            }
            Test::OutOfCatalogue { share } => bill::out_of_catalogue(facts, *share),
            Test::SenderPayout { tolerance } => {
                bill::sender_payout(facts.settlement, facts.decision, *tolerance)
            }
            Test::SexAge { conflicts } => person::sex_age(facts, conflicts),
            Test::ClassEnded => person::class_ended(facts),
            Test::SharedAccount { accounts, persons } => {
                person::shared_account(facts, accounts, *persons)
            }
            Test::WeakIdentity => person::weak_identity(facts),
            Test::NameDiffers => person::name_differs(facts),
        }
    }
}

/// Every rule of the plan that hits, in the plan's order.
pub fn hits(facts: Facts<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for rule in &facts.plan.rules {
        if let Some(evidence) = rule.test.evidence(facts) {
            let reason = Reason { code: rule.test.code(), evidence };
            hits.push(Hit { action: rule.action, reason });
        }
    }
    hits
}

/// The versions of the figures that the plan's rules look at.
pub fn figures_used(facts: Facts<'_>) -> Vec<FigureRef> {
    use super::figures::FigureKind;
    let mut used = Vec::new();
    for rule in &facts.plan.rules {
        let (kind, id, version) = match &rule.test {
            Test::LengthOutlier { baseline, .. } | Test::CostOutlier { baseline, .. } => {
                let known = facts.figures.baseline(baseline, facts.first_figures);
                (FigureKind::Baseline, baseline, known.map(|it| it.version.clone()))
            }
            Test::SharedAccount { accounts, .. } => {
                let known = facts.figures.accounts(accounts, facts.first_figures);
                (FigureKind::SharedAccounts, accounts, known.map(|it| it.version.clone()))
            }
            _ => continue,
        };
        let figure = FigureRef { kind, id: id.clone(), version };
        if !used.contains(&figure) {
            used.push(figure);
        }
    }
    used
}

impl Plan {
    /// Whether a rule looks at the invoice, which is looked for among all members.
    pub fn looks_at_invoices(&self) -> bool {
        self.rules.iter().any(|rule| rule.test == Test::DuplicateInvoice)
    }
}

impl Plans {
    /// The days of a stay and those around it within which the rules of any plan look at other stays;
    /// `None` where none does, or the settlement states no stay.
    pub fn reach_of(&self, settlement: &Settlement) -> Option<Span> {
        let rules = self.all().flat_map(|plan| &plan.rules);
        let reach = rules.filter_map(|rule| rule.test.reach_days()).max()?;
        let Span { start, end } = settlement.stay()?;
        let (mut first, mut last) = (start, end?);
        for _ in 0..reach {
            (first, last) = (first.previous(), last.next());
        }
        Some(Span { start: first, end: Some(last) })
    }
}

/// What a claim is denied for where a rule of the plan says so.
pub fn denial_of(code: ReasonCode) -> Denial {
    match code {
        ReasonCode::DuplicateInvoice | ReasonCode::DuplicateStay => Denial::Duplicate,
        ReasonCode::Injury => Denial::OtherLiability,
        ReasonCode::Maternity => Denial::Excluded,
        ReasonCode::LateNotice => Denial::FilingLimit,
        _ => Denial::Rule,
    }
}

/// One piece of evidence.
#[expect(clippy::needless_pass_by_value, reason = "numbers are as good as references here")]
fn told(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
