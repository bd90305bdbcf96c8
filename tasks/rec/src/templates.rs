//! The same question in other words, dealt to examples so that wordings can be
//! groups of a study: a prompt shift.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::{Example, Label, field};

use super::intention::{IntentionDetail, IntentionTexts};
use super::seeded::NumberStream;

/// The wordings that a task wraps its inputs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptTemplates {
    /// Their names, each once.
    pub names: Vec<String>,
    /// How they form groups.
    pub grouping: TemplateGrouping,
    /// What examples get or must have beside a wording.
    pub needs: ExampleNeeds,
}

/// What a task that deals wordings asks of examples beside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExampleNeeds {
    /// Wordings that tell what the user looks for, by their name with how closely.
    pub(crate) intentions: BTreeMap<String, IntentionDetail>,
    /// What each item would be looked for as.
    pub(crate) texts: IntentionTexts,
    /// Candidates that an example may have, least and most; `None`: any number.
    pub(crate) candidates: Option<(usize, usize)>,
}

impl ExampleNeeds {
    /// Fails on an example that does not have what is needed.
    fn check(&self, example: &Example) -> Result<(), DataError> {
        let Some((least, most)) = self.candidates else {
            return Ok(());
        };
        let n = field::entries(example.input.field(field::CANDIDATES)).count();
        if (least..=most).contains(&n) {
            return Ok(());
        }
        Err(DataProblem::new(
            "data.interactions.candidates",
            format!(
                "the example {:?} has {n} candidates; this form of the task takes {least} to {most}",
                example.input.id
            ),
        )
        .help("set candidates.count, or take another form")
        .into())
    }

    /// Sets what the user looks for, where the wording tells it.
    fn tell(&self, wording: &str, example: &mut Example) {
        if let Some(detail) = self.intentions.get(wording)
            && let Label::Relevant(relevant) = &example.label
            && let Some(wanted) = relevant.first()
        {
            let text = self.texts.text(wanted, *detail).to_owned();
            example
                .input
                .fields
                .insert(field::INTENTION.to_owned(), text);
        }
    }
}

/// What phrasings make of the groups of the data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateGrouping {
    /// A group is a phrasing, such as `held-out-1`.
    #[default]
    Template,
    /// The data's groups stay as they are.
    Data,
    /// A group is one of the data's in one phrasing, such as `tail/held-out-1`.
    Both,
}

