use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_search::Call;
use shiftproof_search::budget::Spend;
use shiftproof_search::plan::PhasePlan;
use shiftproof_tasks::{Input, Message, Request};

use super::{fetch_progress, print, resolve, to_json};
use crate::cli;
use crate::exit::{Exit, Failure};
use crate::kinds::Kinds;
use crate::report::grouped;
use crate::session::Session;

/// What a run would ask and cost at most.
#[derive(Debug, Serialize)]
struct Plan {
    study: String,
    phases: Vec<PhasePlan>,
    calls: u64,
    tokens: u64,
    usd: f64,
}

pub(super) async fn run(args: &cli::Estimate, kinds: &Kinds) -> Result<Exit, Failure> {
    let resolved = resolve(&args.study, Some(&args.budget))?;
    let limits = resolved.study.budget;
    let mut progress = fetch_progress(false);
    let session = Session::prepare(resolved, &args.study.study, kinds, &mut progress).await?;
    let plan = estimate(&session);
    if args.json {
        print(&to_json(&plan)?)?;
        return Ok(Exit::Done);
    }
    let mut out = format!("{:10} {:>9} {:>9}  what\n", "phase", "proposer", "task");
    for phase in &plan.phases {
        let _ = writeln!(
            out,
            "{:10} {:>9} {:>9}  {}",
            phase.phase,
            grouped(phase.proposer_calls as u64),
            grouped(phase.task_calls as u64),
            phase.what
        );
    }
    let _ = writeln!(
        out,
        "\nAt most {} calls, about {} tokens, ${:.4}. Equal requests and stored answers cost nothing.",
        grouped(plan.calls),
        grouped(plan.tokens),
        plan.usd
    );
    for (what, limit, needed) in [
        (
            "calls",
            limits.calls.map(|limit| limit as f64),
            plan.calls as f64,
        ),
        (
            "tokens",
            limits.tokens.map(|limit| limit as f64),
            plan.tokens as f64,
        ),
        ("usd", limits.usd, plan.usd),
    ] {
        if let Some(limit) = limit
            && limit < needed
        {
            let _ = writeln!(
                out,
                "The budget allows {limit} {what}: the search will stop early and audit the best so far."
            );
        }
    }
    print(&out)?;
    Ok(Exit::Done)
}

/// Sizes are taken from the study's own data: the seed prompt on real inputs.
fn estimate(session: &Session) -> Plan {
    let task = session.built.task.as_ref();
    let data = &session.loaded.data;
    let task_model = &session.task_model.model;
    let proposer = session
        .proposer_model
        .as_ref()
        .map_or(task_model, |connected| &connected.model);
    let inputs: Vec<&Input> = data
        .source
        .validation
        .iter()
        .map(|example| &example.input)
        .chain(&data.target.inputs)
        .chain(data.audit.inputs())
        .collect();
    let seed = task.seed();
    let evaluation = mean(
        inputs
            .iter()
            .map(|input| task_model.worst_case(&Call::greedy(task.request(&seed, input), 1))),
    );
    let spec = &session.resolved.study.search;
    let mut shots = String::new();
    for example in data
        .source
        .train
        .iter()
        .take(spec.shots / spec.chunks.max(1))
    {
        let demonstration = task.demonstration(example);
        let _ = write!(
            shots,
            "Input: {}\nOutput: {}\n\n",
            demonstration.input, demonstration.answer
        );
    }
    let meta = Call::greedy(
        Request {
            messages: vec![Message::user(shots)],
            answer: shiftproof_tasks::AnswerForm::Text { max_tokens: 60 },
        },
        60,
    );
    let proposal = proposer.worst_case(&meta);
    let phases = session.plan();
    let mut total = Spend::default();
    for phase in &phases {
        total += times(proposal, phase.proposer_calls);
        total += times(evaluation, phase.task_calls);
    }
    Plan {
        study: session.resolved.study.name.clone(),
        calls: total.calls,
        tokens: total.tokens(),
        usd: total.usd(),
        phases,
    }
}

fn mean(amounts: impl Iterator<Item = Spend>) -> Spend {
    let (mut total, mut count) = (Spend::default(), 0);
    for amount in amounts {
        total += amount;
        count += 1;
    }
    let share = |amount: u64| amount.checked_div(count).unwrap_or(0);
    Spend {
        calls: 1,
        prompt_tokens: share(total.prompt_tokens),
        completion_tokens: share(total.completion_tokens),
        picodollars: share(total.picodollars),
    }
}

fn times(amount: Spend, count: usize) -> Spend {
    let count = count as u64;
    Spend {
        calls: amount.calls * count,
        prompt_tokens: amount.prompt_tokens * count,
        completion_tokens: amount.completion_tokens * count,
        picodollars: amount.picodollars * count,
    }
}
