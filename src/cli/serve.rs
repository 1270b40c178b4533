//! `greenlane serve` and `greenlane config`.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::config::{Config, Settings};
use crate::ledger::Ledger;
use crate::server::{self, Limits};
use crate::store::{Options, Store, StoreError};
use crate::{clock, telemetry};

/// Connections that read: reads are short, and two databases' worth of cores is plenty.
const READERS_MAX: u32 = 8;

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let config = Config::resolve(settings, std::env::vars_os())?;
    let endpoint = config.otlp_endpoint.as_deref();
    let _telemetry = telemetry::init(config.log_format, &config.log, endpoint)?;
    let shutdown = CancellationToken::new();
    let mut stop = Signals::new().map_err(Failure::told)?;
    let ledger = open(&config).await?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| Failure::told(format!("cannot listen on {}: {error}", config.listen)))?;
    let address = listener.local_addr().map_err(Failure::told)?;
    tracing::info!(listen = %address, "serving");
    let (in_flight_max, watches_max) = (config.in_flight_max, config.watches_max);
    let limits = Limits { in_flight_max, watches_max, ..Limits::default() };
    let serving = tokio::spawn(server::run(listener, ledger, limits, shutdown.clone()));
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = &mut serving => outcome,
        name = stop.received() => {
            tracing::info!(signal = name, "shutting down");
            shutdown.cancel();
            serving.await
        }
    };
    outcome.map_err(Failure::told)?.map_err(Failure::told)?;
    tracing::info!("ended, everything acknowledged is on disk");
    Ok(())
}

/// Opens the database that the configuration names and starts its lanes.
async fn open(config: &Config) -> Result<Ledger, Failure> {
    let key = crate::ledger::DirectoryKey::new(*config.directory_key()?.bytes());
    let options =
        Options { lanes: config.lanes, directory_key_check: key.check(), readers_max: READERS_MAX };
    let told = |error: StoreError| Failure::told(error_chain(&error));
    let store = Store::open(config.database.url(), &options).await.map_err(told)?;
    Ledger::start(store, key, clock::now).await.map_err(told)
}

/// An error with its causes, in one line.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The signals that end a command in order.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn new() -> std::io::Result<Signals> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one and returns its name.
    pub(super) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

pub(super) fn print_config(settings: &Settings) -> Result<(), Failure> {
    print!("{}", Config::resolve(settings, std::env::vars_os())?);
    Ok(())
}
