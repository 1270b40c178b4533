//! What the rules of a plan find in a claim that has a figure.

use super::{Reason, Standing, World};
use crate::core::decision::Decision;
use crate::core::figures::FigureRef;
use crate::core::plan::Plan;
use crate::core::rules::{self, Action, Facts, Hit};
use crate::core::settlement::Settlement;

/// What the plan's rules found.
#[derive(Default)]
pub(super) struct Found {
    /// A person looks first.
    pub(super) reviews: Vec<Reason>,
    /// Noted.
    pub(super) flags: Vec<Reason>,
    /// Nothing is paid.
    pub(super) denials: Vec<Reason>,
    /// The versions of the figures they looked at.
    pub(super) figures: Vec<FigureRef>,
}

/// Lets the plan's rules look. What a person let pass is not told again, and what stands is only
/// looked at anew when facts came in: what another claim does is no reason to doubt it.
pub(super) fn look(
    settlement: &Settlement,
    decision: &Decision,
    plan: &Plan,
    standing: Standing<'_>,
    world: World<'_>,
) -> Found {
    let mut found =
        Found { reviews: Vec::new(), flags: Vec::new(), denials: Vec::new(), figures: Vec::new() };
    if plan.rules.is_empty() {
        return found;
    }
    if !standing.is_compared() {
        found.flags = standing.flags.to_vec();
        found.figures = world.first_figures.to_vec();
        return found;
    }
    let facts = Facts {
        settlement,
        decision,
        plan,
        member_id: world.member_id,
        roster: world.roster,
        counters: world.counters,
        received: world.received,
        claim_id: standing.claim_id,
        invoice_of: standing.invoice_of,
        others: world.others,
        figures: world.plans.figures(),
        first_figures: world.first_figures,
    };
    found.figures = rules::figures_used(facts);
    for Hit { action, reason } in rules::hits(facts) {
        match action {
            Action::Flag => found.flags.push(reason),
            _ if standing.accepts(reason.code) => {}
            Action::Review => found.reviews.push(reason),
            Action::Deny => found.denials.push(reason),
        }
    }
    found
}
