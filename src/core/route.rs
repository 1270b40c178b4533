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
use super::review::{Award, Review};
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
    /// What the rules give has changed under an amount that a person set.
    FigureChanged,
    /// A person wants the decision looked at again.
    Reopened,
    /// What a person asked for has been answered.
    InformationProvided,
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

/// What is known of the claim itself, besides its settlement.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Whether its identities name different members.
    pub person_unclear: bool,
    /// What people made of it.
    pub review: &'a Review,
    /// Where it stood approved until now: what a person approved. Routing sees only what comes on
    /// top of that; nothing, where the green channel let it through.
    pub let_through: Option<Fen>,
    /// Whether facts came in since it was let through.
    pub has_new_facts: bool,
    /// Whether it stood approved, or waits because that was taken back: only a person may take back
    /// what stood.
    pub has_stood: bool,
}

impl Standing<'_> {
    fn accepts(&self, code: ReasonCode) -> bool {
        self.review.accepted().contains(&code)
    }
}

/// Evaluates one settlement: deterministic, without side effects. Total once the history is known.
/// What a person ruled stands, and what a person doubts waits for a person.
pub fn evaluate(
    settlement: &Settlement,
    standing: Standing<'_>,
    world: World<'_>,
) -> Result<Evaluation, NeedsHistory> {
    let review = standing.review;
    if let Some(denial) = review.denial() {
        return Ok(keeping_plan(denied_by_person(settlement, denial, world), world));
    }
    let mut evaluation = by_rules(settlement, standing, world)?;
    let is_against = matches!(evaluation.state, ClaimState::Denied | ClaimState::Incomplete);
    if standing.has_stood && is_against {
        evaluation.reasons.push(reason(ReasonCode::DecisionWithdrawn, []));
        evaluation.state = ClaimState::Pended;
        evaluation.route = Route::Review;
    }
    evaluation.reasons.extend(review.doubts.iter().cloned());
    if !review.doubts.is_empty() && evaluation.state != ClaimState::Incomplete {
        evaluation.state = ClaimState::Pended;
        evaluation.route = Route::Review;
    }
    if let Some(inquiry) = review.inquiry.filter(|_| evaluation.state != ClaimState::Denied) {
        evaluation.route = Route::Review;
        evaluation.state = ClaimState::InformationRequested;
        if inquiry.answer_time.is_some() {
            evaluation.state = ClaimState::Pended;
            evaluation.reasons.push(reason(ReasonCode::InformationProvided, []));
        }
    }
    if review.ruling.is_some() {
        evaluation.route = Route::Review;
    }
    Ok(keeping_plan(evaluation, world))
}

/// A claim keeps the version that decided it first, also while no plan covers it: what was paid is
/// asked back by that plan's rules.
fn keeping_plan(evaluation: Evaluation, world: World<'_>) -> Evaluation {
    let plan = evaluation.plan.or_else(|| world.first_plan.cloned());
    Evaluation { plan, ..evaluation }
}

/// A settlement that a person denied, with its chain as far as it has one.
fn denied_by_person(settlement: &Settlement, denial: Denial, world: World<'_>) -> Evaluation {
    let covered = find_coverage(settlement, world);
    let (plan, day) = match &covered {
        Ok((plan, day)) => (Some(*plan), Some(*day)),
        Err(Uncovered::Denied(day, _)) => (None, Some(*day)),
        Err(Uncovered::NoDay(_)) => (None, None),
    };
    let decision = settlement.burden().zip(day).map(|(burden, day)| {
        let received = world.received.day().unwrap_or(day);
        deny(Case { settlement, roster: world.roster, burden, day, received, award: None }, denial)
    });
    Evaluation {
        state: ClaimState::Denied,
        route: Route::Review,
        reasons: Vec::new(),
        denial: Some(denial),
        plan: plan.map(Plan::reference),
        payment_mode: plan.map(|plan| plan.payment_mode),
        decision,
    }
}

