//! Bills as basic insurance settles them: every amount agrees with every other to the fen.

use crate::cli::dice::Dice;
use crate::core::day::Day;
use crate::pb;

/// A bill in its parts, in fen.
#[derive(Debug, Clone)]
pub(super) struct Bill {
    pub(super) total: i64,
    out_of_catalogue: i64,
    over_limit: i64,
    advance_self_pay: i64,
    in_scope: i64,
    basic_deductible: i64,
    /// What the pool, critical-illness insurance and the veterans' aid paid.
    funds: [i64; 3],
}

const FUNDS: [&str; 3] = ["390100", "390200", "610200"];
/// Above this of what is in scope critical-illness insurance helps.
const CRITICAL_FROM: i64 = 1_400_000;
/// The deductible of basic insurance by the hospital's level.
const BASIC_DEDUCTIBLES: [i64; 3] = [80_000, 50_000, 20_000];

impl Bill {
    /// How basic insurance settles a total, by the level of the hospital.
    pub(super) fn draw(dice: &mut Dice, total: i64, level: i64) -> Bill {
        let total = total.max(60_000);
        let mut part = |least, most| total * dice.between(least, most) / 1000;
        let out_of_catalogue = part(30, 110);
        let over_limit = part(0, 20);
        let advance_self_pay = part(40, 90);
        let in_scope = total - out_of_catalogue - over_limit - advance_self_pay;
        let level = usize::try_from(level).unwrap_or(0).min(2);
        let basic_deductible = BASIC_DEDUCTIBLES[level].min(in_scope);
        let shared = in_scope - basic_deductible;
        let pool = shared * dice.between(620, 800) / 1000;
        let left = shared - pool;
        let critical = (left - CRITICAL_FROM).max(0) * 60 / 100;
        let aid = (left - critical) * dice.between(50, 200) / 1000;
        Bill {
            total,
            out_of_catalogue,
            over_limit,
            advance_self_pay,
            in_scope,
            basic_deductible,
            funds: [pool, critical, aid],
        }
    }

    /// Two bills that add up to this one.
    pub(super) fn halves(&self) -> [Bill; 2] {
        let half = |fen: i64| fen / 2;
        let first = Bill {
            total: half(self.total),
            out_of_catalogue: half(self.out_of_catalogue),
            over_limit: half(self.over_limit),
            advance_self_pay: half(self.advance_self_pay),
            in_scope: 0,
            basic_deductible: 0,
            funds: self.funds.map(half),
        };
        let outside = first.out_of_catalogue + first.over_limit + first.advance_self_pay;
        let in_scope = first.total - outside;
        let unpaid = in_scope - first.funds.iter().sum::<i64>();
        let basic_deductible = self.basic_deductible.min(unpaid);
        let first = Bill { in_scope, basic_deductible, ..first };
        let second = Bill {
            total: self.total - first.total,
            out_of_catalogue: self.out_of_catalogue - first.out_of_catalogue,
            over_limit: self.over_limit - first.over_limit,
            advance_self_pay: self.advance_self_pay - first.advance_self_pay,
            in_scope: self.in_scope - first.in_scope,
            basic_deductible: self.basic_deductible - basic_deductible,
            funds: [0, 1, 2].map(|index| self.funds[index] - first.funds[index]),
        };
        [first, second]
    }

    /// The same with a tenth less out of the catalogue: what the hospital corrects.
    pub(super) fn corrected(&self) -> Bill {
        let less = self.out_of_catalogue / 10;
        Bill {
            total: self.total - less,
            out_of_catalogue: self.out_of_catalogue - less,
            ..self.clone()
        }
    }

    /// Writes it into a settlement.
    pub(super) fn write(&self, settlement: &mut pb::Settlement) {
        let fund_total: i64 = self.funds.iter().sum();
        let fund = |(code, amount): (&str, &i64)| pb::FundPayment {
            fund_code: code.to_owned(),
            amount_fen: *amount,
        };
        let funds = FUNDS.into_iter().zip(&self.funds).filter(|(_, amount)| **amount > 0);
        settlement.total_fen = self.total;
        settlement.out_of_catalogue_fen = Some(self.out_of_catalogue);
        settlement.over_limit_fen = Some(self.over_limit);
        settlement.advance_self_pay_fen = Some(self.advance_self_pay);
        settlement.in_scope_fen = Some(self.in_scope);
        settlement.basic_deductible_fen = Some(self.basic_deductible);
        settlement.funds = funds.map(fund).collect();
        settlement.fund_total_fen = Some(fund_total);
        settlement.hospital_borne_fen = Some(0);
        settlement.personal_total_fen = Some(self.total - fund_total);
        settlement.account_fen = Some(0);
        settlement.cash_fen = Some(self.total - fund_total);
    }
}

