//! Search methods: a file each, which holds what the method plans and what it
//! does, so that an estimate cannot tell another story than the run.
//!
//! A method is written with what a [`SearchContext`] offers: propose, evaluate
//! chosen examples, race, vote, failures and successes by group. Everything around
//! it (store, budget, resume, events, the final, the audit, reports) comes with
//! the context. To add one, write its file and name it in [`MethodRegistry::default`];
//! a program of one's own adds it with [`MethodRegistry::with`].

mod ape;
mod ape_ut;
mod capo;
mod edits;
mod evoprompt_de;
mod evoprompt_ga;
mod front;
mod generations;
mod gepa;
mod gpo;
mod group_reflective;
mod group_weights;
mod joint_model;
mod library;
mod mipro;
mod opro;
mod plan;
mod protegi;
mod rounds;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use shiftproof_tasks::closest;
use thiserror::Error;

pub use ape::Ape;
pub use ape_ut::ApeUt;
pub use capo::Capo;
pub use edits::Edits;
pub use evoprompt_de::EvoPromptDe;
pub use evoprompt_ga::EvoPromptGa;
pub use gepa::Gepa;
pub use gpo::{Gpo, GpoPaper};
pub use group_reflective::GroupReflective;
pub use library::Library;
pub use mipro::Mipro;
pub use opro::Opro;
pub use plan::{DataCounts, MethodPlan, PlannedStep};
pub use protegi::Protegi;

use crate::gateway::RunError;
use crate::run::{CandidateIndex, SearchContext};
use crate::spec::SearchSpec;

/// A way to search for prompts.
///
/// A method decides by its arguments and by what the context answers alone: no
/// clock, no randomness but [`SearchContext::stream`], no order of a hash map. Then
/// a run that is resumed takes the course it took.
#[async_trait]
pub trait SearchMethod: Send + Sync {
    /// How studies spell it: `search.method = "NAME"`.
    fn name(&self) -> &str;

    /// Whether it lives on target inputs. A study without a target group then gets
    /// `ape` in its place.
    fn needs_target(&self) -> bool {
        false
    }

    /// Whether the generic prompts for the answer form enter the race even where
    /// `search.library` says no.
    fn needs_library(&self) -> bool {
        false
    }

    /// What of the study it cannot work with, as fragments that name the key.
    fn problems(&self, _spec: &SearchSpec) -> Vec<String> {
        Vec::new()
    }

    /// Prompts that a request for a new one shows, about, and demonstrations that its
    /// prompts show, about: what a request is long for, which an estimate of tokens
    /// needs to know.
    fn shown(&self) -> ShownCounts {
        ShownCounts::default()
    }

    /// What it will ask at most, step by step, for a study with these numbers. The
    /// budget is fitted by it, the estimate prints it, and the context holds
    /// [`search`](Self::search) to it.
    fn plan(&self, spec: &SearchSpec, data: &DataCounts) -> MethodPlan;

    /// Searches. Returns the finalists, best first; the run adds the seed prompt,
    /// measures all of them on examples that no race has used, and picks.
    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError>;
}

/// See [`SearchMethod::shown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCounts {
    /// Prompts in a request for a new one.
    pub prompts: usize,
    /// Demonstrations in a prompt.
    pub demonstrations: usize,
}

impl Default for ShownCounts {
    /// The prompt in use, and none.
    fn default() -> Self {
        Self {
            prompts: 1,
            demonstrations: 0,
        }
    }
}

/// The methods that studies can name.
#[derive(Clone)]
pub struct MethodRegistry(Vec<Arc<dyn SearchMethod>>);

impl Default for MethodRegistry {
    /// The methods that come with the program.
    fn default() -> Self {
        Self(vec![
            Arc::new(Ape),
            Arc::new(ApeUt),
            Arc::new(Gpo),
            Arc::new(GpoPaper),
            Arc::new(Edits),
            Arc::new(Protegi),
            Arc::new(Gepa),
            Arc::new(GroupReflective),
            Arc::new(Opro),
            Arc::new(EvoPromptGa),
            Arc::new(EvoPromptDe),
            Arc::new(Capo),
            Arc::new(Mipro),
            Arc::new(Library),
        ])
    }
}

/// A study names a method that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is {}{}", known.join(", "), meant(name, known))]
pub struct UnknownMethod {
    /// What was named.
    pub name: String,
    /// What is there.
    pub known: Vec<String>,
}

fn meant(name: &str, known: &[String]) -> String {
    closest(name, known.iter().map(String::as_str))
        .map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"))
}

impl MethodRegistry {
    /// Adds a method; one of the same name takes the place of the one there.
    #[must_use]
    pub fn with(mut self, method: Arc<dyn SearchMethod>) -> Self {
        self.0.retain(|other| other.name() != method.name());
        self.0.push(method);
        self
    }

    /// The method of this name.
    pub fn get(&self, name: &str) -> Result<Arc<dyn SearchMethod>, UnknownMethod> {
        let found = self.0.iter().find(|method| method.name() == name);
        found.cloned().ok_or_else(|| UnknownMethod {
            name: name.to_owned(),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// All names, in the order in which they are listed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|method| method.name())
    }
}
