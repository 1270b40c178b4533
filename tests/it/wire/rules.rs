//! Every routing rule (`domain.md` 4.3) on the wire, with a stay just inside its threshold, which goes
//! through the green channel, and one just outside, which hits.

use std::sync::Arc;

use greenlane::core::day::Moment;
use greenlane::core::identity_card::check_character;
use greenlane::core::member::Roster;
use greenlane::ledger::{ImpactBound, Mode};
use greenlane::pb;
use greenlane::pb::admin_service_client::AdminServiceClient;
use greenlane::server::Limits;
use serde_json::json;

use cases::{Case, Change, as_it_is, dates, of_bills, of_persons, of_stays};

use super::desk::{approve, done, read};
use crate::audit::audit;
use crate::serving::{Served, submit};
use crate::support::{Database, on_every_backend};
use crate::world::{shipped_plan, start_ledger_with};

mod cases;
mod rulings;

/// Everything comes in at this time.
pub fn noon() -> Moment {
    Moment::parse_local("2026-03-20 12:00:00").unwrap()
}

/// An identity card number with a check character that fits.
pub fn card(first: &str) -> String {
    format!("{first}{}", char::from(check_character(first.as_bytes())))
}

/// A stay of eight days, settled in Qingdao, that nothing is wrong with.
pub fn plain(id: &str, cert_no: &str) -> pb::Settlement {
    pb::Settlement {
        source: "370200".into(),
        settlement_id: id.into(),
        visit_id: format!("V-{id}"),
        member: Some(pb::MemberIdentity {
            cert_no: cert_no.into(),
            name: "测试员".into(),
            ..Default::default()
        }),
        hospital_code: "H37029999001".into(),
        region: "370211".into(),
        medical_category: "21".into(),
        admission_date: "2026-03-02".into(),
        discharge_date: "2026-03-10".into(),
        // 10:00 in Shanghai.
        settle_time: Some(prost_types::Timestamp { seconds: 1_773_108_000, nanos: 0 }),
        diagnoses: vec![diagnosis("I50.900")],
        invoice_no: format!("INV-{id}"),
        discharge_way: "1".into(),
        pay_location: "2".into(),
        total_fen: 1_000_000,
        fund_total_fen: Some(0),
        personal_total_fen: Some(1_000_000),
        ..Default::default()
    }
}

pub fn diagnosis(code: &str) -> pb::Diagnosis {
    pb::Diagnosis { code: code.into(), name: String::new() }
}

/// A plan of its own with these rules; a case is decided under it.
pub fn plan_with(plan_id: &str, rules: &str) -> String {
    let plan = shipped_plan().replace("\"qingdao-rongjun\"", &format!("\"{plan_id}\""));
    format!("{plan}\n{rules}\n")
}

pub fn person(plan_id: &str, key: &str, cert_no: &str) -> serde_json::Value {
    json!({
        "external_id": key, "cert_type": "01", "cert_no": cert_no, "name": "测试员",
        "classes": [{"class_code": "A", "start": "2020-01-01"}],
        "coverages": [{"plan_id": plan_id, "start": "2023-07-01"}],
        "payee": {"kind": "MEMBER", "account_name": "测试员", "account_no": key, "bank_code": ""},
    })
}

/// Mean 8 days with deviation 2, and 1,000.00 a day with deviation 100.00.
const BASELINE: &str = "baseline_id = \"city\"\nversion = \"1\"\n[[hospitals]]\n\
    code = \"H37029999001\"\nstays = 100\ndays = { mean = \"8\", deviation = \"2\" }\n\
    cost_per_day = { mean = \"1000.00\", deviation = \"100.00\" }\n";

pub async fn served(database: &Database) -> Served {
    Served::of(start_ledger_with(database, noon).await, Limits::default()).await
}

pub async fn publish(served: &Served, document: String) {
    served.ledger().publish(document, Mode::Record, ImpactBound::NONE).await.unwrap();
}

pub async fn enrol(served: &Served, person: serde_json::Value) {
    let roster: Roster = serde_json::from_value(person).unwrap();
    served.enrol(roster).await;
}

async fn publish_figures(served: &Served, kind: pb::DocumentKind, content: &str) {
    let request = pb::PublishDocumentRequest {
        kind: kind.into(),
        content: content.into(),
        validate_only: false,
    };
    AdminServiceClient::new(served.channel.clone()).publish_document(request).await.unwrap();
}

