//! What a message says about money: its amounts, what each fund paid, what the sender computed.

use super::findings::Findings;
use super::names;
use super::part::{Part, Places};
use super::parts::Parts;
use crate::core::checks::{Checks, limits};
use crate::core::money::Fen;
use crate::core::settlement::{Amounts, FundPayment, SenderPayout, TOLERANCE, is_fund};

/// The amounts of a settlement, as stated.
pub(super) fn amounts(setlinfo: &Part<'_>, findings: &mut Findings<'_>) -> Amounts {
    let places = Places(&[setlinfo]);
    let holds_account = findings.profile.fund_total_includes_account;
    let checks = &mut findings.checks;
    // Each name by itself: a platform that states two values has to be looked at.
    let personal = names::PERSONAL_TOTAL.iter().map(std::slice::from_ref);
    let personal: Vec<Fen> = personal.filter_map(|name| places.amount(name, checks)).collect();
    let personal_total = personal.first().copied();
    let mut amounts = Amounts {
        total: places.amount(names::TOTAL, checks).unwrap_or_default(),
        out_of_catalogue: places.amount(names::OUT_OF_CATALOGUE, checks),
        over_limit: places.amount(names::OVER_LIMIT, checks),
        advance_self_pay: places.amount(names::ADVANCE_SELF_PAY, checks),
        in_scope: places.amount(names::IN_SCOPE, checks),
        basic_deductible: places.amount(names::BASIC_DEDUCTIBLE, checks),
        fund_total: places.amount(names::FUND_TOTAL, checks),
        hospital_borne: places.first_amount(names::HOSPITAL_BORNE, checks),
        personal_total,
        personal_again: personal.into_iter().find(|again| Some(*again) != personal_total),
        account: places.amount(names::ACCOUNT, checks),
        cash: places.amount(names::CASH, checks),
    };
    if holds_account {
        take_account_out(&mut amounts, setlinfo, checks);
    }
    amounts
}

/// Some platforms count the personal account among the funds (`domain.md` 1.7).
fn take_account_out(amounts: &mut Amounts, setlinfo: &Part<'_>, checks: &mut Checks) {
    let (Some(total), Some(account)) = (amounts.fund_total, amounts.account) else { return };
    if account > total {
        let problem = "must be at least acct_pay: this sender counts the account among the funds";
        checks.refuse(&setlinfo.field(names::FUND_TOTAL[0]), problem);
    }
    amounts.fund_total = Some(total.minus_up_to(account));
}

/// What the funds paid, by fund where that agrees with the platform's own sums per fund; else
/// those sums, so that the core sees what the total is made of.
pub(super) fn funds(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Vec<FundPayment> {
    let holder = parts.details().into_iter().find(|part| part.has("setldetail"));
    let rows = holder.map(|part| part.rows("setldetail", limits::FUNDS_MAX, &mut findings.checks));
    let rows = rows.unwrap_or_default();
    let detailed: Vec<FundPayment> =
        rows.iter().filter_map(|row| fund(Places(&[row]), findings)).collect();
    let setlinfo = Places(&[&parts.setlinfo]);
    let summed: Vec<FundPayment> = names::FUND_SUMS
        .iter()
        .filter_map(|names| {
            let amount = setlinfo.amount(names, &mut findings.checks)?;
            Some(FundPayment { fund_code: names[0].to_owned(), amount })
        })
        .collect();
    let sum = |funds: &[FundPayment]| funds.iter().map(|fund| fund.amount).sum::<Fen>();
    let tolerance = findings.profile.tolerance.unwrap_or(TOLERANCE);
    let agree = sum(&detailed).distance(sum(&summed)) <= tolerance;
    let by_fund = summed.is_empty() || (agree && !detailed.is_empty());
    let mut funds = if by_fund { detailed } else { summed };
    funds.retain(|fund| fund.amount > Fen::ZERO);
    funds
}

/// One row of `setldetail`; `None` where it is no fund's money.
fn fund(row: Places<'_, '_>, findings: &mut Findings<'_>) -> Option<FundPayment> {
    let fund_code = findings.coded_or_named(row, names::FUND_CODE, limits::FUND_CODE_MAX);
    if fund_code.as_deref().is_some_and(|code| !is_fund(code)) {
        return None;
    }
    let checks = &mut findings.checks;
    row.require(names::FUND_CODE, checks);
    row.require(names::FUND_AMOUNT, checks);
    let amount = row.amount(names::FUND_AMOUNT, checks)?;
    Some(FundPayment { fund_code: fund_code?, amount })
}

/// What a bureau computed itself; `None` where it states neither the sum nor a part of it.
pub(super) fn payout(parts: &Parts<'_>, checks: &mut Checks) -> Option<SenderPayout> {
    let places = Places(&[&parts.setlinfo, &parts.root]);
    let total = places.amount(names::PAYOUT_TOTAL, checks);
    let in_catalogue = places.amount(names::PAYOUT_IN_CATALOGUE, checks);
    let out_of_catalogue = places.amount(names::PAYOUT_OUT_OF_CATALOGUE, checks);
    let in_deductible = places.amount(names::IN_CATALOGUE_DEDUCTIBLE, checks);
    let out_deductible = places.amount(names::OUT_OF_CATALOGUE_DEDUCTIBLE, checks);
    let stated = [in_catalogue, out_of_catalogue];
    let summed = stated.iter().flatten().copied().reduce(|one, other| one + other);
    Some(SenderPayout {
        total: total.or(summed)?,
        in_catalogue,
        out_of_catalogue,
        in_catalogue_deductible: in_deductible,
        out_of_catalogue_deductible: out_deductible,
    })
}
