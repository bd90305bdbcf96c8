//! What processes on several machines have in common: answers, who is getting which, budgets,
//! work to be done, and files.
//!
//! A process keeps its own folder, and everything it pays for is durable there as without
//! others. Beside it stands a [`SharedStore`], a database that all of them reach: what one was
//! answered the others need not ask again. It knows bytes under keys and whole numbers; what
//! they mean is their owners' business.
//!
//! **Workers.** A process that has opened the store is a worker: it has a number of its own,
//! and shows by a sign of life every few seconds that it is there. One that has shown none for
//! [`WORKER_TIMEOUT`] is taken for dead, by the database's clock alone: no worker's clock is
//! ever compared with another's.
//!
//! **Claims.** Before a value is worked out, its key is [claimed](SharedStore::claim), and what
//! that may cost at most is set aside in a budget, all in one transaction. So a value is worked
//! out by one worker at a time. The claims of a dead worker fall to whoever asks next; what was
//! set aside for them counts as lost, for a request may have been sent. The same becomes of what
//! a worker has not [settled](SharedStore::settle) when it ends in order. A worker that was taken
//! for dead and comes back with an answer may still bring it, and nothing is counted twice.
//!
//! **Budgets.** What was used, what is set aside and what is lost never exceed a limit together,
//! whatever processes do and whenever they are killed.
//!
//! **Work.** [Items](WorkItem) of a queue are taken by one worker at a time. An item whose
//! worker failed or died is taken again, [`MAX_ATTEMPTS`] times in all, and then put aside.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::time::Duration;

use crate::error::Result;
use crate::kv::Kv;

pub mod contract;
mod memory;

pub use memory::MemorySharedStore;

/// After so long without a sign of life a worker is taken for dead.
pub const WORKER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a worker shows that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often an item of work is begun before it is put aside.
pub const MAX_ATTEMPTS: u32 = 3;
/// Most bytes that one [piece of a file](SharedStore::write_file) has (1 MiB).
pub const MAX_PIECE: usize = 1024 * 1024;

/// What requests cost, or may cost: whole numbers, so that sums do not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Requests.
    pub calls: u64,
    /// Tokens, sent and generated together.
    pub tokens: u64,
    /// Money, in 10⁻¹² US dollars.
    pub picodollars: u64,
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            tokens: self.tokens.saturating_add(other.tokens),
            picodollars: self.picodollars.saturating_add(other.picodollars),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl Amount {
    /// What is left of it without `other`, each number at least zero.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            tokens: self.tokens.saturating_sub(other.tokens),
            picodollars: self.picodollars.saturating_sub(other.picodollars),
        }
    }
}

/// Limits of a budget; an absent one is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmountLimits {
    /// Requests.
    pub calls: Option<u64>,
    /// Tokens, sent and generated together.
    pub tokens: Option<u64>,
    /// Money, in 10⁻¹² US dollars.
    pub picodollars: Option<u64>,
}

impl AmountLimits {
    /// Whether `total` keeps to all of them.
    pub fn allow(&self, total: Amount) -> bool {
        self.calls.is_none_or(|limit| total.calls <= limit)
            && self.tokens.is_none_or(|limit| total.tokens <= limit)
            && self
                .picodollars
                .is_none_or(|limit| total.picodollars <= limit)
    }
}

/// A budget as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedBudget {
    /// What all workers together may spend.
    pub limits: AmountLimits,
    /// What requests have used.
    pub used: Amount,
    /// Set aside for requests that are claimed.
    pub reserved: Amount,
    /// Set aside for requests of workers that died, which may have been sent.
    pub lost: Amount,
}

impl SharedBudget {
    /// Used, set aside and lost together.
    pub fn total(&self) -> Amount {
        self.used + self.reserved + self.lost
    }
}

/// A value that a worker is about to work out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The key that the value will have.
    pub key: Vec<u8>,
    /// What working it out costs at most.
    pub worst: Amount,
    /// It is worked out anew though there is a value, which it will replace.
    pub replaces: bool,
}

/// What became of a [`ClaimRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The value is this worker's to work out.
    Granted,
    /// Here it is; nothing was set aside.
    Stored(Vec<u8>),
    /// Another worker, alive, is working it out.
    Held,
    /// The budget has no room for it. Nor has any request behind it in the same call.
    OverBudget,
}

/// How a granted claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimResult {
    /// Its key.
    pub key: Vec<u8>,
    /// The value; `None` if none came of it, so that others may try.
    pub value: Option<Vec<u8>>,
    /// What it took. What was set aside beyond it is free again.
    pub used: Amount,
    /// As in its [request](ClaimRequest::replaces).
    pub replaces: bool,
}

/// A piece of work that any worker may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// Its name in its queue, at most [`MAX_KEY`](crate::MAX_KEY) bytes.
    pub id: String,
    /// What is to be done, at most [`MAX_VALUE`](crate::MAX_VALUE) bytes.
    pub payload: Vec<u8>,
}

/// How far an item of work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkState {
    /// Nobody has it.
    Waiting,
    /// A worker has it: which, by the name it gave itself.
    Taken {
        /// The worker's name.
        worker: String,
    },
    /// It is done: what came of it.
    Done(Vec<u8>),
    /// It failed [`MAX_ATTEMPTS`] times: why, the last time.
    PutAside(String),
}

