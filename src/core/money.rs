//! Money and rates. Amounts are whole fen (1/100 yuan); no float can reach these types.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

/// An amount of money in fen (1/100 yuan), never negative.
///
/// A movement in the other direction is another entry, not a minus sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Fen(i64);

/// Why a text or a number is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Not a plain decimal number: letters, an exponent, two dots, nothing at all.
    #[error("must be a plain decimal number of yuan such as 1234.56")]
    NotDecimal,
    /// A third decimal that is not zero.
    #[error("must have at most two decimals")]
    TooManyDecimals,
    /// Above [`Fen::INPUT_MAX`].
    #[error("must be at most 10000000000.00")]
    TooLarge,
}

impl Fen {
    /// Nothing.
    pub const ZERO: Fen = Fen(0);
    /// The largest amount accepted from outside: ten billion yuan. A claim of ten thousand lines
    /// and a member with a million claims still add up far below `i64::MAX`.
    pub const INPUT_MAX: Fen = Fen(1_000_000_000_000);

    /// One fen, the smallest amount.
    pub const ONE: Fen = Fen(1);

    /// More than anything that adds up.
    pub const MAX: Fen = Fen(i64::MAX);

    /// Whole yuan.
    pub const fn from_yuan(yuan: u32) -> Fen {
        Fen(yuan as i64 * 100)
    }

    /// `None` when negative. For amounts that were checked before: rows, sums.
    pub fn new(fen: i64) -> Option<Fen> {
        (fen >= 0).then_some(Fen(fen))
    }

    /// An amount from outside, in fen: refused when negative or above [`Fen::INPUT_MAX`].
    pub fn from_input(fen: i64) -> Result<Fen, AmountError> {
        match fen {
            fen if fen < 0 => Err(AmountError::Negative),
            fen if fen > Fen::INPUT_MAX.0 => Err(AmountError::TooLarge),
            fen => Ok(Fen(fen)),
        }
    }

    /// Reads yuan from their text (`68412.36`, `9120.4`, `53000`), never through a float.
    pub fn parse_yuan(text: &str) -> Result<Fen, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, cents) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(cents) || digits.ends_with('.') {
            return Err(AmountError::NotDecimal);
        }
        let (kept, rest) = cents.split_at(cents.len().min(2));
        if rest.bytes().any(|byte| byte != b'0') {
            return Err(AmountError::TooManyDecimals);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > 11 {
            return Err(if negative { AmountError::Negative } else { AmountError::TooLarge });
        }
        let fen = format!("{whole}{kept:0<2}").parse::<i64>().expect("at most 13 digits");
        if negative && fen > 0 { Err(AmountError::Negative) } else { Fen::from_input(fen) }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// The amount in fen.
    pub fn fen(self) -> i64 {
        self.0
    }

    /// `self - other`, or zero when `other` is larger.
    #[must_use]
    pub fn minus_up_to(self, other: Fen) -> Fen {
        Fen((self.0 - other.0).max(0))
    }

    /// The distance between two amounts, whichever is larger.
    #[must_use]
    pub fn distance(self, other: Fen) -> Fen {
        Fen((self.0 - other.0).abs())
    }

    /// Whether it is more than a share of `whole`, exactly.
    pub fn is_more_than(self, share: Rate, whole: Fen) -> bool {
        i128::from(self.0) * 10_000 > i128::from(whole.0) * share.ten_thousandths()
    }

    /// The share of this amount at `rate`, in whole fen.
    #[must_use]
    pub fn share(self, rate: Rate, rounding: Rounding) -> Fen {
        Fen::shares([(self, rate)], rounding)
    }

    /// The sum of each amount's share at its own rate, rounded once.
    #[must_use]
    pub fn shares(parts: impl IntoIterator<Item = (Fen, Rate)>, rounding: Rounding) -> Fen {
        let exact: i128 = parts
            .into_iter()
            .map(|(amount, rate)| i128::from(amount.0) * rate.ten_thousandths())
            .sum();
        let fen = rounding.whole(exact);
        Fen(i64::try_from(fen).expect("a rate is at most 1, so the shares of a bill fit"))
    }

    /// This amount for each of `count` days.
    #[must_use]
    pub fn times(self, count: u16) -> Fen {
        Fen(self.0.checked_mul(i64::from(count)).expect("amounts are bounded at the edge"))
    }

    /// `self × part / whole`, rounded half away from zero; all of `self` when `part >= whole`.
    #[must_use]
    pub fn pro_rata(self, part: Fen, whole: Fen) -> Fen {
        if part >= whole {
            return self;
        }
        let product = i128::from(self.0) * i128::from(part.0) * 2 + i128::from(whole.0);
        let fen = product / (i128::from(whole.0) * 2);
        Fen(i64::try_from(fen).expect("part < whole, so the share is below self"))
    }
}

