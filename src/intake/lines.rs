//! Fee lines: rows of a composite record, of an answer to 5204, or of an answer to 2301 that are
//! joined with the rows of its request.

use std::collections::HashMap;

use super::findings::Findings;
use super::names::{self, Names};
use super::part::{Part, Places};
use super::parts::Parts;
use crate::core::checks::{Checks, limits};
use crate::core::settlement::{Line, Quantity};

/// The lines of a composite record, each of which must belong to the settlement `own`.
pub(super) fn of_composite(parts: &Parts<'_>, own: &str, findings: &mut Findings<'_>) -> Vec<Line> {
    let rows = parts.root.rows("feedetail", limits::LINES_MAX, &mut findings.checks);
    let lines = rows.iter().map(|row| {
        let stated = Places(&[row]).stated(names::SETTLEMENT_ID, &mut findings.checks);
        if let Some((field, id)) = stated
            && !own.is_empty()
            && id != own
        {
            findings.checks.refuse(&field, "must be that of the settlement");
        }
        for names in [names::VISIT_ID, names::PERSON_NO] {
            let stated = Places(&[row]).stated(names, &mut findings.checks);
            let settled = Places(&[&parts.setlinfo]).stated(names, &mut findings.checks);
            if let (Some((field, stated)), Some((_, settled))) = (stated, settled)
                && stated != settled
            {
                findings.checks.refuse(&field, "must be that of the settlement");
            }
        }
        line(row, Places(&[row]), findings)
    });
    let lines = lines.collect();
    once(lines, &parts.root.field("feedetail"), findings)
}

/// Each line once: pages of an answer overlap. One number with two contents is a problem.
fn once(lines: Vec<Line>, path: &str, findings: &mut Findings<'_>) -> Vec<Line> {
    let mut by_number: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Line> = Vec::with_capacity(lines.len());
    for (index, line) in lines.into_iter().enumerate() {
        match by_number.get(&line.line_no) {
            // That it has no number was told.
            _ if line.line_no.is_empty() => kept.push(line),
            None => {
                by_number.insert(line.line_no.clone(), kept.len());
                kept.push(line);
            }
            Some(first) if kept[*first] == line => {}
            Some(_) => {
                let field = format!("{path}[{index}].{}", names::LINE_NO[0]);
                findings.checks.refuse(&field, "is given twice with different content");
            }
        }
    }
    kept
}

/// Lines that came apart from their settlement, and what they belong to.
#[derive(Default)]
pub(super) struct Apart {
    pub(super) lines: Vec<Line>,
    pub(super) settlement_id: Option<String>,
    pub(super) visit_id: Option<String>,
}

/// The lines of an answer or of a composite record without a settlement.
pub(super) fn apart(parts: &Parts<'_>, findings: &mut Findings<'_>) -> Apart {
    let composite;
    let rows = if let Some(rows) = &parts.rows {
        rows
    } else {
        composite = parts.root.rows("feedetail", limits::LINES_MAX, &mut findings.checks);
        &composite
    };
    let asked = asked_rows(parts, &mut findings.checks);
    let silent = Part::default();
    let mut apart = Apart::default();
    for row in rows {
        let number = Places(&[row]).stated(names::LINE_NO, &mut findings.checks);
        let joined = number.and_then(|(_, number)| asked.get(&*number)).unwrap_or(&silent);
        let places = Places(&[row, joined]);
        one_of(&mut apart.settlement_id, places, names::SETTLEMENT_ID, &mut findings.checks);
        one_of(&mut apart.visit_id, places, names::VISIT_ID, &mut findings.checks);
        apart.lines.push(line(row, places, findings));
    }
    let path = if parts.rows.is_some() { "output" } else { "feedetail" };
    apart.lines = once(apart.lines, &parts.root.field(path), findings);
    apart
}

/// The rows of a request by their number: they name stay, item and day, which an answer to 2301
/// leaves out.
fn asked_rows<'m>(parts: &Parts<'m>, checks: &mut Checks) -> HashMap<String, Part<'m>> {
    let holder = [&parts.input, &parts.asked].into_iter().find(|part| part.has("feedetail"));
    let rows = holder.map(|part| part.rows("feedetail", limits::LINES_MAX, checks));
    let mut by_number = HashMap::new();
    for row in rows.into_iter().flatten() {
        let number = Places(&[&row]).stated(names::LINE_NO, checks);
        if let Some((_, number)) = number {
            by_number.insert(number.into_owned(), row);
        }
    }
    by_number
}

/// All lines of a message belong to one settlement and one stay.
fn one_of(known: &mut Option<String>, row: Places<'_, '_>, names: Names, checks: &mut Checks) {
    let Some((field, id)) = row.stated(names, checks) else { return };
    let max = limits::SETTLEMENT_ID_MAX.max(limits::VISIT_ID_MAX);
    match known {
        Some(known) if **known != *id => checks.refuse(&field, "must be that of the other lines"),
        Some(_) => {}
        None => *known = checks.code(&field, &id, max),
    }
}

/// How many of the item. A platform writes what it likes here: what is no number is not known.
fn quantity(places: Places<'_, '_>, checks: &mut Checks) -> Option<Quantity> {
    let (_, text) = places.written(names::QUANTITY, checks)?;
    Quantity::parse(&text)
}

fn line(row: &Part<'_>, places: Places<'_, '_>, findings: &mut Findings<'_>) -> Line {
    let own = Places(&[row]);
    let checks = &mut findings.checks;
    own.require(names::LINE_NO, checks);
    own.require(names::LINE_TOTAL, checks);
    let line_no = own.code(names::LINE_NO, limits::LINE_NO_MAX, checks).unwrap_or_default();
    let item_code = places.personal(names::ITEM_CODE, limits::ITEM_CODE_MAX, checks);
    let item_name = places.personal(names::ITEM_NAME, limits::ITEM_NAME_MAX, checks);
    let charge_class = findings.coded(places, names::CHARGE_CLASS);
    let catalogue_level = findings.coded(places, names::CATALOGUE_LEVEL);
    let checks = &mut findings.checks;
    Line {
        line_no,
        item_code,
        item_name,
        charge_class,
        catalogue_level,
        service_date: places.day(names::SERVICE_TIME, checks).map(|(_, day)| day),
        quantity: quantity(places, checks),
        total: own.amount(names::LINE_TOTAL, checks).unwrap_or_default(),
        out_of_catalogue: own.amount(names::OUT_OF_CATALOGUE, checks),
        over_limit: own.amount(names::OVER_LIMIT, checks),
        advance_self_pay: own.amount(names::ADVANCE_SELF_PAY, checks),
        in_scope: own.amount(names::IN_SCOPE, checks),
    }
}
