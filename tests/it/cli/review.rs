//! The review desk as those who sit at it meet it: what they type, read, and are refused.

use greenlane::pb;

use super::{PLAN, ROSTER, done, write};
use crate::process::{Ended, Process, run};
use crate::serving::{CERT_A, message, on_sqlite, stay, submit};
use crate::support::Database;

/// 己 of the samples, whose stay is above the green channel's ceiling.
const CERT_F: &str = "370299194801010036";
const REQUEST: &str = "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42";

/// A server with one claim that waits for a person, and a later one of the same member that rests
/// on it: the first has taken the deductible of 5,000.00.
struct Office {
    server: Process,
    pended: pb::Claim,
    later: pb::Claim,
}

impl Office {
    async fn open(database: &Database) -> Office {
        Office::under(PLAN, database).await
    }

    /// The same under the plan of a file.
    async fn under(plan: &str, database: &Database) -> Office {
        let server = Process::start(database, &[]).await;
        done(&server, &["plan", "publish", plan]).await;
        done(&server, &["member", "import", ROSTER]).await;
        let mut settlements = server.settlements().await;
        let sample = message("21_2304_above_green_ceiling");
        let pended = settlements.submit_message(sample).await.unwrap().into_inner();
        let mut later = stay("S-LATER", CERT_F, 2_000_000);
        later.settle_time = Some(prost_types::Timestamp { seconds: 1_717_985_706, nanos: 0 });
        let later = settlements.submit_settlement(submit(later)).await.unwrap().into_inner();
        let (pended, later) = (pended.claim.unwrap(), later.claim.unwrap());
        assert_eq!(pended.state(), pb::ClaimState::Pended);
        assert_eq!(later.decision.as_ref().unwrap().payout_fen, 2_000_000);
        Office { server, pended, later }
    }

    /// Runs `greenlane review` in somebody's name.
    async fn ended(&self, who: &str, words: &[&str]) -> Ended {
        let environment = [("GREENLANE_SERVER", &*self.server.address), ("GREENLANE_ACTOR", who)];
        run(&[&["review"], words].concat(), &environment).await
    }

    /// The same, done; what was printed.
    async fn says(&self, who: &str, words: &[&str]) -> String {
        let ended = self.ended(who, words).await;
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
        ended.out
    }

    /// The same, refused with exit code 1; why.
    async fn refuses(&self, who: &str, words: &[&str]) -> String {
        let ended = self.ended(who, words).await;
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{words:?}: {ended:?}");
        ended.err
    }

    /// The words behind `before` on a line of a claim that is shown.
    async fn shown(&self, before: &str) -> String {
        let sheet = self.says("li", &["show", &self.pended.claim_id]).await;
        let behind = sheet.split(before).nth(1).unwrap_or_else(|| panic!("{before} in\n{sheet}"));
        behind.split_whitespace().next().unwrap().to_owned()
    }

