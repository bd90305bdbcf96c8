//! Reads replies: from label log-probabilities where there are any, else from
//! text, by the answer form.
//!
//! Reading text is conservative. A reply that may mean two things means
//! nothing: it becomes [`Answer::Unparseable`], which is counted and shown,
//! while a wrong guess would silently move a score.
//!
//! # What counts as an answer
//!
//! A label that merely occurs is no answer. It counts, in this order:
//!
//! 1. where a **structure** sets it apart: `\boxed{}`, `<answer>`, a field of
//!    `DSPy`, `####`, a JSON value under a key such as `label` or `answer` (or the
//!    only label among the values; or verdicts by label, such as `{"positive":
//!    false, "negative": true}`);
//! 2. where it **stands alone**: it is the reply, a sentence or a line of it; it
//!    leads and punctuation follows; it is what a heading heads ("Answer: …",
//!    "Fazit: …", "答案：…"), a final heading before others. A label that heads
//!    texts itself ("Positive: … / Negative: …") is no answer, unless what it heads
//!    are verdicts: yes and no, or shares that are a whole together;
//! 3. where a sentence **says it of something**: "the sentiment is negative", "I
//!    would classify this as X", "es handelt sich um eine positive Bewertung",
//!    "这条评论是正面的". Of several such sentences one that concludes ("overall",
//!    "therefore") wins, else one that opens the reply and judges the whole;
//! 4. in free text of any language, where it is the only label named at all, in
//!    the first or the last sentence and at the end of a clause, or emphasised.
//!
//! Two different labels of one rank are no answer. Neither is a label that its
//! clause denies, doubts or supposes: words such as *not*, *nicht*, *pas*, *не*
//! before it, or of any language but English behind it as well (*değil*, *नहीं*,
//! ではない), 不 or ไม่ anywhere in the clause; questions; "if …". The list of such
//! words cannot be complete, which is why rank 4 is as narrow as it is. Long
//! quotations, thoughts, and examples of its own that a base model goes on with
//! are left out.
//!
//! # Spelling
//!
//! Labels are compared in NFKC and without case, HTML entities and Markdown's
//! backslashes undone, with space, hyphen, underscore and nothing as one between
//! words, as long as all labels of the study still differ; else by the first
//! stricter rule under which they do. Adjectives are known in their forms
//! (*positiv*, *positive*, *positiven*). Next to Chinese, Japanese, Thai, Lao,
//! Khmer, Burmese and Tibetan letters no word border is asked for; Korean words
//! may have their particles.

mod choice;
pub(crate) mod fold;
mod labels;
pub mod likelihood;
pub mod lists;
mod marker;
pub mod nearest;
mod negation;
mod number;
mod numbers;
mod options;
mod predicate;
mod ranking;
mod reading;
mod sentence;
mod structured;
pub mod thoughts;
pub mod title_matcher;
mod titles;
mod verdict;
mod words;

use crate::{Answer, AnswerForm, AnswerSchema, Finish, Reply};

