//! One run, told from top to bottom in [`Run::execute`].

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom;
use shiftproof_tasks::{Answer, Data, Example, Label, Outcome, Prompt, PromptId, Task};

use crate::board::{Answers, Board, CandidateIndex, Desk, InputIndex, group_scores};
use crate::budget::Spend;
use crate::event::{Contestant, Ending, Event, GroupInfo, Origin, Phase, Proposed, Started};
use crate::gateway::{Gateway, Model, Stop};
use crate::plan::plan;
use crate::propose::{self, Crossover, Edit, Induce, Paraphrase, Proposer, TargetUse, View};
use crate::race::{Race, Standing, ids};
use crate::spec::{Method, SearchSpec};
use crate::{compare, seeds, vote};

/// Everything a run needs.
pub struct Run<'g> {
    /// The study's name.
    pub study: String,
    /// The task.
    pub task: Arc<dyn Task>,
    /// The data, by role.
    pub data: Data,
    /// The groups in the study's order, sources first.
    pub groups: Vec<GroupInfo>,
    /// How to search.
    pub spec: SearchSpec,
    /// Further human-written prompts that enter the race beside the seed.
    pub human: Vec<Prompt>,
    /// The random seed.
    pub seed: u64,
    /// The model that does the task.
    pub task_model: Model,
    /// The model that proposes.
    pub proposer_model: Model,
    /// The way to both.
    pub gateway: &'g Gateway,
    /// Whether the plan was scaled down to the budget; `false` to begin with.
    pub fitted: bool,
}

/// What a run came to; everything else is in its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The chosen prompt.
    pub selected: Prompt,
    /// How it ended.
    pub ending: Ending,
    /// Everything spent.
    pub spent: Spend,
}

/// The parts of the evaluations that each race gets; the final has the rest.
const SCREEN_SHARE: f64 = 0.35;
const RESCREEN_SHARE: f64 = 0.2;
const REFINE_SHARE: f64 = 0.2;

/// State of a run under way.
struct Course<'a> {
    run: &'a Run<'a>,
    board: Board,
    /// Source examples for the races, balanced in every prefix.
    screen: Vec<InputIndex>,
    /// Source examples kept for the final.
    fresh: Vec<InputIndex>,
    /// Unlabelled target inputs.
    target: Vec<InputIndex>,
    /// Labelled examples shown to proposers, classes alternating.
    train: Vec<Example>,
    /// Voted examples shown to proposers.
    voted_train: Vec<Example>,
    /// Voted inputs candidates are scored on.
    voted: Vec<InputIndex>,
    /// How far voted labels can be trusted, in `0..=1`.
    trust: f64,
    /// The prompt in use today.
    seed: CandidateIndex,
    /// Survivors of the last race, best first.
    standings: Vec<Standing>,
    /// Whether every race so far could be afforded.
    affordable: bool,
}

