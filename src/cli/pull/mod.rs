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
use tonic::transport::Channel;

use self::connector::{Connector, Ending, Fetching, Work};
use self::desk::Desk;
use self::endpoint::Fetcher;
use self::folder::Inbox;
use super::Failure;
use super::client::endpoint;
use super::serve::stop_signal;
use crate::config::{Client, ConfigError, LogFormat};
use crate::intake::pull::{Cursor, Schedule, Sender, Senders, Way};
use crate::telemetry;

/// A silent connection is asked so often whether anybody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

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
pub(super) struct Fetchers(Vec<(Sender, Ready)>);

/// What can be wrong with a way was looked at.
enum Ready {
    Endpoint(Box<Fetcher>),
    Folder,
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
        let ready = senders.0.into_iter().map(|sender| {
            let ready = match &sender.way {
                Way::Endpoint(endpoint) => {
                    Ready::Endpoint(Box::new(Fetcher::new(&sender.sender, endpoint)?))
                }
                Way::Folder(folder) => {
                    Inbox::check(&sender.sender, folder)?;
                    Ready::Folder
                }
            };
            Ok((sender, ready))
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
        let holder = holder();
        let endpoint = endpoint(server)?.http2_keep_alive_interval(KEEP_ALIVE);
        let endpoint = endpoint.keep_alive_while_idle(true);
        let mut connectors = Connectors::new();
        for (sender, ready) in self.0 {
            let channel = endpoint.connect_lazy();
            let desk = Desk::new(channel.clone(), sender.sender.clone(), holder.clone());
            let work = work(&sender, ready, server, channel);
            let connector = Connector::new(sender.sender, desk, work);
            connectors.spawn(connector.run(stop.clone(), once));
        }
        Ok(connectors)
    }
}

fn work(sender: &Sender, ready: Ready, server: &Client, channel: Channel) -> Work {
    let name = sender.sender.clone();
    let every = sender.every;
    match (ready, &sender.way) {
        (Ready::Endpoint(fetcher), Way::Endpoint(endpoint)) => {
            let schedule = Schedule::new(endpoint, every, Cursor::read("", endpoint));
            Work::Endpoint(Box::new(Fetching {
                sender: name,
                fetcher: *fetcher,
                channel,
                every,
                schedule,
            }))
        }
        (_, Way::Folder(folder)) => {
            Work::Folder(Box::new(Inbox::new(name, folder.clone(), every, server.clone())))
        }
        (Ready::Folder, Way::Endpoint(_)) => unreachable!("an endpoint is made ready as one"),
    }
}

/// Names this process to operators.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    let host = if host.is_empty() { "host".to_owned() } else { host };
    format!("{host}/{}", std::process::id())
}
