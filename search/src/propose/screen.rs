//! What a proposed text must pass before a single evaluation is spent on it.

mod copying;
mod echo;
mod language;
mod narrow;
mod words;

use std::collections::BTreeMap;

use shiftproof_tasks::{AnswerForm, Prompt, places, text};

pub(super) use self::narrow::NarrowScreen;

use self::copying::CopyScreen;
use self::echo::EchoScreen;
use self::language::StudyLanguages;
pub(crate) use self::words::declines;
use self::words::{mentions, tidy};
pub(super) use self::words::{padded, words};
use super::library::either;
use super::{ProposerView, meta, wording};

/// An instruction of fewer words asks nothing.
const LEAST_WORDS: usize = 3;
/// Characters of a discarded text that are told.
const SHOWN: usize = 300;

/// Texts thrown away: rule → how many, and one of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DiscardCounts(pub BTreeMap<String, (u64, String)>);

impl DiscardCounts {
    /// Counts one text thrown away by `rule`; of the first, 300 characters are
    /// kept.
    pub fn add(&mut self, rule: &str, text: &str) {
        let entry = self.0.entry(rule.to_owned()).or_insert_with(|| {
            let mut shown: String = text.trim().chars().take(SHOWN).collect();
            if shown.len() < text.trim().len() {
                shown.push('…');
            }
            (0, shown)
        });
        entry.0 += 1;
    }

    /// Adds what another count has.
    pub(super) fn merge(&mut self, other: Self) {
        for (rule, (count, shown)) in other.0 {
            let entry = self.0.entry(rule).or_insert((0, shown));
            entry.0 += count;
        }
    }

    /// How many texts were thrown away.
    pub fn count(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }
}

/// Rules that depend on the study, prepared once per proposal.
pub(super) struct ProposalScreen<'v> {
    view: &'v ProposerView<'v>,
    form: Option<AnswerForm>,
    copying: CopyScreen,
    echo: EchoScreen,
    languages: StudyLanguages,
}

impl<'v> ProposalScreen<'v> {
    pub(super) fn new(view: &'v ProposerView<'v>) -> Self {
        let inputs = || {
            let examples = view.source.iter().chain(view.pseudo_labelled);
            examples.map(|example| &example.input).chain(view.target)
        };
        let content: Vec<String> = inputs().map(|input| view.task.content(input)).collect();
        let own = || view.parents.iter().chain([view.seed_prompt]);
        let form = view
            .source
            .first()
            .map(|example| view.task.answer_form(&example.input));
        let copying = CopyScreen::new(
            content.iter().map(String::as_str),
            own().map(|prompt| prompt.instruction.as_str()),
        );
        Self {
            view,
            echo: EchoScreen::new(
                &wording::own_words(),
                meta::pattern(form.as_ref()),
                own().map(|prompt| prompt.instruction.as_str()),
                &copying,
            ),
            form,
            copying,
            languages: StudyLanguages::of(
                own().map(|prompt| prompt.instruction.as_str()),
                &content,
            ),
        }
    }

    /// The labels of a choice; none for any other form. Letters of options are none that
    /// a prompt has to name.
    pub(super) fn labels(&self) -> &[String] {
        match &self.form {
            Some(AnswerForm::Choice { labels }) => labels,
            _ => &[],
        }
    }

    /// A line that goes on from an opening as a prompt. One that does not come to
    /// what is asked for (the labels, a number's scale, items to be put in order)
    /// is thrown away instead of mended: a small model that was made to go on and
    /// does not come there talks about something else.
    pub(super) fn line(&self, text: &str) -> Result<Prompt, String> {
        if self.names_answer(&tidy(text)) {
            return self.mended_line(text);
        }
        Err(match &self.form {
            Some(AnswerForm::Choice { .. }) => "it names no label",
            Some(AnswerForm::MultipleChoice { .. }) => "it asks for no option",
            Some(AnswerForm::Number { .. }) => "it asks for no number",
            _ => "it speaks of no item or user",
        }
        .into())
    }

    /// As [`line`](Self::line), with the output format added where it is missing.
    pub(super) fn mended_line(&self, text: &str) -> Result<Prompt, String> {
        let instruction = tidy(text);
        self.check_size(&instruction)?;
        if self.copying.shares_a_run(&instruction) {
            return Err("it copies text of an example".into());
        }
        if declines(&instruction) {
            return Err("the model declined".into());
        }
        Ok(Prompt::new(self.with_output_format(instruction, 2)))
    }

    /// A whole prompt as a model sent it, or the rule it breaks. What `parent`
    /// shows of the input is shown in the end, and all labels are named.
    pub(super) fn whole(&self, text: &str, parent: Option<&Prompt>) -> Result<Prompt, String> {
        if declines(text) {
            return Err("the model declined".into());
        }
        self.check_size(text)?;
        if self.echo.repeats(text) {
            return Err("it repeats the words of the request".into());
        }
        if self.copying.copies(text) || self.copying.quotes_one(text) {
            return Err("it copies text of an example".into());
        }
        if self.languages.is_strange(text) {
            return Err("it is written in another language than prompts and data".into());
        }
        let text = self.with_places(text, parent)?;
        let text = self.with_output_format(text, usize::MAX);
        self.check_size(&text)?;
        Ok(Prompt::new(text))
    }

    /// An edit of a prompt: its words are known, so only its length can be wrong.
    pub(super) fn edited(&self, text: &str) -> Result<Prompt, String> {
        self.check_size(text)?;
        Ok(Prompt::new(self.with_output_format(text.to_owned(), 2)))
    }

