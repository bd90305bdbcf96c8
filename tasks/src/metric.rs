//! Metrics: graded outcomes as the score of a group.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Answer, GradedAnswer, Label, Outcome, grade};

pub use borda::borda;

mod borda;
mod by_list;
mod classes;
pub mod list_similarity;
mod name;
mod numbers;
pub mod ranking;
pub mod text;

/// How the outcomes of one group become one number; all lie in `0..=1` and
/// higher is better.
///
/// In every metric a failed call or a truncated reply counts in no score, and an
/// unparseable answer counts as wrong, so that a prompt cannot win by making the model evade.
///
/// A study spells them `accuracy`, `macro-f1`, `auc`, `ndcg@10`, `hr@10`, `mrr`,
/// `recall@20`, `precision@10`, `map@10`, `gauc`, `list-auc`, `list-mrr`, `list-ndcg@10`, `log-loss`,
/// `coverage@20`, `diversity@20`, `gini@10`, `popularity@10`, `tail@10`, `in-catalogue`, `mae`, `rmse`, `exact`, `contains`,
/// `regex`, `token-f1`, `rouge-l`, `bleu`, `preference` and `fidelity`; `@K` counts the places of a ranking that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Metric {
    /// The mean of the grades: for classes the share of correct answers, for
    /// rankings the mean reciprocal rank. An unparseable answer has grade 0.
    #[default]
    Accuracy,
    /// The unweighted mean, over the classes that occur as a truth or as an
    /// answer, of F1 = 2TP / (2TP + FP + FN) (the averaged F1 of Opitz and
    /// Burst, "Macro F1 and Macro F1", 2019). An unparseable answer is a false
    /// negative of its true class.
    MacroF1,
    /// Area under the ROC curve of two classes by the rank-sum statistic
    /// with midranks for ties (Mann and Whitney, 1947): the chance that a
    /// random example of one class scores above a random one of the other, ties
    /// counted half. Examples are ordered by the answers' margins; where any
    /// answer lacks one, all are ordered by the hard answer alone. An
    /// unparseable answer ranks on the wrong side of everything. Undefined
    /// unless exactly two classes occur as truths.
    Auc,
    /// Mean AUC of the users' own examples, each user weighing as many as it has (GAUC,
    /// Zhou et al., "Deep Interest Network", KDD 2018, §5.3). Users without examples of
    /// either class say nothing.
    Gauc,
    /// Mean AUC of lists: of [`Input::list`](crate::Input::list), or else of a user's
    /// examples (Wu et al., "MIND", ACL 2020, §4). Lists without examples of either class
    /// say nothing, as in the two below.
    ListAuc,
    /// Mean, over such lists, of the mean reciprocal rank of the right examples when ordered
    /// by the margin of yes. Of equals the wrong ones stand first, so that one answer for all
    /// earns nothing.
    ListMrr,
    /// Mean normalised discounted cumulative gain over the first places of such lists.
    ListNdcg(u32),
    /// Mean of `-ln p` of the truth, as `e` to the minus that: the geometric mean of the
    /// truths' chances, with `p` from the margin, at least 1e-6. An unparseable answer counts
    /// as that. Undefined where an answer has no margin.
    LogLoss,
    /// Mean normalised discounted cumulative gain over the first places, gain 1
    /// for a relevant item (Järvelin and Kekäläinen, 2002).
    Ndcg(u32),
    /// Share of rankings with a relevant item in the first places.
    HitRate(u32),
    /// Mean reciprocal rank of the first relevant item, 0 where none is ranked
    /// (Voorhees, TREC-8, 1999).
    Mrr,
    /// Mean share of the relevant items that stand in the first places.
    Recall(u32),
    /// Mean share of the first places that hold a relevant item, a place left empty being
    /// wrong.
    Precision(u32),
    /// Mean average precision over the first places: the precision at each relevant item's
    /// place, summed, over the relevant items there can be in these places.
    Map(u32),
    /// Share of a catalogue that the first places of all rankings together show
    /// (catalogue coverage, Ge et al., `RecSys` 2010). Says nothing of right and
    /// wrong: see [`Metric::judges`].
    Coverage {
        /// The places looked at.
        places: u32,
        /// Items of the catalogue; 0 until a task that has one fills it in, and
        /// undefined so long.
        of: u32,
    },
    /// Mean, over rankings, of one less the mean Jaccard similarity of the genres
    /// of every two items in the first places (Li et al. 2023, `GPT4Rec`, §3.1).
    /// Graded by tasks that know the items; says nothing of right and wrong.
    Diversity(u32),
    /// How unevenly the first places of all lists show the items of the catalogue: the Gini
    /// index of how often each is shown, 0 for all alike, towards 1 for always the same few
    /// (Ge et al., 2010; items never shown count). Says nothing of right and wrong.
    Gini {
        /// The places looked at.
        places: u32,
        /// Items of the catalogue; 0 until a task that has one fills it in, and
        /// undefined so long.
        of: u32,
    },
    /// Mean, over rankings, of how popular the items in the first places are: the share of
    /// the catalogue that is less popular in the training part. Graded by tasks that know
    /// the items; says nothing of right and wrong.
    Popularity(u32),
    /// Mean, over rankings, of the share of the first places that hold an item of the less
    /// popular half of the catalogue. Graded as the one above.
    Tail(u32),
    /// Mean, over replies, of the share of the titles written that are titles there are: one
    /// less the rate of titles out of the catalogue. Graded by tasks that read lists; says
    /// nothing of right and wrong.
    InCatalogue,
    /// Mean absolute error `e` of numbers, as `1 / (1 + e)`. An unparseable
    /// answer errs as far as any answer could, to the farther end of the scale; where
    /// the scale is not known, by the spread of the group's labels. At least by 1.
    Mae,
    /// Root mean squared error `e` of numbers, as `1 / (1 + e)`; unparseable
    /// answers as for [`Metric::Mae`].
    Rmse,
    /// Share of texts that say a reference and nothing else, whatever case, punctuation
    /// and articles ([`text::exact`]); of answers with several fields, the share with
    /// all of them right.
    Exact,
    /// Share of texts in which a reference occurs ([`text::contains`]).
    Contains,
    /// Share of texts in which a reference, a regular expression, finds a match
    /// ([`text::matches`]).
    Regex,
    /// Mean F1 of the words of texts ([`text::token_f1`]; Rajpurkar et al., 2016).
    TokenF1,
    /// Mean ROUGE-L F1 of texts (Lin, 2004).
    RougeL,
    /// BLEU-4 of all texts of the group together (Papineni et al., 2002).
    Bleu,
    /// The mean, over texts written for users, of the user's preference of the text that is
    /// shown, as a question to a model measures it. Graded by tasks that ask it.
    Preference,
    /// The mean, over the same evaluations, of the share of the texts written that may be
    /// shown: that keep to the facts. Says nothing of how good they are.
    Fidelity,
    /// The mean of the scores that a program of the user's gives
    /// ([`ProgramGrader`](crate::ProgramGrader)).
    Command,
    /// The mean of the scores that a model gives
    /// ([`JudgeGrader`](crate::JudgeGrader)).
    Judge,
}

