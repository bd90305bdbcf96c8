//! The phases of a run, in order.

use std::fmt::Write as _;

use shiftproof_tasks::{Example, Prompt, PromptId, text};

use super::Run;
use super::balance::{balanced, halves};
use crate::budget::BudgetLimits;
use crate::event::{CandidateProposed, Event, Origin, Phase, ProposalSummary};
use crate::fit::{FINAL_SHARE, REFINE_SHARE, RESCREEN_SHARE, screen_share};
use crate::gateway::RunError;
use crate::propose::{
    self, CrossoverProposer, DiscardCounts, EditProposer, InductionProposer, ParaphraseProposer,
    ProposalForm, Proposer, ProposerView, TargetUse,
};
use crate::race::{Race, RankedCandidate, ids};
use crate::response_matrix::{CandidateAnswers, CandidateIndex, InputIndex, ResponseMatrix};
use crate::spec::SearchMethod;
use crate::{answer_feed, seeds, vote};

/// Examples that a prompt is asked about which nothing is raced against.
const ALONE: usize = 20;

/// State of a run under way.
pub(super) struct RunPhases<'a> {
    pub run: &'a Run<'a>,
    pub matrix: ResponseMatrix,
    /// Source examples for the races, balanced in every prefix.
    screen: Vec<InputIndex>,
    /// Source examples kept for the final.
    fresh: Vec<InputIndex>,
    /// Target examples with true labels: in every race, for they are few, and
    /// say more of the target than anything else.
    labelled: Vec<InputIndex>,
    /// Unlabelled target inputs.
    target: Vec<InputIndex>,
    /// Labelled examples shown to proposers, classes alternating.
    train: Vec<Example>,
    /// Voted examples shown to proposers.
    pseudo_labelled_train: Vec<Example>,
    /// Voted inputs candidates are scored on.
    pseudo_labelled: Vec<InputIndex>,
    /// How far voted labels can be trusted, in `0..=1`.
    pseudo_label_weight: f64,
    /// The prompt in use today.
    pub seed: CandidateIndex,
    /// Survivors of the last race, best first.
    ranked: Vec<RankedCandidate>,
    /// Whether every race so far could be afforded.
    pub affordable: bool,
    /// How the proposer is spoken to; found out when it is first needed.
    form: Option<ProposalForm>,
    /// Longest prompt, in tokens.
    limit: usize,
    /// What models' proposals came to so far.
    proposed: ProposalTally,
}

/// Proposals of models, counted over the run.
#[derive(Default)]
struct ProposalTally {
    asked: u64,
    used: u64,
    discards: DiscardCounts,
}

impl<'a> RunPhases<'a> {
    pub fn begin(run: &'a Run<'a>) -> Result<Self, RunError> {
        let mut matrix = ResponseMatrix::new(run.groups.clone());
        let validation = matrix.add_examples(&run.data.source.validation);
        // Half the examples run the races, the other half decides: a score that
        // helped a prompt to win is not what it is finally judged on.
        let (screen, fresh) = halves(&matrix, &validation, run.seed, "validation");
        let labelled = if run.data.labelled_target.is_empty() {
            Vec::new()
        } else {
            matrix.add_examples(run.data.labelled_target.read())
        };
        let target = matrix.add_inputs(run.data.target.inputs.iter());
        let train_order = {
            let mut shelf = ResponseMatrix::new(run.groups.clone());
            let indices = shelf.add_examples(&run.data.source.train);
            balanced(&shelf, &indices, run.seed, "train")
        };
        let train = train_order
            .into_iter()
            .map(|index| run.data.source.train[index].clone())
            .collect();
        let mut course = Self {
            run,
            matrix,
            screen,
            fresh,
            labelled,
            target,
            train,
            pseudo_labelled_train: Vec::new(),
            pseudo_labelled: Vec::new(),
            pseudo_label_weight: 0.0,
            seed: 0,
            ranked: Vec::new(),
            affordable: true,
            form: None,
            limit: run.spec.prompt_limit(longest(run)),
            proposed: ProposalTally::default(),
        };
        course.enter(run.task.seed(), Origin::Seed, Vec::new(), None)?;
        for prompt in &run.human {
            course.enter(prompt.clone(), Origin::Human, Vec::new(), None)?;
        }
        if let (true, Some(example)) = (run.spec.library, course.train.first()) {
            let form = run.task.answer_form(&example.input);
            for instruction in propose::library::prompts(&form) {
                course.enter(Prompt::new(instruction), Origin::Library, Vec::new(), None)?;
            }
        }
        Ok(course)
    }

