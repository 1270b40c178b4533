//! Profile documents: TOML, checked as a whole as plans are, every problem at its line. Every key is
//! described in `deploy/profiles/README.md`.

use std::collections::BTreeMap;

use super::{Institution, Profile, ReversalDialect};
use crate::core::checks::limits;
use crate::core::money::Fen;
use crate::core::plan::document::PlanProblem;
use crate::core::plan::document::reader::{Reader, Table, Value};
use crate::intake::dictionary;

/// Beyond one yuan two amounts are not the same amount rounded twice.
const TOLERANCE_FEN_MAX: i64 = 100;

/// Reads and checks a profile document.
pub(super) fn read(document: &str) -> Result<Profile, Vec<PlanProblem>> {
    let mut reader = Reader::new(document);
    let mut table = reader.root(document).map_err(|problem| vec![problem])?;
    let profile = profile(&mut reader, &mut table);
    reader.close(table);
    reader.problems.sort_by_key(|problem| problem.line);
    match profile {
        Some(profile) if reader.problems.is_empty() => Ok(profile),
        _ => Err(reader.problems),
    }
}

fn profile<'d>(reader: &mut Reader<'d>, table: &mut Table<'d>) -> Option<Profile> {
    let profile_id = reader.need(table, "profile_id", "write profile_id = \"my-city\"");
    let profile_id = profile_id.and_then(|value| reader.id(&value));
    let version = reader.need(table, "version", "write version = \"1\"");
    let version = version.and_then(|value| reader.id(&value));
    let name = reader.need(table, "name", "name it for people");
    let name = name.and_then(|value| reader.text(&value));
    let source = reader.take(table, "source").and_then(|value| region(reader, &value));
    let holds_account = reader.take(table, "fund_total_includes_account");
    let holds_account = holds_account.and_then(|value| reader.flag(&value));
    let reversal = reader.take(table, "reversal");
    let reversal: Option<ReversalDialect> = reversal.and_then(|value| reader.choice(&value));
    let tolerance = reader.take(table, "tolerance").and_then(|value| tolerance(reader, &value));
    let hospital_code = reader.take(table, "hospital_code");
    let hospital_code = hospital_code.and_then(|value| institution_code(reader, &value));
    let institutions = institutions(reader, table);
    let codes = reader.take(table, "codes");
    let codes = codes.map(|codes| all_codes(reader, codes)).unwrap_or_default();
    Some(Profile {
        profile_id: profile_id?,
        version: version?,
        name: name?,
        source,
        fund_total_includes_account: holds_account.unwrap_or_default(),
        reversal,
        tolerance,
        hospital_code,
        institutions,
        codes,
    })
}

fn region(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let six_digits = |text: &str| digits(text, limits::REGION_DIGITS);
    reader.parsed(value, six_digits, "must be a region of six digits such as \"370200\"")
}

fn digits(text: &str, count: usize) -> Option<String> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.to_owned())
}

fn tolerance(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Fen> {
    let tolerance = reader.amount(value)?;
    if tolerance.fen() > TOLERANCE_FEN_MAX {
        reader.problem(&value.path, "must be at most 1.00", "one fen is \"0.01\"");
        return None;
    }
    Some(tolerance)
}

fn institution_code(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let code = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = (1..=limits::HOSPITAL_CODE_MAX).contains(&text.len());
        (plain && fits).then(|| text.to_owned())
    };
    reader.parsed(value, code, "must be an institution's code such as \"H37029999001\"")
}

fn institutions<'d>(
    reader: &mut Reader<'d>,
    table: &mut Table<'d>,
) -> BTreeMap<String, Institution> {
    let mut known = BTreeMap::new();
    let read = reader.each(table, "institutions", institution);
    for (path, code, institution) in read {
        if known.contains_key(&code) {
            reader.problem(&path, "is listed twice", "");
        }
        known.insert(code, institution);
    }
    known
}

fn institution<'d>(
    reader: &mut Reader<'d>,
    value: Value<'d>,
) -> Option<(String, String, Institution)> {
    let mut table = reader.inner(value)?;
    let code = reader.need(&mut table, "code", "write code = \"H37029999001\"");
    let path = format!("{}.code", table.path);
    let code = code.and_then(|value| institution_code(reader, &value));
    let two_digits =
        |text: &str| digits(text, 2).filter(|level| dictionary::is_known("hosp_lv", level));
    let level = reader.take(&mut table, "level");
    let problem = "must be a level from \"01\" to \"11\"";
    let level = level.and_then(|value| reader.parsed(&value, two_digits, problem));
    let region_of = reader.take(&mut table, "region").and_then(|value| region(reader, &value));
    reader.close(table);
    Some((path, code?, Institution { level, region: region_of }))
}

/// The sender's codes, a table for each coded field.
fn all_codes<'d>(
    reader: &mut Reader<'d>,
    value: Value<'d>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut codes = BTreeMap::new();
    let Some(mut table) = reader.inner(value) else { return codes };
    for field in dictionary::fields() {
        let Some(value) = reader.take(&mut table, field) else { continue };
        let Some(table) = reader.inner(value) else { continue };
        let entries = reader.take_all(table);
        let read = entries.into_iter().filter_map(|(from, value)| {
            let max =
                if field == "fund_pay_type" { limits::FUND_CODE_MAX } else { limits::CODE_MAX };
            let known = |to: &str| {
                let fits = to.len() <= max && to.bytes().all(|byte| byte.is_ascii_graphic());
                (fits && dictionary::is_known(field, to)).then(|| to.to_owned())
            };
            let problem = format!("must be a code of the national dictionary of {field}");
            Some((from, reader.parsed(&value, known, &problem)?))
        });
        codes.insert(field.to_owned(), read.collect());
    }
    reader.close(table);
    codes
}