/// One outcome with what is needed to reduce it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradedOutcome<'a> {
    /// The result of the evaluation.
    pub outcome: &'a Outcome,
    /// The truth.
    pub label: &'a Label,
    /// What is resampled as one, usually the user.
    pub cluster: Option<&'a str>,
    /// The list that the example was shown in: [`Input::list`](crate::Input::list).
    pub list: Option<&'a str>,
    /// The least and the greatest number that an answer may be, where answers are
    /// numbers ([`AnswerForm::Number`](crate::AnswerForm::Number)).
    pub range: Option<(f64, f64)>,
}

impl<'a> GradedOutcome<'a> {
    /// An outcome that stands for itself: in no cluster, no list, of no known range.
    pub const fn new(outcome: &'a Outcome, label: &'a Label) -> Self {
        Self {
            outcome,
            label,
            cluster: None,
            list: None,
            range: None,
        }
    }
}

/// One group's score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// In `0..=1`; `None` where the metric is undefined on these outcomes, such
    /// as on none at all or for AUC on a single class.
    pub value: Option<f64>,
    /// Outcomes that count: scored and unparseable ones.
    pub n: usize,
    /// Those of `n` that were unparseable.
    pub unparseable: usize,
    /// Replies that were cut off before they could be read, outside `n`.
    #[serde(default)]
    pub truncated: usize,
    /// Failed calls, outside `n`.
    pub failed: usize,
}

impl Metric {
    /// The name as a study file spells it.
    pub fn name(self) -> String {
        name::of(self)
    }

    /// Whether the score is a mean of per-example grades, so that two prompts
    /// can be compared example by example.
    pub const fn is_mean(self) -> bool {
        match self {
            Self::Accuracy
            | Self::Ndcg(_)
            | Self::HitRate(_)
            | Self::Mrr
            | Self::Recall(_)
            | Self::Precision(_)
            | Self::Map(_)
            | Self::Diversity(_)
            | Self::Popularity(_)
            | Self::Tail(_)
            | Self::InCatalogue
            | Self::Exact
            | Self::Contains
            | Self::Regex
            | Self::TokenF1
            | Self::RougeL
            | Self::Preference
            | Self::Fidelity
            | Self::Command
            | Self::Judge => true,
            Self::MacroF1
            | Self::Auc
            | Self::Gauc
            | Self::ListAuc
            | Self::ListMrr
            | Self::ListNdcg(_)
            | Self::LogLoss
            | Self::Coverage { .. }
            | Self::Gini { .. }
            | Self::Mae
            | Self::Rmse
            | Self::Bleu => false,
        }
    }

