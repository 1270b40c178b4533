//! From facts to a standing: who decides, under which plan, and whether a person must look.
//! Routing never changes an amount.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::adjudicate::{Case, adjudicate, deny};
use super::claim::{Claim, ClaimId, ClaimState};
use super::day::Moment;
use super::decision::{CounterBook, Decision, Denial};
use super::figures::FigureRef;
use super::member::Roster;
use super::money::Fen;
use super::plan::{LinesAbsent, PaymentMode, Plan, PlanRef, Plans};
use super::review::{Award, Review};
use super::rules::{self, Test};
use super::settlement::Settlement;
use super::usage::{NeedsHistory, Usage};

mod coverage;
mod facts;
mod look;
mod reason;

pub(super) use coverage::covering_plan;
use coverage::{Uncovered, find_coverage};
use facts::{absent_facts, amounts_contradict};
use look::{Found, look};
pub use reason::{Reason, ReasonCode, reason};

/// Who lets a claim through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Route {
    /// 绿色通道: without a person.
    Green,
    /// 人工审核.
    Review,
}

/// What the engine finds for one settlement at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Where the claim stands.
    pub state: ClaimState,
    /// Who lets it through.
    pub route: Route,
    /// Why not the green channel, what is missing, or which rules deny it.
    pub reasons: Vec<Reason>,
    /// What was noted and holds nothing up.
    pub flags: Vec<Reason>,
    /// The versions of the figures that its rules looked at.
    pub figures: Vec<FigureRef>,
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
    /// The versions of the figures that its rules looked at first; likewise.
    pub first_figures: &'a [FigureRef],
    /// The member, ours.
    pub member_id: &'a str,
    /// The member's other claims, earlier and later, as far as any rule may look at them.
    pub others: &'a [Arc<Claim>],
}

/// What is known of the claim itself, besides its settlement.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The claim.
    pub claim_id: ClaimId,
    /// Whether its identities name different members.
    pub person_unclear: bool,
    /// The claim that had its invoice when it came.
    pub invoice_of: Option<ClaimId>,
    /// What people made of it.
    pub review: &'a Review,
    /// Where it stood approved until now: what a person approved. Routing sees only what comes on
    /// top of that; nothing, where the green channel let it through.
    pub let_through: Option<Fen>,
    /// Whether facts came in since it was let through.
    pub has_new_facts: bool,
    /// What was noted when it was last looked at.
    pub flags: &'a [Reason],
    /// Whether it stood approved, or waits because that was taken back: only a person may take back
    /// what stood.
    pub has_stood: bool,
}

impl Evaluation {
    /// The plan version that has decided; none where none has yet, whatever plan's clocks run.
    pub fn decided_under(&self) -> Option<&PlanRef> {
        self.plan.as_ref().filter(|_| self.payment_mode.is_some())
    }
}

impl Standing<'_> {
    /// Whether it is looked at anew, and not only decided again.
    fn is_compared(&self) -> bool {
        self.let_through.is_none() || self.has_new_facts
    }

    /// Whether only a person may deny it: what stood is not taken back by rules, and what somebody
    /// wants looked at is shown whole.
    fn is_for_a_person(&self) -> bool {
        self.has_stood || !self.review.doubts.is_empty()
    }

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
    let first = world.first_plan.filter(|_| evaluation.payment_mode.is_none());
    let first = first.and_then(|it| world.plans.version(&it.plan_id, &it.version));
    let payment_mode = evaluation.payment_mode.or(first.map(|plan| plan.payment_mode));
    let plan = first.map(|plan| plan.reference()).or(evaluation.plan);
    let mut figures = evaluation.figures;
    if figures.is_empty() {
        figures.extend_from_slice(world.first_figures);
    }
    Evaluation { figures, plan, payment_mode, ..evaluation }
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
        flags: Vec::new(),
        figures: world.first_figures.to_vec(),
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
        let unclear = vec![reason(ReasonCode::PersonUnclear, [])];
        return Ok(waiting(settlement, unclear, world));
    }
    if !standing.accepts(ReasonCode::AmountsContradict)
        && let Some(contradiction) = amounts_contradict(settlement)
    {
        return Ok(waiting(settlement, vec![contradiction], world));
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
    if let Some(denial) = decision.denial() {
        return Ok(denied(Some(plan), decision, denial));
    }
    let mut found = look(settlement, &decision, plan, standing, world);
    if standing.is_for_a_person() {
        found.reviews.append(&mut found.denials);
    }
    if let Some(by_rule) = found.denials.first() {
        let denial = rules::denial_of(by_rule.code);
        let evaluation = denied(Some(plan), deny(case(day), denial), denial);
        let Found { denials: reasons, flags, figures, .. } = found;
        return Ok(Evaluation { reasons, flags, figures, ..evaluation });
    }
    let Some(award) = standing.review.award() else {
        return Ok(decided(settlement, decision, plan, (standing, found), world));
    };
    let awarded = Case { award: Some(award), ..case(day) };
    let awarded = adjudicate(awarded, plan, &usage);
    if decision.payout() == award.figure && awarded.payout() == award.amount {
        return Ok(decided(settlement, awarded, plan, (standing, found), world));
    }
    let changed = figure_changed(award, decision.payout());
    let mut evaluation = decided(settlement, decision, plan, (standing, found), world);
    evaluation.reasons.push(changed);
    evaluation.state = ClaimState::Pended;
    Ok(evaluation)
}

/// A claim without a figure that a person must look at: under the plan whose clocks it runs by.
fn waiting(settlement: &Settlement, reasons: Vec<Reason>, world: World<'_>) -> Evaluation {
    let plan = find_coverage(settlement, world).ok().map(|(plan, _)| plan.reference());
    Evaluation { plan, ..no_figure(ClaimState::Pended, reasons) }
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

/// Routes a figure: green or review.
fn decided(
    settlement: &Settlement,
    decision: Decision,
    plan: &Plan,
    (standing, found): (Standing<'_>, Found),
    world: World<'_>,
) -> Evaluation {
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
    let has_rule = plan.rules.iter().any(|rule| matches!(rule.test, Test::SenderPayout { .. }));
    if !has_rule
        && standing.is_compared()
        && let Some(evidence) = rules::sender_payout(settlement, &decision, None)
    {
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
    let Found { reviews, flags, figures, .. } = found;
    reasons.extend(reviews);
    let (state, route) = if reasons.is_empty() {
        (ClaimState::Approved, Route::Green)
    } else {
        (ClaimState::Pended, Route::Review)
    };
    Evaluation {
        state,
        route,
        reasons,
        flags,
        figures,
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
        flags: Vec::new(),
        figures: Vec::new(),
        denial: Some(denial),
        plan: plan.map(Plan::reference),
        payment_mode: plan.map(|plan| plan.payment_mode),
        decision: Some(decision),
    }
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
        flags: Vec::new(),
        figures: Vec::new(),
        denial: None,
        plan: None,
        payment_mode: None,
        decision: None,
    }
}
