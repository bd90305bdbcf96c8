//! Scratch experiment.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
use shiftproof_search::replay::{self, Plan};
use shiftproof_search::select::{self, Posterior, Spending};
type Maker = Box<dyn Fn(u64) -> Box<dyn Spending> + Sync>;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let repeats: usize = args[1].parse().unwrap();
    let filter = &args[2];
    let budgets: Vec<usize> = args[3]
        .split(',')
        .map(|b| {
            if b == "all" {
                usize::MAX
            } else {
                b.parse().unwrap()
            }
        })
        .collect();
    let verbose = args[4] == "v";
    let mut rules: Vec<(String, Maker)> = Vec::new();
    for spec in &args[5..] {
        if let Some(s) = spec.strip_prefix("p:") {
            let o: std::sync::Arc<dyn select::Objective> = select::by_name(s).unwrap().into();
            rules.push((
                spec.clone(),
                Box::new(move |seed| Box::new(Posterior::with_objective(seed, o.clone()))),
            ));
        } else {
            let s = spec.clone();
            rules.push((
                spec.clone(),
                Box::new(move |seed| select::rule(&s, seed).unwrap()),
            ));
        }
    }
    let mut matrices = Vec::new();
    for d in replay::find(std::path::Path::new("/work/shared/data/matrices")).unwrap() {
        matrices.extend(replay::load(&d).unwrap());
    }
    let settings: Vec<_> = matrices
        .iter()
        .enumerate()
        .flat_map(|(i, m)| replay::settings(i, m))
        .filter(|s| filter == "*" || filter.split('|').any(|f| s.name.contains(f)))
        .collect();
    let plan = Plan {
        budgets,
        repeats,
        seed: 1,
        threads: 2,
    };
    let makers: Vec<_> = rules.iter().map(|(n, m)| (n.as_str(), &**m)).collect();
    let t0 = std::time::Instant::now();
    let out = replay::replay(&matrices, &settings, &makers, &plan);
    let avg = |v: &Vec<shiftproof_search::replay::Regret>| {
        let mut s = [0.0; 3];
        for r in v {
            for (s, x) in s.iter_mut().zip(r.parts()) {
                *s += 100.0 * x / v.len() as f64;
            }
        }
        s
    };
    if verbose {
        for (s, o) in settings.iter().zip(&out) {
            for (b, budget) in plan.budgets.iter().enumerate() {
                print!(
                    "{:<45} {:>6}",
                    s.name,
                    if *budget == usize::MAX { 0 } else { *budget }
                );
                for r in o {
                    let a = avg(&r[b]);
                    print!("  {:5.1}/{:5.1}", a[0], a[2]);
                }
                println!();
            }
        }
    }
    for (label, pick) in [("natural", true), ("llm", false), ("all", true)] {
        println!("{label} ({} settings, {:?})", settings.len(), t0.elapsed());
        for (b, budget) in plan.budgets.iter().enumerate() {
            for (r, rule) in rules.iter().enumerate() {
                let mut s = [0.0; 3];
                let mut n = 0.0;
                for (set, o) in settings.iter().zip(&out) {
                    let natural = matches!(matrices[set.matrix].kind, replay::Kind::Example);
                    if label != "all" && natural != pick {
                        continue;
                    }
                    n += 1.0;
                    for (s, x) in s.iter_mut().zip(avg(&o[r][b])) {
                        *s += x;
                    }
                }
                println!(
                    "  {:>6} {:<40} {:6.2} {:6.2} {:6.2}",
                    if *budget == usize::MAX {
                        "all".into()
                    } else {
                        budget.to_string()
                    },
                    rule.0,
                    s[0] / n,
                    s[1] / n,
                    s[2] / n
                );
            }
        }
    }
}
