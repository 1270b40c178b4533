//! The address of the ledger's database.

use std::fmt;
use std::path::Path;

/// The URL of a SQLite file or of a PostgreSQL database. Prints without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Database(String);

impl Database {
    /// What [`Database::parse`] takes, for people.
    pub(super) const RIGHT: &str = "sqlite://<path> or postgres://<user>@<host>/<database>";

    /// Reads a URL; `None` for any other kind of database and for text that is no such URL.
    pub fn parse(url: &str) -> Option<Database> {
        let is_right = match url.split_once("://")? {
            // The path is a path and nothing else: the ledger sets its own connection options, and
            // a database in memory would be another one for each connection.
            ("sqlite", path) => {
                !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '%', '#'])
            }
            ("postgres" | "postgresql", _) => {
                url.parse::<sqlx::postgres::PgConnectOptions>().is_ok()
            }
            _ => false,
        };
        is_right.then(|| Database(url.to_owned()))
    }

    /// The URL with its password: for connecting, never for showing.
    pub fn url(&self) -> &str {
        &self.0
    }

    /// The file of a SQLite database; `None` for PostgreSQL.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(Path::new)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return Ok(()) };
        if scheme == "sqlite" {
            return f.write_str(&self.0);
        }
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        // The last `@` ends the password, whatever the password contains.
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        write!(f, "{scheme}://")?;
        match user.split_once(':') {
            Some((name, _)) => write!(f, "{name}:***@")?,
            None if !user.is_empty() => write!(f, "{user}@")?,
            None => {}
        }
        f.write_str(place)?;
        for (index, parameter) in parameters.split('&').enumerate() {
            if parameter.is_empty() {
                continue;
            }
            f.write_str(if index == 0 { "?" } else { "&" })?;
            // Spelled with an escape it would still be the password, so only known names show.
            match parameter.split_once('=') {
                Some((name, _)) if !is_plain(name) => write!(f, "{name}=***")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

/// Whether a connection parameter may be shown with its value.
fn is_plain(name: &str) -> bool {
    const PLAIN: [&str; 9] = [
        "application_name",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "port",
        "sslmode",
        "statement-cache-capacity",
        "user",
    ];
    PLAIN.contains(&name)
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("sqlite://greenlane.db", "sqlite://greenlane.db"),
            ("postgres://h/db", "postgres://h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://u:secret@h:5433/db", "postgres://u:***@h:5433/db"),
            ("postgres://u:se%40cret@h/db", "postgres://u:***@h/db"),
            (
                "postgresql://h/db?sslmode=require&password=secret",
                "postgresql://h/db?sslmode=require&password=***",
            ),
            ("postgres://h/db?pass%77ord=secret", "postgres://h/db?pass%77ord=***"),
        ] {
            let database = Database::parse(url).unwrap();
            assert_eq!(database.to_string(), shown);
            assert_eq!(format!("{database:?}"), shown);
            assert_eq!(database.url(), url);
        }
    }

    #[test]
    fn only_the_two_databases_are_taken() {
        for url in [
            "",
            "greenlane.db",
            "sqlite:greenlane.db",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://a.db?mode=ro",
            "mysql://h/db",
            "postgres://h:port/db",
        ] {
            assert!(Database::parse(url).is_none(), "{url}");
        }
        let path = Path::new("/var/lib/greenlane/ledger.db");
        let database = Database::parse("sqlite:///var/lib/greenlane/ledger.db").unwrap();
        assert_eq!(database.sqlite_path(), Some(path));
        assert_eq!(Database::parse("postgres://h/db").unwrap().sqlite_path(), None);
    }
}
