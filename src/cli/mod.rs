//! The command line: one file per sub-command. All but `serve`, `demo`, `bench` and the checks of
//! documents are clients of a server.

mod bench;
mod claim;
mod client;
mod demo;
mod dice;
mod documents;
mod event_line;
mod figures;
mod flags;
mod health;
mod impact;
mod ingest;
mod member;
mod plan;
mod pull;
mod review;
mod roster;
mod serve;
mod source;
mod statement;
mod token_file;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Client, ConfigError, EXIT_WRONG_SETTING, Settings};

/// Decides supplementary medical-insurance claims at the hospital's discharge window.
///
/// Start with `greenlane demo`: it runs the main job on real messages and says how to go on.
#[derive(Parser)]
#[command(name = "greenlane", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until SIGTERM.
    ///
    /// The database is made and migrated when it is new. Callers are not authenticated yet, so
    /// only loopback addresses are served unless `--allow-unauthenticated` is given. Every setting
    /// can also come from `--config FILE` or a `GREENLANE_*` variable; `greenlane config` shows
    /// what is in force and where it came from.
    Serve(Box<Settings>),
    /// Run the main job on real messages: a server, a plan, a roster, both published cases.
    ///
    /// Needs nothing: a fresh embedded database in a temporary directory, a free loopback port.
    /// `greenlane demo city` runs a year of a city in the same way.
    Demo(demo::Demo),
    /// Publish, list, show and check plans (方案).
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Publish, refresh and list what rules and clocks look at: calendars, baselines, shared accounts.
    #[command(subcommand)]
    Figures(figures::FiguresCommand),
    /// Try, publish and list profiles of senders (来源档案); list and retry what cannot be used.
    #[command(subcommand)]
    Source(source::SourceCommand),
    /// Import, show and merge members (参保对象).
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Show claims (赔案), and report events without a bill.
    #[command(subcommand)]
    Claim(claim::ClaimCommand),
    /// Work at the review desk (人工审核): take a claim that waits for a person, and rule.
    ///
    /// Every command says who acts: `--actor`, or `GREENLANE_ACTOR` once for all of them. What
    /// changes a claim names the revision that the person saw, as `take` and `show` print it.
    #[command(subcommand)]
    Review(review::ReviewCommand),
    /// Send files of messages and settlements (结算), and account for every record once.
    ///
    /// A record is a line of NDJSON, a value of a JSON file or an element of its array, or a row of
    /// a CSV file (UTF-8 or GB18030). In JSON it is a hospital's message as its system wrote it, or
    /// a settlement: an object with the field names of the API, known by `settlement_id` and
    /// `total_fen`. What became of each record is written to the results file; a record that is
    /// refused goes to the rejects file as it was, to be corrected there and ingested in its turn.
    /// The same command again goes on where the last run ended, however it ended. Exits 0 when
    /// nothing was refused, 1 otherwise.
    Ingest(Box<ingest::Ingest>),
    /// Fetch settlements from those who do not call (主动获取).
    ///
    /// Asks HTTP endpoints and looks into folders, again and again, and hands what is new to the
    /// server. Several processes may be given the same senders: one at a time fetches from each, and
    /// another takes over when it ends. How far each has come is kept by the server, so that nothing
    /// is lost and nothing counted twice, however a process ends. `greenlane source pulls` shows how
    /// it goes. SIGTERM or Ctrl-C ends it.
    Pull(Box<pull::Pull>),
    /// Watch what happens to claims, as it happens.
    ///
    /// Prints one event a line, in the order of each claim, without gaps or repeats; goes on by
    /// itself when the connection or the server ends. Ctrl-C ends it.
    Watch(Box<watch::WatchArgs>),
    /// Ask a server whether it is ready. Exits 0 when it serves, 1 when it does not.
    Healthcheck(Client),
    /// Measure claims/s, latencies, memory and stored bytes against their budgets.
    ///
    /// Starts servers of its own on throw-away ledgers beside the database and removes them at the
    /// end. Takes about two minutes. Build with `--release`.
    Bench(Box<bench::Bench>),
    /// Print every setting in force with its origin, secrets hidden.
    Config(Box<Settings>),
}

/// Why a command ended without doing its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Told(String),
    #[error("{0}")]
    WrongDocument(String),
}

impl Failure {
    fn told(text: impl std::fmt::Display) -> Failure {
        Failure::Told(format!("{text}"))
    }
}

/// Runs one command line and returns its exit code: 0 done, 1 failed, 64 wrong settings or words.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_WRONG_SETTING } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("greenlane: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(cli.command.run());
    // A task that hangs must not keep the process after its command has ended.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("greenlane: {failure}");
            match failure {
                Failure::Config(_) | Failure::WrongDocument(_) => {
                    ExitCode::from(EXIT_WRONG_SETTING)
                }
                Failure::Told(_) => ExitCode::FAILURE,
            }
        }
    }
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            Command::Serve(settings) => serve::run(&settings).await,
            Command::Demo(demo) => demo::run(demo).await,
            Command::Plan(command) => plan::run(command).await,
            Command::Figures(command) => figures::run(command).await,
            Command::Source(command) => source::run(command).await,
            Command::Member(command) => member::run(command).await,
            Command::Claim(command) => claim::run(command).await,
            Command::Review(command) => review::run(command).await,
            Command::Ingest(ingest) => ingest::run(*ingest).await,
            Command::Pull(pull) => pull::run(*pull).await,
            Command::Watch(args) => watch::run(*args).await,
            Command::Healthcheck(server) => health::run(server).await,
            Command::Bench(bench) => bench::run(&bench).await,
            Command::Config(settings) => serve::print_config(&settings),
        }
    }
}
