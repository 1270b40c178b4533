//! What a run measured, as numbers: rates, percentiles, CPU per claim, ratios. No floats: times are
//! whole microseconds, quotients are decimals.

use std::time::Duration;

use rust_decimal::Decimal;

use super::machine::Cpu;

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// One SQL transaction per claim, without a server.
    Baseline,
    /// Loading claims so that later runs find a grown database.
    Grow,
    /// One stream of settlements.
    Stream,
    /// The same settlements from a file of NDJSON.
    IngestNdjson,
    /// The same settlements from a file of CSV.
    IngestCsv,
    /// Callers at the window, each waiting for its answer.
    Unary,
    /// The same callers while a stream of settlements runs beside them.
    UnaryBesideStream,
    /// The first claim of a long chain reversed.
    Chain,
    /// From the commit to watchers of the process that committed.
    Watch,
    /// From the commit to watchers of another process.
    WatchOtherProcess,
}

impl Mode {
    /// Whether the settlements come from a file.
    pub(super) fn is_from_file(self) -> bool {
        matches!(self, Mode::IngestNdjson | Mode::IngestCsv)
    }

    /// Its name in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Mode::Baseline => "baseline",
            Mode::Grow => "grow",
            Mode::Stream => "stream",
            Mode::IngestNdjson => "ingest_ndjson",
            Mode::IngestCsv => "ingest_csv",
            Mode::Unary => "unary",
            Mode::UnaryBesideStream => "unary_beside_stream",
            Mode::Chain => "chain",
            Mode::Watch => "watch",
            Mode::WatchOtherProcess => "watch_other_process",
        }
    }
}

/// What a load did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Claims that were answered, hence are on disk.
    pub(super) claims: u64,
    /// Of them those that the green channel approved.
    pub(super) approved: u64,
    /// Streams that ended by an error and were opened again.
    pub(super) reopened: u64,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// One for each claim, in µs, in no order.
    pub(super) latencies_us: Vec<u64>,
}

impl Tally {
    /// Adds what another caller did at the same time.
    pub(super) fn add(&mut self, other: Tally) {
        self.claims += other.claims;
        self.approved += other.approved;
        self.latencies_us.extend(other.latencies_us);
    }
}

/// A measured run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) mode: Mode,
    /// Who calls at once; watchers in the modes that watch.
    pub(super) callers: u32,
    /// Claims that were stored when it began.
    pub(super) stored: u64,
    /// Claims of the run.
    pub(super) claims: u64,
    /// Of them approved by the green channel.
    pub(super) approved: u64,
    /// Streams that ended by an error and were opened again.
    pub(super) reopened: u64,
    pub(super) elapsed: Duration,
    /// Half of the latencies are no longer; none where latency says nothing.
    pub(super) p50: Option<Duration>,
    /// Of a hundred latencies 99 are no longer.
    pub(super) p99: Option<Duration>,
    pub(super) cpu: Cpu,
    /// Claims/s by those of the baseline; from a file, by those of the stream.
    pub(super) ratio: Option<Decimal>,
}

impl Run {
    pub(super) fn new(mode: Mode, callers: u32, stored: u64, mut tally: Tally, cpu: Cpu) -> Run {
        tally.latencies_us.sort_unstable();
        let percentile = |percent| percentile(&tally.latencies_us, percent);
        Run {
            mode,
            callers,
            stored,
            claims: tally.claims,
            approved: tally.approved,
            reopened: tally.reopened,
            elapsed: tally.elapsed,
            p50: percentile(50),
            p99: percentile(99),
            cpu,
            ratio: None,
        }
    }

    /// Claims in a second.
    pub(super) fn claims_per_s(&self) -> Decimal {
        quotient(Decimal::from(self.claims) * Decimal::from(1_000_000), micros(self.elapsed), 1)
    }

    /// CPU time of one claim in ms, given that of all.
    pub(super) fn ms_per_claim(&self, cpu: Option<Duration>) -> Option<Decimal> {
        let claims = Decimal::from(self.claims);
        cpu.map(|cpu| quotient(micros(cpu), claims * Decimal::from(1000), 4))
    }

    /// CPU time of one claim in ms, in the server and the database together.
    pub(super) fn cpu_ms_per_claim(&self) -> Option<Decimal> {
        let sum = self.cpu.server.zip(self.cpu.database).map(|(one, other)| one + other);
        self.ms_per_claim(sum)
    }
}

/// Nearest rank: the smallest value that at least `percent` of all do not exceed.
fn percentile(sorted_us: &[u64], percent: usize) -> Option<Duration> {
    let rank = (sorted_us.len() * percent).div_ceil(100);
    sorted_us.get(rank.checked_sub(1)?).map(|us| Duration::from_micros(*us))
}

/// A time in µs; none that is measured here overflows.
pub(super) fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> Decimal {
    Decimal::from(us(time))
}

/// A time in ms.
pub(super) fn ms(time: Duration) -> Decimal {
    quotient(micros(time), Decimal::from(1000), 3)
}

/// Rounded for people; zero where there is nothing to divide by.
pub(super) fn quotient(part: Decimal, whole: Decimal, digits: u32) -> Decimal {
    const HALF_UP: rust_decimal::RoundingStrategy =
        rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    part.checked_div(whole).unwrap_or_default().round_dp_with_strategy(digits, HALF_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(Duration::from_micros(50)));
        assert_eq!(percentile(&hundred, 99), Some(Duration::from_micros(99)));
        assert_eq!(percentile(&[7], 50), Some(Duration::from_micros(7)));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn quotients_are_rounded_and_never_fail() {
        assert_eq!(quotient(Decimal::from(2), Decimal::from(3), 2).to_string(), "0.67");
        assert_eq!(quotient(Decimal::from(2), Decimal::ZERO, 2), Decimal::ZERO);
    }
}