    fn enter(
        &mut self,
        prompt: Prompt,
        origin: Origin,
        parents: Vec<PromptId>,
        chunk: Option<usize>,
    ) -> Result<Option<CandidateIndex>, RunError> {
        let entered = self.matrix.enter(prompt, parents, chunk);
        if let Some(index) = entered {
            let candidate = &self.matrix.candidates[index];
            self.run.gateway.emit(&Event::Proposed(CandidateProposed {
                candidate: candidate.id,
                prompt: candidate.prompt.clone(),
                origin,
                parents: candidate.parents.clone(),
            }))?;
        }
        Ok(entered)
    }

    pub fn phase(&self, phase: Phase, plan: String) -> Result<(), RunError> {
        self.run.gateway.emit(&Event::Phase { phase, plan })
    }

    /// Phase 1: prompts from source demonstrations (or edits), screened.
    pub async fn propose_and_screen(&mut self) -> Result<(), RunError> {
        let spec = &self.run.spec;
        let seeds: Vec<CandidateIndex> = (0..self.matrix.candidates.len()).collect();
        let proposer: Box<dyn Proposer> = match spec.method {
            SearchMethod::Ape | SearchMethod::Gpo => self.induce(TargetUse::Nothing),
            SearchMethod::ApeUt => self.induce(TargetUse::Inputs),
            SearchMethod::Edits => Box::new(EditProposer),
        };
        self.phase(
            Phase::Propose,
            format!("{}: {} texts", proposer.name(), spec.proposals),
        )?;
        let mut entrants = seeds.clone();
        entrants.extend(
            self.propose(proposer.as_ref(), &seeds, spec.proposals, "propose")
                .await?,
        );
        self.check_proposals(entrants.len())?;
        let share = screen_share(spec.method);
        let keep = spec.chunks.max(spec.finalists);
        self.phase(
            Phase::Screen,
            format!("{} prompts, {keep} of them to keep", entrants.len()),
        )?;
        self.race(Phase::Screen, entrants, share, keep).await
    }

    /// Phase 2 of GPO: the best prompts label the target inputs by vote.
    pub async fn vote(&mut self) -> Result<(), RunError> {
        let spec = &self.run.spec;
        let voters = self.voters();
        self.phase(
            Phase::Vote,
            format!(
                "{} prompts label {} target inputs",
                voters.len(),
                self.target.len()
            ),
        )?;
        let context = self.run.context();
        if !self.matrix.ask(context, &voters, &self.target).await? {
            self.affordable = false;
        }
        let answers: Vec<CandidateAnswers<'_>> = voters
            .iter()
            .map(|&voter| self.matrix.answers(context, voter))
            .collect();
        let (mut voted, labels) = vote::label_by_vote(
            context.task,
            &answers,
            ids(&self.matrix, &voters),
            &self.target,
            spec.threshold,
            &self.matrix,
        );
        let (kept, right) = vote::accuracy(&answers, &self.screen, spec.threshold, &self.matrix);
        drop(answers);
        for &voter in &voters {
            let adjustment = self.matrix.adjustment(context, voter);
            answer_feed::answers(
                &mut self.matrix,
                context,
                Phase::Vote,
                voter,
                &self.target,
                adjustment,
            )?;
        }
        self.matrix.emit_unusable(self.run.context())?;
        voted.source_accuracy = (kept > 0).then(|| right as f64 / kept as f64);
        self.pseudo_label_weight = pseudo_label_weight(kept, right);
        self.run.gateway.emit(&Event::Voted(voted))?;
        for (input, label) in &labels {
            self.matrix.set_voted(*input, label.clone());
        }
        let kept: Vec<InputIndex> = labels.iter().map(|(input, _)| *input).collect();
        // Half the voted inputs induce, the other half score what was induced.
        let (train, score) = halves(&self.matrix, &kept, self.run.seed, "voted");
        self.pseudo_labelled_train = train
            .into_iter()
            .filter_map(|index| {
                Some(Example {
                    input: self.matrix.input(index).clone(),
                    label: self.matrix.label(index)?.clone(),
                })
            })
            .collect();
        self.pseudo_labelled = score;
        Ok(())
    }

