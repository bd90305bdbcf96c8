//! What the user looks at: the view, the cursor, the question being asked.

use shiftproof_tasks::PromptId;

use super::keys::Action;
use super::state::State;
use super::theme::Theme;
use super::views;

/// The views, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum View {
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

impl View {
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
pub enum Kind {
    /// A run of this process.
    Run,
    /// A run of another process, or its end.
    Watch,
    /// A recording.
    Replay,
}

/// How candidates are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
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

impl Sort {
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
pub enum Effect {
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
pub struct Playback {
    /// Recorded seconds per second.
    pub speed: f64,
    /// Events told, of how many.
    pub done: usize,
    /// See `done`.
    pub total: usize,
}

/// See the [module](self).
#[allow(clippy::struct_excessive_bools)] // Switches, each on its own.
pub struct Ui {
    /// Styles.
    pub theme: Theme,
    /// Where the events come from.
    pub kind: Kind,
    /// The name of the run.
    pub run: String,
    /// The view shown.
    pub view: View,
    /// The view before the help.
    back: View,
    /// The selected candidate; the leader where `None`.
    pub candidate: Option<PromptId>,
    /// The cursor of views that show no candidates.
    pub row: usize,
    /// The first group shown by the matrix.
    pub column: usize,
    /// The group shown by the examples, from 1; 0 for all.
    pub group: usize,
    /// How candidates are sorted.
    pub sort: Sort,
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
    pub playback: Option<Playback>,
    /// What is known of the process that is watched.
    pub process: Option<String>,
    /// Rows of a page, set by the loop.
    pub page: usize,
    /// Whether the user has looked at more than the first view.
    pub touched: bool,
}

impl Ui {
    /// The first screen of `run`.
    pub fn new(kind: Kind, run: impl Into<String>, theme: Theme) -> Self {
        Self {
            theme,
            kind,
            run: run.into(),
            view: View::Overview,
            back: View::Overview,
            candidate: None,
            row: 0,
            column: 0,
            group: 0,
            sort: Sort::Score,
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
    pub fn selected(&self, state: &State) -> Option<usize> {
        self.candidate
            .and_then(|id| state.places.get(&id).copied())
            .or_else(|| state.leader())
            .or_else(|| (!state.order.is_empty()).then_some(0))
    }

    /// Takes a key's action; returns what is to be done outside the screen.
    pub fn update(&mut self, action: Action, state: &State) -> Option<Effect> {
        self.message = None;
        if self.asked_to_stop {
            self.asked_to_stop = false;
            return match action {
                Action::Yes | Action::Stop => {
                    self.stopping = true;
                    Some(Effect::Stop)
                }
                Action::Interrupt => Some(self.interrupt()),
                _ => None,
            };
        }
        match action {
            Action::View(number) => self.show(View::ALL[number]),
            Action::NextView => self.turn(1),
            Action::PreviousView => self.turn(View::ALL.len() - 1),
            Action::Help | Action::Back if self.view == View::Help => self.show(self.back),
            Action::Help => {
                self.back = self.view;
                self.show(View::Help);
            }
            Action::Back => self.candidate = None,
            Action::Open => self.show(View::Prompt),
            Action::Rows(by) => self.move_by(state, by as isize),
            Action::Pages(by) => {
                self.move_by(state, by as isize * self.page.max(1).cast_signed());
            }
            Action::First => self.move_by(state, isize::MIN / 2),
            Action::Last => self.move_by(state, isize::MAX / 2),
            Action::Sideways(by) => self.sideways(state, by),
            Action::Sort => self.sort = self.sort.next(),
            Action::Reverse => self.reverse = !self.reverse,
            Action::Filter if self.view == View::Examples => {
                self.failures = !self.failures;
                self.row = 0;
            }
            Action::Filter => self.racing = !self.racing,
            Action::Against => self.against_seed = !self.against_seed,
            Action::Pause => return self.pause(),
            Action::Stop => return self.stop(),
            Action::Interrupt => return Some(self.interrupt()),
            Action::Export => {
                return self
                    .selected(state)
                    .map(|place| Effect::Export(state.order[place]));
            }
            Action::Redraw => return Some(Effect::Redraw),
            Action::Step(by) => return self.replay(Effect::Step(by)),
            Action::Phases(by) => return self.replay(Effect::Phases(by)),
            Action::Faster => return self.replay(Effect::Speed(2.0)),
            Action::Slower => return self.replay(Effect::Speed(0.5)),
            Action::Yes => {}
        }
        None
    }

    fn show(&mut self, view: View) {
        if self.view != view {
            self.row = 0;
        }
        self.view = view;
        self.touched = true;
    }

    fn turn(&mut self, by: usize) {
        let at = View::ALL.iter().position(|view| *view == self.view);
        let next = View::ALL[(at.unwrap_or(0) + by) % View::ALL.len()];
        if next == View::Help {
            self.back = self.view;
        }
        self.show(next);
    }

    fn move_by(&mut self, state: &State, by: isize) {
        self.touched = true;
        let to = |at: usize, rows: usize| at.saturating_add_signed(by).min(rows.saturating_sub(1));
        let listed = match self.view {
            View::Candidates | View::Matrix => Some(views::candidates::listed(state, self)),
            View::Lineage => Some(views::lineage::listed(state)),
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

    fn sideways(&mut self, state: &State, by: i32) {
        self.touched = true;
        let groups = state.groups().len();
        let to = |at: usize, last: usize| at.saturating_add_signed(by as isize).min(last);
        match self.view {
            View::Matrix => self.column = to(self.column, groups.saturating_sub(1)),
            View::Examples => {
                self.group = to(self.group, groups);
                self.row = 0;
            }
            View::Prompt => {
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

    fn pause(&mut self) -> Option<Effect> {
        match self.kind {
            Kind::Watch => {
                self.message = Some("this run belongs to another process: pause it there".into());
                None
            }
            Kind::Run if self.done || self.stopping => None,
            Kind::Run | Kind::Replay => Some(Effect::TogglePause),
        }
    }

    fn stop(&mut self) -> Option<Effect> {
        if self.kind != Kind::Run || self.done {
            return Some(Effect::Leave);
        }
        if self.stopping {
            self.message = Some("stopping; Ctrl-C aborts".into());
        } else {
            self.asked_to_stop = true;
        }
        None
    }

    fn interrupt(&mut self) -> Effect {
        if self.kind != Kind::Run || self.done {
            return Effect::Leave;
        }
        self.stopping = true;
        Effect::Interrupt
    }

    fn replay(&mut self, effect: Effect) -> Option<Effect> {
        if self.kind == Kind::Replay {
            return Some(effect);
        }
        self.message = Some("only a replay can be wound".into());
        None
    }
}
