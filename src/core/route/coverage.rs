//! Which plan covers a settlement, and on which day.

use super::World;
use crate::core::day::Day;
use crate::core::decision::Denial;
use crate::core::member::{Coverage, Roster};
use crate::core::plan::{Attribution, Plan, Plans};
use crate::core::settlement::Settlement;

/// Why no plan decides.
pub(super) enum Uncovered {
    /// The fact without which no day can be told.
    NoDay(&'static str),
    /// The day, and why nothing covers it.
    Denied(Day, Denial),
}

/// Which day of a settlement counts for a plan; all its versions say the same.
fn attribution(plans: &Plans, plan_id: &str) -> Attribution {
    plans.versions(plan_id).first().map_or(Attribution::Settlement, |any| any.attribution)
}

/// The plan version and attribution date of the coverage that the settlement falls under.
pub(super) fn find_coverage<'a>(
    settlement: &Settlement,
    world: World<'a>,
) -> Result<(&'a Plan, Day), Uncovered> {
    let roster = world.roster;
    let mut stated_day = None;
    for coverage in &roster.coverages {
        let attribution = attribution(world.plans, &coverage.plan_id);
        let day = attribution.day_of(settlement).ok_or(Uncovered::NoDay(match attribution {
            Attribution::Settlement => "settle_time",
            Attribution::Discharge => "discharge_date",
            Attribution::Admission => "admission_date",
        }))?;
        stated_day = Some(day);
        if coverage.span.contains(day) {
            let kept = world.first_plan.filter(|first| first.plan_id == coverage.plan_id);
            let kept = kept.and_then(|first| world.plans.version(&first.plan_id, &first.version));
            let in_force = || world.plans.in_force(&coverage.plan_id, day);
            return match kept.or_else(in_force) {
                Some(plan) => Ok((plan, day)),
                None => Err(Uncovered::Denied(day, Denial::PlanNotInForce)),
            };
        }
    }
    let settled = || Attribution::Settlement.day_of(settlement).or(settlement.discharge_date);
    let day = stated_day.or_else(settled).ok_or(Uncovered::NoDay("settle_time"))?;
    let first = roster.coverages.iter().map(|coverage| coverage.span.start).min();
    Err(Uncovered::Denied(
        day,
        match first {
            None => Denial::NotEligible,
            Some(first) if day < first => Denial::BeforeCoverage,
            Some(_) => Denial::AfterCoverage,
        },
    ))
}

/// The plan whose coverage a settlement falls under, whatever version of it decides.
pub(in crate::core) fn covering_plan<'a>(
    settlement: &Settlement,
    roster: &'a Roster,
    plans: &Plans,
) -> Option<&'a str> {
    let covers = |coverage: &&Coverage| {
        let day = attribution(plans, &coverage.plan_id).day_of(settlement);
        day.is_some_and(|day| coverage.span.contains(day))
    };
    roster.coverages.iter().find(covers).map(|coverage| coverage.plan_id.as_str())
}
