//! A simulated platform (医保): settlements that become visible over a month, late ones, reversals, and
//! every fault that platforms have. Knows nothing of what fetches from it, and answers by a time that
//! its caller says.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greenlane::core::day::Moment;
use serde_json::{Value, json};

use crate::serving::cert;
use crate::support::Dice;

pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// Its settlements are of so many persons.
pub const MEMBERS: usize = 200;

/// A row of the platform's table of settlements.
struct Row {
    /// When others can see it, in µs.
    visible: i64,
    /// When it was recorded by the clock of its own machine.
    opt_time: i64,
    id: String,
    content: Value,
    /// From when on it bears the flag of a settlement that was taken back.
    flagged: Option<i64>,
}

/// What goes wrong during a span of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// HTTP 500.
    Error,
    /// A body that ends in its middle.
    Half,
    /// No answer before anybody's patience ends.
    Slow,
    /// `infcode` -1.
    Refused,
}

pub struct Platform {
    rows: Vec<Row>,
    /// Longer ones, in order, with what goes wrong in each.
    pub outages: Vec<(Range<i64>, Fault)>,
    dice: Dice,
    /// Faults of single answers and rows that come twice, in percent.
    single_faults: u64,
    late_percent: i64,
}

/// What the platform answers.
pub enum Reply {
    /// A body.
    Body(Vec<u8>),
    Fault(Fault),
}

impl Platform {
    /// A platform with `count` stays that are settled from `start` on for `days`, some of them
    /// reversed and settled anew.
    /// Of its rows `late` percent can be seen only days or weeks after they were recorded.
    pub fn new(
        start: Moment,
        days: i64,
        count: usize,
        late_percent: i64,
        mut dice: Dice,
    ) -> Platform {
        let start = start.micros();
        let mut platform = Platform {
            rows: Vec::new(),
            outages: Vec::new(),
            dice: Dice::seeded_with(3),
            single_faults: 0,
            late_percent,
        };
        for n in 0..count {
            let time = start + below(&mut dice, days * DAY);
            platform.settle(n, time, &mut dice);
        }
        platform
            .rows
            .sort_by(|one, other| (one.opt_time, &one.id).cmp(&(other.opt_time, &other.id)));
        platform
    }

    /// Lets it fail: in outages of hours, and in single answers.
    pub fn failing(mut self, start: Moment, days: i64, mut dice: Dice) -> Platform {
        let mut at = start.micros();
        let end = at + days * DAY;
        let faults = [Fault::Error, Fault::Half, Fault::Slow, Fault::Refused];
        loop {
            at += 6 * HOUR + below(&mut dice, 3 * DAY);
            let until = at + 10 * MINUTE + below(&mut dice, 10 * HOUR);
            if end < until {
                break;
            }
            let fault = faults[usize::try_from(below(&mut dice, 4)).unwrap()];
            self.outages.push((at..until, fault));
            at = until;
        }
        self.single_faults = 3;
        self
    }

    fn settle(&mut self, n: usize, time: i64, dice: &mut Dice) {
        let total = 80_000 + below(dice, 3_000_000);
        let id = format!("370200G{n:013}");
        let is_reversed = below(dice, 100) < 8;
        let reversed = is_reversed.then(|| time + MINUTE + below(dice, 3 * DAY));
        let row = settlement(n, &id, time, total);
        self.publish(id.clone(), time, row.clone(), reversed, dice);
        let Some(reversed) = reversed else { return };
        let reversal_id = format!("370200R{n:013}");
        let mut negative = row;
        for name in ["medfee_sumamt", "fund_pay_sumamt", "hifp_pay", "psn_part_amt"] {
            negative[name] = format!("-{}", negative[name].as_str().unwrap()).into();
        }
        negative["setl_id"] = reversal_id.clone().into();
        negative["init_setl_id"] = id.into();
        negative["refd_setl_flag"] = "1".into();
        negative["setl_time"] = local(reversed).into();
        self.publish(reversal_id, reversed, negative, None, dice);
        if below(dice, 2) == 0 {
            let again = reversed + MINUTE;
            let id = format!("370200S{n:013}");
            self.publish(id.clone(), again, settlement(n, &id, again, total + 100), None, dice);
        }
    }

    /// Some rows come late: an hour at most, mostly; and a few days or weeks, as those do that are
    /// typed in by hand. The clocks of its machines differ.
    fn publish(
        &mut self,
        id: String,
        time: i64,
        mut row: Value,
        flagged: Option<i64>,
        dice: &mut Dice,
    ) {
        let skew = [-90, 0, 90][usize::try_from(below(dice, 3)).unwrap()] * 1_000_000;
        let late = match below(dice, 100) {
            n if n < self.late_percent => HOUR + below(dice, 10 * DAY),
            0..=4 => below(dice, 50 * MINUTE),
            _ => below(dice, 5_000_000),
        };
        let opt_time = (time + skew) / 1_000_000 * 1_000_000;
        row["opt_time"] = local(opt_time).into();
        let visible = time + late;
        self.rows.push(Row { visible, opt_time, id, content: row, flagged });
    }

