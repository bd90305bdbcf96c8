//! What contradicts itself or is missing, found before anything is opened or sent.

use std::sync::Arc;

use shiftproof_search::methods::SearchMethod;
use shiftproof_tasks::Task;

use super::builder::StorePlace;
use super::{ModelChoice, OptimizationBuilder, OptimizationError};
use crate::study::{budget_problem, model_problems};

/// Settings with what they cannot do without.
pub(super) struct CheckedSettings {
    pub settings: OptimizationBuilder,
    pub task: Arc<dyn Task>,
    pub model: ModelChoice,
    pub method: Arc<dyn SearchMethod>,
    pub store: StorePlace,
}

/// Collects every problem.
pub(super) fn check(
    mut settings: OptimizationBuilder,
) -> Result<CheckedSettings, OptimizationError> {
    let mut problems = settings.search.problems();
    name(&settings.name, &mut problems);
    data(&settings, &mut problems);
    money(&settings, &mut problems);
    if let Some((key, problem)) = budget_problem(&settings.budget) {
        problems.push(format!("budget.{key}: {problem}"));
    }
    for (at, prompt) in settings.prompts.iter().enumerate() {
        if prompt.trim().is_empty() {
            problems.push(format!("prompt {} of prompts is empty: remove it", at + 1));
        }
    }
    let (task, model) = (settings.task.take(), settings.model.take());
    for (what, model) in [("model", &model), ("proposer", &settings.proposer)] {
        named_model(what, model.as_ref(), &mut problems);
    }
    if let Some(task) = &task {
        task_problems(task.as_ref(), &mut problems);
    } else {
        problems.push("no task: say what is to be done with .task(…)".to_owned());
    }
    if model.is_none() {
        let help = "no model: name one with .model(\"openai:MODEL\"), or hand over your own with \
                    .model(ModelChoice::llm(…))";
        problems.push(help.to_owned());
    }
    if settings.store.is_none() {
        let help = "nowhere to keep what is paid for: name a folder with .store(…), or say \
                    .in_memory() where losing it is fine";
        problems.push(help.to_owned());
    }
    let named = settings.methods.get(settings.search.method.as_str());
    match &named {
        Ok(method) => problems.extend(method.problems(&settings.search)),
        Err(unknown) => problems.push(format!("no method is called {:?}; {unknown}", unknown.name)),
    }
    let store = settings.store.clone();
    match (task, model, named, store) {
        (Some(task), Some(model), Ok(method), Some(store)) if problems.is_empty() => {
            Ok(CheckedSettings {
                settings,
                task,
                model,
                method,
                store,
            })
        }
        _ => Err(OptimizationError::Settings { problems }),
    }
}

fn name(name: &str, problems: &mut Vec<String>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(is_plain) {
        problems.push(format!(
            "the name {name:?} must be 1 to 100 letters, digits, '-' and '_': runs and folders are \
             named after it"
        ));
    }
}

fn data(settings: &OptimizationBuilder, problems: &mut Vec<String>) {
    if settings.examples.is_empty() {
        let help = "no examples: hand over labelled ones of the source groups with .examples(…)";
        problems.push(help.to_owned());
    }
}

/// A limit in US dollars needs prices: those of the provider's list, or told ones.
fn money(settings: &OptimizationBuilder, problems: &mut Vec<String>) {
    let models = settings.model.iter().chain(&settings.proposer);
    let mut unpriced = models.filter(|model| model.own.is_some() && model.spec.price.is_none());
    if let (Some(usd), Some(model)) = (settings.budget.usd, unpriced.next()) {
        problems.push(format!(
            "a limit of {usd} US dollars cannot be kept, for nobody knows the price of {}: tell it \
             with .priced(Price::per_million(PROMPT, COMPLETION)), or limit calls or tokens",
            model.spec.name
        ));
    }
}

fn named_model(what: &str, model: Option<&ModelChoice>, problems: &mut Vec<String>) {
    let Some(model) = model.filter(|model| model.own.is_none()) else {
        return;
    };
    if let Err(unknown) = model.spec.provider() {
        problems.push(format!("{what}: {unknown}"));
        return;
    }
    let found = model_problems(&model.spec).into_iter();
    problems.extend(found.map(|(key, problem)| format!("{what}.{key}: {problem}")));
}

fn task_problems(task: &dyn Task, problems: &mut Vec<String>) {
    let metric = task.metric();
    if !metric.judges() {
        problems.push(format!(
            "the task's metric {metric} describes lists and says not which are right, so no prompt \
             can be chosen by it: ndcg, hr, recall or mrr can"
        ));
    }
    if task.grader().is_some() || task.renderer().is_some() {
        let help = "the task asks somebody to grade its answers or to render its requests, and a \
                    program that uses the library has nobody to ask: grade in Task::score, render in \
                    Task::request, or run a study of the program";
        problems.push(help.to_owned());
    }
    if task.seed().instruction.is_empty() {
        let help = "the task's seed prompt is empty: it is the prompt in use today";
        problems.push(help.to_owned());
    }
}
