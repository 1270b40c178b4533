//! A folder into which somebody puts files, by SFTP for one. A file is taken when it has stopped
//! growing, settled as `ingest` would, and moved away with its results beside it. Takes nothing that
//! is not a plain file, and never the same file twice.

use std::collections::HashMap;
use std::ffi::OsString;
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

/// Where a file is while it is settled; hidden, so that nobody takes it for input.
const WORKING: &str = ".working";
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
    next_look: Option<Moment>,
    pauses: ExponentialBackoff,
}

/// How large a file was, and since when.
struct Growing {
    size: (u64, i64, i64),
    since: Instant,
}

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
        let working = path.join(WORKING);
        for (key, place) in [("path", &working), ("done", &folder.done), ("failed", &folder.failed)]
        {
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
        let growing = HashMap::new();
        Inbox { sender, folder, every, server, growing, next_look: None, pauses: pauses() }
    }

    /// Begins anew: another process may have changed everything.
    pub(super) fn begin(&mut self) {
        self.growing.clear();
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
                let wait = if 0 < records { Duration::ZERO } else { wait };
                (wait, Progress { caught_up, failure, records, ..Progress::default() })
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
        let (taken, is_growing) = match begun {
            Some(taken) => (Some(taken), false),
            None => self.take_ready().map_err(told)?,
        };
        match taken {
            Some(taken) => self.settle(taken, stop).await,
            None => Ok(Looked { is_empty: !is_growing, ..Looked::default() }),
        }
    }

    /// What another run has taken and not finished.
    fn begun(&self) -> io::Result<Option<Taken>> {
        for directory in sorted(&self.folder.path.join(WORKING))? {
            let mut inside = sorted(&directory)?.into_iter();
            let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_input = |path: &PathBuf| {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.ends_with(&file)
            };
            match inside.find(is_input) {
                Some(path) => return Ok(Some(Taken { directory, path })),
                // Ended between making it and moving the file into it.
                None => fs::remove_dir(&directory)?,
            }
        }
        Ok(None)
    }

    /// Takes the oldest file that has stopped growing. Tells whether any may still grow.
    fn take_ready(&mut self) -> io::Result<(Option<Taken>, bool)> {
        let now = Instant::now();
        let mut ready: Option<(i64, PathBuf)> = None;
        let mut growing = HashMap::new();
        for path in sorted(&self.folder.path)? {
            let Some(metadata) = input(&path) else { continue };
            let size = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
            let known = self.growing.remove(&path).filter(|known| known.size == size);
            let since = known.map_or(now, |known| known.since);
            if self.folder.settle <= now - since
                && ready.as_ref().is_none_or(|(mtime, _)| metadata.mtime() < *mtime)
            {
                ready = Some((metadata.mtime(), path.clone()));
            }
            growing.insert(path, Growing { size, since });
        }
        self.growing = growing;
        let Some((_, path)) = ready else { return Ok((None, !self.growing.is_empty())) };
        self.growing.remove(&path);
        let name = path.file_name().unwrap_or_default();
        let time: String = clock::now().local().chars().filter(char::is_ascii_digit).collect();
        let serial =
            (0..).map(|number| if number == 0 { String::new() } else { format!("-{number}") });
        // Two files of one name within a second have directories of their own.
        for serial in serial {
            let mut own = OsString::from(format!("{time}{serial}-"));
            own.push(name);
            if self.folder.done.join(&own).exists() || self.folder.failed.join(&own).exists() {
                continue;
            }
            let directory = self.folder.path.join(WORKING).join(&own);
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let taken = Taken { path: directory.join(name), directory };
            fs::rename(&path, &taken.path)?;
            return Ok((Some(taken), false));
        }
        unreachable!("one of endless numbers is free")
    }

    /// Settles a file that was taken, or goes on with it, and moves it where it belongs.
    async fn settle(&mut self, taken: Taken, stop: &CancellationToken) -> Result<Looked, String> {
        let name = taken.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
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
            encoding: None,
            places: Places::beside(&taken.path),
            envelope: Envelope { sender: self.sender.clone(), infno: String::new() },
            server: self.server.clone(),
            give_up_after: GIVE_UP_AFTER,
            progress: Bar::begin(None, false),
            stop: stop.clone(),
        });
        // Its words may have the path in it, hence the file's name.
        let outcome = outcome.await.map_err(|error| {
            tracing::debug!(error = %error, "a file of a folder was not settled");
            "a file was not settled: no server answers, or its results cannot be written".to_owned()
        })?;
        let Outcome { tally, ending, .. } = outcome;
        let moved = |error: io::Error| format!("a file cannot be moved: {}", error.kind());
        match ending {
            Ending::Done | Ending::AlreadyDone => {
                if 0 < tally.refused {
                    let (sender, refused) = (self.sender.as_str(), tally.refused);
                    tracing::warn!(sender, refused, "some records of a file were refused");
                }
                taken.move_to(&self.folder.done).map_err(moved)?;
                Ok(Looked { records: tally.lines().max(1), ..Looked::default() })
            }
            Ending::WrongInput(problems) => {
                let told: Vec<String> = problems.iter().map(|it| format!("{it}\n")).collect();
                fs::write(taken.directory.join("error.txt"), told.concat()).map_err(moved)?;
                taken.move_to(&self.folder.failed).map_err(moved)?;
                let wrong = "a file cannot be read; it lies in the failed folder with the reason";
                let (records, wrong) = (tally.lines(), Some(wrong.to_owned()));
                Ok(Looked { records, wrong, ..Looked::default() })
            }
            Ending::Stopped => Ok(Looked::default()),
            Ending::Failed(_) => {
                Err("a file was not settled as a whole: the server did not answer".to_owned())
            }
        }
    }
}

impl Taken {
    /// Moves the file with everything beside it.
    fn move_to(&self, place: &Path) -> io::Result<()> {
        fs::rename(&self.directory, place.join(self.directory.file_name().unwrap_or_default()))
    }
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
    let name = path.file_name()?.to_str()?;
    let is_ours = name.starts_with('.') || name.ends_with(RESULTS);
    let metadata = fs::symlink_metadata(path).ok()?;
    (!is_ours && Form::of_name(name).is_some() && metadata.is_file()).then_some(metadata)
}
