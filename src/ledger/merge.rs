//! Two members that prove to be one: both lanes in order, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::record::{Recorded, Recorder, recorded_changes, tried_changes};
use super::{Identity, Inner, Ledger, LedgerError, Mode};
use crate::core::book::{Book, Command};
use crate::core::claim::{Claim, ClaimId};
use crate::core::event::{Event, MergeEvent};
use crate::feed::Told;
use crate::store::{StoreError, Tx};

/// How often a merge is tried when other servers are in the way.
const ATTEMPTS_MAX: u32 = 8;

/// Two members that are one.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The member that goes on.
    pub book: Book,
    /// Whether they were merged before.
    pub replayed: bool,
    /// What changed of claims, or would change: of the closed member first.
    pub changes: Vec<Told>,
}

enum Trouble {
    /// Something was published that this process has not read, or another server was in the way.
    Again,
    Refused(LedgerError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match error {
            StoreError::Contended(_) => Trouble::Again,
            error => Trouble::Refused(error.into()),
        }
    }
}

impl Ledger {
    /// Closes the member `from` and submits its settlements anew to `into`.
    pub async fn merge(&self, from: &str, into: &str, mode: Mode) -> Result<Merged, LedgerError> {
        if self.0.closing.is_cancelled() {
            return Err(LedgerError::ShuttingDown);
        }
        // A task of its own: a caller that hangs up must not drop a transaction.
        let (ledger, from, into) = (self.clone(), from.to_owned(), into.to_owned());
        let merging = tokio::spawn(async move {
            for _ in 0..ATTEMPTS_MAX {
                match ledger.merge_once(&from, &into, mode).await {
                    Ok(merged) => return Ok(merged),
                    Err(Trouble::Refused(error)) => return Err(error),
                    Err(Trouble::Again) => ledger.0.documents.refresh(&ledger.0.store).await?,
                }
            }
            Err(LedgerError::Contended)
        });
        merging.await.unwrap_or(Err(LedgerError::CommandFailed))
    }

    async fn merge_once(&self, from: &str, into: &str, mode: Mode) -> Result<Merged, Trouble> {
        let Inner { store, documents, clock, .. } = &*self.0;
        let (from_lane, into_lane) = (self.lane_of(from), self.lane_of(into));
        let lanes: BTreeSet<u16> = [from_lane, into_lane].into();
        let mut tx = store.begin().await?;
        let heads = tx.lock_lanes(&lanes.into_iter().collect::<Vec<_>>()).await?;
        if heads.iter().any(|head| head.documents_revision > documents.revision()) {
            return Err(Trouble::Again);
        }
        let plans = documents.plans();
        let mut recorder = Recorder::new(heads, *clock, plans.clone());
        let from_before = whole(&mut tx, from_lane, from, &plans).await?;
        let into_before = whole(&mut tx, into_lane, into, &plans).await?;
        if let Some(known) = &from_before.merged_into {
            if known != into {
                return Err(is_merged(from, known));
            }
            if mode == Mode::Record {
                // An identity that another server learnt at that moment may have been left behind.
                tx.move_identities(from, into).await?;
                tx.commit().await?;
            }
            return Ok(Merged { book: into_before, replayed: true, changes: Vec::new() });
        }
        if let Some(known) = &into_before.merged_into {
            return Err(is_merged(into, known));
        }
        let numbers: BTreeMap<ClaimId, ClaimId> =
            from_before.leaving().map(|id| (id, recorder.next_claim(into_lane))).collect();
        let cleared = self.cleared(&mut tx, &from_before, &into_before).await?;
        let departure = Arc::new(from_before.departure(&numbers, cleared.clone()));
        let numbers = Arc::new(numbers);
        let leave = Command::Leave {
            into: into.to_owned(),
            numbers: numbers.clone(),
            cleared: cleared.clone(),
        };
        let (mut closed, mut goes_on) = (from_before.clone(), into_before.clone());
        let failed = |_| Trouble::Refused(LedgerError::CommandFailed);
        let left = closed.apply(&leave, recorder.time(from_lane), &plans).map_err(failed)?;
        let join = Command::Join { departure };
        let joined = goes_on.apply(&join, recorder.time(into_lane), &plans).map_err(failed)?;
        if mode == Mode::Preview {
            let tried = |lane, effects| tried_changes(lane, recorder.time(lane), effects, None);
            let changes = tried(from_lane, &left).chain(tried(into_lane, &joined)).collect();
            return Ok(Merged { book: goes_on, replayed: false, changes });
        }
        let told = recorder.record(from_lane, &mut closed, &from_before, left);
        let position = told.first().map_or(0, |entry| entry.mark.position);
        recorder.append(
            into_lane,
            Event::Merge(MergeEvent {
                member: from.to_owned(),
                into: into.to_owned(),
                cleared,
                closed: Some((from_lane, position)),
            }),
        );
        recorder.record(into_lane, &mut goes_on, &into_before, joined);
        // The next command comes later, so that it can be told from this one.
        recorder.step(from_lane);
        recorder.step(into_lane);
        let moved: Vec<(ClaimId, ClaimId)> =
            numbers.iter().map(|(old, new)| (*old, *new)).collect();
        tx.move_keys(&moved, into).await?;
        tx.move_identities(from, into).await?;
        let Recorded { rows, told } = recorder.finish();
        tx.write(&rows).await?;
        tx.commit().await?;
        let changes = recorded_changes(&told, None).collect();
        self.0.feed.offer(told);
        Ok(Merged { book: goes_on, replayed: false, changes })
    }

    /// Claims whose identities name nobody but these two.
    async fn cleared(
        &self,
        tx: &mut Tx,
        from: &Book,
        into: &Book,
    ) -> Result<BTreeSet<ClaimId>, StoreError> {
        let unclear = from.claims.iter().chain(&into.claims).filter(|it| it.person_unclear);
        let hashes = |claim: &Arc<Claim>| {
            let identity = Identity::of_settlement(&claim.settlement);
            (claim.id, self.0.directory.hashes(&identity))
        };
        let asked: Vec<(ClaimId, Vec<String>)> = unclear.map(hashes).collect();
        let all: Vec<&str> = asked.iter().flat_map(|(_, it)| it).map(String::as_str).collect();
        let known: BTreeMap<String, String> = tx.identities(&all).await?.into_iter().collect();
        let is_one = |hash: &String| {
            known.get(hash).is_none_or(|it| *it == from.member_id || *it == into.member_id)
        };
        let cleared = asked.into_iter().filter(|(_, hashes)| hashes.iter().all(is_one));
        Ok(cleared.map(|(id, _)| id).collect())
    }
}

fn is_merged(member_id: &str, into: &str) -> Trouble {
    let (member_id, into) = (member_id.to_owned(), into.to_owned());
    Trouble::Refused(LedgerError::MemberMerged { member_id, into })
}

/// A member's book with its whole history.
async fn whole(
    tx: &mut Tx,
    lane: u16,
    member_id: &str,
    plans: &crate::core::plan::Plans,
) -> Result<Book, Trouble> {
    let book = tx.books(&[(lane, member_id.to_owned())]).await?.pop();
    let mut book = book.ok_or(Trouble::Refused(LedgerError::MemberNotFound))?;
    book.complete(tx.history(lane, member_id).await?, plans);
    Ok(book)
}
