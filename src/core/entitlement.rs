//! What a member is entitled to on a day, told without a settlement: coverage, and what is left of
//! each responsibility. The same answers a claim would get.

use super::day::{Day, Period};
use super::decision::{CounterBook, CounterKey, Counters, Denial};
use super::member::{Coverage, Roster};
use super::money::Fen;
use super::plan::Plans;

/// Whether a person is covered on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement<'a> {
    /// The coverages that hold on the day.
    pub coverages: Vec<&'a Coverage>,
    /// Why a claim of that day would be denied; none when the person is covered.
    pub denial: Option<Denial>,
}

/// Tells whether `roster` covers a person on `day`, in one plan or in any.
pub fn on_day<'a>(
    roster: &'a Roster,
    plans: &Plans,
    plan_id: Option<&str>,
    day: Day,
) -> Entitlement<'a> {
    let asked = |coverage: &&Coverage| plan_id.is_none_or(|plan_id| coverage.plan_id == plan_id);
    let holds = |coverage: &&Coverage| coverage.span.contains(day);
    let of_plan: Vec<&Coverage> = roster.coverages.iter().filter(asked).collect();
    let coverages: Vec<&Coverage> = of_plan.iter().copied().filter(holds).collect();
    let in_force = |coverage: &&Coverage| plans.in_force(&coverage.plan_id, day).is_some();
    let denial = match of_plan.iter().map(|coverage| coverage.span.start).min() {
        None => Some(Denial::NotEligible),
        Some(first) if day < first => Some(Denial::BeforeCoverage),
        Some(_) if coverages.is_empty() => Some(Denial::AfterCoverage),
        Some(_) if !coverages.iter().any(in_force) => Some(Denial::PlanNotInForce),
        Some(_) => None,
    };
    Entitlement { coverages, denial }
}

/// What a member has used of one responsibility in one period, beside what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Plan, period and responsibility.
    pub key: CounterKey,
    /// The whole period.
    pub period: Period,
    /// The deductible of the period; none when the responsibility has none.
    pub deductible: Option<Fen>,
    /// The limit of the period; none when there is no bound.
    pub limit: Option<Fen>,
    /// What is used; zero without any claim.
    pub used: Counters,
}

/// The balances of one plan in the period around `day`, in the order of the version in force; none
/// when no version is.
pub fn balances(counters: &CounterBook, plans: &Plans, plan_id: &str, day: Day) -> Vec<Balance> {
    let Some(plan) = plans.in_force(plan_id, day) else { return Vec::new() };
    let period = plan.period_start.period_of(day);
    let balance = |responsibility: &super::plan::Responsibility| {
        let key = CounterKey {
            plan_id: plan_id.to_owned(),
            period_start: period.start,
            responsibility: responsibility.id.clone(),
        };
        let used = counters.get(&key).copied().unwrap_or_default();
        let (deductible, limit) = (responsibility.deductible, responsibility.period_limit);
        Balance { key, period, deductible, limit, used }
    };
    plan.responsibilities.iter().map(balance).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::day::{PeriodStart, Span};
    use crate::core::money::Rate;
    use crate::core::plan::{Attribution, Bucket, PaymentMode, Plan, Responsibility};

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn plans() -> Plans {
        let responsibility = Responsibility {
            id: "inpatient".into(),
            name: "住院".into(),
            medical_categories: vec![],
            base: vec![Bucket::InScopeCopay],
            deductible: Fen::new(500_000),
            rate: Rate::ONE,
            period_limit: None,
        };
        let mut plans = Plans::default();
        plans.publish(Arc::new(Plan {
            plan_id: "plan".into(),
            version: "1".into(),
            name: "Plan".into(),
            start_date: day("2024-01-01"),
            period_start: PeriodStart::NEW_YEAR,
            attribution: Attribution::Settlement,
            payment_mode: PaymentMode::Transfer,
            required_facts: vec![],
            responsibilities: vec![responsibility],
            exclusions: vec![],
            green_ceiling: Fen::INPUT_MAX,
            hash: String::new(),
        }));
        plans
    }

    fn roster(start: &str, end: &str) -> Roster {
        let span = Span { start: day(start), end: Some(day(end)) };
        Roster { coverages: vec![Coverage { plan_id: "plan".into(), span }], ..Roster::default() }
    }

    #[test]
    fn the_answer_is_the_one_a_claim_would_get() {
        let plans = plans();
        let roster = roster("2023-07-01", "2024-12-31");
        let denial = |plan_id, text| on_day(&roster, &plans, plan_id, day(text)).denial;
        assert_eq!(denial(None, "2024-03-01"), None);
        assert_eq!(denial(Some("plan"), "2024-12-31"), None);
        assert_eq!(denial(Some("other"), "2024-03-01"), Some(Denial::NotEligible));
        assert_eq!(denial(None, "2023-06-30"), Some(Denial::BeforeCoverage));
        assert_eq!(denial(None, "2023-07-01"), Some(Denial::PlanNotInForce));
        assert_eq!(denial(None, "2025-01-01"), Some(Denial::AfterCoverage));
    }

    #[test]
    fn a_balance_needs_no_claim() {
        let found = balances(&CounterBook::new(), &plans(), "plan", day("2024-05-01"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].used, Counters::default());
        assert_eq!(found[0].deductible, Fen::new(500_000));
        assert_eq!(found[0].period.end, day("2024-12-31"));
        assert!(balances(&CounterBook::new(), &plans(), "plan", day("2023-05-01")).is_empty());
    }
}
