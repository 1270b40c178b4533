//! The directory: which member an identity names. Outside the lanes, first insert wins, cached.
//!
//! Identities are stored as keyed hashes only, so that the database alone names nobody.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use quick_cache::sync::Cache;
use sha2::Sha256;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{LedgerError, Mode};
use crate::core::identity_card::{IDENTITY_CARD, comparable};
use crate::core::member::Roster;
use crate::core::settlement::Settlement;
use crate::store::{Store, StoreError};

/// Identities kept in memory: a million are about 150 MB, and two or three belong to a person. Who
/// is not among them costs a look-up for each settlement.
const CACHED_IDENTITIES_MAX: usize = 1_000_000;
/// Persons resolved in one transaction at the most.
const BATCH_PERSONS_MAX: usize = 512;
/// How often a batch that lost to another process is tried before its callers hear of it.
const ATTEMPTS_MAX: u32 = 5;

/// The secret under which identities are hashed. Servers that share a database share it.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectoryKey([u8; 32]);

impl DirectoryKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; 32]) -> DirectoryKey {
        DirectoryKey(bytes)
    }

    /// What a database keeps to recognise its key; tells nothing about it.
    pub fn check(&self) -> String {
        self.hash("check", "greenlane directory")
    }

    fn hash(&self, kind: &str, value: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length is accepted");
        for part in [kind, "|", value] {
            mac.update(part.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }
}

impl fmt::Debug for DirectoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How many kinds of identity there are, in rank: certificate, card, person number, external id.
const KINDS: usize = 4;
const KIND_NAMES: [&str; KINDS] = ["certificate", "card", "person number", "external id"];

/// What is known of a person's identity. A certificate outranks a card, a card outranks a person
/// number (`design.md` 5.1). Personal: has no `Debug`.
#[derive(Clone, Default)]
pub struct Identity([Option<String>; KINDS]);

impl Identity {
    /// A certificate. Without a type it is taken for an identity card (01).
    pub fn certificate(cert_type: Option<&str>, cert_no: &str) -> Identity {
        let mut identity = Identity::default();
        identity.set_certificate(cert_type, cert_no);
        identity
    }

    /// A person number, unique inside the insured region.
    pub fn person_number(region: &str, psn_no: &str) -> Identity {
        let mut identity = Identity::default();
        identity.0[2] = Some(format!("{region}|{psn_no}"));
        identity
    }

    /// The bureau's own key.
    pub fn external(id: &str) -> Identity {
        let mut identity = Identity::default();
        identity.0[3] = Some(id.to_owned());
        identity
    }

    /// How a settlement names its person.
    pub fn of_settlement(settlement: &Settlement) -> Identity {
        let person = &settlement.person;
        let mut identity = Identity::default();
        if let Some(cert_no) = &person.cert_no {
            identity.set_certificate(person.cert_type.as_deref(), cert_no.reveal());
        }
        identity.0[1] = person.card_no.as_ref().map(|card| card.reveal().to_owned());
        let insured = settlement.insured_region.as_ref().or(settlement.region.as_ref());
        let region = insured.unwrap_or(&settlement.source);
        identity.0[2] = person.psn_no.as_ref().map(|psn| format!("{region}|{}", psn.reveal()));
        identity
    }

    /// How the roster names a person.
    pub fn of_roster(roster: &Roster) -> Identity {
        let mut identity = Identity::default();
        if let Some(cert_no) = &roster.cert_no {
            identity.set_certificate(roster.cert_type.as_deref(), cert_no.reveal());
        }
        identity.0[3].clone_from(&roster.external_id);
        identity
    }

    fn set_certificate(&mut self, cert_type: Option<&str>, cert_no: &str) {
        let kind = cert_type.unwrap_or(IDENTITY_CARD);
        let number =
            if kind == IDENTITY_CARD { comparable(cert_no) } else { cert_no.to_uppercase() };
        self.0[0] = Some(format!("{kind}|{number}"));
    }

    fn hashes(&self, key: &DirectoryKey) -> Hashes {
        std::array::from_fn(|kind| {
            self.0[kind].as_ref().map(|value| key.hash(KIND_NAMES[kind], value))
        })
    }
}

type Hashes = [Option<String>; KINDS];

/// Whom an identity names.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub(super) member_id: String,
    /// Whether its parts name different members; then `member_id` is the highest ranked one's.
    pub(super) is_unclear: bool,
}

