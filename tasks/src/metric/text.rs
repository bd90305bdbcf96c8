//! Metrics of generated text, against one reference or several.

use std::collections::BTreeMap;

pub use answers::{contains, exact, matches, token_f1};

use super::{GradedOutcome, Metric};
use crate::{Answer, Outcome};

mod answers;

/// Longest n-gram of BLEU.
const ORDER: usize = 4;

/// ROUGE-L F1 in `0..=1`: the longest common subsequence of words, as a share
/// of either text (Lin, 2004). Words are runs of letters and digits in lower
/// case, unstemmed; on ASCII text the value is that of Python's `rouge-score`.
pub fn rouge_l(said: &str, truth: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (said, truth) = (words(said), words(truth));
    let common = common_subsequence(&said, &truth) as f64;
    if common == 0.0 {
        return 0.0;
    }
    2.0 * common / (said.len() + truth.len()) as f64
}

/// The length of the longest common subsequence.
pub fn common_subsequence<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// The grade of one text by a metric of texts: of several references the one that suits
/// it best, as their sources have it; BLEU takes all together. `None` for other metrics.
pub(super) fn grade(metric: Metric, said: &str, references: &[String]) -> Option<f64> {
    let best = |grade: &dyn Fn(&str) -> f64| {
        let grades = references.iter().map(|reference| grade(reference));
        grades.fold(0.0, f64::max)
    };
    Some(match metric {
        Metric::Exact => best(&|reference| f64::from(exact(said, reference))),
        Metric::Contains => best(&|reference| f64::from(contains(said, reference))),
        Metric::Regex => best(&|pattern| f64::from(matches(said, pattern) == Ok(true))),
        Metric::TokenF1 => best(&|reference| token_f1(said, reference)),
        Metric::RougeL => best(&|reference| rouge_l(said, reference)),
        Metric::Bleu => bleu(said, references),
        _ => return None,
    })
}

/// BLEU-4 of one text in `0..=1`, zero counts smoothed exponentially and orders
/// longer than the text left out: the sentence BLEU of Python's `sacrebleu`. Of an
/// n-gram as many count as some reference has; the text is held against the length of
/// the reference nearest to its own.
pub fn bleu<R: AsRef<str>>(said: &str, references: &[R]) -> f64 {
    let mut counts = NgramCounts::default();
    counts.add(said, references);
    counts.score(true)
}

/// BLEU-4 of all texts of a group together; an unparseable answer is an empty
/// text. `None` where there is none or one is no text.
pub(super) fn corpus(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    let mut counts = NgramCounts::default();
    let mut any = false;
    for observation in observations {
        let said = match observation.outcome {
            Outcome::Truncated { .. } | Outcome::Failed { .. } => continue,
            Outcome::Unparseable { .. } => "",
            Outcome::Scored(scored) => match &scored.answer {
                Answer::Text(text) => text,
                _ => return None,
            },
        };
        counts.add(said, observation.label.references()?);
        any = true;
    }
    any.then(|| counts.score(false))
}

/// Matches and totals of n-grams, summed over texts.
#[derive(Default)]
struct NgramCounts {
    matched: [usize; ORDER],
    total: [usize; ORDER],
    said: usize,
    truth: usize,
}

impl NgramCounts {
    fn add<R: AsRef<str>>(&mut self, said: &str, references: &[R]) {
        let said = tokens(said);
        let references: Vec<Vec<String>> = references
            .iter()
            .map(|reference| tokens(reference.as_ref()))
            .collect();
        self.said += said.len();
        // Of two that are as near the shorter one.
        let lengths = references.iter().map(Vec::len);
        let nearest = lengths.min_by_key(|length| (length.abs_diff(said.len()), *length));
        self.truth += nearest.unwrap_or(0);
        for n in 1..=ORDER {
            let mut left: BTreeMap<&[String], usize> = BTreeMap::new();
            for reference in &references {
                let mut own: BTreeMap<&[String], usize> = BTreeMap::new();
                for gram in reference.windows(n) {
                    *own.entry(gram).or_default() += 1;
                }
                for (gram, count) in own {
                    let most = left.entry(gram).or_default();
                    *most = count.max(*most);
                }
            }
            for gram in said.windows(n) {
                self.total[n - 1] += 1;
                if let Some(count) = left.get_mut(gram).filter(|count| **count > 0) {
                    *count -= 1;
                    self.matched[n - 1] += 1;
                }
            }
        }
    }

    /// `effective`: orders without a single n-gram are left out of the mean.
    fn score(&self, effective: bool) -> f64 {
        if self.matched.iter().all(|&n| n == 0) {
            return 0.0;
        }
        let brevity = if self.said < self.truth {
            (1.0 - self.truth as f64 / self.said as f64).exp()
        } else {
            1.0
        };
        let (mut sum, mut orders, mut smoothing) = (0.0, 0, 1.0);
        for (&matched, &total) in self.matched.iter().zip(&self.total) {
            if total == 0 {
                break;
            }
            orders += 1;
            sum += if matched == 0 {
                smoothing *= 2.0;
                (1.0 / (smoothing * total as f64)).ln()
            } else {
                (matched as f64 / total as f64).ln()
            };
        }
        if orders < ORDER && !effective {
            return 0.0;
        }
        (brevity * (sum / f64::from(orders as u32)).exp()).clamp(0.0, 1.0)
    }
}

