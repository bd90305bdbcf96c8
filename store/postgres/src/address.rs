//! Where the database is: an address as PostgreSQL's own programs read it, with three parameters
//! more.

use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use shiftproof_store::{Result, StoreError};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// The schema that holds the store if the address names none.
const DEFAULT_SCHEMA: &str = "shiftproof";
/// How many connections a worker has at most, its heartbeat's apart, and the bounds of it.
const DEFAULT_CONNECTIONS: usize = 4;
const MAX_CONNECTIONS: usize = 64;
/// How long one attempt to connect may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server gives a statement up after this.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A parsed address. Its `Debug` and `Display` show no password.
#[derive(Clone)]
pub(crate) struct DatabaseUrl {
    pub config: Config,
    pub schema: String,
    pub connections: usize,
    /// Authorities of the server's certificate, in PEM, in place of the system's.
    pub root_certificates: Option<PathBuf>,
}

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:port/database?parameters`; `password` is what to use
    /// if the address has none.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] with what is wrong and never with the address, which may hold a
    /// password.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self> {
        if !is_address(url) {
            return Err(invalid(
                "it begins with neither postgres:// nor postgresql://",
            ));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut schema, mut connections) = (DEFAULT_SCHEMA.to_owned(), DEFAULT_CONNECTIONS);
        let (mut root_certificates, mut rest) = (None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "schema" => schema = checked_schema(&decoded(value)?)?,
                "connections" => connections = checked_connections(value)?,
                "sslrootcert" => root_certificates = Some(PathBuf::from(decoded(value)?)),
                // Whatever is encrypted is verified here, so the three are one.
                "sslmode" if matches!(value, "verify-ca" | "verify-full") => {
                    rest.push("sslmode=require");
                }
                "sslmode" if !matches!(value, "disable" | "prefer" | "require") => {
                    return Err(invalid(
                        "sslmode is one of disable, prefer, require, verify-ca and verify-full",
                    ));
                }
                _ => rest.push(parameter),
            }
        }
        let base = if rest.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", rest.join("&"))
        };
        let mut config: Config = base.parse().map_err(|error| invalid(&causes(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        if let Some(password) = password.filter(|_| config.get_password().is_none()) {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("shiftproof");
        }
        // A server that is gone without a word is noticed within half a minute.
        config
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(30));
        Ok(Self {
            config,
            schema,
            connections,
            root_certificates,
        })
    }

    /// Whether a connection may be encrypted.
    pub fn may_encrypt(&self) -> bool {
        let is_socket = |host: &Host| !matches!(host, Host::Tcp(_));
        let only_sockets =
            !self.config.get_hosts().is_empty() && self.config.get_hosts().iter().all(is_socket);
        self.config.get_ssl_mode() != SslMode::Disable && !only_sockets
    }

    /// The role that connects, as far as the address says.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or("(that of this process)")
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        let user = self.config.get_user().unwrap_or_default();
        self.config.get_dbname().unwrap_or(user)
    }
}

/// Whether it reads as the address of a PostgreSQL database.
pub(crate) fn is_address(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{}@", encoded(user))?;
        }
        let ports = self.config.get_ports();
        let mut hosts = String::new();
        for (i, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            let host = match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(path) => encoded(&path.to_string_lossy()),
            };
            write!(hosts, "{}{host}:{port}", if i > 0 { "," } else { "" })?;
        }
        if hosts.is_empty() {
            let addresses = self.config.get_hostaddrs().iter();
            hosts = addresses
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",");
        }
        write!(f, "{hosts}/{}", self.database())?;
        if self.schema != DEFAULT_SCHEMA {
            write!(f, "?schema={}", self.schema)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

fn decoded(value: &str) -> Result<String> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(Into::into)
        .map_err(|_| invalid("a parameter is not UTF-8"))
}

fn checked_schema(name: &str) -> Result<String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let starts_well = name.starts_with(|first: char| !first.is_ascii_digit());
    if name.len() > 63 || !starts_well || !name.bytes().all(is_plain) || name.starts_with("pg_") {
        return Err(invalid(
            "schema is at most 63 of a-z, 0-9 and _, and begins with neither a digit nor pg_",
        ));
    }
    Ok(name.to_owned())
}

fn checked_connections(value: &str) -> Result<usize> {
    let number = value.parse().ok();
    number
        .filter(|number| (1..=MAX_CONNECTIONS).contains(number))
        .ok_or_else(|| invalid(&format!("connections is from 1 to {MAX_CONNECTIONS}")))
}

fn invalid(detail: &str) -> StoreError {
    StoreError::Invalid(format!(
        "the address of the database cannot be read: {detail}; it looks like \
         postgres://user@host:5432/database?sslmode=require&schema={DEFAULT_SCHEMA}"
    ))
}

/// An error with all that it was caused by.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        DatabaseUrl::parse(url, None).unwrap().to_string()
    }

    fn refused(url: &str) -> String {
        DatabaseUrl::parse(url, None).unwrap_err().to_string()
    }

    #[test]
    fn addresses_read_as_libpq_reads_them() {
        assert_eq!(
            shown("postgresql://ann:s3cret@db.example:6543/runs?sslmode=verify-full"),
            "postgres://ann@db.example:6543/runs"
        );
        assert_eq!(
            shown("postgres://ann@%2Fvar%2Frun%2Fpostgresql/runs?schema=team_1"),
            "postgres://ann@%2Fvar%2Frun%2Fpostgresql:5432/runs?schema=team_1"
        );
        assert_eq!(
            shown("postgres://ann@/runs"),
            "postgres://ann@localhost:5432/runs"
        );
        assert_eq!(
            shown("postgres://ann@one,two:7/runs?password=s3cret&connections=9"),
            "postgres://ann@one:5432,two:7/runs"
        );
        let url = DatabaseUrl::parse("postgres://ann@h/runs?connections=9", Some("s3cret"));
        let url = url.unwrap();
        assert_eq!(url.connections, 9);
        assert_eq!(url.config.get_password(), Some(&b"s3cret"[..]));
        assert!(!format!("{url:?} {url}").contains("s3cret"));
        let own = DatabaseUrl::parse("postgres://ann:own@h/runs", Some("s3cret")).unwrap();
        assert_eq!(own.config.get_password(), Some(&b"own"[..]));
    }

    #[test]
    fn encryption_follows_the_address() {
        let may = |url: &str| DatabaseUrl::parse(url, None).unwrap().may_encrypt();
        assert!(may("postgres://ann@h/runs"));
        assert!(may("postgres://ann@h/runs?sslmode=verify-ca"));
        assert!(!may("postgres://ann@h/runs?sslmode=disable"));
        assert!(!may("postgres://ann@%2Ftmp/runs"));
    }

    #[test]
    fn unreadable_addresses_say_why_and_no_password() {
        let cases = [
            ("mysql://ann:s3cret@h/runs", "neither postgres:// nor"),
            (
                "postgres://ann:s3cret@h/runs?sslmode=allow",
                "sslmode is one of",
            ),
            (
                "postgres://ann:s3cret@h/runs?schema=Team",
                "schema is at most",
            ),
            (
                "postgres://ann:s3cret@h/runs?schema=pg_own",
                "schema is at most",
            ),
            ("postgres://ann:s3cret@h/runs?schema=", "schema is at most"),
            ("postgres://ann:s3cret@h/runs?connections=0", "from 1 to 64"),
            ("postgres://ann:s3cret@h/runs?colour=red", "colour"),
            ("postgres://ann:s3cret@h:port/runs", "port"),
        ];
        for (url, why) in cases {
            let error = refused(url);
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
