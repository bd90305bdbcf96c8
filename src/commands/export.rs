use std::path::Path;

use shiftproof_tasks::{
    ClassifySpec, ExtractSpec, ExtractTask, FieldTemplate, GenerateSpec, Prompt, PromptId, Task,
    places,
};

use super::{fetch_progress, note, print_for_tools};
use crate::cli::{ExportArgs, ExportFormat};
use crate::exit::{ExitStatus, Failure};
use crate::interop::export::{ExportedPrompt, PromptUsage, dspy_signature};
use crate::report::{CandidateStanding, NamedRun, RunSummary};
use crate::runs::session;
use crate::runs::stored;
use crate::shared;
use crate::study::task_registry::{self, TaskRegistry};
use crate::study::{AugmentSpec, ResolvedStudy, Study};
use crate::wording::shown::argument;

pub(super) fn run(args: &ExportArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    shared::fetch_runs(&args.store.store, [args.run.as_str()])?;
    let folder = stored::folder(&args.store.store, &args.run)?;
    let run = stored::read(&folder)?;
    let (id, standing) = chosen(&run, &args.store.store, args.prompt.as_deref())?;
    let shape = if let Some(resolved) = study(args, &folder, &run.summary)? {
        shape(
            &resolved,
            registry,
            args.format,
            &standing.prompt.instruction,
        )?
    } else {
        if !matches!(args.format, ExportFormat::Text | ExportFormat::Json) {
            note(
                "no study is kept beside this run: inputs are called `input`, and there are no \
                 tests; --study names the study",
            );
        }
        PromptUsage::plain()
    };
    let exported = ExportedPrompt {
        run: &run.name,
        summary: &run.summary,
        id,
        standing,
        shape,
    };
    let text = exported.write(args.format)?;
    let proof = exported.proof();
    if !proof.proven && !proof.seed {
        note(&format!(
            "prompt {id:#} of {} is not proven: {}",
            run.name, proof.sentence
        ));
    }
    if let Some(told) = exported.shape.relies_on() {
        note(&format!("prompt {id:#} of {}: {told}", run.name));
    }
    match &args.output {
        Some(path) => {
            super::write(path, &text)?;
            note(&format!("wrote {}", path.display()));
            tell_use(args.format, &exported.shape, path);
        }
        None => print_for_tools(&text)?,
    }
    Ok(ExitStatus::Done)
}

/// How the file is read, for forms that need more than a path.
fn tell_use(format: ExportFormat, shape: &PromptUsage, path: &Path) {
    let path = path.display();
    match format {
        ExportFormat::Promptfoo => note(&format!("use it: promptfoo eval -c {path}")),
        ExportFormat::Dspy => note(&format!(
            "use it: predict = dspy.Predict(\"{}\"); predict.load(\"{path}\")",
            dspy_signature(shape)
        )),
        ExportFormat::Langchain => note(&format!(
            "use it: langchain_core.load.loads(open(\"{path}\").read())"
        )),
        ExportFormat::Text | ExportFormat::Json => {}
    }
}

/// The candidate asked for, or the selected one.
fn chosen<'a>(
    run: &'a NamedRun,
    store: &Path,
    asked: Option<&str>,
) -> Result<(PromptId, &'a CandidateStanding), Failure> {
    let (summary, run) = (&run.summary, &run.name);
    let listing = format!(
        "`shiftproof report {}{} -o report.html`",
        argument(run),
        stored::store_flag(store)
    );
    let Some(asked) = asked else {
        return summary
            .selected
            .and_then(|id| Some((id, summary.candidates.get(&id)?)))
            .ok_or_else(|| {
                Failure::usage(format!(
                    "the run {run} has not selected a prompt yet; --prompt ID names a candidate \
                     ({listing} lists them)"
                ))
            });
    };
    let role = match asked {
        "seed" => Some(summary.seed()),
        "selected" => Some(summary.selected),
        _ => None,
    };
    if let Some(id) = role {
        return id
            .and_then(|id| Some((id, summary.candidates.get(&id)?)))
            .ok_or_else(|| Failure::usage(format!("the run {run} has no {asked} prompt yet")));
    }
    let found: Vec<(PromptId, &CandidateStanding)> = summary
        .candidates
        .iter()
        .filter(|(id, _)| id.to_string().starts_with(asked) && !asked.is_empty())
        .map(|(id, standing)| (*id, standing))
        .collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Failure::usage(format!(
            "no candidate of {run} has an id that begins with {asked:?} \
             ({listing} lists them)"
        ))),
        several => Err(Failure::usage(format!(
            "{} candidates of {run} have ids that begin with {asked:?}: write more of it",
            several.len()
        ))),
    }
}

