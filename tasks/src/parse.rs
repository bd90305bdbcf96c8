//! Reads replies: from label log-probabilities where there are any, else from
//! text, by the answer form.
//!
//! Reading text is conservative. A reply that may mean two things means
//! nothing: it becomes [`Answer::Unparseable`], which is counted and shown,
//! while a wrong guess would silently move a score.

mod choice;
pub mod likelihood;
pub mod nearest;
mod number;
mod ranking;

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
        // Labels and candidates are text of the study's own, so the whole reply
        // is compared before anything is stripped from it.
        AnswerForm::Choice { labels } => choice::exact(labels, &reply.text)
            .or_else(|| choice::from_text(labels, after_thoughts(&reply.text)?, cut_off)),
        AnswerForm::Number { min, max } => after_thoughts(&reply.text)
            .and_then(|text| number::from_text(*min, *max, text, cut_off))
            .map(Answer::Number),
        AnswerForm::Ranking { candidates }
        | AnswerForm::Likelihood { candidates, .. }
        | AnswerForm::Nearest { candidates } => after_thoughts(&reply.text)
            .map(|text| ranking::from_text(candidates, text))
            .filter(|items| !items.is_empty())
            .map(Answer::Ranking),
        AnswerForm::Text { .. } => after_thoughts(&reply.text)
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| Answer::Text(text.to_owned())),
    };
    answer.unwrap_or_else(|| unparseable(&reply.text))
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

/// The text after a reasoning model's thoughts; `None` if they never end.
fn after_thoughts(text: &str) -> Option<&str> {
    match text.rsplit_once("</think>") {
        Some((_, answer)) => Some(answer),
        None if text.trim_start().starts_with("<think>") => None,
        None => Some(text),
    }
}

/// The part of `text` after its last "Answer:", "the answer is", "Label =" and
/// the like.
fn after_marker(text: &str) -> Option<&str> {
    const MARKERS: [&str; 10] = [
        "answer",
        "label",
        "output",
        "prediction",
        "class",
        "classification",
        "category",
        "verdict",
        "sentiment",
        "rating",
    ];
    // ASCII lower case keeps every byte offset.
    let lower = text.to_ascii_lowercase();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let end = |marker: &str, start: usize| {
        let rest = &lower[start + marker.len()..];
        if lower[..start].ends_with(word) {
            return None;
        }
        let sign = rest.trim_start_matches(['*', '_', '"', '\'', '`', ' ']);
        let value = sign
            .strip_prefix([':', '='])
            .or_else(|| sign.strip_prefix("is ").filter(|_| rest.starts_with(' ')))?;
        Some(lower.len() - value.len())
    };
    MARKERS
        .iter()
        .flat_map(|marker| {
            lower
                .match_indices(marker)
                .map(move |(start, _)| (marker, start))
        })
        .filter_map(|(marker, start)| end(marker, start))
        .max()
        .map(|end| &text[end..])
}

#[cfg(test)]
mod tests;
