use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shiftproof_tasks::Input as TaskInput;

use super::*;
use crate::labels::LabelDraw;

fn sitting() -> LabelSitting {
    let card = |id: &str, text: &str| LabelCard {
        label: HandLabel {
            input: TaskInput::new(id, "chat").with_field("text", text),
            label: String::new(),
            draw: LabelDraw::Random,
            reason: "drawn at random, for class shares; group of 0 labels, no audited score known"
                .into(),
            place: String::new(),
        },
        text: format!("Message: {text}"),
        votes: vec![("payments".into(), 4), ("orders".into(), 2)],
    };
    let cards = vec![
        card("a", "where is my\u{1b}[31m parcel"),
        card("b", "i was charged twice, and nobody answers the phone"),
        card("c", "reset my password"),
    ];
    let labels = ["orders", "payments", "account"].map(str::to_owned);
    let keys = label_keys(3).into_iter().zip(labels).collect();
    LabelSitting::new("tickets", cards, keys, ColorDepth::Many)
}

fn press(sitting: &mut LabelSitting, file: &LabelFile, key: char) -> bool {
    let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
    match sitting.action(key) {
        Some(action) => sitting.update(action, file).unwrap(),
        None => true,
    }
}

fn screen(sitting: &LabelSitting, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(sitting, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    let rows = rows.map(|row| {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn keys_label_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = LabelFile::beside(folder.path(), "tickets");
    let mut sitting = sitting();
    assert!(press(&mut sitting, &file, 'z') && sitting.done.is_empty());
    assert!(press(&mut sitting, &file, '2'));
    let kept = |file: &LabelFile| -> Vec<(String, String)> {
        let labels = file.read().unwrap().into_iter();
        labels.map(|l| (l.input.id, l.label)).collect()
    };
    assert_eq!(kept(&file), [("a".to_owned(), "payments".to_owned())]);
    // The wrong key: taken back, the card is there again.
    assert!(press(&mut sitting, &file, 'u'));
    assert!(kept(&file).is_empty() && !file.path.exists());
    assert!(press(&mut sitting, &file, '1'));
    assert!(press(&mut sitting, &file, 's'));
    assert!(press(&mut sitting, &file, 'u') && kept(&file).len() == 1);
    assert!(press(&mut sitting, &file, 's'));
    assert!(!press(&mut sitting, &file, '3'), "the last card ends it");
    let expected = [("a", "orders"), ("c", "account")];
    assert_eq!(
        kept(&file),
        expected.map(|(i, l)| (i.to_owned(), l.to_owned()))
    );
    assert_eq!(sitting.labelled(), 2);
}

#[test]
fn leaving_keeps_labels() {
    let folder = tempfile::tempdir().unwrap();
    let file = LabelFile::beside(folder.path(), "tickets");
    let mut sitting = sitting();
    press(&mut sitting, &file, '3');
    assert!(!press(&mut sitting, &file, 'q'));
    assert_eq!(file.read().unwrap().len(), 1);
}

#[test]
fn reserved_keys_are_no_labels() {
    let keys = label_keys(100);
    assert!(keys.len() >= 26);
    assert!(keys.iter().all(|key| !"qusvjk? ".contains(*key)));
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), keys.len());
}

#[test]
fn card_is_shown_plainly() {
    let mut sitting = sitting();
    for size in [(80, 24), (40, 10)] {
        let name = format!("label_card_{}x{}", size.0, size.1);
        insta::assert_snapshot!(name, screen(&sitting, size));
    }
    sitting.done.push(CardOutcome::Skipped);
    sitting.done.push(CardOutcome::Labelled(1, 0));
    sitting.shows_votes = true;
    insta::assert_snapshot!("label_card_with_votes", screen(&sitting, (80, 12)));
}