/// The study named, or the one kept beside the log.
fn study(
    args: &ExportArgs,
    folder: &Path,
    summary: &RunSummary,
) -> Result<Option<ResolvedStudy>, Failure> {
    let Some(path) = &args.study else {
        return stored::study(folder);
    };
    let study = Study::read(path)?;
    let started = summary.started.as_ref();
    if let Some(started) = started.filter(|started| started.study != study.name) {
        note(&format!(
            "the run is of the study {}, {} is called {}",
            started.study,
            path.display(),
            study.name
        ));
    }
    let folder = path.parent().map_or_else(Default::default, Path::to_owned);
    let seed = started.map_or(1, |started| started.seed);
    Ok(Some(ResolvedStudy::new(study, folder, seed)))
}

/// What the study says of inputs and answers; its source examples only where
/// the form has a place for them.
fn shape(
    resolved: &ResolvedStudy,
    kinds: &TaskRegistry,
    format: ExportFormat,
    prompt: &str,
) -> Result<PromptUsage, Failure> {
    let study = &resolved.study;
    let mut options = study.task.clone();
    let kind = options.remove("kind");
    let frame = task_registry::frame(&mut options, Path::new("the study"))?;
    let kind = kind.as_ref().and_then(toml::Value::as_str);
    let declared = declared(kind.unwrap_or_default(), options, prompt);
    let mut shape = PromptUsage {
        model: Some(study.model.clone()),
        frame,
        knowledge: study
            .augment
            .as_ref()
            .map(AugmentSpec::written)
            .unwrap_or_default(),
        ..PromptUsage::plain()
    };
    if let Some(declared) = &declared {
        shape.template =
            FieldTemplate::new(&declared.input).map_err(Failure::from_error(ExitStatus::Usage))?;
        shape.labels.clone_from(&declared.labels);
        shape.form.clone_from(&declared.form);
        let shown = shape.template.fields().into_iter().map(str::to_owned);
        shape.fields = shown.chain(study.data.columns.fields.clone()).collect();
    }
    // Columns that a prompt shows and the study does not name are in the data.
    let is_known = |name: &str| shape.fields.iter().any(|field| field == name);
    let strange = declared.is_some() && !places::strangers(prompt, &is_known).is_empty();
    if format != ExportFormat::Promptfoo && !strange {
        keep_placed(&mut shape, prompt);
        return Ok(shape);
    }
    match session::load(
        resolved,
        Path::new("the study"),
        kinds,
        &mut fetch_progress(false),
    ) {
        Ok((built, loaded)) => {
            let source = loaded.data.source;
            shape.examples = source.train.into_iter().chain(source.validation).collect();
            if let Some(example) = shape.examples.first().filter(|_| declared.is_some()) {
                shape.fields = example.input.fields.keys().cloned().collect();
            }
            keep_placed(&mut shape, prompt);
            if declared.is_none() {
                // A task written in Rust renders its inputs itself.
                for example in &mut shape.examples {
                    let shown = built.task.render(&example.input);
                    example.input.fields.insert("input".into(), shown);
                }
            }
        }
        Err(failure) => note(&format!(
            "no tests are written, for the study's data cannot be read: {}",
            failure.message
        )),
    }
    Ok(shape)
}

/// What a study without Rust says of inputs and answers.
struct DeclaredUsage {
    input: String,
    labels: Vec<String>,
    form: Option<String>,
}

/// `None` where the task is of another kind.
fn declared(kind: &str, options: toml::Table, prompt: &str) -> Option<DeclaredUsage> {
    Some(match kind {
        "classify" => {
            let spec: ClassifySpec = options.try_into().ok()?;
            DeclaredUsage {
                input: spec.input,
                labels: spec.labels,
                form: None,
            }
        }
        "extract" => {
            let spec: ExtractSpec = options.try_into().ok()?;
            let input = spec.input.clone();
            let task = ExtractTask::new("", spec).ok()?;
            DeclaredUsage {
                input,
                labels: Vec::new(),
                form: task.form_in_words(&Prompt::new(prompt)),
            }
        }
        "generate" => {
            let spec: GenerateSpec = options.try_into().ok()?;
            DeclaredUsage {
                input: spec.input,
                labels: Vec::new(),
                form: None,
            }
        }
        _ => return None,
    })
}

/// Leaves the fields that prompt or system text really show.
fn keep_placed(shape: &mut PromptUsage, prompt: &str) {
    let system = shape.frame.system.clone().unwrap_or_default();
    shape.fields.retain(|field| {
        let is_field = |name: &str| name == field;
        [prompt, system.as_str()]
            .iter()
            .any(|text| !places::fields(text, &is_field).is_empty())
    });
}
