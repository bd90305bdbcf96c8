//! What is compared: the methods and studies that the command line names.

use std::path::{Path, PathBuf};

use shiftproof_search::budget::BudgetLimits;

use crate::cli::{CompareArgs, StudyArgs};
use crate::commands::{fetch_progress, resolve_proposing, unjudged, warnings};
use crate::compare::{AuditClusters, CellState, ComparedCell};
use crate::exit::Failure;
use crate::runs::session::load;
use crate::study::ResolvedStudy;
use crate::study::task_registry::TaskRegistry;

/// The word for every method there is.
const ALL: &str = "all";
/// The seed prompt is a row of every table, and needs no run of its own.
const SEED: &str = "seed";

/// A study with its cells.
pub(super) struct ComparedStudy {
    /// Its file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// What each cell may spend.
    pub limits: BudgetLimits,
    /// The audited examples.
    pub audit: AuditClusters,
    /// Methods in the order named, each with all random seeds.
    pub cells: Vec<ComparedCell>,
    /// Cell by cell the study as its run keeps it, or why there can be none.
    pub resolved: Vec<Result<ResolvedStudy, Failure>>,
}

/// The methods by name, each once.
pub(super) fn compared_methods(
    named: &[String],
    registry: &TaskRegistry,
) -> Result<Vec<String>, Failure> {
    let mut methods: Vec<String> = Vec::new();
    for name in named.iter().map(|name| name.trim()) {
        let names: Vec<&str> = match name {
            SEED => continue,
            ALL => registry.methods().names().collect(),
            name => {
                registry.methods().get(name).map_err(|unknown| {
                    Failure::usage(format!("--methods names {name:?}; {unknown}"))
                })?;
                vec![name]
            }
        };
        for name in names {
            if !methods.iter().any(|known| known == name) {
                methods.push(name.to_owned());
            }
        }
    }
    if methods.is_empty() {
        return Err(Failure::usage(
            "--methods names no method that searches; the seed prompt is a row of every table",
        ));
    }
    Ok(methods)
}

/// Reads the studies and their data, so that what cannot be compared is told before a
/// call is paid for.
pub(super) fn compared_studies(
    args: &CompareArgs,
    methods: &[String],
    registry: &TaskRegistry,
) -> Result<Vec<ComparedStudy>, Failure> {
    let mut studies: Vec<ComparedStudy> = Vec::new();
    for path in &args.studies {
        let study = compared_study(args, path, methods, registry)?;
        if let Some(other) = studies.iter().find(|other| other.name == study.name) {
            return Err(Failure::usage(format!(
                "{} and {} are both named {:?}: a table and its runs go by the name; name them apart",
                other.path.display(),
                path.display(),
                study.name
            )));
        }
        studies.push(study);
    }
    Ok(studies)
}

fn compared_study(
    args: &CompareArgs,
    path: &Path,
    methods: &[String],
    registry: &TaskRegistry,
) -> Result<ComparedStudy, Failure> {
    let first = args.seeds.0.first().copied().unwrap_or_default();
    let resolved = resolved_study(args, path, None, first, registry)?;
    let limits = resolved.study.budget;
    if limits == BudgetLimits::default() {
        return Err(Failure::usage(format!(
            "{}: without a limit methods ask for different amounts, and are not to be compared; set \
             --max-calls, --max-tokens or --max-usd, or [budget] in the study (`shiftproof estimate \
             {} --method METHOD` tells what a method asks for, and the smallest limit that works)",
            path.display(),
            path.display()
        )));
    }
    let mut progress = fetch_progress(args.verbosity.quiet);
    let (built, loaded) = load(&resolved, path, registry, &mut progress)?;
    if !built.task.metric().judges() {
        return Err(unjudged(built.task.metric(), path));
    }
    if loaded.data.audit.is_empty() {
        return Err(Failure::usage(format!(
            "{}: the study has no audit examples, and methods are compared by the audit; set \
             groups.audit above 0",
            path.display()
        )));
    }
    if !args.verbosity.quiet {
        warnings(&loaded.findings);
    }
    let seeds = &args.seeds.0;
    let cells = methods.iter().flat_map(|method| {
        seeds.iter().map(|&seed| ComparedCell {
            method: method.clone(),
            seed,
            state: CellState::Open,
        })
    });
    let cells: Vec<ComparedCell> = cells.collect();
    let of_cell = |cell: &ComparedCell| resolved_cell(args, path, cell, registry);
    Ok(ComparedStudy {
        path: path.to_owned(),
        name: resolved.study.name.clone(),
        limits,
        audit: AuditClusters::of(&loaded.data, built.task.as_ref()),
        resolved: cells.iter().map(of_cell).collect(),
        cells,
    })
}

/// The study of one cell, as a run keeps it.
fn resolved_cell(
    args: &CompareArgs,
    path: &Path,
    cell: &ComparedCell,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    let method = cell.method.as_str();
    let resolved = resolved_study(args, path, Some(method), cell.seed, registry)?;
    // What a table says of a method is of that method.
    if resolved.study.search.method.as_str() != method {
        return Err(Failure::usage(format!(
            "{method} lives on target inputs, and the study has no target group"
        )));
    }
    registry.method(&resolved.study, path)?;
    Ok(resolved)
}

fn resolved_study(
    args: &CompareArgs,
    path: &Path,
    method: Option<&str>,
    seed: u64,
    registry: &TaskRegistry,
) -> Result<ResolvedStudy, Failure> {
    let study = StudyArgs {
        study: path.to_owned(),
        seed,
        model: args.model.clone(),
        base_url: args.base_url.clone(),
        prices: args.prices.clone(),
        method: method.map(str::to_owned),
    };
    let proposer = args.proposer.as_deref();
    let mut resolved = resolve_proposing(&study, proposer, Some(&args.budget), registry)?;
    resolved.study.search.library = args.library;
    Ok(resolved)
}
