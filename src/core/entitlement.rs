//! What a member is entitled to on a day, told without a settlement: coverage, and what is left of
//! each responsibility. The same answers a claim would get.

use super::day::{Day, Period};
use super::decision::{CounterBook, CounterKey, Counters, Denial};
use super::member::{Coverage, Roster};
use super::money::Fen;
use super::plan::{Benefit, Deductible, Limit, Per, Plans, Responsibility};

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

/// What a member has used of one responsibility, or of a group of them, in one period, beside what
/// there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Plan, period and responsibility or group.
    pub key: CounterKey,
    /// Its name for people.
    pub name: String,
    /// The whole period.
    pub period: Period,
    /// The deductible of the period; none when there is none of a period.
    pub deductible: Option<Fen>,
    /// The limit of the period; none when there is no bound.
    pub limit: Option<Fen>,
    /// The most the person bears in the period.
    pub out_of_pocket_max: Option<Fen>,
    /// The most days paid in the period.
    pub days: Option<u16>,
    /// The limit of a lifetime.
    pub lifetime_limit: Option<Fen>,
    /// What is used; zero without any claim.
    pub used: Counters,
    /// What the plan ever paid under the key.
    pub lifetime_paid: Fen,
}

/// The balances of one plan in the period around `day`: of every responsibility that the member's
/// class does not rule out, in the order of the version in force, then of every group; none when
/// no version is.
pub fn balances(
    roster: &Roster,
    counters: &CounterBook,
    plans: &Plans,
    plan_id: &str,
    day: Day,
) -> Vec<Balance> {
    let Some(plan) = plans.in_force(plan_id, day) else { return Vec::new() };
    let period = plan.period_start.period_of(day);
    let since = roster.covered_since(plan_id, day, plan.renewal_gap_days).unwrap_or(day);
    let balance = |id: &str, name: &str, deductible: Option<&Deductible>, limits: &[Limit]| {
        let (plan_id, responsibility) = (plan_id.to_owned(), id.to_owned());
        let key = CounterKey { plan_id, period_start: period.start, responsibility };
        let used = counters.get(&key).copied().unwrap_or_default();
        let of_period = deductible.filter(|it| it.per == Per::Period);
        let least = |per: Per| {
            let of_span = limits.iter().filter(|limit| limit.per == per);
            let applies = of_span.filter(|limit| limit.when.is_for_class(roster, day));
            applies.map(|limit| limit.amount).min()
        };
        let ever = counters.iter().filter(|(other, _)| {
            other.plan_id == key.plan_id && other.responsibility == key.responsibility
        });
        Balance {
            name: name.to_owned(),
            period,
            deductible: of_period.map(|it| it.reached(plan, period, since, counters).0),
            limit: least(Per::Period),
            out_of_pocket_max: None,
            days: None,
            lifetime_limit: least(Per::Lifetime),
            used,
            lifetime_paid: ever.map(|(_, used)| used.paid).sum(),
            key,
        }
    };
    let of_class = |it: &&Responsibility| it.when.may_be_for(roster, day);
    let mut balances: Vec<Balance> = Vec::new();
    for it in plan.responsibilities.iter().filter(of_class) {
        let known = |deductible| balance(&it.id, &it.name, deductible, &it.limits);
        balances.push(match &it.benefit {
            Benefit::Indemnity(benefit) => Balance {
                out_of_pocket_max: benefit.out_of_pocket_max,
                ..known(benefit.deductible.as_ref())
            },
            Benefit::PerDiem(benefit) => {
                let of_period = benefit.day_limits.iter().filter(|it| it.per == Per::Period);
                Balance { days: of_period.map(|it| it.days).min(), ..known(None) }
            }
            Benefit::FixedSum(_) => known(None),
        });
    }
    for group in &plan.groups {
        balances.push(Balance {
            out_of_pocket_max: group.out_of_pocket_max,
            ..balance(&group.id, &group.name, group.deductible.as_ref(), &group.limits)
        });
    }
    balances
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::adjudicate::tests::plan;
    use crate::core::day::Span;
    use crate::core::plan::Plan;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn plans() -> Plans {
        let mut plans = Plans::default();
        let start_date = day("2024-01-01");
        plans.publish(Arc::new(Plan { start_date, ..plan(500_000, "1", 30_000_000) }));
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
        let found =
            balances(&Roster::default(), &CounterBook::new(), &plans(), "plan", day("2024-05-01"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].used, Counters::default());
        assert_eq!(found[0].deductible, Fen::new(500_000));
        assert_eq!(found[0].period.end, day("2024-12-31"));
        assert!(
            balances(&Roster::default(), &CounterBook::new(), &plans(), "plan", day("2023-05-01"))
                .is_empty()
        );
    }
}
