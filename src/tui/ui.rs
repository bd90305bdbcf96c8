//! What the user looks at: the view, the cursor, the question being asked.

use shiftproof_tasks::PromptId;

use super::keys::KeyAction;
use super::state::ScreenState;
use super::theme::ColorTheme;
use super::views;

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
}

impl ScreenView {
    /// All of them.
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
    fn next(self) -> Self {
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
    back: ScreenView,
    /// The selected candidate; the leader where `None`.
    pub candidate: Option<PromptId>,
    /// The cursor of views that show no candidates.
    pub row: usize,
    /// The first group shown by the matrix.
    pub column: usize,
    /// The group shown by the examples, from 1; 0 for all.
    pub group: usize,
    /// How candidates are sorted.
    pub sort: CandidateSort,
    /// Worst first.
    pub reverse: bool,
    /// Candidates in the race alone.
    pub racing: bool,
    /// Failures alone.
    pub failures: bool,
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

    /// Takes a key's action; returns what is to be done outside the screen.
    pub fn update(&mut self, action: KeyAction, state: &ScreenState) -> Option<KeyEffect> {
        self.message = None;
        if self.asked_to_stop {
            self.asked_to_stop = false;
            return match action {
                KeyAction::Yes | KeyAction::Stop => {
                    self.stopping = true;
                    Some(KeyEffect::Stop)
                }
                KeyAction::Interrupt => Some(self.interrupt()),
                _ => None,
            };
        }
        match action {
            KeyAction::View(number) => self.show(ScreenView::ALL[number]),
            KeyAction::NextView => self.turn(1),
            KeyAction::PreviousView => self.turn(ScreenView::ALL.len() - 1),
            KeyAction::Help | KeyAction::Back if self.view == ScreenView::Help => {
                self.show(self.back);
            }
            KeyAction::Help => {
                self.back = self.view;
                self.show(ScreenView::Help);
            }
            KeyAction::Back => self.candidate = None,
            KeyAction::Open => self.show(ScreenView::Prompt),
            KeyAction::Rows(by) => self.move_by(state, by as isize),
            KeyAction::Pages(by) => {
                self.move_by(state, by as isize * self.page.max(1).cast_signed());
            }
            KeyAction::First => self.move_by(state, isize::MIN / 2),
            KeyAction::Last => self.move_by(state, isize::MAX / 2),
            KeyAction::Sideways(by) => self.sideways(state, by),
            KeyAction::Sort => self.sort = self.sort.next(),
            KeyAction::Reverse => self.reverse = !self.reverse,
            KeyAction::Filter if self.view == ScreenView::Examples => {
                self.failures = !self.failures;
                self.row = 0;
            }
            KeyAction::Filter => self.racing = !self.racing,
            KeyAction::Against => self.against_seed = !self.against_seed,
            KeyAction::Pause => return self.pause(),
            KeyAction::Stop => return self.stop(),
            KeyAction::Interrupt => return Some(self.interrupt()),
            KeyAction::Export => {
                return self
                    .selected(state)
                    .map(|place| KeyEffect::Export(state.order[place]));
            }
            KeyAction::Redraw => return Some(KeyEffect::Redraw),
            KeyAction::Step(by) => return self.replay(KeyEffect::Step(by)),
            KeyAction::Phases(by) => return self.replay(KeyEffect::Phases(by)),
            KeyAction::Faster => return self.replay(KeyEffect::Speed(2.0)),
            KeyAction::Slower => return self.replay(KeyEffect::Speed(0.5)),
            KeyAction::Yes => {}
        }
        None
    }

    fn show(&mut self, view: ScreenView) {
        if self.view != view {
            self.row = 0;
        }
        self.view = view;
        self.touched = true;
    }

    fn turn(&mut self, by: usize) {
        let at = ScreenView::ALL.iter().position(|view| *view == self.view);
        let next = ScreenView::ALL[(at.unwrap_or(0) + by) % ScreenView::ALL.len()];
        if next == ScreenView::Help {
            self.back = self.view;
        }
        self.show(next);
    }

    fn move_by(&mut self, state: &ScreenState, by: isize) {
        self.touched = true;
        let to = |at: usize, rows: usize| at.saturating_add_signed(by).min(rows.saturating_sub(1));
        let listed = match self.view {
            ScreenView::Candidates | ScreenView::Matrix => {
                Some(views::candidates::listed(state, self))
            }
            ScreenView::Lineage => Some(views::lineage::listed(state)),
            _ => None,
        };
        match listed {
            Some(places) => {
                let selected = self.selected(state);
                let at = places.iter().position(|place| Some(*place) == selected);
                // A selected candidate that is filtered out gives way to the first.
                let next = at.map_or(0, |at| to(at, places.len()));
                self.candidate = places.get(next).map(|place| state.order[*place]);
            }
            None => self.row = to(self.row, views::rows(state, self)),
        }
    }

    fn sideways(&mut self, state: &ScreenState, by: i32) {
        self.touched = true;
        let groups = state.groups().len();
        let to = |at: usize, last: usize| at.saturating_add_signed(by as isize).min(last);
        match self.view {
            ScreenView::Matrix => self.column = to(self.column, groups.saturating_sub(1)),
            ScreenView::Examples => {
                self.group = to(self.group, groups);
                self.row = 0;
            }
            ScreenView::Prompt => {
                let places = views::candidates::listed(state, self);
                let selected = self.selected(state);
                let at = places.iter().position(|place| Some(*place) == selected);
                let next = at.map_or(0, |at| to(at, places.len().saturating_sub(1)));
                self.candidate = places.get(next).map(|place| state.order[*place]);
                self.row = 0;
            }
            _ => {}
        }
    }

    fn pause(&mut self) -> Option<KeyEffect> {
        match self.kind {
            SourceKind::Watch => {
                self.message = Some("this run belongs to another process: pause it there".into());
                None
            }
            SourceKind::Run if self.done || self.stopping => None,
            SourceKind::Run | SourceKind::Replay => Some(KeyEffect::TogglePause),
        }
    }

    fn stop(&mut self) -> Option<KeyEffect> {
        if self.kind != SourceKind::Run || self.done {
            return Some(KeyEffect::Leave);
        }
        if self.stopping {
            self.message = Some("stopping; Ctrl-C aborts".into());
        } else {
            self.asked_to_stop = true;
        }
        None
    }

    fn interrupt(&mut self) -> KeyEffect {
        if self.kind != SourceKind::Run || self.done {
            return KeyEffect::Leave;
        }
        self.stopping = true;
        KeyEffect::Interrupt
    }

    fn replay(&mut self, effect: KeyEffect) -> Option<KeyEffect> {
        if self.kind == SourceKind::Replay {
            return Some(effect);
        }
        self.message = Some("only a replay can be wound".into());
        None
    }
}
