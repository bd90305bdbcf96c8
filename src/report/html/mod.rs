//! The report as one HTML page: no script, no network, nothing beside it.
//!
//! Whatever a study or a model wrote is inserted by `maud`, which escapes it.

mod charts;
mod comparison;
mod cost;
mod failures;
mod lines;
mod run;
mod search;

pub(crate) use charts::{DotPlotRow, dot_plot};
pub(crate) use comparison::points;
pub(crate) use lines::{RisingLine, rising_lines};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::NamedRun;
use super::compare::RunComparison;
use crate::wording::word_diff::{DiffChange, DiffPiece};

/// The style of every page.
const STYLE: &str = include_str!("style.css");

/// A whole page around `body`. The policy forbids it to load or run anything,
/// even if an escape were missing.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="shiftproof";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
        + "\n"
}

/// The report of one run, or of several with their comparison first.
pub(super) fn report(runs: &[NamedRun]) -> String {
    if let [only] = runs {
        let title = format!("{} · shiftproof", only.name);
        return page(&title, &run::whole(only));
    }
    let body = html! {
        (comparison::section(&RunComparison::of(runs), runs))
        @for (index, one) in runs.iter().enumerate() {
            (run::folded(one, index))
        }
    };
    page(&format!("{} runs · shiftproof", runs.len()), &body)
}

/// A word diff: what went is struck out, what came is underlined, and both are
/// named for who does not see them.
pub(crate) fn diff(pieces: &[DiffPiece]) -> Markup {
    html! {
        @for piece in pieces {
            @match piece.change {
                DiffChange::Kept => (piece.text),
                DiffChange::Removed => del { (piece.text) },
                DiffChange::Added => ins { (piece.text) },
            }
        }
    }
}

/// A figure as `VALUE [LOW, HIGH]`, the bracket on its own line where space is
/// short.
pub(crate) fn figure(text: &str) -> Markup {
    html! {
        @match text.split_once(" [") {
            Some((value, rest)) => { (value) " " span.iv { "[" (rest) } },
            None => (text),
        }
    }
}

/// A sentence of the program, in which commands and keys stand between back quotes.
pub(crate) fn sentence(text: &str) -> Markup {
    // Quotes that do not pair are text: a run's name may hold one.
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (at, part) in parts.iter().enumerate() {
                @if at % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (text) }
    }
}

/// A table that scrolls by itself where the screen is narrower.
pub(crate) fn scrolling(label: &str, table: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(label) tabindex="0" { (table) }
    }
}
