//! What several answers to one input come to, and which label a vote stands for.

use shiftproof_tasks::metric::borda;
use shiftproof_tasks::{Answer, AnswerForm, Label};

/// The plurality among `votes`, where `None` is a voter without a usable
/// answer. Ties go to the answer seen first. Returns the winner and its share.
pub fn plurality<T: PartialEq + Clone>(votes: &[Option<T>]) -> Option<(T, f64)> {
    let mut counts: Vec<(&T, usize)> = Vec::new();
    for vote in votes.iter().flatten() {
        match counts.iter_mut().find(|(answer, _)| *answer == vote) {
            Some((_, count)) => *count += 1,
            None => counts.push((vote, 1)),
        }
    }
    // `max_by_key` would return the last of equals; the first is wanted.
    let (winner, count) = counts
        .into_iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    Some((winner.clone(), count as f64 / votes.len() as f64))
}

/// What several answers to one input come to.
///
/// - Classes and texts: the plurality. Margins are not comparable across prompts
///   and are left out.
/// - Numbers: their mean, which has the least squared error.
/// - Rankings: Borda's count, the sum of the places each voter gives an item; an
///   item a voter leaves out shares the places that are left. Ties go to the
///   order of the first voter.
///
/// `None` if no answer is usable.
pub fn combine(answers: &[Option<Answer>]) -> Option<Answer> {
    let usable: Vec<&Answer> = answers
        .iter()
        .flatten()
        .filter(|answer| answer.vote().is_some())
        .collect();
    match usable.first()? {
        Answer::Number(_) => {
            let numbers: Vec<f64> = usable
                .iter()
                .filter_map(|answer| match answer {
                    Answer::Number(number) => Some(*number),
                    _ => None,
                })
                .collect();
            Some(Answer::Number(
                numbers.iter().sum::<f64>() / numbers.len() as f64,
            ))
        }
        Answer::Ranking(_) => {
            let rankings = usable.iter().filter_map(|answer| match answer {
                Answer::Ranking(items) => Some(items.as_slice()),
                _ => None,
            });
            Some(Answer::Ranking(borda(rankings)))
        }
        _ => {
            let votes: Vec<Option<String>> = answers
                .iter()
                .map(|answer| answer.as_ref().and_then(Answer::vote))
                .collect();
            let (winner, _) = plurality(&votes)?;
            let answer = usable
                .into_iter()
                .find(|answer| answer.vote().as_ref() == Some(&winner))?;
            Some(match answer {
                Answer::Class { label, .. } => Answer::Class {
                    label: label.clone(),
                    margin: None,
                },
                other => other.clone(),
            })
        }
    }
}

/// The label that a winning vote stands for; `None` where it is none.
pub(crate) fn pseudo_label(form: &AnswerForm, winner: &str) -> Option<Label> {
    Some(match form {
        AnswerForm::Choice { .. } | AnswerForm::MultipleChoice { .. } => {
            Label::Class(winner.to_owned())
        }
        AnswerForm::Number { .. } => Label::Number(winner.parse().ok()?),
        AnswerForm::Ranking { .. } | AnswerForm::Likelihood { .. } | AnswerForm::Nearest { .. } => {
            Label::Relevant(vec![winner.to_owned()])
        }
        AnswerForm::Json { .. } => Label::Fields(serde_json::from_str(winner).ok()?),
        AnswerForm::Text { .. } => Label::Text(winner.to_owned()),
    })
}

/// Whether a winning vote agrees with the truth.
pub(crate) fn is_right(label: &Label, winner: &str) -> bool {
    match label {
        Label::Relevant(items) => items.iter().any(|item| item == winner),
        Label::Text(truth) => truth.trim().to_lowercase() == winner,
        // Classes vote as they are spelt, texts in lower case.
        Label::AnyOf(truths) => truths
            .iter()
            .any(|truth| truth == winner || truth.trim().to_lowercase() == winner),
        Label::Class(_) | Label::Number(_) | Label::Fields(_) => label.to_answer() == winner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(votes: &[Option<&str>], expect: Option<(&str, f64)>) {
        assert_eq!(plurality(votes), expect);
    }

    #[test]
    fn plurality_counts_all_voters() {
        check(&[Some("a"), Some("b"), Some("b")], Some(("b", 2.0 / 3.0)));
        check(&[Some("a"), None, None, None], Some(("a", 0.25)));
        check(&[None, None], None);
        check(&[], None);
    }

    #[test]
    fn rankings_and_numbers_combine_alike() {
        let ranking = |items: &str| {
            let items = items.split(' ').map(str::to_owned).collect();
            Some(Answer::Ranking(items))
        };
        // Places of a: 0, 2, 1; b: 1, 0, 0; c: 2, 1, 2.
        let answers = [ranking("a b c"), ranking("b c a"), ranking("b a c")];
        assert_eq!(combine(&answers), ranking("b a c"));
        // Left out, b and c share places 1 and 2.
        let answers = [ranking("a"), None, ranking("c a b")];
        assert_eq!(combine(&answers), ranking("a c b"));
        let number = |n| Some(Answer::Number(n));
        let unusable = Some(Answer::Unparseable { text: "?".into() });
        assert_eq!(
            combine(&[number(4.0), unusable.clone(), number(1.0)]),
            number(2.5)
        );
        assert_eq!(combine(&[None, unusable]), None);
    }

    #[test]
    fn votes_become_task_labels() {
        let ranking = AnswerForm::likelihood(["Heat", "Big"]);
        let label = pseudo_label(&ranking, "Heat").unwrap();
        assert_eq!(label, Label::Relevant(vec!["Heat".into()]));
        assert!(is_right(&label, "Heat") && !is_right(&label, "Big"));
        let stars = AnswerForm::Number { min: 1.0, max: 5.0 };
        assert_eq!(pseudo_label(&stars, "4"), Some(Label::Number(4.0)));
        assert_eq!(pseudo_label(&stars, "four"), None);
        assert!(is_right(&Label::Number(4.0), "4"));
    }

    #[test]
    fn ties_go_to_first_seen() {
        check(
            &[Some("b"), Some("a"), Some("a"), Some("b")],
            Some(("b", 0.5)),
        );
    }
}
