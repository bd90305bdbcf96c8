//! Ranking a whole catalogue by likelihood: each user's context computed once for all titles,
//! against once for every title, side by side in one run.
//!
//! `cargo bench --bench rank -- MODEL.gguf [--threads N] [--titles N] [--users N]`
//!
//! Prints titles per second either way, their ratio and the largest difference of two scores.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints and may fail loudly"
)]

use shiftproof::llm::embedded::{ChatPrompt, ChatRole, Engine, EngineOptions};
use std::time::Instant;

/// As many as `ML-100K` has.
const TITLES: usize = 1682;
/// Titles scored one by one; the rest would only repeat them.
const UNSHARED: usize = 24;

fn main() {
    let mut model = None;
    let mut options = EngineOptions::default();
    let (mut count, mut users) = (TITLES, 2);
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--threads" => options.threads = args.next().unwrap().parse().unwrap(),
            "--users" => users = args.next().unwrap().parse().unwrap(),
            "--titles" => count = args.next().unwrap().parse().unwrap(),
            _ => model = Some(arg),
        }
    }
    let Some(model) = model else {
        println!("rank: pass a GGUF file to measure: cargo bench --bench rank -- MODEL.gguf");
        return;
    };
    let shared = Engine::load(&model, options.clone()).unwrap();
    // Without a memory for prefixes, a title scored alone shares nothing.
    let plain = Engine::load(
        &model,
        EngineOptions {
            prefix_bytes: 0,
            ..options
        },
    )
    .unwrap();
    let titles = titles(count);
    let (mut shared_rate, mut plain_rate, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    let mut context = 0;
    for user in 0..users {
        let chat = chat(user, &titles);
        let start = Instant::now();
        let scored = shared.score_each(&[(chat.clone(), titles.clone())]);
        let scored = scored.into_iter().next().unwrap().unwrap();
        shared_rate.push(titles.len() as f64 / start.elapsed().as_secs_f64());
        context = scored.prompt_tokens;

        let step = (titles.len() / UNSHARED).max(1);
        let start = Instant::now();
        let mut done = 0;
        for (title, expected) in titles.iter().zip(&scored.logprobs).step_by(step) {
            let alone = plain.score_each(&[(chat.clone(), vec![title.clone()])]);
            let alone = alone.into_iter().next().unwrap().unwrap();
            worst = worst.max((alone.logprobs[0] - expected).abs());
            done += 1;
        }
        plain_rate.push(f64::from(done) / start.elapsed().as_secs_f64());
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let (shared_rate, plain_rate) = (mean(&shared_rate), mean(&plain_rate));
    println!(
        "{} titles after {context} tokens of context, {} threads",
        titles.len(),
        shared.threads()
    );
    println!("context once        {shared_rate:8.1} titles/s");
    println!("context per title   {plain_rate:8.1} titles/s");
    println!("ratio               {:8.1}x", shared_rate / plain_rate);
    println!("largest difference of two scores {worst:.1e}");
    assert!(worst < 1e-4, "sharing the context changed a score");
}

/// Titles as catalogues have them: some long, some short, many that begin alike.
fn titles(count: usize) -> Vec<String> {
    let heads = [
        "The",
        "A",
        "Last",
        "My Own Private",
        "Return of the",
        "Seven",
    ];
    let nouns = [
        "River",
        "Winter",
        "Detective",
        "Garden",
        "Empire",
        "Stranger",
        "Piano",
        "Heat",
        "Voyage",
        "Daughter",
        "Mountain",
        "Carnival",
    ];
    let tails = [
        "",
        " II",
        " in Paris",
        " of the Night",
        ": The Beginning",
        " and Me",
    ];
    (0..count)
        .map(|n| {
            let head = heads[n % heads.len()];
            let noun = nouns[n / heads.len() % nouns.len()];
            let tail = tails[n / (heads.len() * nouns.len()) % tails.len()];
            // They go on from a begun sentence.
            format!(" {head} {noun}{tail} ({})", 1930 + n % 68)
        })
        .collect()
}

fn chat(user: usize, titles: &[String]) -> ChatPrompt {
    let history: Vec<String> = (1..=10)
        .map(|n| format!("{n}.{}", titles[(n * 131 + user * 37) % titles.len()]))
        .collect();
    ChatPrompt::default()
        .with(
            ChatRole::User,
            format!(
                "Name the film that this viewer will watch next.\n\nThe user watched before, \
                 oldest first:\n{}",
                history.join("\n")
            ),
        )
        .with(ChatRole::Assistant, "The viewer will next watch")
}
