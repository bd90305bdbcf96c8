#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout
)]
use shiftproof_neural::*;
use shiftproof_rec::*;
use std::ops::ControlFlow;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let get = |name: &str| {
        args.iter()
            .find_map(|a| a.strip_prefix(&format!("{name}=")).map(str::to_owned))
    };
    let num = |name: &str, d: f64| get(name).map_or(d, |v| v.parse().unwrap());
    let spec = RecSpec {
        format: FileLayout::Recbole,
        examples: ExampleForm::Listwise,
        shift: GroupShift::Popularity,
        part: if get("part").as_deref() == Some("test") {
            HeldOutPart::Test
        } else {
            HeldOutPart::Validation
        },
        history: num("history", 10.0) as usize,
        ..RecSpec::default()
    };
    let files = ["ml-100k.inter", "ml-100k.item", "ml-100k.user"].map(str::to_owned);
    let p = spec
        .load(
            std::path::Path::new("/tmp/neural-ml/recbole/dataset_example/ml-100k"),
            &files,
        )
        .unwrap();
    let seq = p.sequences.as_ref().unwrap();
    let cat = p.catalogue.as_ref().unwrap();
    let show = |b: &shiftproof_tasks::BaselinePredictions| {
        let g = BaselineMeasures::by_group(b, &p.examples, None);
        print!(
            "{:14} all {:.3}",
            b.name,
            BaselineMeasures::of(b, &p.examples, None).ndcg_10.unwrap()
        );
        for (k, m) in g {
            print!("  {k} {:.3} ({})", m.ndcg_10.unwrap(), m.n);
        }
        println!();
    };
    if get("base").is_some() {
        for b in &p.baselines {
            show(b);
        }
    }
    let data = SequenceData {
        items: cat.len(),
        sequences: seq.training.clone(),
    };
    for m in NeuralModel::ALL {
        if !args.iter().any(|a| a == m.name()) {
            continue;
        }
        let d = TrainingSettings::of(m, seq.window, num("seed", 0.0) as u64);
        let s = TrainingSettings {
            width: num("width", d.width as f64) as usize,
            blocks: num("blocks", d.blocks as f64) as usize,
            targets: num("targets", d.targets as f64) as usize,
            window: num("window", d.window as f64) as usize,
            dropout: num("dropout", d.dropout as f64) as f32,
            batch: num("batch", d.batch as f64) as usize,
            learning_rate: num("lr", d.learning_rate),
            negatives: num("neg", d.negatives),
            drawn: num("drawn", d.drawn as f64) as usize,
            robust_weight: num("alpha", d.robust_weight),
            robust_temperature: num("beta", d.robust_temperature),
            epochs: num("epochs", d.epochs as f64) as usize,
            patience: num("patience", d.patience as f64) as usize,
            steps: d.steps,
            seed: d.seed,
        };
        let s = TrainingSettings {
            targets: s.targets,
            ..s
        };
        let at = std::time::Instant::now();
        let verbose = get("v").is_some();
        let mut last = 0;
        let t = train(m, &s, &data, &mut |p| {
            if verbose {
                println!("  {:5.1}s {p:?}", at.elapsed().as_secs_f64());
            }
            last = p.epochs;
            ControlFlow::Continue(())
        })
        .unwrap();
        let b = seq.ranked_by(m.name(), cat, &|h| t.scores(h));
        print!("{:6.1}s e{last:2} {:?} ", at.elapsed().as_secs_f64(), args);
        show(&b);
    }
}