    async fn revision(&self) -> String {
        self.shown("--revision ").await
    }
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_shows_what_waits_and_what_it_holds() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let id = &*office.pended.claim_id;
        let list = office.says("li", &["list"]).await;
        let lines: Vec<&str> = list.lines().collect();
        let [claim, "", head, totals] = lines[..] else { panic!("{list}") };
        has(claim, &[id, "H37029999001", "135,000.00", "PENDED for review", "ABOVE_CEILING"]);
        let heads: Vec<&str> = head.split_whitespace().skip(3).collect();
        assert_eq!(heads, ["claims", "assigned", "reserved", "at", "risk", "oldest"]);
        let sums: Vec<&str> = totals.split_whitespace().take(5).collect();
        assert_eq!(sums, ["qingdao-rongjun", "1", "0", "135,000.00", "20,000.00"]);
        let fit: [&[&str]; 5] = [
            &["--state", "pended", "--plan", "qingdao-rongjun", "--reason", "above-ceiling"],
            &["--hospital", "H37029999001", "--free", "--order", "amount"],
            &["--min-yuan", "135000", "--max-yuan", "135000.00"],
            &["--reason", "ABOVE_CEILING"],
            &["--language", "zh"],
        ];
        for words in fit {
            let list = office.says("li", &[&["list"], words].concat()).await;
            assert!(list.starts_with(id), "{words:?}: {list}");
        }
        let others: [&[&str]; 6] = [
            &["--state", "information-requested"],
            &["--plan", "other"],
            &["--hospital", "H1"],
            &["--reason", "reopened"],
            &["--assignee", "li"],
            &["--max-yuan", "134999.99"],
        ];
        for words in others {
            let ended = office.ended("li", &[&["list"], words].concat()).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.err.contains("nothing waits"), "{words:?}: {ended:?}");
            has(&ended.out, &["\nqingdao-rongjun "]);
            assert!(!ended.out.contains("ABOVE_CEILING"), "{words:?}: {ended:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_claim_is_taken_once_and_let_go() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let id = &*office.pended.claim_id;
        let tried = office.says("li", &["take", "--validate-only"]).await;
        has(&tried, &["nothing is recorded", id]);
        let sheet = office.says("li", &["take", "--plan", "qingdao-rongjun"]).await;
        let approve = format!("greenlane review approve {id} --revision ");
        has(&sheet, &[&approve, "assignee      li\n", "ceiling 100,000.00", "Who bears the bill"]);
        let nothing = office.ended("wang", &["take", "--order", "amount"]).await;
        assert_eq!((nothing.code, &*nothing.out), (Some(0), ""), "{nothing:?}");
        assert!(nothing.err.contains("nothing waits"), "{nothing:?}");
        let list = office.says("li", &["list", "--assignee", "li"]).await;
        assert!(list.starts_with(id), "{list}");
        let revision = office.revision().await;
        let approve = ["approve", id, "--revision", &revision];
        let why = office.refuses("wang", &approve).await;
        has(&why, &["ERROR_REASON_CLAIM_ASSIGNED", "assignee: li"]);
        office.says("li", &["release", id]).await;
        let taken = office.says("wang", &["take", id]).await;
        has(&taken, &["assignee      wang\n"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_pays_and_is_carried_out_once() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let id = &*office.pended.claim_id;
        let revision = office.revision().await;
        let approve = ["approve", id, "--revision", &revision, "--request-id", REQUEST];
        let tried = office.says("li", &[&approve[..], &["--validate-only"]].concat()).await;
        has(&tried, &["nothing is recorded", "APPROVED  135,000.00"]);
        assert_eq!(office.shown("standing      ").await, "PENDED", "it was only tried");
        let first = office.says("li", &approve).await;
        has(&first, &[&format!("claim {id}  APPROVED  135,000.00")]);
        let again = office.ended("li", &approve).await;
        assert_eq!((again.code, &again.out), (Some(0), &first), "{again:?}");
        assert!(again.err.contains("nothing was recorded"), "{again:?}");
        let sheet = office.says("li", &["show", id]).await;
        has(&sheet, &["PAYMENT INSTRUCTED", "let pass      ABOVE_CEILING", "review reopen"]);
        has(&sheet, &["li (unverified) approved it: PENDED for review → APPROVED, 135,000.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_amount_needs_a_second_person() {
    on_sqlite(async |database| {
        let directory = tempfile::tempdir().unwrap();
        let plan = std::fs::read_to_string(PLAN).unwrap();
        let plan = plan.replace("[routing]\n", "[routing]\nfour_eyes_above = \"120000.00\"\n");
        let office = Office::under(&write(&directory, "plan.toml", &plan), &database).await;
        let id = &*office.pended.claim_id;
        let revision = office.revision().await;
        let proposed = office.says("li", &["approve", id, "--revision", &revision]).await;
        has(
            &proposed,
            &["PENDED for review", "li (unverified) approved 135,000.00; a second person"],
        );
        let revision = office.revision().await;
        let why = office.refuses("li", &["approve", id, "--revision", &revision]).await;
        has(&why, &["SECOND_PERSON_REQUIRED"]);
        let sheet = office.says("wang", &["take"]).await;
        has(&sheet, &["proposal      135,000.00 by li (unverified)", "assignee      wang"]);
        let revision = office.revision().await;
        let approved = office.says("wang", &["approve", id, "--revision", &revision]).await;
        has(&approved, &["APPROVED  135,000.00"]);
        let history = office.says("li", &["show", id]).await;
        has(&history, &["li (unverified) approved it, the first of two\n"]);
        has(&history, &["wang (unverified) approved it: PENDED"]);
    })
    .await;
}

/// Every act of a life at the desk, read back as it was typed.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_changes_later_claims_and_the_history_tells_it() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let (id, later) = (&*office.pended.claim_id, &*office.later.claim_id);
        let revision = office.revision().await;
        let ask = ["request", id, "--revision", &revision, "--item", "出院小结", "--item", "发票"];
        has(&office.says("li", &ask).await, &["INFORMATION REQUESTED"]);
        let why = office.refuses("li", &["approve", id, "--revision", &revision]).await;
        has(&why, &["INFORMATION REQUESTED  135,000.00"]);
        let give = ["provide", id, "--document", "oss://1.pdf", "--note", "附后"];
        has(&office.says("hospital", &give).await, &["PENDED for review"]);
        let revision = office.revision().await;
        let amount = ["approve", id, "--revision", &revision, "--amount", "999999", "--note", "x"];
        has(&office.refuses("li", &amount).await, &["AMOUNT_BEYOND_LIMITS", "most: 140,000.00"]);
        let deny = ["deny", id, "--revision", &revision];
        has(&office.refuses("li", &deny).await, &["reason_code: is required"]);
        let denied = office.says("li", &[&deny[..], &["--reason", "not-proved"]].concat()).await;
        let lines: Vec<&str> = denied.lines().collect();
        assert_eq!(lines.len(), 2, "{denied}");
        has(lines[0], &[&format!("claim {id}  DENIED (NOT_PROVED)  0.00")]);
        has(lines[1], &[later, "20,000.00 → 15,000.00", &format!("for claim {id}")]);
        let revision = office.revision().await;
        let reopen = ["reopen", id, "--revision", &revision, "--note", "新材料"];
        let reopened = office.says("wang", &reopen).await;
        has(&reopened, &["PENDED for review  135,000.00", "15,000.00 → 20,000.00"]);
        office.says("wang", &["comment", id, "--note", "第一行\n第二行"]).await;

        let history = ["claim", "show", id, "--history"];
        let english = done(&office.server, &history).await;
        let acts = [
            "came in: PENDED for review, 135,000.00 [ABOVE_CEILING]",
            "li (unverified) asked for information",
            "asked for 发票",
            "hospital (unverified) gave the information",
            "document  oss://1.pdf",
            "li (unverified) denied it: PENDED for review → DENIED (NOT_PROVED), 135,000.00",
            "wang (unverified) reopened it",
            "新材料",
            "wang (unverified) commented",
            "第二行",
        ];
        let history = english.split("\nHistory\n").nth(1).unwrap();
        let places = acts.map(|act| {
            let words: Vec<&str> = history.split_whitespace().collect();
            words.join(" ").find(&act.split_whitespace().collect::<Vec<_>>().join(" "))
        });
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{history}");
        let quiet = done(&office.server, &["claim", "show", id]).await;
        assert!(!quiet.contains("History"), "{quiet}");
        let later = ["claim", "show", later, "--history", "--lang", "zh"];
        let later = done(&office.server, &later).await;
        has(&later, &["经过", &format!("重新理算，因赔案 {id}："), "20,000.00 → 15,000.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_revision_is_told_with_how_the_claim_stands() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let id = &*office.pended.claim_id;
        let old = office.revision().await;
        office.says("li", &["take", id]).await;
        let new = office.revision().await;
        assert_ne!(old, new);
        for act in [&["approve"][..], &["deny", "--reason", "untrue"], &["request", "--item", "x"]]
        {
            let words = [act, &[id, "--revision", &old]].concat();
            let why = office.refuses("li", &words).await;
            has(&why, &["ERROR_REASON_CLAIM_CHANGED", "PENDED for review  135,000.00"]);
            has(&why, &[&format!("greenlane review show {id}"), &format!("--revision {new}")]);
        }
        office.says("li", &["approve", id, "--revision", &new]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words_at_the_desk_exit_64_and_reach_no_server() {
    let nowhere = ("GREENLANE_SERVER", "http://127.0.0.1:1");
    let li = ("GREENLANE_ACTOR", "li");
    let seen = ["3-1", "--revision", "3/1"];
    let wrong: [(&[&str], &[&str], &[_], &str); 10] = [
        (&["list"], &[], &[nowhere], "--actor <NAME>"),
        (&["approve"], &seen, &[nowhere], "--actor <NAME>"),
        (&["show", "3-1"], &[], &[nowhere, ("GREENLANE_ACTOR", "li na")], "without spaces"),
        (&["show", "3-1", "--actor", "李"], &[], &[nowhere], "ASCII"),
        (&["approve", "3-1"], &[], &[nowhere, li], "--revision <"),
        (&["approve", "--amount", "1"], &seen, &[nowhere, li], "--note <TEXT>"),
        (&["approve", "--amount", "1.234", "--note", "x"], &seen, &[nowhere, li], "two decimals"),
        (&["request"], &seen, &[nowhere, li], "--item <TEXT>"),
        (&["reopen"], &seen, &[nowhere, li], "--note <TEXT>"),
        (&["comment", "3-1", "--note", "x", "--request-id", "7"], &[], &[nowhere, li], "UUID"),
    ];
    for (words, more, environment, named) in wrong {
        let words = [&["review"], words, more].concat();
        let ended = run(&words, environment).await;
        assert_eq!(ended.code, Some(64), "{words:?}: {ended:?}");
        assert!(ended.err.contains(named), "{words:?}: {ended:?}");
    }
    let right = [&["review", "approve"], &seen[..]].concat();
    assert_eq!(run(&right, &[nowhere, li]).await.code, Some(1), "nobody answers there");
}

/// `--actor` is a flag as well, and goes before the variable; a server beside it is not confused.
#[tokio::test(flavor = "multi_thread")]
async fn who_acts_is_sent_as_it_was_said() {
    on_sqlite(async |database| {
        let office = Office::open(&database).await;
        let id = &*office.pended.claim_id;
        let taken = office.says("li", &["take", id, "--actor", "wang"]).await;
        has(&taken, &["assignee      wang\n"]);
        let config = run(&["config"], &[("GREENLANE_ACTOR", "li")]).await;
        assert_eq!(config.code, Some(0), "{config:?}");
        let unknown = submit(stay("S-A", CERT_A, 600_000));
        let mut settlements = office.server.settlements().await;
        let green = settlements.submit_settlement(unknown).await.unwrap().into_inner();
        let green = green.claim.unwrap().claim_id;
        let why = office.refuses("li", &["take", &green]).await;
        has(&why, &["ERROR_REASON_CLAIM_STATE_FORBIDS", "CLAIM_STATE_APPROVED"]);
    })
    .await;
}
