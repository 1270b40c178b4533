//! The national shape of a settlement: `output.setlinfo` and `output.setldetail`, and around them
//! either the platform's envelope or the composite record's `source`, `mdtrtinfo` and `feedetail`.

use std::borrow::Cow;

use super::names::{self, Names};
use super::part::{Part, Places};
use super::{Message, Reading, Unreadable};
use crate::core::checks::{Checks, limits};
use crate::core::money::Fen;
use crate::core::settlement::{
    Amounts, Diagnosis, FundPayment, Line, Person, Settlement, TOLERANCE, is_fund,
};

/// What the message answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Settlement,
    Quote,
}

/// The parts of a message in which facts may stand.
struct Parts<'m> {
    root: Part<'m>,
    /// The composite record's envelope.
    source: Part<'m>,
    /// The composite record's stay.
    stay: Part<'m>,
    setlinfo: Part<'m>,
    output: Part<'m>,
    /// The request's envelope.
    request: Part<'m>,
    /// What was asked inside it.
    input: Part<'m>,
}

/// Reads a 2304 or 2303 answer.
pub(super) fn read(message: &Message<'_>) -> Result<Reading, Unreadable> {
    let mut checks = Checks::default();
    let Some(root) = Part::document(message.payload, "payload", "", &mut checks) else {
        return refused(checks);
    };
    if let Some(detail) = failure(&root, &mut checks) {
        return Ok(Reading::NoSettlement { detail });
    }
    let embedded = root.embedded("output").filter(|text| !text.is_empty());
    let output = match &embedded {
        Some(text) => Part::document(text.as_bytes(), "output", "output", &mut checks),
        None => Some(root.child("output", &mut checks)),
    };
    let Some(output) = output else { return refused(checks) };
    let request = match message.request_payload.filter(|bytes| !bytes.is_empty()) {
        Some(bytes) => Part::document(bytes, "request_payload", "request_payload", &mut checks),
        None => None,
    };
    let request = request.unwrap_or_default();
    let input = request.child("input", &mut checks).child("data", &mut checks);
    if !output.has("setlinfo") {
        let missing = if root.has("output") { "output.setlinfo" } else { "output" };
        checks.refuse(missing, "is required");
        return refused(checks);
    }
    let parts = Parts {
        source: root.child("source", &mut checks),
        stay: root.child("mdtrtinfo", &mut checks),
        setlinfo: output.child("setlinfo", &mut checks),
        root,
        output,
        request,
        input,
    };
    let asked = parts.asked(message.infno, &mut checks);
    parts.refuse_reversals(&mut checks);
    parts.refuse_foreign_parts(&mut checks);
    let settlement = Box::new(parts.settlement(asked, &mut checks));
    let reading = match asked {
        Asked::Settlement => Reading::Settlement(settlement),
        Asked::Quote => Reading::Quote(settlement),
    };
    checks.done(reading).map_err(|problems| Unreadable { problems })
}

fn refused(checks: Checks) -> Result<Reading, Unreadable> {
    let unknown = Reading::NoSettlement { detail: String::new() };
    checks.done(unknown).map_err(|problems| Unreadable { problems })
}

/// What the platform answered if it did not settle. Its `err_msg` stays out: it names persons.
fn failure(root: &Part<'_>, checks: &mut Checks) -> Option<String> {
    let (_, infcode) = Places(&[root]).stated(names::INFCODE, checks)?;
    let digits = infcode.strip_prefix('-').unwrap_or(&infcode);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match &*infcode {
        _ if number && digits.bytes().all(|byte| byte == b'0') => None,
        // A code is short; a longer number may be anything, an identity card included.
        code if number && digits.len() <= 5 => {
            Some(format!("the platform answered infcode {code}"))
        }
        _ => Some("the platform answered an infcode that is not 0".to_owned()),
    }
}

