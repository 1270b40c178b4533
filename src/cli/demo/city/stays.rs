//! A year of stays: who is ill of what, where and how long, what it costs, and what is wrong with some
//! of them. Everything is invented, and money is whole fen from the first roll of the dice on.

use std::collections::HashMap;

use super::bills::{self, Bill};
use super::people::{Flaw, Person};
use crate::cli::dice::Dice;
use crate::core::day::{Day, Moment};
use crate::pb;
use plants::{Plant, plants};

mod plants;

/// Something that arrives at the server.
pub(super) struct Arrival {
    pub(super) time: Moment,
    pub(super) what: What,
}

/// What arrives.
pub(super) enum What {
    /// A settlement.
    Settlement(Box<pb::Settlement>),
    /// Fee lines that came late.
    Lines(Box<pb::Settlement>),
    /// A reversal of the settlement with this id.
    Reversal(String),
}

/// What is planted, by the code of the rule that has to find it.
pub(super) type Planted = HashMap<String, &'static str>;

/// A year: what arrives, in order, and what is planted in it, by settlement.
pub(super) struct Year {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) planted: Planted,
}

/// An illness: the main diagnosis, its usual days and fen a day, how often in a thousand stays.
struct Illness {
    code: &'static str,
    days: i64,
    daily: i64,
    share: u64,
}

const fn illness(code: &'static str, days: i64, daily: i64, share: u64) -> Illness {
    Illness { code, days, daily, share }
}

/// What old soldiers are in hospital for.
const ILLNESSES: [Illness; 16] = [
    illness("I63.900", 11, 92_000, 130),
    illness("I50.900", 9, 88_000, 95),
    illness("I25.103", 7, 145_000, 110),
    illness("J44.100", 10, 76_000, 105),
    illness("J18.900", 9, 72_000, 80),
    illness("E11.900", 8, 58_000, 85),
    illness("I10.x00", 7, 49_000, 60),
    illness("M51.202", 9, 67_000, 70),
    illness("C34.900", 12, 168_000, 45),
    illness("Z51.103", 4, 210_000, 45),
    illness("N18.500", 8, 98_000, 35),
    illness("K80.100", 8, 120_000, 40),
    illness("H25.900", 3, 190_000, 35),
    illness("G20.x00", 11, 62_000, 25),
    illness("S72.000", 14, 185_000, 24),
    illness("S22.300", 9, 90_000, 16),
];

/// So many stays in the year make one more hospital.
const STAYS_OF_HOSPITAL: u64 = 225;
/// How often stays are drawn anew before a year is taken for full.
const DRAWS_MAX: u32 = 50;

/// The first day of the year.
pub(super) fn new_year() -> Day {
    Day::new(2026, 1, 1).expect("a day")
}

/// So many days later.
pub(super) fn plus(day: Day, days: i64) -> Day {
    (0..days).fold(day, |day, _| day.next())
}

struct Drawing<'a> {
    dice: Dice,
    people: &'a [Person],
    /// Sums of frailty, to draw a person by.
    weights: Vec<u64>,
    /// Days in hospital by person, first and last.
    taken: HashMap<usize, Vec<(Day, Day)>>,
    died: HashMap<usize, Day>,
    hospitals: u64,
    year: Year,
    number: u64,
}

/// A stay on its way to being settled.
#[derive(Clone)]
struct Stay {
    person: usize,
    first: Day,
    last: Day,
    illness: usize,
    hospital: u64,
}

/// Draws a year of about so many stays.
pub(super) fn year(seed: u64, people: &[Person], stays: u32) -> Year {
    let sum = |sum: &mut u64, person: &Person| {
        *sum += person.frailty;
        Some(*sum)
    };
    let mut drawing = Drawing {
        dice: Dice::new(seed ^ 0x5ca1_ab1e),
        people,
        weights: people.iter().scan(0, sum).collect(),
        taken: HashMap::new(),
        died: HashMap::new(),
        hospitals: (u64::from(stays) / STAYS_OF_HOSPITAL).max(2),
        year: Year { arrivals: Vec::new(), planted: Planted::new() },
        number: 0,
    };
    let mut plants = plants(stays);
    let every = (u64::from(stays) / (plants.len() as u64 + 1)).max(1);
    for index in 0..u64::from(stays) {
        let due = index % every == every - 1;
        let plant = if due { plants.pop() } else { None };
        drawing.stay(plant);
    }
    drawing.year.arrivals.sort_by_key(|arrival| arrival.time);
    drawing.year
}