struct Request {
    hashes: Hashes,
    reply: oneshot::Sender<Result<Resolved, LedgerError>>,
}

pub(super) struct Directory {
    key: DirectoryKey,
    store: Store,
    cache: std::sync::Arc<Cache<String, String>>,
    requests: mpsc::Sender<Request>,
}

impl Directory {
    pub(super) fn start(store: Store, key: DirectoryKey, closing: CancellationToken) -> Directory {
        let (requests, waiting) = mpsc::channel(BATCH_PERSONS_MAX * 2);
        let cache = std::sync::Arc::new(Cache::new(CACHED_IDENTITIES_MAX));
        let recorder = Recorder { store: store.clone(), cache: cache.clone() };
        tokio::spawn(recorder.run(waiting, closing));
        Directory { key, store, cache, requests }
    }

    /// Resolves persons, in order. Unknown ones become members when the mode is to record; in a
    /// preview they get an id that nobody keeps.
    pub(super) async fn resolve(
        &self,
        persons: Vec<Identity>,
        mode: Mode,
    ) -> Vec<Result<Resolved, LedgerError>> {
        let mut waiting = Vec::with_capacity(persons.len());
        for person in &persons {
            let hashes = person.hashes(&self.key);
            waiting.push(match self.cached(&hashes) {
                Some(resolved) => Waiting::Known(resolved),
                None if mode == Mode::Preview => Waiting::Preview(hashes),
                None => {
                    let (reply, answer) = oneshot::channel();
                    match self.requests.send(Request { hashes, reply }).await {
                        Ok(()) => Waiting::Asked(answer),
                        Err(_) => Waiting::Refused,
                    }
                }
            });
        }
        let mut resolved = Vec::with_capacity(waiting.len());
        for one in waiting {
            resolved.push(match one {
                Waiting::Known(known) => Ok(known),
                Waiting::Preview(hashes) => self.look_up(&hashes).await.map(|known| {
                    known.unwrap_or_else(|| Resolved { member_id: new_id(), is_unclear: false })
                }),
                Waiting::Asked(answer) => answer.await.unwrap_or(Err(LedgerError::ShuttingDown)),
                Waiting::Refused => Err(LedgerError::ShuttingDown),
            });
        }
        resolved
    }

    /// The member that an identity names, for reads.
    pub(super) async fn find(&self, identity: &Identity) -> Result<Option<String>, LedgerError> {
        let hashes = identity.hashes(&self.key);
        Ok(self.look_up(&hashes).await?.map(|resolved| resolved.member_id))
    }

    /// What the database knows the parts of an identity by.
    pub(super) fn hashes(&self, identity: &Identity) -> Vec<String> {
        identity.hashes(&self.key).into_iter().flatten().collect()
    }

    /// The digest of something that may be personal: tells nothing without the key.
    pub(super) fn seal(&self, text: &str) -> String {
        self.key.hash("request", text)
    }

    fn cached(&self, hashes: &Hashes) -> Option<Resolved> {
        let mut members = Vec::with_capacity(KINDS);
        for hash in hashes.iter().flatten() {
            members.push(self.cache.get(hash)?);
        }
        // Members that disagree may be one by now: only the database knows.
        agree(members).filter(|known| !known.is_unclear)
    }

    async fn look_up(&self, hashes: &Hashes) -> Result<Option<Resolved>, LedgerError> {
        let asked: Vec<String> = hashes.iter().flatten().cloned().collect();
        let stored: BTreeMap<_, _> = self.store.identities(&asked).await?.into_iter().collect();
        let in_rank = asked.iter().filter_map(|hash| stored.get(hash).cloned()).collect();
        Ok(agree(in_rank))
    }
}

enum Waiting {
    Known(Resolved),
    Preview(Hashes),
    Asked(oneshot::Receiver<Result<Resolved, LedgerError>>),
    Refused,
}

