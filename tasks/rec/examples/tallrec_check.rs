//! Regenerates the rows of `TALLRec`'s film test set from `MovieLens` 100K and
//! scores the liked fraction on both:
//! `cargo run -p shiftproof-rec --example tallrec_check -- ml-100k-v1.jsonl movie_test.json`
//! (the first is what `shiftproof data fetch ml-100k` prints, the second is
//! published with Bao et al., "`TALLRec`", `RecSys` 2023).
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use shiftproof_rec::{BaselineMeasures, EventSplit, ExampleForm, FileLayout, RecSpec};
use shiftproof_tasks::{Example, Label, field};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(ratings), Some(rows)) = (args.next(), args.next()) else {
        return Err("usage: tallrec_check ML100K.jsonl MOVIE_TEST.json".into());
    };
    let windows = RecSpec {
        examples: ExampleForm::Pointwise,
        split: EventSplit::Rolling,
        min_history: 10,
        ..RecSpec::default()
    };
    let generated = windows.load(Path::new(""), &[ratings])?;
    let published = RecSpec {
        format: FileLayout::Tallrec,
        ..windows
    };
    let published = published.load(Path::new(""), &[rows])?;
    let known: BTreeSet<_> = generated.examples.iter().map(key).collect();
    let found = published
        .examples
        .iter()
        .filter(|example| known.contains(&key(example)))
        .count();
    println!("regenerated {found} of {} rows", published.examples.len());
    let users: BTreeSet<_> = published
        .examples
        .iter()
        .map(|e| &e.input.cluster)
        .collect();
    println!("users told apart: {}", users.len());
    for baseline in &published.baselines {
        let auc = BaselineMeasures::of(baseline, &published.examples, None).auc;
        println!("{:15} AUC {:.3}", baseline.name, auc.unwrap_or(f64::NAN));
    }
    Ok(())
}

/// What both forms must agree on.
fn key(example: &Example) -> (&str, &str, &str, String) {
    let field = |name| example.input.field(name);
    let label = match &example.label {
        Label::Class(label) => label.clone(),
        other => format!("{other:?}"),
    };
    (
        field(field::LIKED),
        field(field::DISLIKED),
        field(field::ITEM),
        label,
    )
}
