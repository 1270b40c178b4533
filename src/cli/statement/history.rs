//! Everything that happened to a claim, in order, as people read it.

use super::columns::{hanging, padded};
use super::{actor_text, payout_text};
use crate::cli::event_line::{amounts, local_time, moved, reasons, trigger};
use crate::core::explain::Language;
use crate::pb;

/// A line for each thing that happened, with the words of people and the money below it; nothing
/// where there is none. Says nothing of the chains of steps: the claim's own is its statement.
pub(in crate::cli) fn of_history(history: &[pb::ClaimHistoryEntry], language: Language) -> String {
    if history.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", language.of("经过", "History"));
    for entry in history {
        let event = entry.event.clone().unwrap_or_default();
        let time = local_time(event.event_time.as_ref());
        let left = format!("  {time}  {}", padded(&event.revision, 8));
        out.push_str(&hanging(&left, &what_happened(&event, entry.act.as_ref(), language)));
        for payout in &event.payouts {
            out.push_str(&hanging("      ", &payout_text(payout)));
        }
        let Some(act) = &entry.act else { continue };
        for (name, text) in words(act, language) {
            // Every line of a text stays under its first one.
            for (index, line) in text.lines().enumerate() {
                let name = if index == 0 { name } else { "" };
                out.push_str(&hanging(&format!("      {}", padded(name, 10)), line));
            }
        }
    }
    out
}

/// Who or what did it, what for, and where the claim went; an act that moves nothing says so much.
fn what_happened(
    event: &pb::ClaimEvent,
    act: Option<&pb::ReviewAct>,
    language: Language,
) -> String {
    let what = match act {
        Some(act) => deed(act, event.state(), language),
        None => cause(event.cause(), language).to_owned(),
    };
    let what = format!("{what}{}", trigger(event, language));
    let is_moved =
        event.state_before() != event.state() || event.payout_before_fen != event.payout_fen;
    if act.is_some() && !is_moved {
        return what;
    }
    let (moved, amounts) = (moved(event, language), amounts(event, language));
    let (colon, comma) = language.of(("：", "，"), (": ", ", "));
    format!("{what}{colon}{moved}{comma}{amounts}{}", reasons(event))
}

fn cause(cause: pb::ClaimEventCause, language: Language) -> &'static str {
    use pb::ClaimEventCause::{
        Moved, Offset, Redecided, Reversed, Reviewed, Submitted, Supplemented, Unspecified,
    };
    match cause {
        Submitted => language.of("收到", "came in"),
        Supplemented => language.of("补充信息", "supplemented"),
        Redecided => language.of("重新理算", "decided again"),
        Reversed => language.of("撤销结算", "reversed"),
        Reviewed => language.of("人工审核", "reviewed"),
        Offset => language.of("冲抵", "set off"),
        Moved => language.of("参保对象合并", "moved"),
        Unspecified => "?",
    }
}

/// What a person did, and who it was.
fn deed(act: &pb::ReviewAct, after: pb::ClaimState, language: Language) -> String {
    use pb::ReviewDeed as D;
    let own = act.actor.as_ref().is_some_and(|actor| actor.name == act.assignee);
    let text = match act.deed() {
        D::Assign if act.assignee.is_empty() => language.of("释放", "let go of it").to_owned(),
        D::Assign if own => language.of("领取", "took it").to_owned(),
        D::Assign => {
            let to = &act.assignee;
            language.of(format!("分派给 {to}"), format!("assigned it to {to}"))
        }
        D::Approve if after == pb::ClaimState::Pended => {
            language.of("核准，待第二人复核", "approved it, the first of two").to_owned()
        }
        D::Approve => language.of("核准", "approved it").to_owned(),
        D::Deny => language.of("不予赔付", "denied it").to_owned(),
        D::RequestInformation => language.of("要求补件", "asked for information").to_owned(),
        D::ProvideInformation => language.of("提交补件", "gave the information").to_owned(),
        D::Reopen => language.of("重新审核", "reopened it").to_owned(),
        D::Contact => language.of("联系申请人", "spoke with the claimant").to_owned(),
        D::RefusalNotice => language.of("发出拒赔通知", "gave notice of the denial").to_owned(),
        D::Comment | D::Unspecified => language.of("备注", "commented").to_owned(),
    };
    format!("{} {text}", actor_text(act.actor.as_ref(), language))
}

/// The words of an act, each with its name.
fn words(act: &pb::ReviewAct, language: Language) -> Vec<(&'static str, &str)> {
    let note = (!act.note.is_empty()).then_some((language.of("说明", "note"), act.note.as_str()));
    let item = |text| (language.of("要求", "asked for"), text);
    let document = |text| (language.of("材料", "document"), text);
    let items = act.items.iter().map(String::as_str).map(item);
    let documents = act.documents.iter().map(String::as_str).map(document);
    note.into_iter().chain(items).chain(documents).collect()
}
