//! What a book does with the acts of people on a claim.

use std::sync::Arc;

use super::change::{Outcome, concluded, is_withdrawn};
use super::{Because, Book, Cause, ClaimChange, Effect, Refusal, ReviewRefusal};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::{CounterBook, Decision, Denial};
use crate::core::money::Fen;
use crate::core::plan::{Plan, Plans};
use crate::core::review::{
    Act, Actor, Award, ContactPurpose, Deed, Inquiry, Proposal, Review, Ruling, Texts,
};
use crate::core::route::{Evaluation, ReasonCode, Standing, evaluate, reason};
use crate::core::usage::NeedsHistory;

/// What an act makes of a claim.
enum Made {
    /// Another standing; the member's later claims are decided again.
    Ruled(Outcome),
    /// The same decision, with something else on the desk.
    Noted(Outcome),
}

impl Book {
    /// Carries out one act of a person: all checks first, then the change.
    pub(super) fn review(
        &mut self,
        claim_id: ClaimId,
        act: &Arc<Act>,
        texts: &Arc<Texts>,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        let index = self.place_of(claim_id).ok_or(Refusal::NoSuchClaim)?;
        let claim = self.claims[index].clone();
        check_seen(&claim, act)?;
        let made = match &act.deed {
            Deed::Assign { assignee, only_free } => {
                assigned(&claim, assignee.as_ref(), *only_free, act)?
            }
            Deed::Comment => noted(&claim, claim.review.clone()),
            Deed::Contact { purpose } => spoken(&claim, *purpose)?,
            Deed::RequestInformation => asked(&claim, act, texts, now)?,
            _ if !self.is_full => return Err(Refusal::NeedsHistory),
            Deed::ProvideInformation => self.answered(index, now, plans)?,
            Deed::Approve { amount } => self.approved(index, *amount, &act.actor, plans)?,
            Deed::Deny { denial } => self.denied(index, *denial, &act.actor, plans)?,
            Deed::Reopen => self.reopened(index, plans)?,
        };
        let (outcome, is_ruled) = match made {
            Made::Ruled(outcome) => (outcome, true),
            Made::Noted(outcome) => (outcome, false),
        };
        let change = concluded(&claim, outcome, (Cause::Reviewed, None), Some(&act.deed), now);
        let change = ClaimChange { act: Some((act.clone(), texts.clone())), ..change };
        self.claims[index] = change.claim.clone();
        let mut effects = vec![Effect::Claim(Box::new(change))];
        if is_ruled {
            let because = Because::Claim(claim_id.number);
            effects.extend(self.decide_again(index + 1, None, because, now, plans)?);
        }
        Ok(effects)
    }

    fn approved(
        &self,
        index: usize,
        amount: Option<Fen>,
        actor: &Actor,
        plans: &Plans,
    ) -> Result<Made, Refusal> {
        let claim = &self.claims[index];
        expect_state(claim, &[ClaimState::Pended])?;
        expect_assignee(claim, actor)?;
        if claim.evaluation.decision.is_none() && amount.is_none() {
            return Err(ReviewRefusal::NoFigure.into());
        }
        let reasons = claim.evaluation.reasons.iter().map(|reason| reason.code);
        let mut accepted: Vec<ReasonCode> = reasons.filter(may_pass).collect();
        // Where there was no figure, one reason hid the others.
        let is_hidden = claim.evaluation.decision.is_none();
        let hidden = |code: &ReasonCode| is_hidden && may_pass(code);
        let (_, whole) =
            self.letting_pass(index, (Fen::ZERO, None), &mut accepted, hidden, plans)?;
        let figure = payout_of(&whole);
        let target = amount.unwrap_or(figure);
        let stated = (target != figure).then_some(target);
        // Whoever states an amount has seen what is to be said of it.
        let (review, evaluation) =
            self.letting_pass(index, (figure, stated), &mut accepted, is_of_amount, plans)?;
        if evaluation.state != ClaimState::Approved {
            return Err(self.unapprovable(index, &evaluation, &review, plans)?.into());
        }
        if needs_second(claim, &evaluation, actor, target, plans)? {
            let mut review = claim.review.clone();
            review.proposal = Some(Proposal { actor: actor.clone(), amount: target });
            // Free for the second pair of eyes.
            review.assignee = None;
            return Ok(noted(claim, review));
        }
        Ok(Made::Ruled(Outcome { evaluation, review }))
    }

    /// A claim as approved, with what is found only once something else passed added to what is
    /// accepted, where `may` says so.
    fn letting_pass(
        &self,
        index: usize,
        (figure, amount): (Fen, Option<Fen>),
        accepted: &mut Vec<ReasonCode>,
        may: impl Fn(&ReasonCode) -> bool,
        plans: &Plans,
    ) -> Result<(Review, Evaluation), Refusal> {
        loop {
            let ruling = Ruling::Approved { figure, amount, accepted: accepted.clone() };
            let review = Review::ruled(ruling);
            let evaluation = self.evaluated(index, &review, plans)?;
            let raised = evaluation.reasons.iter().map(|reason| reason.code);
            let known = accepted.len();
            let new: Vec<ReasonCode> =
                raised.filter(&may).filter(|code| !accepted.contains(code)).collect();
            accepted.extend(new);
            if accepted.len() == known {
                return Ok((review, evaluation));
            }
        }
    }

