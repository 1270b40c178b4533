//! The decision itself: pure, total, in one fixed order (`design.md` 4.2).

use super::day::{Day, Period};
use super::decision::{
    Adjustment, AdjustmentReason, CounterBook, CounterChange, CounterKey, Decision, Denial, Step,
    Why,
};
use super::money::Fen;
use super::plan::{Bucket, Plan, Responsibility};
use super::settlement::{Buckets, Settlement};

/// A settlement whose amounts hold together, with the day that decides its period.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The facts.
    pub settlement: &'a Settlement,
    /// What the person bears: [`Settlement::burden`], at most the bill.
    pub burden: Fen,
    /// The attribution date under the plan.
    pub day: Day,
}

/// Decides what `plan` pays for a covered settlement.
///
/// Total and deterministic: every input has a decision, and equal inputs have equal decisions, so
/// a recorded claim can be decided again years later and compared.
pub fn adjudicate(case: Case<'_>, plan: &Plan, counters: &CounterBook) -> Decision {
    let covers = |responsibility: &&Responsibility| responsibility.covers(case.settlement);
    let chosen: Vec<_> = plan.responsibilities.iter().filter(covers).collect();
    let period = plan.period_start.period_of(case.day);
    if chosen.is_empty() {
        return Decision { period: Some(period), ..deny(case, Denial::ServiceNotCovered) };
    }
    let mut chain = Chain::new(case);
    let excluded = exclude_lines(case, plan);
    let eligible = case.burden - excluded.amount;
    if !excluded.lines.is_empty() {
        let why = Why::ExcludedLines { ineligible: excluded.amount, lines: excluded.lines };
        chain.step(case.burden, eligible, why);
        chain.adjust(AdjustmentReason::NonCoveredItem, excluded.amount);
    }
    let mut left = excluded.buckets;
    let mut paid = Fen::ZERO;
    for responsibility in chosen {
        let base = take_base(&mut left, &responsibility.base);
        paid =
            paid + decide_one(&mut chain, responsibility, base, eligible, plan, period, counters);
    }
    chain.adjust(AdjustmentReason::NonCoveredBase, left.burden());
    let payout = paid.min(case.burden);
    chain.step(paid, payout, Why::Payout);
    chain.finish(case, eligible, Some(period))
}

/// The decision for a settlement that the plan does not pay at all.
pub fn deny(case: Case<'_>, denial: Denial) -> Decision {
    let mut chain = Chain::new(case);
    chain.step(case.burden, Fen::ZERO, Why::Denied { denial });
    chain.adjust(denial.into(), case.burden);
    chain.step(Fen::ZERO, Fen::ZERO, Why::Payout);
    chain.finish(case, Fen::ZERO, None)
}

/// One responsibility from base to amount: deductible, rate, limit, counters.
fn decide_one(
    chain: &mut Chain,
    responsibility: &Responsibility,
    base: Fen,
    eligible: Fen,
    plan: &Plan,
    period: Period,
    counters: &CounterBook,
) -> Fen {
    let id = || responsibility.id.clone();
    let (plan_id, period_start) = (plan.plan_id.clone(), period.start);
    let key = CounterKey { plan_id, period_start, responsibility: id() };
    let before = counters.get(&key).copied().unwrap_or_default();
    let mut after = before;
    let mut amount = base;
    if base != eligible {
        chain.step(eligible, base, Why::Base { responsibility: id() });
    }
    if let Some(limit) = responsibility.deductible {
        let used = before.deductible;
        let taken = limit.minus_up_to(used).min(amount);
        let why = Why::Deductible { responsibility: id(), limit, used, taken };
        chain.step(amount, amount - taken, why);
        chain.adjust(AdjustmentReason::Deductible, taken);
        after.deductible = used + taken;
        amount = amount - taken;
    }
    // The one rounding of a responsibility; later steps only compare whole fen.
    let share = amount.share(responsibility.rate);
    chain.step(amount, share, Why::Rate { responsibility: id(), rate: responsibility.rate });
    chain.adjust(AdjustmentReason::Coinsurance, amount - share);
    amount = share;
    if let Some(limit) = responsibility.period_limit {
        let used = before.paid;
        let within = amount.min(limit.minus_up_to(used));
        chain.step(amount, within, Why::PeriodLimit { responsibility: id(), limit, used });
        chain.adjust(AdjustmentReason::BenefitMax, amount - within);
        amount = within;
    }
    after.paid = before.paid + amount;
    after.burden = before.burden + (base - amount);
    chain.counters.push(CounterChange { key, before, after });
    amount
}

struct Excluded {
    amount: Fen,
    lines: Vec<String>,
    /// The buckets without what was excluded.
    buckets: Buckets,
}

