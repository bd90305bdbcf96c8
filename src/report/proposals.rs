//! What became of the prompts that were asked for.

use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_search::event::{Event, ProposalSummary};

use super::RunSummary;

/// One request for prompts with what was thrown away of it.
#[derive(Debug, Clone, Serialize)]
pub struct ProposalRequest {
    /// Counts.
    #[serde(flatten)]
    pub counts: ProposalSummary,
    /// Texts thrown away, by rule.
    pub discarded: Vec<DiscardedTexts>,
}

/// Texts that one rule threw away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiscardedTexts {
    /// The rule.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// The beginning of one of them.
    pub example: String,
}

impl DiscardedTexts {
    /// What an event tells of one rule.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Discarded {
                reason,
                count,
                example,
            } => Some(Self {
                rule: reason.clone(),
                count: *count,
                example: example.clone(),
            }),
            _ => None,
        }
    }
}

/// Where prompts came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProposalSource {
    Model,
    Edits,
    Demonstrations,
}

impl ProposalSource {
    fn of(counts: &ProposalSummary) -> Self {
        match counts {
            ProposalSummary { model: true, .. } => Self::Model,
            // The name of `DemonstrationProposer`.
            ProposalSummary { proposer, .. } if proposer == "demonstrations" => {
                Self::Demonstrations
            }
            _ => Self::Edits,
        }
    }
}

impl RunSummary {
    /// What was thrown away in the whole run, the rule that threw away most first; the
    /// example is the first one told.
    pub(crate) fn thrown_by_rule(&self) -> Vec<DiscardedTexts> {
        let mut rules: Vec<DiscardedTexts> = Vec::new();
        let told = self.proposals.iter().flat_map(|step| &step.discarded);
        for thrown in told {
            match rules.iter_mut().find(|rule| rule.rule == thrown.rule) {
                Some(rule) => rule.count += thrown.count,
                None => rules.push(DiscardedTexts {
                    example: short(&thrown.example),
                    ..thrown.clone()
                }),
            }
        }
        // Of a log that tells of no requests there are the counts.
        if self.proposals.is_empty() {
            rules.extend(self.discarded.iter().map(|(rule, count)| DiscardedTexts {
                rule: rule.clone(),
                count: *count,
                example: String::new(),
            }));
        }
        rules.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.rule.cmp(&b.rule)));
        rules
    }

    /// A sentence on the texts of models, one on the edits made without, one on
    /// demonstrations put into prompts.
    pub(crate) fn proposing_told(&self) -> Vec<String> {
        [
            ProposalSource::Model,
            ProposalSource::Edits,
            ProposalSource::Demonstrations,
        ]
        .into_iter()
        .filter_map(|source| {
            let steps = self
                .proposals
                .iter()
                .filter(|step| ProposalSource::of(&step.counts) == source);
            let mut all: Option<ProposalRequest> = None;
            for step in steps {
                let Some(sum) = &mut all else {
                    all = Some(step.clone());
                    continue;
                };
                sum.counts.asked += step.counts.asked;
                sum.counts.used += step.counts.used;
                sum.counts.again += step.counts.again;
                for thrown in &step.discarded {
                    match sum.discarded.iter_mut().find(|sum| sum.rule == thrown.rule) {
                        Some(sum) => sum.count += thrown.count,
                        None => sum.discarded.push(thrown.clone()),
                    }
                }
            }
            all
        })
        .map(|sum| sentence(&sum.counts, &sum.discarded))
        .collect()
    }
}

/// "9 of 12 proposals used; discarded: the model declined × 3, e.g. "I'm sorry"."
pub(crate) fn sentence(counts: &ProposalSummary, discarded: &[DiscardedTexts]) -> String {
    let ProposalSummary {
        model,
        asked,
        used,
        again,
        ..
    } = counts;
    let (what, not) = match ProposalSource::of(counts) {
        ProposalSource::Model => ("proposals used", "discarded"),
        ProposalSource::Edits => ("edits and crossovers made", "draws not made"),
        ProposalSource::Demonstrations => ("prompts with demonstrations made", "not made"),
    };
    let mut text = format!("{used} of {asked} {what}");
    if *again > 0 {
        let _ = write!(text, " ({again} asked for once more)");
    }
    for (index, thrown) in discarded.iter().enumerate() {
        text.push_str(if index == 0 { "; " } else { ", " });
        if index == 0 {
            text.push_str(not);
            text.push_str(": ");
        }
        let _ = write!(text, "{} × {}", thrown.rule, thrown.count);
        if *model {
            let _ = write!(text, ", e.g. {:?}", short(&thrown.example));
        }
    }
    text.push('.');
    text
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    const SHOWN: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    line.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_told_from_texts() {
        let mut summary = RunSummary::default();
        let discarded = |reason: &str, example: &str| Event::Discarded {
            reason: reason.into(),
            count: 2,
            example: example.into(),
        };
        let counts = |model, again| {
            Event::Proposals(ProposalSummary {
                proposer: "induce (APE)".into(),
                model,
                asked: 6,
                used: 4,
                again,
            })
        };
        for _ in 0..2 {
            summary.apply(&discarded(
                "the model declined",
                "I'm \"sorry\",\nI cannot.",
            ));
            summary.apply(&counts(true, 1));
        }
        summary.apply(&discarded("it would drop a label", "Say it."));
        summary.apply(&counts(false, 0));
        summary.apply(&Event::Proposals(ProposalSummary {
            proposer: "demonstrations".into(),
            model: false,
            asked: 3,
            used: 3,
            again: 0,
        }));
        assert_eq!(
            summary.proposing_told(),
            [
                "8 of 12 proposals used (2 asked for once more); discarded: the model declined × 4, \
                 e.g. \"I'm \\\"sorry\\\", I cannot.\".",
                "4 of 6 edits and crossovers made; draws not made: it would drop a label × 2.",
                "3 of 3 prompts with demonstrations made."
            ]
        );
        assert_eq!(summary.discarded["the model declined"], 4);
        let rules = summary.thrown_by_rule();
        let told: Vec<_> = rules
            .iter()
            .map(|rule| (rule.rule.as_str(), rule.count, rule.example.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("the model declined", 4, "I'm \"sorry\", I cannot."),
                ("it would drop a label", 2, "Say it."),
            ]
        );
        summary.proposals.clear();
        assert_eq!(summary.thrown_by_rule()[0].count, 4);
    }
}
