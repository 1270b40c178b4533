//! `greenlane bench`: the design's budgets, measured on one machine in one run.
//!
//! Works in throw-away ledgers beside the database it is given and touches nothing that exists.
//! Decides nothing about what is good: it prints the figures beside their budgets.

mod baseline;
mod budget;
mod chain;
mod figures;
mod files;
mod load;
mod machine;
mod process;
mod report;
mod watch;
mod workload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use tokio::sync::Mutex;

use self::baseline::{Baseline, CLIENTS};
use self::figures::{Mode, Run};
use self::machine::{Cpu, Database, Meter};
use self::process::Process;
use self::report::{Report, Storage};
use self::watch::Pace;
use self::workload::Workload;
use super::Failure;
use super::serve::{Signals, error_chain};
use crate::config;
use crate::store::StoreError;
use crate::store::scratch::Scratch;

/// Callers at the window, run by run.
const CALLERS: [u32; 4] = [1, 16, 64, 256];
/// Of them those who are measured again while a stream runs: the windows of some hospitals.
const CALLERS_BESIDE_STREAM: u32 = 16;
/// Hospitals that send claims, each with a watcher of its own.
const HOSPITALS: u32 = 1000;
const WATCHED_CLAIMS_PER_S: u32 = 1000;
/// How much longer than a run idle watchers sit: by default past their second progress, which comes
/// after ten seconds.
const SIT_MORE: Duration = Duration::from_secs(2);
/// Members of a ledger: two or more claims a year for each, and the size of a city's programme.
const MEMBERS_MIN: u64 = 1_000;
const MEMBERS_MAX: u64 = 20_000;
/// Claims of each member in a grown ledger.
const GROWN_CLAIMS_PER_MEMBER: u64 = 5;

/// What is measured, and where.
#[derive(clap::Args)]
pub(super) struct Bench {
    /// The database to measure on: `sqlite://<path>` or `postgres://<user>@<host>/<database>`.
    ///
    /// It is not touched: the bench works in a new directory beside the file, or in new schemas
    /// named `greenlane_bench_…`, and removes them at the end.
    #[arg(long, value_name = "URL", value_parser = parse_database)]
    database: config::Database,

    /// Measure a second time on a ledger grown to so many claims
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    stored: u64,

    /// How many claims a run may take
    #[arg(long, value_name = "COUNT", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    claims: u64,

    /// How many seconds a run may take
    #[arg(long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,

    /// How many idle watchers there are
    #[arg(long, value_name = "COUNT", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=16_000))]
    idle_watchers: u32,

    /// What the invented persons and settlements are made from: the same number, the same claims
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,

    /// Measure only these parts
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_enum)]
    only: Vec<Part>,

    /// Write the figures to a file, too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What can be measured on its own.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One SQL transaction per claim, 64 clients
    Baseline,
    /// One stream of settlements
    Stream,
    /// The settlements of the stream from files, NDJSON and CSV, by `greenlane ingest`
    Files,
    /// 1, 16, 64 and 256 callers at the window, and 16 while a stream runs
    Unary,
    /// The first of 300 claims of a member reversed, and all later ones decided again
    Chain,
    /// From a commit to 1,000 watchers, at 1,000 claims/s
    Watch,
    /// Memory of a server with idle watchers
    Idle,
    /// Stored bytes per claim
    Bytes,
}

fn parse_database(url: &str) -> Result<config::Database, &'static str> {
    config::Database::parse(url)
        .ok_or("must be sqlite://<path> or postgres://<user>@<host>/<database>")
}

/// Where a run ends: at so many claims, or after so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    claims: u64,
    time: Duration,
}

/// Measures what is asked for. Whatever happens, also Ctrl-C, nothing stays behind.
pub(super) async fn run(bench: &Bench) -> Result<(), Failure> {
    let mut stop = Signals::new().map_err(Failure::told)?;
    let places = Places::beside(bench.database.url());
    let outcome = tokio::select! {
        outcome = bench.measure(&places) => outcome,
        name = stop.received() => Err(Failure::told(format!("ended by {name}"))),
    };
    let cleared = places.clear().await;
    outcome.and(cleared)
}

/// The throw-away ledgers of a bench.
struct Places {
    url: String,
    made: Mutex<Vec<Arc<Scratch>>>,
    next: AtomicU32,
}

impl Places {
    fn beside(url: &str) -> Places {
        Places { url: url.to_owned(), made: Mutex::default(), next: AtomicU32::new(0) }
    }

    async fn make(&self) -> Result<Arc<Scratch>, Failure> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("greenlane_bench_{}_{number}", std::process::id());
        // Held until it is known, so that an interruption leaves nothing behind unknown.
        let mut made = self.made.lock().await;
        let scratch = Scratch::make(&self.url, &name).await.map_err(|error| {
            let why = error_chain(&error);
            Failure::Told(format!("cannot make a throw-away ledger beside the database: {why}"))
        })?;
        let scratch = Arc::new(scratch);
        made.push(scratch.clone());
        Ok(scratch)
    }

    async fn clear(&self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for scratch in self.made.lock().await.drain(..) {
            outcome = outcome.and(scratch.remove().await.map_err(|error| told(&error)));
        }
        outcome
    }
}