/// Takes excluded lines out of the buckets: their out-of-catalogue, over-limit and advance parts
/// whole, their in-scope part pro rata, because funds paid some of it.
fn exclude_lines(case: Case<'_>, plan: &Plan) -> Excluded {
    let settlement = case.settlement;
    let mut buckets = settlement.buckets(case.burden);
    let is_excluded = |line: &&super::settlement::Line| {
        plan.exclusions.iter().any(|exclusion| exclusion.matches(line))
    };
    let excluded: Vec<_> = settlement.lines.iter().filter(is_excluded).collect();
    let sum = |part: fn(&super::settlement::Line) -> Fen| -> Fen {
        excluded.iter().map(|line| part(line)).sum()
    };
    let take = |bucket: &mut Fen, wanted: Fen| *bucket = *bucket - wanted.min(*bucket);
    take(&mut buckets.out_of_catalogue, sum(super::settlement::Line::out_of_catalogue));
    take(&mut buckets.over_limit, sum(|line| line.over_limit.unwrap_or_default()));
    take(&mut buckets.advance_self_pay, sum(|line| line.advance_self_pay.unwrap_or_default()));
    let in_scope = sum(|line| line.in_scope.unwrap_or_default());
    if in_scope > Fen::ZERO {
        let whole = settlement.amounts.in_scope.unwrap_or(settlement.amounts.total);
        let share = buckets.in_scope().pro_rata(in_scope, whole);
        let from_copay = share.min(buckets.in_scope_copay);
        take(&mut buckets.in_scope_copay, from_copay);
        take(&mut buckets.basic_deductible, share - from_copay);
    }
    Excluded {
        amount: case.burden - buckets.burden(),
        lines: excluded.iter().map(|line| line.line_no.clone()).collect(),
        buckets,
    }
}

/// Moves a responsibility's buckets out of what is left, so that no fen is counted twice.
fn take_base(left: &mut Buckets, base: &[Bucket]) -> Fen {
    let mut sum = Fen::ZERO;
    for bucket in base {
        let slot = match bucket {
            Bucket::OutOfCatalogue => &mut left.out_of_catalogue,
            Bucket::OverLimit => &mut left.over_limit,
            Bucket::AdvanceSelfPay => &mut left.advance_self_pay,
            Bucket::BasicDeductible => &mut left.basic_deductible,
            Bucket::InScopeCopay => &mut left.in_scope_copay,
        };
        sum = sum + std::mem::take(slot);
    }
    sum
}

/// A chain of steps with its adjustments, while it grows.
struct Chain {
    steps: Vec<Step>,
    adjustments: Vec<Adjustment>,
    counters: Vec<CounterChange>,
}

impl Chain {
    /// Opens with the way from bill to burden. Funds are what neither the person nor the hospital
    /// bore, so that a difference within the tolerance cannot unbalance the claim.
    fn new(case: Case<'_>) -> Chain {
        let amounts = &case.settlement.amounts;
        let others = amounts.total.minus_up_to(case.burden);
        let hospital = amounts.hospital_borne.unwrap_or_default().min(others);
        let funds = others - hospital;
        let mut chain = Chain {
            steps: Vec::with_capacity(6),
            adjustments: Vec::with_capacity(4),
            counters: Vec::with_capacity(1),
        };
        chain.step(amounts.total, case.burden, Why::PriorPayers { funds, hospital });
        chain.adjust(AdjustmentReason::PriorPayer, funds);
        chain.adjust(AdjustmentReason::HospitalBorne, hospital);
        chain
    }

    fn step(&mut self, before: Fen, after: Fen, why: Why) {
        self.steps.push(Step { before, after, why });
    }

    fn adjust(&mut self, reason: AdjustmentReason, amount: Fen) {
        if amount == Fen::ZERO {
            return;
        }
        match self.adjustments.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.amount = known.amount + amount,
            None => self.adjustments.push(Adjustment { reason, amount }),
        }
    }

    fn finish(self, case: Case<'_>, eligible: Fen, period: Option<Period>) -> Decision {
        let decision = Decision {
            total: case.settlement.amounts.total,
            burden: case.burden,
            eligible,
            attribution_date: case.day,
            period,
            steps: self.steps,
            adjustments: self.adjustments,
            counters: self.counters,
        };
        let adjusted: Fen = decision.adjustments.iter().map(|part| part.amount).sum();
        assert_eq!(adjusted + decision.payout(), decision.total, "adjustments and payout balance");
        assert!(decision.payout() <= decision.burden, "never more than was really borne");
        decision
    }
}

#[cfg(test)]
pub(crate) mod tests;
