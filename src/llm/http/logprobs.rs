//! Log-probabilities of labels from the top log-probabilities of tokens.

use super::reply::TokenPosition;

/// The least probability ever reported or assumed. Rounding can make the reported
/// probabilities sum to one or more, and some servers write -9999 for zero.
const LEAST_REST: f64 = 1e-12;

/// Generated tokens a scoring call asks for: one that decides, and two that may
/// be blank; more where labels begin alike.
pub(super) fn tokens_needed(labels: &[String]) -> u32 {
    let folded: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let mut shared = 0;
    for (i, a) in folded.iter().enumerate() {
        for b in &folded[i + 1..] {
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            shared = shared.max(same);
        }
    }
    3 + u32::try_from(shared).unwrap_or(u32::MAX).min(13)
}

/// Natural-log probabilities of `labels`, in their order.
///
/// The walk follows the tokens the model generated. At each position every
/// reported token extends the text so far; leading blanks, quotes and case are
/// ignored. A text that only one label can begin with gives its probability to
/// that label; one that several labels begin with is followed if the model
/// generated it, and otherwise shared equally among them (their sum stays
/// right). Two approximations remain, as in all first-token scoring: a token
/// that uniquely begins a label counts as the label, and paths through blank
/// tokens the model did not generate are not counted.
///
/// A label that no reported token leads to gets an upper bound in place of a
/// value: its first token is outside the top `k`, so it has at most the least
/// reported probability, and at most what all reported ones leave over. It stays
/// below the likeliest label that was seen, however much the reported ones leave.
///
/// `None` if no label appears at all or the text ends before it is decided: the
/// reply is then judged by its text.
pub(super) fn score(labels: &[String], positions: &[TokenPosition]) -> Option<LabelProbabilities> {
    let labels: Vec<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    let mut mass = vec![f64::NEG_INFINITY; labels.len()];
    let mut bound = vec![f64::NEG_INFINITY; labels.len()];
    let mut path = Vec::new();
    let mut reached = 0.0;
    let mut decided = false;
    for position in positions {
        for i in candidates(&labels, &fold(&labels, &path, b"")) {
            bound[i] = log_add(bound[i], reached + rest(position));
        }
        let mut next = None;
        for (token, logprob) in &position.top {
            let generated = next.is_none() && *token == position.token;
            let text = fold(&labels, &path, token);
            let fits = if text.is_empty() {
                Vec::new()
            } else {
                candidates(&labels, &text)
            };
            let follow = text.is_empty() || fits.len() > 1;
            if generated {
                next = Some((follow, *logprob));
            }
            if !(generated && follow) {
                let share = reached + logprob - (fits.len() as f64).ln();
                for i in fits {
                    mass[i] = log_add(mass[i], share);
                }
            }
        }
        let Some((follow, logprob)) = next else { break };
        decided = !follow;
        if decided {
            break;
        }
        path.extend_from_slice(&position.token);
        reached += logprob;
    }
    if !decided {
        // The text ended on a label that also begins another one, or on none.
        let i = exactly(&labels, &fold(&labels, &path, b""))?;
        mass[i] = log_add(mass[i], reached);
    }
    let seen = mass.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if seen == f64::NEG_INFINITY {
        return None;
    }
    let seen = seen.clamp(LEAST_REST.ln(), 0.0);
    Some(LabelProbabilities {
        mass: mass.iter().map(|mass| mass.exp()).sum::<f64>().min(1.0),
        logprobs: mass
            .iter()
            .zip(&bound)
            .map(|(mass, bound)| {
                if mass.is_finite() {
                    mass.clamp(LEAST_REST.ln(), 0.0)
                } else {
                    bound.min(seen.next_down())
                }
            })
            .collect(),
    })
}

/// Labels with the model's probabilities.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LabelProbabilities {
    /// Natural-log probabilities, in the order of the labels.
    pub(super) logprobs: Vec<f64>,
    /// What the labels that were seen have together, in `(0, 1]`.
    pub(super) mass: f64,
}

/// The least share of the probability that labels must have together to be what
/// the model wants to say. Below it a text that begins with something else is
/// likelier than all labels, and the order of the labels is the order of noise.
pub(super) const LEAST_MASS: f64 = 0.5;

impl LabelProbabilities {
    /// Whether the labels are what the model says.
    pub(super) fn is_plausible(&self) -> bool {
        // Rounded probabilities of one half are still one half.
        self.mass >= LEAST_MASS - 1e-9
    }
}

