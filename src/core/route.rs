//! From facts to a standing: who decides, under which plan, and whether a person must look.
//! Routing never changes an amount.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::adjudicate::{Case, adjudicate, deny};
use super::claim::{Claim, ClaimState};
use super::day::{Day, Moment};
use super::decision::{CounterBook, Decision, Denial};
use super::member::Roster;
use super::money::Fen;
use super::plan::{Attribution, Benefit, LinesAbsent, PaymentMode, Plan, PlanRef, Plans};
use super::settlement::Settlement;
use super::usage::{NeedsHistory, Usage};

/// Who lets a claim through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Route {
    /// 绿色通道: without a person.
    Green,
    /// 人工审核.
    Review,
}

/// Why a person must look, or what is missing (`domain.md` 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReasonCode {
    /// F17: certificate, card and person number name different members.
    PersonUnclear,
    /// F4: the stated amounts contradict each other.
    AmountsContradict,
    /// A fact without which nothing can be decided is missing.
    FactMissing,
    /// F10: the payout is above the green channel's ceiling.
    AboveCeiling,
    /// Money is due and nobody said where it goes.
    PayeeMissing,
    /// An event without a bill: its documents are for a person to look at.
    EventReported,
    /// The plan excludes or caps lines, and the settlement has none.
    LinesMissing,
    /// The fee lines come to more than the bill: cents apart (`domain.md` 1.7, I6), one is wrong.
    LinesExceedBill,
    /// F21: the sender computed another payout (`domain.md` 4.1).
    SenderPayoutDiffers,
    /// A decision that stood is taken back by later facts; only a person may do that.
    DecisionWithdrawn,
}

/// A reason with the evidence for it, in the order the rules ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub code: ReasonCode,
    /// What it saw: names and values, nothing personal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<(String, String)>,
}

/// What the engine finds for one settlement at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Where the claim stands.
    pub state: ClaimState,
    /// Who lets it through.
    pub route: Route,
    /// Why not the green channel, or what is missing.
    pub reasons: Vec<Reason>,
    /// Why it was denied at once.
    pub denial: Option<Denial>,
    /// The version that decided; none without coverage.
    pub plan: Option<PlanRef>,
    /// Who hands over the money, as the plan says.
    pub payment_mode: Option<PaymentMode>,
    /// The figure; none while the facts do not allow one.
    pub decision: Option<Decision>,
}

/// Everything an evaluation looks at besides the settlement.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The member.
    pub roster: &'a Roster,
    /// Published plans.
    pub plans: &'a Plans,
    /// What the member has used before this claim.
    pub counters: &'a CounterBook,
    /// The member's earlier claims, in order; none where only the counters are known.
    pub earlier: Option<&'a [Arc<Claim>]>,
    /// When the claim came in.
    pub received: Moment,
    /// The version that decided this claim first; a claim keeps its version.
    pub first_plan: Option<&'a PlanRef>,
}

/// Evaluates one settlement: deterministic, without side effects. Total once the history is known.
pub fn evaluate(
    settlement: &Settlement,
    person_unclear: bool,
    world: World<'_>,
) -> Result<Evaluation, NeedsHistory> {
    if person_unclear || world.roster.contradicts(&settlement.person) {
        return Ok(no_figure(ClaimState::Pended, vec![reason(ReasonCode::PersonUnclear, [])]));
    }
    if let Some(contradiction) = amounts_contradict(settlement) {
        return Ok(no_figure(ClaimState::Pended, vec![contradiction]));
    }
    let Some(burden) = settlement.burden() else { return Ok(missing(["personal_total_fen"])) };
    let case = |day| Case {
        settlement,
        roster: world.roster,
        burden,
        day,
        received: world.received.day().unwrap_or(day),
    };
    let (plan, day) = match find_coverage(settlement, world) {
        Ok(covered) => covered,
        Err(Uncovered::NoDay(field)) => return Ok(missing([field])),
        Err(Uncovered::Denied(day, denial)) => {
            return Ok(denied(None, deny(case(day), denial), denial));
        }
    };
    let absent = absent_facts(settlement, plan);
    if !absent.is_empty() {
        return Ok(Evaluation { plan: Some(plan.reference()), ..missing(absent) });
    }
    let usage = Usage::before(settlement, plan, world.counters, world.earlier)?;
    let decision = adjudicate(case(day), plan, &usage);
    Ok(decided(settlement, decision, plan, world))
}

