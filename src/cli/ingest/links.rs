//! Which rejects of the server the records of a corrected rejects file correct, as the results of the
//! run that wrote it tell. Refuses to guess: a file with more or fewer records than were refused is
//! sent without.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::journal::parse;
use super::row::{Header, Row, hash_text};
use crate::intake::file::{Encoding, Records, Source, read_line};

/// The ids of rejects by the number of the record that corrects each, from 0.
#[derive(Default)]
pub(super) struct Links(HashMap<u64, String>);

/// A record that was refused, as its run has told.
struct Written {
    /// That of its text.
    hash: String,
    reject_id: Option<String>,
}

impl Links {
    /// The links of the records of an input that corrects the rejects at `rejects`, or itself. None where it is no rejects file beside the results of its
    /// run, and where it has been cut or added to; only that is told to `say`.
    pub(super) fn of(
        sources: &[Source],
        rejects: Option<&Path>,
        encoding: Option<Encoding>,
        spool: &Path,
        say: impl FnOnce(&str),
    ) -> Links {
        let [Source { path: Some(path), is_in_folder: false, .. }] = sources else {
            return Links::default();
        };
        let rejects = rejects.unwrap_or(path);
        let Some(results) = results_of(rejects) else { return Links::default() };
        let written = written(&results, rejects, spool);
        if written.iter().all(|it| it.reject_id.is_none()) {
            return Links::default();
        }
        let mut records = Records::of(sources.to_vec(), encoding, spool.to_owned());
        let mut hashes = Vec::new();
        while let Ok(Some(record)) = records.next() {
            hashes.push(hash_text(record.hash));
        }
        if hashes.len() != written.len() {
            say(&format!(
                "{} has {} records and {} tells of {}: which corrects which cannot be told, so \
                 rejects may stay listed on the server",
                path.display(),
                hashes.len(),
                results.display(),
                written.len()
            ));
            return Links::default();
        }
        Links(linked(&written, &hashes))
    }

    /// The reject that the nth record corrects, from 0.
    pub(super) fn take(&mut self, number: u64) -> Option<String> {
        self.0.remove(&number)
    }
}

/// Where the results of the run are that wrote these rejects, by their name.
fn results_of(rejects: &Path) -> Option<PathBuf> {
    let name = rejects.file_name()?.to_str()?;
    let (input, rest) = name.rsplit_once(".rejects")?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = || rest.strip_prefix('-')?.strip_suffix(".csv");
    let is_ours = matches!(rest, ".ndjson" | ".csv") || numbered().is_some_and(is_number);
    let results = rejects.with_file_name(format!("{input}.results.ndjson"));
    // What is no file can be read only once.
    (is_ours && rejects.is_file() && results.is_file()).then_some(results)
}

/// What a run has written into one file of its rejects, in order. Empty where its results cannot be
/// read.
fn written(results: &Path, rejects: &Path, spool: &Path) -> Vec<Written> {
    let Ok(file) = File::open(results) else { return Vec::new() };
    let mut reader = BufReader::new(file);
    let mut next = || read_line(&mut reader, spool).ok().flatten().filter(|raw| raw.is_ended);
    if next().and_then(|first| parse::<Header>(&first)).is_none() {
        return Vec::new();
    }
    let name = rejects.file_name().and_then(OsStr::to_str);
    let is_table = rejects.extension().is_some_and(|it| it == "csv");
    let (mut first, mut is_first_table, mut named) = (Vec::new(), None, Vec::new());
    while let Some(row) = next().and_then(|raw| parse::<Row>(&raw)) {
        let (Some(line), Some(refused)) = (row.rejects_line, row.refused) else { continue };
        let written = Written { hash: row.hash, reject_id: refused.reject_id };
        if row.rejects_file.is_none() {
            // Rows stand below a header, so none of them begins on the first line.
            is_first_table.get_or_insert(line != 1);
            first.push(written);
        } else if row.rejects_file.as_deref() == name {
            named.push(written);
        }
    }
    if named.is_empty() && is_first_table == Some(is_table) { first } else { named }
}

/// Which record corrects which reject. Where several were the same bytes they have one reject: it is
/// made good when the last of them is, and not while one of them is as it was.
fn linked(written: &[Written], hashes: &[String]) -> HashMap<u64, String> {
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for (it, number) in written.iter().zip(0..) {
        if let Some(id) = &it.reject_id {
            numbers.insert(id, number);
            *counts.entry(id).or_default() += 1;
        }
    }
    for (it, hash) in written.iter().zip(hashes) {
        if let Some(id) = it.reject_id.as_deref()
            && counts[id] > 1
            && it.hash == *hash
        {
            numbers.remove(id);
        }
    }
    numbers.into_iter().map(|(id, number)| (number, id.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `id=hash` of each record that was refused, and the hashes of those that are sent.
    fn links(written: &str, sent: &str) -> String {
        let written: Vec<Written> = written
            .split(' ')
            .map(|it| it.split_once('=').unwrap())
            .map(|(id, hash)| Written {
                hash: hash.to_owned(),
                reject_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            })
            .collect();
        let hashes: Vec<String> = sent.split(' ').map(str::to_owned).collect();
        let mut links = Links(linked(&written, &hashes));
        let ids = (0..hashes.len() as u64).map(|n| links.take(n).unwrap_or_default());
        ids.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn records_correct_the_rejects_in_whose_places_they_stand() {
        assert_eq!(links("a=1 b=2 c=3", "1 8 9"), "a,b,c");
        assert_eq!(links("a=1 =2 c=3", "7 8 9"), "a,,c", "what was never sent has none");
    }

    /// Taken out with the first of them, the others would be lost.
    #[test]
    fn a_reject_of_several_records_is_corrected_by_the_last_of_them() {
        assert_eq!(links("a=1 b=2 a=1 a=1", "7 8 9 6"), ",b,,a");
        assert_eq!(links("a=1 b=2 a=1", "1 8 9"), ",b,", "one of them is as it was");
        assert_eq!(links("a=1 b=2 a=1", "7 8 1"), ",b,");
    }

    #[test]
    fn results_are_looked_for_beside_what_has_the_name_of_rejects() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("day.csv.results.ndjson"), "").unwrap();
        let is_found = |name: &str| {
            std::fs::write(path(name), "").unwrap();
            results_of(&path(name)).is_some()
        };
        for name in ["day.csv.rejects.csv", "day.csv.rejects.ndjson", "day.csv.rejects-12.csv"] {
            assert!(is_found(name), "{name}");
        }
        for name in [
            "day.csv",
            "mine.csv",
            "other.csv.rejects.csv",
            "day.csv.rejects.csv.bak",
            "day.csv.rejects-.csv",
            "day.csv.rejects-2.ndjson",
            "day.csv.rejects.results.ndjson",
        ] {
            assert!(!is_found(name), "{name}");
        }
        assert_eq!(results_of(&path("day.csv.rejects-3.csv")), None, "it is not there");
    }
}
