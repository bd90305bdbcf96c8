//! Races of prompts whose skill is their second word, in percent.

use std::collections::BTreeSet;

use shiftproof_tasks::Reply;

use super::*;
use crate::budget::BudgetLimits;
use crate::llm::{Capabilities, LlmError, ModelCall};
use crate::scripted::{Bench, Moods, examples, matrix, mood, server, text};
use crate::spec::RuleName;

const RULES: [RuleName; 5] = [
    RuleName::Uniform,
    RuleName::Halving,
    RuleName::TripleCr,
    RuleName::Racing,
    RuleName::Posterior,
];
/// The seed is the worst, the third the best.
const PROMPTS: [&str; 4] = [
    "skill 40 in use",
    "skill 60 or so",
    "skill 95 at most",
    "skill 70 perhaps",
];

/// Right on as many inputs in a hundred as the prompt says.
fn skilled(call: &ModelCall) -> Result<Reply, LlmError> {
    let text = text(call);
    let skill: usize = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    let number: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
    let is_wrong = number * 37 % 100 >= skill;
    // As models answer: with a word before it, and a stop.
    Ok(Reply::text(format!(
        "The note is {}.",
        mood(number + usize::from(is_wrong))
    )))
}

struct Scene {
    bench: Bench,
    matrix: ResponseMatrix,
    inputs: Vec<InputIndex>,
    spec: SearchSpec,
    phase: Phase,
    keep_going: bool,
}

impl Scene {
    fn new(bench: Bench, prompts: &[&str]) -> Self {
        let mut matrix = matrix(prompts);
        let inputs = matrix.add_examples(&examples("source", 60));
        Self {
            bench,
            matrix,
            inputs,
            spec: SearchSpec::default(),
            phase: Phase::Screen,
            keep_going: false,
        }
    }

    fn race(&self, evaluations: usize, keep: usize) -> Race<'_> {
        Race {
            phase: self.phase,
            spec: &self.spec,
            inputs: &self.inputs,
            check: &[],
            pseudo_label_weight: 0.5,
            evaluations,
            keep,
            seed: 0,
            draws: 7,
            classes: true,
        }
    }

    async fn run(
        &mut self,
        evaluations: usize,
        keep: usize,
        entrants: &[CandidateIndex],
    ) -> Result<RaceResult, RunError> {
        let mut matrix = std::mem::take(&mut self.matrix);
        let context = EvalContext {
            keep_going: self.keep_going,
            ..self.bench.context(&Moods)
        };
        let race = self.race(evaluations, keep);
        let result = race.run(&mut matrix, context, entrants.to_vec()).await;
        self.matrix = matrix;
        result
    }
}

fn places(result: &RaceResult) -> Vec<CandidateIndex> {
    result.ranked.iter().map(|own| own.candidate).collect()
}

/// Candidates told of as evaluated, with their scores.
fn evaluated(bench: &Bench) -> Vec<(PromptId, f64)> {
    let told = bench.emitted().into_iter();
    told.filter_map(|event| match event {
        Event::Evaluated {
            candidate, score, ..
        } => Some((candidate, score)),
        _ => None,
    })
    .collect()
}