impl Add for Fen {
    type Output = Fen;
    fn add(self, other: Fen) -> Fen {
        Fen(self.0.checked_add(other.0).expect("amounts are bounded at the edge, sums fit"))
    }
}

impl Sub for Fen {
    type Output = Fen;
    /// Asserts that the result is not negative: an invariant of money.
    fn sub(self, other: Fen) -> Fen {
        assert!(self >= other, "an amount cannot fall below zero");
        Fen(self.0 - other.0)
    }
}

impl Sum for Fen {
    fn sum<I: Iterator<Item = Fen>>(amounts: I) -> Fen {
        amounts.fold(Fen::ZERO, Add::add)
    }
}

impl fmt::Display for Fen {
    /// Yuan with thousands separators and two decimals: `37,207.18`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yuan = (self.0 / 100).to_string();
        let mut grouped = String::with_capacity(yuan.len() + 8);
        for (index, digit) in yuan.chars().enumerate() {
            if index > 0 && (yuan.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&format!("{grouped}.{:02}", self.0 % 100))
    }
}

impl<'de> Deserialize<'de> for Fen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fen, D::Error> {
        let fen = i64::deserialize(from)?;
        Fen::new(fen).ok_or_else(|| serde::de::Error::custom("an amount is never negative"))
    }
}

/// A share of an amount, from 0 to 1 inclusive, with at most four decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(Decimal);

impl Rate {
    /// The whole amount.
    pub const ONE: Rate = Rate(Decimal::ONE);

    /// `None` outside 0 to 1 or with more than four decimals.
    pub fn new(rate: Decimal) -> Option<Rate> {
        let rate = rate.normalize();
        let in_range = (Decimal::ZERO..=Decimal::ONE).contains(&rate);
        (in_range && rate.scale() <= 4).then_some(Rate(rate))
    }

    /// Reads `0.85`; `None` when it is not a decimal number or out of range.
    pub fn parse(text: &str) -> Option<Rate> {
        Decimal::from_str_exact(text).ok().and_then(Rate::new)
    }
}

/// How an exact share becomes whole fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Half a fen away from zero (四舍五入).
    #[default]
    HalfUp,
    /// Half a fen to the even neighbour (银行家舍入).
    HalfEven,
    /// Any part of a fen is cut off (舍去).
    Down,
}

impl Rounding {
    /// Whole units of an amount in ten-thousandths, which is never negative.
    fn whole(self, ten_thousandths: i128) -> i128 {
        let (whole, rest) = (ten_thousandths / 10_000, ten_thousandths % 10_000);
        let is_up = match self {
            Rounding::HalfUp => rest >= 5_000,
            Rounding::HalfEven => rest > 5_000 || (rest == 5_000 && whole % 2 == 1),
            Rounding::Down => false,
        };
        whole + i128::from(is_up)
    }
}

impl Rate {
    /// Nothing.
    pub const ZERO: Rate = Rate(Decimal::ZERO);

    /// The rate times ten thousand: whole, because a rate has at most four decimals.
    fn ten_thousandths(self) -> i128 {
        self.0.mantissa() * 10_i128.pow(4 - self.0.scale())
    }

    /// What is missing to the whole.
    #[must_use]
    pub fn rest(self) -> Rate {
        Rate((Decimal::ONE - self.0).normalize())
    }

    /// Whether it is more than `part` of `whole`; of nothing it is not.
    pub fn exceeds(self, part: usize, whole: usize) -> bool {
        let [part, whole] =
            [part, whole].map(|it| i128::try_from(it).unwrap_or(i128::MAX / 10_000));
        part * 10_000 < self.ten_thousandths() * whole
    }

