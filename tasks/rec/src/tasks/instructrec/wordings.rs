//! The parts of an instruction in words: what is known of the user, what the user looks
//! for, what is asked. Worded for this project.

use serde::Deserialize;

/// What is asked (the paper's task forms).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstructRecForm {
    /// Of each candidate whether it suits; the margins of yes order them.
    Pointwise,
    /// Which of two suits better: the best so far against the next, until all were met.
    Pairwise,
    /// Titles out of the whole catalogue.
    Matching,
    /// The candidates in order.
    Rerank,
}

/// How what the user likes is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreferenceKind {
    /// Not at all.
    None,
    /// By the titles of the history.
    Implicit,
    /// In words: the categories liked and disliked most often.
    Explicit,
}

/// How what the user looks for is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentionKind {
    /// Not at all.
    None,
    /// By one category.
    Vague,
    /// By all that is known but the title.
    Specific,
}

/// One cell of the paper's table, in one of two wordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InstructionTemplate {
    pub preference: PreferenceKind,
    pub intention: IntentionKind,
    /// The second wording of a cell, for prompts that were chosen on the first.
    pub held_out: bool,
}

impl InstructionTemplate {
    /// `implicit+vague`, or `implicit+vague/held-out`.
    pub fn name(self) -> String {
        let preference = match self.preference {
            PreferenceKind::None => "none",
            PreferenceKind::Implicit => "implicit",
            PreferenceKind::Explicit => "explicit",
        };
        let intention = match self.intention {
            IntentionKind::None => "none",
            IntentionKind::Vague => "vague",
            IntentionKind::Specific => "specific",
        };
        let end = if self.held_out { "/held-out" } else { "" };
        format!("{preference}+{intention}{end}")
    }

    /// What is told of the user: titles had before, or tastes in words. Where nothing is
    /// known, that is said.
    pub fn preference(self, history: &str, likes: &str, dislikes: &str, action: &str) -> String {
        match (self.preference, self.held_out) {
            (PreferenceKind::None, _) => String::new(),
            (PreferenceKind::Implicit, false) => {
                format!("The user has {action}, in this order: {history}.")
            }
            (PreferenceKind::Implicit, true) => {
                format!("Oldest first, this is what somebody {action} so far: {history}.")
            }
            (PreferenceKind::Explicit, held_out) => {
                let dislikes = match (dislikes, held_out) {
                    ("", _) => String::new(),
                    (kinds, false) => format!(" I do not care for {kinds}."),
                    (kinds, true) => format!(" What leaves them cold: {kinds}."),
                };
                if held_out {
                    format!("Somebody is fond of {likes}.{dislikes}")
                } else {
                    format!("The user says: I like {likes}.{dislikes}")
                }
            }
        }
    }

    /// What the user looks for now.
    pub fn intention(self, looked_for: &str) -> String {
        let looked_for = if looked_for.is_empty() {
            "something new"
        } else {
            looked_for
        };
        match (self.intention, self.held_out) {
            (IntentionKind::None, _) => String::new(),
            (IntentionKind::Vague, false) => {
                format!("Now the user is in the mood for this: {looked_for}.")
            }
            (IntentionKind::Vague, true) => {
                format!("At the moment they would like something like that: {looked_for}.")
            }
            (IntentionKind::Specific, false) => {
                format!("Now the user looks for exactly this: {looked_for}.")
            }
            (IntentionKind::Specific, true) => {
                format!("They know what it has to be: {looked_for}.")
            }
        }
    }
}

/// The seed instruction of a form.
pub(super) fn seed(form: InstructRecForm, item: &str) -> String {
    match form {
        InstructRecForm::Pointwise => format!(
            "Judge whether the {item} suits what is known of the user and of what the user looks \
             for. Answer yes or no."
        ),
        InstructRecForm::Pairwise => format!(
            "Choose the {item} that suits better what is known of the user and of what the user \
             looks for. Answer with its letter."
        ),
        InstructRecForm::Matching => format!(
            "Recommend ten {item}s that suit what is known of the user and of what the user looks \
             for, the best first, as a numbered list of titles without any explanation."
        ),
        InstructRecForm::Rerank => format!(
            "Rank the candidates by how well each {item} suits what is known of the user and of \
             what the user looks for. List all candidates, best first, one per line. Do not \
             explain."
        ),
    }
}
