//! Group commit: one thread appends what many callers write, syncs once per
//! group and acknowledges, and carries it to the index in larger batches. Answers stay
//! in the journal alone, and [`replies`](super::replies) says where.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use shiftproof_store::{Journal, JournalPosition, Kv};
use tokio::sync::oneshot;

use super::LedgerError;
use super::indexing::{IN_JOURNAL, INDEX_BYTES, INLINE, IndexRecord, index, is_reply};
use super::replies::JournalReplies;

/// Records between two visits to the index.
pub(super) const INDEX_EVERY: usize = 2048;
/// Writes that one group serves at most.
const GROUP: usize = 512;
/// Bytes after which a group takes no further write; far below a journal
/// group's limit, for one write may be large.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// How long answers wait for others to share a sync with, unless somebody waits for them.
const LINGER: Duration = Duration::from_millis(2);

type Pair = (Vec<u8>, Vec<u8>);
/// Written, perhaps not yet in the index.
type Recent = Arc<RwLock<HashMap<Vec<u8>, Vec<u8>>>>;

struct WriteRequest {
    pairs: Vec<Pair>,
    /// May wait for others to share a sync with.
    lingers: bool,
    done: oneshot::Sender<Result<(), LedgerError>>,
}

impl WriteRequest {
    fn bytes(&self) -> usize {
        self.pairs
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }
}

