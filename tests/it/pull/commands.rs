//! `greenlane pull` and `greenlane serve --pull` as operators run them, against a platform on a socket.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use greenlane::core::day::Day;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::http::Served as Remote;
use super::platform::{DAY, MEMBERS, Platform};
use super::{WAIT_MAX, claims, wait_for};
use crate::process::{Process, assert_consistent, command, run, run_within, terminate};
use crate::serving::{on_sqlite, persons};
use crate::support::{Database, Dice, on_every_backend};
use crate::world::open_ledger;

/// Midnight of the platform's first day, in µs.
fn start() -> i64 {
    Day::parse("2024-05-01").unwrap().start().micros()
}

fn platform(count: usize) -> Platform {
    let start = Day::parse("2024-05-01").unwrap().start();
    Platform::new(start, 20, count, 0, Dice::seeded_with(1))
}

async fn prepare(database: &Database) {
    open_ledger(database, &persons(MEMBERS)).await.drain().await;
}

/// A file of one sender, which says whose it is by its operator.
fn senders(directory: &tempfile::TempDir, operator: &str, url: &str, more: &str) -> PathBuf {
    let path = directory.path().join(format!("{operator}.toml"));
    let text = format!(
        "[[senders]]\nsender = \"platform\"\nevery_seconds = 1\n[senders.endpoint]\n\
         url = \"{url}\"\nregion = \"370200\"\ninstitution_code = \"H37029999001\"\n\
         operator = \"{operator}\"\nfrom_date = \"2024-05-01\"\npage_size = 20\n\
         timeout_seconds = 1\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    path
}

fn pull(senders: &Path, server: &str) -> Child {
    let arguments = ["pull", senders.to_str().unwrap()];
    let mut command = command(&arguments, &[("GREENLANE_SERVER", server)]);
    command.stderr(Stdio::piped()).spawn().unwrap()
}

async fn log_of(mut child: Child) -> String {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    for personal in ["测试员", "3702991950", "不存在"] {
        assert!(!log.contains(personal), "{log}");
    }
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_sender_and_one_that_is_killed_is_replaced() {
    on_every_backend(async |database| {
        prepare(&database).await;
        let mut server = Process::start(&database, &[]).await;
        let remote = Remote::start(platform(150).failing_at_times(), start() + 10 * DAY).await;
        let directory = tempfile::tempdir().unwrap();
        let first = senders(&directory, "first", &remote.url, "");
        let second = senders(&directory, "second", &remote.url, "");
        let one = pull(&first, &server.address);
        wait_for("the first fetches", async || !remote.asked_by().is_empty()).await;
        let other = pull(&second, &server.address);
        let all = remote.settlements();
        wait_for("ten days are settled", async || claims(&database).await == all).await;
        assert!(remote.asked_by().iter().all(|by| by == "first"), "one at a time");

        // Paused it is left alone, by both.
        let listed =
            async || run(&["source", "pulls"], &[("GREENLANE_SERVER", &server.address)]).await;
        let source = async |what: &str| {
            let words = ["source", what, "platform"];
            run(&words, &[("GREENLANE_SERVER", &server.address)]).await
        };
        assert!(listed().await.out.starts_with("platform  leased  by "), "{:?}", listed().await);
        let paused = source("pause").await;
        assert!(paused.out.starts_with("platform  paused"), "{paused:?}");
        wait_for("the lease is given back", async || {
            database.text("select lease_id from pull").await.is_empty()
        })
        .await;
        let asked = remote.asked_by().len();
        remote.set_now(start() + 15 * DAY);
        let words = ["pull", first.to_str().unwrap(), "--once"];
        let third = run(&words, &[("GREENLANE_SERVER", &server.address)]).await;
        assert_eq!(third.code, Some(1), "{third:?}");
        assert!(third.err.contains("or it is paused"), "{third:?}");
        assert_eq!(remote.asked_by().len(), asked);
        let resumed = source("resume").await;
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        let all = remote.settlements();
        wait_for("fifteen days are settled", async || claims(&database).await == all).await;

        // Whoever has the lease is killed, and the other one goes on.
        let holder = remote.asked_by().last().unwrap().clone();
        let (mut killed, left) = if holder == "first" { (one, other) } else { (other, one) };
        killed.kill().await.unwrap();
        let asked = remote.asked_by().len();
        remote.set_now(start() + 60 * DAY);
        let all = remote.settlements();
        wait_for("everything is settled", async || claims(&database).await == all).await;
        assert!(remote.asked_by()[asked..].iter().all(|by| *by != holder));
        terminate(&left).await;
        let log = log_of(left).await;
        assert!(log.contains("fetching") && log.contains("handed over"), "{log}");
        let lease = database.text("select lease_id from pull").await;
        assert_eq!(lease, "", "it was given back at the end");
        assert_eq!(database.text("select cast(count(*) as text) from reject").await, "0");
        server.end().await;
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_fetches_by_itself_and_gives_its_lease_back() {
    on_sqlite(async |database| {
        prepare(&database).await;
        let remote = Remote::start(platform(40), start() + 60 * DAY).await;
        let directory = tempfile::tempdir().unwrap();
        let file = senders(&directory, "server", &remote.url, "");
        let mut server = Process::start(&database, &["--pull", file.to_str().unwrap()]).await;
        let all = remote.settlements();
        wait_for("everything is settled", async || claims(&database).await == all).await;
        server.end().await;
        assert_eq!(database.text("select lease_id from pull").await, "");
        assert_consistent(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_senders_that_is_wrong_is_told_as_a_whole_before_anything_begins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("senders.toml");
    let wrong = "[[senders]]\nsender = \"a b\"\nevery = 3\n[senders.endpoint]\nurl = \"http://example.org/\"\n\
         region = \"37\"\nfrom_date = 2024-01-01\n[[senders]]\nsender = \"c\"\n";
    std::fs::write(&path, wrong).unwrap();
    let path = path.to_str().unwrap();
    for words in [&["pull", path][..], &["serve", "--pull", path]] {
        let ended = run(words, &[("GREENLANE_DIRECTORY_KEY", crate::process::DIRECTORY_KEY)]).await;
        assert_eq!(ended.code, Some(64), "{ended:?}");
        for told in [
            ":2: senders[0].sender: must be 1 to 64",
            ":3: senders[0].every: is unknown (known here: sender, every_seconds",
            ":5: senders[0].endpoint.url: must be https://",
            ":6: senders[0].endpoint.region: must be a region",
            ":7: senders[0].endpoint.from_date: is a date without quotes",
            ":4: senders[0].endpoint.institution_code: is missing",
            ":8: senders[1]: has neither an endpoint nor a folder",
        ] {
            assert!(ended.err.contains(told), "{told} in {}", ended.err);
        }
    }
    std::fs::write(path, "[[senders]]\nsender = \"c\"\n[senders.folder]\npath = \"/nowhere\"\n")
        .unwrap();
    let ended = run(&["pull", path], &[]).await;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("sender c: folder.path: /nowhere"), "{ended:?}");
}

fn signature(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Who knows the secret, encrypts and signs is let in.
fn open(headers: &HeaderMap, body: &str) -> Result<String, StatusCode> {
    if headers.get("authorization").is_none_or(|it| it != "Bearer 口令".as_bytes()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut asked: Value = serde_json::from_str(body).unwrap();
    let input = asked["input"].as_str().unwrap().to_owned();
    if (asked["signtype"] != "SM2" || asked["enc_type"] != "SM4")
        || asked["cainfo"] != signature(&input)
    {
        return Err(StatusCode::FORBIDDEN);
    }
    let input = STANDARD.decode(input).unwrap();
    asked["input"] = serde_json::from_slice(&input).unwrap();
    Ok(asked.to_string())
}

/// Encrypts and signs, after its own fashion.
fn close(answer: &[u8]) -> Vec<u8> {
    let mut answer: Value = serde_json::from_slice(answer).unwrap();
    let output = STANDARD.encode(answer["output"].to_string());
    answer["cainfo"] = signature(&output).into();
    answer["output"] = output.into();
    answer.to_string().into_bytes()
}

/// Certificates of an authority that nobody knows: the authority's, and what a server needs.
fn private_authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private.into())
        .unwrap();
    (authority.pem(), config)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_behind_a_private_authority_is_signed_for_and_decrypted() {
    on_sqlite(async |database| {
        prepare(&database).await;
        let server = Process::start(&database, &[]).await;
        let mut remote = Remote::wrapped(platform(40), start() + 60 * DAY, open, close).await;
        let (authority, config) = private_authority();
        remote.behind_tls(config).await;
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            std::fs::write(directory.path().join(name), content).unwrap();
            directory.path().join(name).display().to_string()
        };
        let (ca, secret) = (file("ca.pem", &authority), file("secret", "Bearer 口令\n"));
        let sign = "sha256sum | cut -c1-64";
        let more = |ca: &str, verify: &str| {
            format!(
                "ca_file = \"{ca}\"\nheader_files = {{ Authorization = \"{secret}\" }}\n\
                 signature = {{ kind = \"SM2\", sign = [\"/bin/sh\", \"-c\", \"{sign}\"], \
                 verify = [\"/bin/sh\", \"-c\", \"{verify}\"] }}\n\
                 encryption = {{ kind = \"SM4\", encrypt = [\"/usr/bin/base64\", \"-w0\"], \
                 decrypt = [\"/usr/bin/base64\", \"-d\"] }}\n"
            )
        };
        let verify = "test $(sha256sum | cut -c1-64) = $CAINFO";
        let once = async |more: &str| {
            let file = senders(&directory, "once", &remote.url, more);
            let words = ["pull", file.to_str().unwrap(), "--once"];
            run_within(WAIT_MAX, &words, &[("GREENLANE_SERVER", &server.address)]).await
        };
        let (unknown, _) = private_authority();
        let unknown = file("unknown.pem", &unknown);
        let ended = once(&more(&unknown, verify)).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("the endpoint cannot be reached"), "{ended:?}");
        let ended = once(&more(&ca, "exit 1")).await;
        assert!(ended.err.contains("the answer's signature does not fit"), "{ended:?}");
        assert_eq!(claims(&database).await.len(), 0);
        let ended = once(&more(&ca, verify)).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(claims(&database).await, remote.settlements());
        std::fs::write(&secret, "Bearer wrong").unwrap();
        let ended = once(&more(&ca, verify)).await;
        assert!(ended.err.contains("the endpoint answers HTTP 401"), "{ended:?}");
    })
    .await;
}
