//! What a book does with reversals and supplements, and how a replacement takes its place.

use std::sync::Arc;

use super::change::post;
use super::order::put_in_order;
use super::{Book, Cause, ClaimChange, Effect, Refusal};
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::decision::CounterBook;
use crate::core::money::Fen;
use crate::core::payout;
use crate::core::plan::Plans;
use crate::core::route::{Evaluation, no_figure};
use crate::core::settlement::{Reversal, Reversed, Supplement};

impl Book {
    pub(super) fn supplement(
        &mut self,
        supplement: &Supplement,
        now: Moment,
        plans: &Plans,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_full {
            return Err(Refusal::NeedsHistory);
        }
        let index = supplement.find(&self.claims).ok_or(Refusal::NothingFits)?;
        let known = self.claims[index].clone();
        let facts = supplement.beside(&known.settlement);
        self.submit_again(&known, &facts, false, now, plans)
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
            reversal: Some(reversal.clone()),
            payouts: payout::merged(&known.payouts, &payouts),
            update_time: now,
            ..(*known).clone()
        });
        self.claims[index] = claim.clone();
        self.has_voids = true;
        // A settlement of the stay that is there already may be its replacement.
        let first = self.reorder_from(index);
        let change = ClaimChange {
            cause: Cause::Reversed,
            from: Some(known.state()),
            claim,
            facts_changed: false,
            payouts,
        };
        let mut effects = vec![Effect::Claim(Box::new(change))];
        effects.extend(self.decide_again(first, None, now, plans)?);
        Ok(effects)
    }

    /// Puts the claims in order after the one at `index` changed; gives the first place from which
    /// they may stand otherwise than before.
    pub(super) fn reorder_from(&mut self, index: usize) -> usize {
        let before: Vec<ClaimId> = self.claims.iter().map(|claim| claim.id).collect();
        put_in_order(&mut self.claims);
        let moved = before.iter().zip(&self.claims).position(|(id, claim)| *id != claim.id);
        moved.map_or(index, |moved| moved.min(index))
    }

    /// Puts a new claim into its place, which is the last but for a replacement.
    pub(super) fn insert(&mut self, claim: Arc<Claim>) -> usize {
        let id = claim.id;
        self.claims.push(claim);
        if self.has_voids && self.is_full {
            put_in_order(&mut self.claims);
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
    pub fn complete(&mut self, history: impl IntoIterator<Item = Claim>) {
        for claim in history {
            if self.claims.iter().all(|known| known.id != claim.id) {
                self.claims.push(Arc::new(claim));
            }
        }
        put_in_order(&mut self.claims);
        self.is_full = true;
    }
}
