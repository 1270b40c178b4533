//! English: what a step did, in the words of a statement.

use super::{Per, Step, TierShare, Why, denial_text};
use crate::core::decision::Lowered;
use crate::core::explain::Language;
use crate::core::plan::CapPer;

/// What a step did, in one sentence.
pub(super) fn step(step: &Step) -> String {
    let Step { before, after, why } = step;
    match why {
        Why::PriorPayers { funds, hospital, later } => {
            let hospital = if hospital.is_zero() {
                String::new()
            } else {
                format!(" and the hospital bears {hospital}")
            };
            let later = if later.is_zero() {
                String::new()
            } else {
                format!(", {later} of it paid by later payers")
            };
            format!(
                "of the bill of {before} the funds paid {funds}{hospital}; {after} is left to the \
                 person{later}"
            )
        }
        Why::AccountMoney { account } => {
            format!("{account} from the personal account is not counted; {after} is left")
        }
        Why::ExcludedLines { ineligible, lines } => {
            let lines = lines.join(", ");
            format!("excluded items of {ineligible} (lines {lines}); {after} is eligible")
        }
        Why::ItemMax { item, limit, per, days, amount, .. } => {
            let unit = match (per, days) {
                (CapPer::Day, Some(days)) => format!("{limit} a day for {days} days"),
                (CapPer::Day, None) => format!("{limit} a day"),
                (CapPer::Line, _) => format!("{limit} a line"),
                (CapPer::Claim, _) => format!("{limit}"),
            };
            let beyond = *before - *after;
            format!(
                "{item} counts up to {unit}; of {amount} now {beyond} is beyond it; {after} is \
                 eligible"
            )
        }
        Why::Denied { denial } => {
            format!("nothing is paid: {}", denial_text(*denial, Language::En))
        }
        Why::Base { name, .. } if name.is_empty() => format!("{after} is the base of this benefit"),
        Why::Base { name, .. } => format!("{name}: {after} is its base"),
        Why::Payout => format!("payout {after}"),
        _ => of_benefit(step),
    }
}

fn of_benefit(step: &Step) -> String {
    let after = &step.after;
    match &step.why {
        Why::BaseMax { limit, per, used, .. } => {
            format!(
                "the base counts up to {limit}{}; {after} counts",
                so_far(*per, "counted", used)
            )
        }
        Why::Deductible { limit, used, taken, per, group, claim_free_years, .. } => {
            let shared = shared(group.as_ref());
            let free = claim_free_years
                .map(|years| format!(" after {years} years without a payout"))
                .unwrap_or_default();
            let used = so_far(*per, "borne", used);
            let span = span(*per);
            format!(
                "deductible of {limit}{span}{shared}{free}{used}, {taken} taken now; {after} is \
                 left"
            )
        }
        Why::Rate { rate, lowered, .. } => {
            format!("the plan pays {rate}{}: {after}", because(*lowered))
        }
        Why::Tiers { used, per, shares, lowered, .. } => {
            let share = |it: &TierShare| format!("{} × {}", it.amount, it.rate);
            let shares: Vec<String> = shares.iter().map(share).collect();
            let used = so_far(*per, "counted", used);
            let because = because(*lowered);
            format!("the plan pays by tiers{used}, {}{because}: {after}", shares.join(" + "))
        }
        Why::RaiseTo { rate, expense, .. } => format!(
            "the plan raises what is reimbursed of the expense in scope of {expense} to {rate}: \
             {after}"
        ),
        Why::OutOfPocketMax { limit, used, borne, group, .. } => {
            let shared = shared(group.as_ref());
            let used = so_far(Per::Period, "borne", used);
            format!(
                "a person bears at most {limit} a year{shared}{used}, {borne} now; the plan pays \
                 {after}"
            )
        }
        Why::PerDiem { name, daily, days, unpaid_days, .. } => format!(
            "{name}: {days} days in hospital, the first {unpaid_days} unpaid, {daily} a day: {after}"
        ),
        Why::DayLimit { limit, per, used, .. } => {
            let days = so_far(*per, "days paid", used);
            format!("at most {limit} days{}{days}: {after}", span(*per))
        }
        Why::FixedSum { name, sum, rate, .. } => {
            format!("{name}: {rate} of the sum of {sum}: {after}")
        }
        Why::Limit { limit, used, per, group, .. } => {
            let shared = shared(group.as_ref());
            let used = so_far(*per, "paid", used);
            format!("limit of {limit}{}{shared}{used}; {after} is within it", span(*per))
        }
        Why::ReallyBorne { borne, .. } => {
            format!("never more than was really borne: {borne} is left of it; {after}")
        }
        Why::Reviewed { .. } => {
            format!("a reviewer set {after} instead of {}", step.before)
        }
        Why::PriorPayers { .. }
        | Why::AccountMoney { .. }
        | Why::ExcludedLines { .. }
        | Why::ItemMax { .. }
        | Why::Denied { .. }
        | Why::Base { .. }
        | Why::Payout => String::new(),
    }
}

fn span(per: Per) -> &'static str {
    match per {
        Per::Claim => " a claim",
        Per::Day => " for the days of the stay",
        Per::Stay => " a stay",
        Per::Cause => " a cause",
        Per::Period => " a year",
        Per::Lifetime => " in a lifetime",
    }
}

/// What is used up in a span, where it spans more than one claim.
fn so_far(per: Per, verb: &str, used: &dyn std::fmt::Display) -> String {
    match per {
        Per::Claim | Per::Day if used.to_string().bytes().all(|it| b"0.".contains(&it)) => {
            String::new()
        }
        Per::Claim | Per::Day | Per::Stay | Per::Cause | Per::Period | Per::Lifetime => {
            format!(", {used} already {verb}")
        }
    }
}

fn shared(group: Option<&String>) -> &'static str {
    if group.is_some() { " shared with other benefits" } else { "" }
}

fn because(lowered: Option<Lowered>) -> &'static str {
    match lowered {
        None => "",
        Some(Lowered::PreExisting) => " for a pre-existing illness",
        Some(Lowered::WithoutBasicInsurance) => " without basic insurance",
        Some(Lowered::Class) => " for the person's class",
        Some(Lowered::Hospital) => " in this hospital",
        Some(Lowered::Region) => " in this region",
        Some(Lowered::Service) => " for this kind of treatment",
    }
}
