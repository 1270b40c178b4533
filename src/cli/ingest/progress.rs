//! What a person sees: a bar while it goes on, a summary at the end.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::row::Tally;

const KNOWN_LENGTH: &str = "{bar:30} {bytes} of {total_bytes}  {msg}";
const UNKNOWN_LENGTH: &str = "{spinner} {bytes}  {msg}";

/// How far an ingest has come, on standard error and only if that is a terminal.
#[derive(Clone)]
pub(in crate::cli) struct Progress {
    bar: ProgressBar,
    start: Instant,
    lines_before: u64,
    is_told: bool,
}

impl Progress {
    /// Begins; `bytes` are those of the files, where they are known. One that is not told shows and
    /// says nothing, for callers who have no person before them.
    pub(in crate::cli) fn begin(bytes: Option<u64>, is_told: bool) -> Progress {
        let bar = if is_told && std::io::stderr().is_terminal() {
            ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr())
        } else {
            ProgressBar::hidden()
        };
        let template = if bytes.is_some() { KNOWN_LENGTH } else { UNKNOWN_LENGTH };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress { bar, start: Instant::now(), lines_before: 0, is_told }
    }

    /// From here on lines are sent; the rate counts these alone.
    pub(super) fn go_on_from(&mut self, tally: Tally) {
        self.start = Instant::now();
        self.lines_before = tally.lines();
    }

    /// A line of so many bytes is accounted for.
    pub(super) fn pass(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    pub(super) fn show(&self, tally: Tally) {
        if self.bar.is_hidden() {
            return;
        }
        let lines = u128::from(tally.lines() - self.lines_before);
        let rate = lines * 1000 / self.start.elapsed().max(Duration::from_millis(1)).as_millis();
        let (lines, refused) = (grouped(tally.lines()), grouped(tally.refused));
        self.bar.set_message(format!("{lines} lines, {rate}/s, {refused} refused"));
    }

    /// Says something beside the bar.
    pub(super) fn say(&self, text: &str) {
        if self.is_told {
            self.bar.suspend(|| eprintln!("greenlane: {text}"));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// What all lines came to, in one line.
pub(super) fn summary(tally: Tally) -> String {
    let parked = match tally.parked {
        0 => String::new(),
        count => format!("{} parked, ", grouped(count)),
    };
    format!(
        "{} lines: {} accepted ({} replayed), {} without settlement, {parked}{} refused",
        grouped(tally.lines()),
        grouped(tally.accepted),
        grouped(tally.replayed),
        grouped(tally.without_settlement),
        grouped(tally.refused)
    )
}

/// A count with its thousands set apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_sets_thousands_apart() {
        let mut tally = Tally {
            accepted: 199_990,
            replayed: 12,
            without_settlement: 3,
            parked: 0,
            refused: 1_007,
        };
        assert_eq!(
            summary(tally),
            "201,000 lines: 199,990 accepted (12 replayed), 3 without settlement, 1,007 refused"
        );
        tally.parked = 2;
        assert!(summary(tally).contains("3 without settlement, 2 parked, 1,007 refused"));
        assert_eq!(summary(Tally::default()).split(' ').next(), Some("0"));
    }
}
