//! Reads replies: from label log-probabilities where there are any, else from
//! text, by the answer form.
//!
//! Reading text is conservative. A reply that may mean two things means
//! nothing: it becomes [`Answer::Unparseable`], which is counted and shown,
//! while a wrong guess would silently move a score.

mod choice;
pub(crate) mod fold;
mod labels;
pub mod likelihood;
mod marker;
pub mod nearest;
mod negation;
mod number;
mod numbers;
mod predicate;
mod ranking;
mod reading;
mod sentence;
mod structured;
pub(crate) mod thoughts;
mod verdict;
mod words;

use crate::{Answer, AnswerForm, Finish, Reply};

/// The answer in `reply`, of the form asked for.
///
/// - **Choice**: with log-probabilities their argmax, ties to the first label;
///   NaN, a wrong count or no finite value is unparseable. From text: the one
///   label affirmed. A label that leads and is followed by punctuation wins over
///   later ones ("Positive. It is not negative"), as does one after "Answer:".
///   A negated label ("not positive") affirms nothing, not even the other of
///   two: "not positive" may well mean neutral. Of labels that contain each
///   other the longest match counts. A mention in a question does not count.
/// - **Number**: the one number in range, "4/5" and "4 out of 5" read as 4;
///   numbers out of range are ignored, two different ones are unparseable.
/// - **Ranking**: a JSON array, one item per line (numbered or not), or a list
///   separated by commas or `>` where no candidate contains the separator. Items
///   that are no candidates, and repetitions, are left out.
/// - **Likelihood**: from candidate scores, as [`likelihood::rank`] does; from
///   text, as a ranking.
/// - **Nearest**: from distances, the nearest first; from text, as a ranking.
/// - **Text**: the trimmed text; an empty one is unparseable.
///
/// A reply that a content filter withheld is unparseable whatever it contains.
/// What a reasoning model says between `<think>` and `</think>` is skipped.
pub fn parse(form: &AnswerForm, reply: &Reply) -> Answer {
    if reply.finish == Finish::Filtered {
        return unparseable("withheld by a content filter");
    }
    if let (AnswerForm::Choice { labels }, Some(logprobs)) = (form, &reply.label_logprobs) {
        return choice::from_logprobs(labels, logprobs)
            .unwrap_or_else(|| unparseable(&format!("log-probabilities {logprobs:?}")));
    }
    if let (AnswerForm::Likelihood { candidates, .. }, Some(scores)) =
        (form, &reply.candidate_scores)
    {
        return likelihood::answer(candidates, scores, likelihood::Scoring::default_for(scores));
    }
    if let (AnswerForm::Nearest { candidates }, Some(distances)) = (form, &reply.distances) {
        return nearest::answer(candidates, distances);
    }
    let cut_off = reply.finish == Finish::Length;
    let answer = match form {
        AnswerForm::Choice { labels } => choice::from_text(labels, &reply.text, cut_off),
        AnswerForm::Number { min, max } => thoughts::answer(&reply.text)
            .and_then(|text| number::from_text(*min, *max, &text, cut_off))
            .map(Answer::Number),
        AnswerForm::Ranking { candidates }
        | AnswerForm::Likelihood { candidates, .. }
        | AnswerForm::Nearest { candidates } => {
            let items = ranking::from_text(candidates, &reply.text, cut_off);
            (!items.is_empty()).then_some(Answer::Ranking(items))
        }
        AnswerForm::Text { .. } => thoughts::answer(&reply.text)
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(Answer::Text),
    };
    answer.unwrap_or_else(|| unparseable(&reply.text))
}

/// Every object and array of JSON in a text.
pub(crate) fn json_values(text: &str) -> Vec<serde_json::Value> {
    structured::values(text)
        .into_iter()
        .map(|(value, _)| value)
        .collect()
}

/// An unparseable answer, its text cut to a readable length.
pub(crate) fn unparseable(text: &str) -> Answer {
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