impl Run<'_> {
    /// Searches, selects and audits.
    ///
    /// Executing the same run again over the same stored replies takes the same
    /// course and tells the same events.
    pub async fn execute(mut self) -> Result<Ended, Stop> {
        let audit = std::mem::replace(
            &mut self.data.audit,
            shiftproof_tasks::SealedAudit::new(Vec::new(), self.data.reads.clone()),
        );
        self.gateway.tell(&Event::Started(self.started()))?;
        self.hold_back_audit(&audit);
        self.fit_to_budget(audit.len());
        let mut course = Course::begin(&self)?;
        course.propose_and_screen().await?;
        if self.spec.method == Method::Gpo {
            course.vote().await?;
            course.repropose().await?;
        }
        for round in 0..self.spec.rounds {
            course.refine(round).await?;
        }
        let (selected, ensemble) = course.select().await?;
        let target_labels_read = self.data.reads.count();
        let before_audit = self.data.reads.count();
        self.gateway.release();
        let audited = course.audit(audit.open(), selected, &ensemble).await?;
        let ending = if course.affordable && audited && !self.fitted {
            Ending::Completed
        } else {
            Ending::BudgetExhausted
        };
        let spent = self.gateway.spent();
        self.gateway.tell(&Event::Finished {
            ending,
            spent,
            target_labels_read,
            audit_labels_read: self.data.reads.count() - before_audit,
        })?;
        Ok(Ended {
            selected: course.board.candidates[selected].prompt.clone(),
            ending,
            spent,
        })
    }

    fn started(&self) -> Started {
        Started {
            study: self.study.clone(),
            task: self.task.name().to_owned(),
            metric: self.task.metric().name().to_owned(),
            method: self.spec.method.to_string(),
            objective: self.spec.objective.to_string(),
            task_model: self.task_model.llm.identity().to_owned(),
            proposer_model: self.proposer_model.llm.identity().to_owned(),
            seed: self.seed,
            limits: self.gateway.limits(),
            groups: self.groups.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Sets aside what auditing the seed and the selected prompt will cost, so
    /// that a search cannot spend the money that measures it.
    fn hold_back_audit(&self, audit: &shiftproof_tasks::SealedAudit) {
        let seed = self.task.seed();
        let worst: Spend = audit
            .inputs()
            .map(|input| {
                let call = crate::board::call(self.task.as_ref(), &seed, input);
                self.task_model.worst_case(&call)
            })
            .sum();
        self.gateway.hold_back(worst + worst);
    }

    /// Scales the plan down to a call limit that it exceeds, so that every phase
    /// gets its share instead of the first ones taking all.
    fn fit_to_budget(&mut self, audit: usize) {
        let Some(limit) = self.gateway.limits().calls else {
            return;
        };
        let planned: usize = plan(&self.spec, &self.data)
            .iter()
            .filter(|phase| phase.phase != Phase::Audit)
            .map(|phase| phase.proposer_calls + phase.task_calls)
            .sum();
        let left = (limit as usize).saturating_sub(2 * audit);
        if planned <= left {
            return;
        }
        let ratio = left as f64 / planned as f64;
        let scale = |count: &mut usize| *count = (*count as f64 * ratio) as usize;
        scale(&mut self.spec.evaluations);
        scale(&mut self.spec.proposals);
        scale(&mut self.spec.paraphrases);
        scale(&mut self.spec.edits);
        // An even selection, whatever the order of the groups.
        let inputs = &mut self.data.target.inputs;
        let mut index = 0.0;
        inputs.retain(|_| {
            let before = f64::floor(index);
            index += ratio;
            f64::floor(index) > before
        });
        self.fitted = true;
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            task: self.task.as_ref(),
            gateway: self.gateway,
            model: &self.task_model,
            calibration: self.spec.calibration,
        }
    }
}

