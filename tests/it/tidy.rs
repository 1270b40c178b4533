//! The countable rules of the house, by plain reading of the files. What a compiler or a linter can
//! hold is left to them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 80;

/// Which module may name which, in the order data flow back. Everything not listed is forbidden.
const MODULES: &[(&str, &[&str])] = &[
    ("core", &["core"]),
    ("clock", &["core"]),
    ("config", &["config", "core"]),
    ("telemetry", &["config"]),
    ("store", &["core", "store"]),
    ("feed", &["core", "feed", "store"]),
    ("ledger", &["clock", "config", "core", "feed", "ledger", "store"]),
    ("intake", &["core", "intake"]),
    ("pb", &["pb"]),
    ("payout", &["clock", "core", "ledger", "payout", "store"]),
    ("report", &["core", "report", "store"]),
    (
        "grpc",
        &["clock", "core", "feed", "grpc", "intake", "ledger", "payout", "pb", "report", "store"],
    ),
    (
        "console",
        &["clock", "console", "core", "feed", "intake", "ledger", "payout", "report", "store"],
    ),
    (
        "server",
        &[
            "clock",
            "config",
            "console",
            "core",
            "feed",
            "grpc",
            "intake",
            "ledger",
            "payout",
            "pb",
            "report",
            "server",
            "store",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "cli",
            "clock",
            "config",
            "console",
            "core",
            "feed",
            "grpc",
            "intake",
            "ledger",
            "payout",
            "pb",
            "report",
            "server",
            "store",
            "telemetry",
        ],
    ),
];

/// Which modules may name a crate that brings the outside world. The rest stays free of it.
const CRATES: &[(&str, &[&str])] = &[
    ("tonic", &["cli", "grpc", "lib", "pb", "server"]),
    ("sqlx", &["config", "store"]),
    ("tokio", &["cli", "feed", "grpc", "ledger", "main", "payout", "server", "store"]),
    ("clap", &["cli", "config", "main"]),
    ("opentelemetry", &["telemetry"]),
];

/// What the decision must not even mention.
const IMPURE: &[&str] =
    &["std::env", "std::fs", "std::io", "std::net", "std::thread", "async fn", "tracing::"];

/// One source file. Its test module, and a file that is one, is left out of `code`.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
    code_lines: usize,
}

impl Source {
    /// The numbered lines that are code, not tests and not comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take(self.code_lines).enumerate();
        lines
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The numbered lines of code and tests that are no comments.
    fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is(&self, path: &str) -> bool {
        self.path == Path::new(path)
    }
}

