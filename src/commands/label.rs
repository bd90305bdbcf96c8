use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use shiftproof_search::event::{AuditedPrompt, Event};
use shiftproof_search::seeds;
use shiftproof_search::select::{
    GroupKnowledge, LabelReason, LabelRequest, OpenInput, choose_inputs,
};
use shiftproof_tasks::{AnswerForm, DataTable, Input, Label};

use super::{fetch_progress, note, print, write};
use crate::cli::LabelArgs;
use crate::exit::{ExitStatus, Failure};
use crate::labels::{HandLabel, ImportGround, LabelDraw, LabelFile, export, import, same_rows};
use crate::report::RunSummary;
use crate::runs::session::load;
use crate::runs::stored;
use crate::study::task_registry::{TaskInstance, TaskRegistry};
use crate::study::{LoadedData, ResolvedStudy, Study, table_columns};
use crate::tui;
use crate::wording::shown::{argument, line};
use crate::wording::table::{TextColumn, TextTable, cut};

/// What is labelled: a study with its data, and the run that says what is unclear.
struct LabelGround {
    /// The study's file.
    path: PathBuf,
    resolved: ResolvedStudy,
    built: TaskInstance,
    loaded: LoadedData,
    file: LabelFile,
    known: Vec<HandLabel>,
    /// Inputs that may be labelled.
    open: Vec<Input>,
    /// The run that a later one goes on from.
    latest: Option<String>,
    /// What it says of the inputs; nothing of those of a batch, which it never saw.
    run: Option<AskedRun>,
    /// The flag that names the store in a printed command.
    flag: String,
}

/// What a run says of target inputs.
struct AskedRun {
    name: String,
    summary: RunSummary,
    /// Answers by group and input, each with how many prompts gave it.
    votes: BTreeMap<(String, String), BTreeMap<String, u32>>,
}

pub(super) fn run(args: &LabelArgs, registry: &TaskRegistry) -> Result<ExitStatus, Failure> {
    let ground = LabelGround::of(args, registry)?;
    if let Some(path) = &args.import {
        return ground.import(path);
    }
    let wanted = ground.choose(args);
    if wanted.is_empty() {
        note("no target input is left to be labelled");
        return Ok(ExitStatus::Done);
    }
    if let Some(path) = &args.export {
        write(path, &export(&wanted)?)?;
        note(&format!(
            "{} inputs are in {}: fill in the column \"label\" ({}), then: shiftproof label {}{} \
             --import {}{}",
            wanted.len(),
            path.display(),
            ground.answers(),
            argument(&args.subject),
            args.batch.as_deref().map_or_else(String::new, |batch| {
                format!(" --batch {}", argument(&batch.display().to_string()))
            }),
            argument(&path.display().to_string()),
            ground.flag
        ));
        return Ok(ExitStatus::Done);
    }
    if args.list || !tui::fits() {
        print(&ground.listed(&wanted))?;
        if !args.list {
            note(
                "there is no terminal to label in; --export FILE writes the inputs to a file to be \
                 filled in",
            );
        }
        return Ok(ExitStatus::Done);
    }
    let keys = ground.keys()?;
    let cards = wanted.into_iter().map(|label| {
        let votes = ground.votes(&label.input);
        let text = ground.built.task.render(&label.input);
        tui::LabelCard { label, text, votes }
    });
    let given = tui::label(
        &ground.resolved.study.name,
        cards.collect(),
        keys,
        &ground.file,
    )?;
    ground.told(given);
    Ok(ExitStatus::Done)
}