impl<'a> Course<'a> {
    fn begin(run: &'a Run<'a>) -> Result<Self, Stop> {
        let mut board = Board::new(run.groups.clone());
        let validation = board.add_examples(&run.data.source.validation);
        // Half the examples run the races, the other half decides: a score that
        // helped a prompt to win is not what it is finally judged on.
        let (screen, fresh) = halves(&board, &validation, run.seed, "validation");
        let target = board.add_inputs(run.data.target.inputs.iter());
        let train_order = {
            let mut shelf = Board::new(run.groups.clone());
            let indices = shelf.add_examples(&run.data.source.train);
            balanced(&shelf, &indices, run.seed, "train")
        };
        let train = train_order
            .into_iter()
            .map(|index| run.data.source.train[index].clone())
            .collect();
        let mut course = Self {
            run,
            board,
            screen,
            fresh,
            target,
            train,
            voted_train: Vec::new(),
            voted: Vec::new(),
            trust: 0.0,
            seed: 0,
            standings: Vec::new(),
            affordable: true,
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
    ) -> Result<Option<CandidateIndex>, Stop> {
        let entered = self.board.enter(prompt, parents, chunk);
        if let Some(index) = entered {
            let candidate = &self.board.candidates[index];
            self.run.gateway.tell(&Event::Proposed(Proposed {
                candidate: candidate.id,
                prompt: candidate.prompt.clone(),
                origin,
                parents: candidate.parents.clone(),
            }))?;
        }
        Ok(entered)
    }

    fn phase(&self, phase: Phase, plan: String) -> Result<(), Stop> {
        self.run.gateway.tell(&Event::Phase { phase, plan })
    }

    /// Phase 1: prompts from source demonstrations (or edits), screened.
    async fn propose_and_screen(&mut self) -> Result<(), Stop> {
        let spec = &self.run.spec;
        let seeds: Vec<CandidateIndex> = (0..self.board.candidates.len()).collect();
        let proposer: Box<dyn Proposer> = match spec.method {
            Method::Ape | Method::Gpo => self.induce(TargetUse::Nothing),
            Method::ApeUt => self.induce(TargetUse::Inputs),
            Method::Edits => Box::new(Edit),
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
        let share = if spec.method == Method::Gpo {
            SCREEN_SHARE
        } else {
            SCREEN_SHARE + RESCREEN_SHARE
        };
        let keep = spec.chunks.max(spec.finalists);
        self.phase(
            Phase::Screen,
            format!("{} prompts, {keep} of them to keep", entrants.len()),
        )?;
        self.race(Phase::Screen, entrants, share, keep).await
    }

    /// Phase 2 of GPO: the best prompts label the target inputs by vote.
    async fn vote(&mut self) -> Result<(), Stop> {
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
        let desk = self.run.desk();
        if !self.board.ask(desk, &voters, &self.target).await? {
            self.affordable = false;
        }
        let answers: Vec<Answers<'_>> = voters
            .iter()
            .map(|&voter| self.board.answers(desk, voter))
            .collect();
        let (mut voted, labels) = vote::label_by_vote(
            &answers,
            ids(&self.board, &voters),
            &self.target,
            spec.threshold,
            &self.board,
        );
        let (kept, right) = vote::accuracy(&answers, &self.screen, spec.threshold, &self.board);
        drop(answers);
        voted.source_accuracy = (kept > 0).then(|| right as f64 / kept as f64);
        self.trust = trust(kept, right);
        self.run.gateway.tell(&Event::Voted(voted))?;
        for (input, label) in &labels {
            self.board.set_voted(*input, label.clone());
        }
        let kept: Vec<InputIndex> = labels.iter().map(|(input, _)| *input).collect();
        // Half the voted inputs induce, the other half score what was induced.
        let (train, score) = halves(&self.board, &kept, self.run.seed, "voted");
        self.voted_train = train
            .into_iter()
            .filter_map(|index| {
                Some(Example {
                    input: self.board.input(index).clone(),
                    label: self.board.label(index)?.clone(),
                })
            })
            .collect();
        self.voted = score;
        Ok(())
    }

    /// The best screened prompt of each chunk, then the best of the rest, `K`
    /// in all.
    fn voters(&self) -> Vec<CandidateIndex> {
        let mut chunks = std::collections::BTreeSet::new();
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for standing in &self.standings {
            match self.board.candidates[standing.candidate].chunk {
                Some(chunk) if chunks.insert(chunk) => first.push(standing.candidate),
                _ => rest.push(standing.candidate),
            }
        }
        first.extend(rest);
        first.truncate(self.run.spec.chunks);
        first
    }

    /// Phase 3 of GPO: prompts from the mix of source and voted target.
    async fn repropose(&mut self) -> Result<(), Stop> {
        let spec = &self.run.spec;
        let proposer = self.induce(TargetUse::Voted);
        self.phase(
            Phase::Repropose,
            format!(
                "{}: {} texts from {} voted and as many source examples",
                proposer.name(),
                spec.proposals,
                self.voted_train.len()
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
    async fn refine(&mut self, round: usize) -> Result<(), Stop> {
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
            (&Edit, spec.edits - crossovers),
            (&Crossover, crossovers),
            (&Paraphrase, spec.paraphrases),
        ];
        for (proposer, count) in steps {
            let stream = format!("refine {round} {}", proposer.name());
            entrants.extend(self.propose(proposer, &parents, count, &stream).await?);
        }
        let share = REFINE_SHARE / spec.rounds as f64;
        self.race(Phase::Refine, entrants, share, spec.finalists)
            .await
    }

    /// The final: finalists and seed on examples no race has used, and the pick.
    async fn select(&mut self) -> Result<(CandidateIndex, Vec<CandidateIndex>), Stop> {
        let spec = &self.run.spec;
        let finalists = self.survivors();
        let mut inputs = self.fresh.clone();
        inputs.extend(&self.voted);
        if !self.run.data.labelled_target.is_empty() {
            inputs.extend(
                self.board
                    .add_examples(self.run.data.labelled_target.read()),
            );
        }
        let inputs = balanced(&self.board, &inputs, self.run.seed, "final");
        self.phase(
            Phase::Final,
            format!("{} finalists on {} examples", finalists.len(), inputs.len()),
        )?;
        let share = 1.0 - SCREEN_SHARE - RESCREEN_SHARE - REFINE_SHARE;
        let race = Race {
            keep: finalists.len().max(1),
            ..self.race_on(Phase::Final, &inputs, share)
        };
        let finish = race
            .run(&mut self.board, self.run.desk(), finalists)
            .await?;
        self.affordable &= finish.affordable;
        // Without money for the final the last race has the word.
        let (standings, reason) = if finish.affordable {
            (finish.standings, finish.reason)
        } else {
            let reason = "the best so far: the budget left no final".to_owned();
            (self.standings.clone(), reason)
        };
        let best = standings.first().copied().ok_or_else(|| {
            Stop::Budget("no prompt has a single answer; raise the budget's limits".into())
        })?;
        let reason = if best.candidate == self.seed {
            "no candidate beats the seed prompt".to_owned()
        } else {
            reason
        };
        let ensemble: Vec<CandidateIndex> = standings
            .iter()
            .take(spec.ensemble)
            .map(|standing| standing.candidate)
            .collect();
        let ensemble = if ensemble.len() > 1 {
            ensemble
        } else {
            Vec::new()
        };
        self.run.gateway.tell(&Event::Selected {
            candidate: self.board.candidates[best.candidate].id,
            reason,
            ensemble: ids(&self.board, &ensemble),
        })?;
        Ok((best.candidate, ensemble))
    }

    /// Opens the seal: the seed, the selected prompt and the ensemble on the
    /// same examples. Returns whether the budget sufficed.
    async fn audit(
        &mut self,
        sealed: Vec<Example>,
        selected: CandidateIndex,
        ensemble: &[CandidateIndex],
    ) -> Result<bool, Stop> {
        if sealed.is_empty() {
            return Ok(true);
        }
        self.phase(
            Phase::Audit,
            format!(
                "seed, selected and an ensemble of {} on {} sealed examples",
                ensemble.len(),
                sealed.len()
            ),
        )?;
        let desk = self.run.desk();
        // Calibration is fixed before the audit: a deployed prompt cannot wait
        // for a batch.
        let fixed: BTreeMap<CandidateIndex, Option<Vec<f64>>> = ensemble
            .iter()
            .chain([&self.seed, &selected])
            .map(|&c| (c, self.board.bias(desk.calibration, c)))
            .collect();
        let inputs = self.board.add_examples(&sealed);
        let bias = |c: CandidateIndex| fixed.get(&c).cloned().flatten();

        let mut complete = self
            .board
            .ask(desk, &[self.seed, selected], &inputs)
            .await?;
        for (contestant, candidate) in [
            (Contestant::Seed, self.seed),
            (Contestant::Selected, selected),
        ] {
            let answers = self
                .board
                .answers(desk, candidate)
                .with_bias(bias(candidate));
            self.run.gateway.tell(&Event::Audited {
                contestant,
                groups: answers.group_scores(&inputs),
            })?;
        }
        if complete && !ensemble.is_empty() {
            complete &= self.board.ask(desk, ensemble, &inputs).await?;
            if complete {
                let voters: Vec<Answers<'_>> = ensemble
                    .iter()
                    .map(|&c| self.board.answers(desk, c).with_bias(bias(c)))
                    .collect();
                let outcomes = self.ensemble_outcomes(&voters, &inputs);
                let groups = group_scores(&self.board, self.run.task.metric(), &outcomes);
                self.run.gateway.tell(&Event::Audited {
                    contestant: Contestant::Ensemble,
                    groups,
                })?;
            }
        }
        let answers = |c: CandidateIndex| self.board.answers(desk, c).with_bias(bias(c));
        let compared = compare::audit(
            &self.board,
            &answers(self.seed),
            &answers(selected),
            &inputs,
        );
        if let Some((groups, worst)) = compared {
            self.run.gateway.tell(&Event::Compared { groups, worst })?;
        }
        Ok(complete)
    }

    /// Grades the plurality answer of the voters.
    fn ensemble_outcomes(
        &self,
        voters: &[Answers<'_>],
        inputs: &[InputIndex],
    ) -> Vec<(InputIndex, Outcome)> {
        inputs
            .iter()
            .filter_map(|&input| {
                let votes: Vec<Option<String>> = voters
                    .iter()
                    .map(|voter| voter.answer(input).and_then(|answer| answer.vote()))
                    .collect();
                let label = self.board.label(input)?;
                let outcome = match vote::plurality(&votes) {
                    Some((winner, _)) => {
                        // The first voter that gave the winning answer lends it
                        // its form; margins are not comparable across prompts.
                        let answer = voters
                            .iter()
                            .filter_map(|voter| voter.answer(input))
                            .find(|answer| answer.vote().as_ref() == Some(&winner))?;
                        let answer = match answer {
                            Answer::Class { label, .. } => Answer::Class {
                                label,
                                margin: None,
                            },
                            other => other,
                        };
                        self.run.task.grade(&answer, label)
                    }
                    None => Outcome::Unparseable {
                        text: String::new(),
                    },
                };
                Some((input, outcome))
            })
            .collect()
    }

    fn induce(&self, target: TargetUse) -> Box<dyn Proposer> {
        Box::new(Induce {
            shots: self.run.spec.shots,
            chunks: self.run.spec.chunks,
            target,
        })
    }

    fn survivors(&self) -> Vec<CandidateIndex> {
        self.standings
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
    ) -> Result<Vec<CandidateIndex>, Stop> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let parents: Vec<Prompt> = parents
            .iter()
            .map(|&c| self.board.candidates[c].prompt.clone())
            .collect();
        let proposals = proposer
            .propose(&View {
                task: self.run.task.as_ref(),
                gateway: self.run.gateway,
                model: &self.run.proposer_model,
                source: &self.train,
                target: &self.run.data.target.inputs,
                voted: &self.voted_train,
                parents: &parents,
                count,
                seed: seeds::number(self.run.seed, stream),
            })
            .await?;
        for (reason, (count, example)) in proposals.discards.0 {
            self.run.gateway.tell(&Event::Discarded {
                reason,
                count,
                example,
            })?;
        }
        let mut entrants = Vec::new();
        for proposal in proposals.kept {
            entrants.extend(self.enter(
                proposal.prompt,
                proposal.origin,
                proposal.parents,
                proposal.chunk,
            )?);
        }
        Ok(entrants)
    }

    /// Races entrants on the screening examples and what was voted so far.
    async fn race(
        &mut self,
        phase: Phase,
        entrants: Vec<CandidateIndex>,
        share: f64,
        keep: usize,
    ) -> Result<(), Stop> {
        let mut inputs = self.screen.clone();
        inputs.extend(&self.voted);
        let inputs = balanced(&self.board, &inputs, self.run.seed, "race");
        let race = Race {
            keep,
            ..self.race_on(phase, &inputs, share)
        };
        let finish = race.run(&mut self.board, self.run.desk(), entrants).await?;
        if finish.standings.is_empty() {
            return Err(Stop::Budget(
                "not one evaluation fits; raise --max-calls, --max-tokens or --max-usd".into(),
            ));
        }
        self.affordable &= finish.affordable;
        self.standings = finish.standings;
        Ok(())
    }

    fn race_on<'b>(&self, phase: Phase, inputs: &'b [InputIndex], share: f64) -> Race<'b>
    where
        'a: 'b,
    {
        let spec = &self.run.spec;
        Race {
            phase,
            spec,
            inputs,
            trust: self.trust,
            evaluations: (spec.evaluations as f64 * share) as usize,
            keep: spec.finalists,
            seed: self.seed,
            draws: seeds::number(self.run.seed, &format!("race {phase}")),
        }
    }
}

/// The weight of a voted label against a true one: a label that is right with
/// probability `a` carries `(2a − 1)²` of the information of a true binary label
/// (the variance factor of the Rogan-Gladen correction, 1978). `a` is estimated
/// from votes on labelled source examples by the rule of succession; votes that
/// could not be checked carry nothing.
fn trust(kept: usize, right: usize) -> f64 {
    if kept == 0 {
        return 0.0;
    }
    let accuracy = (right as f64 + 1.0) / (kept as f64 + 2.0);
    (2.0 * accuracy - 1.0).max(0.0).powi(2)
}

/// Labelled inputs by group and class, each cell shuffled by its own stream.
fn cells(board: &Board, inputs: &[InputIndex], seed: u64, name: &str) -> Vec<Vec<Vec<InputIndex>>> {
    let mut cells: BTreeMap<usize, BTreeMap<String, Vec<InputIndex>>> = BTreeMap::new();
    for &input in inputs {
        let class = match board.label(input) {
            Some(Label::Class(class)) => class.clone(),
            _ => String::new(),
        };
        cells
            .entry(board.group_of(input))
            .or_default()
            .entry(class)
            .or_default()
            .push(input);
    }
    for (group, classes) in &mut cells {
        for (class, members) in classes {
            members.shuffle(&mut seeds::stream(
                seed,
                &format!("order {name} {group} {class}"),
            ));
        }
    }
    cells
        .into_values()
        .map(|classes| classes.into_values().collect())
        .collect()
}

/// An order of labelled inputs of which every prefix is as balanced as can be
/// across groups and, within a group, across classes.
fn balanced(board: &Board, inputs: &[InputIndex], seed: u64, name: &str) -> Vec<InputIndex> {
    interleave(&cells(board, inputs, seed, name))
}

/// Two such orders that share the inputs equally, cell by cell.
fn halves(
    board: &Board,
    inputs: &[InputIndex],
    seed: u64,
    name: &str,
) -> (Vec<InputIndex>, Vec<InputIndex>) {
    let mut front = cells(board, inputs, seed, name);
    let mut back = front.clone();
    for cell in front.iter_mut().flatten() {
        cell.truncate(cell.len().div_ceil(2));
    }
    for cell in back.iter_mut().flatten() {
        cell.drain(..cell.len().div_ceil(2));
    }
    (interleave(&front), interleave(&back))
}

fn interleave(groups: &[Vec<Vec<InputIndex>>]) -> Vec<InputIndex> {
    let groups: Vec<Vec<InputIndex>> = groups.iter().map(|classes| round_robin(classes)).collect();
    round_robin(&groups)
}

/// Takes one from each list in turn until all are empty.
fn round_robin(lists: &[Vec<InputIndex>]) -> Vec<InputIndex> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest)
        .flat_map(|turn| lists.iter().filter_map(move |list| list.get(turn).copied()))
        .collect()
}
