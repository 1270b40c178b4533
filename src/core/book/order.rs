//! The order in which a member's claims are decided: as they came, but a replacement in the place of
//! what it replaces (`design.md` 5.3).

use std::sync::Arc;

use crate::core::claim::{Claim, ClaimId, ClaimState};

/// Puts all claims of a member in order. A settlement with the visit of a voided one is its
/// replacement, whichever of reversal and replacement came first; each voided one is replaced once.
pub(super) fn put_in_order(claims: &mut Vec<Arc<Claim>>) {
    claims.sort_by_key(|claim| claim.id);
    if claims.iter().all(|claim| claim.state() != ClaimState::Voided) {
        return;
    }
    // By claim: the place it has, which is named by the claim that had it first.
    let mut places: Vec<ClaimId> = Vec::with_capacity(claims.len());
    let mut is_replaced = vec![false; claims.len()];
    for (index, claim) in claims.iter().enumerate() {
        let fits = |earlier: &usize| !is_replaced[*earlier] && replaces(claim, &claims[*earlier]);
        let replaced = (0..index).find(fits);
        if let Some(earlier) = replaced {
            is_replaced[earlier] = true;
        }
        places.push(replaced.map_or(claim.id, |earlier| places[earlier]));
    }
    let mut keyed: Vec<_> = places.into_iter().zip(claims.drain(..)).collect();
    keyed.sort_by_key(|(place, claim)| (*place, claim.id));
    claims.extend(keyed.into_iter().map(|(_, claim)| claim));
}

/// Whether a claim is the replacement of an earlier one. Of a stay with interim settlements only
/// what came after the reversal is: the others were there beside it.
fn replaces(claim: &Claim, earlier: &Claim) -> bool {
    let (ours, theirs) = (&claim.settlement, &earlier.settlement);
    let is_interim = ours.interim == Some(true) || theirs.interim == Some(true);
    earlier.state() == ClaimState::Voided
        && ours.visit_id.is_some()
        && ours.visit_id == theirs.visit_id
        && ours.source == theirs.source
        && (!is_interim || claim.create_time > earlier.update_time)
}