/// The highest ranked member, and whether all agree. `None` without any.
fn agree(in_rank: Vec<String>) -> Option<Resolved> {
    let is_unclear = in_rank.windows(2).any(|pair| pair[0] != pair[1]);
    let member_id = in_rank.into_iter().next()?;
    Some(Resolved { member_id, is_unclear })
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Writes new identities: gathers persons while the transaction before them commits.
struct Recorder {
    store: Store,
    cache: std::sync::Arc<Cache<String, String>>,
}

impl Recorder {
    async fn run(self, mut waiting: mpsc::Receiver<Request>, closing: CancellationToken) {
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                count = waiting.recv_many(&mut batch, BATCH_PERSONS_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                () = closing.cancelled() => return,
            }
            let hashes: Vec<Hashes> = batch.iter().map(|request| request.hashes.clone()).collect();
            let outcome = self.record_with_retries(&hashes).await;
            match outcome {
                Ok(resolved) => {
                    for (request, resolved) in batch.into_iter().zip(resolved) {
                        // Who has no identity at all should have been refused before.
                        let resolved = resolved.ok_or(LedgerError::CommandFailed);
                        let _ = request.reply.send(resolved);
                    }
                }
                Err(error) => {
                    let error = match LedgerError::from(error) {
                        // Nothing but the directory was at stake: a repeat is always safe.
                        LedgerError::OutcomeUnknown => LedgerError::Unavailable,
                        error => error,
                    };
                    for request in batch {
                        let _ = request.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn record_with_retries(
        &self,
        persons: &[Hashes],
    ) -> Result<Vec<Option<Resolved>>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.record(persons).await {
                Err(StoreError::Contended(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Resolves persons in order, each in the light of those before it, as if they came alone. An
    /// identity that another process gives to somebody else meanwhile puts that light out: then
    /// nothing is kept and all begins again. `None` for a person without any identity.
    async fn record(&self, persons: &[Hashes]) -> Result<Vec<Option<Resolved>>, StoreError> {
        let asked: Vec<String> = persons.iter().flatten().flatten().cloned().collect();
        loop {
            let stored = self.store.identities(&asked).await?;
            let mut known: BTreeMap<String, String> = stored.into_iter().collect();
            let new = introduce(persons, &mut known);
            if self.insert(&new).await? {
                for (hash, member) in &known {
                    self.cache.insert(hash.clone(), member.clone());
                }
                let resolve = |person: &Hashes| {
                    let in_rank = person.iter().flatten().filter_map(|hash| known.get(hash));
                    agree(in_rank.cloned().collect())
                };
                return Ok(persons.iter().map(resolve).collect());
            }
        }
    }

    /// Inserts kind by kind, each sorted, so that two processes always lock in the same order.
    /// Gives whether all of them were free; else none is kept.
    async fn insert(&self, new: &[BTreeMap<String, String>; KINDS]) -> Result<bool, StoreError> {
        if new.iter().all(BTreeMap::is_empty) {
            return Ok(true);
        }
        let mut tx = self.store.begin().await?;
        for rows in new {
            let rows: Vec<_> = rows.clone().into_iter().collect();
            let is_ours = |row: &(String, String)| rows.binary_search(row).is_ok();
            if !tx.insert_identities(&rows).await?.iter().all(is_ours) {
                return Ok(false);
            }
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Gives a member to every identity that is not known, and tells which those are, by kind.
fn introduce(
    persons: &[Hashes],
    known: &mut BTreeMap<String, String>,
) -> [BTreeMap<String, String>; KINDS] {
    let mut new: [BTreeMap<String, String>; KINDS] = Default::default();
    for person in persons {
        let in_rank = person.iter().flatten().filter_map(|hash| known.get(hash).cloned());
        let member = match agree(in_rank.collect()) {
            // Identities that disagree teach nothing about a new one.
            Some(resolved) if resolved.is_unclear => continue,
            Some(resolved) => resolved.member_id,
            None => new_id(),
        };
        for (kind, hash) in person.iter().enumerate() {
            if let Some(hash) = hash.as_ref().filter(|hash| !known.contains_key(*hash)) {
                known.insert(hash.clone(), member.clone());
                new[kind].insert(hash.clone(), member.clone());
            }
        }
    }
    new
}