fn by_rules(
    settlement: &Settlement,
    standing: Standing<'_>,
    world: World<'_>,
) -> Result<Evaluation, NeedsHistory> {
    let is_unclear = standing.person_unclear || world.roster.contradicts(&settlement.person);
    if is_unclear && !standing.accepts(ReasonCode::PersonUnclear) {
        return Ok(no_figure(ClaimState::Pended, vec![reason(ReasonCode::PersonUnclear, [])]));
    }
    if !standing.accepts(ReasonCode::AmountsContradict)
        && let Some(contradiction) = amounts_contradict(settlement)
    {
        return Ok(no_figure(ClaimState::Pended, vec![contradiction]));
    }
    let Some(burden) = settlement.burden() else { return Ok(missing(["personal_total_fen"])) };
    let case = |day| Case {
        settlement,
        roster: world.roster,
        burden,
        day,
        received: world.received.day().unwrap_or(day),
        award: None,
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
    let Some(award) = standing.review.award().filter(|_| decision.denial().is_none()) else {
        return Ok(decided(settlement, decision, plan, standing, world));
    };
    let awarded = Case { award: Some(award), ..case(day) };
    let awarded = adjudicate(awarded, plan, &usage);
    if decision.payout() == award.figure && awarded.payout() == award.amount {
        return Ok(decided(settlement, awarded, plan, standing, world));
    }
    let changed = figure_changed(award, decision.payout());
    let mut evaluation = decided(settlement, decision, plan, standing, world);
    evaluation.reasons.push(changed);
    evaluation.state = ClaimState::Pended;
    Ok(evaluation)
}

/// Why an amount that a person set stands no longer.
pub(super) fn figure_changed(award: Award, figure: Fen) -> Reason {
    let evidence = [
        fen("approved_fen", award.amount),
        fen("figure_before_fen", award.figure),
        fen("figure_fen", figure),
    ];
    reason(ReasonCode::FigureChanged, evidence)
}

/// An amount as evidence.
fn fen(name: &str, amount: Fen) -> (String, String) {
    (name.to_owned(), amount.fen().to_string())
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
    standing: Standing<'_>,
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
        let evidence = [fen("lines_fen", lines), fen("total_fen", total)];
        reasons.push(reason(ReasonCode::LinesExceedBill, evidence));
    }
    // A sender computes once; what we find later is compared with what stood.
    let is_compared = standing.let_through.is_none() || standing.has_new_facts;
    if let Some(theirs) = settlement.sender.payout.as_ref().filter(|_| is_compared)
        && theirs.total.distance(payout) > settlement.sender.tolerance()
    {
        let ours = [("payout_fen", payout), ("deductible_fen", decision.deductible())];
        let evidence = ours.into_iter().chain(theirs.parts());
        let evidence = evidence.map(|(name, amount)| fen(name, amount));
        reasons.push(reason(ReasonCode::SenderPayoutDiffers, evidence));
    }
    let approved = standing.let_through.unwrap_or_default();
    // One approval never comes to an amount that needs two.
    let needs_two = |above: Fen| approved > Fen::ZERO && payout > above.max(approved);
    if payout.minus_up_to(approved) > plan.green_ceiling
        || plan.four_eyes_above.is_some_and(needs_two)
    {
        let evidence = [fen("payout_fen", payout), fen("ceiling_fen", plan.green_ceiling)];
        reasons.push(reason(ReasonCode::AboveCeiling, evidence));
    }
    let needs_payee = plan.payment_mode == PaymentMode::Transfer && payout > Fen::ZERO;
    if needs_payee && world.roster.payee.is_none() {
        reasons.push(reason(ReasonCode::PayeeMissing, []));
    }
    // A ceiling that was accepted once is one for what comes on top from then on.
    let is_new = |it: &Reason| match it.code {
        ReasonCode::AboveCeiling => standing.let_through.is_some() || !standing.accepts(it.code),
        code => !standing.accepts(code),
    };
    reasons.retain(is_new);
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

/// Which day of a settlement counts for a plan; all its versions say the same.
fn attribution(plans: &Plans, plan_id: &str) -> Attribution {
    plans.versions(plan_id).first().map_or(Attribution::Settlement, |any| any.attribution)
}

/// The plan version and attribution date of the coverage that the settlement falls under.
fn find_coverage<'a>(
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
pub(super) fn covering_plan<'a>(
    settlement: &Settlement,
    roster: &'a Roster,
    plans: &Plans,
) -> Option<&'a str> {
    let covers = |coverage: &&super::member::Coverage| {
        let day = attribution(plans, &coverage.plan_id).day_of(settlement);
        day.is_some_and(|day| coverage.span.contains(day))
    };
    roster.coverages.iter().find(covers).map(|coverage| coverage.plan_id.as_str())
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
