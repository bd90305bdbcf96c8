mod judging;
mod pace;
mod probe;

use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_search::ModelCall;
use shiftproof_search::budget::{BudgetLimits, Spend};
use shiftproof_search::gateway::PricedModel;
use shiftproof_search::plan::PhasePlan;
use shiftproof_search::propose::expected_tokens;
use shiftproof_tasks::lint::LintSeverity;
use shiftproof_tasks::{
    AnswerForm, Input, Message, Prompt, Reply, Request, Task, Usage, evaluation_calls, text,
};

pub(super) use pace::priced;
use pace::{about, duration, lasting, money, pace};
use probe::ProbeResult;

use super::{judging, print, resolve};
use crate::cli;
use crate::exit::{ExitStatus, Failure};
use crate::gate::power;
use crate::llm::http::AbilityMode;
use crate::models::prices;
use crate::report::{grouped, to_json};
use crate::runs::session::{LoadedStudy, REHEARSED, StudySession};
use crate::study::task_registry::TaskRegistry;
use crate::study::{ModelSpec, Study};
use crate::wording::table::{TextColumn, TextTable};

/// What a run would ask and cost at most.
#[derive(Debug, Serialize)]
struct CostPlan {
    study: String,
    /// As they will be run: scaled down where the limit on calls is too low.
    phases: Vec<PhasePlan>,
    calls: u64,
    tokens: u64,
    /// Absent where a price is unknown.
    usd: Option<f64>,
    /// About, without waiting for a provider's batches.
    seconds: f64,
    /// What the time rests on.
    pace: String,
    /// What was assumed of the models, which are not asked.
    assumed: Vec<String>,
    /// Prices and where they come from, model by model.
    prices: Vec<String>,
    /// Whether the limit on calls scales the plan down.
    scaled: bool,
    /// Calls of the plan before that.
    whole_calls: u64,
    /// The smallest workable budget; absent where none would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    smallest: Option<SmallestLimits>,
    /// What can be foreseen beside the cost.
    notes: Vec<String>,
    /// What a probe found.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<ProbeResult>,
}

/// Limits below which not even the seed is sure to be evaluated and audited.
#[derive(Debug, Clone, Copy, Serialize)]
struct SmallestLimits {
    /// Calls.
    calls: u64,
    /// Tokens where every answer is as long as it may be.
    tokens: u64,
    /// Money, the same; absent where a price is unknown.
    usd: Option<f64>,
}

impl SmallestLimits {
    /// The plan's tokens are what is likely, and a limit has to hold the worst case.
    fn write(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "Smallest workable budget: {} calls (at worst {} tokens, {}: every answer as long as \
             it may be; the plan's figures are the likely ones).",
            grouped(self.calls),
            grouped(self.tokens),
            money(self.usd)
        );
    }
}

pub(super) async fn run(
    args: &cli::EstimateArgs,
    registry: &TaskRegistry,
) -> Result<ExitStatus, Failure> {
    let resolved = resolve(&args.study, Some(&args.budget), registry)?;
    let limits = resolved.study.budget;
    prices::affordable(&resolved.study)?;
    let path = &args.study.study;
    // Reading data and hashing cached files block.
    let session = tokio::task::block_in_place(|| StudySession::assume(resolved, path, registry))?;
    judging(session.built.task.as_ref(), &args.study.study)?;
    let mut plan = estimate(&session);
    if !args.json {
        print(&text(&plan, limits))?;
    }
    let mut probed = ExitStatus::Done;
    if let Some(examples) = args.probe {
        let Some(found) = probe::run(args, &session, examples.into(), registry).await? else {
            return Ok(ExitStatus::Interrupted);
        };
        if !found.complete {
            probed = ExitStatus::Budget;
        }
        plan.probe = Some(found);
    }
    if args.json {
        print(&to_json(&plan)?)?;
    } else if let Some(found) = &plan.probe {
        print(&found.text())?;
    }
    let works = |limit: Option<u64>, least: fn(&SmallestLimits) -> u64| {
        limit.is_none_or(|limit| plan.smallest.is_some_and(|s| limit >= least(&s)))
    };
    if works(limits.calls, |smallest| smallest.calls) {
        return Ok(probed);
    }
    // As the run itself ends where nothing is scored.
    Ok(ExitStatus::Budget)
}

