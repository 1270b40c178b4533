//! The server as a process of its own, so that what it uses is counted apart from the load.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tonic::transport::{Channel, Endpoint};

use crate::cli::Failure;

/// A new database is migrated before the server listens.
const START_MAX: Duration = Duration::from_mins(1);

/// The secret of the throw-away ledgers: their persons are invented.
pub(super) const DIRECTORY_KEY: [u8; 32] = [7; 32];

/// A `greenlane serve` with its default settings. Killed when dropped.
pub(super) struct Process {
    child: Child,
    pid: u32,
    address: String,
}

impl Process {
    /// Starts a server of this very program on a free port and waits until it serves. A new
    /// database gets `lanes`, the default without.
    pub(super) async fn start(database_url: &str, lanes: Option<u16>) -> Result<Process, Failure> {
        let program = std::env::current_exe().map_err(Failure::told)?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        if let Some(lanes) = lanes {
            command.args(["--lanes", &lanes.to_string()]);
        }
        without_settings(&mut command);
        // As a variable, because arguments can be seen by everybody on the machine.
        command.env("GREENLANE_DATABASE", database_url);
        command.env("GREENLANE_DIRECTORY_KEY", hex::encode(DIRECTORY_KEY));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(Failure::told)?;
        let pid = child.id().ok_or_else(|| Failure::told("the server ended at once"))?;
        let log = child.stderr.take().ok_or_else(|| Failure::told("the server has no log"))?;
        let address = tokio::time::timeout(START_MAX, address(log)).await;
        let address = address.map_err(|_| Failure::told("the server does not come up"))??;
        Ok(Process { child, pid, address })
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it serves, as a client names it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Connections to it.
    pub(super) async fn connect(&self, count: usize) -> Result<Vec<Channel>, Failure> {
        let endpoint = Endpoint::from_shared(self.address.clone()).map_err(Failure::told)?;
        let mut channels = Vec::with_capacity(count);
        for _ in 0..count {
            channels.push(endpoint.connect().await.map_err(Failure::told)?);
        }
        Ok(channels)
    }

    /// Ends it at once: everything that it acknowledged is on disk, the rest nobody wants.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(Failure::told)
    }
}

/// The operator's settings are for another server.
pub(super) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GREENLANE_") {
            command.env_remove(name);
        }
    }
}

/// Reads the log up to the line that says where it serves, and lets a task read the rest: a full
/// pipe would stop the server.
async fn address(log: ChildStderr) -> Result<String, Failure> {
    let mut lines = BufReader::new(log).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.map_err(Failure::told)? {
        if let Some((_, rest)) = line.split_once("serving listen=") {
            let address = rest.split_whitespace().next().unwrap_or_default();
            let address = format!("http://{address}");
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
        last = line;
    }
    Err(Failure::Told(format!("the server does not serve: {last}")))
}
