//! A folder into which somebody puts files, by SFTP for one. A file is taken when it has stopped
//! growing, settled as `ingest` would, and moved away with its results beside it. Takes nothing that
//! is not a plain file, and never the same file twice.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::desk::Progress;
use crate::cli::client::pauses;
use crate::cli::ingest::{Ending, Envelope, Job, Outcome, Places, Progress as Bar, ingest};
use crate::clock;
use crate::config::{Client, ConfigError};
use crate::core::day::Moment;
use crate::intake::file::{Form, Source};
use crate::intake::pull::Folder;

/// A longer name leaves no room for those of its results.
const NAME_BYTES_MAX: usize = 200;
/// So much of its name stands in that of its directory.
const NAME_CHARS_SHOWN: usize = 60;
/// Results of another ingest are no input, whoever put them there.
const RESULTS: &str = ".results.ndjson";
/// How often a file that may still grow is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long nothing may move before another try is made.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// A folder and what was seen in it.
pub(super) struct Inbox {
    sender: String,
    folder: Folder,
    every: Duration,
    server: Client,
    /// Files that may still grow.
    growing: HashMap<PathBuf, Growing>,
    /// How often what was taken could not be settled: one file must not hold up the others.
    tries: HashMap<PathBuf, u32>,
    /// Files with other endings, which are left alone.
    others: usize,
    next_look: Option<Moment>,
    pauses: ExponentialBackoff,
}

/// How large a file was, and since when.
struct Growing {
    state: State,
    since: Instant,
}

/// What changes when a file is written to: its length and its time.
type State = (u64, i64, i64);

/// A file on its way, in a directory of its own.
struct Taken {
    directory: PathBuf,
    path: PathBuf,
}

/// What one look came to.
#[derive(Default)]
struct Looked {
    records: u64,
    /// Whether nothing is left to do.
    is_empty: bool,
    /// What is wrong with a file, without its name, which may be a person's.
    wrong: Option<String>,
}

impl Inbox {
    /// Makes the folders that files are moved to. They are moved whole, so all of them must be on one
    /// file system.
    pub(super) fn check(sender: &str, folder: &Folder) -> Result<(), ConfigError> {
        let wrong = |key: &str, path: &Path, problem: String| ConfigError {
            setting: format!("sender {sender}: folder.{key}"),
            problem: format!("{}: {problem}", path.display()),
        };
        let told = |key, path, error: &io::Error| wrong(key, path, error.to_string());
        let path = &folder.path;
        let device = fs::metadata(path).map_err(|error| told("path", path, &error))?.dev();
        let places =
            [("working", &folder.working), ("done", &folder.done), ("failed", &folder.failed)];
        for (key, place) in places {
            let made = fs::create_dir_all(place).and_then(|()| fs::metadata(place));
            let made = made.map_err(|error| told(key, place, &error))?;
            if made.dev() != device {
                let problem = "must be on the file system of folder.path".to_owned();
                return Err(wrong(key, place, problem));
            }
        }
        Ok(())
    }

    /// Watches a folder for a server.
    pub(super) fn new(sender: String, folder: Folder, every: Duration, server: Client) -> Inbox {
        Inbox {
            sender,
            folder,
            every,
            server,
            growing: HashMap::new(),
            tries: HashMap::new(),
            others: 0,
            next_look: None,
            pauses: pauses(),
        }
    }

    /// Begins anew: another process may have changed everything.
    pub(super) fn begin(&mut self) {
        self.growing.clear();
        self.tries.clear();
        self.next_look = None;
    }

    /// When to look next; `None`: now.
    pub(super) fn next_look(&self) -> Option<Moment> {
        self.next_look
    }

    /// Settles the next file, if one is ready.
    pub(super) async fn look(&mut self, stop: &CancellationToken) -> Progress {
        let looked = self.settle_next(stop).await;
        let (wait, progress) = match looked {
            Ok(looked) => {
                self.pauses = pauses();
                let wait = if looked.is_empty { self.every } else { LOOK_AGAIN };
                let records = i64::try_from(looked.records).unwrap_or(i64::MAX);
                let (caught_up, failure) = (looked.is_empty, looked.wrong.unwrap_or_default());
                let goes_on = !failure.is_empty();
                let wait = if 0 < records || goes_on { Duration::ZERO } else { wait };
                (wait, Progress { caught_up, failure, records, goes_on, ..Progress::default() })
            }
            Err(failure) => {
                let wait = self.pauses.next().unwrap_or(self.every);
                (wait, Progress { failure, ..Progress::default() })
            }
        };
        self.next_look = Some(clock::now().later(wait));
        progress
    }