    fn check_size(&self, text: &str) -> Result<(), String> {
        if words(text) < LEAST_WORDS {
            return Err("it is too short to be an instruction".into());
        }
        if text::tokens(text) > self.view.limit {
            return Err(format!(
                "it is longer than {} tokens (search.max_prompt_tokens)",
                self.view.limit
            ));
        }
        Ok(())
    }

    /// The text with a place for every field that the parent shows, if it has a
    /// place at all: without one the whole input follows it. A name in braces that
    /// is no field, and that no prompt of a person has, would reach the model as it
    /// stands.
    fn with_places(&self, text: &str, parent: Option<&Prompt>) -> Result<String, String> {
        if !self.view.task.fills_fields() {
            return Ok(text.to_owned());
        }
        let shown = meta::fields(self.view, text);
        let strangers = |text| places::strangers(text, &|name| shown.contains(&name));
        let given = places::strangers(&self.view.seed_prompt.instruction, &|_| false);
        if strangers(text)
            .iter()
            .any(|name| !given.contains(name) && !self.labels().iter().any(|label| label == name))
        {
            return Err("it has a placeholder that names no field".into());
        }
        let mut text = text.to_owned();
        if !shown.is_empty()
            && let Some(parent) = parent
        {
            let missing: Vec<String> = meta::fields(self.view, &parent.instruction)
                .into_iter()
                .filter(|name| !shown.contains(name))
                .map(|name| format!("{name}: {{{name}}}"))
                .collect();
            if !missing.is_empty() {
                text = format!("{text}\n\n{}", missing.join("\n"));
            }
        }
        Ok(text)
    }

    /// An instruction that names no label does not say what an answer looks
    /// like (Li et al. 2023 ask for the instruction *and* the output format); nor
    /// does one that names no number or no list where those are wanted. `least`:
    /// labels that are enough; of very many, two are.
    fn with_output_format(&self, instruction: String, least: usize) -> String {
        /// More labels than that are described, not listed.
        const LISTED: usize = 20;
        let format = match &self.form {
            Some(AnswerForm::Choice { labels }) => {
                let least = if labels.len() > LISTED { 2 } else { least };
                if self.named(&instruction) >= labels.len().min(least) {
                    return instruction;
                }
                format!("Answer {}.", either(labels))
            }
            Some(AnswerForm::MultipleChoice { .. }) if !mentions(&instruction, &OPTIONS) => {
                "Answer with the letter of one option.".to_owned()
            }
            Some(AnswerForm::Number { min, max }) if !instruction.contains(&max.to_string()) => {
                format!("Answer with one number from {min} to {max}.")
            }
            Some(AnswerForm::Ranking { .. }) if !mentions(&instruction, &["list", "line"]) => {
                "List the candidates, best first, one per line.".to_owned()
            }
            _ => return instruction,
        };
        with_sentence(&instruction, &format, self.places_end(&instruction))
    }

    /// Whether the last line shows some of the input: what follows it would read
    /// as data.
    fn places_end(&self, instruction: &str) -> bool {
        let last = instruction.trim_end().lines().next_back();
        last.is_some_and(|line| !meta::fields(self.view, line).is_empty())
    }

    /// How many labels a text names.
    fn named(&self, text: &str) -> usize {
        let words = padded(text);
        let labels = self.labels().iter();
        labels
            .filter(|label| words.contains(&padded(label)))
            .count()
    }

    /// Whether a text comes to the answer: names the labels (two of them, if
    /// there are as many), asks for a number, or speaks of items and who wants
    /// them. Any text does where free text is wanted.
    fn names_answer(&self, text: &str) -> bool {
        match &self.form {
            Some(AnswerForm::Choice { labels }) => self.named(text) >= labels.len().min(2),
            Some(AnswerForm::MultipleChoice { .. }) => mentions(text, &OPTIONS),
            Some(AnswerForm::Number { .. }) => mentions(text, &["rat", "number", "scor", "star"]),
            Some(
                AnswerForm::Ranking { .. }
                | AnswerForm::Likelihood { .. }
                | AnswerForm::Nearest { .. },
            ) => mentions(text, &ITEMS),
            // The form is told beside a prompt that does not name the fields.
            Some(AnswerForm::Json { .. } | AnswerForm::Text { .. }) | None => true,
        }
    }
}

/// Stems of words for options and for choosing among them.
const OPTIONS: [&str; 5] = ["option", "letter", "choice", "choos", "alternative"];
/// Stems of words for items and those who want them.
const ITEMS: [&str; 25] = [
    "candidate",
    "item",
    "title",
    "user",
    "viewer",
    "reader",
    "customer",
    "person",
    "people",
    "next",
    "history",
    "watch",
    "movie",
    "film",
    "book",
    "product",
    "game",
    "song",
    "article",
    "story",
    "stories",
    "choice",
    "chose",
    "choose",
    "listen",
];

/// A prompt with one more sentence: at its end, in a paragraph of its own where
/// it has several; before everything where it ends in data.
fn with_sentence(prompt: &str, sentence: &str, ends_in_data: bool) -> String {
    let prompt = prompt.trim();
    if ends_in_data {
        return format!("{sentence}\n\n{prompt}");
    }
    if prompt.contains('\n') {
        return format!("{prompt}\n\n{sentence}");
    }
    let stop = if prompt.ends_with(['.', '!', '?', ':']) {
        ""
    } else {
        "."
    };
    format!("{prompt}{stop} {sentence}")
}

#[cfg(test)]
mod tests;
