//! What the person bears of a bill, by every route its amounts allow, and in which bucket it lies.

use serde::{Deserialize, Serialize};

use super::{Amounts, FundPayment, Settlement};
use crate::core::money::Fen;

/// How far two routes to one amount may differ before they contradict each other (seen in
/// practice: 潜山, civil-servant subsidy).
pub const TOLERANCE: Fen = Fen::ONE;

/// One of the identities between amounts that does not hold (`domain.md` 1.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// `I1` … `I4`.
    pub identity: String,
    /// The side that is stated.
    pub stated: Fen,
    /// The side that the other amounts give; may be negative, hence plain fen.
    pub computed_fen: i64,
}

/// Where each part of a personal burden lies (`domain.md` 3.1). The parts add up to the burden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// 全自费.
    pub out_of_catalogue: Fen,
    /// 超限价.
    pub over_limit: Fen,
    /// 先行自付.
    pub advance_self_pay: Fen,
    /// 起付线 of basic insurance.
    pub basic_deductible: Fen,
    /// 统筹后自付.
    pub in_scope_copay: Fen,
}

impl Buckets {
    /// What the person bears.
    pub fn burden(&self) -> Fen {
        self.out_of_catalogue + self.over_limit + self.advance_self_pay + self.in_scope()
    }

    /// The part inside the scope of basic insurance.
    pub fn in_scope(&self) -> Fen {
        self.basic_deductible + self.in_scope_copay
    }
}

impl Amounts {
    /// What all prior payers and the hospital bore. `None` when nobody said.
    fn paid_by_others(&self, funds: &[FundPayment]) -> Option<Fen> {
        let listed = (!funds.is_empty()).then(|| funds.iter().map(|fund| fund.amount).sum());
        let fund_total: Fen = self.fund_total.or(listed)?;
        Some(fund_total + self.hospital_borne.unwrap_or_default())
    }

    /// The personal burden by every route these amounts allow, first the most direct: as stated,
    /// as stated again, what others leave, account and cash (`domain.md` 1.7).
    fn burden_routes(&self, funds: &[FundPayment]) -> [Option<i64>; 4] {
        let stated = self.personal_total.map(Fen::fen);
        let again = self.personal_again.map(Fen::fen);
        let rest = self.paid_by_others(funds).map(|others| self.total.fen() - others.fen());
        let parts = self.cash.map(|cash| (cash + self.account.unwrap_or_default()).fen());
        [stated, again, rest, parts]
    }
}

impl Settlement {
    /// What the person bears after all funds and the hospital and whoever paid late, never more
    /// than the bill; `None` when nothing says so. Meaningful only without
    /// [`Settlement::contradictions`].
    pub fn burden(&self) -> Option<Fen> {
        Some(self.settled_burden()?.minus_up_to(self.paid_late()))
    }

    /// What the person bore when it was settled.
    fn settled_burden(&self) -> Option<Fen> {
        let routes = self.amounts.burden_routes(&self.funds);
        let burden = routes.into_iter().flatten().next().and_then(Fen::new)?;
        Some(burden.min(self.amounts.total))
    }

    fn paid_late(&self) -> Fen {
        self.late_payments.iter().map(|payment| payment.amount).sum()
    }

    /// What the person bears, in fen, by every route the amounts allow, with its name. A figure may
    /// be negative.
    pub fn burden_figures(&self) -> Vec<(&'static str, i64)> {
        let names = [
            "personal_total_fen",
            "personal_again_fen",
            "total_less_funds_fen",
            "account_and_cash_fen",
        ];
        let routes = self.amounts.burden_routes(&self.funds);
        names.into_iter().zip(routes).filter_map(|(name, fen)| Some((name, fen?))).collect()
    }

    /// Whether the routes to the burden lie further apart than the sender's tolerance.
    pub fn routes_disagree(&self) -> bool {
        let routes = self.amounts.burden_routes(&self.funds);
        let figures = || routes.into_iter().flatten();
        let spread = figures().max().zip(figures().min()).map_or(0, |(most, least)| most - least);
        spread > self.sender.tolerance().fen()
    }

    /// Every identity I1–I4 that the stated amounts break by more than the sender's tolerance. An amount
    /// that was not stated breaks nothing.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let amounts = &self.amounts;
        let tolerance = self.sender.tolerance().fen();
        let mut found = Vec::new();
        let mut check = |identity: &str, stated: Fen, computed_fen: i64| {
            if (stated.fen() - computed_fen).abs() > tolerance {
                let identity = identity.to_owned();
                found.push(Contradiction { identity, stated, computed_fen });
            }
        };
        let [personal, _, rest, parts] = amounts.burden_routes(&self.funds);
        let stated = personal.or(parts).unwrap_or_default();
        match (rest, amounts.paid_by_others(&self.funds)) {
            (Some(_), Some(others)) if personal.is_some() || parts.is_some() => {
                check("I1", amounts.total, stated + others.fen());
            }
            // Nobody stated the burden: it is what is left, and there must be something left.
            (Some(rest), Some(others)) if rest < 0 => check("I1", amounts.total, others.fen()),
            _ => {
                if stated > amounts.total.fen() {
                    check("I1", amounts.total, stated);
                }
            }
        }
        if let (Some(personal), Some(parts)) = (amounts.personal_total, parts) {
            check("I2", personal, parts);
        }
        let split = [
            amounts.out_of_catalogue,
            amounts.over_limit,
            amounts.advance_self_pay,
            amounts.in_scope,
        ];
        let split_sum: Fen = split.iter().flatten().copied().sum();
        if split.iter().all(Option::is_some) || split_sum > amounts.total {
            check("I3", amounts.total, split_sum.fen());
        }
        if let (Some(fund_total), false) = (amounts.fund_total, self.funds.is_empty()) {
            let listed: Fen = self.funds.iter().map(|fund| fund.amount).sum();
            check("I4", fund_total, listed.fen());
        }
        // Nobody pays late what nobody bore.
        if let Some(burden) = self.settled_burden()
            && self.paid_late() > burden
        {
            check("late_payments", self.paid_late(), burden.fen());
        }
        found
    }

    /// Splits a burden into its buckets. What funds and hospital paid beyond the scope (保底报销,
    /// `domain.md` 1.7) reduces first the basic deductible, then advance, over-limit and
    /// out-of-catalogue, so the buckets always add up to `burden`.
    pub fn buckets(&self, burden: Fen) -> Buckets {
        let mut left = burden;
        let mut take = |stated: Option<Fen>| {
            let taken = stated.unwrap_or_default().min(left);
            left = left - taken;
            taken
        };
        // Filled in the reverse order of reduction: what comes last is cut first.
        let out_of_catalogue = take(self.amounts.out_of_catalogue);
        let over_limit = take(self.amounts.over_limit);
        let advance_self_pay = take(self.amounts.advance_self_pay);
        let basic_deductible = take(self.amounts.basic_deductible);
        Buckets {
            out_of_catalogue,
            over_limit,
            advance_self_pay,
            basic_deductible,
            in_scope_copay: left,
        }
    }
}
