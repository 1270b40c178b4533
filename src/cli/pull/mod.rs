//! `greenlane pull`: fetches settlements from those who do not call (主动获取). A client of a server like
//! any other, as a process of its own or as a task inside `serve`.

mod connector;
mod desk;
mod endpoint;
mod folder;
mod hand_over;
mod hook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connector::{Connector, Ending, Fetching, Work};
use self::desk::Desk;
use self::endpoint::Fetcher;
use self::folder::Inbox;
use super::Failure;
use super::client::lasting_endpoint;
use super::serve::stop_signal;
use crate::config::{Client, ConfigError, LogFormat};
use crate::intake::pull::{Folder, Sender, Senders, Way};
use crate::telemetry;

/// What to fetch, and for which server.
#[derive(clap::Args)]
pub(super) struct Pull {
    /// Which senders to fetch from, and how; TOML, as described in deploy/senders/README.md
    #[arg(value_name = "FILE")]
    senders: PathBuf,

    /// End when everything that is there has been fetched; exits 1 when something failed
    #[arg(long)]
    once: bool,

    /// What is logged: levels, also by module, such as `info,greenlane=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,

    /// How log lines are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,

    #[command(flatten)]
    server: Client,
}

pub(super) async fn run(pull: Pull) -> Result<(), Failure> {
    let fetchers = Fetchers::read(&pull.senders)?;
    let _telemetry = telemetry::init(pull.log_format, &pull.log, None)?;
    let stop = stop_signal()?;
    let endings = fetchers.start(&pull.server, &stop, pull.once)?.join_all().await;
    let failed = endings.into_iter().filter_map(|ending| match ending {
        Ending::Failed(why) => Some(why),
        Ending::Stopped | Ending::CaughtUp => None,
    });
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(Failure::Told(failed.join("\n"))) }
}

/// Every sender of a file, checked and ready to be fetched from.
pub(super) struct Fetchers(Vec<Ready>);

/// A sender, after what can be wrong with its way was looked at.
struct Ready {
    sender: String,
    every: Duration,
    way: ReadyWay,
}

enum ReadyWay {
    Endpoint(Box<Fetcher>),
    Folder(Folder),
}

/// Connectors at work.
pub(super) type Connectors = JoinSet<Ending>;

impl Fetchers {
    /// Reads and checks a file of senders, with the certificates and folders that it names.
    pub(super) fn read(path: &Path) -> Result<Fetchers, Failure> {
        let shown = path.display();
        let document = std::fs::read_to_string(path)
            .map_err(|error| Failure::WrongDocument(format!("{shown}: {error}")))?;
        let senders = Senders::read(&document).map_err(|problems| {
            let told =
                problems.iter().map(|it| format!("{shown}:{}: {}: {}", it.line, it.key, it.told()));
            Failure::WrongDocument(told.collect::<Vec<_>>().join("\n"))
        })?;
        let ready = senders.0.into_iter().map(|Sender { sender, every, way }| {
            let way = match way {
                Way::Endpoint(endpoint) => {
                    ReadyWay::Endpoint(Box::new(Fetcher::new(&sender, *endpoint)?))
                }
                Way::Folder(folder) => {
                    Inbox::check(&sender, &folder)?;
                    ReadyWay::Folder(folder)
                }
            };
            Ok(Ready { sender, every, way })
        });
        Ok(Fetchers(ready.collect::<Result<_, ConfigError>>()?))
    }

    /// Starts fetching from each of them for a server.
    pub(super) fn start(
        self,
        server: &Client,
        stop: &CancellationToken,
        once: bool,
    ) -> Result<Connectors, Failure> {
        let (holder, endpoint) = (holder(), lasting_endpoint(server)?);
        let mut connectors = Connectors::new();
        for Ready { sender, every, way } in self.0 {
            let channel = endpoint.connect_lazy();
            let desk = Desk::new(channel.clone(), sender.clone(), holder.clone());
            let name = sender.clone();
            let work = match way {
                ReadyWay::Endpoint(fetcher) => {
                    Work::Endpoint(Box::new(Fetching::new(name, *fetcher, channel, every)))
                }
                ReadyWay::Folder(folder) => {
                    Work::Folder(Box::new(Inbox::new(name, folder, every, server.clone())))
                }
            };
            let connector = Connector::new(sender, desk, work);
            connectors.spawn(connector.run(stop.clone(), once));
        }
        Ok(connectors)
    }
}

/// Names this process to operators.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    let host = if host.is_empty() { "host".to_owned() } else { host };
    format!("{host}/{}", std::process::id())
}
