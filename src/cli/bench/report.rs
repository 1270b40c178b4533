//! What is printed for people, line by line as it is known, and written for machines at the end.

use std::path::Path;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::budget::{self, CLAIM_BYTES_MAX, IDLE_BYTES_MAX};
use super::figures::{Mode, Run, ms, quotient};
use super::watch::IdleMemory;
use crate::cli::Failure;
use crate::store::scratch::TableBytes;

/// Everything that was measured.
pub(super) struct Report {
    /// As it may be shown, without a password.
    database: String,
    is_sqlite: bool,
    runs: Vec<Run>,
    idle: Option<IdleMemory>,
    storage: Option<Storage>,
}

/// What a ledger takes on disk.
pub(super) struct Storage {
    pub(super) claims: u64,
    pub(super) members: u32,
    pub(super) tables: Vec<TableBytes>,
}

impl Storage {
    fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    fn per_claim(&self, bytes: u64) -> u64 {
        bytes.checked_div(self.claims).unwrap_or(0)
    }
}

impl Report {
    /// Prints what is measured where.
    pub(super) fn begin(database: String, is_sqlite: bool) -> Report {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!("{database}, {cores} cores for load, server and database together");
        if cfg!(debug_assertions) {
            println!("This is a debug build: its figures mean nothing.");
        }
        println!(
            "\n{:<20}{:>8}{:>10}{:>10}{:>10}{:>10}{:>11}{:>8}{:>8}{:>7}  budget",
            "mode",
            "callers",
            "stored",
            "claims/s",
            "p50 ms",
            "p99 ms",
            "cpu server",
            "+ db",
            "= ms",
            "ratio"
        );
        Report { database, is_sqlite, runs: Vec::new(), idle: None, storage: None }
    }

    /// How many claims the stream took last, if there was one.
    pub(super) fn streamed(&self) -> Option<u64> {
        self.last(Mode::Stream).map(|run| run.claims)
    }

    fn last(&self, mode: Mode) -> Option<&Run> {
        self.runs.iter().rev().find(|it| it.mode == mode)
    }

    /// Takes a run, sets it against the baseline on as many claims, or one from a file against the
    /// stream, and prints it. `is_grown` says whether the ledger was grown before, so which baseline
    /// that is.
    pub(super) fn run(&mut self, mut run: Run, is_grown: bool) {
        let other = match run.mode {
            Mode::Stream | Mode::Unary => self.last(Mode::Baseline),
            Mode::IngestNdjson | Mode::IngestCsv => self.last(Mode::Stream),
            _ => None,
        };
        run.ratio = other.map(|other| quotient(run.claims_per_s(), other.claims_per_s(), 2));
        let budgets = budget::of(&run, &self.runs, is_grown, self.is_sqlite);
        let mut notes: Vec<String> = budgets.iter().map(budget::Budget::cell).collect();
        if run.reopened > 0 {
            notes.push(format!("{} streams failed and were opened again", run.reopened));
        }
        println!(
            "{:<20}{:>8}{:>10}{:>10}{:>10}{:>10}{:>11}{:>8}{:>8}{:>7}  {}",
            run.mode.name(),
            run.callers,
            run.stored,
            quotient(run.claims_per_s(), Decimal::ONE, 0),
            shown(run.p50.map(ms), 2),
            shown(run.p99.map(ms), 2),
            shown(run.ms_per_claim(run.cpu.server), 3),
            shown(run.ms_per_claim(run.cpu.database), 3),
            shown(run.cpu_ms_per_claim(), 3),
            run.ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string()),
            notes.join(", "),
        );
        self.runs.push(run);
    }

    /// Takes what idle watchers cost, and prints it.
    pub(super) fn idle(&mut self, idle: Option<IdleMemory>) {
        match idle {
            None => println!("\nmemory of idle watchers: n/a, the kernel does not tell"),
            Some(it) => {
                let budget =
                    budget::bytes_at_most("300 MiB", it.with_watchers, IDLE_BYTES_MAX).cell();
                let (before, with) = (mebibytes(it.before), mebibytes(it.with_watchers));
                println!(
                    "\nmemory of the server: {before} MiB, with {} idle watchers {with} MiB; {budget}",
                    it.watchers
                );
            }
        }
        self.idle = idle;
    }

    /// Takes what a ledger takes on disk, and prints it table by table.
    pub(super) fn storage(&mut self, storage: Storage) {
        let all = storage.bytes();
        let per_claim = storage.per_claim(all);
        let budget = budget::bytes_at_most("4096", per_claim, CLAIM_BYTES_MAX).cell();
        println!(
            "\nstored: {per_claim} bytes per claim ({} claims of {} members, {} MiB); {budget}",
            storage.claims,
            storage.members,
            mebibytes(all)
        );
        for table in &storage.tables {
            println!("  {:<20}{:>8}", table.table, storage.per_claim(table.bytes));
        }
        self.storage = Some(storage);
    }

    /// Writes all of it as JSON.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut root = Map::new();
        root.insert("database".into(), self.database.clone().into());
        root.insert("is_debug_build".into(), cfg!(debug_assertions).into());
        let mut runs: Vec<Value> = self.runs.iter().map(json_of_run).collect();
        if let Some(idle) = &self.idle {
            runs.push(json_of_idle(idle));
        }
        root.insert("runs".into(), runs.into());
        if let Some(storage) = &self.storage {
            root.insert("stored_claims".into(), storage.claims.into());
            root.insert("bytes_per_claim".into(), storage.per_claim(storage.bytes()).into());
            let tables = storage.tables.iter().map(|it| (it.table.clone(), it.bytes.into()));
            root.insert("table_bytes".into(), tables.collect::<Map<_, _>>().into());
        }
        let text = serde_json::to_string_pretty(&root).map_err(Failure::told)?;
        let cannot = |error| Failure::told(format!("cannot write {}: {error}", path.display()));
        std::fs::write(path, text + "\n").map_err(cannot)
    }
}

