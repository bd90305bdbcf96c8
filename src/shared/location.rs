//! Where a store is: a folder, or a database with a folder of this process.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// Where folders of processes are that share a database.
const FOLDERS: &str = ".shiftproof/shared";

/// A store's folder. Of a database it is one that no other process of this machine uses, taken
/// when it is first asked for: `.shiftproof/shared/NAME/N`.
#[derive(Clone)]
pub struct StoreLocation {
    database: Option<String>,
    folder: Arc<OnceLock<HeldFolder>>,
}

struct HeldFolder {
    path: PathBuf,
    /// Held as long as the process lives.
    _lock: Option<File>,
}

impl StoreLocation {
    /// The database that was named, with its password if one was given.
    pub(super) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    fn folder(&self) -> &Path {
        let held = self.folder.get_or_init(|| {
            let database = self.database.as_deref().unwrap_or_default();
            hold(&Path::new(FOLDERS).join(folder_name(database)))
        });
        &held.path
    }
}

impl From<PathBuf> for StoreLocation {
    fn from(path: PathBuf) -> Self {
        let held = HeldFolder { path, _lock: None };
        Self {
            database: None,
            folder: Arc::new(OnceLock::from(held)),
        }
    }
}

impl FromStr for StoreLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_database = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if !is_database && (text.contains("://") || text.starts_with("postgres:")) {
            return Err(
                "a database is named by postgres://USER@HOST/DATABASE, anything else is a folder"
                    .into(),
            );
        }
        Ok(if is_database {
            Self {
                database: Some(text.to_owned()),
                folder: Arc::default(),
            }
        } else {
            PathBuf::from(text).into()
        })
    }
}

impl Deref for StoreLocation {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.folder()
    }
}

impl fmt::Debug for StoreLocation {
    /// Without what may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => f
                .debug_tuple("Database")
                .field(&folder_name(database))
                .finish(),
            None => f.debug_tuple("Folder").field(&self.folder()).finish(),
        }
    }
}

/// A folder's name for a database: its host, its path and its schema, without user, password
/// and other options.
fn folder_name(database: &str) -> String {
    let place = database
        .split_once("://")
        .map_or(database, |(_, place)| place);
    let (place, options) = place.split_once('?').unwrap_or((place, ""));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let schema = options
        .split('&')
        .find_map(|option| option.strip_prefix("schema="));
    let place = schema.map_or_else(|| place.to_owned(), |schema| format!("{place}-{schema}"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = place
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { "local" } else { name }.to_owned()
}

/// The first folder in `base` that no other process holds. Where folders cannot be made or
/// locked, the first: what opens it says why it cannot be used.
fn hold(base: &Path) -> HeldFolder {
    let numbered = (1..1_000_u32).map(|number| base.join(number.to_string()));
    for path in numbered {
        if std::fs::create_dir_all(&path).is_err() {
            break;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("worker.lock"));
        match lock.map(|lock| lock.try_lock().map(|()| lock)) {
            Ok(Ok(lock)) => {
                return HeldFolder {
                    path,
                    _lock: Some(lock),
                };
            }
            Ok(Err(std::fs::TryLockError::WouldBlock)) => {}
            Ok(Err(std::fs::TryLockError::Error(_))) | Err(_) => break,
        }
    }
    HeldFolder {
        path: base.join("1"),
        _lock: None,
    }
}

/// How other workers know this process.
pub(crate) fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").ok();
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let host = host
        .as_deref()
        .map(str::trim)
        .filter(|host| !host.is_empty());
    format!("{}:{}", host.unwrap_or("host"), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_after_databases_without_secrets() {
        let name = |url| folder_name(url);
        assert_eq!(
            name("postgres://ann:s3cret@db.local:5433/team?sslmode=require"),
            "db.local-5433-team"
        );
        assert_eq!(name("postgresql:///team"), "team");
        assert_eq!(
            name("postgres://h/team?sslmode=require&schema=s_a"),
            "h-team-s_a"
        );
        assert_eq!(name("postgres://"), "local");
        assert_eq!(name("postgres://u:p@ss@h/../x"), "h-..-x");
        let location: StoreLocation = "postgres://ann:s3cret@h/d".parse().unwrap();
        assert!(!format!("{location:?}").contains("s3cret"));
    }

    #[test]
    fn processes_hold_folders_of_their_own() {
        let base = tempfile::tempdir().unwrap();
        let first = hold(base.path());
        let second = hold(base.path());
        assert_eq!(first.path, base.path().join("1"));
        assert_eq!(second.path, base.path().join("2"));
        drop(first);
        assert_eq!(hold(base.path()).path, base.path().join("1"));
    }

    #[test]
    fn anything_else_is_a_folder() {
        let location: StoreLocation = "some/postgres".parse().unwrap();
        assert_eq!(&*location, Path::new("some/postgres"));
        assert_eq!(location.database(), None);
        for mistyped in ["POSTGRES://ann@h/d", "mysql://h/d", "postgres:ann@h/d"] {
            let error = mistyped.parse::<StoreLocation>().unwrap_err();
            assert!(error.contains("postgres://USER@HOST/DATABASE"), "{error}");
        }
    }
}
