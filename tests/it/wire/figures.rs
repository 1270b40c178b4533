//! Figures told from the whole book and published: what rules look at beyond a member's own claims.

use greenlane::pb;
use greenlane::pb::admin_service_client::AdminServiceClient;
use serde_json::json;
use tonic::Code;

use super::rules::{card, claim, enrol, person, plain, plan_with, publish, served};
use crate::audit::audit;
use crate::serving::{Served, told};
use crate::support::on_every_backend;

async fn refresh(
    served: &Served,
    request: pb::RefreshFiguresRequest,
) -> pb::RefreshFiguresResponse {
    let mut admin = AdminServiceClient::new(served.channel.clone());
    admin.refresh_figures(request).await.unwrap().into_inner()
}

fn accounts(version: &str) -> pb::RefreshFiguresRequest {
    pb::RefreshFiguresRequest {
        kind: pb::DocumentKind::SharedAccounts.into(),
        document_id: "city".into(),
        version: version.into(),
        ..Default::default()
    }
}

fn baseline(version: &str) -> pb::RefreshFiguresRequest {
    pb::RefreshFiguresRequest {
        kind: pb::DocumentKind::Baseline.into(),
        document_id: "city".into(),
        version: version.into(),
        from_date: "2026-01-01".into(),
        until_date: "2026-03-31".into(),
        validate_only: false,
    }
}