impl Parts<'_> {
    /// Which transaction this answers. Who says nothing sends a settlement.
    fn asked(&self, infno: Option<&str>, checks: &mut Checks) -> Asked {
        let mut told: Vec<(String, Cow<'_, str>)> = Vec::new();
        if let Some(infno) = infno.filter(|infno| !infno.is_empty()) {
            told.push(("infno".to_owned(), infno.into()));
        }
        for part in [&self.source, &self.root, &self.request] {
            told.extend(Places(&[part]).stated(names::INFNO, checks));
        }
        for (field, infno) in &told {
            if !matches!(&**infno, "2303" | "2304") {
                checks.refuse(field, "must be 2304 or 2303: other transactions are not read yet");
            } else if *infno != told[0].1 {
                checks.refuse(field, format!("must be the same transaction as {}", told[0].0));
            }
        }
        let quote = told.first().is_some_and(|(_, infno)| infno == "2303");
        if quote { Asked::Quote } else { Asked::Settlement }
    }

    /// A reversal, or a settlement that was reversed, must not pass for a claim.
    fn refuse_reversals(&self, checks: &mut Checks) {
        let problem = "says that this is a reversal, which is not read yet";
        let setlinfo = Places(&[&self.setlinfo]);
        if let Some((field, _)) = setlinfo.stated(names::ORIGINAL_ID, checks) {
            checks.refuse(&field, problem);
        }
        if let Some((field, flag)) = setlinfo.stated(names::REFUND_FLAG, checks)
            && flag != "0"
        {
            checks.refuse(&field, problem);
        }
        if let Some((field, kind)) = Places(&[&self.root]).stated(names::RECORD_TYPE, checks)
            && kind != "original"
        {
            checks.refuse(&field, "must be original: other records are not read yet");
        }
    }

    /// Request and stay tell region, hospital and days, so they must belong to the answer.
    fn refuse_foreign_parts(&self, checks: &mut Checks) {
        for part in [&self.input, &self.stay] {
            for names in [names::VISIT_ID, names::PERSON_NO] {
                let other = Places(&[part]).stated(names, checks);
                let answered = Places(&[&self.setlinfo]).stated(names, checks);
                if let (Some((field, other)), Some((_, answered))) = (other, answered)
                    && other != answered
                {
                    checks.refuse(&field, "must be that of the answer");
                }
            }
        }
    }

    fn settlement(&self, asked: Asked, checks: &mut Checks) -> Settlement {
        let setlinfo = Places(&[&self.setlinfo]);
        let envelope = Places(&[&self.source, &self.request]);
        let stay = Places(&[&self.stay, &self.setlinfo, &self.input]);
        let anywhere = Places(&[&self.setlinfo, &self.stay, &self.input]);
        if asked == Asked::Settlement {
            setlinfo.require(names::SETTLEMENT_ID, checks);
        }
        setlinfo.require(names::TOTAL, checks);
        let settlement_id = setlinfo.code(names::SETTLEMENT_ID, limits::SETTLEMENT_ID_MAX, checks);
        let admission = stay.day(names::ADMISSION, checks);
        let discharge = stay.day(names::DISCHARGE, checks);
        if let (Some((_, first)), Some((field, last))) = (&admission, &discharge) {
            checks.day_order(field, Some(*first), Some(*last));
        }
        let settings = Places(&[&self.source, &self.setlinfo]);
        let insured = Places(&[&self.source, &self.setlinfo, &self.request]);
        Settlement {
            source: self.source_region(checks),
            settlement_id: settlement_id.unwrap_or_default(),
            visit_id: anywhere.code(names::VISIT_ID, limits::VISIT_ID_MAX, checks),
            person: self.person(checks),
            hospital_code: self.hospital_code(checks),
            hospital_level: settings.two_digits(names::HOSPITAL_LEVEL, limits::CODE_MAX, checks),
            region: envelope.region(names::REGION, checks),
            insured_region: insured.region(names::INSURED_REGION, checks),
            insurance_type: anywhere.code(names::INSURANCE_TYPE, limits::CODE_MAX, checks),
            medical_category: anywhere.code(names::MEDICAL_CATEGORY, limits::CODE_MAX, checks),
            admission_date: admission.map(|(_, day)| day),
            discharge_date: discharge.map(|(_, day)| day),
            settle_time: setlinfo.moment(names::SETTLE_TIME, checks),
            diagnoses: self.diagnoses(checks),
            invoice_no: self.invoice_no(checks),
            without_basic_insurance: false,
            event: None,
            amounts: amounts(setlinfo, checks),
            funds: self.funds(checks),
            lines: self.lines(checks),
        }
    }

    /// The platform that issued the id: where the composite or the request says, else as the
    /// answer's own id begins (region of six digits, time, sequence).
    fn source_region(&self, checks: &mut Checks) -> String {
        let envelope = Places(&[&self.source, &self.request]);
        if envelope.state(names::REGION) {
            // What is wrong with it is noted where the region of treatment is read.
            return envelope.region(names::REGION, &mut Checks::default()).unwrap_or_default();
        }
        let answer = Places(&[&self.root, &self.source]).stated(names::ANSWER_ID, checks);
        let region = answer
            .and_then(|(_, id)| id.get(..limits::REGION_DIGITS).map(str::to_owned))
            .filter(|region| region.bytes().all(|byte| byte.is_ascii_digit()));
        region.unwrap_or_else(|| {
            let problem = "is required to know the issuing platform: source.mdtrtarea_admvs, the \
                           request's mdtrtarea_admvs, or an inf_refmsgid that begins with six \
                           digits";
            checks.refuse("source.mdtrtarea_admvs", problem);
            String::new()
        })
    }

    /// The institution as stated, else as the sender's own message id begins (institution of
    /// twelve characters, time, sequence).
    fn hospital_code(&self, checks: &mut Checks) -> Option<String> {
        let places = Places(&[&self.source, &self.setlinfo, &self.request]);
        if places.state(names::HOSPITAL_CODE) {
            return places.code(names::HOSPITAL_CODE, limits::HOSPITAL_CODE_MAX, checks);
        }
        let (_, id) = Places(&[&self.setlinfo]).stated(names::SENDER_ID, checks)?;
        let code = id.get(..12)?;
        let institution = code.starts_with(['H', 'P']);
        let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (institution && plain).then(|| code.to_owned())
    }

    fn person(&self, checks: &mut Checks) -> Person {
        let setlinfo = Places(&[&self.setlinfo]);
        if !setlinfo.state(names::CERT_NO) && !setlinfo.state(names::PERSON_NO) {
            let [field, other] = [names::CERT_NO[0], names::PERSON_NO[0]];
            checks.refuse(&self.setlinfo.field(field), format!("is required, or {other}"));
        }
        Person {
            cert_type: setlinfo.two_digits(names::CERT_TYPE, limits::CODE_MAX, checks),
            cert_no: setlinfo.personal(names::CERT_NO, limits::CERT_NO_MAX, checks),
            name: setlinfo.personal(names::PERSON_NAME, limits::NAME_MAX, checks),
            psn_no: setlinfo.personal(names::PERSON_NO, limits::PSN_NO_MAX, checks),
            card_no: None,
        }
    }

    /// The main diagnosis. A name without a code is not one: rules go by code.
    fn diagnoses(&self, checks: &mut Checks) -> Vec<Diagnosis> {
        let stay = Places(&[&self.stay]);
        let code = stay.personal(names::DIAGNOSIS_CODE, limits::DIAGNOSIS_CODE_MAX, checks);
        let name = stay.personal(names::DIAGNOSIS_NAME, limits::DIAGNOSIS_NAME_MAX, checks);
        code.map(|code| Diagnosis { code, name: name.unwrap_or_default() }).into_iter().collect()
    }

    /// The invoice's number alone, without `bill_code`: `invono` of the other transactions has no
    /// code, and the same invoice must not look like another one.
    fn invoice_no(&self, checks: &mut Checks) -> Option<String> {
        let places = Places(&[&self.setlinfo, &self.stay, &self.input]);
        places.code(names::INVOICE_NO, limits::INVOICE_NO_MAX, checks)
    }

    /// What the funds paid, by fund where that agrees with the platform's own sums per fund; else
    /// those sums, so that the core sees what the total is made of.
    fn funds(&self, checks: &mut Checks) -> Vec<FundPayment> {
        let rows = self.output.rows("setldetail", limits::FUNDS_MAX, checks);
        let detailed: Vec<FundPayment> =
            rows.iter().filter_map(|row| fund(Places(&[row]), checks)).collect();
        let setlinfo = Places(&[&self.setlinfo]);
        let summed: Vec<FundPayment> = names::FUND_SUMS
            .iter()
            .filter_map(|names| {
                let amount = setlinfo.amount(names, checks)?;
                Some(FundPayment { fund_code: names[0].to_owned(), amount })
            })
            .collect();
        let sum = |funds: &[FundPayment]| funds.iter().map(|fund| fund.amount).sum::<Fen>();
        let agree = sum(&detailed).distance(sum(&summed)) <= TOLERANCE;
        let by_fund = summed.is_empty() || (agree && !detailed.is_empty());
        let mut funds = if by_fund { detailed } else { summed };
        funds.retain(|fund| fund.amount > Fen::ZERO);
        funds
    }

    fn lines(&self, checks: &mut Checks) -> Vec<Line> {
        let rows = self.root.rows("feedetail", limits::LINES_MAX, checks);
        rows.iter().map(|row| self.line(row, checks)).collect()
    }

    fn line(&self, row: &Part<'_>, checks: &mut Checks) -> Line {
        let places = Places(&[row]);
        let own = Places(&[&self.setlinfo]).stated(names::SETTLEMENT_ID, checks);
        if let (Some((field, id)), Some((_, own))) =
            (places.stated(names::SETTLEMENT_ID, checks), own)
            && id != own
        {
            checks.refuse(&field, "must be that of the settlement");
        }
        places.require(names::LINE_NO, checks);
        places.require(names::LINE_TOTAL, checks);
        let code =
            |names: Names, checks: &mut Checks| places.two_digits(names, limits::CODE_MAX, checks);
        Line {
            line_no: places.code(names::LINE_NO, limits::LINE_NO_MAX, checks).unwrap_or_default(),
            item_code: places.personal(names::ITEM_CODE, limits::ITEM_CODE_MAX, checks),
            item_name: places.personal(names::ITEM_NAME, limits::ITEM_NAME_MAX, checks),
            charge_class: code(names::CHARGE_CLASS, checks),
            catalogue_level: code(names::CATALOGUE_LEVEL, checks),
            service_date: places.day(names::SERVICE_TIME, checks).map(|(_, day)| day),
            total: places.amount(names::LINE_TOTAL, checks).unwrap_or_default(),
            out_of_catalogue: places.amount(names::OUT_OF_CATALOGUE, checks),
            over_limit: places.amount(names::OVER_LIMIT, checks),
            advance_self_pay: places.amount(names::ADVANCE_SELF_PAY, checks),
            in_scope: places.amount(names::IN_SCOPE, checks),
        }
    }
}