    /// The part of a number of whole units, cut off.
    pub fn part_of(self, units: i64) -> i64 {
        let part = i128::from(units) * self.ten_thousandths() / 10_000;
        i64::try_from(part).expect("a part of a number is not larger")
    }

    /// The share as a decimal: `0.85`.
    pub fn decimal(self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for Rate {
    /// A percentage: `100%`, `85.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * Decimal::ONE_HUNDRED).normalize())
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Rate, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Rate::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("a rate is between 0 and 1 with at most four decimals")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_from_their_text() {
        let read = |text| Fen::parse_yuan(text).map(Fen::fen);
        assert_eq!(read("68412.36"), Ok(6_841_236));
        assert_eq!(read("9120.4"), Ok(912_040));
        assert_eq!(read("0.0"), Ok(0));
        assert_eq!(read("-0.00"), Ok(0));
        assert_eq!(read("12.3400"), Ok(1234));
        assert_eq!(read("007"), Ok(700));
        assert_eq!(read("10000000000.00"), Ok(1_000_000_000_000));
        assert_eq!(read("10000000000.01"), Err(AmountError::TooLarge));
        assert_eq!(read("99999999999999999999"), Err(AmountError::TooLarge));
        assert_eq!(read("-1"), Err(AmountError::Negative));
        assert_eq!(read("1.005"), Err(AmountError::TooManyDecimals));
        for text in ["", ".", "1.", ".5", "1e3", "NaN", "1,000", " 1", "1.2.3", "١", "--1", "+1"] {
            assert_eq!(read(text), Err(AmountError::NotDecimal), "{text:?}");
        }
    }

    #[test]
    fn a_share_rounds_half_away_from_zero() {
        let half = Rate::parse("0.5").unwrap();
        assert_eq!(Fen(1).share(half, Rounding::HalfUp), Fen(1));
        assert_eq!(Fen(3).share(half, Rounding::HalfUp), Fen(2));
        assert_eq!(Fen(5).share(half, Rounding::HalfUp), Fen(3), "not the banker's 2");
        assert_eq!(Fen(7).share(Rate::ONE, Rounding::HalfUp), Fen(7));
        assert_eq!(Fen(5).share(half, Rounding::HalfEven), Fen(2));
        assert_eq!(Fen(5).share(half, Rounding::Down), Fen(2));
        let parts = [(Fen(1), half), (Fen(1), half)];
        assert_eq!(Fen::shares(parts, Rounding::HalfUp), Fen(1), "rounded once");
        assert_eq!(Fen(5).pro_rata(Fen(1), Fen(2)), Fen(3));
        assert_eq!(Fen(5).pro_rata(Fen(0), Fen(0)), Fen(5));
    }

    #[test]
    fn shares_are_those_of_decimal_arithmetic() {
        use rust_decimal::RoundingStrategy as Strategy;
        use rust_decimal::prelude::ToPrimitive;
        let rates = ["0", "0.0001", "0.3333", "0.5", "0.85", "0.9999", "1"];
        let strategies = [
            (Rounding::HalfUp, Strategy::MidpointAwayFromZero),
            (Rounding::HalfEven, Strategy::MidpointNearestEven),
            (Rounding::Down, Strategy::ToZero),
        ];
        for (rounding, strategy) in strategies {
            for rate in rates.map(|rate| Rate::parse(rate).unwrap()) {
                for fen in (0..20_000).chain([Fen::INPUT_MAX.0]) {
                    let exact = Decimal::from(fen) * rate.0;
                    let expected = exact.round_dp_with_strategy(0, strategy).to_i64();
                    assert_eq!(Some(Fen(fen).share(rate, rounding).0), expected, "{fen} at {rate}");
                }
            }
        }
    }

    #[test]
    fn money_prints_as_people_write_it() {
        assert_eq!(Fen(0).to_string(), "0.00");
        assert_eq!(Fen(12_100_000).to_string(), "121,000.00");
        assert_eq!(Fen(1_234_567_890_105).to_string(), "12,345,678,901.05");
        assert_eq!(Rate::ONE.to_string(), "100%");
        assert_eq!(Rate::parse("0.855").unwrap().to_string(), "85.5%");
        assert!(Rate::parse("1.0001").is_none());
        assert!(Rate::parse("0.12345").is_none());
    }
}
