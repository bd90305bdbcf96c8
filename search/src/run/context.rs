//! What a search method is given: the run under way, and what it may do to it.

use std::collections::BTreeSet;

use shiftproof_tasks::{Example, Prompt, PromptId, Task, text};

use super::Run;
use super::allowance::Allowance;
use super::balance::{balanced, halves};
use super::proposals::ProposalTally;
use crate::event::{CandidateProposed, Event, GroupOutcome, Origin, Phase};
use crate::gateway::RunError;
use crate::methods::{DataCounts, MethodPlan};
use crate::propose::{self, ProposalForm};
use crate::response_matrix::{CandidateIndex, InputIndex, ResponseMatrix};
use crate::seeds;
use crate::spec::SearchSpec;

/// A run under way, as its [method](crate::methods::SearchMethod) sees it: the
/// candidates and examples by index, and the primitives that methods are written
/// with.
///
/// It holds the method to its own [plan](MethodPlan): each phase has what the plan
/// gives it, and no more. True labels of target examples are in scores alone; no
/// text that a proposer could be shown comes from them.
pub struct SearchContext<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) matrix: ResponseMatrix,
    /// Source examples for the races, balanced in every prefix.
    pub(super) screen: Vec<InputIndex>,
    /// Source examples kept for the final.
    pub(super) fresh: Vec<InputIndex>,
    /// Target examples with true labels: in every race, for they are few, and
    /// say more of the target than anything else.
    pub(super) labelled: Vec<InputIndex>,
    /// Unlabelled target inputs.
    pub(super) target: Vec<InputIndex>,
    /// Labelled examples shown to proposers, classes alternating.
    pub(super) train: Vec<Example>,
    /// The same in the matrix, in the same order: methods that reflect ask about
    /// them, and no race does.
    pub(super) train_inputs: Vec<InputIndex>,
    /// Voted examples shown to proposers.
    pub(super) pseudo_labelled_train: Vec<Example>,
    /// Voted inputs candidates are scored on.
    pub(super) pseudo_labelled: Vec<InputIndex>,
    /// How far voted labels can be trusted, in `0..=1`.
    pub(super) pseudo_label_weight: f64,
    /// The prompt in use today.
    pub(super) seed: CandidateIndex,
    /// Whether everything so far could be afforded.
    pub(super) affordable: bool,
    /// How the proposer is spoken to; found out when it is first needed.
    pub(super) form: Option<ProposalForm>,
    /// Longest prompt, in tokens.
    pub(super) limit: usize,
    /// What models' proposals came to so far.
    pub(super) proposed: ProposalTally,
    pub(super) plan: MethodPlan,
    pub(super) allowance: Allowance,
    pub(super) phase: Phase,
    /// Training examples that prompts may show, once they were asked for.
    pub(super) demonstration_pool: Option<Vec<InputIndex>>,
    /// What the inputs of the audit say.
    pub(super) sealed: BTreeSet<String>,
    /// How many of the first candidates nobody proposed.
    pub(super) given: usize,
    /// The generic prompts among them.
    pub(super) library: Vec<CandidateIndex>,
    /// Whether the headroom was told.
    pub(super) headroom_told: bool,
}

