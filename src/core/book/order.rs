//! The order in which a member's claims are decided: as the plan says, but a replacement in the place
//! of what it replaces (`design.md` 5.3).

use std::sync::Arc;

use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::{Day, Moment};
use crate::core::member::Roster;
use crate::core::plan::{ClaimOrder, Plans};
use crate::core::route::covering_plan;
use crate::core::settlement::Settlement;

/// Puts all claims of a member in order: as they came, and those of plans that decide by the day of
/// service by that day, among the places they have together.
pub(super) fn put_in_order(claims: &mut Vec<Arc<Claim>>, roster: &Roster, plans: &Plans) {
    by_processing(claims);
    if plans.any_by_service_date() {
        by_service_date(claims, roster, plans);
    }
}

/// Whether the claim of a settlement may have to take a place before others of its plan.
pub(super) fn may_come_before(settlement: &Settlement, roster: &Roster, plans: &Plans) -> bool {
    plans.any_by_service_date() && served_by(settlement, roster, plans).is_some()
}

/// The plan that decides a settlement, where it decides by the day of service.
fn served_by<'a>(settlement: &Settlement, roster: &'a Roster, plans: &Plans) -> Option<&'a str> {
    let plan_id = covering_plan(settlement, roster, plans)?;
    (plans.order_of(plan_id) == ClaimOrder::ServiceDate).then_some(plan_id)
}

fn by_service_date(claims: &mut [Arc<Claim>], roster: &Roster, plans: &Plans) {
    let plan_of: Vec<Option<&str>> =
        claims.iter().map(|claim| served_by(&claim.settlement, roster, plans)).collect();
    let mut plan_ids: Vec<&str> = plan_of.iter().flatten().copied().collect();
    plan_ids.sort_unstable();
    plan_ids.dedup();
    for plan_id in plan_ids {
        let is_of_plan = |(_, plan): &(usize, Option<&str>)| *plan == Some(plan_id);
        let places: Vec<usize> = plan_of
            .iter()
            .copied()
            .enumerate()
            .filter(is_of_plan)
            .map(|(place, _)| place)
            .collect();
        let mut sorted: Vec<Arc<Claim>> =
            places.iter().map(|place| claims[*place].clone()).collect();
        sorted.sort_by_key(|claim| service_key(claim));
        for (place, claim) in places.into_iter().zip(sorted) {
            claims[place] = claim;
        }
    }
}

/// The day of service, then the time of settlement, then as they came.
fn service_key(claim: &Claim) -> (Option<Day>, Option<Moment>, ClaimId) {
    (claim.settlement.service_date(), claim.settlement.settle_time, claim.id)
}

/// A settlement with the visit of a voided one is its replacement, whichever of reversal and
/// replacement came first; each voided one is replaced once.
fn by_processing(claims: &mut Vec<Arc<Claim>>) {
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
