//! One connection, and the statements that run on it: sent again when the connection was lost,
//! and done once all the same.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{CONNECT_TIMEOUT, DatabaseUrl, STATEMENT_TIMEOUT};
use crate::error::Failure;

/// Without an answer for so long a connection counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);
/// For so long a statement is tried again while the server is away.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A value for a parameter of a statement.
pub(crate) type Param = Box<dyn ToSql + Send + Sync>;

/// Values for the parameters of a statement, in their order.
macro_rules! params {
    ($($param:expr),* $(,)?) => {
        vec![$(Box::new($param) as $crate::lane::Param),*]
    };
}
pub(crate) use params;

/// A statement with its parameters: all of a transaction.
pub(crate) struct Request {
    pub sql: &'static str,
    pub params: Vec<Param>,
    /// Its first three parameters are the worker, the lane's slot and the operation's number,
    /// which the lane puts in front of `params`.
    pub is_operation: bool,
    /// For so long it is tried again.
    pub patience: Duration,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("sql", &self.sql)
            .finish_non_exhaustive()
    }
}

/// What all connections of a worker have in common.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub url: DatabaseUrl,
    pub tls: MakeRustlsConnect,
    pub read_only: bool,
}

impl Endpoint {
    /// A connection that is set up.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let limit = CONNECT_TIMEOUT;
        let connect = self.url.config.connect(self.tls.clone());
        let (client, connection) = time::timeout(limit, connect)
            .await
            .map_err(|_| Failure::TimedOut(limit))??;
        // Its errors are told by the statements that wait for it.
        let task = tokio::spawn(async move { drop(connection.await) });
        let connection = Connection {
            client,
            task,
            statements: HashMap::new(),
        };
        connection.set_up(self).await?;
        Ok(connection)
    }
}

/// A connection with the statements that it knows.
pub(crate) struct Connection {
    pub client: Client,
    task: JoinHandle<()>,
    statements: HashMap<&'static str, Statement>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    async fn set_up(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        // Everything is looked up by key. A plan that was made while the tables were empty would
        // read them whole once they are not.
        let settings = format!(
            "set search_path to {schema};
             set statement_timeout to {statement};
             set lock_timeout to {statement};
             set idle_in_transaction_session_timeout to {idle};
             set synchronous_commit to on;
             set default_transaction_read_only to {read_only};
             set enable_seqscan to off; set enable_hashjoin to off; set enable_mergejoin to off;
             set jit to off;",
            schema = endpoint.url.schema,
            statement = STATEMENT_TIMEOUT.as_millis(),
            idle = ANSWER_TIMEOUT.as_millis(),
            read_only = if endpoint.read_only { "on" } else { "off" },
        );
        self.client.batch_execute(&settings).await?;
        Ok(())
    }

    async fn query(
        &mut self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        if !self.statements.contains_key(sql) {
            let statement = self.client.prepare(sql).await?;
            self.statements.insert(sql, statement);
        }
        let statement = &self.statements[sql];
        Ok(self.client.query(statement, params).await?)
    }
}

/// A connection that comes back, one statement at a time. Its `slot` and the numbers of its
/// operations tell the database whether it has seen one before.
pub(crate) struct Lane {
    slot: i32,
    number: i64,
    connection: Option<Connection>,
}

impl Lane {
    pub fn new(slot: i32, connection: Option<Connection>) -> Self {
        Self {
            slot,
            number: 0,
            connection,
        }
    }

    /// The rows of a statement. While the server is away, or another transaction was in the way,
    /// it is sent again; an operation that was committed though the answer was lost is not done
    /// twice.
    pub async fn run(
        &mut self,
        endpoint: &Endpoint,
        worker: i64,
        request: &Request,
    ) -> Result<Vec<Row>, Failure> {
        self.number += 1;
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.attempt(endpoint, worker, request).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            if failure.lost_connection() {
                self.connection = None;
            }
            if !failure.is_transient() || started.elapsed() + pause > request.patience {
                return Err(failure);
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(
        &mut self,
        endpoint: &Endpoint,
        worker: i64,
        request: &Request,
    ) -> Result<Vec<Row>, Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(endpoint.connect().await?),
        };
        let operation: [&(dyn ToSql + Sync); 3] = [&worker, &self.slot, &self.number];
        let own = if request.is_operation {
            &operation[..]
        } else {
            &[]
        };
        let given = request
            .params
            .iter()
            .map(|param| &**param as &(dyn ToSql + Sync));
        let params: Vec<_> = own.iter().copied().chain(given).collect();
        time::timeout(ANSWER_TIMEOUT, connection.query(request.sql, &params))
            .await
            .unwrap_or(Err(Failure::TimedOut(ANSWER_TIMEOUT)))
    }
}
