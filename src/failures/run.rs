//! The failing examples of a run's prompts, out of its events.

use std::collections::BTreeMap;

use shiftproof_search::event::{
    AnswerDetail, AnswerVerdict, AuditedPrompt, Event, GroupOutcome, Phase, ShownInput,
};
use shiftproof_tasks::PromptId;

use super::{AnswerDetails, FailingAnswer, weakest_first};
use crate::report::RunSummary;

/// Failing examples that are shown of a group.
const SHOWN: usize = 5;

/// Where one prompt of a run fails.
#[derive(Debug, Clone)]
pub(crate) struct PromptFailures {
    pub prompt: PromptId,
    pub is_seed: bool,
    /// Groups with failures, the weakest first.
    pub groups: Vec<GroupFailures>,
    /// How often each part of the answers is wrong, where they have parts.
    pub fields: WrongFields,
}

/// How often the fields of a prompt's answers are wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WrongFields {
    /// Answers that were read and graded: of the audit, where it is open.
    pub read: usize,
    /// Whether they are of the audit.
    pub audited: bool,
    /// Fields that are wrong in some, with in how many, the most often wrong first. A
    /// list counts where it is not right as a whole.
    pub wrong: Vec<(String, usize)>,
}

impl WrongFields {
    fn of<'d>(
        answers: &BTreeMap<u32, (&str, AnswerVerdict, Phase)>,
        inputs: &[&ShownInput],
        detail: impl Fn(u32) -> Option<&'d AnswerDetail>,
    ) -> Self {
        let graded = |(place, (_, verdict, _)): &(&u32, &(&str, AnswerVerdict, Phase))| {
            let input = inputs.get(**place as usize);
            matches!(verdict, AnswerVerdict::Graded(_))
                && input.is_some_and(|input| input.label.is_some())
        };
        let all: Vec<_> = answers.iter().filter(graded).collect();
        let of_audit = |own: &&(&u32, &(&str, AnswerVerdict, Phase))| own.1.2 == Phase::Audit;
        let audited = all.iter().any(|own| of_audit(&own));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut read = 0;
        for own in all.iter().filter(|own| !audited || of_audit(own)) {
            read += 1;
            for name in detail(*own.0).iter().flat_map(|detail| &detail.wrong) {
                *counts.entry(name).or_default() += 1;
            }
        }
        let mut wrong: Vec<(String, usize)> = counts
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        wrong.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self {
            read,
            audited,
            wrong,
        }
    }
}

impl PromptFailures {
    /// "Wrong fields in 60 answers of the audit that could be read: total 12 (20%)"; `None`
    /// where answers have no fields, or all are right.
    pub fn fields_told(&self) -> Option<String> {
        let WrongFields {
            read,
            audited,
            wrong,
        } = &self.fields;
        let each: Vec<String> = wrong
            .iter()
            .map(|(name, count)| {
                let share = 100.0 * *count as f64 / (*read).max(1) as f64;
                format!("{name} {count} ({share:.0}%)")
            })
            .collect();
        let of = if *audited { " of the audit" } else { "" };
        (!each.is_empty()).then(|| {
            format!(
                "Wrong fields in {read} answers{of} that could be read: {}. The others are right in \
                 all of them.",
                each.join(", ")
            )
        })
    }

    /// Whose failures they are; `decided`: the run has made its choice.
    pub fn title(&self, decided: bool) -> String {
        let id = self.prompt;
        match (self.is_seed, decided) {
            (true, _) => format!("Seed prompt {id:#}"),
            (false, true) => format!("Selected prompt {id:#}"),
            (false, false) => format!("Leading prompt {id:#}"),
        }
    }
}

/// Where one prompt fails in one group.
#[derive(Debug, Clone)]
pub(crate) struct GroupFailures {
    pub group: String,
    /// The group's latest scores, on the audit where it was audited.
    pub score: Option<GroupOutcome>,
    /// Answers that a true label was held against, or that cannot be used.
    pub answers: usize,
    /// Of those, answers that are not right.
    pub failing: usize,
    /// Some of them: first of examples that are no secret, then of the audit; the worst
    /// first.
    pub shown: Vec<FailingAnswer>,
}