fn json_of_run(run: &Run) -> Value {
    let mut object = Map::new();
    object.insert("mode".into(), run.mode.name().into());
    object.insert("callers".into(), run.callers.into());
    object.insert("stored".into(), run.stored.into());
    object.insert("claims".into(), run.claims.into());
    object.insert("approved".into(), run.approved.into());
    object.insert("reopened".into(), run.reopened.into());
    object.insert("claims_per_s".into(), number(Some(run.claims_per_s())));
    object.insert("p50_ms".into(), number(run.p50.map(ms)));
    object.insert("p99_ms".into(), number(run.p99.map(ms)));
    object.insert("cpu_ms_per_claim".into(), number(run.cpu_ms_per_claim()));
    let parts = [
        ("server_cpu_ms_per_claim", run.cpu.server),
        ("database_cpu_ms_per_claim", run.cpu.database),
        ("load_cpu_ms_per_claim", run.cpu.load),
    ];
    for (name, cpu) in parts {
        object.insert(name.into(), number(run.ms_per_claim(cpu)));
    }
    object.insert("ratio".into(), number(run.ratio));
    object.into()
}

fn json_of_idle(idle: &IdleMemory) -> Value {
    let mut object = Map::new();
    object.insert("mode".into(), "idle".into());
    object.insert("callers".into(), idle.watchers.into());
    object.insert("rss_before_bytes".into(), idle.before.into());
    object.insert("rss_bytes".into(), idle.with_watchers.into());
    object.into()
}

/// A decimal as a JSON number, digit by digit.
fn number(figure: Option<Decimal>) -> Value {
    let number = figure.and_then(|figure| figure.to_string().parse().ok());
    number.map_or(Value::Null, Value::Number)
}

fn shown(figure: Option<Decimal>, digits: u32) -> String {
    figure.map_or_else(
        || "n/a".to_owned(),
        |figure| quotient(figure, Decimal::ONE, digits).to_string(),
    )
}

fn mebibytes(bytes: u64) -> Decimal {
    quotient(Decimal::from(bytes), Decimal::from(1024 * 1024), 1)
}
