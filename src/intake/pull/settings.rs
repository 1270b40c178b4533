//! Which senders are fetched from, and how: one TOML file, checked as a whole, every problem at its
//! line. Every key is described in `deploy/senders/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::core::checks::limits;
use crate::core::day::Moment;
use crate::core::plan::document::PlanProblem;
use crate::core::plan::document::reader::{Reader, Table, Value};

/// Between two passes, in s.
const EVERY_DEFAULT: u16 = 10;
const EVERY_MAX: u16 = 3600;
/// Records in one page.
const PAGE_DEFAULT: u16 = 200;
const PAGE_MAX: u16 = 1000;
/// In minutes: longer than a record takes to become visible.
const OVERLAP_DEFAULT: u16 = 60;
const OVERLAP_MAX: u16 = 1440;
/// In days: how late manual and cross-region records come (`domain.md` 7, trap 11).
const LOOK_BACK_DEFAULT: u16 = 35;
const LOOK_BACK_MAX: u16 = 400;
/// In s: for a whole answer.
const TIMEOUT_DEFAULT: u16 = 30;
const TIMEOUT_MAX: u16 = 300;
/// In s: how long a file must not have grown.
const SETTLE_DEFAULT: u16 = 10;
const SETTLE_MAX: u16 = 3600;

/// Everything that is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senders(pub Vec<Sender>);

/// One sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name, which is that of its profile.
    pub sender: String,
    /// How long after a pass the next one begins.
    pub every: Duration,
    /// Where its settlements are.
    pub way: Way,
}

/// Where a sender's settlements are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Behind an HTTP endpoint that speaks the envelope of 5203.
    Endpoint(Box<Endpoint>),
    /// In files that somebody puts into a folder.
    Folder(Folder),
}

/// An HTTP endpoint that speaks the envelope of 5203.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is; `https`, or `http` on this machine.
    pub url: String,
    /// The region of treatment, six digits (`mdtrtarea_admvs`).
    pub region: String,
    /// The region of insurance, six digits (`insuplc_admdvs`).
    pub insured_region: Option<String>,
    /// Who asks (`fixmedins_code`), 12 characters mostly.
    pub institution_code: String,
    /// The name of who asks (`fixmedins_name`).
    pub institution_name: String,
    /// The receiving system (`recer_sys_code`).
    pub receiver: String,
    /// The version of the interface (`infver`).
    pub interface_version: String,
    /// The operator (`opter`, `opter_name`).
    pub operator: String,
    /// By which time records are in order.
    pub paged_by: PagedBy,
    /// Records in one page.
    pub page_size: u16,
    /// Where the very first pass begins.
    pub from: Moment,
    /// How far a pass begins before the newest known record.
    pub overlap: Duration,
    /// How far a pass looks back once a day; zero: never.
    pub look_back: Duration,
    /// How long an answer may take, as a whole.
    pub timeout: Duration,
    /// Certificates to trust beside none other, PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key, PEM.
    pub client_certificate_file: Option<PathBuf>,
    /// Headers by name whose values are secrets, each the content of a file.
    pub header_files: BTreeMap<String, PathBuf>,
    /// How requests are signed and answers checked.
    pub signature: Option<Signature>,
    /// How content is encrypted.
    pub encryption: Option<Encryption>,
}

/// By which time the records of an endpoint are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PagedBy {
    /// `opt_time`: when the platform recorded it, so that late settlements come last.
    OptTime,
    /// `setl_time`: when it was settled.
    SetlTime,
}

impl PagedBy {
    /// The name of the field.
    pub fn field(self) -> &'static str {
        match self {
            PagedBy::OptTime => "opt_time",
            PagedBy::SetlTime => "setl_time",
        }
    }
}

/// A program and its arguments. It reads standard input and writes its result to standard output.
pub type Hook = Vec<String>;

/// How requests are signed and answers checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The kind, as the envelope names it (`signtype`): `SM2`.
    pub kind: String,
    /// Makes the signature (`cainfo`) of the text of `input`.
    pub sign: Hook,
    /// Checks the answer's `cainfo`, in the variable `CAINFO`, of the text of `output`; succeeds
    /// where it fits.
    pub verify: Option<Hook>,
}

/// How content is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// The kind, as the envelope names it (`enc_type`): `SM4`.
    pub kind: String,
    /// Makes a text of `input`.
    pub encrypt: Hook,
    /// Makes JSON of the text of `output`.
    pub decrypt: Hook,
}

/// A folder into which files are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Where a file is while it is settled: out of reach of who puts files into the folder.
    pub working: PathBuf,
    /// Where files go that are settled, with their results beside them.
    pub done: PathBuf,
    /// Where files go that cannot be read as a whole, with the reason beside them.
    pub failed: PathBuf,
    /// For how long a file must not have changed.
    pub settle: Duration,
}

