//! What is wrong with some of the stays, and has to be found.

use super::{Bill, Drawing, Stay, What, bills, diagnosis, moment, plus, timestamp};
use crate::core::day::Moment;
use crate::pb;

/// What is planted in so many of 9,000 stays.
const PLANTS: [(Plant, u64); 15] = [
    (Plant::SplitStay, 40),
    (Plant::Invoice, 25),
    (Plant::Twice, 20),
    (Plant::Overlap, 25),
    (Plant::EmptyBed, 25),
    (Plant::OtherSex, 15),
    (Plant::OtherName, 15),
    (Plant::OtherPayout, 20),
    (Plant::Amounts, 15),
    (Plant::Nothing, 5),
    (Plant::TwoPersons, 8),
    (Plant::Long, 15),
    (Plant::Dear, 15),
    (Plant::Quantity, 15),
    (Plant::Outside, 25),
];

/// What is wrong with a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plant {
    SplitStay,
    Invoice,
    Twice,
    Overlap,
    EmptyBed,
    OtherSex,
    OtherName,
    OtherPayout,
    Amounts,
    Nothing,
    TwoPersons,
    Long,
    Dear,
    Quantity,
    Outside,
}

/// What is planted, in an order that spreads it.
pub(super) fn plants(stays: u32) -> Vec<Plant> {
    let count =
        |of_9000: u64| usize::try_from(of_9000 * u64::from(stays) / 9_000).unwrap_or(0).max(1);
    let mut rows: Vec<(Plant, usize)> =
        PLANTS.iter().map(|(plant, of)| (*plant, count(*of))).collect();
    let mut plants = Vec::new();
    while rows.iter().any(|(_, left)| *left > 0) {
        for (plant, left) in &mut rows {
            if *left > 0 {
                *left -= 1;
                plants.push(*plant);
            }
        }
    }
    plants
}

impl Drawing<'_> {
    /// A stay with something wrong.
    pub(super) fn planted(&mut self, stay: &Stay, plant: Plant) {
        self.take(stay);
        let bill = self.bill(stay);
        let first = self.settlement(stay, &bill);
        match plant {
            Plant::SplitStay | Plant::Twice | Plant::Overlap | Plant::Invoice => {
                self.arrives(first.clone(), 0);
                self.second(stay, &first, &bill, plant);
            }
            Plant::EmptyBed => {
                self.plant(&first, "LOW_INTENSITY");
                self.with_lines(stay, first, &bill, Some(plant));
            }
            Plant::Quantity => {
                self.plant(&first, "QUANTITY");
                self.with_lines(stay, first, &bill, Some(plant));
            }
            _ => self.spoilt(stay, first, plant),
        }
    }

    /// A second bill that should not be there.
    fn second(&mut self, stay: &Stay, first: &pb::Settlement, bill: &Bill, plant: Plant) {
        let days = i64::from(stay.last.days_since(stay.first)).max(3);
        let (begins, code) = match plant {
            Plant::SplitStay => (plus(stay.last, self.dice.between(2, 5)), "READMISSION"),
            Plant::Overlap => (plus(stay.first, days / 2), "OVERLAPPING_STAYS"),
            Plant::Twice => (stay.first, "DUPLICATE_STAY"),
            _ => (plus(stay.last, 3), "DUPLICATE_INVOICE"),
        };
        let mut again = Stay { first: begins, last: plus(begins, days.min(8)), ..stay.clone() };
        if plant == Plant::Twice {
            again.last = stay.last;
        }
        if plant == Plant::Overlap {
            // It comes later than the first, and is the one that is looked at.
            again.last = plus(stay.last, 2);
            again.hospital = (stay.hospital + 1) % self.hospitals;
            // Of another illness, so that it is the days alone.
            again.illness = (stay.illness + 1) % 3;
        }
        if plant == Plant::Invoice {
            // Somebody else's stay with the same paper.
            again.person = (stay.person + 1) % self.people.len();
            if self.people[again.person].flaw.is_some() || !self.is_free(&again) {
                return;
            }
        }
        if again.last.year() > 2026 {
            return;
        }
        self.take(&again);
        let other = self.bill(&again);
        let bill = if plant == Plant::Twice { bill } else { &other };
        let mut settlement = self.settlement(&again, bill);
        if plant == Plant::Invoice {
            settlement.invoice_no.clone_from(&first.invoice_no);
        }
        if plant == Plant::Twice {
            settlement.settle_time =
                Some(timestamp(Moment::from_micros(moment(first).micros() + 3 * 3_600_000_000)));
        }
        self.plant(&settlement, code);
        self.arrives(settlement, 0);
    }

    /// One settlement with something wrong in it.
    fn spoilt(&mut self, stay: &Stay, mut it: pb::Settlement, plant: Plant) {
        let code = match plant {
            Plant::OtherSex => {
                let code = if self.people[stay.person].is_woman { "N40.x00" } else { "N80.900" };
                it.diagnoses = vec![diagnosis(code)];
                "SEX_AGE"
            }
            Plant::OtherName => {
                "测试冒名".clone_into(&mut it.member.as_mut().expect("a member").name);
                "NAME_DIFFERS"
            }
            Plant::OtherPayout => {
                let total_fen = it.personal_total_fen.unwrap_or(0) + 100_000;
                it.sender_payout = Some(pb::SenderPayout { total_fen, ..Default::default() });
                "SENDER_PAYOUT_DIFFERS"
            }
            Plant::Amounts => {
                it.fund_total_fen = it.fund_total_fen.map(|fen| fen + 10_000);
                "AMOUNTS_CONTRADICT"
            }
            Plant::Long => "LENGTH_OUTLIER",
            Plant::Nothing => {
                bills::nothing(&mut it);
                "NOTHING_BILLED"
            }
            Plant::TwoPersons => {
                // The number of somebody who was there before.
                let known = self.year.arrivals.iter().find_map(|arrival| match &arrival.what {
                    What::Settlement(other) if arrival.time < moment(&it) => other.member.clone(),
                    _ => None,
                });
                let Some(known) = known else { return };
                it.member.as_mut().expect("a member").psn_no = known.psn_no;
                "PERSON_UNCLEAR"
            }
            Plant::Dear => {
                let days = i64::from(stay.last.days_since(stay.first)).max(1);
                Bill::draw(&mut self.dice, days * 1_500_000, 0).write(&mut it);
                "COST_OUTLIER"
            }
            _ => {
                bills::mostly_outside(&mut it);
                "OUT_OF_CATALOGUE"
            }
        };
        self.plant(&it, code);
        self.arrives(it, 0);
    }
}
