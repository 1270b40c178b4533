//! A watched folder: what is put there is settled once it has stopped growing, and moved away with its
//! results; what cannot be read is moved away with the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Child;

use super::{WAIT_MAX, wait_for};
use crate::process::{Process, assert_consistent, command, run_within, terminate};
use crate::serving::{cert, on_sqlite, persons};
use crate::support::Database;
use crate::world::open_ledger;

const MEMBERS: usize = 10;

struct Inbox {
    directory: tempfile::TempDir,
    server: Process,
}

impl Inbox {
    async fn prepare(database: &Database, settle_seconds: u32) -> Inbox {
        open_ledger(database, &persons(MEMBERS)).await.drain().await;
        let server = Process::start(database, &[]).await;
        let inbox = Inbox { directory: tempfile::tempdir().unwrap(), server };
        fs::create_dir(inbox.path("in")).unwrap();
        let text = format!(
            "[[senders]]\nsender = \"sftp\"\nevery_seconds = 1\n[senders.folder]\n\
             path = \"{}\"\nsettle_seconds = {settle_seconds}\n",
            inbox.path("in").display()
        );
        fs::write(inbox.path("senders.toml"), text).unwrap();
        inbox
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pull(&self) -> Child {
        let senders = self.path("senders.toml");
        let words = ["pull", senders.to_str().unwrap()];
        let mut command = command(&words, &[("GREENLANE_SERVER", &self.server.address)]);
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    async fn once(&self) {
        let senders = self.path("senders.toml");
        let words = ["pull", senders.to_str().unwrap(), "--once"];
        let ended =
            run_within(WAIT_MAX, &words, &[("GREENLANE_SERVER", &self.server.address)]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// The directory in which a file of this name ended.
    fn ended_in(&self, place: &str, name: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path(place)).into_iter().flatten().flatten();
        let mut found = entries.map(|it| it.path()).filter(|it| it.join(name).exists());
        let first = found.next();
        assert!(found.next().is_none(), "{name} once");
        first
    }
}

fn line(n: usize) -> String {
    json!({
        "source": "370200", "settlement_id": format!("S-{n}"), "visit_id": format!("V-{n}"),
        "member": {"cert_no": cert(n % MEMBERS)}, "hospital_code": "H37029999001",
        "medical_category": "21", "settle_time": "2024-03-15T11:08:26+08:00",
        "total_fen": 80_000, "fund_total_fen": 50_000, "personal_total_fen": 30_000,
    })
    .to_string()
        + "\n"
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|row| serde_json::from_str(row).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_settled_when_it_has_stopped_growing_and_moved_with_its_results() {
    on_sqlite(async |database| {
        let inbox = Inbox::prepare(&database, 4).await;
        let child = inbox.pull();
        // Longer than a file has to rest, but it never does.
        let growing = inbox.path("in/day.ndjson");
        let mut interval = tokio::time::interval(Duration::from_millis(500));
        let mut text = String::new();
        for n in 0..12 {
            interval.tick().await;
            assert_eq!(growing.exists(), 0 < n, "not before it is whole");
            text += &line(n);
            fs::write(&growing, &text).unwrap();
        }
        for (name, content) in [
            ("part.ndjson.filepart", line(100)),
            (".hidden.ndjson", line(101)),
            ("old.results.ndjson", line(102)),
            ("notes.txt", line(103)),
        ] {
            fs::write(inbox.path("in").join(name), content).unwrap();
        }
        fs::write(inbox.path("outside.ndjson"), line(104)).unwrap();
        std::os::unix::fs::symlink(inbox.path("outside.ndjson"), inbox.path("in/link.ndjson"))
            .unwrap();
        fs::write(inbox.path("in/bad.csv"), "setl_id,medfee_sumamt,nonsense\nS,1.00,x\n").unwrap();
        let refused = format!("{}{{\"setl_id\": \"\"}}\n{}", line(20), line(21));
        fs::write(inbox.path("in/other.ndjson"), refused).unwrap();
        wait_for("they are moved", async || {
            inbox.ended_in("in/done", "day.ndjson").is_some()
                && inbox.ended_in("in/done", "other.ndjson").is_some()
                && inbox.ended_in("in/failed", "bad.csv").is_some()
        })
        .await;
        let done = inbox.ended_in("in/done", "day.ndjson").unwrap();
        assert_eq!(rows(&done.join("day.ndjson.results.ndjson")).len(), 12);
        let done = inbox.ended_in("in/done", "other.ndjson").unwrap();
        assert_eq!(rows(&done.join("other.ndjson.results.ndjson")).len(), 3);
        assert_eq!(
            fs::read_to_string(done.join("other.ndjson.rejects.ndjson")).unwrap(),
            "{\"setl_id\": \"\"}\n"
        );
        let failed = inbox.ended_in("in/failed", "bad.csv").unwrap();
        let reason = fs::read_to_string(failed.join("error.txt")).unwrap();
        assert!(reason.contains("bad.csv line 1 column 3"), "{reason}");
        // Corrected and put there again, it leaves nothing behind, though it names no settlement.
        let corrected = inbox.path("in/other.ndjson.rejects.ndjson");
        fs::write(&corrected, line(22)).unwrap();
        wait_for("it is settled", async || {
            inbox.ended_in("in/done", "other.ndjson.rejects.ndjson.results.ndjson").is_some()
        })
        .await;
        let rejects = database.text("select cast(count(*) as text) from reject").await;
        assert_eq!(rejects, "0");
        // The same name again is another file.
        fs::write(&growing, line(50)).unwrap();
        wait_for("it is taken", async || !growing.exists()).await;
        terminate(&child).await;
        inbox.once().await;
        let mut names: Vec<String> = fs::read_dir(inbox.path("in"))
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let left = [
            ".hidden.ndjson",
            "done",
            "failed",
            "link.ndjson",
            "notes.txt",
            "old.results.ndjson",
            "part.ndjson.filepart",
        ];
        assert_eq!(names, left);
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, "16");
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_process_is_killed_is_gone_on_with_and_each_line_settled_once() {
    const LINES: usize = 3000;
    on_sqlite(async |database| {
        let inbox = Inbox::prepare(&database, 1).await;
        let text: String = (0..LINES).map(line).collect();
        fs::write(inbox.path("in/day.ndjson"), text).unwrap();
        let results = || {
            let working = fs::read_dir(inbox.path("in.working")).into_iter().flatten().flatten();
            let mut files = working.map(|it| it.path().join("day.ndjson.results.ndjson"));
            let text = files.next().and_then(|it| fs::read_to_string(it).ok());
            text.unwrap_or_default().lines().count()
        };
        let mut child = inbox.pull();
        wait_for("it goes on", async || 100 < results()).await;
        child.kill().await.unwrap();
        let known = results();
        assert!(known < LINES, "the kill must come in the middle: {known}");
        let child = inbox.pull();
        wait_for("it is done", async || inbox.ended_in("in/done", "day.ndjson").is_some()).await;
        terminate(&child).await;
        let done = inbox.ended_in("in/done", "day.ndjson").unwrap();
        let rows = rows(&done.join("day.ndjson.results.ndjson"));
        let lines: Vec<u64> = rows.iter().map(|row| row["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, (1..=LINES as u64).collect::<Vec<_>>());
        let claims = database.text("select cast(count(*) as text) from claim").await;
        assert_eq!(claims, LINES.to_string());
        assert_consistent(&database).await;
    })
    .await;
}

/// Whoever fills the folder must neither hold up what others put there nor have other files read.
#[tokio::test(flavor = "multi_thread")]
async fn odd_files_hold_nothing_up_and_links_lead_nowhere() {
    use std::os::unix::ffi::OsStrExt;
    on_sqlite(async |database| {
        let inbox = Inbox::prepare(&database, 1).await;
        let gbk = [&b"\xbd\xe1\xcb\xe3"[..], b".ndjson"].concat();
        fs::write(inbox.path("in").join(std::ffi::OsStr::from_bytes(&gbk)), line(1)).unwrap();
        let long = format!("{}.ndjson", "x".repeat(230));
        fs::write(inbox.path("in").join(&long), line(2)).unwrap();
        fs::write(inbox.path("in/day.ndjson"), line(3)).unwrap();
        // What somebody left where files are settled.
        let working = inbox.path("in.working");
        fs::create_dir_all(working.join("a-empty")).unwrap();
        fs::create_dir_all(working.join("b-link")).unwrap();
        fs::write(inbox.path("secret.ndjson"), line(4)).unwrap();
        let link = working.join("b-link/secret.ndjson");
        std::os::unix::fs::symlink(inbox.path("secret.ndjson"), link).unwrap();
        fs::write(working.join("c-file"), line(5)).unwrap();
        let senders = inbox.path("senders.toml");
        let words = ["pull", senders.to_str().unwrap(), "--once"];
        let server = [("GREENLANE_SERVER", inbox.server.address.as_str())];
        let ended = run_within(WAIT_MAX, &words, &server).await;
        assert_eq!(ended.code, Some(1), "one name is too long: {ended:?}");
        assert!(ended.err.contains("lies in the failed folder"), "{ended:?}");
        assert!(inbox.ended_in("in/done", "day.ndjson").is_some());
        assert!(inbox.ended_in("in/failed", &long).is_some());
        let claims: Vec<String> = super::claims(&database).await.into_keys().collect();
        assert_eq!(claims, ["S-1", "S-3"]);
    })
    .await;
}