/// The answer in `reply`, of the form asked for.
///
/// - **Choice**: with log-probabilities their argmax, ties to the first label;
///   NaN, a wrong count or no finite value is unparseable. From text as the
///   [module](self) says. Labels that are all numbers, or numbers of stars, are
///   read as a number.
/// - **Multiple choice**: as a choice among the letters; where none is given, the one
///   option whose text the reply gives in the same ways. Options repeated before the
///   answer are left out; a letter beside the text of another option is unparseable.
/// - **Number**: after a heading ("Rating: 4"), in the lead, on its scale ("4/5",
///   "4 out of 5", "★★★★☆", "4 von 5"), said so ("I give it a 4"), else the one
///   number there is. The ends of the scale ("from 1 to 5"), numbers that count
///   something else ("3 days"), list numbers and years are left out; "4,5" is 4.5
///   and "four" 4. A number out of `min..=max`, one on another scale and two
///   different ones are unparseable.
/// - **Ranking**: lists as [`lists`] reads them (JSON,
///   tables, numbered or plain lines, separators), their items found as
///   [`title_matcher`] does; the numbers of candidates
///   (`[3] > [1]`); prose in the order in which it names candidates. Items that are no
///   candidates, repetitions, and an echo of the candidates before the ranking are
///   left out.
/// - **Likelihood**: from candidate scores, as [`likelihood::rank`] does; from
///   text, as a ranking.
/// - **Nearest**: from distances, the nearest first; from text, as a ranking.
/// - **JSON**: the values of its fields, as [`AnswerSchema::read`] finds them.
/// - **Text**: the trimmed text; an empty one is unparseable.
///
/// A reply that a content filter withheld is unparseable whatever it contains.
/// Of one that was cut off ([`Finish::Length`]) only what more text could not
/// change counts: a label that leads and is set apart, a closed structure, a number
/// with something behind it, the finished items of a list. What a reasoning model
/// says to itself (`<think>…</think>` and the like) is skipped; thoughts that never
/// end are no answer.
pub fn parse(form: &AnswerForm, reply: &Reply) -> Answer {
    if reply.finish == Finish::Filtered {
        return unparseable("withheld by a content filter");
    }
    if let (Some(labels), Some(logprobs)) = (form.labels(), &reply.label_logprobs) {
        return choice::from_logprobs(labels, logprobs)
            .unwrap_or_else(|| unparseable(&format!("log-probabilities {logprobs:?}")));
    }
    if let (AnswerForm::Likelihood { candidates, .. }, Some(scores)) =
        (form, &reply.candidate_scores)
    {
        return likelihood::answer(
            candidates,
            scores,
            likelihood::CandidateScoring::default_for(scores),
        );
    }
    if let (AnswerForm::Nearest { candidates }, Some(distances)) = (form, &reply.distances) {
        return nearest::answer(candidates, distances);
    }
    let cut_off = reply.finish == Finish::Length;
    let answer = match form {
        AnswerForm::Choice { labels } => choice::from_text(labels, &reply.text, cut_off),
        AnswerForm::MultipleChoice { labels, options } => {
            options::from_text(labels, options, &reply.text, cut_off)
        }
        AnswerForm::Number { min, max } => thoughts::answer(&reply.text)
            .and_then(|text| number::from_text(*min, *max, &text, cut_off))
            .map(Answer::Number),
        AnswerForm::Ranking { candidates }
        | AnswerForm::Likelihood { candidates, .. }
        | AnswerForm::Nearest { candidates } => {
            let items = ranking::from_text(candidates, &reply.text, cut_off);
            (!items.is_empty()).then_some(Answer::Ranking(items))
        }
        AnswerForm::Json { schema, .. } => {
            return AnswerSchema::from_json_schema(schema).map_or_else(
                |_| unparseable(&reply.text),
                |schema| fields(&schema, reply),
            );
        }
        AnswerForm::Text { .. } => thoughts::answer(&reply.text)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(Answer::Text),
    };
    answer.unwrap_or_else(|| unparseable(&reply.text))
}

/// The values of these fields in a reply.
pub(crate) fn fields(schema: &AnswerSchema, reply: &Reply) -> Answer {
    if reply.finish == Finish::Filtered {
        return unparseable("withheld by a content filter");
    }
    let text = thoughts::answer(&reply.text);
    let values = text.and_then(|text| {
        let set_apart = structured::tagged(&text, "answer");
        schema.read(set_apart.last().copied().unwrap_or(&text))
    });
    values.map_or_else(|| unparseable(&reply.text), Answer::Fields)
}

/// Every object and array in a text that was meant as JSON, with the bytes it takes.
pub(crate) fn json_spans(text: &str) -> Vec<(serde_json::Value, std::ops::Range<usize>)> {
    structured::tolerant_values(text)
}

pub(crate) use marker::concludes;

/// Every object and array of JSON in a text.
pub(crate) fn json_values(text: &str) -> Vec<serde_json::Value> {
    structured::values(text)
        .into_iter()
        .map(|(value, _)| value)
        .collect()
}

/// An unparseable answer, its text cut to a readable length.
pub fn unparseable(text: &str) -> Answer {
    const SHOWN: usize = 200;
    let text = text.trim();
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Answer::Unparseable { text: shown }
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
