//! A part of what the person bears of a bill: from the base to the amount.

use super::tally::Slot;
use super::{Deciding, Taken};
use crate::core::decision::{AdjustmentReason, Counters, Lowered, TierShare, Why};
use crate::core::money::{Fen, Rate};
use crate::core::plan::{Condition, Group, Indemnity, Per, Responsibility, Share};

/// The amount of one responsibility while it goes through its rules.
struct Course<'a> {
    responsibility: &'a Responsibility,
    /// The counters of the responsibility, and of every group it belongs to.
    own: Slot,
    groups: Vec<(&'a Group, Slot)>,
    /// What counts of the base.
    base: Fen,
    /// What is left to be paid.
    amount: Fen,
    /// What the deductible and the rate left with the person, after any maximum.
    deductible: Fen,
    coinsurance: Fen,
}

impl<'a> Deciding<'a> {
    /// What a responsibility pays of the bill.
    pub(super) fn indemnify(
        &mut self,
        responsibility: &'a Responsibility,
        benefit: &'a Indemnity,
        eligible: Fen,
    ) -> Fen {
        let taken: Taken = self.bill.take(&benefit.base, benefit.items.as_ref());
        let whole: Fen = taken.iter().copied().sum();
        if self.is_one_of_several || whole != eligible {
            let name =
                if self.is_one_of_several { responsibility.name.clone() } else { String::new() };
            let why = Why::Base { responsibility: responsibility.id.clone(), name };
            self.chain.step(whole + self.bill.left(), whole, why);
        }
        let own = self.tally.open(&responsibility.id);
        let groups = self.groups_of(responsibility);
        if whole.is_zero() && self.is_one_of_several {
            // Nothing of the bill falls to it, and the step above says so.
            return Fen::ZERO;
        }
        self.chain.open(taken);
        let mut course = Course {
            responsibility,
            own,
            groups,
            base: whole,
            amount: whole,
            deductible: Fen::ZERO,
            coinsurance: Fen::ZERO,
        };
        self.base_max(&mut course, benefit);
        let taken = self.deduct(&mut course, benefit);
        self.share(&mut course, benefit);
        self.out_of_pocket(&mut course, benefit);
        let due = self.reviewed(responsibility, course.amount, Some(course.base));
        // What a reviewer adds is no share of the person any more; what one takes away is none of
        // what the plan looks at.
        let reduced = course.amount.minus_up_to(due);
        course.give_back(due.minus_up_to(course.amount));
        self.chain.adjust(AdjustmentReason::Deductible, course.deductible);
        self.chain.adjust(AdjustmentReason::Coinsurance, course.coinsurance);
        self.chain.adjust(AdjustmentReason::Reviewed, reduced);
        let amount = self.limit(course.responsibility, course.own, &course.groups, due);
        self.chain.adjust(AdjustmentReason::BenefitMax, due - amount);
        let paid = self.really_borne(course.responsibility, amount);
        self.chain.adjust(AdjustmentReason::PriorPayer, amount - paid);
        self.later_cut = self.later_cut + (amount - paid);
        self.chain.pay(paid);
        self.awarded(paid, course.amount);
        let burden = course.base - reduced - paid;
        let used = Counters { deductible: taken, burden, paid, ..Counters::default() };
        self.post(course.own, &course.groups, used);
        paid
    }

    /// The groups of a responsibility, with their counters.
    pub(super) fn groups_of(&mut self, responsibility: &Responsibility) -> Vec<(&'a Group, Slot)> {
        let is_in = |group: &&'a Group| group.responsibilities.contains(&responsibility.id);
        let groups = self.plan.groups.iter().filter(is_in);
        groups.map(|group| (group, self.tally.open(&group.id))).collect()
    }

    /// Uses up the counters of a responsibility and of its groups.
    pub(super) fn post(&mut self, own: Slot, groups: &[(&Group, Slot)], used: Counters) {
        self.tally.post(own, used);
        for (_, slot) in groups {
            self.tally.post(*slot, used);
        }
    }

