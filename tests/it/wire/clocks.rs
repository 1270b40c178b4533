//! Clocks (时限) on the wire: when they run out, to the minute, over holidays and while an answer is
//! awaited; in the order of the queue; and that a breach changes no money.

use std::cell::Cell;

use greenlane::core::day::Moment;
use greenlane::pb;
use greenlane::pb::admin_service_client::AdminServiceClient;
use greenlane::pb::review_claims_item::Act;
use greenlane::server::Limits;

use super::desk::{answer, approve, ask, contact, deny, done};
use super::rules::{card, claim, enrol, person, plain, plan_with, publish};
use crate::audit::audit;
use crate::serving::Served;
use crate::support::{Database, on_every_backend};
use crate::world::start_ledger_with;

thread_local! {
    /// The server's clock. A test's server runs on the test's own thread.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

fn now() -> Moment {
    Moment::from_micros(NOW.get())
}

/// It is then, in Shanghai.
fn it_is(minute: &str) {
    NOW.set(Moment::parse_local(&format!("{minute}:00")).unwrap().micros());
}

const CLOCKS: &str = "[rules.injury]\n[clocks]\ncalendar = \"cn\"\n\
    contact = { hours = 72 }\nsmall_claim = { up_to = \"3000.00\", working_days = 1 }\n\
    decision = { working_days = 5, warn_at = \"0.5\" }\nrefusal_notice = { days = 3 }\n\
    payment = { days = 10 }";

async fn served(database: &Database) -> Served {
    it_is("2025-12-01 08:00");
    let served = Served::of(start_ledger_with(database, now).await, Limits::default()).await;
    publish(&served, plan_with("timed", CLOCKS)).await;
    let content = include_str!("../../../deploy/calendars/cn.toml").to_owned();
    calendar(&served, content).await;
    for n in 0..6 {
        enrol(&served, person("timed", &format!("T{n}"), &cert(n))).await;
    }
    served
}

async fn calendar(served: &Served, content: String) {
    let kind = pb::DocumentKind::Calendar.into();
    let request = pb::PublishDocumentRequest { kind, content, validate_only: false };
    AdminServiceClient::new(served.channel.clone()).publish_document(request).await.unwrap();
}

fn cert(n: usize) -> String {
    card(&format!("37029919500101{:03}", 701 + n))
}

/// Somebody who fell: a person has to look, and it would pay so much.
fn hurt(id: &str, n: usize, payout_fen: i64) -> pb::Settlement {
    let burden = payout_fen + 500_000;
    pb::Settlement {
        diagnoses: vec![super::rules::diagnosis("S72.000")],
        total_fen: burden,
        personal_total_fen: Some(burden),
        ..plain(id, &cert(n))
    }
}

async fn read(served: &Served, claim: &pb::Claim) -> pb::Claim {
    let claim_id = claim.claim_id.clone();
    let request = pb::GetClaimRequest { claim_id, include_history: false };
    served.claims().get_claim(request).await.unwrap().into_inner().claim.unwrap()
}

fn local(time: Option<&prost_types::Timestamp>) -> String {
    let micros = time.map(|time| time.seconds * 1_000_000);
    micros.map_or_else(|| "-".to_owned(), |it| Moment::from_micros(it).local()[..16].to_owned())
}

/// A clock as `due state`, or nothing where the claim has none of the kind.
fn clock(claim: &pb::Claim, code: &str) -> String {
    let found = claim.clocks.iter().find(|it| it.clock_code == code);
    found.map_or_else(String::new, |it| {
        let state = it.state().as_str_name().trim_start_matches("CLOCK_STATE_");
        format!("{} {state}", local(it.due_time.as_ref()))
    })
}

#[tokio::test]
async fn working_days_and_hours_over_new_year_to_the_minute() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        // Wednesday; off until Saturday the 3rd, and Sunday the 4th is worked.
        it_is("2025-12-31 16:20");
        let small = claim(&served, hurt("small", 0, 300_000)).await;
        let large = claim(&served, hurt("large", 1, 300_001)).await;
        let (small, large) = (read(&served, &small).await, read(&served, &large).await);
        assert_eq!(clock(&small, "SMALL_CLAIM"), "2026-01-04 16:20 RUNNING");
        assert_eq!(clock(&large, "SMALL_CLAIM"), "", "above 3,000.00 it is no small one");
        assert_eq!(clock(&large, "DECISION"), "2026-01-08 16:20 RUNNING");
        assert_eq!(clock(&large, "CONTACT"), "2026-01-03 16:20 RUNNING");
        assert_eq!(clock(&large, "REFUSAL_NOTICE") + &clock(&large, "PAYMENT"), "");
        // Half of five days: Wednesday from 16:20, the Sunday, and Monday until it is so.
        it_is("2026-01-06 04:19");
        assert_eq!(clock(&read(&served, &large).await, "DECISION"), "2026-01-08 16:20 RUNNING");
        it_is("2026-01-06 04:21");
        let warned = read(&served, &large).await;
        assert_eq!(clock(&warned, "DECISION"), "2026-01-08 16:20 WARNING");
        assert_eq!(clock(&warned, "CONTACT"), "2026-01-03 16:20 BREACHED");
        it_is("2026-01-08 16:20");
        assert_eq!(clock(&read(&served, &large).await, "DECISION"), "2026-01-08 16:20 WARNING");
        it_is("2026-01-08 16:21");
        let breached = read(&served, &large).await;
        assert_eq!(clock(&breached, "DECISION"), "2026-01-08 16:20 BREACHED");
        assert_eq!(breached.decision, large.decision, "a breach changes no money");
        let approved = done(&served, "li", Act::Approve(approve(&breached))).await;
        assert_eq!(approved.decision, large.decision);
        assert_eq!(clock(&approved, "DECISION"), "2026-01-08 16:20 BREACHED", "it stays one");
        assert_eq!(clock(&approved, "PAYMENT"), "2026-01-18 16:21 RUNNING");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test]
