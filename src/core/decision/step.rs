//! The steps of a decision: one rule's effect each, with what is needed to redo it.

use serde::{Deserialize, Serialize};

use super::Denial;
use crate::core::money::{Fen, Rate};
use crate::core::plan::{CapPer, Per};

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
///
/// A `group` names the group whose counters were used instead of the responsibility's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Why {
    /// From the bill to the burden: what funds and hospital bore.
    PriorPayers {
        /// What all funds paid that come before this plan.
        funds: Fen,
        /// What the hospital bears.
        hospital: Fen,
        /// What payers that come after this plan have paid already; it is in the amount after.
        #[serde(default, skip_serializing_if = "Fen::is_zero")]
        later: Fen,
    },
    /// What was paid from the personal account is not counted.
    AccountMoney {
        /// The amount.
        account: Fen,
    },
    /// From the burden to the eligible part: lines that the plan excludes.
    ExcludedLines {
        /// What the excluded lines took away.
        ineligible: Fen,
        /// Their line numbers.
        lines: Vec<String>,
    },
    /// Lines that count up to an amount only.
    ItemMax {
        /// What is capped.
        item: String,
        /// The most that counts.
        limit: Fen,
        /// Of which unit it is the most.
        per: CapPer,
        /// How many days the stay has, where the cap is by day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u16>,
        /// What the lines came to.
        amount: Fen,
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
        /// Its name.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
    },
    /// The most of a base that counts.
    BaseMax {
        /// The responsibility.
        responsibility: String,
        /// The most.
        limit: Fen,
        /// In which span.
        #[serde(default, skip_serializing_if = "Per::is_period")]
        per: Per,
        /// Counted by earlier claims.
        used: Fen,
    },
    /// What is left of a deductible (起付线).
    Deductible {
        /// The responsibility.
        responsibility: String,
        /// The group that shares it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// The deductible.
        limit: Fen,
        /// In which span it is borne once.
        #[serde(default, skip_serializing_if = "Per::is_period")]
        per: Per,
        /// Used before.
        used: Fen,
        /// Taken now.
        taken: Fen,
        /// The periods without a payout that made it smaller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim_free_years: Option<u8>,
    },
    /// The plan's share.
    Rate {
        /// The responsibility.
        responsibility: String,
        /// The share.
        rate: Rate,
        /// Why it is not the full one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lowered: Option<Lowered>,
    },
    /// The plan's share by tiers.
    Tiers {
        /// The responsibility.
        responsibility: String,
        /// What came together before, in `per`.
        used: Fen,
        /// In which span it comes together.
        #[serde(default, skip_serializing_if = "Per::is_period")]
        per: Per,
        /// What falls into each tier now; tiers without anything are left out.
        shares: Vec<TierShare>,
        /// Why a tier has not its full rate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lowered: Option<Lowered>,
    },
    /// What raises the reimbursed share of the expense to a rate.
    RaiseTo {
        /// The responsibility.
        responsibility: String,
        /// The rate.
        rate: Rate,
        /// The expense in scope.
        expense: Fen,
    },
    /// The most a person bears in a period.
    OutOfPocketMax {
        /// The responsibility.
        responsibility: String,
        /// The group that shares it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// The most.
        limit: Fen,
        /// Borne before.
        used: Fen,
        /// What the person bears of this base without the maximum.
        borne: Fen,
    },
    /// A sum for each day in hospital.
    PerDiem {
        /// The responsibility.
        responsibility: String,
        /// Its name.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
        /// For each day.
        daily: Fen,
        /// The days of the stay.
        days: u16,
        /// Of them not paid, the first ones of the stay.
        unpaid_days: u16,
    },
    /// The most days that are paid.
    DayLimit {
        /// The responsibility.
        responsibility: String,
        /// The most days.
        limit: u16,
        /// In which span.
        #[serde(default, skip_serializing_if = "Per::is_period")]
        per: Per,
        /// Paid before.
        used: u32,
        /// For each day.
        daily: Fen,
    },
    /// A fixed sum for an event.
    FixedSum {
        /// The responsibility.
        responsibility: String,
        /// Its name.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
        /// The sum insured.
        sum: Fen,
        /// The share of the sum: by grade, which stays with the facts.
        rate: Rate,
    },
    /// What is left of a limit (限额). Decisions of engine 1 have the other code.
    #[serde(alias = "PERIOD_LIMIT")]
    Limit {
        /// The responsibility.
        responsibility: String,
        /// The group that shares it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// The limit; by day it is that of a day times the days.
        limit: Fen,
        /// In which span.
        #[serde(default, skip_serializing_if = "Per::is_period")]
        per: Per,
        /// Paid before.
        used: Fen,
    },
    /// Never more than was really borne.
    ReallyBorne {
        /// The responsibility.
        responsibility: String,
        /// What is left to be borne.
        borne: Fen,
    },
    /// A reviewer set another amount than the rules give.
    Reviewed {
        /// The responsibility.
        responsibility: String,
    },
    /// The payout: the sum of all responsibilities.
    Payout,
}

/// Why a rate is lower than the full one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Lowered {
    /// 既往症.
    PreExisting,
    /// 未经医保结算.
    WithoutBasicInsurance,
    /// The member's class.
    Class,
    /// The hospital.
    Hospital,
    /// The region of treatment.
    Region,
    /// The kind of treatment or illness.
    Service,
}

/// What falls into one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierShare {
    /// How much.
    pub amount: Fen,
    /// The plan's share of it.
    pub rate: Rate,
}

impl Why {
    /// The responsibility whose chain the step belongs to; empty for the claim's own.
    pub fn responsibility(&self) -> &str {
        match self {
            Why::Base { responsibility, .. }
            | Why::BaseMax { responsibility, .. }
            | Why::Deductible { responsibility, .. }
            | Why::Rate { responsibility, .. }
            | Why::Tiers { responsibility, .. }
            | Why::RaiseTo { responsibility, .. }
            | Why::OutOfPocketMax { responsibility, .. }
            | Why::PerDiem { responsibility, .. }
            | Why::DayLimit { responsibility, .. }
            | Why::FixedSum { responsibility, .. }
            | Why::Limit { responsibility, .. }
            | Why::ReallyBorne { responsibility, .. }
            | Why::Reviewed { responsibility } => responsibility,
            Why::PriorPayers { .. }
            | Why::AccountMoney { .. }
            | Why::ExcludedLines { .. }
            | Why::ItemMax { .. }
            | Why::Denied { .. }
            | Why::Payout => "",
        }
    }
}
