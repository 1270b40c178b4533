//! What a book does with reversals and supplements, and how a replacement takes its place.

use std::collections::HashSet;
use std::sync::Arc;

use super::change::post;
use super::order::put_in_order;
use super::{Because, Book, Cause, ClaimChange, Effect, Refusal, Seen};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::CounterBook;
use crate::core::money::Fen;
use crate::core::payout;
use crate::core::plan::Plans;
use crate::core::review::Review;
use crate::core::route::{Evaluation, no_figure};
use crate::core::settlement::{Reversal, Reversed, Supplement};

impl Book {
    pub(super) fn supplement(
        &mut self,
        supplement: &Supplement,
        seen: Seen,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let index = supplement.find(&self.claims).ok_or(Refusal::NothingFits)?;
        let known = self.claims[index].clone();
        let facts = supplement.beside(&known.settlement);
        self.submit_again(&known, &facts, seen, now, plans)
    }

    /// Voids the claim of a reversed settlement, once, and decides the later ones again. What it
    /// held is free; what it paid comes back.
    pub(super) fn reverse(
        &mut self,
        reversal: &Arc<Reversal>,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let index = match reversal.find(&self.claims) {
            Reversed::Live(index) => index,
            Reversed::Before(_) => return Ok(Vec::new()),
            Reversed::Unknown => return Err(Refusal::NothingFits),
            Reversed::Differs { claim_id, field } => {
                return Err(Refusal::ReversalDiffers { claim_id, field });
            }
        };
        let known = self.claims[index].clone();
        let payouts = payout::instruct(&known.payouts, Some(Fen::ZERO), now);
        let evaluation = Evaluation {
            route: known.evaluation.route,
            plan: known.evaluation.plan.clone(),
            payment_mode: known.evaluation.payment_mode,
            ..no_figure(ClaimState::Voided, Vec::new())
        };
        let claim = Arc::new(Claim {
            evaluation,
            review: Review::default(),
            reversal: Some(reversal.clone()),
            payouts: payout::merged(&known.payouts, &payouts),
            update_time: now,
            ..(*known).clone()
        });
        self.claims[index] = claim.clone();
        self.has_voids = true;
        // A settlement of the stay that is there already may be its replacement.
        let first = self.reorder_from(index, plans);
        let change = ClaimChange {
            cause: Cause::Reversed,
            because: None,
            from: Some(known.state()),
            payout_before: Some(known.payout()),
            claim,
            facts_changed: false,
            decides: true,
            act: None,
            payouts,
        };
        let mut effects = vec![Effect::Claim(Box::new(change))];
        let because = Because::Claim(known.id.number);
        effects.extend(self.decide_again(first, None, because, now, plans)?);
        Ok(effects)
    }

    /// Puts the claims in order after the one at `index` changed; gives the first place from which
    /// they may stand otherwise than before.
    pub(super) fn reorder_from(&mut self, index: usize, plans: &Plans) -> usize {
        let before: Vec<ClaimId> = self.claims.iter().map(|claim| claim.id).collect();
        put_in_order(&mut self.claims, &self.roster, plans);
        let moved = before.iter().zip(&self.claims).position(|(id, claim)| *id != claim.id);
        moved.map_or(index, |moved| moved.min(index))
    }

    /// Puts a new claim into its place, which is the last but for a replacement and for plans that
    /// decide by the day of service.
    pub(super) fn insert(&mut self, claim: Arc<Claim>, plans: &Plans) -> usize {
        let id = claim.id;
        self.claims.push(claim);
        if self.is_full && (self.has_voids || plans.any_by_service_date()) {
            put_in_order(&mut self.claims, &self.roster, plans);
        }
        let place = self.claims.iter().rposition(|claim| claim.id == id);
        place.expect("the claim was put in")
    }

    /// What the claims before a place use up. Needs the whole history.
    pub(super) fn used_before(&self, place: usize) -> CounterBook {
        let mut counters = CounterBook::new();
        for claim in &self.claims[..place] {
            post(&mut counters, &claim.evaluation);
        }
        counters
    }

    /// The whole history becomes known: claims that the book has already stay as they are.
    pub fn complete(&mut self, history: impl IntoIterator<Item = Claim>, plans: &Plans) {
        let known: HashSet<ClaimId> = self.claims.iter().map(|claim| claim.id).collect();
        let more = history.into_iter().filter(|claim| !known.contains(&claim.id));
        self.claims.extend(more.map(Arc::new));
        put_in_order(&mut self.claims, &self.roster, plans);
        self.is_full = true;
    }
}
