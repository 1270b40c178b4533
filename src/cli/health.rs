//! `greenlane healthcheck`: for containers and operators.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::Failure;
use super::client::{connect, told};
use crate::config::Client;

pub(super) async fn run(server: Client) -> Result<(), Failure> {
    let mut client = HealthClient::new(connect(&server).await?);
    let request = HealthCheckRequest { service: String::new() };
    let answer = client.check(request).await.map_err(|status| told(&status))?.into_inner();
    if answer.status() == ServingStatus::Serving {
        println!("serving");
        Ok(())
    } else {
        Err(Failure::told("the server is up but not serving"))
    }
}