impl LabelGround {
    fn of(args: &LabelArgs, registry: &TaskRegistry) -> Result<Self, Failure> {
        let store = &args.store.store;
        let path = PathBuf::from(&args.subject);
        let is_study = path.extension().is_some_and(|end| end == "toml") || path.is_file();
        let (resolved, path, run) = if is_study {
            let study = Study::read(&path)?;
            let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
            let run = stored::latest_of(store, &study.name);
            let seed = match &run {
                Some(folder) => stored::study(folder)?.map_or(1, |begun| begun.seed),
                None => 1,
            };
            (ResolvedStudy::new(study, folder, seed), path, run)
        } else {
            let run = stored::folder(store, &args.subject)?;
            let begun = stored::study(&run)?.ok_or_else(|| {
                Failure::usage(format!(
                    "the run {} keeps no study; name the study's file instead",
                    args.subject
                ))
            })?;
            let path = begun.folder.join(format!("{}.toml", begun.study.name));
            let resolved = ResolvedStudy::new(begun.study, begun.folder, begun.seed);
            (resolved, path, Some(run))
        };
        let resolved = resolved.with_labels()?;
        let file = resolved.label_file();
        let known = file.read()?;
        let (built, loaded) = load(&resolved, &path, registry, &mut fetch_progress(false))?;
        let mut open = match &args.batch {
            Some(batch) => batch_inputs(batch, &resolved, &built, &loaded)?,
            None => loaded.data.target.inputs.clone(),
        };
        let targets: Vec<&str> = targets(&loaded).collect();
        if let Some(name) = args
            .group
            .iter()
            .find(|name| !targets.contains(&name.as_str()))
        {
            return Err(Failure::usage(format!(
                "--group names {name:?}, which is no target group of the study; there is {}",
                targets.join(", ")
            )));
        }
        // A text of the sealed audit is none that a search may see.
        let sealed: BTreeSet<String> = loaded
            .data
            .audit
            .inputs()
            .map(|input| built.task.render(input))
            .collect();
        open.retain(|input| !sealed.contains(&built.task.render(input)));
        open.retain(|input| args.group.is_empty() || args.group.contains(&input.group));
        open.retain(|input| !known.iter().any(|label| same_rows(&label.input, input)));
        let run = run.as_deref().map(AskedRun::read).transpose()?;
        Ok(Self {
            path,
            resolved,
            built,
            loaded,
            file,
            known,
            open,
            latest: run.as_ref().map(|run| run.name.clone()),
            run: run.filter(|_| args.batch.is_none()),
            flag: stored::store_flag(store),
        })
    }

    /// The inputs worth a label, each with the reason.
    fn choose(&self, args: &LabelArgs) -> Vec<HandLabel> {
        let targets: Vec<&str> = targets(&self.loaded).collect();
        let group = |input: &Input| targets.iter().position(|name| *name == input.group);
        let (inputs, open): (Vec<&Input>, Vec<OpenInput>) = self
            .open
            .iter()
            .filter_map(|input| {
                let votes = self.votes(input).into_iter().map(|(_, votes)| votes);
                let open = OpenInput {
                    group: group(input)?,
                    votes: votes.collect(),
                    draws: ["label at random", "label by votes"].map(|name| {
                        uniform(seeds::number(
                            self.resolved.seed,
                            &format!("{name} {}", input.id),
                        ))
                    }),
                };
                Some((input, open))
            })
            .unzip();
        let groups: Vec<GroupKnowledge> = targets.iter().map(|name| self.knowledge(name)).collect();
        let chosen = choose_inputs(&open, &groups, args.count);
        let label = |request: &LabelRequest| HandLabel {
            input: inputs[request.input].clone(),
            label: String::new(),
            draw: match request.reason {
                LabelReason::Sample => LabelDraw::Random,
                LabelReason::Disagreement { .. } => LabelDraw::Chosen,
            },
            reason: Self::reason(request.reason, &groups[open[request.input].group]),
            place: String::new(),
        };
        chosen.iter().map(label).collect()
    }

    /// What is known of a target group before a label is given.
    fn knowledge(&self, group: &str) -> GroupKnowledge {
        let labelled = self.loaded.data.labelled_target.inputs();
        let audited = self
            .run
            .as_ref()
            .and_then(|run| run.summary.audited(AuditedPrompt::Selected));
        let score = audited
            .and_then(|groups| groups.iter().find(|own| own.group == group))
            .filter(|own| own.n > 0)
            .and_then(|own| own.value);
        GroupKnowledge {
            labels: labelled.filter(|input| input.group == group).count(),
            score,
        }
    }

