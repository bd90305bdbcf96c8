//! What the user looks at: the view, the cursor, the question being asked.

use shiftproof_tasks::PromptId;

use super::state::ScreenState;
use super::theme::ColorTheme;
use crate::failures::AnswerDetails;

/// The views, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ScreenView {
    Overview,
    Candidates,
    Matrix,
    Prompt,
    Lineage,
    Examples,
    Calls,
    Votes,
    Help,
    Failures,
}

impl ScreenView {
    /// Those with a number, and the help: the failures have a key of their own.
    pub const ALL: [Self; 9] = [
        Self::Overview,
        Self::Candidates,
        Self::Matrix,
        Self::Prompt,
        Self::Lineage,
        Self::Examples,
        Self::Calls,
        Self::Votes,
        Self::Help,
    ];

    /// Its name on the tabs, and a shorter one for narrow screens.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("1 Overview", "1 Over"),
            Self::Candidates => ("2 Candidates", "2 Cand"),
            Self::Matrix => ("3 Heat matrix", "3 Heat"),
            Self::Prompt => ("4 Prompt", "4 Prompt"),
            Self::Lineage => ("5 Lineage", "5 Tree"),
            Self::Examples => ("6 Examples", "6 Examples"),
            Self::Calls => ("7 Calls", "7 Calls"),
            Self::Votes => ("8 Pseudo-labels", "8 Votes"),
            Self::Help => ("? Help", "? Help"),
            Self::Failures => ("x Failures", "x Failures"),
        }
    }
}

/// Where the events come from, which decides what the keys can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A run of this process.
    Run,
    /// A run of another process, or its end.
    Watch,
    /// A recording.
    Replay,
}

/// How candidates are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateSort {
    /// By the objective.
    Score,
    /// By the mean over groups.
    Mean,
    /// By the worst target group.
    Worst,
    /// In the race first.
    Standing,
    /// As proposed.
    Proposed,
}

impl CandidateSort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Score => Self::Mean,
            Self::Mean => Self::Worst,
            Self::Worst => Self::Standing,
            Self::Standing => Self::Proposed,
            Self::Proposed => Self::Score,
        }
    }

    /// Its name in headings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Mean => "mean",
            Self::Worst => "worst",
            Self::Standing => "standing",
            Self::Proposed => "order",
        }
    }
}

/// What a key does outside the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyEffect {
    /// Pause or resume the run, or the replay.
    TogglePause,
    /// Stop the run and save.
    Stop,
    /// What Ctrl-C means here.
    Interrupt,
    /// Close the screen.
    Leave,
    /// Write this prompt to a file.
    Export(PromptId),
    /// Draw all anew.
    Redraw,
    /// Move a replay by events.
    Step(i32),
    /// Move a replay by phases.
    Phases(i32),
    /// Make a replay faster (above 1) or slower.
    Speed(f64),
}

/// How a replay stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaybackState {
    /// Recorded seconds per second.
    pub speed: f64,
    /// Events told, of how many.
    pub done: usize,
    /// See `done`.
    pub total: usize,
}

/// See the [module](self).
#[allow(clippy::struct_excessive_bools)] // Switches, each on its own.
pub struct ScreenUi {
    /// Styles.
    pub theme: ColorTheme,
    /// Where the events come from.
    pub kind: SourceKind,
    /// The name of the run.
    pub run: String,
    /// The view shown.
    pub view: ScreenView,
    /// The view before the help.
    pub(super) back: ScreenView,
    /// The selected candidate; the leader where `None`.
    pub candidate: Option<PromptId>,
    /// The cursor of views that show no candidates.
    pub row: usize,
    /// The first group shown by the matrix.
    pub column: usize,
    /// The group shown by the examples and the failures, from 1; 0 for all.
    pub group: usize,
    /// How candidates are sorted.
    pub sort: CandidateSort,
    /// Worst first.
    pub reverse: bool,
    /// Candidates in the race alone.
    pub racing: bool,
    /// Failures alone.
    pub failures: bool,
    /// What there is to see of answers that are not right.
    pub(super) details: AnswerDetails,
    /// The prompt against the seed instead of its parent.
    pub against_seed: bool,
    /// Whether the user is asked if the run should stop.
    pub asked_to_stop: bool,
    /// Whether the run is stopping.
    pub stopping: bool,
    /// Whether the run of this process is done, in whatever way.
    pub done: bool,
    /// What was just done, for the last line.
    pub message: Option<String>,
    /// Whether the run, or the replay, is paused.
    pub paused: bool,
    /// How the replay stands.
    pub playback: Option<PlaybackState>,
    /// What is known of the process that is watched.
    pub process: Option<String>,
    /// Rows of a page, set by the loop.
    pub page: usize,
    /// Whether the user has looked at more than the first view.
    pub touched: bool,
}

impl ScreenUi {
    /// The first screen of `run`.
    pub fn new(kind: SourceKind, run: impl Into<String>, theme: ColorTheme) -> Self {
        Self {
            theme,
            kind,
            run: run.into(),
            view: ScreenView::Overview,
            back: ScreenView::Overview,
            candidate: None,
            row: 0,
            column: 0,
            group: 0,
            sort: CandidateSort::Score,
            reverse: false,
            racing: false,
            failures: false,
            details: AnswerDetails::default(),
            against_seed: false,
            asked_to_stop: false,
            stopping: false,
            done: false,
            message: None,
            paused: false,
            playback: None,
            process: None,
            page: 10,
            touched: false,
        }
    }

    /// The place of the candidate that is looked at.
    pub fn selected(&self, state: &ScreenState) -> Option<usize> {
        self.candidate
            .and_then(|id| state.places.get(&id).copied())
            .or_else(|| state.leader())
            .or_else(|| (!state.order.is_empty()).then_some(0))
    }
}