pub async fn claim(served: &Served, settlement: pb::Settlement) -> pb::Claim {
    let answer = served.settlements().submit_settlement(submit(settlement)).await.unwrap();
    answer.into_inner().claim.unwrap()
}

/// Runs a case under a plan of its own: gives the claim before, the one that passes and the one that
/// hits.
async fn run(served: &Served, number: usize, case: &Case) -> [Option<pb::Claim>; 3] {
    let plan_id = format!("case-{number}");
    publish(served, plan_with(&plan_id, case.rule)).await;
    let mut claims = [None, None, None];
    for (side, change) in [case.passes, case.hits].into_iter().enumerate() {
        // Cases may use the same birth; nobody is the same person.
        let (region, rest) = case.cards[side].split_at(3);
        let cert_no = card(&format!("{region}{:03}{}", 300 + number, &rest[3..]));
        let key = format!("{plan_id}-{side}");
        let mut roster = person(&plan_id, &key, &cert_no);
        case.roster[side](&mut roster);
        enrol(served, roster).await;
        let named = |id: &str| plain(&format!("{id}-{key}"), &cert_no);
        if let Some(before) = case.before {
            let mut settlement = named("before");
            before(&mut settlement);
            settlement.invoice_no = format!("{}-{number}", settlement.invoice_no);
            // Of the two before ones with one invoice only the second is asked about.
            if side == 0 && case.code == "DUPLICATE_INVOICE" {
                settlement.invoice_no = "INV-7".into();
            }
            claims[0] = Some(claim(served, settlement).await);
        }
        let mut settlement = named("it");
        change(&mut settlement);
        settlement.invoice_no = format!("{}-{number}", settlement.invoice_no);
        claims[1 + side] = Some(claim(served, settlement).await);
    }
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_lets_through_what_is_just_inside_and_hits_what_is_just_outside() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish_figures(&served, pb::DocumentKind::Baseline, BASELINE).await;
        let cases = [of_stays(), of_bills(), of_persons()].concat_cases();
        for (number, case) in cases.iter().enumerate() {
            let name = format!("{} {}", case.code, case.rule);
            let [before, passed, hit] = Box::pin(run(&served, number, case)).await;
            let (passed, hit) = (passed.unwrap(), hit.unwrap());
            assert_eq!(passed.state(), pb::ClaimState::Approved, "{name}: {passed:#?}");
            assert_eq!(passed.route(), pb::Route::Green, "{name}");
            assert!(passed.flags.is_empty() && passed.review_reasons.is_empty(), "{name}");
            assert_eq!(hit.state(), pb::ClaimState::Pended, "{name}: {hit:#?}");
            let [reason] = &hit.review_reasons[..] else {
                panic!("{name}: {:#?}", hit.review_reasons)
            };
            assert_eq!(reason.code, case.code, "{name}");
            let seen = |key: &str| {
                reason.evidence.iter().find(|it| it.key == key).map(|it| it.value.as_str())
            };
            for (key, value) in case.evidence {
                assert_eq!(seen(key), Some(*value), "{name}: {:?}", reason.evidence);
            }
            if let Some(claim) = seen("claim") {
                assert_eq!(claim, before.unwrap().claim_id, "{name}");
                assert!(reason.text_zh.contains(claim) && reason.text_en.contains(claim));
            }
            assert!(!reason.text_zh.is_ascii() && reason.text_en.len() > 15, "{reason:?}");
            let says_diagnosis = format!("{reason:?}").contains("N80");
            assert!(!says_diagnosis, "what somebody has is nobody's business: {reason:?}");
        }
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

trait Concat {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> Concat for [Vec<Case>; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_hit_is_the_plans() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let actions = [
            ("review", pb::ClaimState::Pended, ""),
            ("flag", pb::ClaimState::Approved, ""),
            ("deny", pb::ClaimState::Denied, "OTHER_LIABILITY"),
        ];
        for (number, (action, state, denial)) in actions.into_iter().enumerate() {
            let rule = format!("[rules.injury]\naction = \"{action}\"");
            publish(&served, plan_with(action, &rule)).await;
            let cert_no = card(&format!("37029919500101{:03}", 100 + number));
            enrol(&served, person(action, action, &cert_no)).await;
            let hurt =
                pb::Settlement { diagnoses: vec![diagnosis("S72")], ..plain(action, &cert_no) };
            let claim = claim(&served, hurt).await;
            assert_eq!((claim.state(), &*claim.denial_reason), (state, denial), "{action}");
            let decision = claim.decision.clone().unwrap();
            let (paid, share) = (decision.payout_fen, decision.patient_share_fen);
            assert_eq!(paid, if action == "deny" { 0 } else { 500_000 }, "{action}");
            assert_eq!(paid + share, 1_000_000, "{action}");
            let codes = |reasons: &[pb::ReviewReason]| -> Vec<String> {
                reasons.iter().map(|it| it.code.clone()).collect()
            };
            let (reasons, flags) = (codes(&claim.review_reasons), codes(&claim.flags));
            if action == "flag" {
                assert_eq!((reasons.len(), flags), (0, vec!["INJURY".to_owned()]));
                assert_eq!(claim.route(), pb::Route::Green);
                assert_eq!(claim.payouts.len(), 1);
            } else {
                assert_eq!((reasons, flags.len()), (vec!["INJURY".to_owned()], 0), "{action}");
            }
        }
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_settlements_transfers_and_therapies_in_cycles_are_no_anomaly() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let rules = "[rules.duplicate_stay]\n[rules.overlapping_stays]\n[rules.readmission]";
        publish(&served, plan_with("stays", rules)).await;
        let changes: [(&str, Change, Change); 5] = [
            // Settled in the middle of the stay, and at its end.
            (
                "interim",
                |it| {
                    it.visit_id = "one".into();
                    it.interim = Some(true);
                },
                |it| {
                    it.visit_id = "one".into();
                    dates(it, "2026-03-02", "2026-03-16");
                },
            ),
            (
                "same-dates",
                |it| it.visit_id = "two".into(),
                |it| {
                    it.visit_id = "two".into();
                    it.interim = Some(true);
                },
            ),
            // Into another hospital on the next day.
            ("transfer", as_it_is, |it| {
                dates(it, "2026-03-11", "2026-03-20");
                it.hospital_code = "H37029999002".into();
            }),
            (
                "cycle",
                |it| it.diagnoses = vec![diagnosis("Z51.100")],
                |it| {
                    dates(it, "2026-03-14", "2026-03-16");
                    it.diagnoses = vec![diagnosis("Z51.100")];
                },
            ),
            ("another-illness", as_it_is, |it| {
                dates(it, "2026-03-14", "2026-03-16");
                it.diagnoses = vec![diagnosis("K35.900")];
            }),
        ];
        for (number, (name, first, second)) in changes.into_iter().enumerate() {
            let cert_no = card(&format!("37029919500101{}", 200 + number));
            enrol(&served, person("stays", name, &cert_no)).await;
            for (id, change) in [("first", first), ("second", second)] {
                let mut settlement = plain(&format!("{name}-{id}"), &cert_no);
                change(&mut settlement);
                let claim = claim(&served, settlement).await;
                assert_eq!(claim.route(), pb::Route::Green, "{name} {id}: {claim:#?}");
            }
        }
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_counts_once_whosever_it_is_until_its_claim_is_taken_back() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("invoices", "[rules.duplicate_invoice]")).await;
        let certs: Vec<String> =
            (0..3).map(|n| card(&format!("37029919500101{}", 300 + n))).collect();
        for (n, cert_no) in certs.iter().enumerate() {
            enrol(&served, person("invoices", &format!("P{n}"), cert_no)).await;
        }
        let billed = |id: &str, n: usize| pb::Settlement {
            invoice_no: "INV".into(),
            ..plain(id, &certs[n])
        };
        let first = claim(&served, billed("first", 0)).await;
        assert_eq!(first.state(), pb::ClaimState::Approved);
        let again = claim(&served, billed("first", 0)).await;
        assert_eq!(again, first, "the same settlement is no second one");
        let other = claim(&served, billed("other", 1)).await;
        assert_eq!(other.review_reasons[0].code, "DUPLICATE_INVOICE");
        assert_eq!(other.review_reasons[0].evidence[0].value, first.claim_id);
        for (id, settlement_id) in [("r1", "first"), ("r2", "other")] {
            let reversal = pb::ReverseSettlementRequest {
                reversal: Some(pb::Reversal {
                    source: "370200".into(),
                    settlement_id: settlement_id.into(),
                    reversal_id: id.into(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            served.settlements().reverse_settlement(reversal).await.unwrap();
        }
        // Both are taken back: the bill may come anew.
        let anew = claim(&served, billed("anew", 2)).await;
        assert_eq!(anew.route(), pb::Route::Green, "{anew:#?}");
        // An invoice that comes with later facts is looked for as well.
        let mut silent = plain("silent", &certs[1]);
        silent.invoice_no.clear();
        let before = claim(&served, silent.clone()).await;
        assert_eq!(before.route(), pb::Route::Green);
        silent.invoice_no = "INV".into();
        let after = claim(&served, silent).await;
        assert_eq!(after.state(), pb::ClaimState::Pended, "{after:#?}");
        assert_eq!(after.review_reasons[0].code, "DUPLICATE_INVOICE");
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_with_one_invoice_at_once_exactly_one_is_let_through() {
    on_every_backend(async |database| {
        let served = Arc::new(served(&database).await);
        publish(&served, plan_with("invoices", "[rules.duplicate_invoice]")).await;
        for n in 0..40 {
            let cert_no = card(&format!("37029919500101{:03}", 400 + n));
            enrol(&served, person("invoices", &format!("Q{n}"), &cert_no)).await;
        }
        // Twenty pairs in whatever lanes, all at once.
        let mut sent = tokio::task::JoinSet::new();
        for n in 0..40 {
            let served = served.clone();
            sent.spawn(async move {
                let cert_no = card(&format!("37029919500101{:03}", 400 + n));
                let invoice_no = format!("PAIR-{}", n / 2);
                let settlement = pb::Settlement { invoice_no, ..plain(&format!("Q{n}"), &cert_no) };
                (n / 2, claim(&served, settlement).await.route())
            });
        }
        let mut green = [0; 20];
        while let Some(done) = sent.join_next().await {
            let (pair, route) = done.unwrap();
            green[pair] += usize::from(route == pb::Route::Green);
        }
        assert_eq!(green, [1; 20]);
        Arc::into_inner(served).unwrap().stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hit_for_a_claim_that_is_taken_back_is_let_through() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("stays", "[rules.duplicate_stay]")).await;
        let cert_no = card("37029919500101501");
        enrol(&served, person("stays", "R", &cert_no)).await;
        claim(&served, plain("first", &cert_no)).await;
        let second = claim(&served, plain("second", &cert_no)).await;
        assert_eq!(second.review_reasons[0].code, "DUPLICATE_STAY");
        let reversal = pb::ReverseSettlementRequest {
            reversal: Some(pb::Reversal {
                source: "370200".into(),
                settlement_id: "first".into(),
                reversal_id: "R-first".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let answer = served.settlements().reverse_settlement(reversal).await.unwrap().into_inner();
        assert_eq!(answer.changes.len(), 1, "{:?}", answer.changes);
        let now = read(&served, &second.claim_id).await;
        assert_eq!((now.state(), now.route()), (pb::ClaimState::Approved, pb::Route::Green));
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_let_pass_is_not_raised_again() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        publish(&served, plan_with("hurt", "[rules.injury]\n[rules.weak_identity]")).await;
        let cert_no = card("37029919500101601");
        enrol(&served, person("hurt", "H", &cert_no)).await;
        let settlement = pb::Settlement {
            diagnoses: vec![diagnosis("S72.000")],
            invoice_no: String::new(),
            ..plain("hurt", &cert_no)
        };
        let waiting = claim(&served, settlement.clone()).await;
        let approved =
            done(&served, "li", pb::review_claims_item::Act::Approve(approve(&waiting))).await;
        assert_eq!(approved.state(), pb::ClaimState::Approved);
        // More facts come in, and the claim is looked at anew.
        let more = pb::Settlement { invoice_no: "INV".into(), ..settlement };
        let after = claim(&served, more).await;
        assert_eq!(after.state(), pb::ClaimState::Approved, "{after:#?}");
        assert_ne!(after.revision, approved.revision);
        served.stop().await;
        audit(&database).await;
    })
    .await;
}