/// One row of `setldetail`; `None` where it is no fund's money.
fn fund(row: Places<'_, '_>, checks: &mut Checks) -> Option<FundPayment> {
    let fund_code = row.text(names::FUND_CODE, limits::FUND_CODE_MAX, checks);
    if fund_code.as_deref().is_some_and(|code| !is_fund(code)) {
        return None;
    }
    row.require(names::FUND_CODE, checks);
    row.require(names::FUND_AMOUNT, checks);
    let amount = row.amount(names::FUND_AMOUNT, checks)?;
    Some(FundPayment { fund_code: fund_code?, amount })
}

fn amounts(setlinfo: Places<'_, '_>, checks: &mut Checks) -> Amounts {
    Amounts {
        total: setlinfo.amount(names::TOTAL, checks).unwrap_or_default(),
        out_of_catalogue: setlinfo.amount(names::OUT_OF_CATALOGUE, checks),
        over_limit: setlinfo.amount(names::OVER_LIMIT, checks),
        advance_self_pay: setlinfo.amount(names::ADVANCE_SELF_PAY, checks),
        in_scope: setlinfo.amount(names::IN_SCOPE, checks),
        basic_deductible: setlinfo.amount(names::BASIC_DEDUCTIBLE, checks),
        fund_total: setlinfo.amount(names::FUND_TOTAL, checks),
        hospital_borne: setlinfo.amount(names::HOSPITAL_BORNE, checks),
        personal_total: setlinfo.amount(names::PERSONAL_TOTAL, checks),
        account: setlinfo.amount(names::ACCOUNT, checks),
        cash: setlinfo.amount(names::CASH, checks),
    }
}
