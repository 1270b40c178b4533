//! Where the facts of a message may stand: in the platform's answer, in the composite record around
//! it, in the request it answers, or flat in a push.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::findings::Findings;
use super::json;
use super::names::{self, Names};
use super::part::{Part, Places, object_of};
use crate::core::checks::{Checks, limits};

/// Where an answer to a query for fee lines (5204, 2301) may hold its rows.
const ROWS: [&str; 3] = ["feedetail", "data", "result"];

/// The parts of a message in which facts may stand. A part that is absent is an empty one.
#[derive(Default)]
pub(super) struct Parts<'m> {
    pub(super) root: Part<'m>,
    /// The composite record's envelope.
    pub(super) source: Part<'m>,
    /// The composite record's stay.
    pub(super) stay: Part<'m>,
    pub(super) output: Part<'m>,
    /// What was settled: `output.setlinfo`, or a push as a whole.
    pub(super) setlinfo: Part<'m>,
    /// The rows of an answer that is a list.
    pub(super) rows: Option<Vec<Part<'m>>>,
    /// The request's envelope.
    pub(super) request: Part<'m>,
    /// The request's content.
    pub(super) input: Part<'m>,
    /// What was asked inside it.
    pub(super) asked: Part<'m>,
    /// A settlement list (4101).
    pub(super) list: Part<'m>,
    pub(super) has_output: bool,
    pub(super) has_setlinfo: bool,
    pub(super) has_list: bool,
}

