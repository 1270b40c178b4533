//! The forms in which hospitals write days and times, all of them local to Asia/Shanghai.

use crate::core::day::{Day, Moment};

/// `1710468906000`: milliseconds since 1970, from 2001 on.
const EPOCH_MILLIS_DIGITS: usize = 13;

/// Reads a local time: `2024-03-15 10:15:06`, with `T`, with a fraction, a day alone, the same
/// without signs (`20240315101506123`), or milliseconds since 1970. `None` for anything else.
pub(super) fn moment(text: &str) -> Option<Moment> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Some leave the seconds out.
        let whole = || Moment::parse_local(&format!("{text}:00")).filter(|_| text.len() == 16);
        return Moment::parse_local(text).or_else(whole);
    }
    if text.len() == EPOCH_MILLIS_DIGITS {
        let moment = Moment::from_micros(text.parse::<i64>().ok()?.checked_mul(1000)?);
        return moment.day().map(|_| moment);
    }
    let part = |from, to| text.get(from..to);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    if text.len() == 8 {
        return Moment::parse_local(&day);
    }
    let clock = format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let fraction = match text.len() {
        14 => "0",
        17 => part(14, 17)?,
        _ => return None,
    };
    Moment::parse_local(&format!("{day} {clock}.{fraction}"))
}

/// The day of a local time.
pub(super) fn day(text: &str) -> Option<Day> {
    moment(text).and_then(Moment::day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_in_every_form() {
        for text in [
            "2024-03-15 10:15:06",
            "2024-03-15T10:15:06",
            "2024-03-15 10:15:06.000",
            "20240315101506",
            "20240315101506000",
            "1710468906000",
        ] {
            assert_eq!(moment(text).unwrap().local(), "2024-03-15 10:15:06", "{text}");
        }
        assert_eq!(moment("20240315101506123"), moment("2024-03-15 10:15:06.123"));
        assert_eq!(moment("2024-03-15 10:15"), moment("2024-03-15 10:15:00"));
        for text in ["2024-03-15", "20240315", "1710432000000", "1710518399999"] {
            assert_eq!(day(text).unwrap().to_string(), "2024-03-15", "{text}");
        }
    }

    #[test]
    fn other_forms_are_not_guessed() {
        for text in [
            "",
            "1",
            "202403",
            "2024031510",
            "20240230101506",
            "20240315251506",
            "1710468906",
            "9999999999999",
            "99999999999999999999999",
            "2024-03-15T10:15:06Z",
            "2024/03/15",
            "２０２４0315",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
