//! What a run remembers: paid replies, runs, candidates. The only place that
//! knows store keys and record versions.
//!
//! | key | value |
//! | --- | --- |
//! | `r` + 32 bytes | a model's answer under its cache key; in the journal alone |
//! | `u/` + run | a [`RunRecord`] |
//! | `c/` + run + `/` + prompt id | a [`CandidateRecord`] |
//! | `a/` + run | a [`RunAccount`] |
//! | `t` + 8 bytes of a hash of the run | a [`RequestTally`] |
//! | `b/` + tag | a [`BatchRecord`]: calls that a provider has and we have no answer to |
//! | `journal-index-end` | how far the index is complete |
//!
//! Every write is appended to a journal and synced before it is acknowledged;
//! the key-value store is the journal's index and can be rebuilt from it. Answers are no
//! part of it: `replies` keeps their places in memory. Earlier versions put them there,
//! under `journal-end` as the end.

mod account;
mod indexing;
mod records;
mod replies;
mod shared;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shiftproof_store::{Journal, JournalPosition, Kv, MemoryKv, SledKv, files};
use shiftproof_tasks::PromptId;
use thiserror::Error;

pub use account::{RequestTally, RunAccount, WaveCut};
pub use records::{BatchRecord, CallKey, CandidateRecord, RunRecord, RunStatus, StoredAnswer};
use replies::{JournalReplies, ReplyPlaces};
pub use shared::SharedAnswers;
pub(crate) use shared::{CallClaim, ClaimEnd};
use writer::LedgerWriter;

/// The version every record begins with.
const RECORD_VERSION: u8 = 1;
const REPLY: u8 = b'r';
const RUN: &str = "u/";
const CANDIDATE: &str = "c/";
const BATCH: &str = "b/";
const ACCOUNT: &str = "a/";
const TALLY: u8 = b't';

/// Why the ledger cannot serve.
#[derive(Debug, Clone, Error)]
pub enum LedgerError {
    /// The store failed.
    #[error("{0}")]
    Store(Arc<shiftproof_store::StoreError>),
    /// A record is not of this version.
    #[error("cannot read the record of {what}: {reason}")]
    Record {
        /// Which record.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The disk is full: what was answered is stored, and nothing more is asked.
    #[error(
        "no room is left on the disk of {}; what was answered before is stored: make room",
        .0.display()
    )]
    Full(PathBuf),
    /// What processes share a budget for is spent: what was answered is stored, and nothing
    /// more is asked.
    #[error(
        "the shared budget {budget:?} of {store} is used up; what was answered is stored: give it \
         more (shiftproof shared budget {budget:?} --max-calls N --store {store:?}), and go on"
    )]
    SharedBudget {
        /// Its name.
        budget: String,
        /// The store's address.
        store: String,
    },
    /// The writer is gone after an earlier error.
    #[error("the store stopped accepting writes after an earlier error")]
    Stopped,
}

impl LedgerError {
    /// Where another process has the store open: who, as far as is known.
    pub fn holder(&self) -> Option<String> {
        let Self::Store(error) = self else {
            return None;
        };
        match &**error {
            shiftproof_store::StoreError::Locked { holder, .. } => Some(
                holder
                    .as_ref()
                    .map_or_else(|| "another process".to_owned(), ToString::to_string),
            ),
            _ => None,
        }
    }
}

impl From<shiftproof_store::StoreError> for LedgerError {
    fn from(error: shiftproof_store::StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// What was found when a ledger was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerOpening {
    /// Where a damaged index was moved before it was rebuilt.
    pub quarantined: Option<PathBuf>,
    /// Bytes of an unacknowledged tail cut off the journal.
    pub trimmed: u64,
    /// Records of the journal that the index had not seen, answers among them.
    pub reindexed: u64,
}

/// See the [module](self).
pub struct Ledger {
    writer: LedgerWriter,
    opened: LedgerOpening,
    dir: Option<PathBuf>,
    shared: Option<SharedAnswers>,
}

/// A key of the store and what lies under it.
type StoredPair = (Vec<u8>, Vec<u8>);

impl Ledger {
    /// A ledger that forgets everything when dropped.
    pub fn in_memory() -> Self {
        Self {
            writer: LedgerWriter::start(Arc::new(MemoryKv::new()), None),
            opened: LedgerOpening::default(),
            dir: None,
            shared: None,
        }
    }

