//! What stands of the work of people on the claim of a page.

use super::Page;
use crate::cli::event_line::local_time;
use crate::cli::statement::{actor_text, yuan};
use crate::pb;

impl Page<'_> {
    pub(super) fn review(&mut self) {
        let review = self.claim.review.as_ref().filter(|it| **it != pb::Review::default());
        let Some(review) = review else { return };
        self.heading("人工审核", "Review");
        if review.pend_time.is_some() {
            self.fact("待审自", "waits since", &local_time(review.pend_time.as_ref()));
            let nobody = self.word("无", "nobody");
            let who = if review.assignee.is_empty() { nobody } else { &review.assignee };
            self.fact("审核人", "assignee", who);
        }
        if let Some(proposal) = &review.proposal {
            self.proposal(proposal);
        }
        if let Some(inquiry) = &review.inquiry {
            self.inquiry(inquiry);
        }
        if let Some(set) = review.set_fen {
            self.fact("核定金额", "amount set", &yuan(set));
        }
        self.fact("已核实原因", "let pass", &review.accepted_reason_codes.join(", "));
    }

    fn proposal(&mut self, proposal: &pb::Proposal) {
        let by = actor_text(proposal.actor.as_ref(), self.language);
        let amount = yuan(proposal.payout_fen);
        let text = self.language.of(
            format!("{amount}，{by} 已核准，待第二人复核"),
            format!("{amount} by {by}; a second person has to approve it"),
        );
        self.fact("双人复核", "proposal", &text);
    }

    fn inquiry(&mut self, inquiry: &pb::Inquiry) {
        let asked = local_time(inquiry.ask_time.as_ref());
        let count = inquiry.item_count;
        let answered = match inquiry.answer_time.as_ref().map(|time| local_time(Some(time))) {
            Some(time) => self.language.of(format!("{time} 已答复"), format!("answered {time}")),
            None => self.word("尚未答复", "not answered yet").to_owned(),
        };
        let text = self.language.of(
            format!("{asked}，{count} 项，{answered}"),
            format!("{count} at {asked}; {answered}"),
        );
        self.fact("补件要求", "asked for", &text);
    }
}
