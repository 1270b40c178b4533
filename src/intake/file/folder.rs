//! Which files of a folder are input: all that can be read, in the order of their names, but for
//! what was written about earlier input.

use std::io;
use std::path::{Path, PathBuf};

use super::{Form, Source, base};

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Found {
    /// The files that can be read. Their names are relative to the folder, with `/`.
    pub sources: Vec<Source>,
    /// The names of the other ones; hidden files and what is ours are left out.
    pub others: Vec<String>,
}

/// Looks through a folder and those in it. `ours` are results and rejects that are written now.
pub fn find(folder: &Path, ours: &[&Path]) -> io::Result<Found> {
    let ours: Vec<PathBuf> = ours.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut found = Found::default();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = base(&path);
            if name.starts_with('.') {
                continue;
            }
            let relative = format!("{prefix}{name}");
            // Links to folders are not followed: they may lead in a circle.
            if entry.file_type()?.is_dir() {
                folders.push((path, relative + "/"));
                continue;
            }
            let is_written_now = || path.canonicalize().is_ok_and(|it| ours.contains(&it));
            if is_ours(&name) || !path.is_file() || is_written_now() {
                continue;
            }
            match Form::of_name(&name) {
                Some(form) => {
                    let (name, path) = (relative.into(), Some(path));
                    found.sources.push(Source { name, path, form, is_in_folder: true });
                }
                None => found.others.push(relative),
            }
        }
    }
    found.sources.sort_by(|one, other| one.name.cmp(&other.name));
    found.others.sort();
    Ok(found)
}

/// Whether it is a results or a rejects file by its name: `x.rejects-2.csv`.
fn is_ours(name: &str) -> bool {
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let Some((_, kind)) = stem.rsplit_once('.') else { return false };
    let is_numbered = kind.strip_prefix("rejects-").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    match ending {
        "ndjson" => matches!(kind, "results" | "rejects"),
        "csv" => kind == "rejects" || is_numbered,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_looked_through_and_what_is_ours_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("b/c")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        for name in [
            "z.ndjson",
            "a.CSV",
            "b/c/d.json",
            "b/e.zip",
            "b/f.jsonl",
            "notes.txt",
            "b/x.xlsx",
            "mine",
            ".hidden.csv",
            ".git/x.json",
            "a.results.ndjson",
            "a.rejects.ndjson",
            "a.rejects.csv",
            "b/a.rejects-2.csv",
            "my-results.csv",
        ] {
            std::fs::write(root.join(name), "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
        let mine = root.join("my-results.csv");
        let found = find(root, &[&mine, Path::new("nowhere")]).unwrap();
        let names: Vec<&str> = found.sources.iter().map(|source| &*source.name).collect();
        assert_eq!(names, ["a.CSV", "b/c/d.json", "b/e.zip", "b/f.jsonl", "z.ndjson"]);
        assert_eq!(found.sources[0].form, Form::Csv);
        assert_eq!(found.others, ["b/x.xlsx", "mine", "notes.txt"]);
    }
}