    /// Opens or creates the ledger in the folder `dir`. A damaged index is moved
    /// aside and rebuilt from the journal.
    pub fn open(dir: &Path) -> Result<Self, LedgerError> {
        // What earlier versions left may be open to others.
        for own in ["replies.journal", "runs", "gate.jsonl"] {
            files::restrict(&dir.join(own));
        }
        let path = dir.join("replies.journal");
        let places = ReplyPlaces::default();
        let journal = Journal::open_reading(&path, |position, record| {
            places.note(record, position);
        })?;
        let mut opened = LedgerOpening {
            trimmed: journal.trimmed().map_or(0, |trimmed| trimmed.bytes),
            ..LedgerOpening::default()
        };
        let db = dir.join("db");
        let kv = match SledKv::open(&db) {
            Ok(kv) => kv,
            Err(error) if error.is_corruption() => {
                opened.quarantined = Some(shiftproof_store::quarantine(&db)?);
                SledKv::open(&db)?
            }
            Err(error) => return Err(error.into()),
        };
        let kv: Arc<dyn Kv> = Arc::new(kv);
        let watermark = indexing::watermark(&*kv)?;
        // What was acknowledged and not carried over before the process ended.
        let mut missed = Vec::new();
        for entry in journal.read_from(watermark.unwrap_or(JournalPosition::START))? {
            let record = indexing::IndexRecord::decode(&entry?)?;
            opened.reindexed += 1;
            if record.is_reply() {
                continue;
            }
            missed.push(record);
            if missed.len() >= writer::INDEX_EVERY {
                // Without its end: should this process be killed here, the next one
                // begins where this one did.
                indexing::index(&*kv, &missed, None)?;
                missed.clear();
            }
        }
        if watermark.unwrap_or(JournalPosition::START) != journal.position() {
            indexing::index(&*kv, &missed, Some(journal.position()))?;
        }
        let replies = JournalReplies::open(&path, places)?;
        Ok(Self {
            writer: LedgerWriter::start(kv, Some((journal, replies))),
            opened,
            dir: Some(dir.to_owned()),
            shared: None,
        })
    }

    /// With answers in common with other processes.
    #[must_use]
    pub fn sharing(mut self, shared: SharedAnswers) -> Self {
        self.shared = Some(shared);
        self
    }

    /// The answers in common with other processes, if there are any.
    pub const fn shared(&self) -> Option<&SharedAnswers> {
        self.shared.as_ref()
    }

    /// What was found on opening.
    pub const fn opened(&self) -> &LedgerOpening {
        &self.opened
    }

    /// The folder of one run's own files (event log, study, reports); `None` in
    /// memory.
    pub fn run_dir(&self, run: &str) -> Option<PathBuf> {
        Some(self.dir.as_ref()?.join("runs").join(run))
    }

    /// The stored answer under `key`.
    pub fn reply(&self, key: &CallKey) -> Result<Option<StoredAnswer>, LedgerError> {
        self.get(&reply_key(key), || format!("the reply {key}"))
    }

    /// Whether there is an answer under `key`.
    pub fn has_reply(&self, key: &CallKey) -> Result<bool, LedgerError> {
        self.writer.has_reply(&reply_key(key))
    }

    /// Stores answers; durable when the future is ready. Writes are made in the
    /// order of calls, not of waiting.
    pub fn record(
        &self,
        answers: &[(CallKey, StoredAnswer)],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        self.put(reply_pairs(answers))
    }