impl GroupFailures {
    /// "14 of 60 answers not right, 5 shown".
    pub fn counted(&self) -> String {
        let shown = if self.shown.len() < self.failing {
            format!(", {} shown", self.shown.len())
        } else {
            String::new()
        };
        format!(
            "{} of {} answers not right{shown}",
            self.failing, self.answers
        )
    }

    /// Whether any that is shown is of the sealed audit.
    pub fn shows_audit(&self) -> bool {
        self.shown.iter().any(|answer| answer.audited)
    }
}

/// The selected prompt's failures, or those of the one that leads so far, and the seed's.
/// A run tells no label of the audit before it has opened it, so nothing else is shown.
pub(crate) fn of_run(
    events: &[Event],
    summary: &RunSummary,
    details: &AnswerDetails,
) -> Vec<PromptFailures> {
    let leader = summary.leader().map(|standing| standing.prompt.id());
    let seed = summary.seed();
    let prompts = leader
        .into_iter()
        .chain(seed.filter(|id| Some(*id) != leader));
    let inputs: Vec<&ShownInput> = events
        .iter()
        .flat_map(|event| match event {
            Event::Inputs { inputs } => inputs.as_slice(),
            _ => &[],
        })
        .collect();
    prompts
        .map(|prompt| {
            let answers = answers(events, prompt);
            let detail = |input| details.of(prompt, input);
            PromptFailures {
                prompt,
                is_seed: Some(prompt) == seed,
                fields: WrongFields::of(&answers, &inputs, detail),
                groups: groups(&answers, &inputs, scores(summary, prompt), detail),
            }
        })
        .filter(|own| !own.groups.is_empty())
        .collect()
}

/// A prompt's latest answer to each input.
fn answers(events: &[Event], prompt: PromptId) -> BTreeMap<u32, (&str, AnswerVerdict, Phase)> {
    let mut latest = BTreeMap::new();
    for event in events {
        let Event::Answered {
            candidate,
            phase,
            texts,
            answers,
        } = event
        else {
            continue;
        };
        if *candidate != prompt {
            continue;
        }
        for answer in answers {
            let text = texts.get(answer.text as usize).map_or("", String::as_str);
            latest.insert(answer.input, (text, answer.verdict, *phase));
        }
    }
    latest
}

/// A prompt's scores: the audited ones, else the latest.
pub(crate) fn scores(summary: &RunSummary, prompt: PromptId) -> &[GroupOutcome] {
    let contestant = match prompt {
        id if Some(id) == summary.selected => Some(AuditedPrompt::Selected),
        id if Some(id) == summary.seed() => Some(AuditedPrompt::Seed),
        _ => None,
    };
    let latest = summary.candidates.get(&prompt);
    contestant
        .and_then(|contestant| summary.audited(contestant))
        .or_else(|| latest.map(|standing| standing.groups.as_slice()))
        .unwrap_or_default()
}

fn groups<'d>(
    answers: &BTreeMap<u32, (&str, AnswerVerdict, Phase)>,
    inputs: &[&ShownInput],
    scores: &[GroupOutcome],
    detail: impl Fn(u32) -> Option<&'d AnswerDetail>,
) -> Vec<GroupFailures> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failing = Vec::new();
    for (place, answer) in answers {
        let Some(input) = inputs.get(*place as usize) else {
            continue;
        };
        let of_truth = match answer.1 {
            AnswerVerdict::Graded(_) => input.label.is_some(),
            verdict @ AnswerVerdict::Ungraded(_) => verdict.is_failure(),
        };
        *counts.entry(&input.group).or_default() += usize::from(of_truth);
        failing.extend(FailingAnswer::of_event(input, *answer, detail(*place)));
    }
    weakest_first(&mut failing, scores, |own| (own.group.as_str(), own.score));
    let mut groups: Vec<GroupFailures> = Vec::new();
    for answer in failing {
        if groups.last().is_none_or(|last| last.group != answer.group) {
            let name = answer.group.clone();
            groups.push(GroupFailures {
                score: scores.iter().find(|group| group.group == name).cloned(),
                answers: counts.get(name.as_str()).copied().unwrap_or(0),
                group: name,
                failing: 0,
                shown: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.failing += 1;
            group.shown.push(answer);
        }
    }
    for group in &mut groups {
        // Who learns from these first leaves the audit what it is.
        group.shown.sort_by_key(|answer| answer.audited);
        group.shown.truncate(SHOWN);
    }
    groups
}
