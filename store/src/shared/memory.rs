//! A shared store in memory: for tests, and for several runs of one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{
    Amount, AmountLimits, Claim, ClaimRequest, ClaimResult, MAX_ATTEMPTS, MAX_PIECE, SharedBudget,
    SharedFile, SharedStore, WORKER_TIMEOUT, WorkItem, WorkState, WorkStatus, WorkerStatus,
};
use crate::error::{Result, StoreError, readable};
use crate::kv::{Kv, PrefixScan, WriteBatch};
use crate::memory::MemoryKv;

/// See the [module](crate::shared). [`join`](Self::join) makes further workers of the same store.
#[derive(Debug)]
pub struct MemorySharedStore {
    worker: u64,
    kv: MemoryKv,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    claims: BTreeMap<Vec<u8>, HeldClaim>,
    budgets: BTreeMap<String, SharedBudget>,
    queues: BTreeMap<String, Vec<QueuedItem>>,
    locks: BTreeMap<String, u64>,
    files: BTreeMap<(String, String), Vec<u8>>,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct HeldClaim {
    worker: u64,
    budget: Option<String>,
    reserved: Amount,
}

#[derive(Debug)]
struct QueuedItem {
    item: WorkItem,
    attempts: u32,
    failure: Option<String>,
    end: Option<WorkEnd>,
    worker: Option<u64>,
}

#[derive(Debug)]
enum WorkEnd {
    Done(Vec<u8>),
    PutAside,
}

#[derive(Debug)]
struct Worker {
    name: String,
    /// The last sign of life of one that was left for dead; others are alive.
    died: Option<Instant>,
}

impl MemorySharedStore {
    /// An empty store, and its first worker.
    pub fn new() -> Self {
        Self {
            worker: 0,
            kv: MemoryKv::new(),
            state: Arc::default(),
        }
        .join()
    }

    /// Another worker of this store.
    #[must_use]
    pub fn join(&self) -> Self {
        let mut state = self.state();
        let worker = state.workers.len() as u64;
        state.workers.push(Worker {
            name: format!("worker {worker}"),
            died: None,
        });
        Self {
            worker,
            kv: self.kv.clone(),
            state: self.state.clone(),
        }
    }

    /// Another handle of the same worker.
    #[must_use]
    pub fn clone_worker(&self) -> Self {
        Self {
            worker: self.worker,
            kv: self.kv.clone(),
            state: self.state.clone(),
        }
    }

    /// The worker is taken for dead, as if it had been killed some time ago.
    pub fn die(&self) {
        let long_ago = Instant::now().checked_sub(WORKER_TIMEOUT);
        let worker = self.worker as usize;
        self.state().workers[worker].died = Some(long_ago.unwrap_or_else(Instant::now));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whatever panicked had changed nothing half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemorySharedStore {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn is_alive(&self, worker: u64) -> bool {
        self.workers[worker as usize].died.is_none()
    }

    /// What a dead worker's claim had set aside is lost.
    fn bury(&mut self, claim: &HeldClaim) {
        if let Some(budget) = claim
            .budget
            .as_ref()
            .and_then(|at| self.budgets.get_mut(at))
        {
            budget.reserved = budget.reserved.without(claim.reserved);
            budget.lost += claim.reserved;
        }
    }

    /// Sets `amount` aside, if there is room.
    fn reserve(&mut self, budget: Option<&str>, amount: Amount) -> bool {
        let Some(budget) = budget.and_then(|name| self.budgets.get_mut(name)) else {
            return true;
        };
        let has_room = budget.limits.allow(budget.total() + amount);
        if has_room {
            budget.reserved += amount;
        }
        has_room
    }

    fn claim(&mut self, worker: u64, budget: Option<&str>, request: &ClaimRequest) -> Claim {
        if !request.replaces
            && let Some(value) = self.values.get(&request.key)
        {
            return Claim::Stored(value.clone());
        }
        if let Some(held) = self.claims.get(&request.key) {
            if held.worker == worker {
                return Claim::Granted;
            }
            if self.is_alive(held.worker) {
                return Claim::Held;
            }
        }
        // Whatever a dead worker held is lost, whether or not there is room for another.
        if let Some(dead) = self.claims.remove(&request.key) {
            self.bury(&dead);
        }
        if !self.reserve(budget, request.worst) {
            return Claim::OverBudget;
        }
        let claim = HeldClaim {
            worker,
            budget: budget.map(ToOwned::to_owned),
            reserved: request.worst,
        };
        self.claims.insert(request.key.clone(), claim);
        Claim::Granted
    }

    fn settle(&mut self, worker: u64, result: &ClaimResult) -> bool {
        if self
            .claims
            .get(&result.key)
            .is_some_and(|claim| claim.worker == worker)
            && let Some(claim) = self.claims.remove(&result.key)
            && let Some(budget) = claim.budget.and_then(|name| self.budgets.get_mut(&name))
        {
            budget.reserved = budget.reserved.without(claim.reserved);
            budget.used += result.used;
        }
        let Some(value) = &result.value else {
            return false;
        };
        if result.replaces || !self.values.contains_key(&result.key) {
            self.values.insert(result.key.clone(), value.clone());
        }
        self.values.get(&result.key) == Some(value)
    }
}

impl Kv for MemorySharedStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.kv.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> PrefixScan<'_> {
        self.kv.scan(prefix)
    }