    /// Why this input, for people.
    fn reason(reason: LabelReason, group: &GroupKnowledge) -> String {
        let known = match group.score {
            Some(score) => format!(
                "group of {} labels and a score of {:.0}%",
                group.labels,
                score * 100.0
            ),
            None => format!("group of {} labels, no audited score known", group.labels),
        };
        match reason {
            LabelReason::Disagreement { share, votes } => format!(
                "prompts disagree: {} of {votes} give the commonest answer; {known}",
                (share * f64::from(votes)).round()
            ),
            LabelReason::Sample => format!("drawn at random, for class shares; {known}"),
        }
    }

    fn votes(&self, input: &Input) -> Vec<(String, u32)> {
        let key = (input.group.clone(), input.id.clone());
        let votes = self.run.as_ref().and_then(|run| run.votes.get(&key));
        let mut votes: Vec<(String, u32)> = votes
            .into_iter()
            .flatten()
            .map(|(answer, count)| (answer.clone(), *count))
            .collect();
        votes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        votes
    }

    fn form(&self) -> AnswerForm {
        self.built.task.answer_form(&Input::new("", ""))
    }

    /// What may stand in the column of labels.
    fn answers(&self) -> String {
        if self.built.task.options().is_some() {
            return "the letter of an option".to_owned();
        }
        match self.form() {
            AnswerForm::Choice { labels } => labels.join(", "),
            AnswerForm::Number { min, max } => format!("a number from {min} to {max}"),
            _ => String::new(),
        }
    }

    /// The labels that a key each is given to.
    fn keys(&self) -> Result<Vec<(char, String)>, Failure> {
        let labels = match self.form() {
            AnswerForm::Choice { labels } => labels,
            AnswerForm::Number { min, max } if max - min < 10.0 && min.fract() == 0.0 => {
                let steps = (max - min) as u32;
                (0..=steps)
                    .map(|step| (min + f64::from(step)).to_string())
                    .collect()
            }
            _ => Vec::new(),
        };
        let keys = tui::label_keys(labels.len());
        if labels.is_empty() || keys.len() < labels.len() {
            return Err(Failure::usage(
                "the task's labels do not fit a key each; use --export FILE, fill the file in, and \
                 --import it",
            ));
        }
        Ok(keys.into_iter().zip(labels).collect())
    }

    fn listed(&self, wanted: &[HandLabel]) -> String {
        let mut table = TextTable::new([
            TextColumn::left(),
            TextColumn::left(),
            TextColumn::left(),
            TextColumn::left(),
        ]);
        table.row(["group", "id", "why", "input"].map(str::to_owned));
        for label in wanted {
            let text = self.built.task.render(&label.input);
            table.row([
                line(&label.input.group),
                line(&label.input.id),
                line(&label.reason),
                cut(&line(&text), 60),
            ]);
        }
        table.text()
    }

    fn import(&self, path: &Path) -> Result<ExitStatus, Failure> {
        let sealed: BTreeSet<&str> = self
            .loaded
            .data
            .audit
            .inputs()
            .map(|i| i.id.as_str())
            .collect();
        let imported = import(
            path,
            &ImportGround {
                form: &|input| self.built.task.answer_form(input),
                open: &self.open,
                sealed: &|id| sealed.contains(id),
                known: &self.known,
            },
        )?;
        if !imported.fresh.is_empty() {
            self.file.add(&imported.fresh)?;
        }
        if imported.blank + imported.same > 0 {
            note(&format!(
                "{}: {} lines without a label, {} labels that were known",
                path.display(),
                imported.blank,
                imported.same
            ));
        }
        self.told(imported.fresh.len());
        Ok(ExitStatus::Done)
    }

