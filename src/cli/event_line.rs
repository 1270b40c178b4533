//! Events of claims as lines: one for people, one for programs.

use serde_json::{Map, Value, json};

use super::statement::{next_step, standing_text, yuan};
use crate::core::explain::Language;
use crate::pb;
use crate::pb::watch_claims_response::Item;

/// China has one time and no summer time.
const SHANGHAI: jiff::tz::Offset = jiff::tz::offset(8);

/// An event in one line for people; times are those of Asia/Shanghai.
pub(super) fn for_people(event: &pb::ClaimEvent, language: Language) -> String {
    let figures = match (event.payout_fen, event.patient_share_fen) {
        (Some(payout), Some(share)) => {
            let (plan, person) = (language.of("本方案", "plan"), language.of("个人", "person"));
            format!("{plan} {} {person} {}", yuan(payout), yuan(share))
        }
        _ => no_figure(language).to_owned(),
    };
    let hospital = if event.hospital_code.is_empty() { "-" } else { &event.hospital_code };
    format!(
        "{}  {:<8} {:<13} {}/{}  {}  {figures}{}; {}",
        local_time(event.event_time.as_ref()),
        event.claim_id,
        hospital,
        event.source,
        event.settlement_id,
        moved(event, language),
        reasons(event),
        next_step(event.next_step(), language),
    )
}

/// What an act, a merge or an import changed of a claim, in one line: where it went, its amount
/// before and after, and what it was decided again for.
pub(super) fn change(event: &pb::ClaimEvent, language: Language) -> String {
    format!(
        "{:<8} {}/{}  {}  {}{}{}",
        event.claim_id,
        event.source,
        event.settlement_id,
        moved(event, language),
        amounts(event, language),
        reasons(event),
        trigger(event, language),
    )
}

/// Where a claim went, or that something else changed.
pub(super) fn moved(event: &pb::ClaimEvent, language: Language) -> String {
    let after = standing_text(event.state(), event.route(), &event.denial_reason, language);
    match event.state_before() {
        pb::ClaimState::Unspecified => after,
        before if before == event.state() => {
            format!("{after}, {}", language.of("结果更新", "changed"))
        }
        before => {
            let before = standing_text(before, pb::Route::Unspecified, "", language);
            format!("{before} → {after}")
        }
    }
}

/// What the plan pays, and what it paid before where that was another amount.
pub(super) fn amounts(event: &pb::ClaimEvent, language: Language) -> String {
    let after = event.payout_fen.map_or_else(|| no_figure(language).to_owned(), yuan);
    match event.payout_before_fen {
        Some(before) if Some(before) != event.payout_fen => format!("{} → {after}", yuan(before)),
        _ => after,
    }
}

/// What a claim was decided again for; nothing where it was not.
pub(super) fn trigger(event: &pb::ClaimEvent, language: Language) -> String {
    let (zh, en) = match event.trigger() {
        pb::ClaimEventTrigger::Unspecified => return String::new(),
        pb::ClaimEventTrigger::Claim => {
            let claim = &event.trigger_claim_id;
            return language.of(format!("，因赔案 {claim}"), format!(", for claim {claim}"));
        }
        pb::ClaimEventTrigger::Roster => ("，因参保名册", ", for the roster"),
        pb::ClaimEventTrigger::Plan => ("，因方案版本", ", for a plan version"),
        pb::ClaimEventTrigger::Merge => ("，因参保对象合并", ", for a merge of members"),
    };
    language.of(zh, en).to_owned()
}

/// The codes of all reasons for a review.
pub(super) fn reasons(event: &pb::ClaimEvent) -> String {
    match event.review_reason_codes.as_slice() {
        [] => String::new(),
        codes => format!(" [{}]", codes.join(", ")),
    }
}

fn no_figure(language: Language) -> &'static str {
    language.of("尚无理算结果", "no figure")
}

