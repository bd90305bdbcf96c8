//! Metrics by name.

use std::str::FromStr;

use super::Metric;
use crate::suggest;

const NAMES: [&str; 30] = [
    "accuracy",
    "macro-f1",
    "auc",
    "ndcg@10",
    "hr@10",
    "mrr",
    "recall@10",
    "precision@10",
    "map@10",
    "gauc",
    "list-auc",
    "list-mrr",
    "list-ndcg@10",
    "log-loss",
    "coverage@10",
    "diversity@10",
    "gini@10",
    "popularity@10",
    "tail@10",
    "in-catalogue",
    "mae",
    "rmse",
    "exact",
    "contains",
    "regex",
    "token-f1",
    "rouge-l",
    "bleu",
    "preference",
    "fidelity",
];

pub(super) fn of(metric: Metric) -> String {
    let plain = match metric {
        Metric::Accuracy => "accuracy",
        Metric::MacroF1 => "macro-f1",
        Metric::Auc => "auc",
        Metric::Gauc => "gauc",
        Metric::ListAuc => "list-auc",
        Metric::ListMrr => "list-mrr",
        Metric::LogLoss => "log-loss",
        Metric::InCatalogue => "in-catalogue",
        Metric::Mrr => "mrr",
        Metric::Mae => "mae",
        Metric::Rmse => "rmse",
        Metric::Exact => "exact",
        Metric::Contains => "contains",
        Metric::Regex => "regex",
        Metric::TokenF1 => "token-f1",
        Metric::RougeL => "rouge-l",
        Metric::Bleu => "bleu",
        Metric::Preference => "preference",
        Metric::Fidelity => "fidelity",
        Metric::Command => "command",
        Metric::Judge => "judge",
        Metric::Ndcg(k) => return format!("ndcg@{k}"),
        Metric::HitRate(k) => return format!("hr@{k}"),
        Metric::Recall(k) => return format!("recall@{k}"),
        Metric::Precision(k) => return format!("precision@{k}"),
        Metric::Map(k) => return format!("map@{k}"),
        Metric::ListNdcg(k) => return format!("list-ndcg@{k}"),
        Metric::Gini { places, .. } => return format!("gini@{places}"),
        Metric::Popularity(k) => return format!("popularity@{k}"),
        Metric::Tail(k) => return format!("tail@{k}"),
        Metric::Coverage { places, .. } => return format!("coverage@{places}"),
        Metric::Diversity(k) => return format!("diversity@{k}"),
    };
    plain.to_owned()
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if let Some((kind, places)) = name.split_once('@') {
            let places = places.parse().ok().filter(|k: &u32| *k > 0);
            let Some(k) = places else {
                return Err(format!(
                    "{name:?} needs a whole number of places above 0 after the @, such as {kind}@10"
                ));
            };
            match kind {
                "ndcg" => return Ok(Self::Ndcg(k)),
                "hr" => return Ok(Self::HitRate(k)),
                "recall" => return Ok(Self::Recall(k)),
                "precision" => return Ok(Self::Precision(k)),
                "map" => return Ok(Self::Map(k)),
                "list-ndcg" => return Ok(Self::ListNdcg(k)),
                "gini" => return Ok(Self::Gini { places: k, of: 0 }),
                "popularity" => return Ok(Self::Popularity(k)),
                "tail" => return Ok(Self::Tail(k)),
                "coverage" => return Ok(Self::Coverage { places: k, of: 0 }),
                "diversity" => return Ok(Self::Diversity(k)),
                _ => {}
            }
        }
        Ok(match name {
            "accuracy" => Self::Accuracy,
            "macro-f1" => Self::MacroF1,
            "auc" => Self::Auc,
            "gauc" => Self::Gauc,
            "list-auc" => Self::ListAuc,
            "list-mrr" => Self::ListMrr,
            "log-loss" => Self::LogLoss,
            "in-catalogue" => Self::InCatalogue,
            "mrr" => Self::Mrr,
            "mae" => Self::Mae,
            "rmse" => Self::Rmse,
            "exact" => Self::Exact,
            "contains" => Self::Contains,
            "regex" => Self::Regex,
            "token-f1" => Self::TokenF1,
            "rouge-l" => Self::RougeL,
            "bleu" => Self::Bleu,
            "preference" => Self::Preference,
            "fidelity" => Self::Fidelity,
            "command" => Self::Command,
            "judge" => Self::Judge,
            _ => {
                let mend = suggest::instead(name, "metrics", NAMES);
                return Err(format!("there is no metric {name:?}; {mend}"));
            }
        })
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        of(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in NAMES.into_iter().chain(["command", "judge"]) {
            let metric: Metric = name.parse().unwrap();
            assert_eq!(metric.name(), name);
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric);
        }
        let error = |name: &str| name.parse::<Metric>().unwrap_err();
        assert!(error("ndcg@0").contains("ndcg@10"));
        assert!(error("ndcg@ten").contains("whole number"));
        assert!(error("acuracy").contains("did you mean \"accuracy\"?"));
        assert!(error("err@5").contains("there is no metric \"err@5\""));
    }
}
