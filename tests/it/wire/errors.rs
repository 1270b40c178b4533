//! One row of the table of errors after the other: code, reason, details.

use greenlane::pb;
use tonic::Code;

use crate::serving::{CERT_A, CERT_B, CERT_E, Served, refused, stay, submit, told};
use crate::support::on_every_backend;
use crate::world::{sample_roster, shipped_plan};

fn publish(document: String) -> pb::PublishPlanRequest {
    pb::PublishPlanRequest { document, validate_only: false, confirm_impact: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_not_found() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut claims = served.claims();
        for claim_id in ["3-18442", "7-1"] {
            let request =
                pb::GetClaimRequest { claim_id: claim_id.to_owned(), ..Default::default() };
            let told = told(&claims.get_claim(request).await.unwrap_err());
            assert_eq!((told.code, &*told.reason), (Code::NotFound, "CLAIM_NOT_FOUND"));
            assert_eq!(told.metadata["claim_id"], claim_id);
        }
        for claim_id in ["", "x", "3-", "3-0", "-1-1", "9999999-1"] {
            let request =
                pb::GetClaimRequest { claim_id: claim_id.to_owned(), ..Default::default() };
            let (code, reason) = refused(claims.get_claim(request).await);
            let is_malformed = (code, &*reason) == (Code::InvalidArgument, "INVALID_FIELD");
            assert!(is_malformed || reason == "CLAIM_NOT_FOUND", "{claim_id:?}: {reason}");
        }
        let mut members = served.members();
        let nobody = "01930d2c-6c1f-7a84-b7f3-5e0d3b1c9a42".to_owned();
        let identity = pb::Identity { cert_no: CERT_E.to_owned(), ..pb::Identity::default() };
        for (selector, name) in [
            (pb::get_balance_request::Selector::MemberId(nobody), "member_id"),
            (pb::get_balance_request::Selector::ExternalId("RJ-9".to_owned()), "external_id"),
            (pb::get_balance_request::Selector::Identity(identity), "identity"),
        ] {
            let selector = Some(selector);
            let request = pb::GetBalanceRequest { selector, ..pb::GetBalanceRequest::default() };
            let told = told(&members.get_balance(request).await.unwrap_err());
            assert_eq!((told.code, &*told.reason), (Code::NotFound, "MEMBER_NOT_FOUND"));
            assert_eq!(told.metadata.len(), 1);
            assert_eq!(told.metadata["selector"], name);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_does_not_exist_is_not_found() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut plans = served.plans();
        for (plan_id, version, date, metadata) in [
            ("other", "", "", vec![("plan_id", "other")]),
            ("qingdao-rongjun", "9", "", vec![("plan_id", "qingdao-rongjun"), ("version", "9")]),
            (
                "qingdao-rongjun",
                "",
                "2023-06-30",
                vec![("date", "2023-06-30"), ("plan_id", "qingdao-rongjun")],
            ),
        ] {
            let request = pb::GetPlanRequest {
                plan_id: plan_id.to_owned(),
                version: version.to_owned(),
                date: date.to_owned(),
            };
            let told = told(&plans.get_plan(request).await.unwrap_err());
            assert_eq!((told.code, &*told.reason), (Code::NotFound, "PLAN_NOT_FOUND"));
            let mut found: Vec<_> =
                told.metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
            found.sort_unstable();
            assert_eq!(found, metadata);
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_facts_are_a_conflict_that_names_them() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut client = served.settlements();
        let first = stay("S-1", CERT_A, 600_000);
        let claim = client.submit_settlement(submit(first.clone())).await.unwrap().into_inner();
        let claim = claim.claim.unwrap();
        let changed = pb::Settlement {
            total_fen: first.total_fen + 1_000,
            personal_total_fen: Some(601_000),
            hospital_code: "H37029999002".to_owned(),
            ..first.clone()
        };
        let told = told(&client.submit_settlement(submit(changed)).await.unwrap_err());
        assert_eq!((told.code, &*told.reason), (Code::AlreadyExists, "SETTLEMENT_CONFLICT"));
        let mut fields: Vec<_> = told.metadata["fields"].split(',').collect();
        fields.sort_unstable();
        assert_eq!(fields, ["hospital_code", "personal_total_fen", "total_fen"]);
        assert_eq!(told.metadata["claim_id"], claim.claim_id);
        assert_eq!(told.metadata["settlement_id"], "S-1");
        assert_eq!(told.metadata["source"], "370200");
        let other_person = submit(stay("S-1", CERT_B, 600_000));
        let told = self::told(&client.submit_settlement(other_person).await.unwrap_err());
        assert_eq!(told.reason, "SETTLEMENT_CONFLICT");
        assert!(told.metadata["fields"].contains("member"), "{told:?}");
        let again = client.submit_settlement(submit(first)).await.unwrap().into_inner();
        assert_eq!((again.replayed, again.claim.unwrap()), (true, claim), "nothing changed");
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_document_is_refused_with_every_problem_at_its_line() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut plans = served.plans();
        let good = shipped_plan();
        let line = |text: &str| good.lines().position(|it| it.starts_with(text)).unwrap() + 1;
        let bad = good
            .replace("period_start = \"01-01\"", "period_start = \"13-01\"")
            .replace("rate = \"1\"", "rate = \"1.5\"");
        let told = told(&plans.publish_plan(publish(bad)).await.unwrap_err());
        assert_eq!((told.code, &*told.reason), (Code::InvalidArgument, "PLAN_INVALID"));
        assert_eq!(told.metadata["problem_count"], "2");
        for (key, start) in [("period_start", "period_start"), ("responsibilities[0].rate", "rate")]
        {
            let expected = format!("{key} line {}: ", line(start));
            assert!(
                told.violations.iter().any(|it| it.starts_with(&expected)),
                "{expected} in {:?}",
                told.violations
            );
        }
        let (code, reason) = refused(plans.publish_plan(publish("= 1".to_owned())).await);
        assert_eq!((code, &*reason), (Code::InvalidArgument, "PLAN_INVALID"));
        let (code, reason) = refused(plans.publish_plan(publish(String::new())).await);
        assert_eq!((code, &*reason), (Code::InvalidArgument, "INVALID_FIELD"));
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_never_changes() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut plans = served.plans();
        let again = plans.publish_plan(publish(shipped_plan())).await.unwrap().into_inner();
        let published = again.plan.unwrap();
        assert!(again.unchanged);
        let other = shipped_plan().replace("name = \"荣军保\"", "name = \"另一个\"");
        let told = told(&plans.publish_plan(publish(other)).await.unwrap_err());
        assert_eq!((told.code, &*told.reason), (Code::AlreadyExists, "PLAN_VERSION_EXISTS"));
        assert_eq!(told.metadata["plan_id"], "qingdao-rongjun");
        assert_eq!(told.metadata["version"], "2023.1");
        assert_eq!(told.metadata["document_hash"], published.document_hash);
        let request = pb::GetPlanRequest {
            plan_id: "qingdao-rongjun".to_owned(),
            ..pb::GetPlanRequest::default()
        };
        let plan = plans.get_plan(request).await.unwrap().into_inner().plan.unwrap();
        assert_eq!(plan.document, shipped_plan(), "byte for byte");
        assert_eq!(plan.document_hash, published.document_hash);
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_cannot_start_where_claims_are_decided() {
    on_every_backend(async |database| {
        let served = Served::start(&database, &sample_roster()).await;
        let mut plans = served.plans();
        let version = |name: &str, start: &str| {
            let document = shipped_plan()
                .replace("version = \"2023.1\"", &format!("version = \"{name}\""))
                .replace("start_date = \"2023-07-01\"", &format!("start_date = \"{start}\""));
            publish(document)
        };
        // Decided for 2024-03-15.
        let stay = submit(stay("S-1", CERT_A, 600_000));
        served.settlements().submit_settlement(stay).await.unwrap();
        let told = told(&plans.publish_plan(version("2024.1", "2024-03-15")).await.unwrap_err());
        let expected = (Code::FailedPrecondition, "PLAN_STARTS_IN_DECIDED_PAST");
        assert_eq!((told.code, &*told.reason), expected);
        assert!(told.has_precondition);
        assert_eq!(told.metadata["plan_id"], "qingdao-rongjun");
        assert_eq!(told.metadata["start_date"], "2024-03-15");
        assert_eq!(told.metadata["last_decided_date"], "2024-03-15");
        let tried =
            pb::PublishPlanRequest { validate_only: true, ..version("2024.1", "2024-03-16") };
        let tried = plans.publish_plan(tried).await.unwrap().into_inner().plan.unwrap();
        assert_eq!(tried.publish_time, None);
        let later = plans.publish_plan(version("2024.1", "2024-03-16")).await.unwrap();
        assert!(!later.into_inner().unchanged);
        let list = plans.list_plans(pb::ListPlansRequest::default()).await.unwrap().into_inner();
        let versions: Vec<_> = list.plans.iter().map(|plan| plan.version.as_str()).collect();
        assert_eq!(versions, ["2023.1", "2024.1"]);
        served.stop().await;
    })
    .await;
}
