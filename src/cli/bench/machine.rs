//! What processes use, as the kernel counts it in `/proc`. Where there is none, nothing is known.

use std::fs;
use std::time::Duration;

use crate::store::StoreError;
use crate::store::scratch::look_at_backend;

/// The unit of times in `/proc`: Linux shows them in hundredths of a second on every machine.
const TICK: Duration = Duration::from_millis(10);

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    own: Duration,
    /// Of children that ended and were waited for.
    ended_children: Duration,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in brackets and may contain any sign, so fields count from the last one.
    fn parse(text: &str) -> Option<Stat> {
        let (start, rest) = text.rsplit_once(')')?;
        let (_, name) = start.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
        Some(Stat {
            name: name.to_owned(),
            parent: ticks(1)?,
            own: TICK * (ticks(11)? + ticks(12)?),
            ended_children: TICK * (ticks(13)? + ticks(14)?),
        })
    }
}

/// The CPU time that a process has used.
pub(super) fn cpu(pid: u32) -> Option<Duration> {
    Stat::of(pid).map(|stat| stat.own)
}

/// The memory of a process that is in RAM, in bytes.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Where the database does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    /// In the server's process: SQLite.
    Inside,
    /// In processes of their own, whose parent this is: PostgreSQL on this machine.
    Postmaster(u32),
    /// Where nobody here can see it.
    Elsewhere,
}

impl Database {
    /// Finds out where the database behind a URL works.
    pub(super) async fn find(url: &str) -> Result<Database, StoreError> {
        if url.starts_with("sqlite://") {
            return Ok(Database::Inside);
        }
        let postmaster = look_at_backend(url, |pid| {
            let backend = Stat::of(pid)?;
            let is_postgres = |name: &str| name == "postgres" || name == "postmaster";
            let parent = Stat::of(backend.parent)?;
            (is_postgres(&backend.name) && is_postgres(&parent.name)).then_some(backend.parent)
        });
        Ok(postmaster.await?.map_or(Database::Elsewhere, Database::Postmaster))
    }

    /// The CPU time that the database has used outside the server's process, sessions that ended
    /// included. Whatever else the same PostgreSQL does counts too.
    fn cpu(self) -> Option<Duration> {
        match self {
            Database::Inside => Some(Duration::ZERO),
            Database::Elsewhere => None,
            Database::Postmaster(postmaster) => {
                let stat = Stat::of(postmaster)?;
                let mut sum = stat.own + stat.ended_children;
                for entry in fs::read_dir("/proc").ok()?.flatten() {
                    let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
                    // A process may end between the listing and this look.
                    let child = pid.and_then(Stat::of).filter(|it| it.parent == postmaster);
                    sum += child.map_or(Duration::ZERO, |child| child.own);
                }
                Some(sum)
            }
        }
    }
}

/// Counts the CPU time of a run.
pub(super) struct Meter {
    server: u32,
    database: Database,
    before: Cpu,
}

/// CPU times of a run; `None` where they cannot be known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cpu {
    /// Of the process that decides.
    pub(super) server: Option<Duration>,
    /// Of the database, outside that process.
    pub(super) database: Option<Duration>,
    /// Of the process that makes the load, where it is another.
    pub(super) load: Option<Duration>,
}

impl Meter {
    /// Begins to count for the process that decides.
    pub(super) fn start(server: u32, database: Database) -> Meter {
        Meter { server, database, before: Meter::look(server, database) }
    }

    /// What was used since the start.
    pub(super) fn stop(self) -> Cpu {
        let after = Meter::look(self.server, self.database);
        let since = |after: Option<Duration>, before: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        Cpu {
            server: since(after.server, self.before.server),
            database: since(after.database, self.before.database),
            load: since(after.load, self.before.load),
        }
    }

    fn look(server: u32, database: Database) -> Cpu {
        let own = std::process::id();
        let load = if own == server { None } else { cpu(own) };
        Cpu { server: cpu(server), database: database.cpu(), load }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_brackets_and_spaces() {
        let text = "7 (a) (b c) S 3 7 7 0 -1 4194304 100 0 0 0 120 30 40 5 20 0 1 0 100 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent), ("a) (b c", 3));
        assert_eq!(stat.own, Duration::from_millis(1500));
        assert_eq!(stat.ended_children, Duration::from_millis(450));
        assert_eq!(Stat::parse("7 (a) S"), None);
    }
}
