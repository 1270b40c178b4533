//! The operands of a step by name, for those who compute.

use std::fmt::Display;

use serde::Serialize;

use super::{TierShare, Why};
use crate::core::decision::code;
use crate::core::money::Fen;

/// Everything needed to redo a step besides the amounts before and after.
pub(super) fn of(why: &Why) -> Vec<(&'static str, String)> {
    let told = Operands::default();
    let told = match why {
        Why::PriorPayers { funds, hospital, later } => {
            let later = (!later.is_zero()).then_some(*later);
            told.fen("funds_fen", *funds).fen("hospital_fen", *hospital).fens("later_fen", later)
        }
        Why::AccountMoney { account } => told.fen("account_fen", *account),
        Why::ExcludedLines { ineligible, lines } => {
            told.fen("ineligible_fen", *ineligible).text("lines", lines.join(","))
        }
        Why::ItemMax { item, limit, per, days, amount, lines } => told
            .fen("limit_fen", *limit)
            .fen("amount_fen", *amount)
            .text("item", item)
            .code("per", per)
            .texts("days", *days)
            .text("lines", lines.join(",")),
        Why::Denied { denial } => told.code("denial", denial),
        Why::Base { .. } | Why::Payout => told,
        _ => of_benefit(told, why),
    };
    told.0
}

fn of_benefit(told: Operands, why: &Why) -> Operands {
    match why {
        Why::BaseMax { limit, per, used, .. } => told.used(*limit, *used).code("per", per),
        Why::Deductible { limit, used, taken, group, per, claim_free_years, .. } => told
            .used(*limit, *used)
            .fen("taken_fen", *taken)
            .code("per", per)
            .texts("group", group.as_ref())
            .texts("claim_free_years", *claim_free_years),
        Why::Limit { limit, used, group, per, .. } => told
            .used(*limit, *used)
            .fen("left_fen", limit.minus_up_to(*used))
            .code("per", per)
            .texts("group", group.as_ref()),
        Why::OutOfPocketMax { limit, used, borne, group, .. } => {
            told.used(*limit, *used).fen("borne_fen", *borne).texts("group", group.as_ref())
        }
        Why::ReallyBorne { borne, .. } => told.fen("borne_fen", *borne),
        Why::RaiseTo { rate, expense, .. } => {
            told.fen("expense_fen", *expense).text("rate", rate.decimal())
        }
        Why::Rate { rate, lowered, .. } => {
            told.text("rate", rate.decimal()).texts("lowered", lowered.as_ref().map(code))
        }
        Why::Tiers { used, per, shares, lowered, .. } => {
            let tier = |told: Operands, it: &TierShare| {
                told.text("tier", format!("{} {}", it.amount.fen(), it.rate.decimal()))
            };
            let told = told.fen("used_fen", *used).code("per", per);
            shares.iter().fold(told, tier).texts("lowered", lowered.as_ref().map(code))
        }
        Why::PerDiem { daily, days, unpaid_days, .. } => {
            told.fen("daily_fen", *daily).text("days", days).text("unpaid_days", unpaid_days)
        }
        Why::DayLimit { limit, per, used, daily, .. } => told
            .fen("daily_fen", *daily)
            .text("limit_days", limit)
            .text("used_days", used)
            .code("per", per),
        Why::FixedSum { sum, rate, .. } => told.fen("sum_fen", *sum).text("rate", rate.decimal()),
        Why::PriorPayers { .. }
        | Why::AccountMoney { .. }
        | Why::ExcludedLines { .. }
        | Why::ItemMax { .. }
        | Why::Denied { .. }
        | Why::Base { .. }
        | Why::Reviewed { .. }
        | Why::Payout => told,
    }
}

#[derive(Default)]
struct Operands(Vec<(&'static str, String)>);

impl Operands {
    fn text(mut self, name: &'static str, value: impl Display) -> Operands {
        self.0.push((name, value.to_string()));
        self
    }

    fn texts(self, name: &'static str, value: Option<impl Display>) -> Operands {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    fn fen(self, name: &'static str, amount: Fen) -> Operands {
        self.text(name, amount.fen())
    }

    fn fens(self, name: &'static str, amount: Option<Fen>) -> Operands {
        self.texts(name, amount.map(Fen::fen))
    }

    fn code(self, name: &'static str, value: &impl Serialize) -> Operands {
        self.text(name, code(value))
    }

    fn used(self, limit: Fen, used: Fen) -> Operands {
        self.fen("limit_fen", limit).fen("used_fen", used)
    }
}