/// Every Rust file below `root`, in order.
fn sources(root: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(Path::new(root), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    let texts: Vec<(PathBuf, String)> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let test_paths: BTreeSet<PathBuf> =
        texts.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    texts
        .into_iter()
        .map(|(path, text)| {
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
            let code_lines = if test_paths.contains(&path) { 0 } else { lines_before_tests(&text) };
            Source { path, module, text, code_lines }
        })
        .collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // What a fuzzer builds is nobody's style.
            if !path.ends_with("fuzz/target") {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// The files that `path` declares as tests by `#[cfg(test)] mod name;`.
fn test_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let is_root = ["mod", "lib", "main"].iter().any(|name| path.file_stem().unwrap() == *name);
    let home = if is_root { path.parent().unwrap().to_owned() } else { path.with_extension("") };
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    pairs
        .filter_map(|pair| pair[1].strip_suffix(';')?.split_once("mod "))
        .flat_map(|(_, name)| [home.join(format!("{name}.rs")), home.join(name).join("mod.rs")])
        .collect()
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{')
    });
    start.unwrap_or(lines.len())
}

/// The words of a line: `as_secs_f64` is one and does not contain `f64`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[derive(Default)]
struct Findings(String);

impl Findings {
    fn add(&mut self, source: &Source, line: usize, problem: &str) {
        writeln!(self.0, "{}:{line}: {problem}", source.path.display()).unwrap();
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

#[test]
fn modules_depend_downwards_only() {
    let mut findings = Findings::default();
    for source in sources("src") {
        if ["lib", "main"].contains(&source.module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MODULES.iter().find(|(module, _)| *module == source.module) else {
            findings.add(&source, 1, "its module has no row in MODULES");
            continue;
        };
        for (line, text) in source.code() {
            for named in text.split("crate::").skip(1).flat_map(modules_named) {
                if !allowed.contains(&named) {
                    findings.add(&source, line, &format!("{} names {named:?}", source.module));
                }
            }
            // `super` up to the crate's root would be a way around.
            let depth = source.path.with_extension("").iter().filter(|name| *name != "mod").count();
            if text.contains(&"super::".repeat(depth - 1)) {
                findings.add(&source, line, "reaches the crate's root by super: say crate::");
            }
        }
    }
    findings.none();
}

/// The modules named by what follows `crate::`. A list in braces must stand on one line.
fn modules_named(rest: &str) -> Vec<&str> {
    match rest.strip_prefix('{') {
        Some(list) => {
            let list = list.split('}').next().unwrap_or_default().split(',');
            list.map(|path| words(path.trim()).next().unwrap()).collect()
        }
        None => words(rest).take(1).collect(),
    }
}

#[test]
fn the_outside_world_stays_outside() {
    let mut findings = Findings::default();
    for source in sources("src") {
        for (line, text) in source.code() {
            for (name, allowed) in CRATES {
                let is_named =
                    text.contains(&format!("{name}::")) && words(text).any(|word| word == *name);
                if is_named && !allowed.contains(&source.module.as_str()) {
                    findings.add(&source, line, &format!("{} names {name}", source.module));
                }
            }
            for impure in IMPURE {
                if source.module == "core" && text.contains(impure) {
                    findings.add(&source, line, &format!("the core is pure, but names {impure}"));
                }
            }
            if text.contains("env::var") && !["cli", "config", "main"].contains(&&*source.module) {
                findings.add(&source, line, "settings come from config.rs");
            }
        }
    }
    findings.none();
}

/// A file is counted without its test module.
#[test]
fn files_and_functions_fit_a_mind() {
    let mut findings = Findings::default();
    for source in sources("src").iter().chain(&sources("tests")) {
        if source.code_lines > FILE_LINES_MAX {
            let problem = format!("{} lines, at most {FILE_LINES_MAX}", source.code_lines);
            findings.add(source, source.code_lines, &problem);
        }
    }
    for source in sources("src") {
        let lines: Vec<&str> = source.text.lines().take(source.code_lines).collect();
        for (start, line) in lines.iter().enumerate() {
            let length = if starts_function(line) { function_lines(&lines[start..]) } else { 0 };
            if length > FUNCTION_LINES_MAX {
                let problem = format!("{length} lines of function, at most {FUNCTION_LINES_MAX}");
                findings.add(&source, start + 1, &problem);
            }
        }
    }
    findings.none();
}

fn starts_function(line: &str) -> bool {
    let Some((before, _)) = line.split_once("fn ") else { return false };
    let is_modifier = |word: &str| {
        ["pub", "async", "const", "unsafe", "crate", "super", "self", "in", ""].contains(&word)
    };
    words(before).all(is_modifier) && before.chars().all(|letter| !"\"'/|&".contains(letter))
}

/// How many lines a function has that starts on the first one, as rustfmt lays it out.
fn function_lines(lines: &[&str]) -> usize {
    let indent = lines[0].len() - lines[0].trim_start().len();
    for (index, line) in lines.iter().enumerate() {
        let is_at_its_indent = line.len() - line.trim_start().len() == indent;
        if !line.is_empty() && is_at_its_indent && line.ends_with(['}', ';']) {
            return index + 1;
        }
    }
    lines.len()
}

#[test]
fn nothing_is_left_undone_or_unchecked() {
    let mut findings = Findings::default();
    for source in sources("src") {
        for (line, text) in source.code() {
            for word in [".unwrap()", ".unwrap_err()", "todo!(", "unimplemented!(", "dbg!("] {
                if text.contains(word) {
                    findings.add(&source, line, word);
                }
            }
        }
    }
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(readme).unwrap();
        // Where an output is to be pasted.
        assert!(!text.lines().any(|line| line.starts_with('@')), "{readme} has a place to fill in");
    }
    for source in sources("src").iter().chain(&sources("tests")) {
        if source.is(file!()) {
            continue;
        }
        for (line, text) in source.all() {
            for word in ["#[ignore", "should_panic", "thread::sleep("] {
                if text.contains(word) {
                    findings.add(source, line, word);
                }
            }
        }
    }
    findings.none();
}

/// Time is an input, money is no float, and only a command talks to a terminal.
#[test]
fn some_things_have_one_place() {
    let mut findings = Findings::default();
    for source in sources("src") {
        for (line, text) in source.all() {
            let reads_time =
                ["SystemTime::now", "Timestamp::now", "Zoned::now"].map(|name| text.contains(name));
            if reads_time.contains(&true) && !source.is("src/clock.rs") {
                findings.add(&source, line, "the clock is read in clock.rs only");
            }
        }
        for (line, text) in source.code() {
            if words(text).any(|word| ["f32", "f64"].contains(&word)) {
                findings.add(&source, line, "no floats: fen are integers, rates are decimals");
            }
            let prints = text.contains("print!(") || text.contains("println!(");
            if prints && !["cli", "main"].contains(&source.module.as_str()) {
                findings.add(&source, line, "prints: only a command does, the rest is logged");
            }
        }
    }
    findings.none();
}

#[test]
fn migrations_come_in_pairs() {
    let names = |database: &str| -> BTreeSet<String> {
        let files = fs::read_dir(Path::new("migrations").join(database)).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    };
    let sqlite = names("sqlite");
    assert_eq!(sqlite, names("postgres"));
    assert!(!sqlite.is_empty());
}

#[test]
fn links_of_both_readmes_lead_somewhere() {
    let both = ["README.md", "README.zh-CN.md"].map(|name| fs::read_to_string(name).unwrap());
    let mut broken = Vec::new();
    for rest in both.iter().flat_map(|readme| readme.split("](").skip(1)) {
        let link = rest.split([')', ' ']).next().unwrap();
        let path = link.split('#').next().unwrap();
        let is_file = !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:");
        if is_file && !Path::new(path).exists() {
            broken.push(link);
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}
