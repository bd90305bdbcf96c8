//! Answers that cannot be used: what is wrong with them, and how many there are.

use std::fmt;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::PromptId;

/// Examples that are shown of each fault.
const SHOWN: usize = 3;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFault {
    /// Not of the form asked for. It counts as wrong.
    Unparseable,
    /// Cut off by the token limit before it could be read. It counts in no score.
    Truncated,
    /// The call can never be answered as it is. It counts in no score.
    Failed,
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unparseable => "unparseable",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
        })
    }
}

/// All answers with one fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultyAnswers {
    /// What is wrong.
    pub fault: AnswerFault,
    /// How many answers.
    pub count: usize,
    /// Some of them, each with another text; at least one.
    pub examples: Vec<FaultyAnswer>,
}

/// One answer that cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultyAnswer {
    /// The prompt.
    pub candidate: PromptId,
    /// The input's name in the data.
    pub input: String,
    /// Its group.
    pub group: String,
    /// What was said, on one line of bounded length; of a failed call the reason.
    pub text: String,
    /// The completion tokens at which it was cut off, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
}

/// What came of some answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerSurvey {
    /// All answers, usable or not.
    pub answers: usize,
    /// Those that cannot be used; the most frequent fault first.
    pub faults: Vec<FaultyAnswers>,
}

impl AnswerSurvey {
    /// Answers that cannot be used.
    pub fn unusable(&self) -> usize {
        self.faults.iter().map(|faulty| faulty.count).sum()
    }

    /// Whether hardly an answer can be used: nine in ten, or more, cannot.
    pub fn is_hopeless(&self) -> bool {
        self.answers > 0 && 10 * self.unusable() >= 9 * self.answers
    }

    /// Takes the answers of another survey in.
    pub fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        for faulty in &other.faults {
            let own = self.of(faulty.fault);
            own.count += faulty.count;
            for example in &faulty.examples {
                own.show(|| example.clone());
            }
        }
        self.sort();
    }

    /// Its answers with this fault, none so far where it is new.
    pub(crate) fn of(&mut self, fault: AnswerFault) -> &mut FaultyAnswers {
        let known = self.faults.iter().position(|faulty| faulty.fault == fault);
        let at = known.unwrap_or_else(|| {
            self.faults.push(FaultyAnswers {
                fault,
                count: 0,
                examples: Vec::new(),
            });
            self.faults.len() - 1
        });
        &mut self.faults[at]
    }

    /// Puts the most frequent fault first.
    pub(crate) fn sort(&mut self) {
        self.faults
            .sort_by(|a, b| b.count.cmp(&a.count).then(a.fault.cmp(&b.fault)));
    }
}

impl FaultyAnswers {
    /// Keeps the example if there is room for it and it says something else.
    pub(crate) fn show(&mut self, example: impl FnOnce() -> FaultyAnswer) {
        if self.examples.len() < SHOWN {
            let example = example();
            if self.examples.iter().all(|own| own.text != example.text) {
                self.examples.push(example);
            }
        }
    }
}

/// `3 failed, 1 truncated`.
impl fmt::Display for AnswerSurvey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, faulty) in self.faults.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", faulty.count, faulty.fault)?;
        }
        Ok(())
    }
}

/// Why asking on is a waste: what came of the answers so far.
#[derive(Debug, Clone, PartialEq)]
pub struct HopelessRun {
    /// The answers; at least one cannot be used.
    pub survey: AnswerSurvey,
    /// The limit on an answer's tokens that the user has set.
    pub max_tokens: Option<u32>,
}

impl HopelessRun {
    /// Whether it is the model's service that refuses.
    pub fn is_refused(&self) -> bool {
        let most = self.survey.faults.first();
        most.is_some_and(|faulty| faulty.fault == AnswerFault::Failed)
    }
}

impl fmt::Display for HopelessRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AnswerSurvey { answers, .. } = self.survey;
        let unusable = self.survey.unusable();
        write!(
            f,
            "{unusable} of the first {answers} answers cannot be used: {}",
            self.survey
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str) -> FaultyAnswer {
        FaultyAnswer {
            candidate: shiftproof_tasks::Prompt::new("p").id(),
            input: "i".into(),
            group: "g".into(),
            text: text.into(),
            tokens: None,
        }
    }

    fn of(answers: usize, faults: &[(AnswerFault, usize, &str)]) -> AnswerSurvey {
        let mut survey = AnswerSurvey {
            answers,
            ..AnswerSurvey::default()
        };
        for (fault, count, text) in faults {
            let faulty = survey.of(*fault);
            faulty.count += count;
            faulty.show(|| example(text));
        }
        survey.sort();
        survey
    }

    #[test]
    fn surveys_add_up() {
        let mut whole = of(
            9,
            &[(AnswerFault::Failed, 2, "a"), (AnswerFault::Failed, 1, "b")],
        );
        whole.add(&of(
            5,
            &[
                (AnswerFault::Truncated, 4, ""),
                (AnswerFault::Failed, 1, "a"),
            ],
        ));
        assert_eq!(whole.answers, 14);
        assert_eq!(whole.unusable(), 8);
        assert_eq!(whole.to_string(), "4 truncated, 4 failed");
        let failed = &whole.faults[1];
        let texts: Vec<&str> = failed.examples.iter().map(|e| e.text.as_str()).collect();
        assert_eq!((failed.count, texts), (4, vec!["a", "b"]));
        whole.add(&of(3, &[(AnswerFault::Failed, 3, "c")]));
        assert_eq!(whole.to_string(), "7 failed, 4 truncated");
    }

    #[test]
    fn nine_in_ten_are_hopeless() {
        assert!(!AnswerSurvey::default().is_hopeless());
        assert!(!of(20, &[(AnswerFault::Failed, 17, "a")]).is_hopeless());
        assert!(
            of(
                20,
                &[
                    (AnswerFault::Failed, 10, "a"),
                    (AnswerFault::Truncated, 8, "")
                ]
            )
            .is_hopeless()
        );
        assert!(of(3, &[(AnswerFault::Unparseable, 3, "?")]).is_hopeless());
    }
}