impl Senders {
    /// Reads the file, or tells everything that is wrong with it at its line.
    pub fn read(document: &str) -> Result<Senders, Vec<PlanProblem>> {
        let mut reader = Reader::new(document);
        let mut table = reader.root(document).map_err(|problem| vec![problem])?;
        let (mut names, mut folders) = (BTreeSet::new(), BTreeSet::new());
        let senders = reader.each(&mut table, "senders", |reader, value| {
            let path = format!("{}.sender", value.path);
            let sender = sender(reader, value)?;
            if !names.insert(sender.sender.clone()) {
                reader.problem(&path, "is listed twice", "");
            }
            if let Way::Folder(folder) = &sender.way
                && !folders.insert(folder.path.clone())
            {
                reader.problem(&path, "has a folder that is another sender's, too", "");
            }
            Some(sender)
        });
        if !table.has("senders") && names.is_empty() && reader.problems.is_empty() {
            reader.problem("senders", "is missing", "write [[senders]]");
        }
        reader.close(table);
        reader.problems.sort_by_key(|problem| problem.line);
        if reader.problems.is_empty() { Ok(Senders(senders)) } else { Err(reader.problems) }
    }
}

fn sender<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Sender> {
    let mut table = reader.inner(value)?;
    let name = reader.need(&mut table, "sender", "name its profile: sender = \"my-city\"");
    let name = name.and_then(|value| reader.id(&value));
    let every = seconds(reader, &mut table, "every_seconds", (EVERY_DEFAULT, 1, EVERY_MAX));
    let endpoint = reader.take(&mut table, "endpoint");
    let folder = reader.take(&mut table, "folder");
    let path = table.path.clone();
    reader.close(table);
    let way = match (endpoint, folder) {
        (Some(value), None) => {
            endpoint_of(reader, value).map(|endpoint| Way::Endpoint(Box::new(endpoint)))
        }
        (None, Some(value)) => folder_of(reader, value).map(Way::Folder),
        (Some(_), Some(_)) => {
            reader.problem(&path, "has an endpoint and a folder", "keep one of the two");
            None
        }
        (None, None) => {
            let hint = "write [senders.endpoint] or [senders.folder]";
            reader.problem(&path, "has neither an endpoint nor a folder", hint);
            None
        }
    };
    Some(Sender { sender: name?, every, way: way? })
}

/// A time with its default, least and most.
type Bounds = (u16, u16, u16);

fn number<'d>(
    reader: &mut Reader<'d>,
    table: &mut Table<'d>,
    key: &'static str,
    (default, least, most): Bounds,
) -> u16 {
    let value = reader.take(table, key);
    value.and_then(|value| reader.count(&value, least, most)).unwrap_or(default)
}

fn seconds<'d>(
    reader: &mut Reader<'d>,
    table: &mut Table<'d>,
    key: &'static str,
    bounds: Bounds,
) -> Duration {
    Duration::from_secs(number(reader, table, key, bounds).into())
}

fn text<'d>(
    reader: &mut Reader<'d>,
    table: &mut Table<'d>,
    key: &'static str,
    default: &str,
) -> String {
    let value = reader.take(table, key);
    value.and_then(|value| reader.text(&value)).unwrap_or_else(|| default.to_owned())
}

fn endpoint_of<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Endpoint> {
    let mut table = reader.inner(value)?;
    let it = &mut table;
    let url = reader.need(it, "url", "write url = \"https://…\"");
    let right = "must be https://…, or http:// on this machine";
    let url = url.and_then(|value| reader.parsed(&value, is_url, right));
    let region = reader.need(it, "region", "write region = \"370200\"");
    let region = region.and_then(|value| region_of(reader, &value));
    let insured_region = reader.take(it, "insured_region");
    let insured_region = insured_region.and_then(|value| region_of(reader, &value));
    let code = reader.need(it, "institution_code", "who asks: your code on the platform");
    let institution_code = code.and_then(|value| reader.id(&value));
    let institution_name = text(reader, it, "institution_name", "");
    let receiver = text(reader, it, "receiver", "YBXT");
    let interface_version = text(reader, it, "interface_version", "V1.0");
    let operator = text(reader, it, "operator", "greenlane");
    let paged_by = reader.take(it, "paged_by").and_then(|value| reader.choice(&value));
    let page_size = number(reader, it, "page_size", (PAGE_DEFAULT, 1, PAGE_MAX));
    let from = reader.need(it, "from_date", "where to begin: from_date = \"2024-01-01\"");
    let from = from.and_then(|value| reader.day(&value));
    let overlap = number(reader, it, "overlap_minutes", (OVERLAP_DEFAULT, 0, OVERLAP_MAX));
    let look_back = number(reader, it, "look_back_days", (LOOK_BACK_DEFAULT, 0, LOOK_BACK_MAX));
    let timeout = seconds(reader, it, "timeout_seconds", (TIMEOUT_DEFAULT, 1, TIMEOUT_MAX));
    let ca_file = path(reader, it, "ca_file");
    let client_certificate_file = path(reader, it, "client_certificate_file");
    let header_files = reader.take(it, "header_files");
    let header_files = header_files.map(|it| headers(reader, it)).unwrap_or_default();
    let signature = reader.take(it, "signature");
    let signature = signature.map(|value| signature_of(reader, value));
    let encryption = reader.take(it, "encryption");
    let encryption = encryption.map(|value| encryption_of(reader, value));
    reader.close(table);
    Some(Endpoint {
        url: url?,
        region: region?,
        insured_region,
        institution_code: institution_code?,
        institution_name,
        receiver,
        interface_version,
        operator,
        paged_by: paged_by.unwrap_or(PagedBy::OptTime),
        page_size,
        from: from?.start(),
        overlap: Duration::from_mins(overlap.into()),
        look_back: Duration::from_hours(24 * u64::from(look_back)),
        timeout,
        ca_file,
        client_certificate_file,
        header_files,
        signature: match signature {
            Some(it) => Some(it?),
            None => None,
        },
        encryption: match encryption {
            Some(it) => Some(it?),
            None => None,
        },
    })
}