    /// Why an approval does not come out.
    fn unapprovable(
        &self,
        index: usize,
        evaluation: &Evaluation,
        review: &Review,
        plans: &Plans,
    ) -> Result<ReviewRefusal, NeedsHistory> {
        if let Some(denial) = evaluation.denial {
            return Ok(ReviewRefusal::DeniedByRules { denial });
        }
        let codes: Vec<ReasonCode> = evaluation.reasons.iter().map(|it| it.code).collect();
        if codes == [ReasonCode::FigureChanged]
            && let Some(award) = review.award()
        {
            // The most is what the engine makes of the amount.
            let most = self.most_of(index, award, review, plans)?;
            return Ok(ReviewRefusal::BeyondLimits { most });
        }
        Ok(ReviewRefusal::Unapprovable { reasons: codes })
    }

    /// What the base and the limits leave of an amount.
    fn most_of(
        &self,
        index: usize,
        award: Award,
        review: &Review,
        plans: &Plans,
    ) -> Result<Fen, NeedsHistory> {
        let accepted = review.accepted().to_vec();
        // Between what the rules give and what was asked for there is one that comes out whole.
        let (mut least, mut most) = (award.figure, award.amount);
        while least < most {
            let middle = Fen::new(least.fen() + (most.fen() - least.fen() + 1) / 2);
            let amount = middle.expect("between two amounts");
            let (figure, accepted) = (award.figure, accepted.clone());
            let ruling = Ruling::Approved { figure, amount: Some(amount), accepted };
            let tried = self.evaluated(index, &Review::ruled(ruling), plans)?;
            let fits = tried.reasons.iter().all(|it| it.code != ReasonCode::FigureChanged);
            if fits {
                least = amount;
            } else {
                most = amount - Fen::ONE;
            }
        }
        Ok(least)
    }

    fn denied(
        &self,
        index: usize,
        denial: Option<Denial>,
        actor: &Actor,
        plans: &Plans,
    ) -> Result<Made, Refusal> {
        let claim = &self.claims[index];
        expect_state(claim, &[ClaimState::Pended, ClaimState::InformationRequested])?;
        expect_assignee(claim, actor)?;
        let denial = denial.or(claim.evaluation.denial).ok_or(ReviewRefusal::NoDenial)?;
        let review = Review::ruled(Ruling::Denied { denial });
        let evaluation = self.evaluated(index, &review, plans)?;
        Ok(Made::Ruled(Outcome { evaluation, review }))
    }

    fn reopened(&self, index: usize, plans: &Plans) -> Result<Made, Refusal> {
        let claim = &self.claims[index];
        let settled = [ClaimState::Approved, ClaimState::Paid, ClaimState::Denied];
        expect_state(claim, &settled)?;
        let doubts = vec![reason(ReasonCode::Reopened, [])];
        let review = Review { doubts, ..Review::default() };
        let mut evaluation = self.evaluated(index, &review, plans)?;
        // A claim that lacks a fact by now is still one that a person wants to see.
        evaluation.state = ClaimState::Pended;
        Ok(Made::Ruled(Outcome { evaluation, review }))
    }

    /// The answer is there: the claim goes back to a person, whatever the rules say.
    fn answered(&self, index: usize, now: Moment, plans: &Plans) -> Result<Made, Refusal> {
        let claim = &self.claims[index];
        expect_state(claim, &[ClaimState::InformationRequested])?;
        let mut review = claim.review.clone();
        if let Some(inquiry) = &mut review.inquiry {
            inquiry.answer_time = Some(now);
        }
        let evaluation = self.evaluated_as(index, &review, is_withdrawn(claim), plans)?;
        Ok(Made::Ruled(Outcome { evaluation, review }))
    }

    /// The claim at a place as it would stand with that much done by people.
    fn evaluated(
        &self,
        index: usize,
        review: &Review,
        plans: &Plans,
    ) -> Result<Evaluation, NeedsHistory> {
        self.evaluated_as(index, review, false, plans)
    }

    fn evaluated_as(
        &self,
        index: usize,
        review: &Review,
        has_stood: bool,
        plans: &Plans,
    ) -> Result<Evaluation, NeedsHistory> {
        let claim = &self.claims[index];
        let counters: CounterBook = self.used_before(index);
        let standing = Standing {
            claim_id: claim.id,
            person_unclear: claim.person_unclear,
            invoice_of: claim.invoice_of,
            review,
            let_through: None,
            has_new_facts: false,
            flags: &claim.evaluation.flags,
            has_stood,
        };
        evaluate(&claim.settlement, standing, self.world_at(index, &counters, plans))
    }
}