    async fn settle_next(&mut self, stop: &CancellationToken) -> Result<Looked, String> {
        let told = |error: io::Error| format!("the folder cannot be read: {}", error.kind());
        let begun = self.begun().map_err(told)?;
        let (begun, tried) = match begun {
            Some(taken) if self.tries.contains_key(&taken.directory) => (None, Some(taken)),
            begun => (begun, None),
        };
        let (taken, is_growing) = match begun {
            Some(taken) => (Some(taken), false),
            None => self.take_ready().map_err(told)?,
        };
        let Some(taken) = taken.or(tried) else {
            return Ok(Looked { is_empty: !is_growing, ..Looked::default() });
        };
        let directory = taken.directory.clone();
        let settled = self.settle(taken, stop).await;
        match &settled {
            Ok(_) => drop(self.tries.remove(&directory)),
            Err(_) => *self.tries.entry(directory).or_default() += 1,
        }
        settled
    }

    /// What was taken, by us or in another run, and is not finished: what was tried least.
    fn begun(&self) -> io::Result<Option<Taken>> {
        let mut begun = Vec::new();
        for directory in sorted(&self.folder.working)? {
            if !fs::symlink_metadata(&directory)?.is_dir() {
                continue;
            }
            // Results and rejects have the name of the file and more.
            let inside = sorted(&directory)?;
            let shortest = inside.iter().min_by_key(|path| path.as_os_str().len()).cloned();
            match shortest {
                Some(path) if is_plain(&path) => begun.push(Taken { directory, path }),
                Some(_) => {}
                // Ended between making it and moving the file into it.
                None => fs::remove_dir(&directory)?,
            }
        }
        let tries = |taken: &Taken| self.tries.get(&taken.directory).copied().unwrap_or_default();
        Ok(begun.into_iter().min_by_key(tries))
    }

    /// Takes the oldest file that has stopped growing. Tells whether any may still grow.
    fn take_ready(&mut self) -> io::Result<(Option<Taken>, bool)> {
        let now = Instant::now();
        let mut ready: Option<(i64, PathBuf)> = None;
        let (mut growing, mut others) = (HashMap::new(), 0);
        for path in sorted(&self.folder.path)? {
            let Some(metadata) = input(&path) else {
                others += usize::from(is_plain(&path));
                continue;
            };
            let state = state(&metadata);
            let known = self.growing.remove(&path).filter(|known| known.state == state);
            let since = known.map_or(now, |known| known.since);
            if self.folder.settle <= now - since
                && ready.as_ref().is_none_or(|(mtime, _)| metadata.mtime() < *mtime)
            {
                ready = Some((metadata.mtime(), path.clone()));
            }
            growing.insert(path, Growing { state, since });
        }
        self.growing = growing;
        if others != self.others {
            let sender = self.sender.as_str();
            tracing::info!(sender, others, "files with other endings are left alone");
            self.others = others;
        }
        let Some((_, path)) = ready else { return Ok((None, !self.growing.is_empty())) };
        self.growing.remove(&path);
        Ok((Some(self.take(&path)?), false))
    }

    /// Moves a file into a directory of its own. Two of one name within a second have two.
    fn take(&self, path: &Path) -> io::Result<Taken> {
        let name = path.file_name().unwrap_or_default();
        let shown: String = name.to_string_lossy().chars().take(NAME_CHARS_SHOWN).collect();
        let time: String = clock::now().local().chars().filter(char::is_ascii_digit).collect();
        let mut number = 0;
        loop {
            let own = match number {
                0 => format!("{time}-{shown}"),
                number => format!("{time}-{number}-{shown}"),
            };
            number += 1;
            let is_used =
                [&self.folder.done, &self.folder.failed].iter().any(|it| it.join(&own).exists());
            if is_used {
                continue;
            }
            let directory = self.folder.working.join(&own);
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let taken = Taken { path: directory.join(name), directory };
            fs::rename(path, &taken.path)?;
            return Ok(taken);
        }
    }

    /// The rejects that a file of this name corrects: the newest that were handed back under it.
    fn corrected_by(&self, name: &OsStr) -> Option<PathBuf> {
        let handed_back = sorted(&self.folder.done).ok()?;
        let mut rejects = handed_back.into_iter().rev().map(|directory| directory.join(name));
        rejects.find(|path| is_plain(path))
    }