/// What is wrong with the stated amounts: every identity they break, and where the routes to the
/// burden do not agree, the figure of each.
fn amounts_contradict(settlement: &Settlement) -> Option<Reason> {
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
fn absent_facts(settlement: &Settlement, plan: &Plan) -> Vec<String> {
    let Some(event) = &settlement.event else {
        let absent = plan.required_facts.iter().filter(|fact| !fact.is_stated(settlement));
        return absent.map(super::decision::code).collect();
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

/// Routes a figure: denied, green or review.
fn decided(
    settlement: &Settlement,
    decision: Decision,
    plan: &Plan,
    world: World<'_>,
) -> Evaluation {
    if let Some(denial) = decision.denial() {
        return denied(Some(plan), decision, denial);
    }
    let payout = decision.payout();
    let mut reasons = Vec::new();
    if let Some(event) = &settlement.event {
        let evidence = [("documents".to_owned(), event.documents.len().to_string())];
        reasons.push(reason(ReasonCode::EventReported, evidence));
    } else if plan.lines_absent == LinesAbsent::Review
        && settlement.lines.is_empty()
        && plan.looks_at_lines()
    {
        reasons.push(reason(ReasonCode::LinesMissing, []));
    }
    let lines: Fen = settlement.lines.iter().map(|line| line.total).sum();
    // Each line may be rounded: a unit price has six decimals.
    let cents = i64::try_from(settlement.lines.len()).unwrap_or(i64::MAX);
    let total = settlement.amounts.total;
    if lines.minus_up_to(total).fen() > cents {
        let fen = |amount: Fen| amount.fen().to_string();
        let evidence = [("lines_fen".to_owned(), fen(lines)), ("total_fen".to_owned(), fen(total))];
        reasons.push(reason(ReasonCode::LinesExceedBill, evidence));
    }
    if let Some(theirs) = &settlement.sender.payout
        && theirs.total.distance(payout) > settlement.sender.tolerance()
    {
        let fen = |(name, amount): (&str, Fen)| (name.to_owned(), amount.fen().to_string());
        let ours = [("payout_fen", payout), ("deductible_fen", decision.deductible())];
        let evidence = ours.into_iter().chain(theirs.parts()).map(fen);
        reasons.push(reason(ReasonCode::SenderPayoutDiffers, evidence));
    }
    if payout > plan.green_ceiling {
        let fen = |amount: Fen| amount.fen().to_string();
        let evidence = [
            ("payout_fen".to_owned(), fen(payout)),
            ("ceiling_fen".to_owned(), fen(plan.green_ceiling)),
        ];
        reasons.push(reason(ReasonCode::AboveCeiling, evidence));
    }
    let needs_payee = plan.payment_mode == PaymentMode::Transfer && payout > Fen::ZERO;
    if needs_payee && world.roster.payee.is_none() {
        reasons.push(reason(ReasonCode::PayeeMissing, []));
    }
    let (state, route) = if reasons.is_empty() {
        (ClaimState::Approved, Route::Green)
    } else {
        (ClaimState::Pended, Route::Review)
    };
    Evaluation {
        state,
        route,
        reasons,
        denial: None,
        plan: Some(plan.reference()),
        payment_mode: Some(plan.payment_mode),
        decision: Some(decision),
    }
}

fn denied(plan: Option<&Plan>, decision: Decision, denial: Denial) -> Evaluation {
    Evaluation {
        state: ClaimState::Denied,
        route: Route::Green,
        reasons: Vec::new(),
        denial: Some(denial),
        plan: plan.map(Plan::reference),
        payment_mode: plan.map(|plan| plan.payment_mode),
        decision: Some(decision),
    }
}

enum Uncovered {
    NoDay(&'static str),
    Denied(Day, Denial),
}

/// The plan version and attribution date of the coverage that the settlement falls under.
fn find_coverage<'a>(
    settlement: &Settlement,
    world: World<'a>,
) -> Result<(&'a Plan, Day), Uncovered> {
    let roster = world.roster;
    let mut stated_day = None;
    for coverage in &roster.coverages {
        let versions = world.plans.versions(&coverage.plan_id);
        let attribution = versions.first().map_or(Attribution::Settlement, |any| any.attribution);
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

fn missing<N: Into<String>>(fields: impl IntoIterator<Item = N>) -> Evaluation {
    let evidence = fields.into_iter().map(|field| ("missing".to_owned(), field.into()));
    no_figure(ClaimState::Incomplete, vec![reason(ReasonCode::FactMissing, evidence)])
}

/// A standing without a figure, for a person to look at or for facts to come.
pub(super) fn no_figure(state: ClaimState, reasons: Vec<Reason>) -> Evaluation {
    Evaluation {
        state,
        route: Route::Review,
        reasons,
        denial: None,
        plan: None,
        payment_mode: None,
        decision: None,
    }
}

/// A reason with its evidence.
pub fn reason(code: ReasonCode, evidence: impl IntoIterator<Item = (String, String)>) -> Reason {
    Reason { code, evidence: evidence.into_iter().collect() }
}
