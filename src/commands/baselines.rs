use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use shiftproof_rec::{BaselineMeasures, RecommenderKind, SequencePart};
use shiftproof_tasks::BaselinePredictions;

use super::{fetch_progress, print, warnings};
use crate::cli::{BaselinesArgs, NeuralBaseline};
use crate::exit::{ExitStatus, Failure};
use crate::report::to_json;
use crate::study::task_registry::TaskRegistry;
use crate::study::{Study, load_interactions, recommenders};
use crate::wording::table::{TextColumn, TextTable};

/// One baseline over all examples and by group.
#[derive(Debug, Serialize)]
struct BaselineRow {
    name: String,
    all: BaselineMeasures,
    groups: BTreeMap<String, BaselineMeasures>,
}

/// Scores baselines on every example of a study, roles aside; no model. The task
/// is made only for the groups that its phrasings form.
pub(super) fn run(args: &BaselinesArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let study = Study::read(&args.study)?;
    let folder = args.study.parent().unwrap_or_else(|| "".as_ref());
    let mut progress = fetch_progress(false);
    let Some(mut prepared) = load_interactions(&study.data, folder, &mut progress)? else {
        return Err(Failure::usage(format!(
            "{}: baselines need interactions, see [data.interactions]",
            args.study.display()
        )));
    };
    warnings(&prepared.findings);
    let lists = |part: &SequencePart| part.asks_lists();
    if !args.neural.is_empty() && !prepared.sequences.as_ref().is_some_and(lists) {
        return Err(Failure::usage(format!(
            "{}: --neural ranks lists, and these examples ask about one item each: set \
             data.interactions.examples = \"listwise\", or leave --neural out",
            args.study.display()
        )));
    }
    let mut named = registry.recommenders(&study.task, &args.study)?;
    named.extend(args.neural.iter().map(|one| kind(*one)));
    recommenders::provide(&mut prepared, &named, &mut progress)?;
    let catalogue = prepared.catalogue.as_ref();
    if let Some(templates) = registry.templates(&study.task, &study.name, &args.study, catalogue)? {
        templates.deal(&mut prepared.examples)?;
    }
    let (examples, catalogue) = (&prepared.examples, prepared.catalogue.as_deref());
    let row = |baseline: &BaselinePredictions| BaselineRow {
        name: baseline.name.clone(),
        all: BaselineMeasures::of(baseline, examples, catalogue),
        groups: BaselineMeasures::by_group(baseline, examples, catalogue),
    };
    let rows: Vec<BaselineRow> = prepared.baselines.iter().map(row).collect();
    if args.json {
        print(&to_json(&rows)?)?;
    } else {
        print(&text(&rows))?;
    }
    Ok(ExitStatus::Done)
}

fn kind(named: NeuralBaseline) -> RecommenderKind {
    match named {
        NeuralBaseline::Gru4rec => RecommenderKind::Gru4rec,
        NeuralBaseline::Caser => RecommenderKind::Caser,
        NeuralBaseline::Sasrec => RecommenderKind::Sasrec,
        NeuralBaseline::Dros => RecommenderKind::Dros,
    }
}

fn text(rows: &[BaselineRow]) -> String {
    let groups: BTreeSet<&String> = rows.iter().flat_map(|row| row.groups.keys()).collect();
    let measure = rows.iter().find_map(|row| row.all.first());
    let figures = std::iter::repeat_n(TextColumn::right().at_least(7), groups.len() + 1);
    let mut table = TextTable::new([TextColumn::left().at_least(8)].into_iter().chain(figures));
    let head = [measure.map_or("baseline", |(name, _)| name), "all"];
    table.row(
        head.into_iter()
            .chain(groups.iter().map(|name| name.as_str())),
    );
    let mut line = |name: &str, value: &dyn Fn(&BaselineMeasures) -> String, row: &BaselineRow| {
        let mut cells = vec![name.to_owned(), value(&row.all)];
        cells.extend(groups.iter().map(|group| {
            let own = row.groups.get(*group);
            own.map_or_else(|| "-".to_owned(), value)
        }));
        table.row(cells);
    };
    if let Some(row) = rows.first() {
        line("examples", &|measures| measures.n.to_string(), row);
    }
    for row in rows {
        let first = |measures: &BaselineMeasures| {
            let value = measures.first().map(|(_, value)| format!("{value:.3}"));
            value.unwrap_or_else(|| "-".to_owned())
        };
        line(&row.name, &first, row);
    }
    table.text()
}