fn is_url(text: &str) -> Option<String> {
    let url: http::Uri = text.parse().ok()?;
    let host = url.host()?.trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    let fits = match url.scheme_str()? {
        "https" => !host.is_empty(),
        "http" => is_here,
        _ => false,
    };
    // A secret in a URL would stand in the logs of every proxy.
    (fits && !url.authority()?.as_str().contains('@')).then(|| text.to_owned())
}

fn region_of(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let six_digits = |text: &str| {
        let fits = text.len() == limits::REGION_DIGITS;
        (fits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    };
    reader.parsed(value, six_digits, "must be a region of six digits such as \"370200\"")
}

fn path<'d>(reader: &mut Reader<'d>, table: &mut Table<'d>, key: &'static str) -> Option<PathBuf> {
    let value = reader.take(table, key)?;
    reader.parsed(&value, path_of, "must be a path")
}

fn path_of(text: &str) -> Option<PathBuf> {
    (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
}

fn headers<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> BTreeMap<String, PathBuf> {
    let Some(table) = reader.inner(value) else { return BTreeMap::new() };
    let entries = reader.take_all(table);
    let read = entries.into_iter().filter_map(|(name, value)| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(allowed) {
            reader.problem(&value.path, "must be the name of a header", "such as authorization");
        }
        let file = reader.parsed(&value, path_of, "must be the path of a file with its value")?;
        Some((name.to_ascii_lowercase(), file))
    });
    read.collect()
}

fn signature_of<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Signature> {
    let mut table = reader.inner(value)?;
    let kind = reader.need(&mut table, "kind", "as the envelope names it: kind = \"SM2\"");
    let kind = kind.and_then(|value| reader.id(&value));
    let sign = reader.need(&mut table, "sign", "write sign = [\"/usr/local/bin/sign\"]");
    let sign = sign.and_then(|value| hook(reader, value));
    let verify = reader.take(&mut table, "verify").map(|value| hook(reader, value));
    reader.close(table);
    let verify = match verify {
        Some(hook) => Some(hook?),
        None => None,
    };
    Some(Signature { kind: kind?, sign: sign?, verify })
}

fn encryption_of<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Encryption> {
    let mut table = reader.inner(value)?;
    let kind = reader.need(&mut table, "kind", "as the envelope names it: kind = \"SM4\"");
    let kind = kind.and_then(|value| reader.id(&value));
    let encrypt = reader.need(&mut table, "encrypt", "write encrypt = [\"/usr/local/bin/sm4\"]");
    let encrypt = encrypt.and_then(|value| hook(reader, value));
    let decrypt = reader.need(&mut table, "decrypt", "write decrypt = [\"/usr/local/bin/sm4\"]");
    let decrypt = decrypt.and_then(|value| hook(reader, value));
    reader.close(table);
    Some(Encryption { kind: kind?, encrypt: encrypt?, decrypt: decrypt? })
}

/// A program and its arguments; its path is absolute, so that nothing else is found in its place.
fn hook<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Hook> {
    let path = value.path.clone();
    let words = reader.list(value);
    let count = words.len();
    let hook: Hook = words
        .into_iter()
        .filter_map(|word| reader.parsed(&word, |text| Some(text.to_owned()), "must be a text"))
        .collect();
    if !hook.first().is_some_and(|program| program.starts_with('/')) {
        reader.problem(&path, "must begin with the absolute path of a program", "");
    }
    (hook.len() == count && count > 0).then_some(hook)
}

fn folder_of<'d>(reader: &mut Reader<'d>, value: Value<'d>) -> Option<Folder> {
    let mut table = reader.inner(value)?;
    let folder = reader.need(&mut table, "path", "write path = \"/srv/sftp/hospital\"");
    let folder = folder.and_then(|value| reader.parsed(&value, path_of, "must be a path"));
    let working = path(reader, &mut table, "working");
    let done = path(reader, &mut table, "done");
    let failed = path(reader, &mut table, "failed");
    let settle = seconds(reader, &mut table, "settle_seconds", (SETTLE_DEFAULT, 1, SETTLE_MAX));
    reader.close(table);
    let folder = folder?;
    let mut beside = folder.components().as_path().as_os_str().to_owned();
    beside.push(".working");
    Some(Folder {
        working: working.unwrap_or_else(|| beside.into()),
        done: done.unwrap_or_else(|| folder.join("done")),
        failed: failed.unwrap_or_else(|| folder.join("failed")),
        path: folder,
        settle,
    })
}

#[cfg(test)]
mod tests;
