//! Which examples prompts are scored on.

use std::collections::BTreeMap;

use serde::Serialize;
use shiftproof_tasks::{Example, suggest};

use crate::cli::EvalArgs;
use crate::commands::score;
use crate::exit::Failure;
use crate::report::ground::listed;
use crate::runs::session::StudySession;

/// Which part of a study's data is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ScoredSplit {
    /// What a search may see: training and validation examples of the source, and
    /// labelled target examples. In this order, the split's own within each.
    Development,
    /// What nothing may be chosen on: the sealed audit.
    Audit,
}

impl ScoredSplit {
    pub fn of(args: &EvalArgs) -> Self {
        if args.audit {
            Self::Audit
        } else {
            Self::Development
        }
    }

    /// What it is called in a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development examples",
            Self::Audit => "sealed audit",
        }
    }

    /// The examples of a split, as the command line narrows them; those of the audit
    /// are then the caller's alone.
    pub fn examples(
        self,
        session: &mut StudySession,
        args: &EvalArgs,
    ) -> Result<Vec<Example>, Failure> {
        let groups: Vec<&str> = session
            .loaded
            .groups
            .iter()
            .map(|g| g.name.as_str())
            .collect();
        if let Some(unknown) = args
            .group
            .iter()
            .find(|name| !groups.contains(&name.as_str()))
        {
            let mend = suggest::instead(unknown, "groups", groups.iter().copied());
            return Err(Failure::usage(format!(
                "--group {unknown:?}: the study has no such group; {mend}"
            )));
        }
        let data = &mut session.loaded.data;
        let all: Vec<Example> = match self {
            Self::Audit => data.audit.take().open(),
            Self::Development => {
                let source = data.source.train.iter().chain(&data.source.validation);
                source.chain(data.labelled_target.read()).cloned().collect()
            }
        };
        if all.is_empty() {
            return Err(match self {
                Self::Audit => score::without_audit(session),
                Self::Development => Failure::usage(
                    "the study has no development examples to score on: groups.train, \
                     groups.validation and groups.labelled are 0\n  set one above 0, or score the \
                     sealed audit with --audit",
                ),
            });
        }
        let most = args.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let chosen: Vec<Example> = all
            .into_iter()
            .filter(|example| {
                let group = &example.input.group;
                if !args.group.is_empty() && !args.group.contains(group) {
                    return false;
                }
                let count = taken.entry(group.clone()).or_default();
                *count += 1;
                *count <= most
            })
            .collect();
        if chosen.is_empty() {
            return Err(Failure::usage(format!(
                "no {} is of --group {}: {}",
                match self {
                    Self::Development => "development example",
                    Self::Audit => "audit example",
                },
                listed(&args.group),
                self.mend()
            )));
        }
        Ok(chosen)
    }

    /// How a group gets examples.
    const fn mend(self) -> &'static str {
        match self {
            Self::Development => {
                "give it some with groups.labelled, or `shiftproof label`, or score the sealed \
                 audit with --audit"
            }
            Self::Audit => "it has no labelled rows",
        }
    }

    /// What a reader has to know of the examples.
    pub fn notes(
        self,
        session: &StudySession,
        args: &EvalArgs,
        examples: &[Example],
    ) -> Vec<String> {
        if self == Self::Audit {
            return Vec::new();
        }
        let mut notes = vec![
            "Scored on development examples, which prompts may be tuned on; the sealed audit \
             stayed shut (--audit opens it, and counts that)."
                .to_owned(),
        ];
        let has = |name: &str| examples.iter().any(|example| example.input.group == name);
        let names = session.loaded.groups.iter().map(|group| &group.name);
        let wanted = names.filter(|name| args.group.is_empty() || args.group.contains(name));
        let lacking: Vec<String> = wanted.filter(|name| !has(name)).cloned().collect();
        if !lacking.is_empty() {
            notes.push(format!(
                "No development example is of {}: {}.",
                listed(&lacking),
                self.mend()
            ));
        }
        notes
    }
}
