//! Where results and rejects go.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::intake::file::{Form, Source};

/// Where the results are, and where each kind of rejects.
#[derive(Clone)]
pub(in crate::cli) struct Places {
    pub(super) results: PathBuf,
    /// Rejects that are JSON.
    ndjson: PathBuf,
    /// Rejects that are rows of the first table; those of others have a number before the ending.
    csv: PathBuf,
}

impl Places {
    /// Beside a file or a folder, under its name.
    pub(in crate::cli) fn beside(input: &Path) -> Places {
        let with = |suffix: &str| {
            let mut name = input.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Places {
            results: with(".results.ndjson"),
            ndjson: with(".rejects.ndjson"),
            csv: with(".rejects.csv"),
        }
    }

    /// The same with rejects under another name. It is that of the rows if all input is tables or
    /// the name says so, else that of the JSON; the other has the other ending.
    pub(super) fn with_rejects(self, rejects: PathBuf, sources: &[Source]) -> Places {
        let is_table = |source: &Source| source.form == Form::Csv;
        let ending = rejects.extension().map(OsStr::to_ascii_lowercase);
        let says_csv = ending.as_ref().is_some_and(|it| it == "csv");
        let is_known = says_csv || ending.is_some_and(|it| it == "ndjson");
        let other = |ending: &str| {
            let mut name = if is_known { rejects.with_extension("") } else { rejects.clone() };
            name.as_mut_os_string().push(ending);
            name
        };
        if says_csv || (!sources.is_empty() && sources.iter().all(is_table)) {
            Places { ndjson: other(".ndjson"), csv: rejects, ..self }
        } else {
            Places { csv: other(".csv"), ndjson: rejects, ..self }
        }
    }

    /// The rejects that are JSON.
    pub(super) fn ndjson(&self) -> &Path {
        &self.ndjson
    }

    /// The rejects that are rows of the nth table, from 1.
    pub(super) fn csv(&self, number: usize) -> PathBuf {
        if number == 1 {
            return self.csv.clone();
        }
        let (stem, ending) = self.csv_name();
        self.csv.with_file_name(format!("{stem}-{number}{ending}"))
    }

    /// The name of the rows' file, cut where a number goes.
    fn csv_name(&self) -> (String, String) {
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let ending = self.csv.extension().map(|it| format!(".{}", it.to_string_lossy()));
        (text(self.csv.file_stem()), ending.unwrap_or_default())
    }

    /// Every file that is there and has the name of rejects.
    pub(super) fn rejects_there(&self) -> Vec<PathBuf> {
        let (stem, ending) = self.csv_name();
        let is_numbered = |name: &str| {
            let rest = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('-'));
            let number = rest.and_then(|rest| rest.strip_suffix(&ending));
            number.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
        };
        let folder = parent(&self.csv);
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries
            .filter(|entry| is_numbered(&entry.file_name().to_string_lossy()))
            .map(|entry| self.csv.with_file_name(entry.file_name()))
            .collect();
        let first = [&self.ndjson, &self.csv].into_iter().filter(|path| path.exists());
        paths.extend(first.cloned());
        paths
    }

    /// The directory of the rejects, where what is too long for the memory is kept meanwhile.
    pub(super) fn spool(&self) -> PathBuf {
        parent(&self.ndjson).to_owned()
    }
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rejects: Option<&str>, forms: &[Form]) -> [String; 3] {
        let source =
            |form: &Form| Source { name: "x".into(), path: None, form: *form, is_in_folder: true };
        let sources: Vec<Source> = forms.iter().map(source).collect();
        let mut places = Places::beside(Path::new("d/day.csv"));
        if let Some(rejects) = rejects {
            places = places.with_rejects(rejects.into(), &sources);
        }
        [places.ndjson().to_owned(), places.csv(1), places.csv(2)]
            .map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn rejects_of_each_kind_have_names_of_their_own() {
        let beside =
            ["d/day.csv.rejects.ndjson", "d/day.csv.rejects.csv", "d/day.csv.rejects-2.csv"];
        assert_eq!(names(None, &[Form::Csv]), beside);
        assert_eq!(names(Some("r"), &[Form::Csv]), ["r.ndjson", "r", "r-2"]);
        assert_eq!(names(Some("r"), &[Form::Json]), ["r", "r.csv", "r-2.csv"]);
        assert_eq!(names(Some("r.ndjson"), &[Form::Zip]), ["r.ndjson", "r.csv", "r-2.csv"]);
        assert_eq!(names(Some("r.CSV"), &[Form::Zip]), ["r.ndjson", "r.CSV", "r-2.CSV"]);
        assert_eq!(names(Some("r.txt"), &[Form::Csv, Form::Csv])[1], "r.txt");
    }
}
