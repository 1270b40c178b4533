//! A watcher of the tests, and what is stored, read past the store.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greenlane::pb;
use greenlane::pb::claim_service_client::ClaimServiceClient;
use greenlane::pb::watch_claims_response::Item;
use prost::encoding::decode_varint;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::support::Database;

/// Longer than a watch may ever be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// An open watch.
pub struct Watching {
    responses: Streaming<pb::WatchClaimsResponse>,
    /// Of the last response; empty before the first.
    pub token: String,
}

impl Watching {
    pub async fn open(
        channel: &Channel,
        request: pb::WatchClaimsRequest,
    ) -> Result<Watching, Status> {
        let mut client = ClaimServiceClient::new(channel.clone());
        let responses = client.watch_claims(request).await?.into_inner();
        Ok(Watching { responses, token: String::new() })
    }

    /// The next response; `None` when the server ended the watch in order.
    pub async fn response(&mut self) -> Result<Option<pb::WatchClaimsResponse>, Status> {
        let response = tokio::time::timeout(SILENCE_MAX, self.responses.message()).await;
        let response = response.expect("a watch is never silent for so long")?;
        if let Some(response) = &response {
            self.token.clone_from(&response.resume_token);
        }
        Ok(response)
    }

    pub async fn item(&mut self) -> Item {
        self.response().await.unwrap().expect("goes on").item.unwrap()
    }

    /// Everything that is told up to the next progress of a watch that has caught up.
    pub async fn until_progress(&mut self) -> Vec<pb::ClaimEvent> {
        let mut events = Vec::new();
        loop {
            match self.item().await {
                Item::Event(event) => events.push(event),
                Item::Progress(progress) if progress.is_up_to_date => return events,
                Item::Progress(_) => {}
            }
        }
    }

    /// That many events; progress in between does not count.
    pub async fn events(&mut self, count: usize) -> Vec<pb::ClaimEvent> {
        let mut events = Vec::new();
        while events.len() < count {
            if let Item::Event(event) = self.item().await {
                events.push(event);
            }
        }
        events
    }
}

/// Watches from the beginning of the ledger.
pub fn from_beginning() -> pb::WatchClaimsRequest {
    pb::WatchClaimsRequest { include_existing: true, ..pb::WatchClaimsRequest::default() }
}

/// Watches from now on.
pub fn from_now() -> pb::WatchClaimsRequest {
    pb::WatchClaimsRequest::default()
}

pub fn after(resume_token: &str) -> pb::WatchClaimsRequest {
    pb::WatchClaimsRequest {
        resume_token: resume_token.to_owned(),
        ..pb::WatchClaimsRequest::default()
    }
}

pub fn filtered(filter: pb::ClaimEventFilter) -> pb::WatchClaimsRequest {
    pb::WatchClaimsRequest { filter: Some(filter), ..from_beginning() }
}

/// Everything that has happened, told to a fresh watcher.
pub async fn everything(channel: &Channel, request: pb::WatchClaimsRequest) -> Vec<pb::ClaimEvent> {
    Watching::open(channel, request).await.unwrap().until_progress().await
}

/// Lane and position of a revision.
pub fn place(revision: &str) -> (u16, i64) {
    let (lane, position) = revision.split_once('/').unwrap();
    (lane.parse().unwrap(), position.parse().unwrap())
}

/// How far a token goes in each lane: read here by hand, because a watcher never does.
pub fn positions(token: &str, lanes: usize) -> Vec<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    let mut bytes = &bytes[1..];
    let mut positions = Vec::new();
    for _ in 0..lanes {
        let position = i64::try_from(decode_varint(&mut bytes).unwrap()).unwrap();
        if position > 0 {
            bytes = &bytes[4..];
        }
        positions.push(position);
    }
    assert_eq!(bytes.len(), 8, "a hash is left");
    positions
}

/// What is stored of an event that watchers are told.
#[derive(Debug, Clone)]
pub struct Stored {
    pub lane: u16,
    pub position: i64,
    pub claim_id: String,
    pub member_id: String,
    pub hospital_code: String,
    pub plan_id: String,
    pub states: Vec<pb::ClaimState>,
}

/// The claim events of all lanes, lane by lane in order.
pub async fn stored_events(database: &Database) -> Vec<Stored> {
    const SQL: &str = "select lane, position, body from event order by lane, position";
    let rows: Vec<(i32, i64, String)> = database.rows(SQL).await;
    let read = |(lane, position, body): (i32, i64, String)| {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let state = |name: &str| {
            pb::ClaimState::from_str_name(&format!("CLAIM_STATE_{}", body[name].as_str()?))
        };
        (body["kind"] == "claim").then(|| Stored {
            lane: u16::try_from(lane).unwrap(),
            position,
            claim_id: format!("{lane}-{}", body["claim"]),
            member_id: text(&body["member"]),
            hospital_code: text(&body["hospital"]),
            plan_id: text(&body["plan"]["plan_id"]),
            states: [state("from"), state("state")].into_iter().flatten().collect(),
        })
    };
    rows.into_iter().filter_map(read).collect()
}

impl Stored {
    pub fn fits(&self, filter: &pb::ClaimEventFilter) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&filter.member_id, &self.member_id)
            && is(&filter.hospital_code, &self.hospital_code)
            && is(&filter.plan_id, &self.plan_id)
            && (filter.states.is_empty()
                || self.states.iter().any(|state| filter.states.contains(&i32::from(*state))))
    }

    pub fn place(&self) -> (u16, i64) {
        (self.lane, self.position)
    }
}