    fn apply(&self, batch: WriteBatch) -> Result<()> {
        self.kv.apply(batch)
    }

    fn count(&self) -> Result<u64> {
        self.kv.count()
    }
}

impl SharedStore for MemorySharedStore {
    fn address(&self) -> String {
        "in memory".into()
    }

    fn values(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let state = self.state();
        Ok(keys
            .iter()
            .map(|key| state.values.get(key).cloned())
            .collect())
    }

    fn claim(&self, budget: Option<&str>, requests: &[ClaimRequest]) -> Result<Vec<Claim>> {
        let mut state = self.state();
        if let Some(name) = budget.filter(|name| !state.budgets.contains_key(*name)) {
            return Err(no_budget(name));
        }
        let mut full = false;
        let claims = requests.iter().map(|request| {
            if full {
                return Claim::OverBudget;
            }
            let claim = state.claim(self.worker, budget, request);
            full |= claim == Claim::OverBudget;
            claim
        });
        Ok(claims.collect())
    }

    fn extend(&self, key: &[u8], more: Amount) -> Result<bool> {
        let mut state = self.state();
        let held = state
            .claims
            .get(key)
            .filter(|claim| claim.worker == self.worker);
        let Some(claim) = held else {
            return Err(not_held(key));
        };
        let budget = claim.budget.clone();
        let has_room = state.reserve(budget.as_deref(), more);
        if has_room && let Some(claim) = state.claims.get_mut(key) {
            claim.reserved += more;
        }
        Ok(has_room)
    }

    fn settle(&self, results: &[ClaimResult]) -> Result<Vec<bool>> {
        let mut state = self.state();
        Ok(results
            .iter()
            .map(|result| state.settle(self.worker, result))
            .collect())
    }

    fn offer_values(&self, values: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        let mut state = self.state();
        for (key, value) in values {
            state
                .values
                .entry(key.clone())
                .or_insert_with(|| value.clone());
        }
        Ok(())
    }

    fn set_budget(&self, name: &str, limits: AmountLimits) -> Result<()> {
        self.state()
            .budgets
            .entry(name.to_owned())
            .or_default()
            .limits = limits;
        Ok(())
    }

    fn budget(&self, name: &str) -> Result<Option<SharedBudget>> {
        Ok(self.state().budgets.get(name).copied())
    }

    fn budgets(&self) -> Result<Vec<(String, SharedBudget)>> {
        let state = self.state();
        Ok(state
            .budgets
            .iter()
            .map(|(name, budget)| (name.clone(), *budget))
            .collect())
    }

    fn add_work(&self, queue: &str, items: &[WorkItem]) -> Result<()> {
        let mut state = self.state();
        let queue = state.queues.entry(queue.to_owned()).or_default();
        for item in items {
            if queue.iter().all(|queued| queued.item.id != item.id) {
                queue.push(QueuedItem {
                    item: item.clone(),
                    attempts: 0,
                    failure: None,
                    end: None,
                    worker: None,
                });
            }
        }
        Ok(())
    }

    fn take_work(&self, queue: &str) -> Result<Option<WorkItem>> {
        let mut state = self.state();
        let State {
            queues, workers, ..
        } = &mut *state;
        let is_alive = |worker: u64| workers[worker as usize].died.is_none();
        for queued in queues.entry(queue.to_owned()).or_default() {
            if queued.end.is_some() || queued.worker.is_some_and(is_alive) {
                continue;
            }
            if queued.worker.take().is_some() {
                queued.failure = Some(DIED.into());
            }
            if queued.attempts >= MAX_ATTEMPTS {
                queued.end = Some(WorkEnd::PutAside);
                continue;
            }
            queued.attempts += 1;
            queued.worker = Some(self.worker);
            return Ok(Some(queued.item.clone()));
        }
        Ok(None)
    }

    fn end_work(&self, queue: &str, id: &str, end: Result<&[u8], &str>) -> Result<bool> {
        let mut state = self.state();
        let Some(queued) = state.taken(self.worker, queue, id) else {
            return Ok(false);
        };
        queued.worker = None;
        match end {
            Ok(result) => queued.end = Some(WorkEnd::Done(result.to_vec())),
            Err(reason) => {
                queued.failure = Some(reason.to_owned());
                if queued.attempts >= MAX_ATTEMPTS {
                    queued.end = Some(WorkEnd::PutAside);
                }
            }
        }
        Ok(true)
    }

    fn return_work(&self, queue: &str, id: &str) -> Result<()> {
        if let Some(queued) = self.state().taken(self.worker, queue, id) {
            queued.worker = None;
            queued.attempts -= 1;
        }
        Ok(())
    }

