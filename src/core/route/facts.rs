//! What is missing of a settlement, and what in it contradicts itself.

use super::{Reason, ReasonCode, reason};
use crate::core::plan::{Benefit, Plan};
use crate::core::settlement::Settlement;

/// What is wrong with the stated amounts: every identity they break, and where the routes to the
/// burden do not agree, the figure of each.
pub(super) fn amounts_contradict(settlement: &Settlement) -> Option<Reason> {
    let contradictions = settlement.contradictions();
    let disagree = settlement.routes_disagree();
    if contradictions.is_empty() && !disagree {
        return None;
    }
    let identities = contradictions.into_iter().flat_map(|found| {
        let key = |side: &str| format!("{}_{side}_fen", found.identity.to_lowercase());
        [
            (key("stated"), found.stated.fen().to_string()),
            (key("computed"), found.computed_fen.to_string()),
        ]
    });
    let figures = if disagree { settlement.burden_figures() } else { Vec::new() };
    let figures = figures.into_iter().map(|(route, fen)| (route.to_owned(), fen.to_string()));
    Some(reason(ReasonCode::AmountsContradict, identities.chain(figures)))
}

/// The facts that the plan needs and nobody stated. An event needs a grade where its sum depends on
/// one; a bill needs what the plan requires.
pub(super) fn absent_facts(settlement: &Settlement, plan: &Plan) -> Vec<String> {
    let Some(event) = &settlement.event else {
        let absent = plan.required_facts.iter().filter(|fact| !fact.is_stated(settlement));
        return absent.map(crate::core::decision::code).collect();
    };
    let is_graded = |benefit: &Benefit| match benefit {
        Benefit::FixedSum(sum) => sum.event == event.kind && !sum.grades.is_empty(),
        Benefit::Indemnity(_) | Benefit::PerDiem(_) => false,
    };
    let needs_grade = plan.responsibilities.iter().any(|it| is_graded(&it.benefit));
    if needs_grade && event.grade.is_none() {
        vec!["disability_grade".to_owned()]
    } else {
        Vec::new()
    }
}