    fn base_max(&mut self, course: &mut Course<'_>, benefit: &Indemnity) {
        let Some(max) = &benefit.base_max else { return };
        let used = self.tally.used(course.own, max.per);
        let used = used.burden + used.paid;
        let counted = course.base.min(max.amount.minus_up_to(used));
        let responsibility = course.responsibility.id.clone();
        let why = Why::BaseMax { responsibility, limit: max.amount, per: max.per, used };
        self.chain.step(course.base, counted, why);
        self.chain.adjust(AdjustmentReason::BaseMax, course.base - counted);
        course.base = counted;
        course.amount = counted;
    }

    /// Takes what is left of the deductible, the responsibility's own or its group's.
    fn deduct(&mut self, course: &mut Course<'_>, benefit: &Indemnity) -> Fen {
        let own = benefit.deductible.as_ref().map(|it| (it, course.own, None));
        let shared = course.groups.iter().filter_map(|(group, slot)| {
            Some((group.deductible.as_ref()?, *slot, Some(group.id.clone())))
        });
        let Some((deductible, slot, group)) = own.into_iter().chain(shared).next() else {
            return Fen::ZERO;
        };
        let since = self.circumstances.covered_since;
        let (limit, claim_free_years) =
            deductible.reached(self.plan, self.period, since, self.usage.counters);
        let used = self.tally.used(slot, deductible.per).deductible;
        let taken = limit.minus_up_to(used).min(course.amount);
        let why = Why::Deductible {
            responsibility: course.responsibility.id.clone(),
            group,
            limit,
            per: deductible.per,
            used,
            taken,
            claim_free_years,
        };
        self.chain.step(course.amount, course.amount - taken, why);
        course.amount = course.amount - taken;
        course.deductible = taken;
        taken
    }

    /// The plan's share, the one rounding of a responsibility: later steps only compare whole fen.
    fn share(&mut self, course: &mut Course<'_>, benefit: &Indemnity) {
        let before = course.amount;
        let responsibility = course.responsibility.id.clone();
        let lower = self.lowest_rate(benefit);
        let lowered = |full: Rate| lower.filter(|(rate, _)| *rate < full);
        let (after, why) = match &benefit.share {
            Share::Rate(full) => {
                let (rate, lowered) =
                    lowered(*full).map_or((*full, None), |(rate, why)| (rate, Some(why)));
                let share = before.share(rate, self.plan.rounding);
                (share, Why::Rate { responsibility, rate, lowered })
            }
            Share::Tiers { per, tiers } => {
                let used = self.tally.used(course.own, *per).above_deductible();
                let mut shares = Vec::with_capacity(2);
                let mut reason = None;
                let (mut from, mut left) = (used, before);
                for tier in tiers {
                    let room = tier.up_to.map_or(left, |up_to| up_to.minus_up_to(from));
                    let amount = left.min(room);
                    if amount > Fen::ZERO {
                        let lower = lowered(tier.rate);
                        reason = reason.or(lower.map(|(_, why)| why));
                        let rate = lower.map_or(tier.rate, |(rate, _)| rate);
                        shares.push(TierShare { amount, rate });
                    }
                    from = from + amount;
                    left = left - amount;
                }
                let parts = shares.iter().map(|share| (share.amount, share.rate));
                let share = Fen::shares(parts, self.plan.rounding);
                let per = *per;
                (share, Why::Tiers { responsibility, used, per, shares, lowered: reason })
            }
            Share::RaiseTo(rate) => {
                let amounts = &self.case.settlement.amounts;
                let expense = amounts.in_scope.unwrap_or(amounts.total);
                let borne = expense.share(rate.rest(), self.plan.rounding);
                let rate = *rate;
                (before.minus_up_to(borne), Why::RaiseTo { responsibility, rate, expense })
            }
        };
        self.chain.step(before, after, why);
        course.coinsurance = before - after;
        course.amount = after;
    }