    /// The best screened prompt of each chunk, then the best of the rest, `K`
    /// in all.
    fn voters(&self) -> Vec<CandidateIndex> {
        let mut chunks = std::collections::BTreeSet::new();
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for standing in &self.ranked {
            match self.matrix.candidates[standing.candidate].chunk {
                Some(chunk) if chunks.insert(chunk) => first.push(standing.candidate),
                _ => rest.push(standing.candidate),
            }
        }
        first.extend(rest);
        first.truncate(self.run.spec.chunks);
        first
    }

    /// Phase 3 of GPO: prompts from the mix of source and voted target.
    pub async fn repropose(&mut self) -> Result<(), RunError> {
        let spec = &self.run.spec;
        let proposer = self.induce(TargetUse::Voted);
        self.phase(
            Phase::Repropose,
            format!(
                "{}: {} texts from {} voted and as many source examples",
                proposer.name(),
                spec.proposals,
                self.pseudo_labelled_train.len()
            ),
        )?;
        let mut entrants = self.survivors();
        entrants.extend(
            self.propose(
                proposer.as_ref(),
                &self.survivors(),
                spec.proposals,
                "repropose",
            )
            .await?,
        );
        self.race(Phase::Repropose, entrants, RESCREEN_SHARE, spec.finalists)
            .await
    }

    /// Edits, crossovers and paraphrases around the best.
    pub async fn refine(&mut self, round: usize) -> Result<(), RunError> {
        let spec = &self.run.spec;
        let parents = self.survivors();
        self.phase(
            Phase::Refine,
            format!(
                "round {} of {}: {} edits and crossovers, {} paraphrases of {} prompts",
                round + 1,
                spec.rounds,
                spec.edits,
                spec.paraphrases,
                parents.len()
            ),
        )?;
        let mut entrants = parents.clone();
        let crossovers = spec.edits / 3;
        let steps: [(&dyn Proposer, usize); 3] = [
            (&EditProposer, spec.edits - crossovers),
            (&CrossoverProposer, crossovers),
            (&ParaphraseProposer, spec.paraphrases),
        ];
        for (proposer, count) in steps {
            let stream = format!("refine {round} {}", proposer.name());
            entrants.extend(self.propose(proposer, &parents, count, &stream).await?);
        }
        let last = round + 1 == spec.rounds;
        if last && self.matrix.candidates.len() == 1 && !self.run.fitted {
            return Err(self.nothing_proposed());
        }
        let share = REFINE_SHARE / spec.rounds as f64;
        self.race(Phase::Refine, entrants, share, spec.finalists)
            .await
    }

    /// The final: finalists and seed on source examples no race has used, and
    /// the pick.
    pub async fn select(&mut self) -> Result<(CandidateIndex, Vec<CandidateIndex>), RunError> {
        let spec = &self.run.spec;
        let finalists = self.survivors();
        let mut inputs = self.fresh.clone();
        inputs.extend(self.pseudo_labelled.iter().chain(&self.labelled));
        let inputs = balanced(&self.matrix, &inputs, self.run.seed, "final");
        self.phase(
            Phase::Final,
            format!("{} finalists on {} examples", finalists.len(), inputs.len()),
        )?;
        self.measure_alone(&finalists, &inputs, FINAL_SHARE).await?;
        let race = self.race_on(Phase::Final, &inputs, FINAL_SHARE, finalists.len().max(1));
        let finish = race
            .run(&mut self.matrix, self.run.context(), finalists)
            .await?;
        self.affordable &= finish.affordable;
        self.matrix.emit_unusable(self.run.context())?;
        let was_asked = self.matrix.was_asked(&self.fresh);
        // Without money for the final, or an answer in it, the last race has the word.
        let (ranked, reason) = if finish.affordable && (!finish.ranked.is_empty() || !was_asked) {
            (finish.ranked, finish.reason)
        } else {
            let why = if finish.affordable {
                "no answer of the final can be scored"
            } else {
                "the budget left no final"
            };
            (self.ranked.clone(), format!("the best so far: {why}"))
        };
        let best = ranked
            .first()
            .copied()
            .ok_or_else(|| self.unranked(finish.affordable, &inputs))?;
        let reason = if best.candidate == self.seed {
            "no candidate beats the seed prompt".to_owned()
        } else {
            reason
        };
        let ensemble: Vec<CandidateIndex> = ranked
            .iter()
            .take(spec.ensemble)
            .map(|standing| standing.candidate)
            .collect();
        let ensemble = if ensemble.len() > 1 {
            ensemble
        } else {
            Vec::new()
        };
        self.run.gateway.emit(&Event::Selected {
            candidate: self.matrix.candidates[best.candidate].id,
            reason,
            ensemble: ids(&self.matrix, &ensemble),
        })?;
        Ok((best.candidate, ensemble))
    }