/// The tokens of the "13a" rules of mteval: punctuation stands alone, except a
/// point or comma between digits, and an apostrophe or hyphen within words.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 16);
    for (index, &c) in chars.iter().enumerate() {
        let digit = |at: Option<usize>| {
            at.and_then(|at| chars.get(at))
                .is_some_and(char::is_ascii_digit)
        };
        let after_digit = digit(index.checked_sub(1));
        let apart = match c {
            '.' | ',' => !(after_digit && digit(Some(index + 1))),
            '-' => after_digit,
            '\'' => false,
            c => c.is_ascii_punctuation(),
        };
        if apart {
            out.push(' ');
            out.push(c);
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GradedAnswer, Label};

    /// Text, reference, ROUGE-L F1 of rouge-score 0.1.2 and sentence BLEU of
    /// sacrebleu 2.5.
    const REFERENCE: [(&str, &str, f64, f64); 6] = [
        (
            "The film is a warm, funny story about two brothers.",
            "A warm and funny story about two brothers.",
            0.777_777_777_777_777_7,
            0.433_618_909_034_867_66,
        ),
        ("I loved it.", "I loved it.", 1.0, 1.0),
        (
            "Great sound; battery lasts 10 hours, worth $49.99!",
            "Battery life of 10 hours and great sound for $49.99.",
            0.5,
            0.101_279_930_135_628_18,
        ),
        (
            "Too slow",
            "The plot moves far too slowly for a thriller.",
            0.181_818_181_818_181_8,
            0.0,
        ),
        (
            "the the the the",
            "the cat is on the mat",
            0.4,
            0.115_215_909_922_865_24,
        ),
        (
            "It's well-made, isn't it?",
            "It is well made, is it not?",
            0.571_428_571_428_571_4,
            0.064_790_667_469_036_03,
        ),
    ];

    #[test]
    fn text_metrics_match_references() {
        for (said, truth, rouge, sentence) in REFERENCE {
            assert!((rouge_l(said, truth) - rouge).abs() < 1e-9, "{said}");
            assert!((bleu(said, &[truth]) - sentence).abs() < 1e-9, "{said}");
        }
        assert_eq!((rouge_l("", "a"), bleu("", &["a"])), (0.0, 0.0));
    }

    /// Texts with references, and what sacrebleu, rouge-score and `DSPy` make of them
    /// (`tasks/tests/fixtures/make_text_fixtures.py`).
    #[derive(serde::Deserialize)]
    struct Fixture {
        cases: Vec<FixtureCase>,
        corpus_bleu: f64,
    }

    #[derive(serde::Deserialize)]
    struct FixtureCase {
        said: String,
        references: Vec<String>,
        exact: f64,
        token_f1: f64,
        rouge_l: f64,
        bleu: f64,
    }

    #[test]
    fn several_references_match_packages() {
        let fixture = include_str!("../../tests/fixtures/text.json");
        let fixture: Fixture = serde_json::from_str(fixture).unwrap();
        let mut counts = NgramCounts::default();
        for case in &fixture.cases {
            let FixtureCase {
                said, references, ..
            } = case;
            for (metric, expect) in [
                (Metric::Exact, case.exact),
                (Metric::TokenF1, case.token_f1),
                (Metric::RougeL, case.rouge_l),
                (Metric::Bleu, case.bleu),
            ] {
                let value = grade(metric, said, references).unwrap();
                assert!(
                    (value - expect).abs() < 1e-9,
                    "{metric} of {said:?}: {value} {expect}"
                );
            }
            counts.add(said, references);
        }
        let corpus = counts.score(false);
        assert!((corpus - fixture.corpus_bleu).abs() < 1e-9, "{corpus}");
    }

    #[test]
    fn patterns_are_compiled_once_and_checked() {
        assert_eq!(matches("a1", r"\d"), Ok(true));
        assert_eq!(matches("ab", r"\d"), Ok(false));
        for _ in 0..2 {
            assert!(matches("ab", "(").unwrap_err().contains("unclosed group"));
        }
        // What would take long to match, or to compile, does not.
        assert_eq!(matches(&"a".repeat(5000), "(a+)+b"), Ok(false));
        assert!(matches("a", "a{1000}{1000}").is_err());
    }

    #[test]
    fn group_is_one_corpus() {
        let (outcomes, labels): (Vec<Outcome>, Vec<Label>) = REFERENCE
            .iter()
            .map(|(said, truth, ..)| {
                let answer = Answer::Text((*said).into());
                let outcome = Outcome::Scored(GradedAnswer { value: 0.0, answer });
                (outcome, Label::Text((*truth).into()))
            })
            .unzip();
        let observations: Vec<GradedOutcome<'_>> = outcomes
            .iter()
            .zip(&labels)
            .map(|(outcome, label)| GradedOutcome::new(outcome, label))
            .collect();
        let score = Metric::Bleu.reduce(&observations).value.unwrap();
        assert!((score - 0.214_500_258_402_258_11).abs() < 1e-9, "{score}");
        assert_eq!(Metric::Bleu.reduce(&[]).value, None);
    }
}