    /// The same, but only single answers fail and rows come twice.
    pub fn failing_at_times(self) -> Platform {
        Platform { single_faults: 20, ..self }
    }

    /// Whether an outage has ended within the last minutes, or is about to end.
    pub fn has_just_recovered(&self, now: i64) -> bool {
        let near = |end: i64| (end - 5 * MINUTE..end + 5 * MINUTE).contains(&now);
        self.outages.iter().any(|(span, _)| near(span.end))
    }

    /// Answers a request body, at a time.
    pub fn answer(&mut self, body: &str, now: Moment) -> Reply {
        let now = now.micros();
        let outage = self.outages.iter().find(|(span, _)| span.contains(&now));
        if let Some((_, Fault::Half)) = outage {
            return Reply::Body(half(self.page(body, now)));
        }
        if let Some((_, fault)) = outage {
            return Reply::Fault(*fault);
        }
        if !self.has_just_recovered(now) && self.dice.roll(100) < self.single_faults {
            return match self.dice.roll(4) {
                0 => Reply::Fault(Fault::Error),
                1 => Reply::Body(half(self.page(body, now))),
                2 => Reply::Fault(Fault::Refused),
                _ => Reply::Fault(Fault::Slow),
            };
        }
        Reply::Body(self.page(body, now).into_bytes())
    }

    fn page(&mut self, body: &str, now: i64) -> String {
        let asked: Value = serde_json::from_str(body).unwrap();
        assert_eq!(asked["infno"], "5203");
        let data = &asked["input"]["data"];
        let from = Moment::parse_local(data["begntime"].as_str().unwrap()).unwrap().micros();
        let after = data["setl_id"].as_str().unwrap().to_owned();
        let size: usize = data["page_size"].as_str().unwrap().parse().unwrap();
        let mut rows: Vec<Value> = self
            .rows
            .iter()
            .filter(|row| row.visible <= now && (from, &after) < (row.opt_time, &row.id))
            .take(size)
            .map(|row| row.at(now))
            .collect();
        // A row twice, as platforms do that join tables.
        if 0 < self.single_faults && !rows.is_empty() && self.dice.roll(10) == 0 {
            rows.push(rows[0].clone());
        }
        let output = json!({ "data": rows });
        json!({"infcode": 0, "inf_refmsgid": "370200", "err_msg": null, "output": output})
            .to_string()
    }

    /// Every settlement that is visible by then, and whether it is taken back.
    pub fn settlements(&self, by: Moment) -> BTreeMap<String, bool> {
        let by = by.micros();
        let visible = |row: &&Row| row.visible <= by && row.content["init_setl_id"].is_null();
        let taken_back: BTreeSet<&str> = self
            .rows
            .iter()
            .filter(|row| row.visible <= by)
            .filter_map(|row| row.content["init_setl_id"].as_str())
            .collect();
        let is_taken_back = |row: &Row| {
            taken_back.contains(row.id.as_str()) || row.flagged.is_some_and(|at| at <= by)
        };
        self.rows.iter().filter(visible).map(|row| (row.id.clone(), is_taken_back(row))).collect()
    }
}

impl Row {
    fn at(&self, now: i64) -> Value {
        let mut row = self.content.clone();
        if self.flagged.is_some_and(|at| at <= now) {
            row["refd_setl_flag"] = "1".into();
        }
        row
    }
}

fn settlement(n: usize, id: &str, time: i64, total: i64) -> Value {
    let fund = total / 2;
    json!({
        "setl_id": id, "mdtrt_id": format!("V{n:012}"), "certno": cert(n % MEMBERS),
        "psn_cert_type": "01", "fixmedins_code": "H37029999001", "med_type": "21",
        "insutype": "310", "setl_time": local(time), "medfee_sumamt": yuan(total),
        "fund_pay_sumamt": yuan(fund), "hifp_pay": yuan(fund), "psn_part_amt": yuan(total - fund),
        "refd_setl_flag": "0",
    })
}

/// What is cut off in its middle.
fn half(body: String) -> Vec<u8> {
    let mut bytes = body.into_bytes();
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn local(micros: i64) -> String {
    Moment::from_micros(micros).local()
}

pub fn below(dice: &mut Dice, sides: i64) -> i64 {
    i64::try_from(dice.roll(u64::try_from(sides).unwrap())).unwrap()
}