    /// As [`record`](Self::record), and may wait a moment for others to share a sync with,
    /// until somebody is in a [`hurry`](Self::hurry).
    pub(crate) fn record_with_others(
        &self,
        answers: &[(CallKey, StoredAnswer)],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let queued = reply_pairs(answers).map(|pairs| self.writer.put_lingering(pairs));
        async move { queued?.await }
    }

    /// Writes what is queued at once: somebody waits for nothing else.
    pub(crate) fn hurry(&self) {
        self.writer.hurry();
    }

    /// Forgets answers: the calls are asked again.
    pub async fn forget(&self, keys: &[CallKey]) -> Result<(), LedgerError> {
        let pairs = keys.iter().map(|key| (reply_key(key), Vec::new()));
        self.writer.put(pairs.collect()).await
    }

    /// What a run's requests have cost so far; nothing for a run that has sent none.
    pub fn tally(&self, run: &str) -> Result<RequestTally, LedgerError> {
        match self.writer.get(&tally_key(run))? {
            Some(value) if !value.is_empty() => RequestTally::decode(&value),
            _ => Ok(RequestTally::default()),
        }
    }

    /// Stores what a run's requests have cost; durable when the future is ready,
    /// in the order of calls like [`record`](Self::record).
    pub fn save_tally(
        &self,
        run: &str,
        tally: &RequestTally,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        self.put(tally.encode().map(|value| vec![(tally_key(run), value)]))
    }

    /// Where a run's requests without an answer count; `None` for a run of a
    /// version that did not keep it.
    pub fn account(&self, run: &str) -> Result<Option<RunAccount>, LedgerError> {
        self.get(format!("{ACCOUNT}{run}").as_bytes(), || {
            format!("the account of the run {run}")
        })
    }

    /// Stores a run's account with its tally, both or none; durable when the future
    /// is ready.
    pub fn save_account(
        &self,
        run: &str,
        account: &RunAccount,
        tally: &RequestTally,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let pairs = encode(account).and_then(|account| {
            Ok(vec![
                (format!("{ACCOUNT}{run}").into_bytes(), account),
                (tally_key(run), tally.encode()?),
            ])
        });
        self.put(pairs)
    }

    /// Refuses once the disk has no room for more than the answers to what is on its
    /// way.
    pub fn check_room(&self) -> Result<(), LedgerError> {
        match &self.dir {
            Some(dir) if !self.writer.has_room() => Err(LedgerError::Full(dir.clone())),
            _ => Ok(()),
        }
    }

    fn put(
        &self,
        pairs: Result<Vec<StoredPair>, LedgerError>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send + use<> {
        let queued = pairs.map(|pairs| self.writer.put(pairs));
        async move { queued?.await }
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Result<Vec<RunRecord>, LedgerError> {
        let mut runs: Vec<RunRecord> = self
            .writer
            .scan(RUN.as_bytes())?
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| decode(&value, || readable(&key)))
            .collect::<Result<_, _>>()?;
        runs.sort_by(|a, b| (a.started_ms, &a.id).cmp(&(b.started_ms, &b.id)));
        Ok(runs)
    }

    /// One run.
    pub fn run(&self, id: &str) -> Result<Option<RunRecord>, LedgerError> {
        self.get(format!("{RUN}{id}").as_bytes(), || format!("the run {id}"))
    }

    /// Stores a run's record; durable when it returns.
    pub async fn save_run(&self, run: &RunRecord) -> Result<(), LedgerError> {
        self.writer
            .put(vec![(
                format!("{RUN}{}", run.id).into_bytes(),
                encode(run)?,
            )])
            .await
    }

    /// Forgets a run and its candidates; its replies stay, for they were paid
    /// for and may serve another run.
    pub async fn remove_run(&self, id: &str) -> Result<(), LedgerError> {
        // An empty value is a removal. The journal only grows, and an index that is
        // rebuilt from it must come to the same: so a removal is a record, too.
        let mut pairs = vec![
            (format!("{RUN}{id}").into_bytes(), Vec::new()),
            (format!("{ACCOUNT}{id}").into_bytes(), Vec::new()),
            (tally_key(id), Vec::new()),
        ];
        for (key, _) in self.writer.scan(format!("{CANDIDATE}{id}/").as_bytes())? {
            pairs.push((key, Vec::new()));
        }
        self.writer.put(pairs).await
    }

    /// Stores a run's candidates with their scores; durable when it returns.
    pub async fn save_candidates(
        &self,
        run: &str,
        candidates: &[CandidateRecord],
    ) -> Result<(), LedgerError> {
        let mut pairs = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            pairs.push((
                candidate_key(run, candidate.prompt.id()),
                encode(candidate)?,
            ));
        }
        self.writer.put(pairs).await
    }

