//! The decision itself: pure, total, in one fixed order (`design.md` 4.2).

use super::day::{Day, Period};
use super::decision::{AdjustmentReason, Decision, Denial, Why};
use super::member::Roster;
use super::money::Fen;
use super::plan::{
    AccountMoney, Answer, Benefit, Bucket, CapPer, Circumstances, Plan, Responsibility,
};
use super::review::Award;
use super::settlement::Settlement;
use super::usage::Usage;

mod bill;
mod chain;
mod fixed;
mod indemnity;
mod spread;
mod tally;

use bill::{Bill, Taken};
use chain::Chain;
use tally::Tally;

/// A settlement whose amounts hold together, with everything about it that decides.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The facts.
    pub settlement: &'a Settlement,
    /// The member.
    pub roster: &'a Roster,
    /// What the person bears: [`Settlement::burden`], at most the bill.
    pub burden: Fen,
    /// The attribution date under the plan.
    pub day: Day,
    /// When the claim came in.
    pub received: Day,
    /// What a reviewer set instead of what the rules give; the limits bind it all the same.
    pub award: Option<Award>,
}

/// Decides what `plan` pays for a covered settlement.
///
/// Total and deterministic: every input has a decision, and equal inputs have equal decisions, so
/// a recorded claim can be decided again years later and compared.
pub fn adjudicate(case: Case<'_>, plan: &Plan, usage: &Usage<'_>) -> Decision {
    let covered_since = case.roster.covered_since(&plan.plan_id, case.day, plan.renewal_gap_days);
    let circumstances = Circumstances {
        settlement: case.settlement,
        roster: case.roster,
        day: case.day,
        covered_since: covered_since.unwrap_or(case.day),
    };
    let chosen = match choose(plan, case, circumstances) {
        Ok(chosen) => chosen,
        Err(denial) => {
            let period = Some(plan.period_start.period_of(case.day));
            return Decision { period, ..deny(case, denial) };
        }
    };
    Deciding::new(case, plan, usage, circumstances).decide(&chosen)
}

/// The decision for a settlement that no plan pays at all.
pub fn deny(case: Case<'_>, denial: Denial) -> Decision {
    let (mut bill, _) = Bill::new(case.settlement, case.burden, &[]);
    let mut chain = Chain::default();
    if case.settlement.event.is_none() {
        open_with_others(&mut chain, &bill, case, Fen::ZERO);
    }
    chain.step(case.burden, Fen::ZERO, Why::Denied { denial });
    chain.refuse(AdjustmentReason::Denied(denial), bill.take(&Bucket::ALL, None));
    chain.step(Fen::ZERO, Fen::ZERO, Why::Payout);
    let (steps, adjustments, lines) = chain.finish(case.settlement, &bill);
    let decision = Decision {
        total: case.settlement.amounts.total,
        burden: case.burden,
        eligible: Fen::ZERO,
        fixed: Fen::ZERO,
        attribution_date: case.day,
        period: None,
        steps,
        adjustments,
        lines,
        counters: Vec::new(),
    };
    assert_balanced(&decision);
    decision
}

/// The responsibilities that apply, in the plan's order; else what the claim is told. The denial of
/// the responsibility that came nearest is told: the one that fails last in the order of
/// [`Denial`].
fn choose<'p>(
    plan: &'p Plan,
    case: Case<'_>,
    it: Circumstances<'_>,
) -> Result<Vec<&'p Responsibility>, Denial> {
    if let Some(days) = plan.filing_days {
        let event_day = case.settlement.discharge_date.unwrap_or(case.day);
        if case.received.days_since(event_day) > i32::from(days) {
            return Err(Denial::FilingLimit);
        }
    }
    let mut chosen = Vec::with_capacity(plan.responsibilities.len());
    let mut nearest = Denial::ServiceNotCovered;
    for responsibility in &plan.responsibilities {
        match applies(responsibility, it) {
            Ok(()) => chosen.push(responsibility),
            Err(denial) => nearest = nearest.max(denial),
        }
    }
    if chosen.is_empty() { Err(nearest) } else { Ok(chosen) }
}

/// Whether a responsibility applies, and if not, what a claim would be told.
fn applies(responsibility: &Responsibility, it: Circumstances<'_>) -> Result<(), Denial> {
    let is_meant = match (&responsibility.benefit, &it.settlement.event) {
        (Benefit::FixedSum(sum), Some(event)) => sum.event == event.kind,
        (Benefit::FixedSum(_), None) | (Benefit::Indemnity(_) | Benefit::PerDiem(_), Some(_)) => {
            false
        }
        (Benefit::Indemnity(_) | Benefit::PerDiem(_), None) => true,
    };
    if !is_meant {
        return Err(Denial::ServiceNotCovered);
    }
    if let Answer::No(denial) = responsibility.when.answer(it) {
        return Err(denial);
    }
    if let Some(waiting) = &responsibility.waiting {
        let first_day = it.settlement.admission_date.unwrap_or(it.day);
        let waits = first_day.days_since(it.covered_since) < i32::from(waiting.days);
        let is_excepted =
            waiting.unless.as_ref().is_some_and(|unless| unless.answer(it).may_hold());
        if waits && !is_excepted {
            return Err(Denial::WaitingPeriod);
        }
    }
    Ok(())
}

