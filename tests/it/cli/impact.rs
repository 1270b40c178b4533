//! What an import, a plan version and a merge change of claims, as operators meet it.

use greenlane::pb;

use super::{PLAN, ROSTER, client, done, write};
use crate::process::Process;
use crate::serving::{CERT_A, CERT_B, on_sqlite, stay, submit};

/// A server that asks before it changes a single claim.
const ASKS: [&str; 2] = ["--impact-claims-max", "0"];

async fn claim(server: &Process, settlement: pb::Settlement) -> pb::Claim {
    let mut settlements = server.settlements().await;
    let answer = settlements.submit_settlement(submit(settlement)).await.unwrap();
    answer.into_inner().claim.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_changes_too_much_asks_first() {
    on_sqlite(async |database| {
        let server = Process::start(&database, &ASKS).await;
        done(&server, &["plan", "publish", PLAN]).await;
        let denied = claim(&server, stay("S-1", CERT_A, 2_000_000)).await;
        assert_eq!(denied.state(), pb::ClaimState::Denied);
        let figures = "claims decided otherwise: 1 of 1 members, 15,000.00 more, 0.00 less\n";

        let tried = done(&server, &["member", "import", ROSTER, "--validate-only"]).await;
        let lines: Vec<&str> = tried.lines().collect();
        assert_eq!(lines.len(), 3, "{tried}");
        assert!(lines[0].starts_with("only tried: "), "{tried}");
        assert_eq!(lines[1], figures.trim_end());
        let change = ["370200/S-1", "DENIED → APPROVED", "0.00 → 15,000.00", ", for the roster"];
        assert!(change.iter().all(|it| lines[2].contains(it)), "{tried}");

        let ended = client(&server, &["member", "import", ROSTER]).await;
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
        let why = ["ERROR_REASON_IMPACT_UNCONFIRMED", "increase: 15,000.00", "--confirm-impact"];
        assert!(why.iter().all(|it| ended.err.contains(it)), "{ended:?}");
        let shown = done(&server, &["claim", "show", &denied.claim_id]).await;
        assert!(shown.contains("DENIED"), "nothing was imported: {shown}");

        let done_it = done(&server, &["member", "import", ROSTER, "--confirm-impact"]).await;
        assert!(done_it.ends_with(&format!("0 refused\n{figures}")), "{done_it}");
        let shown = done(&server, &["claim", "show", &denied.claim_id, "--history"]).await;
        assert!(shown.contains("decided again, for the roster: DENIED → APPROVED"), "{shown}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_version_that_changes_claims_says_so_and_asks_first() {
    on_sqlite(async |database| {
        let directory = tempfile::tempdir().unwrap();
        let server = Process::start(&database, &ASKS).await;
        let first = std::fs::read_to_string(PLAN).unwrap();
        let next = first.replace("\"2023.1\"", "\"2025.1\"").replace("2023-07-01", "2025-01-01");
        let next = write(&directory, "next.toml", &next);
        let quiet = done(&server, &["plan", "publish", &next]).await;
        assert_eq!(quiet.lines().count(), 1, "{quiet}");
        done(&server, &["member", "import", ROSTER]).await;
        let denied = claim(&server, stay("S-1", CERT_A, 2_000_000)).await;
        assert_eq!(denied.state(), pb::ClaimState::Denied);

        let figures = "claims decided otherwise: 1 of 1 members, 15,000.00 more, 0.00 less";
        let tried = done(&server, &["plan", "publish", PLAN, "--validate-only"]).await;
        assert!(tried.contains(figures) && tried.contains(", for a plan version"), "{tried}");
        let ended = client(&server, &["plan", "publish", PLAN]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("repeat it with --confirm-impact"), "{ended:?}");
        let published = done(&server, &["plan", "publish", PLAN, "--confirm-impact"]).await;
        assert_eq!(published.lines().nth(1), Some(figures), "{published}");
    })
    .await;
}

/// One person under two certificates: one deductible is borne, not two.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_one_are_merged_and_the_changes_told() {
    on_sqlite(async |database| {
        let server = Process::start(&database, &[]).await;
        done(&server, &["plan", "publish", PLAN]).await;
        done(&server, &["member", "import", ROSTER]).await;
        let into = claim(&server, stay("S-1", CERT_A, 2_000_000)).await;
        let from = claim(&server, stay("S-2", CERT_B, 1_000_000)).await;
        let merge = ["member", "merge", &from.member_id, &into.member_id];
        let tried = done(&server, &[&merge[..], &["--validate-only"]].concat()).await;
        assert!(tried.contains("would be"), "{tried}");
        let shown = done(&server, &["claim", "show", &from.claim_id]).await;
        assert!(shown.contains("APPROVED"), "it was only tried: {shown}");

        let merged = done(&server, &merge).await;
        let lines: Vec<&str> = merged.lines().collect();
        assert_eq!(lines.len(), 3, "{merged}");
        assert_eq!(lines[0], format!("member {} is {}  RJ-000001", from.member_id, into.member_id));
        assert!(lines[1].contains(&from.claim_id) && lines[1].contains("→ VOIDED"), "{merged}");
        assert!(lines[2].contains("APPROVED") && lines[2].contains("10,000.00"), "{merged}");
        let again = client(&server, &merge).await;
        assert_eq!((again.code, again.out.lines().count()), (Some(0), 1), "{again:?}");
        assert!(again.err.contains("nothing was recorded"), "{again:?}");
        let shown = done(&server, &["claim", "show", &from.claim_id]).await;
        let new = lines[2].split_whitespace().next().unwrap();
        assert!(shown.contains(&format!("replaced by   {new}\n")), "{shown}");

        let refused = [
            (["member", "merge", &into.member_id, &from.member_id], "MEMBER_MERGED"),
            (["member", "merge", "RJ-000001", &into.member_id], "from_member_id: must be a UUID"),
        ];
        for (words, why) in refused {
            let ended = client(&server, &words).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.err.contains(why), "{ended:?}");
        }
    })
    .await;
}
