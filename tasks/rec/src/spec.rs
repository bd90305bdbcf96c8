use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How recommendation data are read and become examples: the study's
/// `[data.interactions]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecSpec {
    /// How the files are written.
    pub format: FileLayout,
    /// The files' encoding by its usual name: `gbk`, `shift_jis`,
    /// `windows-1252`, … Absent: UTF-8, or what a file's own bytes tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// With [`FileLayout::Table`]: which column is what, by the names `user`,
    /// `item`, `rating`, `time` and `title`. Absent: the column of that name,
    /// for titles also one with another usual name.
    pub columns: BTreeMap<String, String>,
    /// With [`FileLayout::Table`]: columns that tell something about the user.
    pub user_attributes: Vec<String>,
    /// With [`FileLayout::Table`]: columns that tell something about the item.
    pub item_attributes: Vec<String>,
    /// What an item is called: movie, book, … Absent: what the format says of itself, such
    /// as `movie` of `MovieLens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The form of the examples.
    pub examples: ExampleForm,
    /// What a pointwise example's label is.
    pub label: PointwiseTarget,
    /// What the groups are cut by.
    pub shift: GroupShift,
    /// Which events become examples.
    pub split: EventSplit,
    /// Which held-out part they are taken from.
    pub part: HeldOutPart,
    /// Events that users and items must have, of what is left when those with fewer are left
    /// out (the k-core); 1 keeps all.
    #[serde(skip_serializing_if = "is_one")]
    pub core: usize,
    /// Which of one user's events of the same time comes first.
    pub ties: TieOrder,
    /// What becomes of targets that their user met before, where candidates
    /// are drawn.
    #[serde(skip_serializing_if = "RepeatPolicy::is_default")]
    pub repeats: RepeatPolicy,
    /// Examples per user at most, the latest ones; all where absent.
    pub per_user: Option<usize>,
    /// Where a listwise example's candidates come from.
    pub candidates: CandidateSource,
    /// Events of the history shown, the latest ones.
    pub history: usize,
    /// Events that must lie before a target for it to become an example.
    pub min_history: usize,
    /// A rating above this means that the user liked the item. Absent: 3, and
    /// for clicks 0. An event without a rating counts as liked.
    pub like_above: Option<f32>,
    /// Users to take examples of, drawn by `seed`; all where absent. The
    /// training part always keeps every user.
    pub users: Option<usize>,
    /// Seeds candidates, their order and the draw of users. Not the run's
    /// seed: every run meets the same examples.
    pub seed: u64,
}

impl Default for RecSpec {
    fn default() -> Self {
        Self {
            format: FileLayout::default(),
            encoding: None,
            columns: BTreeMap::new(),
            user_attributes: Vec::new(),
            item_attributes: Vec::new(),
            item: None,
            examples: ExampleForm::default(),
            label: PointwiseTarget::default(),
            shift: GroupShift::default(),
            split: EventSplit::default(),
            part: HeldOutPart::default(),
            core: 1,
            ties: TieOrder::default(),
            repeats: RepeatPolicy::default(),
            per_user: None,
            candidates: CandidateSource::default(),
            history: 10,
            min_history: 1,
            like_above: None,
            users: None,
            seed: 0,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
const fn is_one(count: &usize) -> bool {
    *count == 1
}

/// How files of interactions are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileLayout {
    /// JSONL, CSV or TSV with one event per row.
    #[default]
    Table,
    /// `RecBole` atomic files: `.inter`, `.item`, `.user` with typed headers.
    #[serde(alias = "llmrank")]
    Recbole,
    /// `u.data`, `u.item`, `u.user` (100K); `ratings.dat`, `movies.dat`,
    /// `users.dat` (1M, 10M); `ratings.csv`, `movies.csv` (20M and later).
    #[serde(
        alias = "movielens-100k",
        alias = "movielens-1m",
        alias = "movielens-10m",
        alias = "movielens-20m",
        alias = "movielens-25m"
    )]
    Movielens,
    /// `news.tsv` and `behaviors.tsv` (Wu et al., "MIND", ACL 2020).
    Mind,
    /// Reviews and metadata in JSON Lines, as published in 2018 and in 2023.
    Amazon,
    /// A user and an item a line, oldest first (Kang and `McAuley`, "`SASRec`", ICDM 2018).
    Sasrec,
    /// `user_sequence.txt`, a user and all its items a line, oldest first (Xu et al.,
    /// "`OpenP5`", SIGIR 2024).
    Openp5,
    /// JSON arrays with `input` and `output` (Bao et al., "`TALLRec`",
    /// `RecSys` 2023). These hold ready rows, not events.
    Tallrec,
}