    /// Whether somebody has to be asked for the grades, so that the name alone, in a
    /// task's options, does not do.
    pub const fn asks(self) -> bool {
        matches!(self, Self::Command | Self::Judge)
    }

    /// Whether answers are compared with labels, so that a label has to be of their form.
    pub const fn compares_labels(self) -> bool {
        !matches!(self, Self::Preference | Self::Fidelity)
    }

    /// Whether the metric tells right answers from wrong ones, so that a prompt
    /// can be chosen by it. Coverage and diversity describe lists.
    pub const fn judges(self) -> bool {
        !matches!(
            self,
            Self::Coverage { .. }
                | Self::Diversity(_)
                | Self::Gini { .. }
                | Self::Popularity(_)
                | Self::Tail(_)
                | Self::InCatalogue
                | Self::Fidelity
        )
    }

    /// Whether resampling the examples says how sure the score is. Not where
    /// different items are counted: every resample has fewer of them.
    pub const fn resamples(self) -> bool {
        !matches!(self, Self::Coverage { .. } | Self::Gini { .. })
    }

    /// The error that a score of [`Metric::Mae`] or [`Metric::Rmse`] stands for,
    /// in the unit of the labels, and the loss in nats that one of [`Metric::LogLoss`] does;
    /// `None` for every other metric, whose scores are shown as they are.
    pub fn error(self, score: f64) -> Option<f64> {
        match self {
            Self::Mae | Self::Rmse => Some(1.0 / score - 1.0),
            Self::LogLoss => Some(0.0 - score.ln()),
            _ => None,
        }
    }

    /// Grades one answer in `0..=1`, so that a search can compare prompts example
    /// by example: by the metric itself where that has a value for one example
    /// (rankings, texts), else as [`grade::grade`] does.
    pub fn grade(self, answer: &Answer, label: &Label) -> Outcome {
        let value = match (self, answer, label) {
            (Self::Ndcg(k), Answer::Ranking(items), Label::Relevant(relevant)) => {
                ranking::ndcg(items, relevant, k as usize)
            }
            (Self::HitRate(k), Answer::Ranking(items), Label::Relevant(relevant)) => {
                f64::from(ranking::recall(items, relevant, k as usize) > 0.0)
            }
            (Self::Recall(k), Answer::Ranking(items), Label::Relevant(relevant)) => {
                ranking::recall(items, relevant, k as usize)
            }
            (Self::Precision(k), Answer::Ranking(items), Label::Relevant(relevant)) => {
                ranking::precision(items, relevant, k as usize)
            }
            (Self::Map(k), Answer::Ranking(items), Label::Relevant(relevant)) => {
                ranking::average_precision(items, relevant, k as usize)
            }
            (metric, Answer::Text(said), label) => {
                match label
                    .references()
                    .and_then(|references| text::grade(metric, said, references))
                {
                    Some(value) => value,
                    None => return grade::grade(answer, label),
                }
            }
            _ => return grade::grade(answer, label),
        };
        Outcome::Scored(GradedAnswer {
            value,
            answer: answer.clone(),
        })
    }

    /// Reduces the outcomes of one group. The result depends on the outcomes
    /// alone, not on their order (up to rounding).
    pub fn reduce(self, observations: &[GradedOutcome<'_>]) -> GroupScore {
        let count = |state: fn(&Outcome) -> bool| {
            observations
                .iter()
                .filter(|observation| state(observation.outcome))
                .count()
        };
        let unparseable = count(|outcome| matches!(outcome, Outcome::Unparseable { .. }));
        let truncated = count(|outcome| matches!(outcome, Outcome::Truncated { .. }));
        let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        GroupScore {
            value: match self {
                Self::MacroF1 => classes::macro_f1(observations),
                Self::Auc => classes::auc(observations),
                Self::Gauc => by_list::grouped_auc(observations),
                Self::ListAuc => by_list::auc(observations),
                Self::ListMrr => by_list::mrr(observations),
                Self::ListNdcg(k) => by_list::ndcg(observations, k as usize),
                Self::LogLoss => classes::log_loss(observations).map(|loss| (-loss).exp()),
                Self::Mae => {
                    numbers::errors(observations).map(|e| numbers::score(numbers::mae(&e)))
                }
                Self::Rmse => {
                    numbers::errors(observations).map(|e| numbers::score(numbers::rmse(&e)))
                }
                Self::Bleu => text::corpus(observations),
                Self::Coverage { places, of } => ranking::coverage(observations, places, of),
                Self::Gini { places, of } => ranking::gini(observations, places, of),
                mean_of_grades => {
                    debug_assert!(
                        mean_of_grades.is_mean(),
                        "{mean_of_grades} needs its own rule"
                    );
                    mean(observations)
                }
            },
            n: observations.len() - truncated - failed,
            unparseable,
            truncated,
            failed,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

fn mean(observations: &[GradedOutcome<'_>]) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0_usize);
    for value in observations
        .iter()
        .filter_map(|observation| observation.outcome.value())
    {
        sum += value;
        n += 1;
    }
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests;
