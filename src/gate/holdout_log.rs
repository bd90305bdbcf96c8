//! How often an audit was opened. Every decision that reads the sealed labels
//! is written down before it is shown, in `gate.jsonl` in the store's folder.
//!
//! Opening an audit again for prompts it has already answered for tells nothing
//! new; opening it for others is another *question*. From the second question
//! on, whoever chooses by the answers tunes on the audit, and intervals no
//! longer cover as stated (Dwork et al. 2015, "The reusable holdout").

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use shiftproof_search::event_log;
use shiftproof_store::files;
use shiftproof_tasks::PromptId;

use crate::exit::{ExitStatus, Failure};
use crate::report::RunSummary;
use crate::runs::durable;

/// Its name in the store's folder.
pub(crate) const FILE: &str = "gate.jsonl";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldoutAccess {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The command that opened it.
    pub by: String,
    /// The study's name.
    pub study: String,
    /// The audit's fingerprint.
    pub audit: String,
    /// The model's identity.
    pub model: String,
    /// The prompts scored.
    pub prompts: BTreeSet<PromptId>,
    /// Labels read.
    pub labels: u64,
    /// What was decided.
    pub decision: String,
    /// The run that opened it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// How often one audit was opened in one store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessCount {
    /// Times.
    pub openings: usize,
    /// Different questions.
    pub questions: usize,
    /// Which of them this one is, from 1; one that was answered before keeps its
    /// number.
    pub question: usize,
}

impl HoldoutAccess {
    /// An opening now.
    pub fn now(
        by: &str,
        study: &str,
        audit: &str,
        model: &str,
        prompts: impl IntoIterator<Item = PromptId>,
        labels: u64,
    ) -> Self {
        Self {
            at_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_millis() as u64),
            by: by.to_owned(),
            study: study.to_owned(),
            audit: audit.to_owned(),
            model: model.to_owned(),
            prompts: prompts.into_iter().collect(),
            labels,
            decision: String::new(),
            run: None,
        }
    }

    /// Writes the opening of the run `id` down, if it came to its audit and did not
    /// before: a run may be killed after it has, and goes on.
    pub fn record_run(
        mut self,
        folder: &Path,
        id: &str,
        summary: &RunSummary,
    ) -> Result<(), Failure> {
        let is_told = |line: &AccessLine| {
            matches!(line, AccessLine::Whole(own)
                if own.run.as_deref() == Some(id) && own.audit == self.audit)
        };
        if summary.audited.is_empty() || read(folder)?.iter().any(is_told) {
            return Ok(());
        }
        self.run = Some(id.to_owned());
        self.prompts = summary.seed().into_iter().chain(summary.selected).collect();
        self.record(folder, "audited")
    }

    /// How often the audit was opened in the store at `folder`, this opening
    /// included though not yet written.
    pub fn count(&self, folder: &Path) -> Result<AccessCount, Failure> {
        let mut lines = read(folder)?;
        lines.push(AccessLine::Whole(Box::new(self.clone())));
        Ok(count(&lines, &self.audit))
    }

    /// Writes it down with its decision; durable when it returns.
    pub fn record(mut self, folder: &Path, decision: &str) -> Result<(), Failure> {
        decision.clone_into(&mut self.decision);
        let path = folder.join(FILE);
        let fail = Failure::from_io(ExitStatus::Data, "write to", &path);
        let line = serde_json::to_vec(&self).map_err(|error| {
            Failure::data(format!("{}: {error}", path.display())).caused_by(error)
        })?;
        let mut line = event_log::summed(line);
        line.push(b'\n');
        durable::append(files::options(), &path, &line).map_err(fail)
    }
}

/// The warning from the second question on.
pub fn warning(count: AccessCount) -> Option<String> {
    (count.questions > 1).then(|| {
        let times = count.questions - 1;
        let s = if times == 1 { "" } else { "s" };
        format!(
            "This audit was peeked at {times} time{s} before, for other prompts or models. Each \
             question spends part of the accepted error, the later ones little, and intervals no \
             longer cover as stated. Draw fresh audit examples before a decision that matters."
        )
    })
}

enum AccessLine {
    Whole(Box<HoldoutAccess>),
    /// The write was cut short: an opening of an unknown audit.
    Torn,
}

/// The file's text; empty where there is none. The store is held by one process
/// at a time, so the file is too.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::from_io(ExitStatus::Data, "read", path)(error)),
    }
}