/// An item of work as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkStatus {
    /// The item.
    pub item: WorkItem,
    /// How often it was begun.
    pub attempts: u32,
    /// Why it failed the last time, if it did.
    pub failure: Option<String>,
    /// How far it is.
    pub state: WorkState,
}

/// A file as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    /// Its name in its folder.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// A worker as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The name it gave itself, such as `host:pid`.
    pub name: String,
    /// How long ago it showed that it is there.
    pub seen: Duration,
    /// Whether that is recent enough.
    pub is_alive: bool,
    /// How many values it is working out.
    pub claims: u64,
}

/// See the [module](self). All methods block; an async caller runs them on a blocking thread.
///
/// Records of [`Kv`] are beside everything else: no claim touches them, and none of them is
/// seen as a value.
pub trait SharedStore: Kv {
    /// The address without password, for messages.
    fn address(&self) -> String;

    /// The values under `keys`, in their order, in one round trip.
    fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>>;

    /// Claims values, in the order of `requests`, and sets what they may cost aside in
    /// `budget`, if one is named. A key that this worker holds already is granted again and
    /// nothing more is set aside.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if there is no such budget.
    fn claim(&self, budget: Option<&str>, requests: &[ClaimRequest]) -> Result<Vec<Claim>>;

    /// Sets more aside for a claim that this worker holds: a request has to be sent again.
    /// Whether the budget had room; no budget always has.
    ///
    /// # Errors
    /// [`StoreError::Invalid`](crate::StoreError::Invalid) if this worker does not hold it.
    fn extend(&self, key: &[u8], more: Amount) -> Result<bool>;

    /// Ends claims: stores their values, counts what they took, frees the rest. Durable when
    /// it returns, all or nothing. Returns for each whether the value that is stored now is the
    /// one given: where the claim had fallen to another worker who was faster, it is not.
    fn settle(&self, results: &[ClaimResult]) -> Result<Vec<bool>>;

    /// Stores values that nobody claimed: what a worker had paid for before. Those that are
    /// there already stay.
    fn offer_values(&self, values: &[(Vec<u8>, Vec<u8>)]) -> Result<()>;

    /// Makes the budget, or gives it other limits; what was spent stays.
    fn set_budget(&self, name: &str, limits: AmountLimits) -> Result<()>;

    /// A budget as it stands.
    fn budget(&self, name: &str) -> Result<Option<SharedBudget>>;

    /// All budgets by name.
    fn budgets(&self) -> Result<Vec<(String, SharedBudget)>>;

    /// Adds items to a queue. One that is there already stays as it is.
    fn add_work(&self, queue: &str, items: &[WorkItem]) -> Result<()>;

    /// Takes the first item of the queue that is free: waiting, or of a worker that died. Each
    /// is counted as begun; one that was begun too often is put aside instead.
    fn take_work(&self, queue: &str) -> Result<Option<WorkItem>>;

    /// Ends an item that this worker took; whether it still was this worker's. `Err`: why it
    /// failed; it waits to be taken again, or is put aside.
    fn end_work(&self, queue: &str, id: &str, end: Result<&[u8], &str>) -> Result<bool>;

    /// Gives an item back as if it had not been taken; for a worker that stops in order.
    fn return_work(&self, queue: &str, id: &str) -> Result<()>;

    /// An item that is done or was put aside waits again, as if it had not been begun; for
    /// somebody who has mended why it failed.
    fn reopen_work(&self, queue: &str, id: &str) -> Result<()>;

    /// All items of a queue, in the order in which they were added.
    fn work(&self, queue: &str) -> Result<Vec<WorkStatus>>;

    /// The names of all queues.
    fn queues(&self) -> Result<Vec<String>>;

    /// Takes a name for this worker alone, until it is [let go](Self::unlock) or the worker
    /// dies; `Err` inside: the name of the worker that has it.
    fn lock(&self, name: &str) -> Result<Result<(), String>>;

    /// Lets a name go.
    fn unlock(&self, name: &str) -> Result<()>;

    /// Writes `bytes` at `offset` of a file and ends the file behind them. There is no gap:
    /// `offset` is at most its length.
    fn write_file(&self, folder: &str, name: &str, offset: u64, bytes: &[u8]) -> Result<()>;

    /// The bytes of a file from `offset` on, at most [`MAX_PIECE`] of them; empty at its end,
    /// `None` if there is no such file.
    fn read_file(&self, folder: &str, name: &str, offset: u64) -> Result<Option<Vec<u8>>>;

    /// The files of a folder by name.
    fn files(&self, folder: &str) -> Result<Vec<SharedFile>>;

    /// Removes a folder with its files.
    fn remove_folder(&self, folder: &str) -> Result<()>;

    /// All workers that hold something or were seen in the last hour.
    fn workers(&self) -> Result<Vec<WorkerStatus>>;
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usd = self.picodollars as f64 / 1e12;
        write!(f, "{} calls, {} tokens, ${usd:.4}", self.calls, self.tokens)
    }
}
