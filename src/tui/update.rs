//! What the keys do to the screen.

use super::keys::KeyAction;
use super::state::ScreenState;
use super::ui::{KeyEffect, ScreenUi, ScreenView, SourceKind};
use super::views;

impl ScreenUi {
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
                if self.view != ScreenView::Failures {
                    self.back = self.view;
                }
                self.show(ScreenView::Help);
            }
            KeyAction::Failures | KeyAction::Back if self.view == ScreenView::Failures => {
                self.show(self.back);
            }
            KeyAction::Failures => {
                // From the help one goes back to where that was called.
                if self.view != ScreenView::Help {
                    self.back = self.view;
                }
                self.show(ScreenView::Failures);
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
            ScreenView::Examples | ScreenView::Failures => {
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