impl Drawing<'_> {
    fn stay(&mut self, plant: Option<Plant>) {
        let Some(stay) = (0..DRAWS_MAX).find_map(|_| self.draw(plant)) else { return };
        match plant {
            None => self.ordinary(&stay),
            Some(plant) => self.planted(&stay, plant),
        }
    }

    /// Somebody who is free then; `None` where the one that was drawn is not.
    fn draw(&mut self, plant: Option<Plant>) -> Option<Stay> {
        let total = *self.weights.last()?;
        let rolled = self.dice.roll(total);
        let person = self.weights.partition_point(|sum| *sum <= rolled);
        let illness = self.illness(plant);
        let usual = ILLNESSES[illness].days;
        let days = self.dice.between(usual - usual / 2, usual + usual / 2).max(2);
        let days = match plant {
            Some(Plant::Long) => 60,
            Some(Plant::EmptyBed) => 9,
            _ if self.dice.happens(15) => days * 2,
            _ => days,
        };
        // What needs figures of the months before comes later in the year.
        let earliest = match plant {
            Some(Plant::Long | Plant::Dear) => 150,
            Some(Plant::TwoPersons) => 60,
            _ => 0,
        };
        let first = plus(new_year(), self.dice.between(earliest, 362 - days.min(60)));
        let last = plus(first, days);
        let is_this_year = last.year() == 2026;
        let is_flawed = self.people[person].flaw.is_some();
        let hospital = self.dice.roll(self.hospitals);
        let stay = Stay { person, first, last, illness, hospital };
        // Another anomaly beside one would hide whether this one was caught.
        (is_this_year && self.is_free(&stay) && !(plant.is_some() && is_flawed)).then_some(stay)
    }

    fn illness(&mut self, plant: Option<Plant>) -> usize {
        // A planted stay has no second reason to be looked at, and one that is split has a cause
        // that does not come in cycles.
        let sides = if plant.is_some() { 855 } else { 1000 };
        let mut rest = self.dice.roll(sides);
        for (index, illness) in ILLNESSES.iter().enumerate() {
            if rest < illness.share {
                let is_cycle = illness.code.starts_with("Z51");
                return if plant.is_some() && is_cycle { 0 } else { index };
            }
            rest -= illness.share;
        }
        0
    }

    fn is_free(&self, stay: &Stay) -> bool {
        let died = self.died.get(&stay.person).is_none_or(|death| stay.last < *death);
        let taken = self.taken.get(&stay.person);
        // A split stay and a double bill take some days behind it.
        let (first, last) = (stay.first, plus(stay.last, 18));
        died && taken.is_none_or(|taken| taken.iter().all(|it| it.1 < first || last < it.0))
    }

    fn take(&mut self, stay: &Stay) {
        self.taken.entry(stay.person).or_default().push((stay.first, stay.last));
    }

    /// A bill for a stay.
    fn bill(&mut self, stay: &Stay) -> Bill {
        let illness = &ILLNESSES[stay.illness];
        let days = i64::from(stay.last.days_since(stay.first)).max(1);
        let level = i64::try_from(stay.hospital % 3).expect("it is small");
        let daily = illness.daily * (115 - 12 * level) / 100 * self.dice.between(80, 170) / 100;
        // A month in intensive care now and then.
        let dear = if self.dice.happens(12) { self.dice.between(3, 7) } else { 1 };
        Bill::draw(&mut self.dice, days * daily * dear, level)
    }

    /// A settlement of a stay, with nothing wrong.
    fn settlement(&mut self, stay: &Stay, bill: &Bill) -> pb::Settlement {
        self.number += 1;
        let person = &self.people[stay.person];
        let code = ILLNESSES[stay.illness].code;
        let settled = self.settled(stay.last);
        let mut settlement = pb::Settlement {
            source: "370200".to_owned(),
            settlement_id: format!("370200G{:013}", self.number),
            visit_id: format!("370200V{:013}", self.number),
            member: Some(pb::MemberIdentity {
                psn_no: format!("3702{:016}", stay.person),
                ..person.identity()
            }),
            hospital_code: format!("H3702{:07}", stay.hospital),
            hospital_level: ["02", "05", "08"][usize::try_from(stay.hospital % 3).unwrap_or(0)]
                .into(),
            region: "370200".to_owned(),
            insured_region: "370200".to_owned(),
            insurance_type: if stay.person.is_multiple_of(4) { "310" } else { "390" }.to_owned(),
            medical_category: if code.starts_with('S') { "22" } else { "21" }.to_owned(),
            admission_date: stay.first.to_string(),
            discharge_date: stay.last.to_string(),
            settle_time: Some(timestamp(settled)),
            diagnoses: vec![diagnosis(code)],
            invoice_no: format!("37060126{:010}", self.number),
            discharge_way: "1".to_owned(),
            pay_location: "2".to_owned(),
            ..pb::Settlement::default()
        };
        bill.write(&mut settlement);
        settlement
    }

    /// Settled on the last day, between nine and five.
    fn settled(&mut self, last: Day) -> Moment {
        let minutes = self.dice.between(9 * 60, 17 * 60);
        Moment::from_micros(last.start().micros() + minutes * 60_000_000)
    }

    fn arrives(&mut self, settlement: pb::Settlement, days_later: i64) {
        let settled = moment(&settlement);
        let time = Moment::from_micros(settled.micros() + days_later * 86_400_000_000);
        let what = What::Settlement(Box::new(settlement));
        self.year.arrivals.push(Arrival { time, what });
    }

    fn plant(&mut self, settlement: &pb::Settlement, code: &'static str) {
        self.year.planted.insert(settlement.settlement_id.clone(), code);
    }

    /// A stay as most are: perhaps interim, reversed, with late lines, elsewhere, or the last one.
    fn ordinary(&mut self, stay: &Stay) {
        self.take(stay);
        let bill = self.bill(stay);
        let days = stay.last.days_since(stay.first);
        if days >= 16 && self.dice.happens(300) {
            return self.interim(stay, &bill);
        }
        let mut settlement = self.settlement(stay, &bill);
        self.flawed(stay, &settlement);
        let elsewhere = self.dice.roll(1000);
        let mut days_later = 0;
        match elsewhere {
            0..16 => {
                "370100".clone_into(&mut settlement.region);
                days_later = self.dice.between(2, 10);
            }
            16..26 => {
                "1".clone_into(&mut settlement.pay_location);
                days_later = self.dice.between(10, 40);
            }
            26..38 if !self.taken[&stay.person].iter().any(|it| it.0 > stay.last) => {
                "5".clone_into(&mut settlement.discharge_way);
                self.died.insert(stay.person, stay.last);
            }
            38..56 => return self.corrected(settlement, &bill),
            56..300 => return self.with_lines(stay, settlement, &bill, None),
            _ => {}
        }
        self.arrives(settlement, days_later);
    }

    /// What is wrong with the person is wrong with each of their stays.
    fn flawed(&mut self, stay: &Stay, settlement: &pb::Settlement) {
        let person = &self.people[stay.person];
        let settled = moment(settlement).day().expect("a day");
        let code = match person.flaw {
            Some(Flaw::OldNumber) => "WEAK_IDENTITY",
            Some(Flaw::SharedAccount) => "SHARED_ACCOUNT",
            Some(Flaw::ClassEnded) if person.class_ends().is_some_and(|it| it < settled) => {
                "CLASS_ENDED"
            }
            _ => return,
        };
        self.plant(settlement, code);
    }

    /// Settled in the middle of the stay and at its end.
    fn interim(&mut self, stay: &Stay, bill: &Bill) {
        let half = Stay { last: plus(stay.first, 10), ..stay.clone() };
        let halves = bill.halves();
        let mut first = self.settlement(&half, &halves[0]);
        first.interim = Some(true);
        let mut second = self.settlement(stay, &halves[1]);
        second.visit_id.clone_from(&first.visit_id);
        second.interim = Some(false);
        for settlement in [first, second] {
            self.flawed(stay, &settlement);
            self.arrives(settlement, 0);
        }
    }

    /// Taken back some days later, and settled anew with a corrected bill.
    fn corrected(&mut self, settlement: pb::Settlement, bill: &Bill) {
        let days = self.dice.between(1, 5);
        let settled = moment(&settlement);
        let time = Moment::from_micros(settled.micros() + days * 86_400_000_000);
        if time.day().is_none_or(|day| day.year() > 2026) {
            return self.arrives(settlement, 0);
        }
        self.number += 1;
        let mut anew = pb::Settlement {
            settlement_id: format!("370200G{:013}", self.number),
            invoice_no: format!("37060126{:010}", self.number),
            settle_time: Some(timestamp(time)),
            ..settlement.clone()
        };
        bill.corrected().write(&mut anew);
        if let Some(code) = self.year.planted.get(&settlement.settlement_id) {
            let code = *code;
            self.plant(&anew, code);
        }
        let reversed = What::Reversal(settlement.settlement_id.clone());
        self.arrives(settlement, 0);
        self.year.arrivals.push(Arrival { time, what: reversed });
        let what = What::Settlement(Box::new(anew));
        let time = Moment::from_micros(time.micros() + 60_000_000);
        self.year.arrivals.push(Arrival { time, what });
    }

    /// With fee lines, at once or some days later.
    fn with_lines(
        &mut self,
        stay: &Stay,
        mut settlement: pb::Settlement,
        bill: &Bill,
        plant: Option<Plant>,
    ) {
        let share = if plant == Some(Plant::EmptyBed) { 30 } else { self.dice.between(60, 100) };
        let mut lines = bills::lines(stay.first, stay.last, bill.total, share);
        if plant == Some(Plant::Quantity) {
            "3".clone_into(&mut lines[0].quantity);
        }
        if self.dice.happens(600) {
            settlement.lines = lines;
            return self.arrives(settlement, 0);
        }
        let days = self.dice.between(1, 7);
        let facts = pb::Settlement {
            source: settlement.source.clone(),
            settlement_id: settlement.settlement_id.clone(),
            lines,
            ..pb::Settlement::default()
        };
        let time = Moment::from_micros(moment(&settlement).micros() + days * 86_400_000_000);
        self.year.arrivals.push(Arrival { time, what: What::Lines(Box::new(facts)) });
        self.arrives(settlement, 0);
    }
}

fn diagnosis(code: &str) -> pb::Diagnosis {
    pb::Diagnosis { code: code.to_owned(), name: String::new() }
}

fn timestamp(moment: Moment) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: moment.micros() / 1_000_000, nanos: 0 }
}

/// When a settlement was settled.
pub(super) fn moment(settlement: &pb::Settlement) -> Moment {
    let seconds = settlement.settle_time.as_ref().map_or(0, |time| time.seconds);
    Moment::from_micros(seconds * 1_000_000)
}