    /// A run's candidates, by id.
    pub fn candidates(&self, run: &str) -> Result<Vec<CandidateRecord>, LedgerError> {
        self.writer
            .scan(format!("{CANDIDATE}{run}/").as_bytes())?
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| decode(&value, || readable(&key)))
            .collect()
    }

    /// Stores a batch that is about to be or was submitted; durable when it
    /// returns.
    pub async fn save_batch(&self, batch: &BatchRecord) -> Result<(), LedgerError> {
        let key = format!("{BATCH}{}", batch.tag).into_bytes();
        self.writer.put(vec![(key, encode(batch)?)]).await
    }

    /// Forgets a batch: its replies are stored, or will never come.
    pub async fn remove_batch(&self, tag: &str) -> Result<(), LedgerError> {
        let key = format!("{BATCH}{tag}").into_bytes();
        self.writer.put(vec![(key, Vec::new())]).await
    }

    /// Batches that are not collected, by tag.
    pub fn batches(&self) -> Result<Vec<BatchRecord>, LedgerError> {
        self.writer
            .scan(BATCH.as_bytes())?
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| decode(&value, || readable(&key)))
            .collect()
    }

    fn get<T: DeserializeOwned>(
        &self,
        key: &[u8],
        what: impl Fn() -> String,
    ) -> Result<Option<T>, LedgerError> {
        match self.writer.get(key)? {
            Some(value) if !value.is_empty() => decode(&value, what).map(Some),
            _ => Ok(None),
        }
    }
}

fn reply_key(key: &CallKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(33);
    bytes.push(REPLY);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

fn reply_pairs(answers: &[(CallKey, StoredAnswer)]) -> Result<Vec<StoredPair>, LedgerError> {
    let pair = |(key, stored): &(CallKey, StoredAnswer)| Ok((reply_key(key), encode(stored)?));
    answers.iter().map(pair).collect()
}

fn tally_key(run: &str) -> Vec<u8> {
    let mut bytes = vec![TALLY];
    bytes.extend_from_slice(&blake3::hash(run.as_bytes()).as_bytes()[..8]);
    bytes
}

fn candidate_key(run: &str, candidate: PromptId) -> Vec<u8> {
    format!("{CANDIDATE}{run}/{candidate}").into_bytes()
}

fn readable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

/// `MessagePack` with named fields: old records stay readable when a field is
/// added with a default, and NaN survives.
fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, LedgerError> {
    let mut bytes = vec![RECORD_VERSION];
    rmp_serde::encode::write_named(&mut bytes, record).map_err(|error| LedgerError::Record {
        what: "a new value".into(),
        reason: error.to_string(),
    })?;
    Ok(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8], what: impl Fn() -> String) -> Result<T, LedgerError> {
    let fail = |reason: String| LedgerError::Record {
        what: what(),
        reason,
    };
    match bytes.split_first() {
        Some((&RECORD_VERSION, body)) => {
            rmp_serde::from_slice(body).map_err(|error| fail(error.to_string()))
        }
        Some((version, _)) => Err(fail(format!(
            "it has version {version}; this program reads version {RECORD_VERSION}"
        ))),
        None => Err(fail("it is empty".into())),
    }
}

#[cfg(test)]
mod tests;