impl PromptTemplates {
    /// Gives every example one phrasing, in the field [`field::TEMPLATE`], and
    /// its group.
    ///
    /// Within each of the data's groups, and over all of them, phrasings are
    /// equally many but for one. Who gets which depends on ids and groups alone:
    /// not on the order of the examples, nor on a run's seed, so that every run
    /// meets the same examples in the same words.
    ///
    /// # Errors
    /// If an example brings a field of that name: it would be replaced.
    pub fn deal(&self, examples: &mut [Example]) -> Result<(), DataError> {
        let taken = |example: &&Example| example.input.fields.contains_key(field::TEMPLATE);
        if let Some(example) = examples.iter().find(taken) {
            return Err(DataProblem::new(
                "data.fields",
                format!(
                    "the example {:?} has a field {:?}, which the task sets itself",
                    example.input.id,
                    field::TEMPLATE
                ),
            )
            .help("give the column another name")
            .into());
        }
        examples
            .iter()
            .try_for_each(|example| self.needs.check(example))?;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        order.sort_by_cached_key(|&at| {
            let input = &examples[at].input;
            let draw = NumberStream::new(0, "phrasings", &input.id).next();
            (input.group.clone(), draw, input.id.clone())
        });
        for (at, name) in order.into_iter().zip(self.names.iter().cycle()) {
            self.needs.tell(name, &mut examples[at]);
            let input = &mut examples[at].input;
            input
                .fields
                .insert(field::TEMPLATE.to_owned(), name.clone());
            match self.grouping {
                TemplateGrouping::Template => input.group.clone_from(name),
                TemplateGrouping::Data => {}
                TemplateGrouping::Both => input.group = format!("{}/{name}", input.group),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use shiftproof_tasks::{Input, Label};

    fn templates(count: usize, grouping: TemplateGrouping) -> PromptTemplates {
        PromptTemplates {
            names: (0..count).map(|n| format!("seen-{n}")).collect(),
            grouping,
            needs: ExampleNeeds::default(),
        }
    }

    fn example(id: usize, group: &str) -> Example {
        Input::new(format!("u{id}"), group)
            .with_field(field::HISTORY, "Heat (1995)")
            .with_label(Label::Number(3.0))
    }

    fn assigned(mut examples: Vec<Example>, by: &PromptTemplates) -> Vec<Example> {
        by.deal(&mut examples).unwrap();
        examples
    }

    #[test]
    fn groups_follow_templates_or_data() {
        let groups = |grouping| -> BTreeSet<String> {
            let examples = (0..8).map(|id| example(id, ["head", "tail"][id % 2]));
            let dealt = assigned(examples.collect(), &templates(2, grouping));
            dealt
                .into_iter()
                .map(|example| example.input.group)
                .collect()
        };
        assert_eq!(
            groups(TemplateGrouping::Template),
            ["seen-0", "seen-1"].map(str::to_owned).into()
        );
        assert_eq!(
            groups(TemplateGrouping::Data),
            ["head", "tail"].map(str::to_owned).into()
        );
        assert_eq!(
            groups(TemplateGrouping::Both),
            ["head/seen-0", "head/seen-1", "tail/seen-0", "tail/seen-1"]
                .map(str::to_owned)
                .into()
        );
    }

    /// The deal is part of a study's meaning: another one would make stored runs
    /// speak of other examples.
    #[test]
    fn assignment_stays_stable() {
        let examples = (0..6).map(|id| example(id, "g")).collect();
        let dealt = assigned(examples, &templates(3, TemplateGrouping::Data));
        let names: Vec<&str> = dealt
            .iter()
            .map(|example| example.input.field(field::TEMPLATE))
            .collect();
        assert_eq!(
            names,
            ["seen-2", "seen-1", "seen-0", "seen-2", "seen-0", "seen-1"]
        );
    }

    #[test]
    fn data_fields_are_not_replaced() {
        let mut examples = vec![example(1, "g"), example(2, "g")];
        let fields = &mut examples[1].input.fields;
        fields.insert(field::TEMPLATE.to_owned(), "mine".to_owned());
        let error = templates(2, TemplateGrouping::Data)
            .deal(&mut examples)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the example \"u2\" has a field \"template\""),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn assignment_is_even(
            groups in prop::collection::vec(0_usize..4, 0..60),
            count in 1_usize..7,
            turn in any::<prop::sample::Index>(),
        ) {
            let examples: Vec<Example> = groups
                .iter()
                .enumerate()
                .map(|(id, group)| example(id, ["a", "b", "c", "d"][*group]))
                .collect();
            let by = templates(count, TemplateGrouping::Data);
            let there = assigned(examples.clone(), &by);
            let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
            for (was, is) in examples.iter().zip(&there) {
                // Nothing but the phrasing was set.
                let mut without = is.clone();
                let name = without.input.fields.remove(field::TEMPLATE);
                prop_assert_eq!(&without, was);
                prop_assert!(name.is_some_and(|name| by.names.contains(&name)));
                let name = is.input.field(field::TEMPLATE);
                for group in [is.input.group.as_str(), "all"] {
                    *counts.entry(group).or_default().entry(name).or_default() += 1;
                }
            }
            for (group, counts) in &counts {
                let of = |name: &String| counts.get(name.as_str()).copied().unwrap_or(0);
                let most = by.names.iter().map(of).max();
                let least = by.names.iter().map(of).min();
                prop_assert!(most <= least.map(|n| n + 1), "{}: {:?}", group, counts);
            }
            let mut turned = examples;
            if !turned.is_empty() {
                let at = turn.index(turned.len());
                turned.rotate_left(at);
                turned.reverse();
            }
            let by_id = |examples: Vec<Example>| -> BTreeMap<String, Example> {
                let pairs = examples.into_iter();
                pairs.map(|example| (example.input.id.clone(), example)).collect()
            };
            prop_assert_eq!(by_id(there), by_id(assigned(turned, &by)));
        }
    }
}