/// Notes that somebody spoke with the claimant, or gave notice of a denial.
fn spoken(claim: &Claim, purpose: ContactPurpose) -> Result<Made, ReviewRefusal> {
    match purpose {
        ContactPurpose::Claimant if claim.state() == ClaimState::Voided => {
            return Err(ReviewRefusal::State { state: claim.state() });
        }
        ContactPurpose::Claimant => {}
        ContactPurpose::RefusalNotice => expect_state(claim, &[ClaimState::Denied])?,
    }
    Ok(noted(claim, claim.review.clone()))
}

/// Whether another person has to approve first.
fn needs_second(
    claim: &Claim,
    evaluation: &Evaluation,
    actor: &Actor,
    target: Fen,
    plans: &Plans,
) -> Result<bool, ReviewRefusal> {
    let above = plan_of(evaluation, plans).and_then(|plan| plan.four_eyes_above);
    if above.is_none_or(|above| target <= above) {
        return Ok(false);
    }
    match &claim.review.proposal {
        Some(known) if known.amount != target => Ok(true),
        Some(known) if known.actor.name == actor.name => Err(ReviewRefusal::SecondPerson),
        Some(_) => Ok(false),
        None => Ok(true),
    }
}

/// Whether a person may let a reason pass. What is missing has to come.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a filter asks by reference")]
fn may_pass(code: &ReasonCode) -> bool {
    !matches!(
        code,
        ReasonCode::FactMissing | ReasonCode::PayeeMissing | ReasonCode::DecisionWithdrawn
    )
}

/// Whether a reason is about the amount alone.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a filter asks by reference")]
fn is_of_amount(code: &ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::AboveCeiling | ReasonCode::CumulativeCeiling | ReasonCode::SenderPayoutDiffers
    )
}

fn payout_of(evaluation: &Evaluation) -> Fen {
    evaluation.decision.as_ref().map_or(Fen::ZERO, Decision::payout)
}

fn plan_of<'a>(evaluation: &Evaluation, plans: &'a Plans) -> Option<&'a Arc<Plan>> {
    let plan = evaluation.plan.as_ref()?;
    plans.version(&plan.plan_id, &plan.version)
}

/// Whoever rules must have seen the claim as it stands.
fn check_seen(claim: &Arc<Claim>, act: &Act) -> Result<(), ReviewRefusal> {
    match act.revision {
        Some(seen) if seen != claim.revision => Err(ReviewRefusal::Stale { claim: claim.clone() }),
        _ => Ok(()),
    }
}

fn expect_state(claim: &Claim, allowed: &[ClaimState]) -> Result<(), ReviewRefusal> {
    let state = claim.state();
    if allowed.contains(&state) { Ok(()) } else { Err(ReviewRefusal::State { state }) }
}

/// What somebody works on nobody else rules on; they take it over first.
fn expect_assignee(claim: &Claim, actor: &Actor) -> Result<(), ReviewRefusal> {
    match &claim.review.assignee {
        Some(assignee) if *assignee != actor.name => {
            Err(ReviewRefusal::Assigned { assignee: assignee.clone() })
        }
        _ => Ok(()),
    }
}

/// The same decision, with something else on the desk.
fn noted(claim: &Claim, review: Review) -> Made {
    Made::Noted(Outcome { evaluation: claim.evaluation.clone(), review })
}

fn assigned(
    claim: &Claim,
    assignee: Option<&String>,
    only_free: bool,
    act: &Act,
) -> Result<Made, ReviewRefusal> {
    expect_state(claim, &[ClaimState::Pended, ClaimState::InformationRequested])?;
    if let (true, Some(known)) = (only_free, &claim.review.assignee) {
        return Err(ReviewRefusal::Assigned { assignee: known.clone() });
    }
    // Whoever proposed an approval is not its second pair of eyes.
    let proposed = claim.review.proposal.as_ref();
    if only_free && proposed.is_some_and(|it| it.actor.name == act.actor.name) {
        return Err(ReviewRefusal::SecondPerson);
    }
    Ok(noted(claim, Review { assignee: assignee.cloned(), ..claim.review.clone() }))
}

fn asked(claim: &Claim, act: &Act, texts: &Texts, now: Moment) -> Result<Made, ReviewRefusal> {
    expect_state(claim, &[ClaimState::Pended])?;
    expect_assignee(claim, &act.actor)?;
    if claim.review.inquiry.is_some() {
        return Err(ReviewRefusal::AskedBefore);
    }
    let items = u32::try_from(texts.items.len()).unwrap_or(u32::MAX);
    let inquiry = Some(Inquiry { ask_time: now, items, answer_time: None });
    let review = Review { inquiry, ..claim.review.clone() };
    let state = ClaimState::InformationRequested;
    let evaluation = Evaluation { state, ..claim.evaluation.clone() };
    Ok(Made::Noted(Outcome { evaluation, review }))
}