/// A time of the wire as people in China read it.
pub(super) fn local_time(time: Option<&prost_types::Timestamp>) -> String {
    timestamp(time).map_or_else(
        || "?".to_owned(),
        |time| SHANGHAI.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// A response in one line for programs: JSON with the names of the API. What is empty is left out.
pub(super) fn for_programs(response: &pb::WatchClaimsResponse) -> String {
    let mut line = Map::new();
    match &response.item {
        Some(Item::Event(event)) => line.insert("event".to_owned(), event_json(event)),
        Some(Item::Progress(progress)) => {
            let is_up_to_date = progress.is_up_to_date;
            line.insert("progress".to_owned(), json!({ "is_up_to_date": is_up_to_date }))
        }
        None => None,
    };
    line.insert("resume_token".to_owned(), json!(response.resume_token));
    Value::Object(line).to_string()
}

fn event_json(event: &pb::ClaimEvent) -> Value {
    let full = json!({
        "claim_id": event.claim_id,
        "revision": event.revision,
        "event_time": instant(event.event_time.as_ref()),
        "cause": event.cause().as_str_name(),
        "state_before": (event.state_before() != pb::ClaimState::Unspecified)
            .then(|| event.state_before().as_str_name()),
        "state": event.state().as_str_name(),
        "route": event.route().as_str_name(),
        "member_id": event.member_id,
        "source": event.source,
        "settlement_id": event.settlement_id,
        "hospital_code": event.hospital_code,
        "plan_id": event.plan_id,
        "plan_version": event.plan_version,
        "payout_fen": event.payout_fen,
        "patient_share_fen": event.patient_share_fen,
        "review_reason_codes": event.review_reason_codes,
        "denial_reason": event.denial_reason,
        "payouts": event.payouts.iter().map(payout_json).collect::<Vec<_>>(),
        "payment_mode": event.payment_mode().as_str_name(),
        "next_step": event.next_step().as_str_name(),
        "payout_before_fen": event.payout_before_fen,
        "trigger": (event.trigger() != pb::ClaimEventTrigger::Unspecified)
            .then(|| event.trigger().as_str_name()),
        "trigger_claim_id": event.trigger_claim_id,
        "act": event.act.as_ref().map(act_json),
    });
    without_empty(full)
}

/// What a person did. Watchers are not told the words.
fn act_json(act: &pb::ReviewAct) -> Value {
    let actor = act.actor.clone().unwrap_or_default();
    without_empty(json!({
        "actor": { "name": actor.name, "is_asserted": actor.is_asserted },
        "deed": act.deed().as_str_name(),
        "assignee": act.assignee,
        "set_fen": act.set_fen,
        "denial_reason": act.denial_reason,
    }))
}

fn payout_json(payout: &pb::Payout) -> Value {
    without_empty(json!({
        "payout_id": payout.payout_id,
        "kind": payout.kind().as_str_name(),
        "amount_fen": payout.amount_fen,
        "state": payout.state().as_str_name(),
        "create_time": instant(payout.create_time.as_ref()),
        "offset_payout_id": payout.offset_payout_id,
    }))
}

fn instant(time: Option<&prost_types::Timestamp>) -> Option<String> {
    timestamp(time).map(|time| time.to_string())
}

fn timestamp(time: Option<&prost_types::Timestamp>) -> Option<jiff::Timestamp> {
    time.and_then(|time| jiff::Timestamp::new(time.seconds, time.nanos).ok())
}

fn without_empty(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| match field {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> pb::ClaimEvent {
        pb::ClaimEvent {
            claim_id: "3-7".to_owned(),
            revision: "3/41".to_owned(),
            event_time: Some(prost_types::Timestamp { seconds: 1_729_308_034, nanos: 120_000_000 }),
            cause: pb::ClaimEventCause::Redecided.into(),
            state_before: pb::ClaimState::Denied.into(),
            state: pb::ClaimState::Approved.into(),
            route: pb::Route::Green.into(),
            source: "370200".to_owned(),
            settlement_id: "S-1".to_owned(),
            payout_fen: Some(200_000),
            patient_share_fen: Some(0),
            next_step: pb::NextStep::AwaitTransfer.into(),
            ..pb::ClaimEvent::default()
        }
    }

    #[test]
    fn people_read_where_it_went_and_what_to_do() {
        assert_eq!(
            for_people(&event(), Language::En),
            "2024-10-19 11:20:34  3-7      -             370200/S-1  DENIED → APPROVED by the \
             green channel  plan 2,000.00 person 0.00; collect the burden; the payout is transferred"
        );
        let pended = pb::ClaimEvent {
            state_before: 0,
            state: pb::ClaimState::Pended.into(),
            payout_fen: None,
            review_reason_codes: vec!["PERSON_UNCLEAR".to_owned()],
            next_step: pb::NextStep::AwaitReview.into(),
            ..event()
        };
        assert_eq!(
            for_people(&pended, Language::Zh),
            "2024-10-19 11:20:34  3-7      -             370200/S-1  待人工审核  尚无理算结果 \
             [PERSON_UNCLEAR]; 个人先付清，赔付待人工审核"
        );
    }

    #[test]
    fn programs_read_the_names_of_the_api() {
        let item = Some(Item::Event(event()));
        let response = pb::WatchClaimsResponse { resume_token: "t".to_owned(), item };
        let line: Value = serde_json::from_str(&for_programs(&response)).unwrap();
        assert_eq!(line["resume_token"], "t");
        assert_eq!(line["event"]["event_time"], "2024-10-19T03:20:34.12Z");
        assert_eq!(line["event"]["state_before"], "CLAIM_STATE_DENIED");
        assert_eq!(line["event"]["payout_fen"], 200_000);
        assert_eq!(line["event"]["patient_share_fen"], 0, "zero is a figure");
        assert_eq!(line["event"].get("hospital_code"), None);
        let item = Some(Item::Progress(pb::WatchProgress { is_up_to_date: true }));
        let progress = pb::WatchClaimsResponse { resume_token: "u".to_owned(), item };
        let line = r#"{"progress":{"is_up_to_date":true},"resume_token":"u"}"#;
        assert_eq!(for_programs(&progress), line);
    }
}