async fn a_pause_over_national_day_moves_the_end_and_stops_no_contact() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        // Tuesday; off from Thursday the 1st to Wednesday the 7th; Saturday the 10th is worked.
        it_is("2026-09-29 12:00");
        let waiting = claim(&served, hurt("asked", 2, 900_000)).await;
        it_is("2026-09-30 12:00");
        let asked = done(&served, "li", Act::RequestInformation(ask(&waiting))).await;
        assert_eq!(clock(&asked, "DECISION"), "- PAUSED");
        assert_eq!(clock(&asked, "CONTACT"), "2026-10-02 12:00 MET", "to ask is a word");
        it_is("2026-10-08 09:15");
        let told = done(&served, "hospital", Act::ProvideInformation(answer(&asked))).await;
        // A day has run. Four are left: from the 8th at 9:15, the 9th, the 10th, and the 12th.
        assert_eq!(clock(&told, "DECISION"), "2026-10-13 09:15 RUNNING");
        let paused = told.clocks.iter().find(|it| it.clock_code == "DECISION").unwrap();
        let [pause] = &paused.pauses[..] else { panic!("{paused:?}") };
        let ends = (local(pause.start_time.as_ref()), local(pause.end_time.as_ref()));
        assert_eq!(ends, ("2026-09-30 12:00".into(), "2026-10-08 09:15".into()));
        it_is("2026-10-13 09:15");
        let denied = done(&served, "li", Act::Deny(deny(&told))).await;
        assert_eq!(clock(&denied, "DECISION"), "2026-10-13 09:15 MET");
        assert_eq!(clock(&denied, "REFUSAL_NOTICE"), "2026-10-16 09:15 RUNNING");
        it_is("2026-10-16 09:16");
        let late = pb::RecordContactRequest {
            purpose: pb::ContactPurpose::RefusalNotice.into(),
            ..contact(&denied)
        };
        let noted = done(&served, "li", Act::RecordContact(late)).await;
        assert_eq!(clock(&noted, "REFUSAL_NOTICE"), "2026-10-16 09:15 BREACHED");
        assert_eq!(noted.decision, denied.decision);
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

async fn queue(served: &Served) -> Vec<String> {
    let answer = served.reviews().list_reviews(pb::ListReviewsRequest::default()).await.unwrap();
    let claims = answer.into_inner().claims;
    claims.into_iter().map(|it| it.settlement.unwrap().settlement_id).collect()
}

