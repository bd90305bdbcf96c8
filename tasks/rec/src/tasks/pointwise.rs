//! What tasks about one user and one item share: two words to answer with, and
//! the data's labels `yes` and `no` behind them.

use std::sync::Arc;

use shiftproof_tasks::diagnostic::{DataError, DataProblem};
use shiftproof_tasks::parse::parse;
use shiftproof_tasks::{Answer, AnswerForm, Finish, Input, Metric, Reply, field};

use crate::ItemCatalogue;

/// The labels of pointwise examples.
pub(super) const LABELS: [&str; 2] = ["yes", "no"];

/// The form of the data's labels.
pub(super) fn form() -> AnswerForm {
    AnswerForm::choice(LABELS)
}

/// Reads a reply to a pair of words, the affirmative first, as `yes` or `no`.
pub(super) fn parse_pair(pair: [&str; 2], reply: &Reply) -> Answer {
    let form = AnswerForm::choice(pair);
    if reply.finish != Finish::Filtered
        && let Some(scores) = &reply.label_logprobs
    {
        let &[affirms, denies] = scores.as_slice() else {
            return parse(&form, reply);
        };
        let margin = (affirms - denies).clamp(-1000.0, 1000.0);
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
        Answer::Class { label, .. } => Answer::Class {
            label: if label == pair[0] { "yes" } else { "no" }.to_owned(),
            margin: None,
        },
        other => other,
    }
}

/// `metric` if it suits two classes.
pub(super) fn metric(metric: Metric) -> Result<Metric, DataError> {
    match metric {
        Metric::Accuracy
        | Metric::MacroF1
        | Metric::Auc
        | Metric::Gauc
        | Metric::ListAuc
        | Metric::ListMrr
        | Metric::ListNdcg(_)
        | Metric::LogLoss => Ok(metric),
        other => Err(DataProblem::new(
            "task.metric",
            format!("{other} does not suit answers of yes or no"),
        )
        .help("use auc, gauc, list-auc, list-mrr, list-ndcg@K, log-loss, accuracy or macro-f1")
        .into()),
    }
}

/// What an item is called: as the task says, else the example, else the catalogue.
pub(super) fn word<'w>(said: Option<&'w str>, input: &'w Input) -> &'w str {
    match (said, input.field(field::KIND)) {
        (Some(said), _) => said,
        (None, "") => ITEM,
        (None, kind) => kind,
    }
}

/// What an item is called in a text that is the same for all examples.
pub(super) fn common_word<'w>(
    said: Option<&'w str>,
    catalogue: Option<&'w Arc<ItemCatalogue>>,
) -> &'w str {
    said.or(catalogue.and_then(|catalogue| catalogue.word()))
        .unwrap_or(ITEM)
}

/// What an item is called where nobody tells.
const ITEM: &str = "item";

/// Quoted titles on one line, or "none".
pub(super) fn quoted<'a>(titles: impl Iterator<Item = &'a str>) -> String {
    let titles: Vec<String> = titles.map(|title| format!("\"{title}\"")).collect();
    if titles.is_empty() {
        "none".to_owned()
    } else {
        titles.join(", ")
    }
}