fn read(folder: &Path) -> Result<Vec<AccessLine>, Failure> {
    let path = folder.join(FILE);
    let mut checked = false;
    (1..)
        .zip(text(&path)?.lines())
        .map(|(number, line)| match serde_json::from_str(line) {
            Ok(_) if !event_log::is_intact(line.as_bytes(), &mut checked) => {
                Err(Failure::data(format!(
                    "{}:{number}: the line is damaged; restore the file or move it aside, which \
                     forgets the count",
                    path.display()
                )))
            }
            Ok(opening) => Ok(AccessLine::Whole(Box::new(opening))),
            // Nothing but a write that was cut short ends so.
            Err(error) if error.is_eof() => Ok(AccessLine::Torn),
            Err(error) => Err(Failure::data(format!(
                "{}:{number}: not a record of an opened audit ({error}); restore the file or \
                 move it aside, which forgets the count",
                path.display()
            ))
            .caused_by(error)),
        })
        .collect()
}

fn count(lines: &[AccessLine], audit: &str) -> AccessCount {
    let mut count = AccessCount::default();
    let mut known: Vec<(&str, &BTreeSet<PromptId>, usize)> = Vec::new();
    for line in lines {
        match line {
            AccessLine::Torn => {
                count.openings += 1;
                count.questions += 1;
            }
            AccessLine::Whole(opening) if opening.audit == audit => {
                count.openings += 1;
                let (model, prompts) = (opening.model.as_str(), &opening.prompts);
                let before = known
                    .iter()
                    .find(|(m, p, _)| *m == model && p.is_superset(prompts));
                if let Some((.., number)) = before {
                    count.question = *number;
                } else {
                    count.questions += 1;
                    count.question = count.questions;
                    known.push((model, prompts, count.questions));
                }
            }
            AccessLine::Whole(_) => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Prompt;

    use super::*;

    fn opening(audit: &str, prompts: &[&str]) -> HoldoutAccess {
        let ids = prompts.iter().map(|text| Prompt::new(text).id());
        HoldoutAccess::now("gate", "s", audit, "m", ids, 4)
    }

    #[test]
    fn repeated_questions_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let ask = |prompts: &[&str], audit: &str| {
            let opening = opening(audit, prompts);
            let count = opening.count(folder.path()).unwrap();
            opening.record(folder.path(), "ship").unwrap();
            (count.openings, count.questions)
        };
        assert_eq!(ask(&["a", "b"], "x"), (1, 1));
        assert_eq!(ask(&["b", "a"], "x"), (2, 1));
        assert_eq!(ask(&["a"], "x"), (3, 1), "answered before");
        assert_eq!(ask(&["a", "c"], "x"), (4, 2));
        let again = opening("x", &["b"]).count(folder.path()).unwrap();
        assert_eq!((again.questions, again.question), (2, 1), "its own number");
        assert_eq!(ask(&["a", "c"], "y"), (1, 1), "another audit");
        assert!(
            warning(AccessCount {
                openings: 3,
                questions: 1,
                question: 1,
            })
            .is_none()
        );
        assert!(
            warning(AccessCount {
                openings: 4,
                questions: 2,
                question: 2,
            })
            .unwrap()
            .contains("1 time ")
        );
    }

    #[test]
    fn damage_hides_no_opening() {
        let folder = tempfile::tempdir().unwrap();
        for prompt in ["a", "b"] {
            opening("x", &[prompt])
                .record(folder.path(), "ship")
                .unwrap();
        }
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let mut noticed = 0;
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                std::fs::write(&path, damaged).unwrap();
                match opening("x", &["c"]).count(folder.path()) {
                    Err(_) => noticed += 1,
                    Ok(count) => assert!(
                        count.openings >= 3 && count.questions >= 3,
                        "bit {bit} of byte {at}: {count:?}"
                    ),
                }
            }
        }
        assert!(
            noticed > 7 * whole.len(),
            "{noticed} of {}",
            8 * whole.len()
        );
    }

    #[test]
    fn torn_line_still_counts() {
        let folder = tempfile::tempdir().unwrap();
        opening("x", &["a"]).record(folder.path(), "ship").unwrap();
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"at_ms\":5,\"by")).unwrap();
        let count = opening("x", &["b"]).count(folder.path()).unwrap();
        assert_eq!((count.openings, count.questions), (3, 3));
        opening("x", &["b"]).record(folder.path(), "ship").unwrap();
        let count = opening("x", &["b"]).count(folder.path()).unwrap();
        assert_eq!((count.openings, count.questions), (4, 3));
        std::fs::write(&path, format!("{text}nonsense\n{text}")).unwrap();
        let failure = opening("x", &["b"]).count(folder.path()).unwrap_err();
        assert!(
            failure.message.contains("gate.jsonl:2: "),
            "{}",
            failure.message
        );
    }
}
