//! `greenlane ingest`: every line of a file is accounted for once, whatever is in it and whatever
//! becomes of the process that sends it or of the server that answers.

mod corrections;
mod files;
mod forms;
mod interruption;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use greenlane::pb;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::process::{Ended, Process, command};
use crate::serving::{cert, persons};
use crate::support::Database;
use crate::world::{fixture, open_ledger};

const MEMBERS: usize = 12;
/// A debug build under load sends some thousand lines in that time.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// What must not be printed and must not stand in results: names, certificates, diagnoses, items.
const PERSONAL: [&str; 7] = [
    "测试员",
    "3702991950",
    "370299194903120017",
    "370299196008050031",
    "3702009990000000000",
    "I50.9",
    "陪护床",
];

#[track_caller]
fn assert_nothing_personal(text: &str) {
    for value in PERSONAL {
        assert!(!text.contains(value), "{value} in\n{text}");
    }
}

/// The nth settlement, as a line of a file.
fn settlement(n: usize) -> Value {
    json!({
        "source": "370200", "settlement_id": format!("S-{n}"), "visit_id": format!("V-{n}"),
        "member": {"cert_no": cert(n % MEMBERS)}, "hospital_code": "H37029999001",
        "medical_category": "21", "settle_time": "2024-03-15T11:08:26+08:00",
        "total_fen": "80000", "fund_total_fen": 50_000, "personal_total_fen": 30_000,
    })
}

/// A sample as a hospital would write it on one line.
fn message(file: &str) -> String {
    fixture(&format!("messages/{file}.json")).replace(['\n', '\r'], " ")
}

/// A server with the shipped plan in force and persons on the roster, and a directory for files.
struct Place {
    directory: tempfile::TempDir,
    server: Process,
}

impl Place {
    async fn prepare(database: &Database) -> Place {
        let mut roster = persons(MEMBERS);
        roster.extend(crate::world::sample_roster());
        open_ledger(database, &roster).await.drain().await;
        let server = Process::start(database, &[]).await;
        Place { directory: tempfile::tempdir().unwrap(), server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Starts the command in the directory, its standard input open to us.
    fn spawn(&self, arguments: &[&str]) -> Child {
        let arguments = [&["ingest"], arguments].concat();
        let mut command = command(&arguments, &[("GREENLANE_SERVER", &self.server.address)]);
        command.current_dir(self.directory.path()).stdin(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the command to its end, with nothing on its standard input.
    async fn ingest(&self, arguments: &[&str]) -> Ended {
        ended(self.spawn(arguments)).await
    }

    /// Runs the command on what stands on its standard input.
    async fn ingest_text(&self, text: &str, arguments: &[&str]) -> Ended {
        let mut child = self.spawn(arguments);
        let mut stdin = child.stdin.take().unwrap();
        // A command that refuses to run does not read.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, text.as_bytes()).await;
        drop(stdin);
        ended(child).await
    }

    /// The rows of a results file, without its header.
    fn rows(&self, name: &str) -> Vec<Value> {
        let text = self.read(name);
        assert_nothing_personal(&text);
        let rows = text.lines().map(|row| serde_json::from_str(row).unwrap());
        rows.skip(1).collect()
    }
}

/// Waits for the end of a command, which says nothing personal.
async fn ended(mut child: Child) -> Ended {
    drop(child.stdin.take());
    let output = tokio::time::timeout(WAIT_MAX, child.wait_with_output()).await;
    let output = output.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended =
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert_nothing_personal(&ended.out);
    assert_nothing_personal(&ended.err);
    ended
}

/// Waits until a file has so many lines.
async fn grown_to(path: &Path, lines: usize) {
    let grown = async {
        let count = || {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.matches('\n').count()
        };
        while count() < lines {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, grown).await.expect("it grows");
}

/// The names of what went wrong in a row: the reason, and the fields.
fn refusal(row: &Value) -> (&str, Vec<&str>) {
    let refused = &row["refused"];
    let reason = refused["reason"].as_str().unwrap().strip_prefix("ERROR_REASON_").unwrap();
    let fields = refused["fields"].as_array().unwrap().iter();
    (reason, fields.map(|field| field["field"].as_str().unwrap()).collect())
}

/// Every line from 1 to `count` once and in order, and one claim for each settlement.
#[track_caller]
fn assert_each_line_once(rows: &[Value], count: usize) {
    let mut claims: BTreeMap<&str, &str> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["line"].as_u64().unwrap(), index as u64 + 1, "{row}");
        if let Some(claim) = row["claim_id"].as_str() {
            let other = claims.insert(claim, row["settlement_id"].as_str().unwrap());
            assert_eq!(other, None, "{row}");
        }
    }
    assert_eq!(rows.len(), count);
}

async fn count_claims(database: &Database) -> String {
    database.text("select cast(count(*) as text) from claim").await
}

fn reason(reason: pb::ErrorReason) -> &'static str {
    reason.as_str_name().strip_prefix("ERROR_REASON_").unwrap()
}
