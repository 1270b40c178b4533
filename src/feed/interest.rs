//! Who wants to be told what: the filter of a watcher, and the bells that wake it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch::{Receiver, Sender, channel};

use super::entry::{ClaimNews, Entry};
use crate::core::claim::ClaimState;

/// Which events are told: those that fit all that is stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this member, with its lane.
    pub member: Option<(u16, String)>,
    /// Of stays in this hospital.
    pub hospital_code: Option<String>,
    /// Of claims decided under this plan.
    pub plan_id: Option<String>,
    /// Out of one of these states or into one; empty for all.
    pub states: Vec<ClaimState>,
}

impl Filter {
    pub(super) fn fits(&self, news: &ClaimNews) -> bool {
        let is_of = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
        };
        let in_states = |state: ClaimState| self.states.contains(&state);
        is_of(&self.hospital_code, news.hospital_code.as_ref())
            && self.member.as_ref().is_none_or(|(_, member_id)| *member_id == news.member_id)
            && is_of(&self.plan_id, news.plan.as_ref().map(|(plan_id, _)| plan_id))
            && (self.states.is_empty()
                || in_states(news.state)
                || news.state_before.is_some_and(in_states))
    }

    /// Whether a lane can hold anything that fits.
    pub(super) fn reaches(&self, lane: u16) -> bool {
        self.member.as_ref().is_none_or(|(of_member, _)| *of_member == lane)
    }
}

/// Bells by what a watcher waits for, so that an event wakes those it concerns and no others.
#[derive(Default)]
pub(super) struct Wakers(Mutex<Bells>);

#[derive(Default)]
struct Bells {
    members: HashMap<String, Sender<()>>,
    hospitals: HashMap<String, Sender<()>>,
    everything: HashMap<(), Sender<()>>,
}

/// One watcher's ear for its bell.
pub(super) struct Ear {
    receiver: Receiver<()>,
    topic: Topic,
}

enum Topic {
    Member(String),
    Hospital(String),
    Everything,
}

impl Wakers {
    /// Hangs up a bell for what fits a filter, at least.
    pub(super) fn listen(&self, filter: &Filter) -> Ear {
        let mut bells = self.bells();
        let bell = || channel(()).0;
        match (&filter.member, &filter.hospital_code) {
            (Some((_, member_id)), _) => {
                let bell = bells.members.entry(member_id.clone()).or_insert_with(bell);
                Ear { receiver: bell.subscribe(), topic: Topic::Member(member_id.clone()) }
            }
            (None, Some(code)) => {
                let bell = bells.hospitals.entry(code.clone()).or_insert_with(bell);
                Ear { receiver: bell.subscribe(), topic: Topic::Hospital(code.clone()) }
            }
            (None, None) => {
                let bell = bells.everything.entry(()).or_insert_with(bell);
                Ear { receiver: bell.subscribe(), topic: Topic::Everything }
            }
        }
    }

    /// Takes a bell down when the last one who listened to it leaves.
    pub(super) fn leave(&self, ear: Ear) {
        let mut bells = self.bells();
        // Under the lock, so that nobody begins to listen in between.
        drop(ear.receiver);
        match ear.topic {
            Topic::Member(id) => take_down(&mut bells.members, &id),
            Topic::Hospital(code) => take_down(&mut bells.hospitals, &code),
            Topic::Everything => take_down(&mut bells.everything, &()),
        }
    }

    /// Wakes those whom these entries concern.
    pub(super) fn wake(&self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let bells = self.bells();
        for news in entries.iter().filter_map(|entry| entry.news.as_ref()) {
            ring(bells.members.get(&news.member_id));
            ring(news.hospital_code.as_ref().and_then(|code| bells.hospitals.get(code)));
        }
        ring(bells.everything.get(&()));
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        let bells = self.bells();
        let all = bells.members.values().chain(bells.hospitals.values());
        all.chain(bells.everything.values()).for_each(|bell| ring(Some(bell)));
    }

    fn bells(&self) -> MutexGuard<'_, Bells> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

fn ring(bell: Option<&Sender<()>>) {
    if let Some(bell) = bell {
        bell.send_replace(());
    }
}

/// Takes a bell down to which nobody listens.
fn take_down<K, Q>(bells: &mut HashMap<K, Sender<()>>, topic: &Q)
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
{
    if bells.get(topic).is_some_and(|bell| bell.receiver_count() == 0) {
        bells.remove(topic);
    }
}

impl Ear {
    /// Forgets what rang until now. Call it before looking, so that what rings while one looks is
    /// heard afterwards.
    pub(super) fn forget(&mut self) {
        self.receiver.mark_unchanged();
    }

    /// Waits for a ring since [`Ear::forget`].
    pub(super) async fn ring(&mut self) {
        // The bell hangs as long as somebody listens.
        let _ = self.receiver.changed().await;
    }
}
