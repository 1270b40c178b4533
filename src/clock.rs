//! The only place that reads the clock. Everything else is given the time, so that a replay sees the
//! same time as the first run did.

use crate::core::day::{Day, Moment};

/// This instant.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads it")]
pub fn now() -> Moment {
    Moment::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// This civil day in Shanghai.
pub fn today() -> Day {
    now().day().expect("a machine's clock is between 1900 and 2199")
}

#[cfg(test)]
mod tests {
    #[test]
    fn today_is_the_day_of_now() {
        let before = super::now();
        let today = super::today();
        assert!(before.day().unwrap() <= today && today <= super::now().day().unwrap());
    }
}
