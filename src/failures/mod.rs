//! Answers that are not right, as a person looks at them who mends a prompt: in `eval`,
//! in reports, on screens.

mod details;
mod run;

use serde::Serialize;
use shiftproof_search::event::{
    AnswerDetail, AnswerVerdict, GroupOutcome, Phase, ShownInput, UngradedReason,
};
use shiftproof_tasks::Outcome;

#[cfg(feature = "tui")]
pub(crate) use self::details::DetailFollower;
pub(crate) use self::details::{AnswerDetails, DetailKeeper};
#[cfg(test)]
pub(crate) use self::run::WrongFields;
#[cfg(feature = "tui")]
pub(crate) use self::run::scores;
pub(crate) use self::run::{GroupFailures, PromptFailures, of_run};
use crate::wording::table::cut;

/// Longest text that is shown of an answer, in columns.
const SHOWN: usize = 600;

/// What came of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnswerState {
    /// The grade is 1.
    Right,
    /// The grade lies between 0 and 1.
    Partly,
    /// The grade is 0.
    Wrong,
    /// The answer is not of the form asked for; it counts as wrong.
    Unparseable,
    /// The token limit cut it off unread; it counts in no score.
    Truncated,
    /// There is no answer; it counts in no score.
    Failed,
    /// The budget left it out.
    Unasked,
}

impl AnswerState {
    pub fn of(outcome: Option<&Outcome>) -> Self {
        match outcome {
            None => Self::Unasked,
            Some(Outcome::Unparseable { .. }) => Self::Unparseable,
            Some(Outcome::Truncated { .. }) => Self::Truncated,
            Some(Outcome::Failed { .. }) => Self::Failed,
            Some(Outcome::Scored(scored)) => Self::graded(scored.value),
        }
    }

    fn graded(grade: f64) -> Self {
        if grade >= 1.0 {
            Self::Right
        } else if grade > 0.0 {
            Self::Partly
        } else {
            Self::Wrong
        }
    }

    /// As it stands in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Partly => "partly",
            Self::Wrong => "wrong",
            Self::Unparseable => "unparseable",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
            Self::Unasked => "unasked",
        }
    }

    /// Whether a person who mends a prompt wants to see it.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Right | Self::Unasked)
    }
}

/// One answer that is not right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailingAnswer {
    /// The example's id, as the data have it.
    pub id: String,
    pub group: String,
    pub state: AnswerState,
    /// In `0..=1`; none for a state that counts in no score.
    pub score: Option<f64>,
    /// Whether the example is of the sealed audit.
    pub audited: bool,
    pub input: String,
    /// `None`: unknown, as of a target input before the audit.
    pub label: Option<String>,
    /// What was read in the reply.
    pub answer: Option<String>,
    /// Parts of the answer that are not right.
    pub wrong: Vec<String>,
    /// Why there is no grade, or what the grader said for a low one.
    pub reason: Option<String>,
    /// The reply as it came, where it is known and not what was read.
    pub reply: Option<String>,
}

impl FailingAnswer {
    /// As a run's events tell of it; `None` for an answer that is right, or that no true
    /// label was held against.
    pub fn of_event(
        input: &ShownInput,
        (text, verdict, phase): (&str, AnswerVerdict, Phase),
        detail: Option<&AnswerDetail>,
    ) -> Option<Self> {
        let (state, score) = match verdict {
            // Without a label it was a vote that graded it.
            AnswerVerdict::Graded(grade) if input.label.is_some() => {
                (AnswerState::graded(grade), Some(grade))
            }
            AnswerVerdict::Graded(_) | AnswerVerdict::Ungraded(UngradedReason::Unlabelled) => {
                return None;
            }
            AnswerVerdict::Ungraded(UngradedReason::Unparseable) => {
                (AnswerState::Unparseable, Some(0.0))
            }
            AnswerVerdict::Ungraded(UngradedReason::Truncated) => (AnswerState::Truncated, None),
            AnswerVerdict::Ungraded(UngradedReason::Failed) => (AnswerState::Failed, None),
        };
        if !state.is_failure() {
            return None;
        }
        let more = |of: fn(&AnswerDetail) -> Option<&str>| {
            let own = detail.and_then(of);
            own.map(str::to_owned)
        };
        let is_read = matches!(verdict, AnswerVerdict::Graded(_));
        let reason = more(|own| own.reason.as_deref())
            .or_else(|| (state == AnswerState::Failed).then(|| text.to_owned()));
        let reply = more(|own| own.reply.as_deref())
            .or_else(|| (!is_read && reason.is_none()).then(|| text.to_owned()));
        Some(Self {
            id: input.id.clone(),
            group: input.group.clone(),
            state,
            score,
            audited: phase == Phase::Audit,
            input: more(|own| own.text.as_deref()).unwrap_or_else(|| input.text.clone()),
            label: more(|own| own.label.as_deref()).or_else(|| input.label.clone()),
            answer: is_read
                .then(|| more(|own| own.answer.as_deref()).unwrap_or_else(|| text.to_owned())),
            wrong: detail.map(|own| own.wrong.clone()).unwrap_or_default(),
            reason,
            reply,
        })
    }

    /// What came of it, with the grade of one that is right in part: "partly 40.0".
    pub fn state_told(&self) -> String {
        match self.score.filter(|score| *score > 0.0) {
            Some(score) => format!("{} {:.1}", self.state.name(), score * 100.0),
            None => self.state.name().to_owned(),
        }
    }

    /// What there is to see of it, name by name, each text on one line and bounded.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let mut told = vec![("input", self.input.clone())];
        told.extend(self.label.clone().map(|label| ("label", label)));
        told.extend(self.answer.clone().map(|answer| ("answer", answer)));
        if !self.wrong.is_empty() {
            told.push(("wrong", self.wrong.join(", ")));
        }
        told.extend(self.reason.clone().map(|reason| ("why", reason)));
        // What was read is the reply unless it says otherwise.
        let reply = self.reply.as_deref().map(str::trim);
        if let Some(reply) = reply.filter(|reply| self.answer.as_deref() != Some(*reply)) {
            let reply = if reply.is_empty() { "(empty)" } else { reply };
            told.push(("reply", reply.to_owned()));
        }
        let shown = |(name, text): (&'static str, String)| {
            let words: Vec<&str> = text.split_whitespace().collect();
            (name, cut(&words.join(" "), SHOWN))
        };
        told.into_iter().map(shown).collect()
    }
}

/// Answers of the weakest group first, the worst first within it, else in the order they
/// have. `of`: an answer's group and grade.
pub(crate) fn weakest_first<T>(
    answers: &mut [T],
    groups: &[GroupOutcome],
    of: impl Fn(&T) -> (&str, Option<f64>),
) {
    let mut order: Vec<&GroupOutcome> = groups.iter().collect();
    let value = |group: &GroupOutcome| group.value.unwrap_or(-1.0);
    order.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let place = |name: &str| {
        let place = order.iter().position(|group| group.group == name);
        place.unwrap_or(usize::MAX)
    };
    answers.sort_by(|a, b| {
        let ((group_a, a), (group_b, b)) = (of(a), of(b));
        let grade = |score: Option<f64>| score.unwrap_or(-1.0);
        place(group_a)
            .cmp(&place(group_b))
            .then_with(|| group_a.cmp(group_b))
            .then(grade(a).total_cmp(&grade(b)))
    });
}

#[cfg(test)]
mod tests;