/// Upper bound, as a logarithm, on the probability of a token not reported.
fn rest(position: &TokenPosition) -> f64 {
    let mut least = f64::INFINITY;
    let mut sum = 0.0;
    for (_, logprob) in &position.top {
        let probability = logprob.exp();
        least = least.min(probability);
        sum += probability;
    }
    (1.0 - sum).min(least).max(LEAST_REST).ln()
}

/// The labels that `text` begins, is, or extends past a word's end.
fn candidates(labels: &[String], text: &str) -> Vec<usize> {
    let fits = |label: &str| {
        label.starts_with(text)
            || text
                .strip_prefix(label)
                .and_then(|after| after.chars().next())
                .is_some_and(|next| !next.is_alphanumeric())
    };
    (0..labels.len()).filter(|&i| fits(&labels[i])).collect()
}

/// The only label that is `text`.
fn exactly(labels: &[String], text: &str) -> Option<usize> {
    let mut exact = (0..labels.len()).filter(|&i| labels[i] == text);
    exact.next().filter(|_| exact.next().is_none())
}

/// `path` and `token` as text in lower case, without leading blanks, quotes and
/// markup unless a label begins with such a character. A character cut in two
/// by the tokens is left out until it is whole.
fn fold(labels: &[String], path: &[u8], token: &[u8]) -> String {
    let bytes = [path, token].concat();
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let skipped = |c: char| {
        // `▁` and `Ġ` are how some servers print a leading space.
        (c.is_whitespace() || "\"'`“‘«*_([{<:#>-▁Ġ".contains(c))
            && !labels.iter().any(|label| label.starts_with(c))
    };
    // Before lower case: `Ġ` would become `ġ`.
    text.trim_start_matches(skipped).to_lowercase()
}

