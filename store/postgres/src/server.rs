//! A PostgreSQL server for tests: made in a temporary folder from the binaries of this machine,
//! gone when it is dropped.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The role that owns the server, and its password.
pub const SUPERUSER: &str = "shiftproof";
/// See [`SUPERUSER`].
pub const PASSWORD: &str = "p%40ss word:/?#";

/// How often a port that was free is tried, for another process may take it first.
const PORTS: usize = 5;

/// Which promises the server keeps when its machine fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in use: a commit waits for the disk.
    Full,
    /// It survives kills of its own processes, not of the machine: fast.
    ProcessesOnly,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Transactions under way are rolled back, everything is written.
    Fast,
    /// As if it crashed: it recovers from its log when it starts again.
    Immediate,
}

/// A running server.
#[derive(Debug)]
pub struct TestServer {
    folder: TempDir,
    binaries: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    settings: String,
}

impl TestServer {
    /// A server of its own, or `None` if this machine has no PostgreSQL.
    ///
    /// # Panics
    /// If there are binaries and they do not work.
    pub fn start(durability: Durability) -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let owner = unprivileged(folder.path());
        let mut server = Self {
            folder,
            binaries,
            owner,
            port: 0,
            settings: "-c max_connections=200".into(),
        };
        if durability == Durability::ProcessesOnly {
            server.settings += " -c fsync=off -c full_page_writes=off";
        }
        server.initialize().expect("initdb makes a database");
        for _ in 0..PORTS {
            server.port = free_port().expect("a free port");
            if server.start_again().is_ok() {
                return Some(server);
            }
        }
        let log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        panic!("the server does not start: {log}");
    }

    /// The address of the database `name` (`postgres` is always there) for the owner.
    pub fn url(&self, name: &str) -> String {
        self.url_of(SUPERUSER, PASSWORD, name)
    }

    /// The address of a database for a role.
    pub fn url_of(&self, role: &str, password: &str, name: &str) -> String {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let (role, password) = (encoded(role), encoded(password));
        let port = self.port;
        format!("postgres://{role}:{password}@127.0.0.1:{port}/{name}")
    }

    /// The port at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data, `postgresql.conf` and `pg_hba.conf` among them.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Further settings, such as `-c ssl=on`, from the next [start](Self::start_again) on.
    pub fn set(&mut self, settings: &str) {
        self.settings += " ";
        self.settings += settings;
    }

    /// Stops it.
    ///
    /// # Errors
    /// If it was not running.
    pub fn stop(&self, how: Shutdown) -> io::Result<()> {
        let mode = match how {
            Shutdown::Fast => "fast",
            Shutdown::Immediate => "immediate",
        };
        self.control(&["-w", "-t", "30", "-m", mode, "stop"])
    }

    /// Starts it where it was, once it is stopped.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_again(&self) -> io::Result<()> {
        let folder = self.folder.path().display();
        let options = format!(
            "-p {} -k {folder} -c listen_addresses=127.0.0.1 {}",
            self.port, self.settings
        );
        let log = self.folder.path().join("log");
        self.control(&[
            "-w",
            "-t",
            "60",
            "-l",
            &log.to_string_lossy(),
            "-o",
            &options,
            "start",
        ])
    }

    /// Runs statements of SQL in the database `name`, all or none; what they return, a line a
    /// row, columns parted by `|`.
    ///
    /// # Panics
    /// If one fails.
    pub fn sql(&self, name: &str, statements: &str) -> String {
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", SUPERUSER, "-d", name, "-q", "-A", "-t", "-X"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", statements])
            .env("PGPASSWORD", PASSWORD);
        let output = checked(psql).unwrap_or_else(|error| panic!("{statements}: {error}"));
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Gives a file or a folder to the server's owner alone, as keys have to be.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        match self.owner {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    fn initialize(&self) -> io::Result<()> {
        let password = self.folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        self.give(&password)?;
        let mut initdb = self.command("initdb");
        initdb
            .arg("-D")
            .arg(self.data())
            .args(["-U", SUPERUSER, "--auth=scram-sha-256", "--no-sync"])
            .args(["--encoding=UTF8", "--no-locale"])
            .arg("--pwfile")
            .arg(password);
        checked(initdb).map(drop)
    }

    fn control(&self, args: &[&str]) -> io::Result<()> {
        let mut control = self.command("pg_ctl");
        control.arg("-D").arg(self.data()).args(args);
        // The server outlives pg_ctl and would keep a pipe open.
        control.stdout(Stdio::null()).stderr(Stdio::null());
        let status = control.status()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "pg_ctl {}: {status}",
            args.join(" ")
        )))
    }

    /// A program of PostgreSQL as the server's owner.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Not running is fine, too.
        drop(self.stop(Shutdown::Immediate));
    }
}

fn checked(mut command: Command) -> io::Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr)))
}

/// The folder with the server's programs: on the PATH, or the newest of Debian's.
fn binaries() -> Option<PathBuf> {
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).exists())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(has_all) {
        return Some(folder);
    }
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(has_all)
        .collect();
    let number =
        |folder: &PathBuf| -> Option<u32> { folder.parent()?.file_name()?.to_str()?.parse().ok() };
    versions.sort_by_key(number);
    versions.pop()
}

/// PostgreSQL does not run as root: then the folder is given to somebody else, whose user and
/// group these are.
fn unprivileged(folder: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata(folder).ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let (user, group) = find("postgres").or_else(|| find("nobody"))?;
    chown(folder, Some(user), Some(group)).expect("the folder is given away");
    Some((user, group))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