    /// Settles a file that was taken, or goes on with it, and moves it where it belongs.
    async fn settle(&mut self, taken: Taken, stop: &CancellationToken) -> Result<Looked, String> {
        let name = taken.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NAME_BYTES_MAX < name.len() {
            return self.give_up(&taken, &["its name is too long".to_owned()], 0);
        }
        let before = input(&taken.path).as_ref().map(state);
        if before.is_none() {
            return self.give_up(&taken, &["it is no plain file".to_owned()], 0);
        }
        let form = Form::of_name(&name).unwrap_or(Form::Ndjson);
        let source = Source {
            name: name.clone().into(),
            path: Some(taken.path.clone()),
            form,
            is_in_folder: false,
        };
        let outcome = ingest(Job {
            input: name,
            sources: vec![source],
            corrects: self.corrected_by(taken.path.file_name().unwrap_or_default()),
            encoding: None,
            places: Places::beside(&taken.path),
            envelope: Envelope { sender: self.sender.clone(), infno: String::new() },
            server: self.server.clone(),
            give_up_after: GIVE_UP_AFTER,
            progress: Bar::begin(None, false),
            stop: stop.clone(),
        });
        // Its words may have the path in them, hence the file's name.
        let outcome = outcome.await.map_err(|_| {
            "a file was not settled: no server answers, or its results cannot be written".to_owned()
        })?;
        let Outcome { tally, ending, .. } = outcome;
        match ending {
            Ending::Done | Ending::AlreadyDone
                if input(&taken.path).as_ref().map(state) != before =>
            {
                let why = "it was written to while it was read; put all of it there again";
                self.give_up(&taken, &[why.to_owned()], tally.lines())
            }
            Ending::Done | Ending::AlreadyDone => {
                if 0 < tally.refused {
                    let (sender, refused) = (self.sender.as_str(), tally.refused);
                    tracing::warn!(sender, refused, "some records of a file were refused");
                }
                taken.move_to(&self.folder.done).map_err(moved)?;
                Ok(Looked { records: tally.lines().max(1), ..Looked::default() })
            }
            Ending::WrongInput(problems) => {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                self.give_up(&taken, &told, tally.lines())
            }
            Ending::Stopped => Ok(Looked::default()),
            Ending::Failed(_) => {
                Err("a file was not settled as a whole: the server did not answer".to_owned())
            }
        }
    }

    /// Moves a file that cannot be settled as a whole, with the reasons beside it.
    fn give_up(&self, taken: &Taken, why: &[String], records: u64) -> Result<Looked, String> {
        fs::write(taken.directory.join("error.txt"), why.join("\n") + "\n").map_err(moved)?;
        taken.move_to(&self.folder.failed).map_err(moved)?;
        let sender = self.sender.as_str();
        tracing::warn!(sender, "a file cannot be settled; it lies in the failed folder");
        let wrong = "a file cannot be settled; it lies in the failed folder with the reason";
        Ok(Looked { records, wrong: Some(wrong.to_owned()), ..Looked::default() })
    }
}

impl Taken {
    /// Moves the file with everything beside it. Whoever may read the file may read what became of it.
    fn move_to(&self, place: &Path) -> io::Result<()> {
        let permissions = fs::symlink_metadata(&self.path)?.permissions();
        for path in sorted(&self.directory)?.iter().filter(|path| is_plain(path)) {
            fs::set_permissions(path, permissions.clone())?;
        }
        fs::rename(&self.directory, place.join(self.directory.file_name().unwrap_or_default()))
    }
}

/// Why a file stays where it is.
#[allow(clippy::needless_pass_by_value, reason = "it maps an error")]
fn moved(error: io::Error) -> String {
    format!("a file cannot be moved: {}", error.kind())
}

/// What is in a directory, by name.
fn sorted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

/// What a file is, if it is one that is read. A link may lead anywhere, so it is none.
fn input(path: &Path) -> Option<Metadata> {
    let name = path.file_name()?.to_string_lossy();
    let is_ours = name.starts_with('.') || name.ends_with(RESULTS);
    let is_read = !is_ours && Form::of_name(&name).is_some();
    fs::symlink_metadata(path).ok().filter(|metadata| is_read && metadata.is_file())
}

fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn state(metadata: &Metadata) -> State {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
