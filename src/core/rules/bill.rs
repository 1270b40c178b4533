//! Rules about the bill: invoice, amounts, items, and codes that tell of another payer.

use std::collections::BTreeMap;

use super::{Facts, QuantityMax, Signs, told};
use crate::core::claim::ClaimState;
use crate::core::day::Day;
use crate::core::decision::Decision;
use crate::core::money::{Fen, Rate};
use crate::core::plan::{CapPer, name_of};
use crate::core::settlement::{Line, Quantity, Settlement, has_prefix};

type Evidence = Option<Vec<(String, String)>>;

pub(super) fn duplicate_invoice(facts: Facts<'_>) -> Evidence {
    let first = facts.invoice_of?;
    // Taken back meanwhile, the bill may come anew.
    let is_free = facts.others.iter().any(|it| it.id == first && it.state() == ClaimState::Voided);
    (!is_free).then(|| vec![told("claim", first)])
}

pub(super) fn nothing_billed(facts: Facts<'_>) -> Evidence {
    let is_bill = facts.settlement.event.is_none();
    (is_bill && facts.settlement.amounts.total.is_zero()).then(Vec::new)
}

pub(super) fn cumulative_ceiling(facts: Facts<'_>, amount: Fen) -> Evidence {
    let period = facts.decision.period?;
    let is_own = |id: &str| facts.plan.responsibilities.iter().any(|it| it.id == id);
    let of_period = facts.counters.iter().filter(|(key, _)| {
        key.plan_id == facts.plan.plan_id
            && key.period_start == period.start
            && is_own(&key.responsibility)
    });
    let paid: Fen = of_period.map(|(_, counters)| counters.paid).sum();
    let paid = paid + facts.decision.payout();
    (paid > amount && !facts.decision.payout().is_zero())
        .then(|| vec![told("paid_in_period_fen", paid.fen()), told("ceiling_fen", amount.fen())])
}

pub(super) fn quantity(facts: Facts<'_>, items: &[QuantityMax]) -> Evidence {
    let evidence: Vec<_> =
        items.iter().filter_map(|item| too_much(facts, item)).flatten().collect();
    (!evidence.is_empty()).then_some(evidence)
}

/// A line or a day, or neither.
type Unit<'a> = (Option<&'a str>, Option<Day>);

/// The first unit of an item of which there is too much.
fn too_much(facts: Facts<'_>, item: &QuantityMax) -> Option<[(String, String); 4]> {
    // By line, by day, or all together.
    let mut units: BTreeMap<Unit<'_>, (&Line, Quantity)> = BTreeMap::new();
    for line in &facts.settlement.lines {
        let name = name_of(line);
        let Some(quantity) = line.quantity else { continue };
        if !item.lines.matches_named(line, name.as_deref()) {
            continue;
        }
        let unit = match (item.per, line.service_date) {
            (CapPer::Line, _) => (Some(line.line_no.as_str()), None),
            (CapPer::Day, Some(day)) => (None, Some(day)),
            // Nobody knows of which day it is one more.
            (CapPer::Day, None) => continue,
            (CapPer::Claim, _) => (None, None),
        };
        let (_, sum) = units.entry(unit).or_insert((line, Quantity::default()));
        *sum = sum.plus(quantity);
    }
    let (line, quantity) = units.into_values().find(|(_, sum)| *sum > item.most)?;
    let name = told("item", &item.name);
    Some([name, told("line", &line.line_no), told("quantity", quantity), told("most", item.most)])
}

pub(super) fn signs(facts: Facts<'_>, signs: &Signs) -> Evidence {
    let settlement = facts.settlement;
    let is_of = |code: &str, prefixes: &[String]| prefixes.iter().any(|it| has_prefix(code, it));
    let category = settlement.medical_category.as_deref();
    let category = category.filter(|code| is_of(code, &signs.medical_categories));
    let mut evidence = Vec::new();
    evidence.extend(category.map(|code| told("medical_category", code)));
    let mut stated = settlement.diagnoses.iter().enumerate();
    let diagnosis = stated.find(|(_, it)| is_of(it.code.reveal(), &signs.diagnoses));
    // Its place, never its code: that is health data, and evidence is part of every event.
    evidence.extend(diagnosis.map(|(index, _)| told("diagnosis", index + 1)));
    let fund = settlement.funds.iter().find(|fund| signs.funds.contains(&fund.fund_code));
    evidence.extend(fund.map(|fund| told("fund", &fund.fund_code)));
    (!evidence.is_empty()).then_some(evidence)
}

pub(super) fn manual_reimbursement(facts: Facts<'_>, pay_locations: &[String]) -> Evidence {
    let place = facts.settlement.pay_location.as_ref()?;
    pay_locations.contains(place).then(|| vec![told("pay_location", place)])
}

pub(super) fn out_of_catalogue(facts: Facts<'_>, share: Rate) -> Evidence {
    let amounts = &facts.settlement.amounts;
    let outside =
        amounts.out_of_catalogue.unwrap_or_default() + amounts.over_limit.unwrap_or_default();
    let is_more = outside.is_more_than(share, amounts.total);
    is_more.then(|| {
        let share = told("share", share.decimal());
        vec![told("outside_fen", outside.fen()), told("total_fen", amounts.total.fen()), share]
    })
}

/// How the sender's payout differs from ours, with the parts of theirs.
pub(in crate::core) fn sender_payout(
    settlement: &Settlement,
    decision: &Decision,
    tolerance: Option<Fen>,
) -> Evidence {
    let sender = &settlement.sender;
    let theirs = sender.payout.as_ref()?;
    let payout = decision.payout();
    let differs = theirs.total.distance(payout) > tolerance.unwrap_or(sender.tolerance());
    differs.then(|| {
        let ours = [("payout_fen", payout), ("deductible_fen", decision.deductible())];
        let both = ours.into_iter().chain(theirs.parts());
        both.map(|(name, amount)| told(name, amount.fen())).collect()
    })
}