impl<'a> SearchContext<'a> {
    pub(super) fn begin(run: &'a Run<'a>) -> Result<Self, RunError> {
        let plan = run.method.plan(&run.spec, &DataCounts::of(&run.data));
        if let Some(reason) = plan.fault() {
            return Err(run.departed(reason));
        }
        let mut matrix = ResponseMatrix::new(run.groups.clone());
        matrix
            .target_shares
            .clone_from(&run.data.target.class_shares);
        let validation = matrix.add_examples(&run.data.source.validation);
        // Half the examples run the races, the other half decides: a score that
        // helped a prompt to win is not what it is finally judged on.
        let (screen, fresh) = halves(&matrix, &validation, run.seed, "validation");
        let labelled = if run.data.labelled_target.is_empty() {
            Vec::new()
        } else {
            let examples = run.data.labelled_target.read();
            let indices = matrix.add_examples(examples);
            let chosen = indices.iter().zip(examples);
            let chosen =
                chosen.filter(|(_, example)| run.data.labelled_target.is_chosen(&example.input.id));
            matrix.set_chosen(chosen.map(|(&index, _)| index).collect());
            indices
        };
        let target = matrix.add_inputs(run.data.target.inputs.iter());
        let train = matrix.add_examples(&run.data.source.train);
        let train_inputs = balanced(&matrix, &train, run.seed, "train");
        let train = examples(&matrix, &train_inputs);
        let mut context = Self {
            run,
            matrix,
            screen,
            fresh,
            labelled,
            target,
            train,
            train_inputs,
            pseudo_labelled_train: Vec::new(),
            pseudo_labelled: Vec::new(),
            pseudo_label_weight: 0.0,
            seed: 0,
            affordable: true,
            form: None,
            limit: run.spec.prompt_limit(longest(run)),
            proposed: ProposalTally::default(),
            allowance: Allowance::of(&plan, run.spec.evaluations),
            plan,
            phase: Phase::Propose,
            demonstration_pool: None,
            sealed: BTreeSet::new(),
            given: 0,
            library: Vec::new(),
            headroom_told: false,
        };
        context.enter_given()?;
        context.given = context.matrix.candidates.len();
        Ok(context)
    }

    /// The prompts that enter without being proposed: the seed first.
    fn enter_given(&mut self) -> Result<(), RunError> {
        let run = self.run;
        self.enter(run.task.seed(), Origin::Seed, Vec::new(), None)?;
        for prompt in &run.human {
            self.enter(prompt.clone(), Origin::Human, Vec::new(), None)?;
        }
        let library = run.spec.library || run.method.needs_library();
        if let (true, Some(example)) = (library, self.train.first()) {
            let form = run.task.answer_form(&example.input);
            for prompt in propose::generic_prompts(&form) {
                let entered = self.enter(prompt, Origin::Library, Vec::new(), None)?;
                self.library.extend(entered);
            }
        }
        Ok(())
    }

    /// Enters a prompt in the race; `None` if it is there already.
    pub(super) fn enter(
        &mut self,
        prompt: Prompt,
        origin: Origin,
        parents: Vec<PromptId>,
        chunk: Option<usize>,
    ) -> Result<Option<CandidateIndex>, RunError> {
        // What is proposed again is in the race, and was told.
        if let Some(known) = self.matrix.claim(prompt.id(), &parents, chunk) {
            return Ok(Some(known));
        }
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

    /// The study's numbers, as fitted to the budget.
    pub fn spec(&self) -> &'a SearchSpec {
        &self.run.spec
    }

