//! What a database says, as a person can mend it.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use shiftproof_store::StoreError;
use tokio_postgres::error::SqlState;

use crate::address::{DatabaseUrl, STATEMENT_TIMEOUT, causes};

/// Why a statement has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server or the connection to it.
    Postgres(tokio_postgres::Error),
    /// No answer within this time.
    TimedOut(Duration),
    /// It is not ours: what the store says itself.
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// The server's code, five characters.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// What the server says.
    pub fn message(&self) -> &str {
        match self {
            Self::Postgres(error) => error.as_db_error().map_or("", |told| told.message()),
            _ => "",
        }
    }

    /// Whether the connection is of no more use.
    pub fn lost_connection(&self) -> bool {
        match (self, self.code()) {
            // A plan that an altered table made void is made anew on another connection.
            (_, Some(code)) => code.starts_with("08") || code.starts_with("57P") || code == "0A000",
            (Self::Postgres(error), None) => error.is_closed() || io_cause(error).is_some(),
            (Self::TimedOut(_), None) => true,
            (Self::Store(_), None) => false,
        }
    }

    /// Whether the same may succeed in a moment. Nothing was committed, or it is not known
    /// whether anything was.
    pub fn is_transient(&self) -> bool {
        const CODES: [&str; 5] = ["40001", "40P01", "53300", "55P03", "0A000"];
        match (self, self.code()) {
            (_, Some(code)) => {
                CODES.contains(&code) || code.starts_with("08") || code.starts_with("57P")
            }
            // The other side's certificate does not change by asking again.
            (Self::Postgres(error), None) => {
                error.is_closed()
                    || io_cause(error).is_some_and(|cause| {
                        !matches!(
                            cause.kind(),
                            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                        )
                    })
            }
            (Self::TimedOut(_), None) => true,
            (Self::Store(_), None) => false,
        }
    }

    /// The error of the store that tells it.
    pub fn explain(self, url: &DatabaseUrl) -> StoreError {
        let detail = match self {
            Self::Store(error) => return error,
            Self::TimedOut(limit) => format!(
                "no answer within {} s; is the network in order, or the server overloaded?",
                limit.as_secs()
            ),
            Self::Postgres(error) => match error.as_db_error() {
                Some(told) if *told.code() == SqlState::DISK_FULL => {
                    return StoreError::Io {
                        action: "write to the database",
                        path: url.to_string().into(),
                        source: io::Error::new(
                            io::ErrorKind::StorageFull,
                            format!(
                                "the server's disk is full ({}); make room there, nothing was lost",
                                told.message()
                            ),
                        ),
                    };
                }
                Some(told) => refused(url, told.code(), told.message()),
                None => unreached(url, &error),
            },
        };
        StoreError::Database {
            address: url.to_string(),
            detail,
        }
    }
}

fn io_cause(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source().and_then(|cause| cause.downcast_ref())
}

/// The server said no.
fn refused(url: &DatabaseUrl, code: &SqlState, message: &str) -> String {
    let (user, schema) = (url.user(), &url.schema);
    match code.code() {
        "28P01" => format!(
            "it refuses the password of the role {user}; mend it in the address or in PGPASSWORD"
        ),
        "28000" if message.contains("no encryption") => format!(
            "it does not let the role {user} in without encryption ({message}); add \
             sslmode=require to the address"
        ),
        "28000" => format!(
            "it does not let the role {user} in ({message}); see the role and the server's \
             pg_hba.conf"
        ),
        "3D000" => {
            let database = url.database();
            format!("there is no database {database:?}; create it (createdb {database})")
        }
        "53300" => format!(
            "it has no connection left ({message}); raise its max_connections, or lower \
             `connections` in the addresses of its clients"
        ),
        "42501" => format!(
            "the role {user} may not do that ({message}); let the owner of the schema {schema:?} \
             grant it: USAGE on the schema and SELECT on its tables to read, INSERT, UPDATE and \
             DELETE too to work, CREATE on the database to make the schema"
        ),
        "25006" => {
            format!("it takes no writes ({message}); name the primary server, not a standby")
        }
        "57014" => format!(
            "a statement took longer than {} s and was given up ({message})",
            STATEMENT_TIMEOUT.as_secs()
        ),
        "57P03" => format!("it is not ready ({message}); try again in a moment"),
        code => format!("it refused: {message} (SQLSTATE {code})"),
    }
}

/// Nothing came of the connection.
fn unreached(url: &DatabaseUrl, error: &tokio_postgres::Error) -> String {
    let text = causes(error);
    if text.contains("password missing") {
        return format!(
            "it wants a password of the role {}; give it in PGPASSWORD or in the address",
            url.user()
        );
    }
    if text.contains("server does not support TLS") {
        return "it offers no encryption, which sslmode=require asks for; turn its ssl on, or, on \
                a network you trust, say sslmode=disable"
            .into();
    }
    if text.contains("TLS") {
        return format!(
            "the encrypted connection failed ({text}); name the authority of its certificate by \
             sslrootcert=FILE, or, on a network you trust, say sslmode=disable"
        );
    }
    match io_cause(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            format!("no server answers there ({text}); is it running, and are host and port right?")
        }
        Some(io::ErrorKind::TimedOut) => {
            format!("no server answers there in time ({text}); are host, port and network right?")
        }
        Some(_) => format!("it cannot be reached ({text})"),
        None if error.is_closed() => format!("the connection was lost ({text})"),
        None => format!("it does not answer as expected ({text})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no test can bring about at a server of its own.
    #[test]
    fn refusals_name_what_to_do() {
        let url = DatabaseUrl::parse("postgres://ann:s3cret@h/runs?schema=team", None).unwrap();
        let check = |code: &str, words: &[&str]| {
            let told = refused(&url, &SqlState::from_code(code), "the server's words");
            for word in words {
                assert!(told.contains(word), "{word:?} is not in: {told}");
            }
            assert!(!told.contains("s3cret"), "{told}");
        };
        check("25006", &["no writes", "the server's words", "primary"]);
        check("28000", &["ann", "pg_hba.conf"]);
        check("42501", &["ann", "\"team\"", "grant"]);
        check("57014", &["30 s"]);
        check("57P03", &["not ready"]);
        check("XX001", &["the server's words", "XX001"]);
    }
}
