//! What was noted of a claim, and how long it may take.

use super::Page;
use crate::cli::event_line::local_time;
use crate::cli::statement::columns::padded;
use crate::core::explain::Language;
use crate::pb;

impl Page<'_> {
    /// What rules noted without holding the claim up.
    pub(super) fn flags(&mut self) {
        let claim = self.claim;
        if claim.flags.is_empty() {
            return;
        }
        self.heading("已标记", "Noted");
        for flag in &claim.flags {
            let text = self.language.of(&flag.text_zh, &flag.text_en);
            self.row(&format!("{}  ", flag.code), text);
        }
    }

    /// Its clocks, with when each runs out.
    pub(super) fn clocks(&mut self) {
        let claim = self.claim;
        if claim.clocks.is_empty() {
            return;
        }
        self.heading("时限", "Clocks");
        for clock in &claim.clocks {
            let name = padded(clock_name(&clock.clock_code, self.language), 16);
            let state = padded(state_word(clock.state(), self.language), 10);
            self.row(&format!("{name}{state}"), &span(clock, self.language));
        }
    }
}

/// From when until when a clock runs or ran.
fn span(clock: &pb::Clock, language: Language) -> String {
    let start = local_time(clock.start_time.as_ref());
    let due = clock.due_time.as_ref().map_or_else(
        || language.of("待补件后续计", "goes on with the answer").to_owned(),
        |due| {
            let due = local_time(Some(due));
            language.of(format!("{due} 到期"), format!("due {due}"))
        },
    );
    let stop = clock.stop_time.as_ref().map(|stop| {
        let stop = local_time(Some(stop));
        language.of(format!("，{stop} 完成"), format!(", done {stop}"))
    });
    let pauses = match clock.pauses.len() {
        0 => String::new(),
        count => language.of(format!("，暂停 {count} 次"), format!(", paused {count}×")),
    };
    language.of(
        format!("{start} 起，{due}{pauses}{}", stop.clone().unwrap_or_default()),
        format!("since {start}, {due}{pauses}{}", stop.unwrap_or_default()),
    )
}

/// What a clock is about.
fn clock_name(code: &str, language: Language) -> &str {
    match code {
        "CONTACT" => language.of("首次联系", "contact"),
        "SMALL_CLAIM" => language.of("小额案件", "small claim"),
        "DECISION" => language.of("核定", "decision"),
        "REFUSAL_NOTICE" => language.of("拒赔通知", "refusal notice"),
        "PAYMENT" => language.of("给付", "payment"),
        other => other,
    }
}

fn state_word(state: pb::ClockState, language: Language) -> &'static str {
    match state {
        pb::ClockState::Running => language.of("计时中", "running"),
        pb::ClockState::Paused => language.of("暂停", "paused"),
        pb::ClockState::Warning => language.of("将到期", "warning"),
        pb::ClockState::Breached => language.of("已超时", "BREACHED"),
        pb::ClockState::Met => language.of("按时", "met"),
        pb::ClockState::Unspecified => "?",
    }
}
