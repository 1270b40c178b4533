//! What comes about a settlement apart from it: its reversal, or facts that were absent. Either may
//! come before the settlement itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Settlement;
use crate::core::claim::{Claim, ClaimId, ClaimState};
use crate::core::day::Moment;
use crate::core::money::Fen;

/// A message about a settlement that is not the settlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUp {
    /// Takes the settlement back (撤销).
    Reversal(Arc<Reversal>),
    /// Adds facts to it: fee lines, a settlement list, the stay.
    Supplement(Arc<Supplement>),
}

/// The reversal of a settlement (national transaction 2305; `domain.md` 1.9). It names no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// The platform that issued the ids.
    pub source: String,
    /// The settlement that is taken back, where the sender names it: `init_setl_id`, or the
    /// `setl_id` of the request that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_id: Option<String>,
    /// The reversal's own id. Some platforms issue a new one, others answer with the original's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_id: Option<String>,
    /// The stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_id: Option<String>,
    /// The bill that is taken back, without its sign; `None` where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Fen>,
    /// When basic insurance took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_time: Option<Moment>,
}

/// Facts about a settlement that came apart from it (4101, 5204, 2301, stay data).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supplement {
    /// What is stated. `source` is always there, and a `settlement_id` or a `visit_id`; a
    /// `settlement_id` that is empty and a total of zero mean not stated.
    pub facts: Settlement,
}

/// What a reversal finds among the claims of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reversed {
    /// The claim at this place, to be voided.
    Live(usize),
    /// The claim at this place, which was voided before.
    Before(usize),
    /// Nothing, or more than one that it could mean: it has to wait.
    Unknown,
    /// A claim of which it would take back something else than the whole.
    Differs {
        /// The claim.
        claim_id: ClaimId,
        /// What differs.
        field: &'static str,
    },
}

impl FollowUp {
    /// The platform that issued the ids.
    pub fn source(&self) -> &str {
        match self {
            FollowUp::Reversal(reversal) => &reversal.source,
            FollowUp::Supplement(supplement) => &supplement.facts.source,
        }
    }

    /// The settlement it says it is about; `None` where it names only the stay.
    pub fn settlement_id(&self) -> Option<&str> {
        match self {
            FollowUp::Reversal(reversal) => reversal.original_id.as_deref(),
            FollowUp::Supplement(supplement) => {
                Some(supplement.facts.settlement_id.as_str()).filter(|id| !id.is_empty())
            }
        }
    }

    /// The stay it says it is about.
    pub fn visit_id(&self) -> Option<&str> {
        match self {
            FollowUp::Reversal(reversal) => reversal.visit_id.as_deref(),
            FollowUp::Supplement(supplement) => supplement.facts.visit_id.as_deref(),
        }
    }

    /// The place of the claim it is about among all claims of a member, applied or not.
    pub fn find(&self, claims: &[Arc<Claim>]) -> Option<usize> {
        match self {
            FollowUp::Reversal(reversal) => match reversal.find(claims) {
                Reversed::Live(index) | Reversed::Before(index) => Some(index),
                Reversed::Unknown | Reversed::Differs { .. } => None,
            },
            FollowUp::Supplement(supplement) => supplement.find(claims),
        }
    }
}

impl Reversal {
    /// Finds what is reversed among all claims of a member: the settlement that is named, else the
    /// one that has the reversal's own id, else the one live claim of the stay with exactly this
    /// total that was settled before (`domain.md` 1.9).
    pub fn find(&self, claims: &[Arc<Claim>]) -> Reversed {
        let with_id = |id: &String| {
            claims.iter().position(|claim| {
                claim.settlement.settlement_id == *id && claim.settlement.source == self.source
            })
        };
        if let Some(id) = &self.original_id {
            return with_id(id).map_or(Reversed::Unknown, |index| self.standing(claims, index));
        }
        if let Some(index) = self.reversal_id.as_ref().and_then(with_id) {
            return self.standing(claims, index);
        }
        let applied = claims.iter().position(|claim| {
            let known = claim.reversal.as_ref();
            self.reversal_id.is_some()
                && known.is_some_and(|known| {
                    known.reversal_id == self.reversal_id && known.source == self.source
                })
        });
        applied.map_or_else(|| self.find_by_stay(claims), Reversed::Before)
    }

