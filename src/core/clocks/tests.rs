use super::*;
use crate::core::figures::{Figure, FigureKind};

/// The shipped working days.
fn china() -> Calendar {
    let text = include_str!("../../../deploy/calendars/cn.toml");
    match Figure::read(FigureKind::Calendar, text) {
        Ok(Figure::Calendar(calendar)) => (*calendar).clone(),
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> Moment {
    Moment::parse_local(&format!("{text}:00")).unwrap()
}

/// `from-until`, each a local minute; an open pause has no end.
fn paused(of: &[(&str, &str)]) -> Vec<Pause> {
    let until = |text: &str| (!text.is_empty()).then(|| at(text));
    of.iter().map(|(from, end)| Pause { from: at(from), until: until(end) }).collect()
}

#[track_caller]
fn ends(start: &str, (limit, unit): (u16, Unit), stops: &[(&str, &str)], end: &str) {
    let calendar = china();
    let pauses = paused(stops);
    let runs = Runs { pauses: &pauses, working: (unit == Unit::WorkingDays).then_some(&calendar) };
    let length = if unit == Unit::Hours { HOUR } else { DAY };
    let found = runs.end(at(start), i64::from(limit) * length);
    let found = found.map(Moment::local).unwrap_or_default();
    let wanted = if end.is_empty() { String::new() } else { format!("{end}:00") };
    assert_eq!(found, wanted, "{limit} {unit:?} from {start}, paused {stops:?}");
}

#[test]
fn hours_and_days_of_the_calendar_run_through_every_holiday() {
    ends("2025-12-31 16:20", (72, Unit::Hours), &[], "2026-01-03 16:20");
    ends("2026-09-30 17:59", (10, Unit::Days), &[], "2026-10-10 17:59");
    ends("2026-02-28 00:00", (30, Unit::Days), &[], "2026-03-30 00:00");
}

#[test]
fn working_days_stop_over_new_year_and_run_on_the_sunday_that_is_worked() {
    // Wednesday; Thursday to Saturday are off, Sunday the 4th is worked.
    ends("2025-12-31 16:20", (1, Unit::WorkingDays), &[], "2026-01-04 16:20");
    ends("2025-12-31 16:20", (2, Unit::WorkingDays), &[], "2026-01-05 16:20");
    // What begins on a day off begins with the next day that is worked.
    ends("2026-01-02 11:11", (1, Unit::WorkingDays), &[], "2026-01-05 00:00");
}

#[test]
fn working_days_stop_over_national_day() {
    // Wednesday the 30th; off until Wednesday the 7th; Saturday the 10th is worked.
    ends("2026-09-30 17:59", (1, Unit::WorkingDays), &[], "2026-10-08 17:59");
    ends("2026-09-30 17:59", (3, Unit::WorkingDays), &[], "2026-10-10 17:59");
    ends("2026-09-30 17:59", (4, Unit::WorkingDays), &[], "2026-10-12 17:59");
    // Friday the 18th: Saturday is off, Sunday the 20th is worked.
    ends("2026-09-18 09:00", (1, Unit::WorkingDays), &[], "2026-09-20 09:00");
}

#[test]
fn the_spring_festival_has_a_worked_saturday_on_either_side() {
    ends("2026-02-13 12:00", (1, Unit::WorkingDays), &[], "2026-02-14 12:00");
    ends("2026-02-13 12:00", (2, Unit::WorkingDays), &[], "2026-02-24 12:00");
    ends("2026-02-27 12:00", (1, Unit::WorkingDays), &[], "2026-02-28 12:00");
}

#[test]
fn a_pause_moves_the_end_by_what_the_clock_would_have_run() {
    // A minute is a minute.
    let minute = [("2026-03-03 10:00", "2026-03-03 10:01")];
    ends("2026-03-02 09:30", (72, Unit::Hours), &minute, "2026-03-05 09:31");
    // Over a weekend only the working hours count: Friday 15:00 to 24:00, Monday 0:00 to 10:00.
    let weekend = [("2026-03-06 15:00", "2026-03-09 10:00")];
    ends("2026-03-05 09:00", (3, Unit::WorkingDays), &weekend, "2026-03-11 04:00");
    // Over National Day, from before it to after it.
    let holidays = [("2026-09-30 12:00", "2026-10-08 09:15")];
    ends("2026-09-29 12:00", (2, Unit::WorkingDays), &holidays, "2026-10-09 09:15");
    // Twice, one right after the other.
    let twice =
        [("2026-03-03 08:00", "2026-03-03 09:00"), ("2026-03-03 09:00", "2026-03-03 11:30")];
    ends("2026-03-02 00:00", (2, Unit::Days), &twice, "2026-03-04 03:30");
    // Paused from its first moment on.
    let first = [("2026-03-02 00:00", "2026-03-04 07:45")];
    ends("2026-03-02 00:00", (1, Unit::Days), &first, "2026-03-05 07:45");
    // After its end nothing moves it.
    let after = [("2026-03-04 00:01", "2026-03-09 00:00")];
    ends("2026-03-02 00:00", (2, Unit::Days), &after, "2026-03-04 00:00");
}

#[test]
fn a_clock_that_is_paused_has_no_end_yet() {
    ends("2026-03-02 00:00", (2, Unit::Days), &[("2026-03-03 08:00", "")], "");
    ends("2026-03-02 00:00", (1, Unit::Days), &[("2026-03-03 08:00", "")], "2026-03-03 00:00");
}

#[test]
fn without_a_calendar_every_weekday_is_worked() {
    let weekdays = Calendar::default();
    let runs = Runs { pauses: &[], working: Some(&weekdays) };
    let end = runs.end(at("2026-09-30 17:59"), DAY).unwrap();
    assert_eq!(end.local(), "2026-10-01 17:59:00");
}

proptest::proptest! {
    /// Whatever the pauses, a clock has run exactly its limit when it ends: by counting minutes.
    #[test]
    fn a_clock_has_run_its_limit_when_it_ends(
        start in 0i64..40 * 1440,
        limit in 1i64..6 * 1440,
        lengths in proptest::collection::vec((1i64..2880, 1i64..2880), 0..4),
        is_working in proptest::bool::ANY,
    ) {
        const MINUTE: i64 = 60_000_000;
        let base = at("2026-09-10 00:00").micros();
        let minute = |it: i64| Moment::from_micros(base + it * MINUTE);
        let mut pauses = Vec::new();
        let mut from = start;
        for (gap, length) in lengths {
            pauses.push(Pause { from: minute(from + gap), until: Some(minute(from + gap + length)) });
            from += gap + length;
        }
        let calendar = china();
        let runs = Runs { pauses: &pauses, working: is_working.then_some(&calendar) };
        let end = (runs.end(minute(start), limit * MINUTE).unwrap().micros() - base) / MINUTE;
        let is_running = |it: &i64| {
            let now = minute(*it);
            let is_paused = pauses.iter().any(|p| p.from <= now && p.until.is_some_and(|u| now < u));
            !is_paused && (!is_working || calendar.is_workday(now.day().unwrap()))
        };
        let ran = i64::try_from((start..end).filter(is_running).count()).unwrap();
        proptest::prop_assert_eq!(ran, limit);
        proptest::prop_assert!(is_running(&(end - 1)), "it ends with a minute that runs");
    }
}

#[test]
fn a_state_tells_how_a_clock_stands() {
    let clock = |stop: Option<&str>| Clock {
        kind: ClockKind::Decision,
        start: at("2026-03-02 00:00"),
        pauses: Vec::new(),
        warn: Some(at("2026-03-04 00:00")),
        due: Some(at("2026-03-05 00:00")),
        stop: stop.map(at),
    };
    let open = clock(None);
    assert_eq!(open.state(at("2026-03-03 23:59")), ClockState::Running);
    assert_eq!(open.state(at("2026-03-04 00:00")), ClockState::Warning);
    assert_eq!(open.state(at("2026-03-05 00:00")), ClockState::Warning);
    assert_eq!(open.state(at("2026-03-05 00:01")), ClockState::Breached);
    let later = at("2026-06-01 00:00");
    assert_eq!(clock(Some("2026-03-05 00:00")).state(later), ClockState::Met);
    assert_eq!(clock(Some("2026-03-05 00:01")).state(later), ClockState::Breached);
    let waiting = Clock { pauses: paused(&[("2026-03-03 00:00", "")]), due: None, ..clock(None) };
    assert_eq!(waiting.state(later), ClockState::Paused);
}

#[test]
fn a_timeline_begins_anew_when_a_decision_is_reopened() {
    let moment = Moment::from_micros;
    let new = Timeline::default().after(None, ClaimState::Pended, None, moment(10));
    assert_eq!((new.complete, new.pended), (None, Some(moment(10))));
    let asked = new.after(
        Some(ClaimState::Pended),
        ClaimState::InformationRequested,
        Some(&Deed::RequestInformation),
        moment(20),
    );
    assert_eq!(asked.contact, Some(moment(20)));
    let told = asked.after(
        Some(ClaimState::InformationRequested),
        ClaimState::Pended,
        Some(&Deed::ProvideInformation),
        moment(50),
    );
    assert_eq!(told.pauses, [Pause { from: moment(20), until: Some(moment(50)) }]);
    let denied = told.after(Some(ClaimState::Pended), ClaimState::Denied, None, moment(60));
    assert_eq!((denied.decided, denied.pended), (Some(moment(60)), Some(moment(10))));
    let notice = Deed::Contact { purpose: ContactPurpose::RefusalNotice };
    let noted =
        denied.after(Some(ClaimState::Denied), ClaimState::Denied, Some(&notice), moment(70));
    assert_eq!(noted.notice, Some(moment(70)));
    let again = noted.after(Some(ClaimState::Denied), ClaimState::Pended, None, moment(90));
    let begun =
        Timeline { complete: Some(moment(90)), pended: Some(moment(90)), ..Timeline::default() };
    assert_eq!(again, begun);
}

#[test]
fn what_was_denied_and_is_let_through_for_another_reason_is_decided_at_once() {
    let june = Moment::from_micros(500);
    let from = Some(ClaimState::Denied);
    let line = Timeline::default().after(from, ClaimState::Approved, None, june);
    let begun = Timeline { complete: Some(june), decided: Some(june), ..Timeline::default() };
    assert_eq!(line, begun);
}

#[test]
fn what_is_decided_as_it_comes_leaves_nothing_to_remember() {
    for state in [ClaimState::Approved, ClaimState::Denied, ClaimState::Incomplete] {
        let line = Timeline::default().after(None, state, None, Moment::from_micros(5));
        assert!(line.is_empty(), "{state:?}");
    }
    let line = Timeline::default().after(
        Some(ClaimState::Incomplete),
        ClaimState::Approved,
        None,
        Moment::from_micros(9),
    );
    assert_eq!((line.complete, line.decided), (Some(Moment::from_micros(9)), line.complete));
}