    /// The task.
    pub fn task(&self) -> &'a dyn Task {
        self.run.task.as_ref()
    }

    /// Begins a phase; `plan` tells observers what is about to be done. What
    /// follows is counted against what the method's plan gives this phase.
    pub fn enter_phase(&mut self, phase: Phase, plan: String) -> Result<(), RunError> {
        self.phase = phase;
        self.run.gateway.emit(&Event::Phase { phase, plan })
    }

    /// Everything in the race, in the order it entered: the seed, then the study's
    /// other prompts, then what was proposed.
    pub fn candidates(&self) -> Vec<CandidateIndex> {
        (0..self.matrix.candidates.len()).collect()
    }

    /// The candidate that is in use today.
    pub fn seed_candidate(&self) -> CandidateIndex {
        self.seed
    }

    /// A candidate's prompt.
    pub fn prompt(&self, candidate: CandidateIndex) -> &Prompt {
        &self.matrix.candidates[candidate].prompt
    }

    /// The prompts that a candidate was made from, in the order its proposer named
    /// them.
    pub fn parents(&self, candidate: CandidateIndex) -> &[PromptId] {
        &self.matrix.candidates[candidate].parents
    }

    /// The name of an example's group.
    pub fn group(&self, example: InputIndex) -> &str {
        &self.matrix.groups[self.matrix.group_of(example)].name
    }

    /// Which chunk of demonstrations induced a candidate, where one did.
    pub fn chunk(&self, candidate: CandidateIndex) -> Option<usize> {
        self.matrix.candidates[candidate].chunk
    }

    /// Labelled source examples that proposers are shown, balanced in every prefix;
    /// no candidate is ever scored on them.
    pub fn train(&self) -> &[Example] {
        &self.train
    }

    /// Voted target examples that proposers are shown; empty before a vote.
    pub fn pseudo_labelled_train(&self) -> &[Example] {
        &self.pseudo_labelled_train
    }

    /// Target inputs without labels.
    pub fn target_examples(&self) -> &[InputIndex] {
        &self.target
    }

    /// The examples candidates are scored on before the final: source, labelled
    /// target and voted target, balanced over groups and classes in every prefix.
    pub fn race_examples(&self) -> Vec<InputIndex> {
        self.race_order("race")
    }

    /// The same examples in another balanced order, one for each `stream`: its first
    /// `n` are a stratified minibatch.
    pub fn shuffled_examples(&self, stream: &str) -> Vec<InputIndex> {
        self.race_order(&format!("minibatch {stream}"))
    }

    fn race_order(&self, stream: &str) -> Vec<InputIndex> {
        let mut inputs = self.screen.clone();
        inputs.extend(self.pseudo_labelled.iter().chain(&self.labelled));
        balanced(&self.matrix, &inputs, self.run.seed, stream)
    }

    /// What a candidate's answers to may be shown to proposers: the source examples
    /// of [`train`](Self::train) and, after a vote, the voted ones that proposers are
    /// shown. No candidate is scored on them in a race or in the final, so a prompt
    /// that is written for them gains nothing by it. In a balanced order, one for each
    /// `stream`.
    pub fn training_examples(&self, stream: &str) -> Vec<InputIndex> {
        let mut inputs = self.train_inputs.clone();
        let voted = self.target.iter().filter(|&&input| {
            self.matrix.is_voted(input) && !self.pseudo_labelled.contains(&input)
        });
        inputs.extend(voted);
        balanced(
            &self.matrix,
            &inputs,
            self.run.seed,
            &format!("training {stream}"),
        )
    }

    /// A seed for draws of the method's own, one for each name.
    pub fn stream(&self, name: &str) -> u64 {
        seeds::number(self.run.seed, name)
    }

    /// Whether everything so far could be afforded. Where not, further calls come
    /// to nothing, and a method returns the best it has.
    pub fn is_affordable(&self) -> bool {
        self.affordable
    }

    /// Whether the plan was scaled down to the budget.
    pub fn is_fitted(&self) -> bool {
        self.run.fitted
    }

    /// Evaluations that the present phase may still use.
    pub fn evaluations_left(&self) -> usize {
        self.allowance.evaluations_left(self.phase)
    }

    /// What a candidate's answers to these examples are worth, in their order, in
    /// `0..=1`; `None` where it was not asked, where no label is known, and where
    /// the call failed.
    pub fn outcomes(&self, candidate: CandidateIndex, examples: &[InputIndex]) -> Vec<Option<f64>> {
        let answers = self.matrix.answers(self.run.context(), candidate);
        let outcomes = examples.iter().map(|&example| answers.outcome(example));
        outcomes
            .map(|outcome| outcome.and_then(|outcome| outcome.value()))
            .collect()
    }

    /// A candidate's score per group on those of the examples that it was asked
    /// about; groups without any are left out.
    pub fn group_scores(
        &self,
        candidate: CandidateIndex,
        examples: &[InputIndex],
    ) -> Vec<GroupOutcome> {
        let answers = self.matrix.answers(self.run.context(), candidate);
        answers.group_scores(examples)
    }
}

/// Labelled inputs with their labels.
pub(super) fn examples(matrix: &ResponseMatrix, inputs: &[InputIndex]) -> Vec<Example> {
    let labelled = inputs.iter().filter_map(|&index| {
        Some(Example {
            input: matrix.input(index).clone(),
            label: matrix.label(index)?.clone(),
        })
    });
    labelled.collect()
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