    fn find_by_stay(&self, claims: &[Arc<Claim>]) -> Reversed {
        let fits = |claim: &&Arc<Claim>| {
            self.visit_id.is_some()
                && claim.settlement.visit_id == self.visit_id
                && claim.settlement.source == self.source
                && Some(claim.settlement.amounts.total) == self.total
                && self.may_follow(&claim.settlement)
        };
        let is_voided = |index: &usize| claims[*index].state() == ClaimState::Voided;
        let of_stay = claims.iter().enumerate().filter(|(_, claim)| fits(claim));
        let (voided, live): (Vec<usize>, Vec<usize>) =
            of_stay.map(|(index, _)| index).partition(is_voided);
        // A reversal with an id of its own was looked for among those that were applied.
        let is_unnamed = |index: &&usize| {
            let known = claims[**index].reversal.as_ref();
            self.reversal_id.is_none() || known.is_none_or(|known| known.reversal_id.is_none())
        };
        match live[..] {
            [index] => Reversed::Live(index),
            [] => {
                voided.iter().find(is_unnamed).map_or(Reversed::Unknown, |it| Reversed::Before(*it))
            }
            _ => Reversed::Unknown,
        }
    }

    /// Nothing is taken back before it is settled: what was settled later is the corrected bill.
    fn may_follow(&self, settlement: &Settlement) -> bool {
        let times = settlement.settle_time.zip(self.reverse_time);
        times.is_none_or(|(settled, reversed)| settled <= reversed)
    }

    fn standing(&self, claims: &[Arc<Claim>], index: usize) -> Reversed {
        let claim = &claims[index];
        let differs = |field| Reversed::Differs { claim_id: claim.id, field };
        let stated = &claim.settlement;
        if self.total.is_some_and(|total| total != stated.amounts.total) {
            differs("total_fen")
        } else if self.visit_id.is_some()
            && stated.visit_id.is_some()
            && self.visit_id != stated.visit_id
        {
            differs("visit_id")
        } else if claim.state() == ClaimState::Voided {
            Reversed::Before(index)
        } else {
            Reversed::Live(index)
        }
    }
}

impl Supplement {
    /// The claim it adds to: the one with its `settlement_id`, else the one of its stay that was not
    /// reversed. `None` where there is no such claim, or more than one.
    pub fn find(&self, claims: &[Arc<Claim>]) -> Option<usize> {
        let facts = &self.facts;
        if !facts.settlement_id.is_empty() {
            return claims.iter().position(|claim| {
                claim.settlement.source == facts.source
                    && claim.settlement.settlement_id == facts.settlement_id
            });
        }
        let mut of_stay = claims.iter().enumerate().filter(|(_, claim)| self.may_mean(claim));
        let (index, _) = of_stay.next()?;
        of_stay.next().is_none().then_some(index)
    }

    /// Whether it adds to a settlement that is none of these claims yet.
    pub fn is_about(&self, settlement: &Settlement, claims: &[Arc<Claim>]) -> bool {
        let facts = &self.facts;
        if facts.settlement_id.is_empty() {
            self.is_of_stay(settlement) && !claims.iter().any(|claim| self.may_mean(claim))
        } else {
            facts.source == settlement.source && facts.settlement_id == settlement.settlement_id
        }
    }

    /// Whether it may mean a claim by its stay alone.
    fn may_mean(&self, claim: &Claim) -> bool {
        claim.state() != ClaimState::Voided && self.is_of_stay(&claim.settlement)
    }

    fn is_of_stay(&self, settlement: &Settlement) -> bool {
        let facts = &self.facts;
        facts.visit_id.is_some()
            && facts.visit_id == settlement.visit_id
            && facts.source == settlement.source
            && self.lies_in(settlement)
    }

    /// Whether what names only the stay may belong to a settlement. An interim one covers a part of
    /// the stay, so the days of the lines have to lie in it.
    fn lies_in(&self, settlement: &Settlement) -> bool {
        if settlement.interim != Some(true) {
            return true;
        }
        let Some(span) = settlement.stay() else { return false };
        let mut days = self.facts.lines.iter().map(|line| line.service_date);
        !self.facts.lines.is_empty() && days.all(|day| day.is_some_and(|day| span.contains(day)))
    }

    /// The facts as if the whole settlement came again with them: what is not stated is as known.
    pub fn beside(&self, known: &Settlement) -> Settlement {
        let mut facts = self.facts.clone();
        facts.settlement_id.clone_from(&known.settlement_id);
        facts.without_basic_insurance = known.without_basic_insurance;
        facts.event.clone_from(&known.event);
        if facts.amounts.total == Fen::ZERO {
            facts.amounts.total = known.amounts.total;
        }
        facts
    }
}