impl<'m> Parts<'m> {
    /// Finds the parts. `None` where the answer itself is of no use.
    pub(super) fn of(
        root: Part<'m>,
        embedded: Option<&'m str>,
        request: Option<Part<'m>>,
        checks: &mut Checks,
    ) -> Option<Parts<'m>> {
        let has_output = root.has("output") && embedded != Some("");
        // A message that asks and has no answer is its own request.
        let is_request = !has_output && root.has("input");
        let request = match request {
            Some(request) => request,
            None if is_request => root.clone(),
            None => Part::default(),
        };
        let input = request.child("input", checks);
        let mut parts = Parts {
            source: root.child("source", checks),
            stay: root.child("mdtrtinfo", checks),
            asked: if input.has("data") { input.child("data", checks) } else { input.clone() },
            has_output,
            root,
            request,
            input,
            ..Parts::default()
        };
        match embedded.filter(|text| !text.is_empty()) {
            Some(text) => match json::value(text) {
                Ok(raw) => parts.take_output(raw, checks),
                Err(problem) => {
                    checks.refuse("output", problem);
                    return None;
                }
            },
            None => {
                if let Some(raw) = parts.root.raw("output", checks).filter(|_| has_output) {
                    parts.take_output(raw, checks);
                }
            }
        }
        parts.take_setlinfo(checks);
        Some(parts)
    }

    fn take_output(&mut self, raw: &'m RawValue, checks: &mut Checks) {
        let path = self.root.field("output");
        if raw.get().starts_with('[') {
            self.rows = Some(Part::rows_of(raw, &path, limits::LINES_MAX, checks));
            return;
        }
        self.output = object_of(raw, path, checks);
        let name = ROWS.into_iter().find(|name| self.output.has(name));
        if let Some(name) = name.filter(|_| !self.output.has("setlinfo")) {
            self.rows = Some(self.output.rows(name, limits::LINES_MAX, checks));
        }
    }

    fn take_setlinfo(&mut self, checks: &mut Checks) {
        let is_settled = |part: &Part| Places(&[part]).state(names::TOTAL);
        let nested = self.root.child("setlinfo", &mut Checks::default());
        let settled = if self.output.has("setlinfo") {
            Some(self.output.child("setlinfo", checks))
        } else if !self.has_output && is_settled(&self.root) {
            Some(self.root.clone())
        } else if !self.has_output && is_settled(&nested) {
            Some(self.root.child("setlinfo", checks))
        } else {
            None
        };
        if let Some(settled) = settled {
            self.setlinfo = settled;
            self.has_setlinfo = true;
        } else if self.input.has("setlinfo") {
            self.list = self.input.child("setlinfo", checks);
            self.has_list = true;
        } else if !self.has_output && self.root.has("setlinfo") && self.root.has("diseinfo") {
            self.list = self.root.child("setlinfo", checks);
            self.input = self.root.clone();
            self.has_list = true;
        }
    }

    /// The part that holds `setldetail`: the answer, or a push.
    pub(super) fn details(&self) -> [&Part<'m>; 3] {
        [&self.output, &self.root, &self.setlinfo]
    }

    /// The platform that issued the ids: as the profile says, whose sender has only one; else where
    /// the composite or the request says, else as the answer's own id begins (region of six digits,
    /// time, sequence).
    pub(super) fn source_region(&self, findings: &mut Findings<'_>) -> String {
        if let Some(source) = &findings.profile.source {
            return source.clone();
        }
        let envelope = self.envelope();
        let envelope = Places(&envelope);
        if envelope.state(names::REGION) {
            // What is wrong with it is noted where the region of treatment is read.
            return envelope.region(names::REGION, &mut findings.checks).unwrap_or_default();
        }
        let answer = Places(&[&self.root, &self.source]);
        let answer = answer.stated(names::ANSWER_ID, &mut findings.checks);
        let region = answer
            .and_then(|(_, id)| id.get(..limits::REGION_DIGITS).map(str::to_owned))
            .filter(|region| region.bytes().all(|byte| byte.is_ascii_digit()));
        region.unwrap_or_else(|| {
            let problem = "is required to know the issuing platform: source.mdtrtarea_admvs, the \
                           request's mdtrtarea_admvs, an inf_refmsgid that begins with six \
                           digits, or the profile's source";
            findings.checks.refuse("source.mdtrtarea_admvs", problem);
            String::new()
        })
    }

    /// Where a message says by whom and where it was made.
    pub(super) fn envelope(&self) -> [&Part<'m>; 5] {
        [&self.source, &self.root, &self.request, &self.setlinfo, &self.stay]
    }

    /// Where a message may say something of an institution or of an insured region.
    fn stated_apart(&self) -> [&Part<'m>; 6] {
        [&self.source, &self.setlinfo, &self.list, &self.root, &self.request, &self.stay]
    }

    /// The institution as stated, else as the sender's own message id begins (institution of
    /// twelve characters, time, sequence).
    pub(super) fn hospital_code(&self, checks: &mut Checks) -> Option<String> {
        let places = self.stated_apart();
        let places = Places(&places);
        if places.state(names::HOSPITAL_CODE) {
            return places.code(names::HOSPITAL_CODE, limits::HOSPITAL_CODE_MAX, checks);
        }
        let (_, id) = Places(&[&self.setlinfo]).stated(names::SENDER_ID, checks)?;
        let code = id.get(..12)?;
        let institution = code.starts_with(['H', 'P']);
        let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (institution && plain).then(|| code.to_owned())
    }

    /// Where the person is insured.
    pub(super) fn insured_region(&self, checks: &mut Checks) -> Option<String> {
        let places = self.stated_apart();
        let places = Places(&places);
        places.region(names::INSURED_REGION, checks)
    }

    /// Request and stay tell region, hospital and days, so they must belong to the answer.
    pub(super) fn refuse_foreign_parts(&self, checks: &mut Checks) {
        for part in [&self.asked, &self.stay] {
            for names in [names::VISIT_ID, names::PERSON_NO] {
                self.refuse_foreign(part, names, checks);
            }
        }
    }

    /// Stay and query must be about the settlement that is answered. A reversal's request is not:
    /// it names the one that is taken back.
    pub(super) fn refuse_another_settlement(&self, checks: &mut Checks) {
        for part in [&self.asked, &self.stay] {
            self.refuse_foreign(part, names::SETTLEMENT_ID, checks);
        }
    }

    fn refuse_foreign(&self, part: &Part<'m>, names: Names, checks: &mut Checks) {
        let other: Option<(String, Cow<'_, str>)> = Places(&[part]).stated(names, checks);
        let answered = Places(&[&self.setlinfo]).stated(names, checks);
        if let (Some((field, other)), Some((_, answered))) = (other, answered)
            && other != answered
        {
            checks.refuse(&field, "must be that of the answer");
        }
    }
}