fn cert(n: usize) -> String {
    card(&format!("37029919500101{:03}", 801 + n))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_may_have_one_account_and_three_are_looked_at() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let rule = "[rules.shared_account]\naccounts = \"city\"\npersons = 2";
        publish(&served, plan_with("accounts", rule)).await;
        // Two with one account, three with another, and one alone.
        for (n, account) in ["a", "a", "b", "b", "b", "c"].into_iter().enumerate() {
            let mut roster = person("accounts", &format!("A{n}"), &cert(n));
            roster["payee"]["account_no"] = json!(format!("622200000000000000{account}"));
            enrol(&served, roster).await;
        }
        let early = claim(&served, plain("early", &cert(2))).await;
        assert_eq!(early.route(), pb::Route::Green, "nobody has told yet who shares an account");
        let told = refresh(&served, accounts("1")).await;
        assert_eq!((told.entry_count, told.source_count, told.unchanged), (2, 5, false));
        let content = told.document.unwrap().content;
        assert!(!content.contains("62220000"), "an account is never told: {content}");
        let again = refresh(&served, accounts("1")).await;
        assert!(again.unchanged);
        let pair = claim(&served, plain("pair", &cert(0))).await;
        assert_eq!(pair.route(), pb::Route::Green, "{pair:#?}");
        let alone = claim(&served, plain("alone", &cert(5))).await;
        assert_eq!(alone.route(), pb::Route::Green);
        let three = claim(&served, plain("three", &cert(3))).await;
        assert_eq!(three.review_reasons[0].code, "SHARED_ACCOUNT");
        assert_eq!(three.review_reasons[0].evidence[0].value, "3");
        let [version] = &three.figures[..] else { panic!("{three:#?}") };
        assert_eq!((&*version.kind_code, &*version.version), ("SHARED_ACCOUNTS", "1"));
        // What was looked at with one version keeps it, whatever comes later.
        let other = pb::PublishDocumentRequest {
            kind: pb::DocumentKind::SharedAccounts.into(),
            content: "shared_accounts_id = \"city\"\nversion = \"2\"\n".into(),
            validate_only: false,
        };
        AdminServiceClient::new(served.channel.clone()).publish_document(other).await.unwrap();
        let mut more = plain("three", &cert(3));
        more.hospital_level = "02".into();
        let again = claim(&served, more).await;
        assert_eq!(again.figures, three.figures);
        assert_eq!(again.review_reasons[0].code, "SHARED_ACCOUNT");
        // Nor is what came before all versions judged by one of them.
        let mut more = plain("early", &cert(2));
        more.hospital_level = "02".into();
        let again = claim(&served, more).await;
        assert_eq!((again.route(), &*again.figures[0].version), (pb::Route::Green, ""));
        let fresh = claim(&served, plain("fresh", &cert(4))).await;
        assert_eq!((fresh.route(), &*fresh.figures[0].version), (pb::Route::Green, "2"));
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_is_told_from_what_was_paid_and_looked_at_from_then_on() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let rule = "[rules.length_outlier]\naction = \"review\"\nbaseline = \"city\"\n\
                    deviations = \"2\"";
        publish(&served, plan_with("lengths", rule)).await;
        // Thirty stays of 6 and 10 days by turns: mean 8, deviation 2. Another hospital has fewer.
        for n in 0..32 {
            enrol(&served, person("lengths", &format!("L{n}"), &cert(n))).await;
            let mut stay = plain(&format!("L{n}"), &cert(n));
            stay.admission_date = if n % 2 == 0 { "2026-03-04" } else { "2026-02-28" }.into();
            if n >= 30 {
                stay.hospital_code = "H37029999002".into();
            }
            assert_eq!(claim(&served, stay).await.route(), pb::Route::Green);
        }
        let tried =
            refresh(&served, pb::RefreshFiguresRequest { validate_only: true, ..baseline("1") })
                .await;
        let document = tried.document.clone().unwrap();
        assert!(document.publish_time.is_none(), "only tried");
        assert!(
            document.content.contains("days = { mean = \"8\", deviation = \"2\" }"),
            "{}",
            document.content
        );
        let done = refresh(&served, baseline("1")).await;
        let counts = (done.entry_count, done.source_count, done.left_out_count);
        assert_eq!(counts, (1, 32, 1));
        enrol(&served, person("lengths", "L90", &cert(90))).await;
        enrol(&served, person("lengths", "L91", &cert(91))).await;
        let days = |id: &str, n: usize, first: &str| pb::Settlement {
            admission_date: first.into(),
            ..plain(id, &cert(n))
        };
        let usual = claim(&served, days("usual", 90, "2026-02-26")).await;
        assert_eq!(usual.route(), pb::Route::Green, "twelve days: {usual:#?}");
        let long = claim(&served, days("long", 91, "2026-02-25")).await;
        assert_eq!(long.review_reasons[0].code, "LENGTH_OUTLIER");
        // The same version with other figures is another document.
        let mut admin = AdminServiceClient::new(served.channel.clone());
        let refused = admin.refresh_figures(baseline("1")).await.unwrap_err();
        let refused = told(&refused);
        assert_eq!(
            (refused.code, &*refused.reason),
            (Code::AlreadyExists, "DOCUMENT_VERSION_EXISTS")
        );
        served.stop().await;
        audit(&database).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_or_a_document_is_told_at_once() {
    on_every_backend(async |database| {
        let served = served(&database).await;
        let mut admin = AdminServiceClient::new(served.channel.clone());
        let bad = pb::RefreshFiguresRequest {
            kind: pb::DocumentKind::Calendar.into(),
            version: "a b".into(),
            until_date: "2026-13-01".into(),
            ..Default::default()
        };
        let refused = told(&admin.refresh_figures(bad).await.unwrap_err());
        assert_eq!(refused.reason, "INVALID_FIELD");
        let mut fields: Vec<&str> =
            refused.violations.iter().filter_map(|it| it.split(' ').next()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["document_id", "kind", "until_date", "version"]);
        let content = "calendar_id = \"cn\"\nversion = \"1\"\nholidays = [\"2026-10-03\"]\n\
                       workdays = [\"2026-10-05\", \"2026-02-30\"]\n";
        let document = pb::PublishDocumentRequest {
            kind: pb::DocumentKind::Calendar.into(),
            content: content.into(),
            validate_only: false,
        };
        let refused = told(&admin.publish_document(document).await.unwrap_err());
        assert_eq!(refused.reason, "DOCUMENT_INVALID");
        assert_eq!(refused.violations.len(), 3, "{refused:?}");
        let list = pb::ListDocumentsRequest {
            kind: pb::DocumentKind::Calendar.into(),
            ..Default::default()
        };
        let listed = admin.list_documents(list).await.unwrap().into_inner();
        assert!(listed.documents.is_empty());
        served.stop().await;
        audit(&database).await;
    })
    .await;
}