/// What one example asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExampleForm {
    /// About one item.
    Pointwise,
    /// Which of several items comes next.
    #[default]
    Listwise,
}

/// What a pointwise example's label is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointwiseTarget {
    /// `yes` or `no`: whether the user likes the item.
    #[default]
    Like,
    /// The rating as a number.
    Rating,
}

/// What groups are cut by. Every cut knows only what lies before the target,
/// the training part, and attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupShift {
    /// One group, `all`.
    #[default]
    None,
    /// `head`: at least 90 % of the items are less popular than the target in
    /// the training part; `mid`; `tail`: fewer than 50 % are.
    Popularity,
    /// `light`, `regular`, `heavy`: thirds of the examples by the user's
    /// training events.
    Activity,
    /// `warm`, `cold`: whether the target has at least five training events.
    #[serde(alias = "cold")]
    ColdItems,
    /// `warm`, `cold`: whether the user has at least five training events.
    ColdUsers,
    /// `early`, `late`: halves of the examples by the target's time.
    Time,
    /// The user's gender.
    Gender,
    /// `<25`, `25-34`, `35-44`, `45+`: the user's age in years.
    Age,
    /// The user's occupation.
    Occupation,
    /// The target's category, or the first of its genres.
    Category,
    /// `short`, `medium`, `long`: thirds of the examples by the number of
    /// events before the target.
    HistoryLength,
    /// The file a row is from (`TALLRec` only).
    File,
}

/// Which events become examples, and which the training part is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSplit {
    /// Each user's last event is the test part, the one before the validation
    /// part. All events not used as targets are the training part.
    #[default]
    LeaveOneOut,
    /// One moment for all users: the last tenth of all events is the test part,
    /// the tenth before the validation part. Training is what lies before.
    Time,
    /// Of each user's events, in order, the last tenth is the test part, the tenth before the
    /// validation part, at least one event each. Training is what lies before.
    Ratio,
    /// Every event with enough history. Training is each user's first
    /// `min_history` events.
    Rolling,
}

/// Which held-out part becomes examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldOutPart {
    /// The last one.
    #[default]
    Test,
    /// The one before.
    Validation,
    /// Both; neither is in the training part then.
    Both,
}

/// Which of one user's events of the same time comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TieOrder {
    /// The one that stands first in the files.
    #[default]
    File,
    /// The one whose item has the lower id, as a number where it is one.
    Item,
}

/// What becomes of targets that their user met before. A list of such a target
/// among items that the user never met is answered by who picks what stands in
/// the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatPolicy {
    /// They are left out.
    #[default]
    Drop,
    /// They stay, and up to half of the other candidates of every target are
    /// items that the user met before.
    Keep,
}

impl RepeatPolicy {
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl RecSpec {
    /// What an item is called, where study or format tell.
    pub(super) fn item_word(&self) -> Option<&str> {
        self.item.as_deref().or(match self.format {
            FileLayout::Movielens => Some("movie"),
            FileLayout::Mind => Some("news article"),
            _ => None,
        })
    }

    /// The encoding that the study names.
    pub(super) fn encoding(&self) -> Option<&'static encoding_rs::Encoding> {
        encoding_rs::Encoding::for_label(self.encoding.as_deref()?.as_bytes())
    }
}

/// Where candidates come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateSource {
    /// How many, the target among them.
    pub count: usize,
    /// How the others are drawn.
    pub sampling: NegativeSampling,
    /// With [`NegativeSampling::File`]: lines of a user's id, a tab, and item ids
    /// separated by spaces, best first.
    pub file: Option<String>,
}

impl Default for CandidateSource {
    fn default() -> Self {
        Self {
            count: 20,
            sampling: NegativeSampling::default(),
            file: None,
        }
    }
}

/// How candidates other than the target are drawn; never an item that the user
/// has met, unless [`RepeatPolicy::Keep`] is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativeSampling {
    /// Every item alike.
    #[default]
    Uniform,
    /// In proportion to training events.
    Popularity,
    /// The first ones of the user's line in a file.
    File,
    /// What was shown with the target: the user's events of the same time.
    Logged,
    /// None: the whole catalogue is to be ranked.
    Catalogue,
}
