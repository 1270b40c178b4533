//! What an endpoint is asked: the request envelope of the national interface (`domain.md` 1.2) around
//! a query by time and id.

use serde::Serialize;
use serde_json::value::RawValue;

use super::schedule::Query;
use super::settings::Endpoint;
use crate::core::day::Moment;

/// The transaction.
const INFNO: &str = "5203";
/// An institution's code in a message id.
const CODE_CHARS: usize = 12;
/// A clerk; there is no kind for a program.
const OPERATOR_KIND: &str = "1";

/// What goes into an envelope.
pub struct Envelope<'a> {
    /// The text of `input`: JSON, or what encryption made of it.
    pub input: &'a str,
    /// The signature of that text.
    pub signature: Option<&'a str>,
    /// When.
    pub now: Moment,
    /// Counts the requests of a process; its last four digits tell those of one second apart.
    pub serial: u32,
}

#[derive(Serialize)]
struct Input<'a> {
    data: Data<'a>,
}

/// What is asked for. The last id is given with its time, so that records of one second are told
/// apart.
#[derive(Serialize)]
struct Data<'a> {
    begntime: String,
    setl_id: &'a str,
    page_size: String,
    order_by: &'static str,
}

/// The text of `input` that asks for a query.
pub fn input(endpoint: &Endpoint, query: &Query) -> String {
    let data = Data {
        begntime: time(query.after.time),
        setl_id: &query.after.id,
        page_size: query.page_size.to_string(),
        order_by: endpoint.paged_by.field(),
    };
    serde_json::to_string(&Input { data }).expect("texts are always JSON")
}

/// A local time, with milliseconds where it has any.
fn time(moment: Moment) -> String {
    match moment.micros().rem_euclid(1_000_000) / 1000 {
        0 => moment.local(),
        millis => format!("{}.{millis:03}", moment.local()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    infno: &'static str,
    msgid: String,
    mdtrtarea_admvs: &'a str,
    insuplc_admdvs: &'a str,
    recer_sys_code: &'a str,
    infver: &'a str,
    opter_type: &'static str,
    opter: &'a str,
    opter_name: &'a str,
    inf_time: String,
    fixmedins_code: &'a str,
    fixmedins_name: &'a str,
    signtype: &'a str,
    cainfo: &'a str,
    enc_type: &'a str,
    input: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Plain(&'a RawValue),
    Encrypted(&'a str),
}

/// The whole request.
pub fn body(endpoint: &Endpoint, envelope: &Envelope<'_>) -> String {
    let now = envelope.now.local();
    let content = match &endpoint.encryption {
        Some(_) => Content::Encrypted(envelope.input),
        None => Content::Plain(serde_json::from_str(envelope.input).expect("it was made as JSON")),
    };
    let body = Body {
        infno: INFNO,
        msgid: message_id(&endpoint.institution_code, &now, envelope.serial),
        mdtrtarea_admvs: &endpoint.region,
        insuplc_admdvs: endpoint.insured_region.as_deref().unwrap_or_default(),
        recer_sys_code: &endpoint.receiver,
        infver: &endpoint.interface_version,
        opter_type: OPERATOR_KIND,
        opter: &endpoint.operator,
        opter_name: &endpoint.operator,
        fixmedins_code: &endpoint.institution_code,
        fixmedins_name: &endpoint.institution_name,
        signtype: endpoint.signature.as_ref().map_or("", |it| &it.kind),
        cainfo: envelope.signature.unwrap_or_default(),
        enc_type: endpoint.encryption.as_ref().map_or("", |it| &it.kind),
        inf_time: now,
        input: content,
    };
    serde_json::to_string(&body).expect("texts are always JSON")
}

/// Institution (12), time (14), sequence (4).
fn message_id(code: &str, now: &str, serial: u32) -> String {
    let time: String = now.chars().filter(char::is_ascii_digit).collect();
    let code: String = code.chars().take(CODE_CHARS).collect();
    format!("{code:0<CODE_CHARS$}{time}{:04}", serial % 10_000)
}

/// The envelope that a record is handed over with, as the request it answers: it says by which
/// platform the record was issued.
pub fn of_record(endpoint: &Endpoint) -> String {
    #[derive(Serialize)]
    struct Asked<'a> {
        infno: &'static str,
        mdtrtarea_admvs: &'a str,
    }
    let asked = Asked { infno: INFNO, mdtrtarea_admvs: &endpoint.region };
    serde_json::to_string(&asked).expect("texts are always JSON")
}
