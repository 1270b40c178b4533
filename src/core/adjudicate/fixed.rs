//! What is paid whatever the bill says: a sum for each day in hospital, a sum for an event.

use super::Deciding;
use crate::core::decision::{Counters, Why};
use crate::core::money::{Fen, Rate};
use crate::core::plan::{FixedSum, PerDiem, Responsibility};

impl<'a> Deciding<'a> {
    /// A sum for each day of the stay that is paid.
    pub(super) fn pay_days(
        &mut self,
        responsibility: &'a Responsibility,
        benefit: &PerDiem,
    ) -> Fen {
        let own = self.tally.open(&responsibility.id);
        let groups = self.groups_of(responsibility);
        let stay = self.days();
        let unpaid = benefit.after_days.saturating_sub(self.usage.earlier_days).min(stay);
        let mut days = stay - unpaid;
        let daily = benefit.amount;
        let why = Why::PerDiem {
            responsibility: responsibility.id.clone(),
            name: responsibility.name.clone(),
            daily,
            days: stay,
            unpaid_days: unpaid,
        };
        self.chain.step(Fen::ZERO, daily.times(days), why);
        for limit in &benefit.day_limits {
            let used = self.tally.used(own, limit.per).days;
            let left = u32::from(limit.days).saturating_sub(used);
            let within = days.min(u16::try_from(left).unwrap_or(u16::MAX));
            let why = Why::DayLimit {
                responsibility: responsibility.id.clone(),
                limit: limit.days,
                per: limit.per,
                used,
                daily,
            };
            self.chain.step(daily.times(days), daily.times(within), why);
            days = within;
        }
        let due = daily.times(days);
        let set = self.reviewed(responsibility, due, None);
        let paid = self.limit(responsibility, own, &groups, set);
        self.awarded(paid, due);
        let used = Counters { paid, days: u32::from(days), ..Counters::default() };
        self.post(own, &groups, used);
        paid
    }

    /// A fixed sum for what happened, or its share by grade. A grade that the plan needs and nobody
    /// stated, or that it does not name, is worth nothing.
    pub(super) fn pay_sum(
        &mut self,
        responsibility: &'a Responsibility,
        benefit: &FixedSum,
    ) -> Fen {
        let own = self.tally.open(&responsibility.id);
        let groups = self.groups_of(responsibility);
        let stated = self.case.settlement.event.as_ref().and_then(|event| event.grade);
        let rate = if benefit.grades.is_empty() {
            Rate::ONE
        } else {
            let index = stated.map(|grade| usize::from(grade).saturating_sub(1));
            let rate = index.and_then(|index| benefit.grades.get(index)).copied();
            rate.unwrap_or(Rate::ZERO)
        };
        let due = benefit.amount.share(rate, self.plan.rounding);
        let why = Why::FixedSum {
            responsibility: responsibility.id.clone(),
            name: responsibility.name.clone(),
            sum: benefit.amount,
            rate,
        };
        self.chain.step(Fen::ZERO, due, why);
        let set = self.reviewed(responsibility, due, None);
        let paid = self.limit(responsibility, own, &groups, set);
        self.awarded(paid, due);
        self.post(own, &groups, Counters { paid, ..Counters::default() });
        paid
    }
}
