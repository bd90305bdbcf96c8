//! What an item's text is worth: candidates ranked by how near their embedding lies to the
//! history's, items told by their title alone and as key-value sentences (Li et al. 2023,
//! Recformer, §3.2.1), on the same ML-100K examples in one run.
//!
//! `cargo bench --bench item_text -- MODEL.gguf [--threads N]`
//!
//! Prints NDCG@10 by group of popularity, and the difference with its 95 % interval by user.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints and may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use shiftproof::assets::datasets;
use shiftproof::llm::embedded::{Engine, EngineOptions};
use shiftproof_rec::{ExampleForm, GroupShift, HeldOutPart, RecSpec};
use shiftproof_search::stats::{ClusterTotals, clustered};
use shiftproof_tasks::{Answer, Example, Label, Metric, field};

/// Latest items of a history.
const WINDOW: usize = 6;

fn main() {
    let mut model = None;
    let mut options = EngineOptions::default();
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => options.threads = args.next().unwrap().parse().unwrap(),
            _ => model = Some(arg),
        }
    }
    let Some(model) = model else {
        println!(
            "item_text: pass a GGUF file to measure: cargo bench --bench item_text -- MODEL.gguf"
        );
        return;
    };
    let path = datasets::prepare("ml-100k", &mut |_| ControlFlow::Continue(())).unwrap();
    let spec = RecSpec {
        item_attributes: ["year", "genres"].map(str::to_owned).to_vec(),
        examples: ExampleForm::Listwise,
        shift: GroupShift::Popularity,
        part: HeldOutPart::Both,
        ..RecSpec::default()
    };
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let prepared = spec.load(path.parent().unwrap(), &[file]).unwrap();
    let engine = Engine::load(&model, options).unwrap();
    let forms = [
        (field::HISTORY, field::CANDIDATES),
        (field::HISTORY_TEXT, field::CANDIDATES_TEXT),
    ];
    let grades = forms.map(|(history, candidates)| {
        let vectors = embed(&engine, &prepared.examples, [history, candidates]);
        let grade = |example: &Example| grade(example, history, candidates, &vectors);
        prepared.examples.iter().map(grade).collect::<Vec<f64>>()
    });
    println!("group      n   title only   sentence   difference");
    for group in ["head", "mid", "tail"] {
        let mut users: BTreeMap<&str, ClusterTotals> = BTreeMap::new();
        let (mut n, mut sums) = (0.0, [0.0, 0.0]);
        for (at, example) in prepared.examples.iter().enumerate() {
            if example.input.group != group {
                continue;
            }
            let pair = [grades[0][at], grades[1][at]];
            let user = example.input.cluster.as_deref().unwrap_or_default();
            let cluster = users.entry(user).or_insert(ClusterTotals {
                sum: 0.0,
                size: 0.0,
            });
            cluster.sum += pair[1] - pair[0];
            cluster.size += 1.0;
            n += 1.0;
            sums = [sums[0] + pair[0], sums[1] + pair[1]];
        }
        let clusters: Vec<ClusterTotals> = users.into_values().collect();
        let interval = clustered_difference(&clusters);
        println!(
            "{group:5} {n:6}   {:10.3} {:10.3}   {:+.3} [{:+.3}, {:+.3}]",
            sums[0] / n,
            sums[1] / n,
            (sums[1] - sums[0]) / n,
            interval.0,
            interval.1
        );
    }
}

/// A difference lies in −1..1; the interval is made for means in 0..1.
fn clustered_difference(clusters: &[ClusterTotals]) -> (f64, f64) {
    let halved: Vec<ClusterTotals> = clusters
        .iter()
        .map(|cluster| ClusterTotals {
            sum: f64::midpoint(cluster.sum, cluster.size),
            size: cluster.size,
        })
        .collect();
    let interval = clustered(&halved, 0.95);
    (2.0 * interval.low - 1.0, 2.0 * interval.high - 1.0)
}

/// Every text of these fields as a unit vector around the mean of all: raw states share one large
/// direction.
fn embed(engine: &Engine, examples: &[Example], fields: [&str; 2]) -> BTreeMap<String, Vec<f32>> {
    let texts: BTreeSet<&str> = examples
        .iter()
        .flat_map(|example| fields.map(|name| example.input.field(name)))
        .flat_map(field::entries)
        .collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let raw: Vec<Vec<f32>> = engine
        .embed_all(&texts)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let mut mean = vec![0.0; engine.width()];
    for vector in &raw {
        for (sum, value) in mean.iter_mut().zip(vector) {
            *sum += value / raw.len() as f32;
        }
    }
    let unit = |vector: Vec<f32>| {
        let around: Vec<f32> = vector.iter().zip(&mean).map(|(a, b)| a - b).collect();
        let length = around
            .iter()
            .map(|v| v * v)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        around.into_iter().map(|v| v / length).collect()
    };
    texts
        .into_iter()
        .map(str::to_owned)
        .zip(raw.into_iter().map(unit))
        .collect()
}

/// NDCG@10 of the candidates by their mean cosine with the latest of the history.
fn grade(
    example: &Example,
    history: &str,
    candidates: &str,
    vectors: &BTreeMap<String, Vec<f32>>,
) -> f64 {
    let input = &example.input;
    let met: Vec<&Vec<f32>> = field::entries(input.field(history))
        .map(|text| &vectors[text])
        .collect();
    let met = &met[met.len().saturating_sub(WINDOW)..];
    let near = |text: &str| -> f32 {
        let own = &vectors[text];
        met.iter()
            .map(|other| own.iter().zip(*other).map(|(a, b)| a * b).sum::<f32>())
            .sum()
    };
    let mut ranked: Vec<(f32, &str)> = field::entries(input.field(candidates))
        .map(near)
        .zip(field::entries(input.field(field::CANDIDATES)))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let titles = ranked
        .into_iter()
        .map(|(_, title)| title.to_owned())
        .collect();
    debug_assert!(matches!(example.label, Label::Relevant(_)));
    let graded = Metric::Ndcg(10).grade(&Answer::Ranking(titles), &example.label);
    graded.value().unwrap()
}