/// What the store says, with its causes.
fn told(error: &StoreError) -> Failure {
    Failure::Told(error_chain(error))
}

impl Bench {
    async fn measure(&self, places: &Places) -> Result<(), Failure> {
        let url = self.database.url();
        let database = Database::find(url).await.map_err(|error| told(&error))?;
        let mut report = Report::begin(self.database.to_string(), url.starts_with("sqlite://"));
        let stages: &[u64] = if self.stored == 0 { &[0] } else { &[0, self.stored] };
        for (index, stored) in stages.iter().enumerate() {
            let is_last = index + 1 == stages.len();
            let stage = Stage { bench: self, database, stored: *stored, is_last };
            stage.measure(places, &mut report).await?;
            places.clear().await?;
        }
        match &self.json {
            Some(path) => report.write(path),
            None => Ok(()),
        }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn bounds(&self) -> Bounds {
        Bounds { claims: self.claims, time: Duration::from_secs(self.seconds) }
    }
}

/// Everything on ledgers that begin with so many claims: 0 are tables that are still empty when
/// the server prepares its statements.
struct Stage<'a> {
    bench: &'a Bench,
    database: Database,
    stored: u64,
    /// What needs a ledger with claims, and takes long, is measured once.
    is_last: bool,
}

impl Stage<'_> {
    async fn measure(&self, places: &Places, report: &mut Report) -> Result<(), Failure> {
        let bench = self.bench;
        if bench.wants(Part::Baseline) {
            self.baseline(places, report).await?;
        }
        let parts: &[Part] = &[Part::Stream, Part::Unary];
        let last: &[Part] = &[Part::Chain, Part::Watch, Part::Idle, Part::Bytes];
        let is_wanted = |parts: &[Part]| parts.iter().any(|part| bench.wants(*part));
        if is_wanted(parts) || (self.is_last && is_wanted(last)) {
            self.served(places, report).await?;
        }
        if bench.wants(Part::Files) && self.stored == 0 {
            self.files(places, report).await?;
        }
        Ok(())
    }

    /// The same settlements as the stream's, each time on a new ledger: on an old one they are
    /// known.
    async fn files(&self, places: &Places, report: &mut Report) -> Result<(), Failure> {
        if report.streamed().is_none() {
            let (workload, place) = (self.workload(), places.make().await?);
            let process = self.serve(place.url(), None, &workload, report).await?;
            self.load(&process, &workload, Mode::Stream, 1, report).await?;
            process.end().await?;
        }
        let count = report.streamed().unwrap_or(0);
        for mode in [Mode::IngestNdjson, Mode::IngestCsv] {
            let (workload, place) = (self.workload(), places.make().await?);
            let process = self.serve(place.url(), None, &workload, report).await?;
            let meter = Meter::start(process.pid(), self.database);
            let tally = files::ingest(&process, &workload, count, mode).await?;
            // The load is a process of its own that has ended, and nobody counted it.
            let cpu = Cpu { load: None, ..meter.stop() };
            report.run(Run::new(mode, 1, 0, tally, cpu), false);
            process.end().await?;
        }
        Ok(())
    }

    fn workload(&self) -> Arc<Workload> {
        let claims = self.bench.claims;
        let of_run = (claims / 2).clamp(MEMBERS_MIN, MEMBERS_MAX);
        let members = of_run.max(self.stored / GROWN_CLAIMS_PER_MEMBER);
        let members = u32::try_from(members).unwrap_or(u32::MAX);
        Arc::new(Workload::new(self.bench.seed, members, HOSPITALS))
    }

    /// A server on a ledger with plan, roster and, in a later stage, claims.
    async fn serve(
        &self,
        url: &str,
        lanes: Option<u16>,
        workload: &Arc<Workload>,
        report: &mut Report,
    ) -> Result<Process, Failure> {
        let process = Process::start(url, lanes).await?;
        let channel = process.connect(1).await?.remove(0);
        load::prepare(&channel, workload).await?;
        if self.stored > 0 {
            let meter = Meter::start(process.pid(), self.database);
            let bounds = load::unbounded(self.stored);
            let tally = load::stream(channel, workload.clone(), bounds).await?;
            report.run(Run::new(Mode::Grow, 1, 0, tally, meter.stop()), false);
        }
        Ok(process)
    }

    async fn baseline(&self, places: &Places, report: &mut Report) -> Result<(), Failure> {
        let workload = self.workload();
        let place = places.make().await?;
        self.serve(place.url(), Some(CLIENTS), &workload, report).await?.end().await?;
        let baseline = Baseline::open(place.url(), &workload).await?;
        baseline.warm_up(&workload).await?;
        let stored = workload.taken();
        let meter = Meter::start(std::process::id(), self.database);
        let tally = baseline.run(&workload, self.bench.bounds()).await?;
        let cpu = meter.stop();
        baseline.close().await;
        report.run(Run::new(Mode::Baseline, CLIENTS.into(), stored, tally, cpu), self.stored > 0);
        Ok(())
    }

    async fn served(&self, places: &Places, report: &mut Report) -> Result<(), Failure> {
        let bench = self.bench;
        let workload = self.workload();
        let place = places.make().await?;
        let process = self.serve(place.url(), None, &workload, report).await?;
        let needs_claims = self.is_last && bench.wants(Part::Bytes) && !bench.wants(Part::Unary);
        if bench.wants(Part::Stream) || (needs_claims && workload.taken() == 0) {
            self.load(&process, &workload, Mode::Stream, 1, report).await?;
        }
        if bench.wants(Part::Unary) {
            for callers in CALLERS {
                self.load(&process, &workload, Mode::Unary, callers, report).await?;
            }
            self.beside_stream(&process, &workload, report).await?;
        }
        if self.is_last && bench.wants(Part::Chain) {
            self.chains(&process, &workload, report).await?;
        }
        if self.is_last && bench.wants(Part::Watch) {
            self.watch(&process, &process, Mode::Watch, &workload, report).await?;
            if self.database != Database::Inside {
                let other = Process::start(place.url(), None).await?;
                let mode = Mode::WatchOtherProcess;
                self.watch(&process, &other, mode, &workload, report).await?;
                other.end().await?;
            }
        }
        process.end().await?;
        if self.is_last && bench.wants(Part::Idle) {
            // A new one, because memory of earlier runs would hide that of watchers.
            let process = Process::start(place.url(), None).await?;
            report.idle(
                watch::idle(&process, bench.idle_watchers, bench.bounds().time + SIT_MORE).await?,
            );
            process.end().await?;
        }
        if self.is_last && bench.wants(Part::Bytes) {
            let tables = place.table_bytes().await.map_err(|error| told(&error))?;
            let (claims, members) = (workload.taken(), workload.members());
            report.storage(Storage { claims, members, tables });
        }
        Ok(())
    }

    async fn load(
        &self,
        process: &Process,
        workload: &Arc<Workload>,
        mode: Mode,
        callers: u32,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut channels = process.connect(load::connections(callers)).await?;
        let stored = workload.taken();
        let bounds = self.bench.bounds();
        let meter = Meter::start(process.pid(), self.database);
        let tally = match mode {
            Mode::Stream => load::stream(channels.remove(0), workload.clone(), bounds).await?,
            _ => load::unary(&channels, workload, callers, bounds).await?,
        };
        let run = Run::new(mode, callers, stored, tally, meter.stop());
        report.run(run, self.stored > 0);
        Ok(())
    }

    async fn chains(
        &self,
        process: &Process,
        workload: &Arc<Workload>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let channel = process.connect(1).await?.remove(0);
        let stored = workload.taken();
        let tally = chain::corrections(&channel, workload).await?;
        // Most of the load is in making the chains, which is not what is measured.
        let cpu = Cpu { server: None, database: None, load: None };
        report.run(Run::new(Mode::Chain, 1, stored, tally, cpu), false);
        Ok(())
    }

    /// Whether bulk starves the window: the calls count, and the CPU of both together says nothing
    /// of one.
    async fn beside_stream(
        &self,
        process: &Process,
        workload: &Arc<Workload>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let callers = CALLERS_BESIDE_STREAM;
        let mut channels = process.connect(load::connections(callers) + 1).await?;
        let (stored, bounds) = (workload.taken(), self.bench.bounds());
        let stream = load::stream(channels.remove(0), workload.clone(), bounds);
        let (stream, calls) =
            tokio::join!(stream, load::unary(&channels, workload, callers, bounds));
        println!("{:<20}{:>8}  beside it: {} claims", "", 1, stream?.claims);
        let cpu = Cpu { server: None, database: None, load: None };
        report.run(Run::new(Mode::UnaryBesideStream, callers, stored, calls?, cpu), false);
        Ok(())
    }

    async fn watch(
        &self,
        process: &Process,
        watched: &Process,
        mode: Mode,
        workload: &Arc<Workload>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let channels = process.connect(load::connections(u32::MAX)).await?;
        let stored = workload.taken();
        let pace = Pace { claims_per_s: WATCHED_CLAIMS_PER_S, time: self.bench.bounds().time };
        let meter = Meter::start(process.pid(), self.database);
        let tally = watch::latency(&channels, watched, workload, HOSPITALS, pace).await?;
        report.run(Run::new(mode, HOSPITALS, stored, tally, meter.stop()), false);
        Ok(())
    }
}
