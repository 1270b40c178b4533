//! The binary itself, started as an operator would, with an environment of its own.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use greenlane::pb;
use greenlane::pb::settlement_service_client::SettlementServiceClient;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::serving::connect;
use crate::support::Database;

/// What `world::directory_key` is in digits, so that the same ledger opens in this process too.
pub const DIRECTORY_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";
/// A debug build under load takes a while to migrate a database.
const START_MAX: Duration = Duration::from_secs(30);

/// A command that is yet to start.
pub fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenlane"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    run_within(START_MAX, arguments, environment).await
}

/// Runs a command that may take so long.
pub async fn run_within(max: Duration, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = command(arguments, environment).output();
    let output = tokio::time::timeout(max, output).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A client command that runs until it is told to end. Killed when dropped.
pub struct Running {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub fn start(arguments: &[&str], server: &str) -> Running {
        let mut child = command(arguments, &[("GREENLANE_SERVER", server)]).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, out }
    }

    /// The next line on standard output; `None` at its end.
    pub async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(START_MAX, self.out.next_line()).await;
        line.expect("it says something").unwrap()
    }

    /// Nobody reads its output from here on. Returns how it ended.
    pub async fn ended(self) -> ExitStatus {
        let Running { mut child, out } = self;
        drop(out);
        let ended = tokio::time::timeout(START_MAX, child.wait()).await;
        ended.expect("it ends").unwrap()
    }

    /// Asks it to end and waits for that.
    pub async fn terminate(self) -> ExitStatus {
        terminate(&self.child).await;
        self.ended().await
    }
}

/// A `greenlane serve`. Killed when dropped.
pub struct Process {
    child: Child,
    pub address: String,
    log: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Process {
    /// Starts a server on a free port and waits until it serves.
    pub async fn start(database: &Database, more: &[&str]) -> Process {
        Process::start_at("127.0.0.1:0", database, more).await
    }

    /// Starts a server at an address, which may be that of one that is gone.
    pub async fn start_at(listen: &str, database: &Database, more: &[&str]) -> Process {
        let mut arguments = vec!["serve", "--listen", listen, "--database", &database.url];
        arguments.extend(more);
        let environment = [("GREENLANE_DIRECTORY_KEY", DIRECTORY_KEY)];
        let mut child = command(&arguments, &environment).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (serving, address) = oneshot::channel();
        let stderr = child.stderr.take().unwrap();
        let reading = tokio::spawn(read_log(stderr, log.clone(), serving));
        let address = tokio::time::timeout(START_MAX, address).await;
        let Ok(Ok(address)) = address else { panic!("does not serve: {}", log.lock().unwrap()) };
        Process { child, address: format!("http://{address}"), log, reading }
    }

    pub async fn settlements(&self) -> SettlementServiceClient<Channel> {
        SettlementServiceClient::new(connect(&self.address).await)
    }

    /// `kill -9`, and gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end.
    pub async fn terminate(&self) {
        terminate(&self.child).await;
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let pid = self.child.id().expect("it still runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Asks it to end and waits until it has.
    pub async fn end(&mut self) {
        self.terminate().await;
        let ended = tokio::time::timeout(START_MAX, self.child.wait()).await.expect("it ends");
        assert!(ended.unwrap().success());
    }

    /// Waits for its end and returns how it ended, with everything it logged.
    pub async fn ended_within(mut self, max: Duration) -> (ExitStatus, String) {
        let ended = tokio::time::timeout(max, self.child.wait()).await;
        let log = || self.log.lock().unwrap().clone();
        let status = ended.unwrap_or_else(|_| panic!("still there after {max:?}: {}", log()));
        self.reading.await.unwrap();
        (status.unwrap(), self.log.lock().unwrap().clone())
    }
}

/// Asks a process to end.
pub async fn terminate(child: &Child) {
    let pid = child.id().expect("it still runs").to_string();
    let status = Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status().await;
    assert!(status.unwrap().success());
}

/// Keeps every line, and passes on the address of the one that says where it serves.
async fn read_log(
    stderr: impl AsyncRead + Unpin,
    log: Arc<Mutex<String>>,
    serving: oneshot::Sender<String>,
) {
    let mut lines = BufReader::new(stderr).lines();
    let mut serving = Some(serving);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, rest)) = line.split_once("serving listen=")
            && let Some(serving) = serving.take()
        {
            let address = rest.split_whitespace().next().unwrap_or_default();
            let _ = serving.send(address.to_owned());
        }
        let mut log = log.lock().unwrap();
        log.push_str(&line);
        log.push('\n');
    }
}

/// One request of a stream.
pub fn item(settlement: pb::Settlement) -> pb::SubmitSettlementsRequest {
    pb::SubmitSettlementsRequest {
        settlement: Some(settlement),
        ..pb::SubmitSettlementsRequest::default()
    }
}

/// Where numbers in a database must agree with each other, whatever happened to its servers.
pub async fn assert_consistent(database: &Database) {
    const SUMS: &str = "select cast((select coalesce(sum(paid_fen), 0) from counter) as text) \
         || ' ' || cast((select coalesce(sum(amount_fen), 0) from payout \
         where kind = 'PAYMENT' and state = 'INSTRUCTED') as text) \
         || ' ' || cast((select coalesce(sum(payout_fen), 0) from claim \
         where state = 'APPROVED') as text)";
    const GAPS: &str = "select cast(count(*) as text) from lane where position <> \
         (select count(*) from event where event.lane = lane.lane) or position <> \
         (select coalesce(max(position), 0) from event where event.lane = lane.lane) or claims < \
         (select coalesce(max(claim_no), 0) from claim where claim.lane = lane.lane)";
    const STRAYS: &str = "select cast(count(*) as text) from settlement_key k \
         full join claim c on c.lane = k.lane and c.claim_no = k.claim_no \
         where c.claim_no is null or k.claim_no is null";
    const BEYOND: &str = "select cast(count(*) as text) from counter \
         where paid_fen > 30000000 or deductible_fen > 500000";
    let sums = database.text(SUMS).await;
    let [counters, payouts, claims] = sums.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{sums}")
    };
    assert_eq!(counters, payouts, "counters equal the payouts");
    assert_eq!(payouts, claims, "payouts equal what claims say");
    assert_eq!(
        database.text(GAPS).await,
        "0",
        "positions have no gaps, claim numbers are below their head"
    );
    assert_eq!(database.text(STRAYS).await, "0", "each key has its claim, each claim its key");
    assert_eq!(database.text(BEYOND).await, "0", "no deductible twice, no limit passed");
}
