//! The budgets that the design sets, and whether a figure holds its own.

use rust_decimal::Decimal;

use super::figures::{Mode, Run, ms};

/// CPU time of a claim, server and database together, in units of 0.01 ms.
const CPU_HUNDREDTHS_MS_MAX: i64 = 25;
const WATCH_P99_MS_MAX: u32 = 50;
const WATCH_OTHER_P99_MS_MAX: u32 = 100;
/// To correct a chain of 300 claims in one commit.
const CHAIN_P99_MS_MAX: u32 = 50;
/// Of the stream's rate on empty tables, in tenths.
const GROWN_TENTHS_MIN: i64 = 9;
/// Of the stream's rate when the same comes from a file, in tenths.
const FILES_TENTHS_MIN: i64 = 8;
/// How much longer than in quiet a call at the window may take while bulk runs (p99).
const BESIDE_TIMES_MAX: u32 = 5;
/// Memory of a server with its idle watchers.
pub(super) const IDLE_BYTES_MAX: u64 = 300 * 1024 * 1024;
/// On disk, without fee lines.
pub(super) const CLAIM_BYTES_MAX: u64 = 4096;

/// A budget beside a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    /// What is asked: `ratio >= 5`.
    pub(super) text: String,
    /// Whether the figure is within it.
    pub(super) holds: bool,
}

impl Budget {
    /// The budget in one cell of a table.
    pub(super) fn cell(&self) -> String {
        let verdict = if self.holds { "holds" } else { "MISSED" };
        format!("{} {verdict}", self.text)
    }
}

fn at_least(what: &str, figure: Decimal, min: Decimal) -> Budget {
    Budget { text: format!("{what} >= {min}"), holds: figure >= min }
}

fn at_most(what: &str, figure: Decimal, max: Decimal) -> Budget {
    Budget { text: format!("{what} <= {max}"), holds: figure <= max }
}

/// A figure in bytes under its budget.
pub(super) fn bytes_at_most(text: &str, figure: u64, max: u64) -> Budget {
    Budget { text: format!("<= {text}"), holds: figure <= max }
}

/// The budgets of a run, given those before it. `is_grown` says that the ledger was grown.
pub(super) fn of(run: &Run, before: &[Run], is_grown: bool, is_sqlite: bool) -> Vec<Budget> {
    let mut budgets = Vec::new();
    let is_loaded = run.mode == Mode::Stream || (run.mode == Mode::Unary && run.callers == 256);
    let ratio_min = match (run.mode, is_sqlite) {
        (Mode::Stream, true) => Some(Decimal::from(8)),
        (Mode::Stream, false) => Some(Decimal::from(5)),
        (Mode::Unary, false) if run.callers == 256 => Some(Decimal::new(25, 1)),
        _ => None,
    };
    if let Some((ratio, min)) = run.ratio.zip(ratio_min) {
        budgets.push(at_least("ratio", ratio, min));
    }
    if let Some(ratio) = run.ratio.filter(|_| run.mode.is_from_file()) {
        budgets.push(at_least("of stream", ratio, Decimal::new(FILES_TENTHS_MIN, 1)));
    }
    // Few callers leave batches of one, which no budget is meant for.
    if let Some(cpu) = run.cpu_ms_per_claim().filter(|_| is_loaded) {
        budgets.push(at_most("cpu", cpu, Decimal::new(CPU_HUNDREDTHS_MS_MAX, 2)));
    }
    let empty = before.iter().find(|it| it.mode == run.mode && is_grown);
    if let Some(empty) = empty.filter(|_| run.mode == Mode::Stream) {
        let kept = super::figures::quotient(run.claims_per_s(), empty.claims_per_s(), 2);
        budgets.push(at_least("of empty", kept, Decimal::new(GROWN_TENTHS_MIN, 1)));
    }
    let is_quiet = |it: &&Run| it.mode == Mode::Unary && it.callers == run.callers;
    let quiet = before.iter().rev().find(is_quiet).and_then(|quiet| quiet.p99);
    if run.mode == Mode::UnaryBesideStream
        && let Some((p99, quiet)) = run.p99.zip(quiet)
    {
        budgets.push(at_most("p99", ms(p99), ms(quiet * BESIDE_TIMES_MAX)));
    }
    let p99_max = match run.mode {
        Mode::Watch => Some(WATCH_P99_MS_MAX),
        Mode::WatchOtherProcess => Some(WATCH_OTHER_P99_MS_MAX),
        Mode::Chain => Some(CHAIN_P99_MS_MAX),
        _ => None,
    };
    if let Some((p99, max)) = run.p99.zip(p99_max) {
        budgets.push(at_most("p99", ms(p99), Decimal::from(max)));
    }
    budgets
}