    /// The smallest lower rate that applies, and why it does.
    fn lowest_rate(&self, benefit: &Indemnity) -> Option<(Rate, Lowered)> {
        let holds = benefit.lower_rates.iter().filter(|it| it.when.holds(self.circumstances));
        let lowest = holds.min_by_key(|lower| lower.rate)?;
        Some((lowest.rate, reason_of(&lowest.when)))
    }

    /// Pays what the person would bear beyond the most of a period.
    fn out_of_pocket(&mut self, course: &mut Course<'_>, benefit: &Indemnity) {
        let own = benefit.out_of_pocket_max.map(|limit| (limit, course.own, None));
        let shared = course.groups.iter().filter_map(|(group, slot)| {
            Some((group.out_of_pocket_max?, *slot, Some(group.id.clone())))
        });
        let all: Vec<_> = own.into_iter().chain(shared).collect();
        for (limit, slot, group) in all {
            let used = self.tally.used(slot, Per::Period).burden;
            let borne = course.base - course.amount;
            let raise = borne.minus_up_to(limit.minus_up_to(used));
            let responsibility = course.responsibility.id.clone();
            let why = Why::OutOfPocketMax { responsibility, group, limit, used, borne };
            self.chain.step(course.amount, course.amount + raise, why);
            course.give_back(raise);
            course.amount = course.amount + raise;
        }
    }

    /// What is left of an amount within the limits of a responsibility and of its groups.
    pub(super) fn limit(
        &mut self,
        responsibility: &Responsibility,
        own: Slot,
        groups: &[(&'a Group, Slot)],
        amount: Fen,
    ) -> Fen {
        let of_groups = groups.iter().flat_map(|(group, slot)| {
            group.limits.iter().map(|limit| (limit, *slot, Some(group.id.clone())))
        });
        let own = responsibility.limits.iter().map(|limit| (limit, own, None));
        let mut within = amount;
        for (limit, slot, group) in own.chain(of_groups) {
            if !limit.when.holds(self.circumstances) {
                continue;
            }
            let is_daily = limit.per == Per::Day;
            let most = if is_daily { limit.amount.times(self.days()) } else { limit.amount };
            let used = self.tally.used(slot, limit.per).paid;
            let after = within.min(most.minus_up_to(used));
            let why = Why::Limit {
                responsibility: responsibility.id.clone(),
                group,
                limit: most,
                per: limit.per,
                used,
            };
            self.chain.step(within, after, why);
            within = after;
        }
        within
    }

    /// Never more than what is left of the real burden (补偿原则). Only money of later payers in the
    /// base can reach it.
    fn really_borne(&mut self, responsibility: &Responsibility, amount: Fen) -> Fen {
        let paid = amount.min(self.borne);
        if paid < amount {
            let responsibility = responsibility.id.clone();
            let borne = self.borne;
            self.chain.step(amount, paid, Why::ReallyBorne { responsibility, borne });
        }
        paid
    }
}

impl Course<'_> {
    /// Takes from what deductible and rate left with the person, the rate's part first.
    fn give_back(&mut self, raise: Fen) {
        let of_coinsurance = raise.min(self.coinsurance);
        self.coinsurance = self.coinsurance - of_coinsurance;
        self.deductible = self.deductible - (raise - of_coinsurance);
    }
}

/// What a lower rate goes back to: the first thing that its condition looks at.
fn reason_of(when: &Condition) -> Lowered {
    if when.pre_existing == Some(true) {
        Lowered::PreExisting
    } else if when.basic_insurance == Some(false) {
        Lowered::WithoutBasicInsurance
    } else if !when.classes.is_empty() {
        Lowered::Class
    } else if !when.hospital_levels.is_empty() || !when.hospital_codes.is_empty() {
        Lowered::Hospital
    } else if !when.regions.is_empty() || !when.not_regions.is_empty() {
        Lowered::Region
    } else {
        Lowered::Service
    }
}
