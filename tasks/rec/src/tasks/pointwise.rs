//! What tasks about one user and one item share: two words to answer with, and
//! the data's labels `yes` and `no` behind them.

use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::parse;
use shiftproof_tasks::{Answer, AnswerForm, Finish, Metric, Reply};

/// The labels of pointwise examples.
pub(super) const LABELS: [&str; 2] = ["yes", "no"];

/// The form of the data's labels.
pub(super) fn form() -> AnswerForm {
    AnswerForm::choice(LABELS)
}

/// Reads a reply to pairs of words, affirmative first in each pair, as `yes` or
/// `no`. Of several scored pairs the mean log-odds decides, which is what an
/// ensemble of verbalizers comes to (Zhang and Wang 2023, §3.4). Text counts for
/// the pair whose word it gives.
pub(super) fn parse_pairs(pairs: &[[&str; 2]], reply: &Reply) -> Answer {
    let form = AnswerForm::choice(pairs.iter().flatten().copied());
    if reply.finish != Finish::Filtered
        && let Some(scores) = &reply.label_logprobs
    {
        // A method without a model scores yes and no whatever the words are.
        if scores.len() != 2 && scores.len() != 2 * pairs.len() {
            return parse(&form, reply);
        }
        let pairs = &pairs[..scores.len() / 2];
        let margins: f64 = scores.chunks(2).map(|pair| pair[0] - pair[1]).sum();
        let margin = (margins / pairs.len() as f64).clamp(-1000.0, 1000.0);
        if margin.is_nan() {
            return shiftproof_tasks::parse::unparseable(&format!("log-probabilities {scores:?}"));
        }
        let label = if margin >= 0.0 { "yes" } else { "no" };
        return Answer::Class {
            label: label.to_owned(),
            margin: Some(margin),
        };
    }
    match parse(&form, reply) {
        Answer::Class { label, .. } => {
            let affirms = pairs.iter().any(|pair| pair[0] == label);
            let label = if affirms { "yes" } else { "no" };
            Answer::Class {
                label: label.to_owned(),
                margin: None,
            }
        }
        other => other,
    }
}

/// `metric` if it suits two classes.
pub(super) fn metric(metric: Metric) -> Result<Metric, DataError> {
    match metric {
        Metric::Accuracy | Metric::MacroF1 | Metric::Auc => Ok(metric),
        other => Err(DataProblem::new(
            "task.metric",
            format!("{other} does not suit answers of yes or no"),
        )
        .help("use auc, accuracy or macro-f1")
        .into()),
    }
}

/// Quoted titles on one line, or "none".
pub(super) fn quoted<'a>(titles: impl Iterator<Item = &'a str>) -> String {
    let titles: Vec<String> = titles.map(|title| format!("\"{title}\"")).collect();
    if titles.is_empty() {
        "none".to_owned()
    } else {
        titles.join(", ")
    }
}