fn text(plan: &CostPlan, limits: BudgetLimits) -> String {
    let calls = TextColumn::right().at_least(9).after(1);
    let phase = TextColumn::left().at_least(10);
    let mut phases = TextTable::new([phase, calls, calls, TextColumn::left()]);
    phases.row(["phase", "proposer", "task", "what"]);
    for phase in &plan.phases {
        phases.row([
            phase.phase.to_string(),
            grouped(phase.proposer_calls as u64),
            grouped(phase.task_calls as u64),
            phase.what.clone(),
        ]);
    }
    let unworkable = limits
        .calls
        .filter(|limit| plan.smallest.is_none_or(|s| *limit < s.calls));
    let any = limits.calls.is_some() || limits.tokens.is_some() || limits.usd.is_some();
    let smallest = plan.smallest.filter(|_| any);
    let mut out = String::new();
    // What makes the plan idle comes before it.
    if let Some(limit) = unworkable {
        let _ = writeln!(
            out,
            "budget.calls = {limit} is too low to be sure that even the seed prompt is evaluated and audited."
        );
        if let Some(smallest) = smallest {
            smallest.write(&mut out);
        }
        out.push_str("A run would not begin. What is left of the plan under this limit:\n\n");
    }
    out.push_str(&phases.text());
    let _ = writeln!(
        out,
        "\nAt most {} calls, about {} tokens, {}, {}. Equal requests cost nothing; stored answers count, and are not sent. What is cut off or declined is asked once more, on top of that.",
        grouped(plan.calls),
        grouped(plan.tokens),
        money(plan.usd),
        lasting(plan.seconds)
    );
    for line in std::iter::once(&plan.pace)
        .chain(&plan.prices)
        .chain(&plan.assumed)
    {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(limit) = limits.calls.filter(|_| plan.scaled && unworkable.is_none()) {
        let _ = writeln!(
            out,
            "The whole plan needs {} calls; budget.calls = {limit} scales it down to the one above.",
            grouped(plan.whole_calls)
        );
    }
    let (tokens, usd) = (plan.tokens as f64, plan.usd.unwrap_or(0.0));
    for (what, limit, needed) in [
        ("tokens", limits.tokens.map(|limit| limit as f64), tokens),
        ("usd", limits.usd, usd),
    ] {
        if let Some(limit) = limit
            && limit < needed
        {
            let _ = writeln!(
                out,
                "budget.{what} = {limit} is less: the search will stop early and audit the best so far."
            );
        }
    }
    if let Some(smallest) = smallest.filter(|_| unworkable.is_none()) {
        smallest.write(&mut out);
    }
    for note in &plan.notes {
        let _ = writeln!(out, "Note: {note}");
    }
    out
}

/// Requests at most that find out what a model's server can do; they count.
fn most_probes(spec: &ModelSpec) -> u64 {
    if spec
        .provider()
        .map_or(true, |provider| provider.server().is_none())
    {
        return 0;
    }
    // Once, then on the task's own inputs, where the answer may change the client.
    let scores = match spec.label_scores {
        AbilityMode::Off => 0,
        AbilityMode::On => 1,
        AbilityMode::Auto => 1 + REHEARSED as u64,
    };
    // In two forms; without it a short text tells how the model answers.
    let continued = if spec.prefill == AbilityMode::Off {
        1
    } else {
        2
    };
    // A model that turns out to reason first is asked once more, with room.
    scores + continued + u64::from(spec.thinking_tokens.is_none())
}

/// The same of all models of a study.
fn all_probes(study: &Study) -> u64 {
    study.models().map(most_probes).sum()
}

/// Refuses a limit on calls under which not even the seed prompt is sure to be scored:
/// an estimate says so for nothing, a run would after spending it.
pub(super) fn check_budget(loaded: &LoadedStudy) -> Result<(), Failure> {
    let study = &loaded.resolved.study;
    let Some(limit) = study.budget.calls else {
        return Ok(());
    };
    let smallest = loaded.plan().smallest;
    let smallest = smallest.map(|calls| calls + all_probes(study));
    let each = evaluation_calls(loaded.built.task.as_ref());
    let audit = 2 * loaded.loaded.data.audit.len() * each;
    let mend = match smallest {
        Some(least) if limit >= least => return Ok(()),
        Some(least) => format!(
            "{} calls are the smallest workable budget; set budget.calls or --max-calls to that or \
             more, or lower groups.audit: {} of them are the audit of two prompts",
            grouped(least),
            grouped(audit as u64)
        ),
        None => "no budget would do for this study".to_owned(),
    };
    Err(Failure::new(
        ExitStatus::Budget,
        format!(
            "the budget of {} calls is too low to be sure that even the seed prompt is evaluated and \
             audited; nothing was asked\n  {mend} (`shiftproof estimate` shows the plan)",
            grouped(limit)
        ),
    ))
}

/// Sizes are taken from the study's own data: the seed prompt on real inputs.
fn estimate(session: &StudySession) -> CostPlan {
    let ModelPrices {
        evaluation,
        reserved,
        proposal,
    } = prices(session);
    let fitted = session.plan();
    let (mut proposals, mut evaluations) = (Spend::default(), Spend::default());
    for phase in &fitted.phases {
        proposals += times(proposal, phase.proposer_calls);
        evaluations += times(evaluation, phase.task_calls);
    }
    let total = proposals + evaluations;
    let known = |spend: Spend| (spend.unpriced == 0).then(|| spend.usd());
    let study = &session.resolved.study;
    let proposer = study.proposer.as_ref().unwrap_or(&study.model);
    let seconds = duration(proposer, proposals) + duration(&study.model, evaluations);
    let probes = all_probes(study);
    let smallest = fitted.smallest.map(|calls| {
        let calls = calls + probes;
        let worst = times(reserved, calls as usize);
        SmallestLimits {
            calls,
            tokens: worst.tokens(),
            usd: known(worst),
        }
    });
    CostPlan {
        study: session.resolved.study.name.clone(),
        calls: total.calls,
        tokens: total.tokens(),
        usd: known(total),
        seconds,
        pace: pace(&study.model),
        assumed: std::iter::once(&session.task_model)
            .chain(&session.proposer_model)
            .chain(session.auxiliary_models.judge())
            .map(|connected| connected.report.clone())
            .collect(),
        prices: priced(study),
        scaled: fitted.scaled,
        whole_calls: fitted.whole,
        smallest,
        notes: notes(session),
        probe: None,
        phases: fitted.phases,
    }
}

/// Warnings about the data, then what can be foreseen.
fn notes(session: &StudySession) -> Vec<String> {
    let findings = session.loaded.findings.iter();
    let warnings = findings.filter(|finding| finding.severity == LintSeverity::Warning);
    let mut notes: Vec<String> = warnings.map(ToString::to_string).collect();
    notes.extend(session.foreseen());
    notes.extend(power::told(&session.loaded.groups));
    notes
}

/// The calls of one evaluation in which every reply is the first that is asked
/// for: all labels, titles and turns have about the length they will have.
fn rehearsed(task: &dyn Task, prompt: &Prompt, input: &Input) -> Vec<ModelCall> {
    let mut replies = Vec::new();
    let mut calls = Vec::new();
    let mut next = Some(task.request(prompt, input));
    while let Some(request) = next {
        let (reply, written) = match &request.answer {
            AnswerForm::Choice { labels } | AnswerForm::MultipleChoice { labels, .. } => {
                (labels.first().cloned().unwrap_or_default(), 1)
            }
            AnswerForm::Number { min, .. } => (min.to_string(), 2),
            AnswerForm::Ranking { candidates } => {
                let list = candidates.join("\n");
                let tokens = list.len() / 3;
                (list, tokens)
            }
            AnswerForm::Likelihood { candidates, .. } => (candidates.join("\n"), 0),
            AnswerForm::Nearest { .. } => (String::new(), 0),
            AnswerForm::Json { schema, .. } => (String::new(), schema.to_string().len() / 4),
            AnswerForm::Text { max_tokens } => {
                let answers = task.answer_form(input);
                let first = answers.candidates().and_then(<[String]>::first);
                (first.cloned().unwrap_or_default(), *max_tokens as usize / 2)
            }
        };
        calls.push(ModelCall::greedy(request, written as u32));
        replies.push(Reply::text(reply));
        next = (replies.len() < task.calls())
            .then(|| task.next(prompt, input, &replies))
            .flatten();
    }
    calls
}

/// Bytes of prompts that a request shows at most, about, where it shows several.
const SHOWN_BYTES: usize = 4 * 6000;
/// Tokens of thoughts that an answer takes, about, where a model has more room.
const THOUGHTS: u32 = 1024;

/// What one of each costs.
struct ModelPrices {
    /// An evaluation, about.
    evaluation: Spend,
    /// What a budget sets aside for one: an overestimate.
    reserved: Spend,
    /// A proposal, about.
    proposal: Spend,
}

/// What a call costs that is answered with as many tokens as it has room for, and
/// thoughts.
fn cost(model: &PricedModel, spec: &ModelSpec, call: &ModelCall) -> Spend {
    let thoughts = model.llm.capabilities().thinking_tokens.min(THOUGHTS);
    model.price.spend(&Usage {
        prompt_tokens: about(&call.request),
        completion_tokens: u64::from(call.sampling.max_tokens + thoughts),
        batched: !spec.batch.is_off(),
        ..Usage::default()
    })
}

/// What evaluations and proposals cost.
fn prices(session: &StudySession) -> ModelPrices {
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
    let study = &session.resolved.study;
    let examples = data.source.train.iter();
    let shown = session.method.shown();
    let typical = seed.clone().with_demonstrations(
        examples
            .take(shown.demonstrations)
            .map(|example| task.demonstration(example))
            .collect(),
    );
    let calls: Vec<ModelCall> = inputs
        .iter()
        .flat_map(|input| rehearsed(task, &typical, input))
        .collect();
    let graded = judging::grades(session, &inputs);
    let evaluation = mean(
        calls
            .iter()
            .map(|call| cost(task_model, &study.model, call))
            .chain(graded.iter().map(|(about, _)| *about)),
    );
    let reserved = mean(
        calls
            .iter()
            .map(|call| task_model.worst_case(call))
            .chain(graded.iter().map(|(_, worst)| *worst)),
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
    let human = session.resolved.study.prompts.iter().map(String::as_str);
    let longest = human
        .chain([seed.instruction.as_str()])
        .max_by_key(|text| text.len())
        .unwrap_or_default();
    // What is asked beside the examples: the task's rules, every second time the
    // prompt in use.
    for _ in 0..shown.prompts.min(1 + SHOWN_BYTES / longest.len().max(1)) {
        shots.push_str(longest);
    }
    shots.push_str(&" ".repeat(1200));
    let capabilities = proposer.llm.capabilities();
    // What bounds the task's answers does not bound proposals.
    let bound = study.proposer.as_ref().and_then(|spec| spec.max_tokens);
    let written = match bound {
        // One line each, or a whole prompt: only the run itself finds out.
        _ if capabilities.prefill && capabilities.batch > 1 => 60,
        set => {
            let expected = expected_tokens(text::tokens(longest)) + capabilities.thinking_tokens;
            set.map_or(expected, |most| most.min(expected))
        }
    };
    let meta = ModelCall::greedy(
        Request {
            messages: vec![Message::user(shots)],
            answer: AnswerForm::Text {
                max_tokens: written,
            },
        },
        written,
    );
    let spec = study.proposer.as_ref().unwrap_or(&study.model);
    ModelPrices {
        evaluation,
        reserved,
        proposal: cost(proposer, spec, &meta),
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
        unpriced: share(total.unpriced),
        estimated: share(total.estimated),
    }
}

fn times(amount: Spend, count: usize) -> Spend {
    let count = count as u64;
    Spend {
        calls: amount.calls.saturating_mul(count),
        prompt_tokens: amount.prompt_tokens.saturating_mul(count),
        completion_tokens: amount.completion_tokens.saturating_mul(count),
        picodollars: amount.picodollars.saturating_mul(count),
        unpriced: amount.unpriced.saturating_mul(count),
        estimated: amount.estimated.saturating_mul(count),
    }
}
