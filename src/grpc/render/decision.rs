//! A decision: every figure with its explanation.

use super::day;
use crate::core::ENGINE_VERSION;
use crate::core::decision::{self, Decision, LineDecision, code};
use crate::core::explain::{self, Language};
use crate::core::money::Fen;
use crate::core::route::Evaluation;
use crate::pb;

/// The decision of a claim.
pub(super) fn decision(decision: &Decision, evaluation: &Evaluation) -> pb::Decision {
    let plan = evaluation.plan.as_ref();
    let period = decision.period.as_ref();
    pb::Decision {
        payout_fen: decision.payout().fen(),
        burden_fen: decision.burden.fen(),
        eligible_fen: decision.eligible.fen(),
        ineligible_fen: decision.ineligible().fen(),
        deductible_fen: decision.deductible().fen(),
        patient_share_fen: decision.patient_share().fen(),
        steps: decision.steps.iter().map(step).collect(),
        adjustments: decision.adjustments.iter().map(adjustment).collect(),
        counters: decision.counters.iter().flat_map(counter_changes).collect(),
        plan_version: plan.map(|plan| plan.version.clone()).unwrap_or_default(),
        engine_version: ENGINE_VERSION.to_owned(),
        plan_hash: plan.map(|plan| plan.hash.clone()).unwrap_or_default(),
        period_start: day(period.map(|period| period.start)),
        period_end: day(period.map(|period| period.end)),
        attribution_date: decision.attribution_date.to_string(),
        fixed_benefit_fen: decision.fixed.fen(),
        indemnity_fen: decision.indemnity().fen(),
        lines: decision.lines.iter().map(line).collect(),
    }
}

fn step(step: &decision::Step) -> pb::Step {
    let operands = explain::operands(&step.why).into_iter();
    pb::Step {
        code: explain::step_code(&step.why).to_owned(),
        responsibility: step.why.responsibility().to_owned(),
        before_fen: step.before.fen(),
        after_fen: step.after.fen(),
        operands: operands
            .map(|(name, value)| pb::Operand { name: name.to_owned(), value })
            .collect(),
        text_zh: explain::step_text(step, Language::Zh),
        text_en: explain::step_text(step, Language::En),
    }
}

fn adjustment(adjustment: &decision::Adjustment) -> pb::Adjustment {
    let group = match adjustment.reason.group() {
        decision::AdjustmentGroup::Pr => pb::AdjustmentGroup::Pr,
        decision::AdjustmentGroup::Oa => pb::AdjustmentGroup::Oa,
        decision::AdjustmentGroup::Co => pb::AdjustmentGroup::Co,
    };
    pb::Adjustment {
        group: group.into(),
        reason_code: code(&adjustment.reason),
        carc: adjustment.reason.carc().to_owned(),
        amount_fen: adjustment.amount.fen(),
    }
}

/// A line with its total, which is what became of it.
fn line(line: &LineDecision) -> pb::LineDecision {
    let adjusted: Fen = line.adjustments.iter().map(|it| it.amount).sum();
    pb::LineDecision {
        line_no: line.line_no.clone(),
        total_fen: (adjusted + line.payout).fen(),
        payout_fen: line.payout.fen(),
        adjustments: line.adjustments.iter().map(adjustment).collect(),
    }
}

/// One row for each counter of a responsibility; days only where they are counted.
fn counter_changes(change: &decision::CounterChange) -> Vec<pb::CounterChange> {
    let (before, after) = (&change.before, &change.after);
    let row = |counter: &str, unit: &str, before: i64, after: i64| pb::CounterChange {
        plan_id: change.key.plan_id.clone(),
        responsibility: change.key.responsibility.clone(),
        period_start: change.key.period_start.to_string(),
        counter: counter.to_owned(),
        unit: unit.to_owned(),
        before,
        after,
    };
    let mut rows = vec![
        row("deductible", "fen", before.deductible.fen(), after.deductible.fen()),
        row("burden", "fen", before.burden.fen(), after.burden.fen()),
        row("paid", "fen", before.paid.fen(), after.paid.fen()),
    ];
    if before.days > 0 || after.days > 0 {
        rows.push(row("days", "day", before.days.into(), after.days.into()));
    }
    rows
}
