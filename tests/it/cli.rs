//! The command line as operators meet it: exit codes, what is printed where, what is hidden.

use crate::process::{DIRECTORY_KEY, Process, run};
use crate::serving::on_sqlite;

mod impact;
mod review;

const PLAN: &str = "deploy/plans/qingdao-rongjun.toml";
const ROSTER: &str = "deploy/demo/roster.ndjson";

fn write(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Flags, variables, and the name under which the wrong one must be told.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_exits_64_and_is_named_as_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = write(&directory, "wrong.toml", "log = \"info\"\nlanes = 0\n");
    let unknown = write(&directory, "unknown.toml", "\nlains = 8\n");
    let (wrong, unknown) = (wrong.as_str(), unknown.as_str());
    let (wrong_place, unknown_place) = (format!("{wrong}:2: lanes"), format!("{unknown}:2: lains"));
    let cases: [Case; 11] = [
        (&["--lanes", "0"], &[], "--lanes: "),
        (&["--listen", "nowhere"], &[], "--listen: "),
        (&["--log-format", "xml"], &[], "--log-format: "),
        (&["--database", "mysql://u:geheim@h/d"], &[], "--database: "),
        (&[], &[("GREENLANE_LANES", "257")], "GREENLANE_LANES: "),
        (&[], &[("GREENLANE_LAINS", "8")], "GREENLANE_LAINS: "),
        (&[], &[("GREENLANE_DIRECTORY_KEY", "geheim")], "GREENLANE_DIRECTORY_KEY: "),
        (&["--config", wrong], &[], &wrong_place),
        (&["--config", unknown], &[], &unknown_place),
        (&["--config", "/nowhere.toml"], &[], "--config: "),
        (&["--no-such-flag"], &[], "--no-such-flag"),
    ];
    for (flags, environment, named) in cases {
        for command in ["serve", "config"] {
            let ended = run(&[&[command], flags].concat(), environment).await;
            assert_eq!(ended.code, Some(64), "{flags:?} {environment:?}: {ended:?}");
            assert!(ended.err.contains(named), "{named}: {ended:?}");
            assert!(!ended.err.contains("geheim"), "{ended:?}");
        }
    }
    let postgres = ["serve", "--database", "postgres://u:geheim@127.0.0.1:1/d"];
    let ended = run(&postgres, &[]).await;
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.err.contains("directory-key-file"), "{ended:?}");
    assert!(!ended.err.contains("geheim"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_not_served_unless_it_is_said() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7443"] {
        let ended = run(&["serve", "--listen", address], &[]).await;
        assert_eq!(ended.code, Some(64), "{ended:?}");
        assert!(ended.err.contains("--listen: "), "{ended:?}");
        assert!(ended.err.contains("--allow-unauthenticated"), "{ended:?}");
    }
    let allowed = ["config", "--listen", "0.0.0.0:7443", "--allow-unauthenticated"];
    assert_eq!(run(&allowed, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn config_shows_origins_and_hides_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(&directory, "greenlane.toml", "lanes = 16\nlog = \"warn\"\n");
    let ended = run(
        &["config", "--config", &file, "--log", "debug"],
        &[
            ("GREENLANE_DATABASE", "postgres://u:geheim@127.0.0.1:1/d?password=geheim"),
            ("GREENLANE_DIRECTORY_KEY", DIRECTORY_KEY),
        ],
    )
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("geheim") && !ended.out.contains(DIRECTORY_KEY), "{}", ended.out);
    for line in [
        "database = \"postgres://u:***@127.0.0.1:1/d?password=***\" # environment".to_owned(),
        format!("lanes = 16 # file {file}:1"),
        "log = \"debug\" # flag".to_owned(),
        "listen = \"127.0.0.1:7443\" # default".to_owned(),
    ] {
        assert!(ended.out.lines().any(|it| it == line), "{line} in\n{}", ended.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    let ended = run(
        &["serve", "--listen", "127.0.0.1:0", "--database", "postgres://u:geheim@127.0.0.1:1/d"],
        &[("GREENLANE_DIRECTORY_KEY", DIRECTORY_KEY)],
    )
    .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!ended.err.is_empty() && !ended.err.contains("geheim"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_shows_the_published_sums() {
    let ended = run(&["demo"], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for text in [
        "239,000.00 = funds 113,000.00 + plan 121,000.00 + person 5,000.00",
        "That is the published case, to the cent.",
        "plan 52,582.94 + person 5,121.00",
        "replayed as it stands",
        "DENIED",
        "PENDED for review",
        "greenlane serve",
    ] {
        assert!(ended.out.contains(text), "{text} in\n{}", ended.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_check_names_every_problem_at_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let good = std::fs::read_to_string(PLAN).unwrap();
    assert_eq!(run(&["plan", "check", PLAN], &[]).await.code, Some(0));
    let bad = good.replace("rate = \"1\"", "rate = \"1.5\"").replace("\"01-01\"", "\"13-01\"");
    let file = write(&directory, "bad.toml", &bad);
    let ended = run(&["plan", "check", &file], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for start in ["rate = ", "period_start = "] {
        let line = bad.lines().position(|it| it.starts_with(start)).unwrap() + 1;
        assert!(ended.err.contains(&format!("{file}:{line}: ")), "{start} {line}: {ended:?}");
    }
    assert_eq!(run(&["plan", "check", "/nowhere.toml"], &[]).await.code, Some(1));
}

/// Runs a command as the client of a server.
async fn client(server: &Process, arguments: &[&str]) -> crate::process::Ended {
    run(arguments, &[("GREENLANE_SERVER", &server.address)]).await
}

async fn done(server: &Process, arguments: &[&str]) -> String {
    let ended = client(server, arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

#[tokio::test(flavor = "multi_thread")]
async fn client_commands_do_their_work_on_a_server() {
    on_sqlite(async |database| {
        let server = Process::start(&database, &[]).await;
        assert_eq!(done(&server, &["healthcheck"]).await, "serving\n");
        let tried = done(&server, &["plan", "publish", PLAN, "--validate-only"]).await;
        assert!(tried.contains("can be published"), "{tried}");
        assert_eq!(done(&server, &["plan", "list"]).await, "");
        let published = done(&server, &["plan", "publish", PLAN]).await;
        assert!(published.contains("qingdao-rongjun 2023.1 is published"), "{published}");
        let again = done(&server, &["plan", "publish", PLAN]).await;
        assert!(again.contains("nothing changed"), "{again}");
        let list = done(&server, &["plan", "list"]).await;
        assert_eq!(list, "qingdao-rongjun 2023.1 from 2023-07-01  荣军保\n");
        let shown = done(&server, &["plan", "show", "qingdao-rongjun"]).await;
        assert_eq!(shown, std::fs::read_to_string(PLAN).unwrap());
        let imported = done(&server, &["member", "import", ROSTER]).await;
        let people = std::fs::read_to_string(ROSTER).unwrap().lines().count();
        let counts = format!("{people} created, 0 changed, 0 unchanged, 0 refused\n");
        assert_eq!(imported, counts);
        let sample = crate::serving::message("18_composite_ingest_case_a_stay1");
        let mut settlements = server.settlements().await;
        let claim = settlements.submit_message(sample).await.unwrap().into_inner().claim.unwrap();
        let chinese = done(&server, &["claim", "show", &claim.claim_id, "--lang", "zh"]).await;
        assert!(chinese.contains("赔案") && chinese.contains("绿色通道通过"), "{chinese}");
        assert!(chinese.contains("32,207.18"), "{chinese}");
        let english = done(&server, &["claim", "show", &claim.claim_id]).await;
        assert!(english.contains("APPROVED by the green channel"), "{english}");
        let member = done(&server, &["member", "show", "--external-id", "RJ-000001"]).await;
        assert!(member.contains("covered by qingdao-rongjun"), "{member}");
        assert_eq!(member, done(&server, &["member", "show", &claim.member_id]).await);
        server.terminate().await;
        let (status, log) = server.ended_within(std::time::Duration::from_secs(10)).await;
        assert!(status.success(), "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_reported_from_a_file() {
    on_sqlite(async |database| {
        let directory = tempfile::tempdir().unwrap();
        let server = Process::start(&database, &[]).await;
        done(&server, &["plan", "publish", PLAN]).await;
        done(&server, &["member", "import", ROSTER]).await;
        let event = r#"{"source": "370200", "event_id": "E-1", "kind": "death",
            "member": {"cert_no": "370299194903120017"}, "event_date": "2024-09-11",
            "cause": "CAUSE_ACCIDENT",
            "documents": [{"kind": "death_certificate", "reference": "archive/17"}]}"#;
        let file = write(&directory, "event.json", event);
        let tried = done(&server, &["claim", "event", &file, "--validate-only"]).await;
        assert!(tried.contains("a quote, not recorded"), "{tried}");
        let reported = done(&server, &["claim", "event", &file, "--language", "zh"]).await;
        assert!(reported.contains("370200/E-1") && reported.contains("不予赔付"), "{reported}");
        let again = client(&server, &["claim", "event", &file, "--language", "zh"]).await;
        assert_eq!(again.out, reported, "the claim as it stands");
        assert!(again.err.contains("nothing was recorded"), "{again:?}");
        let wrong = write(&directory, "wrong.json", &event.replace("CAUSE_ACCIDENT", "3702"));
        let ended = client(&server, &["claim", "event", &wrong]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("event.cause: must be CAUSE_DISEASE or"), "{ended:?}");
        assert!(!ended.err.contains("3702"), "{ended:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_commands_tell_why_they_failed() {
    on_sqlite(async |database| {
        let directory = tempfile::tempdir().unwrap();
        let server = Process::start(&database, &[]).await;
        done(&server, &["plan", "publish", PLAN]).await;
        let roster = std::fs::read_to_string(ROSTER).unwrap();
        let first = roster.lines().next().unwrap();
        let lines = format!("{first}\nnot json\n\n{}\n", first.replace("2023-07-01", "2023-13-01"));
        let file = write(&directory, "roster.ndjson", &lines);
        let ended = client(&server, &["member", "import", &file]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.out, "1 created, 0 changed, 0 unchanged, 2 refused\n");
        assert!(ended.err.contains("line 2: ") && ended.err.contains("line 4: "), "{ended:?}");
        assert!(ended.err.contains("member.coverages[0].start_date"), "{ended:?}");
        let bad = write(&directory, "plan.toml", "plan_id = 1\n");
        let failures: [(&[&str], &str); 5] = [
            (&["claim", "show", "0-1"], "ERROR_REASON_CLAIM_NOT_FOUND"),
            (&["member", "show", "--external-id", "X"], "ERROR_REASON_MEMBER_NOT_FOUND"),
            (&["plan", "show", "other"], "ERROR_REASON_PLAN_NOT_FOUND"),
            (&["plan", "publish", &bad], "ERROR_REASON_PLAN_INVALID"),
            (&["healthcheck", "--server", "http://127.0.0.1:1"], "no server answers"),
        ];
        for (arguments, why) in failures {
            let ended = client(&server, arguments).await;
            assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
            assert!(ended.err.contains(why), "{arguments:?}: {ended:?}");
        }
        let wrong = client(&server, &["healthcheck", "--server", "nowhere"]).await;
        assert_eq!(wrong.code, Some(64), "{wrong:?}");
    })
    .await;
}