/// What is left of an amount that a reviewer set, while responsibilities share it.
#[derive(Clone, Copy)]
enum Left {
    /// Less than the rules give, or as much: what there still is.
    Less(Fen),
    /// More than the rules give: what still comes on top.
    OnTop(Fen),
}

impl Left {
    fn of(award: Award) -> Left {
        if award.amount > award.figure {
            Left::OnTop(award.amount - award.figure)
        } else {
            Left::Less(award.amount)
        }
    }
}

/// One claim while it is decided.
struct Deciding<'a> {
    case: Case<'a>,
    plan: &'a Plan,
    usage: &'a Usage<'a>,
    circumstances: Circumstances<'a>,
    period: Period,
    bill: Bill<'a>,
    excluded: Vec<usize>,
    chain: Chain,
    tally: Tally<'a>,
    /// What is left of the eligible burden that no benefit has replaced.
    borne: Fen,
    /// What later payers have paid; it is in the bill.
    later: Fen,
    /// Of it what the real burden has cut off from benefits.
    later_cut: Fen,
    /// Whether each responsibility names its base.
    is_one_of_several: bool,
    /// What is left of the amount that a reviewer set.
    award: Option<Left>,
}

impl<'a> Deciding<'a> {
    fn new(
        case: Case<'a>,
        plan: &'a Plan,
        usage: &'a Usage<'a>,
        circumstances: Circumstances<'a>,
    ) -> Deciding<'a> {
        let funds = case.settlement.funds.iter().map(|fund| (&fund.fund_code, fund.amount));
        let late = case.settlement.late_payments.iter().map(|it| (&it.fund_code, it.amount));
        let later = funds.chain(late).filter(|(code, _)| plan.later_payers.contains(*code));
        let others = case.settlement.amounts.total.minus_up_to(case.burden);
        let later = later.map(|(_, amount)| amount).sum::<Fen>().min(others);
        let (bill, excluded) = Bill::new(case.settlement, case.burden + later, &plan.exclusions);
        let period = plan.period_start.period_of(case.day);
        Deciding {
            case,
            plan,
            usage,
            circumstances,
            period,
            bill,
            excluded,
            chain: Chain::for_responsibilities(plan.responsibilities.len()),
            tally: Tally::new(usage, plan, period),
            borne: case.burden,
            later,
            later_cut: Fen::ZERO,
            is_one_of_several: plan.responsibilities.len() > 1,
            award: case.award.map(Left::of),
        }
    }

    fn decide(mut self, chosen: &[&'a Responsibility]) -> Decision {
        let eligible = if self.case.settlement.event.is_none() { self.open() } else { Fen::ZERO };
        self.borne = self.really_eligible(eligible);
        let mut indemnity = Fen::ZERO;
        let mut fixed = Fen::ZERO;
        for responsibility in chosen {
            match &responsibility.benefit {
                Benefit::Indemnity(benefit) => {
                    let paid = self.indemnify(responsibility, benefit, eligible);
                    self.borne = self.borne - paid;
                    indemnity = indemnity + paid;
                }
                Benefit::PerDiem(benefit) => {
                    fixed = fixed + self.pay_days(responsibility, benefit);
                }
                Benefit::FixedSum(benefit) => {
                    fixed = fixed + self.pay_sum(responsibility, benefit);
                }
            }
        }
        let uncovered = self.bill.take(&Bucket::ALL, None);
        self.chain.refuse(AdjustmentReason::NonCoveredBase, uncovered);
        self.chain.count_later_payers(self.later - self.later_cut);
        self.chain.step(indemnity + fixed, indemnity + fixed, Why::Payout);
        self.finish(eligible, fixed)
    }

    /// What a reviewer set instead of what is due, `most` at the most. Responsibilities share it in
    /// the plan's order: of less each gets what is due to it while it lasts, of more whoever has room
    /// takes what is on top.
    fn reviewed(&mut self, responsibility: &Responsibility, due: Fen, most: Option<Fen>) -> Fen {
        let set = match self.award {
            None => return due,
            Some(Left::Less(left)) => left.min(due),
            Some(Left::OnTop(more)) => due + more,
        };
        let set = most.map_or(set, |most| set.min(most));
        if set != due {
            let responsibility = responsibility.id.clone();
            self.chain.step(due, set, Why::Reviewed { responsibility });
        }
        set
    }

    /// Takes what a responsibility paid, of what was due, from what a reviewer set.
    fn awarded(&mut self, paid: Fen, due: Fen) {
        self.award = self.award.map(|left| match left {
            Left::Less(left) => Left::Less(left.minus_up_to(paid)),
            // What limits cut off of the due part is nothing on top.
            Left::OnTop(more) => Left::OnTop(more.minus_up_to(paid.minus_up_to(due))),
        });
    }

    /// From the bill to what the plan looks at: other payers, account, excluded lines, item caps.
    fn open(&mut self) -> Fen {
        open_with_others(&mut self.chain, &self.bill, self.case, self.later);
        let mut amount = self.case.burden + self.later;
        if self.plan.account_money == AccountMoney::NotCounted {
            let account = self.case.settlement.amounts.account.unwrap_or_default().min(amount);
            if account > Fen::ZERO {
                self.chain.step(amount, amount - account, Why::AccountMoney { account });
                let taken = self.bill.take_amount(account);
                self.chain.refuse(AdjustmentReason::AccountMoney, taken);
                amount = amount - account;
            }
        }
        if !self.excluded.is_empty() {
            let taken = self.bill.take_rows(&self.excluded);
            let ineligible: Fen = taken.iter().copied().sum();
            let lines = self.line_numbers(&self.excluded);
            let why = Why::ExcludedLines { ineligible, lines };
            self.chain.step(amount, amount - ineligible, why);
            self.chain.refuse(AdjustmentReason::NonCoveredItem, taken);
            amount = amount - ineligible;
        }
        for cap in &self.plan.item_caps {
            let days = self.days();
            let (taken, meant, sum) = self.bill.cap(cap, days);
            let beyond: Fen = taken.iter().copied().sum();
            if beyond > Fen::ZERO {
                let why = Why::ItemMax {
                    item: cap.name.clone(),
                    limit: cap.amount,
                    per: cap.per,
                    days: (cap.per == CapPer::Day).then_some(days),
                    amount: sum,
                    lines: self.line_numbers(&meant),
                };
                self.chain.step(amount, amount - beyond, why);
                self.chain.refuse(AdjustmentReason::ItemMax, taken);
                amount = amount - beyond;
            }
        }
        amount
    }

    /// The days of the stay that count: interim settlements of one stay may state the same days.
    fn days(&self) -> u16 {
        self.usage.days.or(self.case.settlement.stay_days()).unwrap_or(1)
    }

    fn line_numbers(&self, rows: &[usize]) -> Vec<String> {
        let lines = &self.case.settlement.lines;
        rows.iter().map(|index| lines[*index].line_no.clone()).collect()
    }

    /// What the person really bears of the eligible amount, without the money of later payers.
    fn really_eligible(&self, eligible: Fen) -> Fen {
        let ineligible = self.case.burden + self.later - eligible;
        self.case.burden.minus_up_to(ineligible)
    }

    fn finish(self, eligible: Fen, fixed: Fen) -> Decision {
        let case = self.case;
        let really_eligible = self.really_eligible(eligible);
        let (steps, adjustments, lines) = self.chain.finish(case.settlement, &self.bill);
        let decision = Decision {
            total: case.settlement.amounts.total,
            burden: case.burden,
            eligible: really_eligible,
            fixed,
            attribution_date: case.day,
            period: Some(self.period),
            steps,
            adjustments,
            lines,
            counters: self.tally.into_changes(),
        };
        assert_balanced(&decision);
        decision
    }
}

/// Opens with the way from bill to burden. Funds are what neither the person nor the hospital
/// bore, so that a difference within the tolerance cannot unbalance the claim.
fn open_with_others(chain: &mut Chain, bill: &Bill<'_>, case: Case<'_>, later: Fen) {
    let amounts = &case.settlement.amounts;
    let others = amounts.total.minus_up_to(case.burden + later);
    let hospital = amounts.hospital_borne.unwrap_or_default().min(others);
    let funds = others - hospital;
    chain.step(amounts.total, case.burden + later, Why::PriorPayers { funds, hospital, later });
    chain.open_others(bill.paid_by_others());
    chain.adjust(AdjustmentReason::PriorPayer, funds);
    chain.adjust(AdjustmentReason::HospitalBorne, hospital);
}

/// The laws that every decision keeps, of the claim and of each line.
fn assert_balanced(decision: &Decision) {
    let adjusted: Fen = decision.adjustments.iter().map(|part| part.amount).sum();
    assert_eq!(adjusted + decision.indemnity(), decision.total, "adjustments and payout balance");
    assert!(decision.indemnity() <= decision.eligible, "never more than was really borne");
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