    fn induce(&self, target: TargetUse) -> Box<dyn Proposer> {
        Box::new(InductionProposer {
            shots: self.run.spec.shots,
            chunks: self.run.spec.chunks,
            target,
        })
    }

    fn survivors(&self) -> Vec<CandidateIndex> {
        self.ranked
            .iter()
            .map(|standing| standing.candidate)
            .collect()
    }

    /// Asks a proposer and enters what it proposes; returns the new entrants.
    async fn propose(
        &mut self,
        proposer: &dyn Proposer,
        parents: &[CandidateIndex],
        count: usize,
        stream: &str,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let asks_model = proposer.asks_model();
        let form = if asks_model {
            self.form().await?
        } else {
            ProposalForm::Plain
        };
        let parents: Vec<Prompt> = parents
            .iter()
            .map(|&c| self.matrix.candidates[c].prompt.clone())
            .collect();
        let mut proposals = proposer
            .propose(&ProposerView {
                task: self.run.task.as_ref(),
                gateway: self.run.gateway,
                model: &self.run.proposer_model,
                source: &self.train,
                target: &self.run.data.target.inputs,
                pseudo_labelled: &self.pseudo_labelled_train,
                seed_prompt: &self.matrix.candidates[self.seed].prompt,
                parents: &parents,
                form,
                limit: self.limit,
                count,
                seed: seeds::number(self.run.seed, stream),
            })
            .await?;
        let mut entrants = Vec::new();
        for proposal in std::mem::take(&mut proposals.kept) {
            let instruction = proposal.prompt.instruction.clone();
            let entered = self.enter(
                proposal.prompt,
                proposal.origin,
                proposal.parents,
                proposal.chunk,
            )?;
            if entered.is_none() {
                proposals
                    .discards
                    .add("it is in the race already", &instruction);
            }
            entrants.extend(entered);
        }
        let used = entrants.len() as u64;
        if asks_model {
            self.proposed.asked += proposals.asked;
            self.proposed.used += used;
            for (rule, (count, example)) in &proposals.discards.0 {
                for _ in 0..*count {
                    self.proposed.discards.add(rule, example);
                }
            }
        }
        for (reason, (count, example)) in proposals.discards.0 {
            self.run.gateway.emit(&Event::Discarded {
                reason,
                count,
                example,
            })?;
        }
        if proposals.asked > 0 {
            self.run.gateway.emit(&Event::Proposals(ProposalSummary {
                proposer: match (asks_model, form) {
                    (false, _) => proposer.name().to_owned(),
                    (true, ProposalForm::Plain) => format!("{}, whole prompts", proposer.name()),
                    (true, ProposalForm::Opening) => format!("{}, one line each", proposer.name()),
                },
                model: asks_model,
                asked: proposals.asked,
                used,
                again: proposals.again,
            }))?;
        }
        Ok(entrants)
    }

    /// How the proposer is spoken to; asks it when it is first needed.
    async fn form(&mut self) -> Result<ProposalForm, RunError> {
        if let Some(form) = self.form {
            return Ok(form);
        }
        let form = propose::form::probe(self.run.gateway, &self.run.proposer_model).await?;
        self.form = Some(form);
        Ok(form)
    }

    /// Stops a run that lives on proposals and has none, while it has spent next to
    /// nothing.
    fn check_proposals(&self, entrants: usize) -> Result<(), RunError> {
        let spec = &self.run.spec;
        // Edits of the seed may still come to something.
        let edits = spec.rounds > 0 && spec.edits > 0;
        if entrants > 1 || edits {
            return Ok(());
        }
        let unaffordable = self.run.fitted || spec.proposals > 0;
        if spec.method != SearchMethod::Edits && self.proposed.asked == 0 && unaffordable {
            // That is the budget's fault, and the race will say so.
            return Ok(());
        }
        Err(self.nothing_proposed())
    }

    /// Why nothing but the seed is in the race.
    fn nothing_proposed(&self) -> RunError {
        let ProposalTally {
            asked, discards, ..
        } = &self.proposed;
        let model = self.run.proposer_model.llm.identity().to_owned();
        if *asked == 0 {
            return RunError::Proposals {
                model,
                reason: "no prompt was asked for, and no edit of the seed could be made; set \
                         search.proposals, search.library or prompts"
                    .into(),
            };
        }
        let mut reason = format!("{asked} texts were sent, none of them a prompt for this task");
        for (rule, (count, example)) in &discards.0 {
            let example: String = example.chars().take(160).collect();
            let _ = write!(reason, "\n  {rule} × {count}, e.g. {example:?}");
        }
        reason.push_str(
            "\n  name a model that follows instructions as `proposer`, or let the search do \
             without: search.library = true, search.edits above 0, further `prompts`",
        );
        RunError::Proposals { model, reason }
    }

