//! Rules about the stay: its days, its neighbours, where it was and how it ended.

use rust_decimal::Decimal;

use super::{Facts, told};
use crate::core::claim::Claim;
use crate::core::day::{Day, Moment, Span};
use crate::core::figures::Norm;
use crate::core::money::Rate;
use crate::core::settlement::{Settlement, has_prefix};

type Evidence = Option<Vec<(String, String)>>;

/// Interim settlements of one stay are one stay.
fn is_same_stay(one: &Settlement, other: &Settlement) -> bool {
    one.visit_id.is_some() && one.visit_id == other.visit_id && one.source == other.source
}

/// The other claims, each with its settlement.
fn others(facts: Facts<'_>) -> impl Iterator<Item = (&Claim, &Settlement)> {
    facts.earlier().map(|claim| (claim, &*claim.settlement))
}

pub(super) fn duplicate(facts: Facts<'_>) -> Evidence {
    let ours = facts.settlement;
    let (stay, hospital) = (ours.stay()?, ours.hospital_code.as_ref()?);
    let is_same = |(_, theirs): &(&Claim, &Settlement)| {
        let is_interim = ours.interim == Some(true) || theirs.interim == Some(true);
        theirs.hospital_code.as_ref() == Some(hospital)
            && theirs.stay() == Some(stay)
            && theirs.amounts.total == ours.amounts.total
            && !(is_interim && is_same_stay(ours, theirs))
    };
    others(facts).find(is_same).map(|(claim, _)| vec![told("claim", claim.id)])
}

pub(super) fn overlapping(facts: Facts<'_>, transfer_days: u16) -> Evidence {
    let ours = facts.settlement;
    let stay = ours.stay()?;
    others(facts).find_map(|(claim, theirs)| {
        let shared = shared_days(stay, theirs.stay()?);
        let is_beyond = shared > i32::from(transfer_days) && !is_same_stay(ours, theirs);
        is_beyond.then(|| vec![told("claim", claim.id), told("days", shared)])
    })
}

/// The days that two stays have in common, first and last ones included.
fn shared_days(one: Span, other: Span) -> i32 {
    let (Some(end), Some(other_end)) = (one.end, other.end) else { return 0 };
    end.min(other_end).days_since(one.start.max(other.start)) + 1
}

pub(super) fn readmission(
    facts: Facts<'_>,
    days: u16,
    transfer_days: u16,
    exempt: &[String],
) -> Evidence {
    let ours = facts.settlement;
    let (stay, category) = (ours.stay()?, ours.cause_category()?);
    let main = ours.main_diagnosis().unwrap_or_default();
    if exempt.iter().any(|prefix| has_prefix(main, prefix)) {
        return None;
    }
    others(facts).find_map(|(claim, theirs)| {
        let gap = days_between(stay, theirs.stay()?)?;
        let is_elsewhere = ours.hospital_code.is_some()
            && theirs.hospital_code.is_some()
            && ours.hospital_code != theirs.hospital_code;
        let is_transfer = is_elsewhere && gap <= i32::from(transfer_days);
        let is_related = theirs.cause_category().as_ref() == Some(&category);
        let hits = gap <= i32::from(days) && is_related && !is_transfer;
        (hits && !is_same_stay(ours, theirs))
            .then(|| vec![told("claim", claim.id), told("days", gap), told("limit_days", days)])
    })
}

/// The days from the end of the earlier stay to the beginning of the later one; `None` where the two
/// overlap by more than a day.
fn days_between(one: Span, other: Span) -> Option<i32> {
    let gap = one.start.days_since(other.end?).max(other.start.days_since(one.end?));
    (gap >= 0).then_some(gap)
}

pub(super) fn low_intensity(
    facts: Facts<'_>,
    stay_days: u16,
    share: Rate,
    charge_classes: &[String],
) -> Evidence {
    let ours = facts.settlement;
    let stay = ours.stay()?;
    let days: Vec<Day> = stay.days().collect();
    // Without the day of each service nobody can tell when something was done.
    let is_dated = ours.lines.iter().all(|line| line.service_date.is_some());
    if days.len() < usize::from(stay_days) || !ours.has_all_lines() || !is_dated {
        return None;
    }
    let does = |day: &&Day| {
        ours.lines.iter().any(|line| {
            let class = line.charge_class.as_ref();
            line.service_date == Some(**day)
                && class.is_some_and(|class| charge_classes.contains(class))
        })
    };
    let active = days.iter().filter(does).count();
    share.exceeds(active, days.len()).then(|| {
        vec![told("active_days", active), told("days", days.len()), told("share", share.decimal())]
    })
}

fn norm<'a>(facts: Facts<'a>, baseline: &str) -> Option<&'a Norm> {
    let baseline = facts.figures.baseline(baseline, facts.first_figures)?;
    baseline.hospitals.get(facts.settlement.hospital_code.as_ref()?)
}

pub(super) fn length_outlier(facts: Facts<'_>, baseline: &str, deviations: Decimal) -> Evidence {
    let norm = norm(facts, baseline)?;
    let days = facts.settlement.stay_days()?;
    let bound = norm.days.bound(deviations);
    (Decimal::from(days) > bound).then(|| {
        let bound = bound.round_dp(1).normalize();
        vec![
            told("days", days),
            told("usual_days", norm.days.mean.round_dp(1)),
            told("bound_days", bound),
        ]
    })
}

pub(super) fn cost_outlier(facts: Facts<'_>, baseline: &str, deviations: Decimal) -> Evidence {
    let norm = norm(facts, baseline)?;
    let days = facts.settlement.stay_days()?;
    let cost = Decimal::from(facts.settlement.amounts.total.fen()) / Decimal::from(days);
    let bound = norm.cost_per_day.bound(deviations);
    (cost > bound).then(|| {
        let fen = |amount: Decimal| amount.trunc().normalize();
        vec![
            told("cost_per_day_fen", fen(cost)),
            told("usual_cost_per_day_fen", fen(norm.cost_per_day.mean)),
            told("bound_fen", fen(bound)),
        ]
    })
}

pub(super) fn death(facts: Facts<'_>, discharge_ways: &[String]) -> Evidence {
    let way = facts.settlement.discharge_way.as_ref();
    let died_there = way.is_some_and(|way| discharge_ways.contains(way));
    let last = facts.settlement.last_day()?;
    let died_before = facts.roster.death_date.is_some_and(|death| death <= last);
    let sign = match (died_there, died_before) {
        (true, _) => "discharge_way",
        (false, true) => "death_date",
        (false, false) => return None,
    };
    Some(vec![told("sign", sign)])
}

pub(super) fn cross_region(facts: Facts<'_>, home: &[String]) -> Evidence {
    let region = facts.settlement.region.as_deref()?;
    // The first four digits of a region name its city.
    let city = facts.settlement.source.get(..4).unwrap_or_default();
    let is_home = if home.is_empty() {
        has_prefix(region, city)
    } else {
        home.iter().any(|prefix| has_prefix(region, prefix))
    };
    (!is_home).then(|| vec![told("region", region)])
}

pub(super) fn late_notice(facts: Facts<'_>, days: u16) -> Evidence {
    let settled = || facts.settlement.settle_time.and_then(Moment::day);
    let over = facts.settlement.discharge_date.or_else(settled)?;
    let passed = facts.received.day()?.days_since(over);
    (passed > i32::from(days)).then(|| vec![told("days", passed), told("limit_days", days)])
}
