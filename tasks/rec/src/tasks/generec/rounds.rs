//! Texts written one after the other, of which the best measured one stands.

use std::fmt::Write as _;

use shiftproof_tasks::{Finish, Reply};

/// What an evaluation comes to in which nothing could be measured.
pub(super) const UNRATED: &str = "the preference of what was retrieved could not be read";
/// What it comes to where there is no item to begin with.
pub(super) const NOTHING: &str = "the recommender retrieves nothing";

/// An item as the catalogue tells it.
#[derive(Debug, Clone)]
pub(super) struct ShownItem {
    pub item: u32,
    pub title: String,
    pub text: String,
}

/// One text that was written, and what became of it.
#[derive(Debug)]
pub(super) struct WrittenText {
    /// The reply as it came.
    pub written: String,
    end: RoundEnd,
}

/// What became of a text. Preferences lie in `0..=1`.
#[derive(Debug)]
enum RoundEnd {
    /// It may not be shown; why.
    Refused(String),
    /// It may be shown, and nobody knows what it is worth.
    Unrated,
    /// It is what stood before.
    Same,
    /// It is worth more than what stood before: now it stands.
    Accepted { before: f64, now: f64 },
    /// It is worth no more.
    Kept { before: f64, now: f64 },
}

impl RoundEnd {
    fn outcome(&self) -> String {
        let percent = |share: &f64| format!("{:.1}", 100.0 * share);
        match self {
            Self::Refused(why) => format!("refused: {why}"),
            Self::Unrated => "not accepted: its preference could not be read".to_owned(),
            Self::Same => "the text is the one before".to_owned(),
            Self::Accepted { before, now } => {
                let (before, now) = (percent(before), percent(now));
                format!("accepted: the preference is {now} of 100, before it was {before}")
            }
            Self::Kept { before, now } => {
                let (before, now) = (percent(before), percent(now));
                format!("not accepted: the preference is {now} of 100, and before it was {before}")
            }
        }
    }
}

impl WrittenText {
    /// What the writer is told of it.
    pub fn told(&self) -> String {
        format!("That text is {}. Write another one.", self.end.outcome())
    }
}

/// What is asked next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// For a text.
    Write,
    /// For the preference of this one.
    Rate(String),
    /// For nothing: all rounds are over, or nothing can be measured.
    Nothing,
}

/// What the replies of an evaluation come to so far.
#[derive(Debug)]
pub(super) struct TextRounds {
    /// The text that stands: at first what was retrieved.
    pub standing: Option<String>,
    /// Its preference in `0..=1`; never falls.
    pub preference: Option<f64>,
    /// The rounds that are over.
    pub done: Vec<WrittenText>,
    pub next: NextStep,
}

impl TextRounds {
    /// Goes through replies in the order of the calls: the first text, the preference of what
    /// was retrieved, that of the first text unless the gate refused it, the second text, its
    /// preference, … `written` is the gate, `rated` reads a preference.
    pub fn play(
        standing: Option<String>,
        rounds: usize,
        replies: &[Reply],
        written: impl Fn(&Reply) -> Result<String, String>,
        rated: impl Fn(&Reply) -> Option<f64>,
    ) -> Self {
        let mut play = Self {
            standing,
            preference: None,
            done: Vec::new(),
            next: NextStep::Nothing,
        };
        let Some(mut best) = play.standing.clone() else {
            return play;
        };
        let mut replies = replies.iter();
        // Texts come first: with the prompt, which is what plans and prices go by.
        let mut text = None;
        if rounds > 0 {
            text = replies.next();
            if text.is_none() {
                play.next = NextStep::Write;
                return play;
            }
        }
        let Some(first) = replies.next() else {
            play.next = NextStep::Rate(best);
            return play;
        };
        play.preference = rated(first).filter(|_| first.finish != Finish::Filtered);
        let Some(mut bar) = play.preference else {
            return play;
        };
        while let Some(reply) = text {
            let end = match written(reply) {
                Err(why) => RoundEnd::Refused(why),
                Ok(text) if text == best => RoundEnd::Same,
                Ok(text) => {
                    let Some(reply) = replies.next() else {
                        play.next = NextStep::Rate(text);
                        return play;
                    };
                    let read = rated(reply).filter(|_| reply.finish != Finish::Filtered);
                    match read {
                        None => RoundEnd::Unrated,
                        Some(now) if now > bar => {
                            let before = std::mem::replace(&mut bar, now);
                            best = text;
                            RoundEnd::Accepted { before, now }
                        }
                        Some(now) => RoundEnd::Kept { before: bar, now },
                    }
                }
            };
            let written = reply.text.clone();
            play.done.push(WrittenText { written, end });
            play.standing = Some(best.clone());
            play.preference = Some(bar);
            if play.done.len() == rounds {
                return play;
            }
            text = replies.next();
            if text.is_none() {
                play.next = NextStep::Write;
            }
        }
        play
    }

    /// The share of the texts written that may be shown.
    pub fn fidelity(&self) -> f64 {
        let refused = |round: &&WrittenText| matches!(round.end, RoundEnd::Refused(_));
        let refused = self.done.iter().filter(refused).count();
        1.0 - refused as f64 / self.done.len().max(1) as f64
    }

    /// The rounds for people.
    pub fn story(&self) -> String {
        let mut story = String::new();
        for (round, number) in self.done.iter().zip(1..) {
            let mark = if number == 1 { "" } else { "; " };
            let _ = write!(story, "{mark}round {number} {}", round.end.outcome());
        }
        story
    }
}
