//! What a server tells of itself: its API by reflection, its health to the end.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::serving::{Served, on_sqlite};

const SERVICES: [&str; 8] = [
    "greenlane.v1.AdminService",
    "greenlane.v1.ClaimService",
    "greenlane.v1.IntakeService",
    "greenlane.v1.MemberService",
    "greenlane.v1.PlanService",
    "greenlane.v1.PullService",
    "greenlane.v1.ReviewService",
    "greenlane.v1.SettlementService",
];

/// Asks one version of reflection for the names of all services.
macro_rules! listed_services {
    ($version:ident, $served:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let request = |message| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        };
        let symbol = "greenlane.v1.SettlementService.SubmitMessage".to_owned();
        let requests = tokio_stream::iter([
            request(MessageRequest::ListServices(String::new())),
            request(MessageRequest::FileContainingSymbol(symbol)),
        ]);
        let mut client = ServerReflectionClient::new($served.channel.clone());
        let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(list)) = answer else {
            panic!("{answer:?}")
        };
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::FileDescriptorResponse(file)) = answer else {
            panic!("{answer:?}")
        };
        assert!(!file.file_descriptor_proto.is_empty());
        list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_of_both_versions_lists_every_service() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &[]).await;
        for listed in [listed_services!(v1, served), listed_services!(v1alpha, served)] {
            for service in SERVICES.iter().chain(&["grpc.health.v1.Health"]) {
                assert!(listed.iter().any(|it| it == service), "{service} in {listed:?}");
            }
        }
        served.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_serving_until_the_shutdown_begins() {
    on_sqlite(async |database| {
        let served = Served::start(&database, &[]).await;
        let mut health = HealthClient::new(served.channel.clone());
        let mut watches = Vec::new();
        for service in SERVICES.iter().chain(&[""]) {
            let request = HealthCheckRequest { service: (*service).to_owned() };
            let mut watch = health.watch(request).await.unwrap().into_inner();
            let first = watch.message().await.unwrap().unwrap();
            assert_eq!(first.status(), ServingStatus::Serving, "{service}");
            watches.push(watch);
        }
        served.tell_to_stop();
        for watch in &mut watches {
            let mut next = watch.message().await.unwrap().unwrap();
            while next.status() == ServingStatus::Serving {
                next = watch.message().await.unwrap().unwrap();
            }
            assert_eq!(next.status(), ServingStatus::NotServing);
        }
        drop(watches);
        drop(health);
        served.stop().await;
    })
    .await;
}