    /// What there is now, and how to go on.
    fn told(&self, given: usize) {
        let all = self.known.len() + given;
        let on = match &self.latest {
            Some(run) => format!(" --continue {run}"),
            None => String::new(),
        };
        let added = match given {
            1 => "1 label was added".to_owned(),
            given => format!("{given} labels were added"),
        };
        note(&format!(
            "{added}; {} holds {all}, and every command on the study uses them. Go on with: \
             shiftproof optimize {}{on}{}",
            self.file.path.display(),
            argument(&self.path.display().to_string()),
            self.flag
        ));
    }
}

/// The rows of a file with the study's columns, those of target groups.
pub(super) fn batch_inputs(
    batch: &Path,
    resolved: &ResolvedStudy,
    built: &TaskInstance,
    loaded: &LoadedData,
) -> Result<Vec<Input>, Failure> {
    let (examples, unlabelled) = batch_rows(batch, resolved, built)?;
    let targets: Vec<&str> = targets(loaded).collect();
    let inputs = examples
        .into_iter()
        .map(|(input, _)| input)
        .chain(unlabelled);
    Ok(inputs
        .filter(|input| targets.contains(&input.group.as_str()))
        .collect())
}

/// The rows of a file with the study's columns: those with a label, those without.
#[allow(clippy::type_complexity)] // Named nowhere else.
pub(super) fn batch_rows(
    batch: &Path,
    resolved: &ResolvedStudy,
    built: &TaskInstance,
) -> Result<(Vec<(Input, Label)>, Vec<Input>), Failure> {
    let data = &resolved.study.data;
    if data.interactions.is_some() {
        return Err(Failure::usage(
            "a batch has to be a table of rows; the study's data are interactions",
        ));
    }
    let folder = batch.parent().unwrap_or_else(|| Path::new(""));
    let name = batch.file_name().unwrap_or_default().to_string_lossy();
    let table = DataTable::read(folder, &[&*name])?;
    let columns = table_columns(data, &table, built);
    // A day's log often lacks the column altogether.
    let rows = if table.columns().contains(columns.label.as_str()) {
        columns.examples_for(&table, built.task.as_ref())?
    } else {
        columns.without_labels(&table, built.task.as_ref())?
    };
    let labelled = rows.examples.into_iter().map(|e| (e.input, e.label));
    Ok((labelled.collect(), rows.unlabelled))
}

fn targets(loaded: &LoadedData) -> impl Iterator<Item = &str> {
    use shiftproof_search::event::GroupRole;
    loaded
        .groups
        .iter()
        .filter(|group| group.role == GroupRole::Target)
        .map(|group| group.name.as_str())
}

/// A number in (0, 1) from 64 bits.
fn uniform(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

impl AskedRun {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let events = stored::events(folder)?;
        let name = folder.file_name().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            votes: votes(&events),
            summary: RunSummary::of(&events),
        })
    }
}

/// The last answer of every prompt to every input, counted by input.
fn votes(events: &[Event]) -> BTreeMap<(String, String), BTreeMap<String, u32>> {
    let mut inputs = Vec::new();
    let mut last = BTreeMap::new();
    for event in events {
        match event {
            Event::Inputs { inputs: fresh } => inputs.extend(fresh),
            Event::Answered {
                candidate,
                texts,
                answers,
                ..
            } => {
                for answer in answers {
                    let text = texts.get(answer.text as usize);
                    if let (Some(text), true) = (text, answer.verdict.is_readable()) {
                        last.insert((answer.input, *candidate), text.clone());
                    }
                }
            }
            _ => {}
        }
    }
    let mut votes: BTreeMap<_, BTreeMap<String, u32>> = BTreeMap::new();
    for ((input, _), text) in last {
        if let Some(input) = inputs.get(input as usize) {
            let key = (input.group.clone(), input.id.clone());
            *votes.entry(key).or_default().entry(text).or_default() += 1;
        }
    }
    votes
}