fn reasons(bench: &Bench) -> Vec<(PromptId, bool, String)> {
    let told = bench.emitted().into_iter();
    told.filter_map(|event| match event {
        Event::Decided {
            candidate,
            kept,
            reason,
        } => Some((candidate, kept, reason)),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn rules_spend_within_evaluations() {
    for rule in RULES {
        for evaluations in [0, 1, 7, 50, 130, 1000] {
            let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
            scene.spec.rule = rule;
            let result = scene.run(evaluations, 2, &[1, 2, 3]).await.unwrap();
            let asked = scene.bench.asked();
            assert!(
                asked.len() <= evaluations.min(PROMPTS.len() * 60),
                "{rule:?} with {evaluations}: {}",
                asked.len()
            );
            // Nothing is bought twice.
            let different: BTreeSet<&str> = asked.iter().map(text).collect();
            assert_eq!(different.len(), asked.len());
            assert!(result.affordable);
            assert!(result.ranked.len() <= 3);
        }
    }
}

#[tokio::test]
async fn best_and_seed_survive() {
    for rule in RULES {
        let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
        scene.spec.rule = rule;
        let result = scene.run(240, 2, &[1, 2, 3]).await.unwrap();
        let kept = places(&result);
        assert_eq!(kept.first(), Some(&2), "{rule:?}");
        assert!(kept.contains(&0) && kept.len() <= 3, "{rule:?}: {kept:?}");
        assert!(!result.reason.is_empty());
        let seed = scene.matrix.candidates[0].id;
        let told = reasons(&scene.bench);
        assert_eq!(told.len(), PROMPTS.len());
        let (_, is_kept, reason) = told.iter().find(|(id, ..)| *id == seed).unwrap();
        // Behind the best two it stays for being the seed.
        let is_told = reason.ends_with("the seed always stays");
        assert!(*is_kept && is_told == (kept.len() == 3), "{reason}");
        assert_eq!(told.iter().filter(|(_, kept, _)| *kept).count(), kept.len());
    }
}

#[tokio::test]
async fn entrant_order_changes_nothing() {
    let mut told = Vec::new();
    for entrants in [&[1, 2, 3][..], &[3, 0, 2, 1], &[2, 3, 1]] {
        let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
        let result = scene.run(100, 2, entrants).await.unwrap();
        told.push((result.ranked, scene.bench.emitted()));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

#[tokio::test]
async fn refused_candidate_takes_no_place() {
    let refuses = |call: &ModelCall| {
        if text(call).contains("at most") {
            return Err(LlmError::Request("flagged as unsafe".into()));
        }
        skilled(call)
    };
    let mut scene = Scene::new(Bench::new(refuses), &PROMPTS);
    scene.spec.rule = RuleName::Uniform;
    let result = scene.run(240, 2, &[1, 2, 3]).await.unwrap();
    // The best by skill was never answered: the next two are kept, and the seed.
    assert_eq!(places(&result), [3, 1, 0]);
    let refused = scene.matrix.candidates[2].id;
    let told = reasons(&scene.bench);
    let (_, kept, reason) = told.iter().find(|(id, ..)| *id == refused).unwrap();
    assert!(!kept);
    assert!(
        reason.ends_with("0 examples; not one of its answers can be scored"),
        "{reason}"
    );
    // Not even where there is room for everybody.
    let kept = scene.run(240, 4, &[1, 2, 3]).await.unwrap();
    assert_eq!(places(&kept), [3, 1, 0]);
}

/// What is known of prompts like it puts a refused prompt first, and does not keep it.
#[tokio::test]
async fn likeness_is_no_answer() {
    let refuses = |call: &ModelCall| {
        if text(call).contains("for certain") {
            return Err(LlmError::Request("flagged as unsafe".into()));
        }
        skilled(call)
    };
    let prompts = [
        "skill 20 in use today",
        "skill 95 as the rules of this shop say it",
        "skill 95 as the rules of this shop say it, for certain",
        "skill 25 of old",
    ];
    for rule in RULES {
        let mut scene = Scene::new(Bench::new(refuses), &prompts);
        scene.spec.rule = rule;
        for keep in [1, 4] {
            let result = scene.run(240, keep, &[1, 2, 3]).await.unwrap();
            let kept = places(&result);
            assert_eq!(kept[0], 1, "{rule:?}");
            assert!(!kept.contains(&2), "{rule:?}: {kept:?}");
            assert_eq!(kept.len(), if keep == 1 { 2 } else { 3 }, "{rule:?}");
        }
    }
}

/// A seed that the model refuses stays, behind whoever has a score.
#[tokio::test]
async fn refused_seed_wins_nothing() {
    let refuses = |refused: &'static str| {
        move |call: &ModelCall| {
            if text(call).contains(refused) {
                return Err(LlmError::Request("flagged as unsafe".into()));
            }
            skilled(call)
        }
    };
    for rule in RULES {
        // Prompts like it do well, so that its estimate is high.
        let prompts = ["skill 95 of today", "skill 95 of old", "skill 10 or so"];
        let mut scene = Scene::new(Bench::new(refuses("of today")), &prompts);
        scene.spec.rule = rule;
        let result = scene.run(180, 2, &[1, 2]).await.unwrap();
        assert_eq!(places(&result), [1, 2, 0], "{rule:?}");
        let mut scene = Scene::new(Bench::new(refuses("skill")), &prompts);
        scene.spec.rule = rule;
        scene.keep_going = true;
        let result = scene.run(180, 2, &[1, 2]).await.unwrap();
        assert!(result.ranked.is_empty(), "{rule:?}");
    }
}

#[tokio::test]
async fn budget_ends_race_early() {
    let mut scene = Scene::new(Bench::limited(30, skilled), &PROMPTS);
    let result = scene.run(200, 2, &[1, 2, 3]).await.unwrap();
    assert!(!result.affordable);
    assert!(scene.bench.gateway.spent().calls <= 30);
    assert!(places(&result).contains(&0), "what was bought still ranks");
    let mut scene = Scene::new(Bench::limited(0, skilled), &PROMPTS);
    let result = scene.run(200, 2, &[1, 2, 3]).await.unwrap();
    assert!(!result.affordable && result.ranked.is_empty());
    assert!(evaluated(&scene.bench).is_empty(), "no answer, no standing");
}

#[tokio::test]
async fn leaders_are_told_underway() {
    let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
    scene.spec.rule = RuleName::Racing;
    let result = scene.run(200, 1, &[1, 2, 3]).await.unwrap();
    let told = scene.bench.emitted();
    let leading = told.iter().filter_map(|event| match event {
        Event::Leading {
            candidate, calls, ..
        } => Some((*calls, *candidate)),
        _ => None,
    });
    let leading: Vec<(u64, PromptId)> = leading.collect();
    assert!((2..=25).contains(&leading.len()), "{leading:?}");
    assert!(leading.is_sorted_by_key(|(calls, _)| *calls));
    let winner = scene.matrix.candidates[places(&result)[0]].id;
    assert_eq!(leading.last().unwrap().1, winner);
}

#[tokio::test]
async fn known_answers_are_not_bought() {
    let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
    scene.spec.rule = RuleName::Uniform;
    scene.run(240, 4, &[1, 2, 3]).await.unwrap();
    assert_eq!(scene.bench.asked().len(), 240);
    let again = scene.run(240, 4, &[1, 2, 3]).await.unwrap();
    assert_eq!(scene.bench.asked().len(), 240);
    assert_eq!(places(&again), [2, 3, 1, 0]);
}

#[tokio::test]
async fn unreadable_race_stops_early() {
    let evades = |_: &ModelCall| Ok(Reply::text("It depends on whom you ask."));
    let mut scene = Scene::new(Bench::new(evades), &PROMPTS);
    let stop = scene.run(240, 2, &[1, 2, 3]).await.err().unwrap();
    assert!(matches!(stop, RunError::Unusable(_)), "{stop:?}");
    assert!(scene.bench.asked().len() <= 40);
    // Who goes on gets zeros, which are measured.
    let mut scene = Scene::new(Bench::new(evades), &PROMPTS);
    scene.keep_going = true;
    let result = scene.run(240, 2, &[1, 2, 3]).await.unwrap();
    assert!(result.ranked.iter().all(|own| own.score <= 0.0));
}

#[tokio::test]
async fn longer_prompts_pay_their_charge() {
    let long = format!("skill 70 {}", "as said before ".repeat(100));
    for price in [0.0, 10.0] {
        let mut scene = Scene::new(Bench::new(skilled), &["skill 70 in use", &long]);
        scene.spec.rule = RuleName::Uniform;
        scene.spec.length_price = price;
        let result = scene.run(120, 2, &[1]).await.unwrap();
        let score = |candidate| {
            let mut ranked = result.ranked.iter();
            ranked.find(|own| own.candidate == candidate).unwrap().score
        };
        let charge = |candidate: usize| {
            let prompt = &scene.matrix.candidates[candidate].prompt;
            scene.spec.length_charge(prompt.tokens())
        };
        let difference = (score(0) + charge(0)) - (score(1) + charge(1));
        assert!(difference.abs() < 1e-9, "{difference}");
        assert_eq!(charge(1) > 0.02, price > 0.0);
    }
}

#[test]
fn only_finals_count_tokens() {
    let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
    let lengths = |scene: &Scene| -> Vec<usize> {
        let problem = scene.race(10, 1).problem(&scene.matrix, &[0, 2], true);
        problem.lengths.iter().map(|own| own.tokens).collect()
    };
    assert_eq!(lengths(&scene), [0, 0]);
    scene.phase = Phase::Final;
    assert!(lengths(&scene).iter().all(|&tokens| tokens > 0));
}

#[test]
fn problem_has_role_per_group() {
    let mut scene = Scene::new(Bench::new(skilled), &PROMPTS);
    let target = scene.matrix.add_examples(&examples("target", 3));
    scene.inputs.truncate(2);
    scene.inputs.extend(target);
    let problem = scene.race(10, 1).problem(&scene.matrix, &[0, 1, 3], true);
    let groups: Vec<_> = problem
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.role, group.examples.clone()))
        .collect();
    assert_eq!(
        groups,
        [
            ("source", LabelRole::Source, vec![0, 1]),
            ("target", LabelRole::LabelledTarget, vec![2, 3, 4]),
        ]
    );
    assert!(problem.groups.iter().all(|group| group.weight == 1.0));
    assert_eq!((problem.candidates, &problem.keep[..]), (3, &[0][..]));
    // A seed that does not race cannot be kept.
    assert!(
        scene
            .race(10, 1)
            .problem(&scene.matrix, &[1], true)
            .keep
            .is_empty()
    );
}

/// However many voted groups there are, and however right the votes: together they weigh
/// no more than the groups whose labels are known.
#[test]
fn votes_never_outweigh_true_labels() {
    let scene = Scene::new(Bench::new(skilled), &PROMPTS);
    let groups = |known: usize, voted: usize| -> BTreeMap<(bool, usize), Vec<u32>> {
        let known = (0..known).map(|group| ((false, group), vec![0]));
        let voted = (0..voted).map(|group| ((true, group), vec![0]));
        known.chain(voted).collect()
    };
    let weight = |trust, known, voted| {
        let race = Race {
            pseudo_label_weight: trust,
            ..scene.race(10, 1)
        };
        race.voted_weight(&groups(known, voted))
    };
    assert_eq!(weight(0.9, 1, 3), 1.0 / 3.0);
    assert_eq!(weight(0.9, 2, 2), 0.9);
    assert_eq!(weight(0.1, 1, 3), 0.1);
    assert_eq!(weight(0.9, 0, 3), 0.0);
    assert_eq!(weight(0.9, 1, 0), 0.9);
}

/// Right on as many positive and negative inputs in a hundred as the prompt says.
fn leaning(call: &ModelCall) -> Result<Reply, LlmError> {
    let text = text(call);
    let number: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
    let word = text.split_whitespace().nth(1 + number % 2).unwrap();
    let skill: usize = word.parse().unwrap();
    let is_wrong = number / 2 * 37 % 100 >= skill;
    Ok(Reply::text(mood(number + usize::from(is_wrong))))
}

/// Where the target has mostly one class, the prompt that is right on that class leads,
/// without a label or an answer of the target.
#[tokio::test]
async fn stated_shares_decide_between_leanings() {
    const LEANINGS: [&str; 4] = ["lean 80 80", "lean 95 60", "lean 60 95", "lean 70 75"];
    for (positive, best) in [(0.95, 1), (0.05, 2)] {
        let mut scene = Scene::new(Bench::new(leaning), &LEANINGS);
        scene.matrix.target_shares = [("positive", positive), ("negative", 1.0 - positive)]
            .map(|(class, share)| (class.to_owned(), share))
            .into();
        let result = scene.run(240, 2, &[1, 2, 3]).await.unwrap();
        assert_eq!(places(&result)[0], best, "{positive}: {:?}", result.ranked);
    }
    // Shares of classes that no example has say nothing of those there are.
    let mut scene = Scene::new(Bench::new(leaning), &LEANINGS);
    scene.matrix.target_shares = [("mixed".to_owned(), 1.0)].into();
    let problem = scene.race(10, 1).problem(&scene.matrix, &[1, 2, 3], false);
    assert_eq!(problem.classes.unwrap().target_shares, None);
}

/// A model of this process is handed neighbours together, and no first portion.
#[tokio::test]
async fn embedded_models_race_alike() {
    let embedded = Capabilities {
        batch: 8,
        concurrency: 1,
        ..server()
    };
    let bench = Bench::with(embedded, BudgetLimits::default(), skilled);
    let (mut own, mut remote) = (
        Scene::new(bench, &PROMPTS),
        Scene::new(Bench::new(skilled), &PROMPTS),
    );
    let (a, b) = (
        own.run(120, 2, &[1, 2, 3]).await.unwrap(),
        remote.run(120, 2, &[1, 2, 3]).await.unwrap(),
    );
    assert_eq!(a.ranked, b.ranked);
    assert_eq!(evaluated(&own.bench), evaluated(&remote.bench));
}