pub(super) struct LedgerWriter {
    kv: Arc<dyn Kv>,
    recent: Recent,
    replies: Option<Arc<JournalReplies>>,
    has_room: Arc<AtomicBool>,
    queue: Option<mpsc::Sender<WriteRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl LedgerWriter {
    /// `journal` comes with its answers, and is indexed to its end; without one nothing
    /// outlives the process.
    pub(super) fn start(kv: Arc<dyn Kv>, journal: Option<(Journal, JournalReplies)>) -> Self {
        let recent = Recent::default();
        let (journal, replies) = journal.unzip();
        let replies = replies.map(Arc::new);
        let has_room = Arc::new(AtomicBool::new(
            journal.as_ref().is_none_or(Journal::has_reserve),
        ));
        let (queue, writes) = mpsc::channel();
        let work = WriterWork {
            kv: kv.clone(),
            recent: recent.clone(),
            replies: replies.clone(),
            unmarked: 0,
            journal,
            has_room: has_room.clone(),
            waiting: Vec::new(),
            waiting_bytes: 0,
        };
        // No task of the runtime: appending and syncing block, and one writer is what
        // makes a group of them.
        let thread = thread::Builder::new()
            .name("ledger".into())
            .spawn(move || work.run(&writes))
            .expect("the system can start one more thread");
        Self {
            kv,
            recent,
            replies,
            has_room,
            queue: Some(queue),
            thread: Some(thread),
        }
    }

    /// In the queue at once, in the order of calls; durable when the future is
    /// ready.
    pub(super) fn put(
        &self,
        pairs: Vec<Pair>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let queued = self.enqueue(pairs, false);
        self.hurry();
        Self::acknowledged(queued)
    }

    /// As [`put`](Self::put), and may wait a moment for others to share a sync with,
    /// until somebody is in a [`hurry`](Self::hurry).
    pub(super) fn put_lingering(
        &self,
        pairs: Vec<Pair>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        Self::acknowledged(self.enqueue(pairs, true))
    }

    /// What was put is written at once.
    pub(super) fn hurry(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    async fn acknowledged(
        queued: Result<Option<oneshot::Receiver<Result<(), LedgerError>>>, LedgerError>,
    ) -> Result<(), LedgerError> {
        match queued? {
            Some(acknowledged) => acknowledged.await.map_err(|_| LedgerError::Stopped)?,
            None => Ok(()),
        }
    }

    fn enqueue(
        &self,
        pairs: Vec<Pair>,
        lingers: bool,
    ) -> Result<Option<oneshot::Receiver<Result<(), LedgerError>>>, LedgerError> {
        if pairs.is_empty() {
            return Ok(None);
        }
        let (done, acknowledged) = oneshot::channel();
        self.queue
            .as_ref()
            .ok_or(LedgerError::Stopped)?
            .send(WriteRequest {
                pairs,
                lingers,
                done,
            })
            .map_err(|_| LedgerError::Stopped)?;
        Ok(Some(acknowledged))
    }

    /// Whether the journal has room for more than what is on its way.
    pub(super) fn has_room(&self) -> bool {
        self.has_room.load(Ordering::Acquire)
    }

    /// Whether there is an answer under this key of one.
    pub(super) fn has_reply(&self, key: &[u8]) -> Result<bool, LedgerError> {
        if let Some(replies) = &self.replies {
            return Ok(replies.has(key));
        }
        let stored = self.get(key)?;
        Ok(stored.is_some_and(|value| !value.is_empty()))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        if let (Some(replies), true) = (&self.replies, is_reply(key)) {
            return replies.get(key);
        }
        if let Some(value) = self.recent().get(key) {
            return Ok(Some(value.clone()));
        }
        self.kv.get(key)?.map(|value| self.load(value)).transpose()
    }

    pub(super) fn scan(&self, prefix: &[u8]) -> Result<Vec<Pair>, LedgerError> {
        let mut pairs = std::collections::BTreeMap::new();
        // The index first: what is recent takes the place of what it holds.
        for pair in self.kv.scan(prefix) {
            let (key, value) = pair?;
            pairs.insert(key, self.load(value)?);
        }
        for (key, value) in self
            .recent()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
        {
            pairs.insert(key.clone(), value.clone());
        }
        Ok(pairs.into_iter().collect())
    }

    fn recent(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Vec<u8>, Vec<u8>>> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows an index value to the value itself.
    fn load(&self, mut value: Vec<u8>) -> Result<Vec<u8>, LedgerError> {
        let malformed = |reason: &str| LedgerError::Record {
            what: "an index entry".into(),
            reason: reason.into(),
        };
        match value.first() {
            Some(&INLINE) => {
                value.remove(0);
                Ok(value)
            }
            Some(&IN_JOURNAL) => {
                let offset = value[1..]
                    .try_into()
                    .map_err(|_| malformed("its position is cut"))?;
                let position = JournalPosition::from_offset(u64::from_be_bytes(offset));
                self.replies
                    .as_ref()
                    .ok_or_else(|| malformed("there is no journal"))?
                    .value_at(position)
            }
            _ => Err(malformed("its kind is unknown")),
        }
    }
}

impl Drop for LedgerWriter {
    fn drop(&mut self) {
        // Closing the queue lets the thread finish what is queued and index it.
        self.queue = None;
        self.hurry();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct WriterWork {
    kv: Arc<dyn Kv>,
    recent: Recent,
    replies: Option<Arc<JournalReplies>>,
    journal: Option<Journal>,
    has_room: Arc<AtomicBool>,
    /// Records since the index was last told where the journal ends.
    unmarked: usize,
    waiting: Vec<IndexRecord>,
    /// Bytes of the values in it.
    waiting_bytes: usize,
}

impl WriterWork {
    fn run(mut self, writes: &mpsc::Receiver<WriteRequest>) {
        while let Ok(first) = writes.recv() {
            let (mut bytes, mut lingers) = (first.bytes(), first.lingers);
            let mut group = vec![first];
            while group.len() < GROUP && bytes < GROUP_BYTES {
                if let Ok(write) = writes.try_recv() {
                    bytes += write.bytes();
                    lingers &= write.lingers;
                    group.push(write);
                } else if lingers && self.journal.is_some() {
                    // No time is measured, and nothing depends on how long it was.
                    thread::park_timeout(LINGER);
                    lingers = false;
                } else {
                    break;
                }
            }
            let result = self.commit(&group);
            for write in group {
                // Nobody waiting is no reason to stop: the write is durable.
                let _ = write.done.send(result.clone());
            }
            if self.unmarked >= INDEX_EVERY || self.waiting_bytes >= INDEX_BYTES {
                self.index();
            }
        }
        if self.unmarked > 0 {
            self.index();
        }
    }

    fn commit(&mut self, group: &[WriteRequest]) -> Result<(), LedgerError> {
        let pairs = latest(group);
        let positions = match &mut self.journal {
            Some(journal) => {
                let records: Vec<Vec<u8>> = pairs
                    .iter()
                    .map(|(key, value)| IndexRecord::encode(key, value))
                    .collect();
                let appended = journal.append_all(&records);
                self.has_room
                    .store(journal.has_reserve(), Ordering::Release);
                let at = appended?.at;
                at.into_iter().map(Some).collect()
            }
            None => vec![None; pairs.len()],
        };
        self.unmarked += pairs.len();
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        for ((key, value), position) in pairs.into_iter().zip(positions) {
            if let (Some(replies), Some(position), true) = (&self.replies, position, is_reply(key))
            {
                replies.places().set(key, value, position);
                continue;
            }
            recent.insert(key.clone(), value.clone());
            self.waiting_bytes += value.len();
            self.waiting.push(IndexRecord {
                key: key.clone(),
                value: value.clone(),
                position,
            });
        }
        Ok(())
    }

    /// Should the index fail, what waits stays readable and keeps waiting: the
    /// journal has everything, and the next opening indexes it.
    fn index(&mut self) {
        let end = self.journal.as_ref().map(Journal::position);
        if index(&*self.kv, &self.waiting, end).is_ok() {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            for record in self.waiting.drain(..) {
                recent.remove(&record.key);
            }
            (self.unmarked, self.waiting_bytes) = (0, 0);
        }
    }
}

/// What a group comes to: of several values under one key the last. A group is
/// atomic, so nobody can ever have seen the others.
fn latest(group: &[WriteRequest]) -> Vec<&Pair> {
    let mut seen = HashSet::new();
    let mut pairs: Vec<&Pair> = group
        .iter()
        .flat_map(|write| &write.pairs)
        .rev()
        .filter(|(key, _)| seen.insert(key))
        .collect();
    pairs.reverse();
    pairs
}
