//! Sentences that say what something is: "The sentiment is negative", "I would
//! classify this as X", "这条评论是正面的".

mod lists;

use lists::{
    BEFORE, BEHIND, BETWEEN, CONCLUDING, CONCLUDING_INSIDE, GOES_ON, HAVING, MODIFIER, NOUN, PART,
    PREPOSITION, SORTING, VERB, WHOLE, WHOLE_INSIDE,
};

use super::sentence::is_decor;
use super::words::words;

/// How a sentence says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LabelStatement {
    /// Whether the sentence speaks of the answer itself, or draws a conclusion.
    pub concludes: bool,
    /// Whether it draws a conclusion from what was said before.
    pub draws: bool,
    /// Whether it speaks of the whole text to be judged.
    pub judges: bool,
}

/// Whether what stands between `before` and `after` is said of something. Both
/// are folded and end where the clause does; `sentence` is what stands before in
/// the whole sentence.
pub(super) fn said(sentence: &str, before: &str, after: &str) -> Option<LabelStatement> {
    let follows = follows(after)?;
    let said = precedes(before, follows)
        || (follows == LabelSuccessor::Nothing && follows_from(sentence, before))
        || is_chosen(after)
        || is_followed(after)
        || spaceless(before, after);
    said.then(|| LabelStatement {
        concludes: concludes(sentence) || speaks_of_answer(before),
        draws: concludes(sentence),
        judges: judges(sentence),
    })
}

/// What follows a label that is said of something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LabelSuccessor {
    Nothing,
    Noun,
}

fn follows(after: &str) -> Option<LabelSuccessor> {
    if after.chars().all(is_decor) || spaceless_end(after) || is_followed(after) {
        return Some(LabelSuccessor::Nothing);
    }
    let mut following = words(after);
    let first = following.next()?;
    if NOUN.contains(first) {
        return Some(LabelSuccessor::Noun);
    }
    // "positive and encouraging sentiment", "negative customer experience"
    if following.take(2).any(|word| NOUN.contains(word)) {
        return Some(LabelSuccessor::Noun);
    }
    (GOES_ON.contains(first) || is_chosen(after)).then_some(LabelSuccessor::Nothing)
}

/// "X is the correct answer", "X fits best".
pub(super) fn is_chosen(after: &str) -> bool {
    let mut rest = words(after).take(7);
    if !rest
        .next()
        .is_some_and(|word| matches!(word, "is" | "would" | "seems" | "fits"))
    {
        return false;
    }
    let mut chosen = false;
    for word in rest {
        match word {
            "not" | "isn't" | "incorrect" | "wrong" => return false,
            "correct" | "right" | "best" | "answer" | "appropriate" | "accurate" | "suitable" => {
                chosen = true;
            }
            _ => {}
        }
    }
    chosen
}

/// Whether nothing but articles and the like stand in the text.
pub(super) fn is_modifier(text: &str) -> bool {
    words(text).all(|word| MODIFIER.contains(word))
}

/// Whether nothing but a noun or two follow: "Medium priority".
pub(super) fn is_noun(after: &str) -> bool {
    words(after).count() <= 2 && words(after).all(|word| NOUN.contains(word))
}

/// Verbs that stand behind what is said: "यह समीक्षा सकारात्मक है".
fn is_followed(after: &str) -> bool {
    let mut following = words(after);
    let verb = following.next().is_some_and(|word| {
        matches!(
            word,
            "है" | "हैं"
                | "था"
                | "थी"
                | "आहे"
                | "છે"
                | "ہے"
                | "است"
                | "هست"
                | "আছে"
        )
    });
    verb && following.next().is_none()
}

fn precedes(before: &str, follows: LabelSuccessor) -> bool {
    let mut preceding = words(before).rev();
    for _ in 0..6 {
        let Some(word) = preceding.next() else {
            return false;
        };
        if VERB.contains(word) {
            return true;
        }
        if HAVING.contains(word) {
            return follows == LabelSuccessor::Noun;
        }
        if PREPOSITION.contains(word) && preceding.clone().any(|word| SORTING.contains(word)) {
            return true;
        }
        // "is about politics", "I call this negative".
        if matches!(word, "about" | "this" | "it" | "that") {
            return preceding.next().is_some_and(|verb| {
                matches!(
                    verb,
                    "is" | "are" | "call" | "consider" | "rate" | "label" | "classify" | "find"
                )
            });
        }
        if !MODIFIER.contains(word) {
            return false;
        }
    }
    false
}