#[tokio::test]
async fn the_queue_begins_with_what_runs_out_first_and_a_new_calendar_counts_at_once() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        it_is("2026-09-29 09:00");
        let first = claim(&served, hurt("first", 0, 900_000)).await;
        done(&served, "li", Act::RecordContact(contact(&first))).await;
        it_is("2026-09-29 10:00");
        // A small one, due on the 30th at ten.
        claim(&served, hurt("small", 1, 100_000)).await;
        it_is("2026-09-30 11:00");
        // Nobody has spoken with them: 72 hours, before five working days over the holidays.
        claim(&served, hurt("new", 2, 900_000)).await;
        assert_eq!(queue(&served).await, ["small", "new", "first"]);
        let asked = claim(&served, hurt("asked", 3, 900_000)).await;
        done(&served, "li", Act::RequestInformation(ask(&asked))).await;
        assert_eq!(queue(&served).await, ["small", "new", "first", "asked"], "a pause is last");
        // A calendar in which National Day is worked: the first is due on the 6th, still behind.
        let cut = include_str!("../../../deploy/calendars/cn.toml");
        let all = cut.replace(
            "\"2026-10-01\", \"2026-10-02\", \"2026-10-05\", \"2026-10-06\", \"2026-10-07\",",
            "",
        );
        calendar(&served, all.replace("version = \"2026\"", "version = \"2026-worked\"")).await;
        let now = read(&served, &first).await;
        assert_eq!(clock(&now, "DECISION"), "2026-10-06 09:00 RUNNING");
        let due: i64 = stored_due(&database).await;
        assert_eq!(Moment::from_micros(due).local(), "2026-10-06 09:00:00", "and in the queue");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

/// When the claim that was spoken about is due, as the queue has it.
async fn stored_due(database: &Database) -> i64 {
    let rows: Vec<(i64,)> =
        database.rows("select due_time_us from claim where settlement_id = 'first'").await;
    rows[0].0
}

#[tokio::test]
async fn whoever_has_the_decision_has_been_told() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        it_is("2026-03-20 09:00");
        let waiting = claim(&served, hurt("told", 0, 900_000)).await;
        it_is("2026-03-20 12:00");
        let approved = done(&served, "li", Act::Approve(approve(&waiting))).await;
        assert_eq!(clock(&approved, "CONTACT"), "2026-03-23 09:00 MET");
        it_is("2026-03-24 12:00");
        let spoken = done(&served, "li", Act::RecordContact(contact(&approved))).await;
        assert_eq!(
            clock(&spoken, "CONTACT"),
            "2026-03-23 09:00 MET",
            "a word later changes nothing"
        );
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_denied_until_the_roster_came_is_decided_in_time() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        it_is("2026-03-20 12:00");
        let unknown = card("37029919500101799");
        let denied = claim(&served, plain("early", &unknown)).await;
        assert_eq!(denied.state(), pb::ClaimState::Denied);
        it_is("2026-06-01 10:00");
        enrol(&served, person("timed", "late", &unknown)).await;
        let now = read(&served, &denied).await;
        assert_eq!(now.state(), pb::ClaimState::Approved);
        assert_eq!(clock(&now, "DECISION"), "2026-06-08 10:00 MET");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_decided_as_it_comes_meets_its_clocks_at_once() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        it_is("2026-03-20 12:00");
        let green = claim(&served, plain("green", &cert(4))).await;
        let green = read(&served, &green).await;
        assert_eq!(clock(&green, "DECISION"), "2026-03-27 12:00 MET");
        assert_eq!(clock(&green, "CONTACT") + &clock(&green, "REFUSAL_NOTICE"), "");
        assert_eq!(clock(&green, "PAYMENT"), "2026-03-30 12:00 RUNNING");
        // Denied in the answer itself: that is the notice.
        let outpatient = pb::Settlement { medical_category: "11".into(), ..plain("out", &cert(5)) };
        let denied = claim(&served, outpatient).await;
        let denied = read(&served, &denied).await;
        assert_eq!(denied.state(), pb::ClaimState::Denied);
        assert_eq!(clock(&denied, "REFUSAL_NOTICE"), "");
        assert_eq!(clock(&denied, "DECISION"), "2026-03-27 12:00 MET");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}