/// `ln(exp(a) + exp(b))`.
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(top: &[(&str, f64)]) -> TokenPosition {
        TokenPosition {
            token: top[0].0.as_bytes().to_vec(),
            top: top
                .iter()
                .map(|(t, p)| (t.as_bytes().to_vec(), p.ln()))
                .collect(),
        }
    }

    /// Scores as probabilities, rounded to four digits.
    fn check(labels: &[&str], positions: &[&[(&str, f64)]], expected: Option<&[f64]>) {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let positions: Vec<TokenPosition> = positions.iter().map(|top| position(top)).collect();
        let got = score(&labels, &positions).map(|scored| {
            scored
                .logprobs
                .iter()
                .map(|s| (s.exp() * 1e4).round() / 1e4)
                .collect::<Vec<_>>()
        });
        assert_eq!(got.as_deref(), expected);
    }

    #[test]
    fn label_spellings_add_up() {
        check(
            &["positive", "negative"],
            &[&[
                ("Positive", 0.5),
                (" positive", 0.2),
                ("neg", 0.1),
                ("The", 0.1),
                ("NEGATIVE", 0.05),
            ]],
            Some(&[0.7, 0.15]),
        );
    }

    #[test]
    fn unreported_labels_get_tighter_bound() {
        check(
            &["yes", "no"],
            &[&[("yes", 0.9), ("maybe", 0.06)]],
            Some(&[0.9, 0.04]),
        );
        check(
            &["yes", "no"],
            &[&[("yes", 0.7), ("maybe", 0.01)]],
            Some(&[0.7, 0.01]),
        );
    }

    #[test]
    fn seen_label_beats_bounded_one() {
        for labels in [["seen", "unseen"], ["unseen", "seen"]] {
            let labels = labels.map(str::to_owned);
            // Both at the least reported probability.
            let top = [("The", 0.9), ("seen", 0.01)];
            let scored = score(&labels, &[position(&top)]).unwrap();
            let seen = labels.iter().position(|label| label == "seen").unwrap();
            assert!(
                scored.logprobs[seen] > scored.logprobs[1 - seen],
                "{scored:?}"
            );
            assert!((scored.mass - 0.01).abs() < 1e-9 && !scored.is_plausible());
        }
    }

    #[test]
    fn labels_need_half_mass() {
        let labels = ["yes".to_owned(), "no".to_owned()];
        for (top, plausible) in [
            (&[("yes", 0.3), ("no", 0.2), ("The", 0.4)][..], true),
            (&[("yes", 0.3), ("no", 0.19), ("The", 0.4)], false),
            (&[("The", 0.97), ("yes", 0.0004), ("no", 0.0003)], false),
            (&[("yes", 0.5)], true),
        ] {
            let scored = score(&labels, &[position(top)]).unwrap();
            assert_eq!(scored.is_plausible(), plausible, "{top:?}");
        }
    }

    #[test]
    fn full_mass_leaves_finite_bound() {
        let labels = ["yes".to_owned(), "no".to_owned()];
        let scores = score(&labels, &[position(&[("yes", 1.0)])])
            .unwrap()
            .logprobs;
        assert_eq!(scores[0], 0.0);
        assert!((scores[1] - LEAST_REST.ln()).abs() < 1e-9);
    }

    #[test]
    fn later_tokens_separate_labels() {
        check(
            &["very good", "very bad", "fine"],
            &[
                &[("very", 0.8), ("fine", 0.15)],
                &[(" good", 0.75), (" bad", 0.25)],
            ],
            Some(&[0.6, 0.2, 0.15]),
        );
    }

    #[test]
    fn shared_beginnings_are_divided() {
        check(
            &["very good", "very bad", "fine"],
            &[&[("fine", 0.5), ("very", 0.4)]],
            Some(&[0.2, 0.2, 0.5]),
        );
    }

    #[test]
    fn continuation_decides_prefix_labels() {
        let first: &[(&str, f64)] = &[("1", 0.9), ("2", 0.05)];
        check(
            &["1", "10"],
            &[first, &[("<|im_end|>", 0.8), ("0", 0.2)]],
            Some(&[0.72, 0.18]),
        );
        check(
            &["1", "10"],
            &[first, &[("0", 0.8), ("\n", 0.2)]],
            Some(&[0.18, 0.72]),
        );
        // The server does not report the end of the text as a token.
        check(&["1", "10"], &[first], Some(&[0.9, 0.05]));
    }

    #[test]
    fn quoting_tokens_are_skipped() {
        check(
            &["yes", "no"],
            &[
                &[("\n", 0.5), ("no", 0.3)],
                &[("\"", 1.0)],
                &[("Yes", 0.8), ("No", 0.2)],
            ],
            Some(&[0.4, 0.4]),
        );
        check(
            &["-1", "1"],
            &[&[("-", 0.6), ("1", 0.4)]],
            Some(&[0.6, 0.4]),
        );
        check(
            &["a", "b"],
            &[&[("ĠA", 0.6), ("▁b", 0.3)]],
            Some(&[0.6, 0.3]),
        );
    }

    #[test]
    fn longer_words_are_not_labels() {
        check(
            &["a", "b"],
            &[&[("As", 0.6), ("A", 0.3), ("b", 0.1)]],
            Some(&[0.3, 0.1]),
        );
    }

    #[test]
    fn split_characters_are_joined() {
        let (好, 坏) = ("好".as_bytes(), "坏".as_bytes());
        let labels = ["好".to_owned(), "坏".to_owned()];
        let positions = [
            TokenPosition {
                token: 好[..1].to_vec(),
                top: vec![(好[..1].to_vec(), 0.5f64.ln())],
            },
            TokenPosition {
                token: 好[1..].to_vec(),
                top: vec![
                    (好[1..].to_vec(), 0.5f64.ln()),
                    (坏[1..].to_vec(), 0.25f64.ln()),
                ],
            },
        ];
        let scores = score(&labels, &positions).unwrap().logprobs;
        assert!((scores[0].exp() - 0.25).abs() < 1e-9, "{scores:?}");
    }

    #[test]
    fn nothing_decided_is_no_score() {
        check(&["yes", "no"], &[&[("I", 0.9), ("As", 0.1)]], None);
        check(&["yes", "no"], &[], None);
        check(&["yes", "no"], &[&[("\n", 1.0)]], None);
        check(&["yes", "no"], &[&[("", 1.0)]], None);
        check(&["Yes", "yes"], &[&[("yes", 1.0)]], None);
        check(&["very good", "very bad"], &[&[("very", 1.0)]], None);
    }

    #[test]
    fn token_count_follows_labels() {
        let needed = |labels: &[&str]| {
            tokens_needed(&labels.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(needed(&["positive", "negative"]), 3);
        assert_eq!(needed(&["Very good", "very bad"]), 8);
        assert_eq!(
            needed(&["the same beginning of a", "the same beginning of b"]),
            16
        );
    }
}