    fn reopen_work(&self, queue: &str, id: &str) -> Result<()> {
        let mut state = self.state();
        let mut queued = state.queues.entry(queue.to_owned()).or_default().iter_mut();
        let is_ended = |queued: &&mut QueuedItem| queued.item.id == id && queued.end.is_some();
        if let Some(queued) = queued.find(is_ended) {
            (queued.end, queued.attempts) = (None, 0);
        }
        Ok(())
    }

    fn work(&self, queue: &str) -> Result<Vec<WorkStatus>> {
        let state = self.state();
        let queued = state.queues.get(queue).map_or(&[][..], Vec::as_slice);
        let status = |queued: &QueuedItem| WorkStatus {
            item: queued.item.clone(),
            attempts: queued.attempts,
            failure: queued.failure.clone(),
            state: match (&queued.end, queued.worker) {
                (Some(WorkEnd::Done(result)), _) => WorkState::Done(result.clone()),
                (Some(WorkEnd::PutAside), _) => {
                    WorkState::PutAside(queued.failure.clone().unwrap_or_default())
                }
                (None, Some(worker)) if state.is_alive(worker) => WorkState::Taken {
                    worker: state.workers[worker as usize].name.clone(),
                },
                (None, _) => WorkState::Waiting,
            },
        };
        Ok(queued.iter().map(status).collect())
    }

    fn queues(&self) -> Result<Vec<String>> {
        Ok(self.state().queues.keys().cloned().collect())
    }

    fn lock(&self, name: &str) -> Result<Result<(), String>> {
        let mut state = self.state();
        if let Some(&holder) = state.locks.get(name)
            && holder != self.worker
            && state.is_alive(holder)
        {
            return Ok(Err(state.workers[holder as usize].name.clone()));
        }
        state.locks.insert(name.to_owned(), self.worker);
        Ok(Ok(()))
    }

    fn unlock(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        if state.locks.get(name) == Some(&self.worker) {
            state.locks.remove(name);
        }
        Ok(())
    }

    fn write_file(&self, folder: &str, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let at = (folder.to_owned(), name.to_owned());
        let len = state.files.get(&at).map_or(0, Vec::len);
        if bytes.len() > MAX_PIECE || offset > len as u64 {
            return Err(StoreError::Invalid(format!(
                "{} bytes at {offset} of {folder}/{name}, which has {len}: at most {MAX_PIECE}, \
                 and no gap",
                bytes.len(),
            )));
        }
        let file = state.files.entry(at).or_default();
        file.truncate(offset as usize);
        file.extend_from_slice(bytes);
        Ok(())
    }

    fn read_file(&self, folder: &str, name: &str, offset: u64) -> Result<Option<Vec<u8>>> {
        let state = self.state();
        let file = state.files.get(&(folder.to_owned(), name.to_owned()));
        let from = |file: &Vec<u8>| {
            let from = (offset as usize).min(file.len());
            file[from..file.len().min(from + MAX_PIECE)].to_vec()
        };
        Ok(file.map(from))
    }

    fn files(&self, folder: &str) -> Result<Vec<SharedFile>> {
        let state = self.state();
        let own = state.files.iter().filter(|((of, _), _)| of == folder);
        let file = |((_, name), bytes): (&(String, String), &Vec<u8>)| SharedFile {
            name: name.clone(),
            len: bytes.len() as u64,
        };
        Ok(own.map(file).collect())
    }

    fn remove_folder(&self, folder: &str) -> Result<()> {
        self.state().files.retain(|(of, _), _| of != folder);
        Ok(())
    }

    fn workers(&self) -> Result<Vec<WorkerStatus>> {
        let state = self.state();
        let status = |(worker, it): (usize, &Worker)| WorkerStatus {
            name: it.name.clone(),
            seen: it.died.map_or(Duration::ZERO, |died| died.elapsed()),
            is_alive: it.died.is_none(),
            claims: state
                .claims
                .values()
                .filter(|claim| claim.worker == worker as u64)
                .count() as u64,
        };
        Ok(state.workers.iter().enumerate().map(status).collect())
    }
}

impl State {
    fn taken(&mut self, worker: u64, queue: &str, id: &str) -> Option<&mut QueuedItem> {
        let queue = self.queues.get_mut(queue)?;
        let own = |queued: &&mut QueuedItem| queued.worker == Some(worker) && queued.item.id == id;
        queue.iter_mut().find(own)
    }
}

/// Why an item is free again that a dead worker had.
const DIED: &str = "its worker died";

fn no_budget(name: &str) -> StoreError {
    StoreError::Invalid(format!("there is no budget {name:?} in the shared store"))
}

fn not_held(key: &[u8]) -> StoreError {
    StoreError::Invalid(format!("{} is not claimed by this worker", readable(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::contract::{self, SharedWorkers};

    impl SharedWorkers for MemorySharedStore {
        type Store = Self;

        fn join(&self) -> Self {
            self.join()
        }

        fn die(&self, worker: &Self) {
            worker.die();
        }
    }

    #[test]
    fn memory_keeps_shared_contract() {
        contract::check(MemorySharedStore::new);
        crate::contract::check(|| Box::new(MemorySharedStore::new()));
    }
}