    /// Races entrants on the screening examples and what was voted so far.
    async fn race(
        &mut self,
        phase: Phase,
        entrants: Vec<CandidateIndex>,
        share: f64,
        keep: usize,
    ) -> Result<(), RunError> {
        let mut inputs = self.screen.clone();
        inputs.extend(self.pseudo_labelled.iter().chain(&self.labelled));
        let inputs = balanced(&self.matrix, &inputs, self.run.seed, "race");
        self.measure_alone(&entrants, &inputs, share).await?;
        let race = self.race_on(phase, &inputs, share, keep);
        let finish = race
            .run(&mut self.matrix, self.run.context(), entrants)
            .await?;
        self.matrix.emit_unusable(self.run.context())?;
        if finish.ranked.is_empty() {
            return Err(self.unranked(finish.affordable, &inputs));
        }
        self.affordable &= finish.affordable;
        self.ranked = finish.ranked;
        Ok(())
    }

    /// One prompt races against nobody, so a rule buys nothing. Whether it can be
    /// measured at all is to be known all the same before the audit is opened.
    async fn measure_alone(
        &mut self,
        entrants: &[CandidateIndex],
        inputs: &[InputIndex],
        share: f64,
    ) -> Result<(), RunError> {
        if entrants.len() == 1 && !self.run.fitted {
            let most = self.evaluations(share).min(ALONE);
            let few = &inputs[..inputs.len().min(most)];
            let context = self.run.context();
            self.affordable &= self.matrix.ask(context, entrants, few).await?;
        }
        Ok(())
    }

    /// Evaluations that a race with this share of them gets.
    fn evaluations(&self, share: f64) -> usize {
        (self.run.spec.evaluations as f64 * share) as usize
    }

    /// Why a race on these inputs ranks no prompt.
    fn unranked(&self, affordable: bool, inputs: &[InputIndex]) -> RunError {
        let nothing = self.matrix.nothing_usable(self.run.context(), inputs);
        match nothing {
            Some(stop) if affordable => stop,
            // Its money is spent, or the plan was scaled down until nothing was left.
            _ if !affordable || self.run.fitted => {
                let limits = named(self.run.gateway.limits());
                RunError::Budget(format!("not one evaluation fits; raise {limits}"))
            }
            _ => RunError::Plan("raise search.evaluations".into()),
        }
    }

    fn race_on<'b>(
        &self,
        phase: Phase,
        inputs: &'b [InputIndex],
        share: f64,
        keep: usize,
    ) -> Race<'b>
    where
        'a: 'b,
    {
        let spec = &self.run.spec;
        Race {
            phase,
            spec,
            inputs,
            pseudo_label_weight: self.pseudo_label_weight,
            evaluations: self.evaluations(share),
            keep,
            seed: self.seed,
            draws: seeds::number(self.run.seed, &format!("race {phase}")),
        }
    }
}

/// The flags of the limits that are set.
fn named(limits: BudgetLimits) -> String {
    let flags = [
        (limits.calls.is_some(), "--max-calls"),
        (limits.tokens.is_some(), "--max-tokens"),
        (limits.usd.is_some(), "--max-usd"),
    ];
    let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|f| f.1).collect();
    set.join(" or ")
}

/// Tokens of the longest prompt that a person gave.
fn longest(run: &Run<'_>) -> usize {
    let seed = run.task.seed();
    let given = run.human.iter().chain([&seed]);
    given
        .map(|prompt| text::tokens(&prompt.instruction))
        .max()
        .unwrap_or(0)
}

/// The weight of a voted label against a true one: a label that is right with
/// probability `a` carries `(2a − 1)²` of the information of a true binary label
/// (the variance factor of the Rogan-Gladen correction, 1978). `a` is estimated
/// from votes on labelled source examples by the rule of succession; votes that
/// could not be checked carry nothing.
fn pseudo_label_weight(kept: usize, right: usize) -> f64 {
    if kept == 0 {
        return 0.0;
    }
    let accuracy = (right as f64 + 1.0) / (kept as f64 + 2.0);
    (2.0 * accuracy - 1.0).max(0.0).powi(2)
}
