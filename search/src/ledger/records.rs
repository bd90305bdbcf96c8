use std::fmt;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Prompt, PromptId, Reply};

use crate::event::{GroupOutcome, Origin};
use crate::gateway::LostCalls;
use crate::llm::ModelCall;

/// What identifies a call: everything that can change its reply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey([u8; 32]);

impl CallKey {
    /// The key of `call` sent to the model called `identity` (provider, base
    /// URL, model, revision).
    pub fn of(identity: &str, call: &ModelCall) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(identity.len() as u64).to_be_bytes());
        hasher.update(identity.as_bytes());
        // Many texts hash faster as one.
        let json = serde_json::to_vec(call).expect("a call of strings and numbers serialises");
        hasher.update(&json);
        Self(*hasher.finalize().as_bytes())
    }

    /// All of it as 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The key with these digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let hash = blake3::Hash::from_hex(digits).ok()?;
        Some(Self(*hash.as_bytes()))
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(8)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// A stored answer. A call that failed for a passing reason is never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredAnswer {
    /// The model's reply.
    Reply(Reply),
    /// The request can never be answered; why.
    Refused(String),
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its name, unique in the store.
    pub id: String,
    /// The study's name.
    pub study: String,
    /// The study and options as they were when the run began: enough to resume.
    pub spec: String,
    /// The random seed.
    pub seed: u64,
    /// Version of the program that began it.
    pub version: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How it stands.
    pub status: RunStatus,
    /// Processes of this run that were killed and whose calls in flight are not
    /// accounted for: earlier versions counted them here, later ones in a
    /// [`RequestTally`](super::RequestTally).
    #[serde(default)]
    pub kills: u64,
    /// What earlier kills were found to have cost, by earlier versions.
    #[serde(default)]
    pub losses: Vec<LostCalls>,
    /// What was found out about the models when the run began, as JSON: a run that
    /// goes on asks the same of them in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
    /// It stopped because hardly a call was answered, and its refusals are
    /// forgotten: when it goes on it asks again, and tells another story.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins_anew: bool,
}

/// A batch that was or may have been submitted, and is not yet collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Our name for it.
    pub tag: String,
    /// The model's identity.
    pub model: String,
    /// Its calls, by [key](CallKey::to_hex).
    pub calls: Vec<String>,
    /// The provider's name for it; absent until it is known to be submitted.
    #[serde(default)]
    pub id: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process works on it, or was killed while it did.
    Running,
    /// It stopped for this reason and can be resumed.
    Stopped(String),
    /// It is done.
    Finished,
}

/// A candidate of a run with its latest scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// The prompt.
    pub prompt: Prompt,
    /// How it came about.
    pub origin: Origin,
    /// What it was made from.
    pub parents: Vec<PromptId>,
    /// The objective's value, if it was evaluated.
    pub score: Option<f64>,
    /// Its latest scores per group.
    pub groups: Vec<GroupOutcome>,
    /// Why it stayed or left.
    pub reason: Option<String>,
}
