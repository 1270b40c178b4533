//! How many of an item a line is about.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A number of pieces, doses or times: not negative, at most four decimals, at most 999,999,999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity(Decimal);

impl Quantity {
    /// Reads `2.5`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Quantity> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = Decimal::from_str_exact(text).ok().filter(|_| is_plain)?.normalize();
        let in_range = number >= Decimal::ZERO && number <= Decimal::from(999_999_999);
        (in_range && number.scale() <= 4).then_some(Quantity(number))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity((self.0 + other.0).normalize())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Quantity, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Quantity::parse(&text).ok_or_else(|| serde::de::Error::custom("a quantity is a number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_a_plain_number() {
        for (text, read) in [("2.50", "2.5"), ("0", "0"), ("999999999", "999999999")] {
            assert_eq!(Quantity::parse(text).map(|it| it.to_string()).as_deref(), Some(read));
        }
        for text in ["", "-1", "1e3", "1.00001", "1000000000", "a", "+1"] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }
}
