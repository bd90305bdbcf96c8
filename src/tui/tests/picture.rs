//! The picture of the first screen in docs/, drawn from the screen itself: where the
//! screen changes, the picture is drawn anew with the snapshots (`INSTA_UPDATE=always`).

use std::fmt::Write as _;
use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::super::state::ScreenState;
use super::super::theme::{ColorDepth, ColorTheme};
use super::super::ui::{ScreenUi, SourceKind};
use super::super::views;
use super::recorded;

/// Size of a cell, in pixels.
const WIDTH: usize = 8;
const HEIGHT: usize = 17;

/// The colours of xterm, as CSS has them.
fn css(color: Color) -> Option<String> {
    let Color::Indexed(index) = color else {
        return None;
    };
    let [red, green, blue] = if index >= 232 {
        [8 + 10 * (u32::from(index) - 232); 3]
    } else {
        let cube = u32::from(index) - 16;
        [cube / 36, cube / 6 % 6, cube % 6].map(|n| if n == 0 { 0 } else { 55 + 40 * n })
    };
    Some(format!("#{red:02x}{green:02x}{blue:02x}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Cells side by side that look alike.
fn runs(row: &[Cell]) -> Vec<(usize, &Cell, String)> {
    let mut runs: Vec<(usize, &Cell, String)> = Vec::new();
    for (column, cell) in row.iter().enumerate() {
        let alike = |other: &Cell| other.style() == cell.style();
        match runs.last_mut().filter(|run| alike(run.1)) {
            Some(run) => run.2.push_str(cell.symbol()),
            None => runs.push((column, cell, cell.symbol().to_owned())),
        }
    }
    runs
}

fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (
        usize::from(buffer.area.width),
        usize::from(buffer.area.height),
    );
    let (width, height) = (columns * WIDTH + 16, rows * HEIGHT + 16);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"13.3\"><title>The first screen of a run</title>\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#14171a\"/>\n"
    );
    for (row, cells) in buffer.content().chunks(columns).enumerate() {
        for (column, cell, text) in runs(cells) {
            let (x, y) = (8 + column * WIDTH, 8 + row * HEIGHT);
            let reversed = cell.modifier.contains(Modifier::REVERSED);
            let length = text.chars().count() * WIDTH;
            if reversed {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"{HEIGHT}\" fill=\"#e8eaed\"/>"
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let ink = match (reversed, css(cell.fg)) {
                (true, _) => "#14171a".to_owned(),
                (false, color) => color.unwrap_or_else(|| "#e8eaed".to_owned()),
            };
            let weight = if cell.modifier.contains(Modifier::BOLD) {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let _ = writeln!(
                out,
                "<text x=\"{x}\" y=\"{}\" fill=\"{ink}\"{weight} textLength=\"{length}\" \
                 xml:space=\"preserve\">{}</text>",
                y + 13,
                escaped(&text)
            );
        }
    }
    out + "</svg>\n"
}

#[test]
fn picture_in_docs_is_the_screen() {
    let mut state = ScreenState::new(5000);
    for event in &recorded::whole() {
        state.apply(event, false);
    }
    let theme = ColorTheme::new(ColorDepth::Many);
    let ui = ScreenUi::new(SourceKind::Watch, "reviews-s1-1", theme);
    let mut terminal = Terminal::new(TestBackend::new(110, 30)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| views::draw(&state, &ui, frame);
    terminal.draw(draw).unwrap();
    let drawn = svg(terminal.backend().buffer());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screen.svg");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == drawn,
        "docs/screen.svg is not the screen as it is now: run the test with INSTA_UPDATE=always"
    );
}
