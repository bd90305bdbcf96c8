//! What an earlier run leaves to one that goes on from it: its candidates, and what
//! each was asked.

use std::collections::{BTreeMap, BTreeSet};

use shiftproof_tasks::{Prompt, PromptId};

use crate::event::{CarriedOver, Event, Origin, ShownInput};

/// The name of an input and its group: what it is known by from run to run.
type InputName = (String, String);

/// A finished run, as one that goes on from it sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EarlierRun {
    /// Its name.
    pub run: String,
    /// The prompts of its races in the order they entered, the seed left out.
    pub candidates: Vec<Prompt>,
    /// What it chose.
    pub selected: Option<PromptId>,
    /// Inputs that each prompt answered.
    answered: BTreeMap<PromptId, BTreeSet<InputName>>,
}

impl EarlierRun {
    /// Folds the events of the run called `run`. Candidates that no race ranked are
    /// left out: nothing is known of them.
    pub fn of<'a>(run: impl Into<String>, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut earlier = Self {
            run: run.into(),
            ..Self::default()
        };
        let mut inputs: Vec<&ShownInput> = Vec::new();
        let (mut entered, mut ranked) = (Vec::new(), BTreeSet::new());
        for event in events {
            match event {
                Event::Proposed(proposed) => entered.push(proposed),
                Event::Evaluated { candidate, .. } => {
                    ranked.insert(*candidate);
                }
                Event::Selected { candidate, .. } => earlier.selected = Some(*candidate),
                Event::Inputs { inputs: fresh } => inputs.extend(fresh),
                Event::Answered {
                    candidate, answers, ..
                } => {
                    let own = earlier.answered.entry(*candidate).or_default();
                    let named = answers.iter().filter_map(|answer| {
                        let input = inputs.get(answer.input as usize)?;
                        Some((input.group.clone(), input.id.clone()))
                    });
                    own.extend(named);
                }
                _ => {}
            }
        }
        earlier.candidates = entered
            .into_iter()
            .filter(|proposed| {
                proposed.origin != Origin::Seed && ranked.contains(&proposed.candidate)
            })
            .map(|proposed| proposed.prompt.clone())
            .collect();
        earlier
    }

    /// Whether the prompt answered this input.
    pub(crate) fn has_answered(&self, prompt: PromptId, group: &str, input: &str) -> bool {
        let name = (group.to_owned(), input.to_owned());
        self.answered
            .get(&prompt)
            .is_some_and(|inputs| inputs.contains(&name))
    }

    /// What is told of it once it has been taken over.
    pub(crate) fn told(&self, candidates: usize, answers: usize) -> Event {
        Event::Continued(CarriedOver {
            run: self.run.clone(),
            selected: self.selected,
            candidates,
            answers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AnswerVerdict, CandidateProposed, Phase, ShownAnswer};

    fn proposed(text: &str, origin: Origin) -> Event {
        let prompt = Prompt::new(text);
        Event::Proposed(CandidateProposed {
            candidate: prompt.id(),
            prompt,
            origin,
            parents: Vec::new(),
        })
    }

    #[test]
    fn ranked_prompts_are_known() {
        let ids = ["seed", "good", "never"].map(|text| Prompt::new(text).id());
        let input = |id: &str| ShownInput {
            id: id.into(),
            group: "chat".into(),
            text: String::new(),
            label: None,
        };
        let ranked = |candidate| Event::Evaluated {
            candidate,
            phase: Phase::Screen,
            score: 0.5,
            groups: Vec::new(),
        };
        let answered = Event::Answered {
            candidate: ids[1],
            phase: Phase::Screen,
            texts: vec!["yes".into()],
            answers: vec![ShownAnswer {
                input: 1,
                text: 0,
                verdict: AnswerVerdict::Graded(1.0),
            }],
        };
        let events = [
            proposed("seed", Origin::Seed),
            proposed("good", Origin::Induced),
            proposed("never", Origin::Induced),
            Event::Inputs {
                inputs: vec![input("a")],
            },
            Event::Inputs {
                inputs: vec![input("b")],
            },
            answered,
            ranked(ids[0]),
            ranked(ids[1]),
        ];
        let earlier = EarlierRun::of("r-1", &events);
        assert_eq!(earlier.candidates, [Prompt::new("good")]);
        assert!(earlier.has_answered(ids[1], "chat", "b"));
        assert!(!earlier.has_answered(ids[1], "chat", "a"));
        assert!(!earlier.has_answered(ids[1], "mail", "b"));
        assert!(!earlier.has_answered(ids[0], "chat", "b"));
    }
}