fn spaceless(before: &str, after: &str) -> bool {
    let mut before = before.trim_end_matches(|c: char| is_decor(c));
    if before.is_ascii() && after.is_ascii() {
        return false;
    }
    while let Some(shorter) = BETWEEN.iter().find_map(|word| before.strip_suffix(word)) {
        before = shorter;
    }
    BEFORE.iter().any(|word| before.ends_with(word))
        || BEHIND
            .iter()
            .any(|word| after.trim_start_matches(['"', '*']).starts_with(word))
}

/// Whether a clause without spaces may end so after what is said.
fn spaceless_end(after: &str) -> bool {
    const MOST: usize = 8;
    !after.is_ascii() && after.trim().chars().count() <= MOST
        || BEHIND.iter().any(|word| after.starts_with(word))
}

fn judges(before: &str) -> bool {
    let whole = words(before).take(8).any(|word| WHOLE.contains(word))
        || (!before.is_ascii() && WHOLE_INSIDE.iter().any(|word| before.contains(word)));
    whole && !words(before).any(|word| PART.contains(word))
}

/// "…; hence negative", "In short, yes".
fn follows_from(sentence: &str, before: &str) -> bool {
    concludes(sentence)
        && words(before)
            .all(|word| CONCLUDING.contains(word) || MODIFIER.contains(word) || word == "in")
}

pub(super) fn concludes(before: &str) -> bool {
    words(before).any(|word| CONCLUDING.contains(word))
        || (!before.is_ascii() && CONCLUDING_INSIDE.iter().any(|word| before.contains(word)))
}

/// "The answer is", "the correct category is", not "the tone is".
fn speaks_of_answer(before: &str) -> bool {
    words(before).any(|word| {
        matches!(
            word,
            "answer"
                | "label"
                | "classification"
                | "verdict"
                | "antwort"
                | "réponse"
                | "respuesta"
                | "risposta"
                | "resposta"
                | "antwoord"
                | "ответ"
                | "odpowiedź"
                | "svar"
        )
    }) || ["答案", "答え", "정답"]
        .iter()
        .any(|word| before.contains(word))
}

/// Whether the clause stands after such a word that it only concedes.
pub(super) fn is_conceding(after: &str) -> bool {
    let mut following = words(after);
    following.next().is_some_and(|word| {
        matches!(
            word,
            "but"
                | "however"
                | "yet"
                | "aber"
                | "jedoch"
                | "mais"
                | "pero"
                | "sino"
                | "ma"
                | "mas"
                | "но"
                | "однако"
                | "maar"
                | "men"
        )
    }) || ["但", "しかし", "が、", "だが", "지만"]
        .iter()
        .any(|word| after.trim_start().starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_work_across_languages() {
        for (before, after) in [
            ("the sentiment is ", ""),
            ("i would classify this as a ", " review"),
            ("i would call this a ", " review"),
            ("the text expresses a ", " and warm sentiment"),
            ("it falls under the ", " category"),
            ("the article is about ", ""),
            ("", " is the correct answer"),
            ("option ", " fits best"),
            (
                "es handelt sich insgesamt um eine klare sache, das ist ",
                "",
            ),
            ("cet avis est plutôt ", ""),
            ("la reseña es ", ""),
            ("la recensione è molto ", ""),
            ("这条评论是", "的"),
            ("このレビューは", "です"),
            ("이 리뷰는 ", "입니다"),
        ] {
            assert!(said(before, before, after).is_some(), "{before}|{after}");
        }
        for (before, after) in [
            ("the film has ", " sides"),
            ("the text expresses ", ""),
            ("the film is ", " about life"),
            ("some ", " words"),
            ("", " is not the correct answer"),
        ] {
            assert!(said(before, before, after).is_none(), "{before}|{after}");
        }
    }
}
