//! What people do to claims: each act is a command of the claim's lane.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::queue::Ask;
use super::{Ledger, LedgerError, Mode, Pending, Queue, RequestKey, Submitted};
use crate::core::book::ReviewRefusal;
use crate::core::claim::{ClaimId, ClaimState};
use crate::core::review::{Act, Actor, Deed, Texts};
use crate::feed::{Entry, Told};
use crate::store::{QueueCursor, QueueFilter};

/// Claims that are looked at for a free one at a time.
const CANDIDATES: u32 = 50;

impl Ledger {
    /// Carries out an act of a person, once for each request, or tries it.
    pub async fn review(
        &self,
        claim_id: ClaimId,
        act: Act,
        texts: Texts,
        request: RequestKey,
        mode: Mode,
    ) -> Result<Submitted, LedgerError> {
        let member = self.0.store.member_of_claim(claim_id).await?;
        let member = member.ok_or(LedgerError::ClaimNotFound)?;
        let (reply, pending) = oneshot::channel();
        let (act, texts) = (Arc::new(act), Arc::new(texts));
        // The words of a person are in the digest: it must not tell them.
        let digest = self.0.directory.seal(&request.digest);
        let request = RequestKey { digest, ..request };
        let ask = Ask::Review { claim_id, act, texts, request, reply };
        self.dispatch(member, ask, mode, Queue::Window).await;
        self.with_changes(Pending(pending).outcome().await?).await
    }

    /// What a request did that was carried out before is read from its events.
    async fn with_changes(&self, mut done: Submitted) -> Result<Submitted, LedgerError> {
        let Some((first, last)) = done.told else { return Ok(done) };
        let lane = done.claim.id.lane;
        let count = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
        for row in self.0.store.events_after(lane, first - 1, count).await? {
            let entry = Entry::read(&row)?;
            let news = entry.news.as_ref().filter(|news| news.claim_id != done.claim.id);
            done.changes.extend(news.map(|news| Told::of(&entry, news)));
        }
        Ok(done)
    }

    /// Gives a person the most urgent claim that nobody works on; `None` when there is none. Two who
    /// ask at once never get the same.
    pub async fn take_next(
        &self,
        filter: QueueFilter,
        actor: Actor,
        request: RequestKey,
        mode: Mode,
    ) -> Result<Option<Submitted>, LedgerError> {
        // What waits for an answer is nobody's next one.
        let state = Some(ClaimState::Pended);
        let filter = QueueFilter { state, only_free: true, ..filter };
        let take = |claim_id| {
            let deed = Deed::Assign { assignee: Some(actor.name.clone()), only_free: true };
            let act = Act { actor: actor.clone(), deed, revision: None };
            self.review(claim_id, act, Texts::default(), request.clone(), mode)
        };
        if let Some(known) = self.0.store.request(&request.id).await? {
            return take(known.claim_id).await.map(Some);
        }
        let mut after = None;
        loop {
            let found = self.0.store.review_queue(&filter, after, CANDIDATES).await?;
            for row in &found {
                match take(row.claim.id).await {
                    Ok(taken) => return Ok(Some(taken)),
                    // Somebody was faster, or it is not for this person.
                    Err(LedgerError::Review { refusal, .. }) if is_passed_by(&refusal) => {}
                    // The same request, sent twice at once, may have taken another one.
                    Err(LedgerError::Contended) => {
                        let known = self.0.store.request(&request.id).await?;
                        let known = known.ok_or(LedgerError::Contended)?;
                        return take(known.claim_id).await.map(Some);
                    }
                    Err(error) => return Err(error),
                }
            }
            match found.last() {
                Some(last) if found.len() == CANDIDATES as usize => {
                    after = Some(QueueCursor { key: last.key, id: last.claim.id });
                }
                _ => return Ok(None),
            }
        }
    }
}

fn is_passed_by(refusal: &ReviewRefusal) -> bool {
    matches!(
        refusal,
        ReviewRefusal::Assigned { .. } | ReviewRefusal::State { .. } | ReviewRefusal::SecondPerson
    )
}