/// A bill that comes to nothing.
pub(super) fn nothing(settlement: &mut pb::Settlement) {
    let bill = Bill {
        total: 0,
        out_of_catalogue: 0,
        over_limit: 0,
        advance_self_pay: 0,
        in_scope: 0,
        basic_deductible: 0,
        funds: [0; 3],
    };
    bill.write(settlement);
}

/// A bill of which seven parts in ten are out of the catalogue.
pub(super) fn mostly_outside(settlement: &mut pb::Settlement) {
    let total = settlement.total_fen;
    let out_of_catalogue = total * 7 / 10;
    let in_scope = total - out_of_catalogue;
    let bill = Bill {
        total,
        out_of_catalogue,
        over_limit: 0,
        advance_self_pay: 0,
        in_scope,
        basic_deductible: 0,
        funds: [in_scope / 2, 0, 0],
    };
    bill.write(settlement);
}

/// Fee lines of a stay that add up to its bill: a bed and nursing each day, and medicine on so many
/// days in a hundred.
pub(super) fn lines(first: Day, last: Day, total: i64, share: i64) -> Vec<pb::Line> {
    let days: Vec<Day> = std::iter::successors(Some(first), |day| Some(day.next()))
        .take_while(|it| *it < last)
        .collect();
    let count = i64::try_from(days.len()).unwrap_or(1).max(1);
    let treated = (count * share + 99) / 100;
    let (bed, nursing) = (5_000.min(total / count / 4), 3_000.min(total / count / 4));
    let mut lines = Vec::new();
    let mut left = total;
    let mut line = |class: &str, day: Day, fen: i64| {
        left -= fen;
        lines.push(pb::Line {
            line_no: format!("L{}", lines.len() + 1),
            charge_class: class.to_owned(),
            catalogue_level: "01".to_owned(),
            service_date: day.to_string(),
            total_fen: fen,
            in_scope_fen: Some(fen),
            quantity: "1".to_owned(),
            ..pb::Line::default()
        });
        left
    };
    for day in &days {
        line("01", *day, bed);
        line("07", *day, nursing);
    }
    let mut rest = total - count * (bed + nursing);
    for (index, day) in (1..).zip(days.iter().take(usize::try_from(treated).unwrap_or(1))) {
        let fen = if index == treated { rest } else { rest / (treated - index + 1) };
        rest = line("09", *day, fen);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bill: &Bill) {
        let parts = bill.out_of_catalogue + bill.over_limit + bill.advance_self_pay + bill.in_scope;
        assert_eq!(parts, bill.total, "{bill:?}");
        let funds: i64 = bill.funds.iter().sum();
        assert!(funds <= bill.in_scope - bill.basic_deductible, "{bill:?}");
    }

    #[test]
    fn a_bill_its_halves_and_its_correction_agree_to_the_fen() {
        let mut dice = Dice::new(7);
        for _ in 0..2_000 {
            let total = dice.between(10_000, 50_000_000);
            let bill = Bill::draw(&mut dice, total, 1);
            whole(&bill);
            let halves = bill.halves();
            whole(&halves[0]);
            whole(&halves[1]);
            assert_eq!(halves[0].total + halves[1].total, bill.total);
            whole(&bill.corrected());
        }
    }

    #[test]
    fn lines_add_up_to_the_bill() {
        let day = |text| Day::parse(text).unwrap();
        for (last, total, share) in
            [("2026-03-03", 60_001, 100), ("2026-03-12", 999_999, 30), ("2026-04-30", 70_000, 60)]
        {
            let lines = lines(day("2026-03-02"), day(last), total, share);
            assert_eq!(lines.iter().map(|line| line.total_fen).sum::<i64>(), total);
            assert!(lines.iter().all(|line| line.total_fen >= 0));
        }
    }
}
