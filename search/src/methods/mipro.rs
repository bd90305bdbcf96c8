//! MIPRO: instructions and demonstrations chosen together.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rand::seq::SliceRandom;
use shiftproof_tasks::{Demonstration, Prompt};

use super::generations;
use super::joint_model::{JointModel, TrialOutcome};
use super::{DataCounts, MethodPlan, PlannedStep, SearchMethod, ShownCounts, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{DemonstrationProposer, GroundedProposer, TargetUse};
use crate::run::{CandidateIndex, InputIndex, SearchContext, in_turn};
use crate::seeds;
use crate::spec::SearchSpec;

/// Instructions proposed from a summary of the data and demonstrations; sets of
/// demonstrations bootstrapped from what a prompt answers right; the pair of both
/// chosen by trials on minibatches that a surrogate model picks, the best measured in
/// full (Opsahl-Ong et al., EMNLP 2024, "Optimizing Instructions and
/// Demonstrations for Multi-Stage Language Model Programs", arXiv 2406.11695, §4;
/// `MIPROv2`).
///
/// Where it departs from the paper: instructions race without demonstrations first,
/// and ten go on, since `search.proposals` asks for more than trials can tell apart;
/// the prompt whose right answers are shown is the best of that race, not the one in
/// use; the surrogate is a linear model of independent normal effects in place of TPE, and
/// picks by draws from its posterior (Thompson sampling); a demonstration shows the
/// label, without a model's reasoning; where too few examples of a class were
/// answered right, its labels fill the set.
#[derive(Debug, Clone, Copy)]
pub struct Mipro;

/// Instructions that go on to the trials.
const INSTRUCTIONS: usize = 10;
/// Sets of demonstrations beside the empty one; the first takes examples as they
/// come, right or wrong.
const SETS: usize = 5;
/// Demonstrations of a set (`MIPROv2`: four of each kind at most).
const SHOWN: usize = 4;
/// Examples that a prompt answers for the sets, at most; and the part of the trials'
/// evaluations that this may take.
const BOOTSTRAP: usize = 24;
const BOOTSTRAP_SHARE: f64 = 0.1;
/// Rounds of trials; more where `search.rounds` says so.
const ROUNDS: usize = 5;
/// Examples of a minibatch (`MIPROv2`: 35).
const MINIBATCH: usize = 30;
/// Pairs tried in a round, at most.
const TRIED: usize = 8;
const SCREEN: f64 = 0.27;
const REFINE: f64 = 0.48;

fn rounds(spec: &SearchSpec) -> usize {
    ROUNDS.max(spec.rounds)
}

#[async_trait]
impl SearchMethod for Mipro {
    fn name(&self) -> &'static str {
        "mipro"
    }

    fn shown(&self) -> ShownCounts {
        ShownCounts {
            prompts: 1,
            demonstrations: 3,
        }
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        // The last time the best are measured in full.
        let times = rounds(spec) + 1;
        MethodPlan {
            steps: vec![
                PlannedStep {
                    texts: spec.proposals,
                    prompts: spec.proposals,
                    ..PlannedStep::new(Phase::Propose, "a summary, and instructions from it")
                },
                steps::screened(SCREEN),
                PlannedStep {
                    times,
                    prompts: TRIED,
                    share: REFINE / times as f64,
                    ..PlannedStep::new(Phase::Refine, "instructions with demonstrations")
                },
            ],
            final_share: 1.0 - SCREEN - REFINE,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        let given = context.candidates();
        context.enter_phase(
            Phase::Propose,
            format!(
                "{} texts: a summary of the data, and instructions",
                spec.proposals
            ),
        )?;
        let proposer = GroundedProposer {
            induction: steps::induction(spec, TargetUse::Nothing),
        };
        context
            .propose(&proposer, &given, spec.proposals, "mipro")
            .await?;
        let entrants = context.candidates();
        let instructions = generations::screen(context, entrants, INSTRUCTIONS).await?;
        let right = bootstrap(context, instructions[0]).await?;
        let sets = sets(context, &instructions, &right);
        let mut search = JointSearch::new(context, instructions, sets);
        for round in 0..rounds(spec) {
            search.round(context, round, rounds(spec)).await?;
        }
        search.best(context).await
    }
}

/// The examples of the pool that a prompt answers right, in their order.
async fn bootstrap(
    context: &mut SearchContext<'_>,
    teacher: CandidateIndex,
) -> Result<Vec<InputIndex>, RunError> {
    let mut asked = context.demonstration_pool();
    context.enter_phase(
        Phase::Refine,
        format!(
            "the best so far answers up to {BOOTSTRAP} of {} examples that may be shown",
            asked.len()
        ),
    )?;
    let most = context.evaluations_left() as f64 * BOOTSTRAP_SHARE;
    asked.truncate(BOOTSTRAP.min(most as usize));
    context.evaluate(&[teacher], &asked).await?;
    let outcomes = context.outcomes(teacher, &asked);
    let right = asked.into_iter().zip(outcomes);
    Ok(right
        .filter(|(_, outcome)| outcome.is_some_and(|value| value >= 0.5))
        .map(|(example, _)| example)
        .collect())
}

/// The sets, the empty one first; none that is too long for the longest of the
/// instructions.
fn sets(
    context: &mut SearchContext<'_>,
    instructions: &[CandidateIndex],
    right: &[InputIndex],
) -> Vec<Vec<Demonstration>> {
    let longest = instructions.iter().map(|&one| context.prompt(one).tokens());
    let room = context
        .prompt_limit()
        .saturating_sub(longest.max().unwrap_or(0));
    let pool: Vec<(Demonstration, bool)> = context
        .demonstration_pool()
        .into_iter()
        .map(|example| (context.demonstration(example), right.contains(&example)))
        .collect();
    let draws = context.stream("demonstration sets");
    let mut sets = vec![Vec::new()];
    for number in 0..SETS {
        let set = set(&pool, number == 0, room, (draws, number));
        if !set.is_empty() && !sets.contains(&set) {
            sets.push(set);
        }
    }
    sets
}

/// One set: an example of each answer in turn, those that were answered right before
/// the others; `labelled`: whether they were makes no difference.
fn set(
    pool: &[(Demonstration, bool)],
    labelled: bool,
    room: usize,
    (draws, number): (u64, usize),
) -> Vec<Demonstration> {
    let mut answers: BTreeMap<&str, Vec<(&Demonstration, bool)>> = BTreeMap::new();
    for (shown, right) in pool {
        let own = answers.entry(&shown.answer).or_default();
        own.push((shown, *right || labelled));
    }
    // Answers that hardly repeat, such as titles, are no classes.
    if answers.len() > pool.len() / 2 {
        let all = answers.into_values().flatten().collect();
        answers = BTreeMap::from([("", all)]);
    }
    let mut rng = seeds::stream(draws, &format!("set {number}"));
    let mut classes: Vec<Vec<&Demonstration>> = answers
        .into_values()
        .map(|mut own| {
            own.shuffle(&mut rng);
            own.sort_by_key(|(_, right)| !right);
            own.into_iter().map(|(shown, _)| shown).collect()
        })
        .collect();
    classes.shuffle(&mut rng);
    let mut set = Prompt::new("");
    for shown in in_turn(&classes) {
        if set.demonstrations.len() == SHOWN {
            break;
        }
        set.demonstrations.push(shown.clone());
        if set.tokens() > room {
            set.demonstrations.pop();
        }
    }
    set.demonstrations.shuffle(&mut rng);
    set.demonstrations
}

/// The search over pairs of an instruction and a set.
struct JointSearch {
    instructions: Vec<CandidateIndex>,
    sets: Vec<Vec<Demonstration>>,
    model: JointModel,
}

impl JointSearch {
    /// Begins with what the first race found out of the instructions alone.
    fn new(
        context: &SearchContext<'_>,
        instructions: Vec<CandidateIndex>,
        sets: Vec<Vec<Demonstration>>,
    ) -> Self {
        let model = JointModel::new(instructions.len(), sets.len());
        let mut search = Self {
            instructions,
            sets,
            model,
        };
        let examples = context.race_examples();
        for pair in 0..search.instructions.len() {
            let pair = pair * search.sets.len();
            search.learn(context, pair, &examples, 0);
        }
        search
    }

    /// The prompt of a pair.
    fn prompt(&self, context: &SearchContext<'_>, pair: usize) -> Prompt {
        let bare = context.prompt(self.instructions[pair / self.sets.len()]);
        let shown = &self.sets[pair % self.sets.len()];
        if shown.is_empty() {
            return bare.clone();
        }
        bare.clone().with_demonstrations(shown.clone())
    }

    /// Tries the pairs that draws from the model like best, on a fresh minibatch.
    async fn round(
        &mut self,
        context: &mut SearchContext<'_>,
        round: usize,
        rounds: usize,
    ) -> Result<(), RunError> {
        // What is left, the last share for the full measure apart.
        let evaluations = context.evaluations_left() / (rounds + 1 - round);
        let mut examples = context.shuffled_examples(&format!("mipro {round}"));
        let size = MINIBATCH.min(examples.len()).min(evaluations);
        if size == 0 {
            return Ok(());
        }
        examples.truncate(size);
        let pairs = self.drawn(context, (evaluations / size).clamp(1, TRIED), round);
        context.enter_phase(
            Phase::Refine,
            format!(
                "trials {} of {rounds}: {} of {} pairs of instruction and demonstrations on {size} \
                 examples",
                round + 1,
                pairs.len(),
                self.instructions.len() * self.sets.len()
            ),
        )?;
        let tried = self.enter(context, &pairs, round).await?;
        context.evaluate(&tried, &examples).await?;
        for pair in pairs {
            self.learn(context, pair, &examples, round + 1);
        }
        Ok(())
    }

    /// Different pairs, the best of a draw each.
    fn drawn(&self, context: &SearchContext<'_>, count: usize, round: usize) -> Vec<usize> {
        let mut drawn: Vec<usize> = Vec::new();
        for trial in 0..count {
            let mut rng = seeds::stream(context.stream("trials"), &format!("{round} {trial}"));
            let worth = self.model.draw(&mut rng);
            let open = (0..worth.len()).filter(|pair| !drawn.contains(pair));
            drawn.extend(open.max_by(|&a, &b| worth[a].total_cmp(&worth[b])));
        }
        drawn
    }

    /// Enters what is not in the race yet; returns the candidates of the pairs.
    async fn enter(
        &self,
        context: &mut SearchContext<'_>,
        pairs: &[usize],
        round: usize,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let new: Vec<(Prompt, Prompt)> = pairs
            .iter()
            .filter_map(|&pair| {
                let bare = context.prompt(self.instructions[pair / self.sets.len()]);
                let shown = self.prompt(context, pair);
                let is_new = context.find(&shown).is_none();
                is_new.then(|| (bare.clone(), shown))
            })
            .collect();
        if !new.is_empty() {
            let (count, stream) = (new.len(), format!("mipro {round}"));
            let proposer = DemonstrationProposer { pairs: new };
            context
                .propose(&proposer, &self.instructions, count, &stream)
                .await?;
        }
        Ok(pairs
            .iter()
            .filter_map(|&pair| context.find(&self.prompt(context, pair)))
            .collect())
    }

    /// Takes in what a pair got on these examples, every group alike.
    fn learn(
        &mut self,
        context: &SearchContext<'_>,
        pair: usize,
        examples: &[InputIndex],
        batch: usize,
    ) {
        let Some(candidate) = context.find(&self.prompt(context, pair)) else {
            return;
        };
        let groups = generations::group_sums(context, candidate, examples);
        if groups.is_empty() {
            return;
        }
        let means = groups.values().map(|(sum, count)| sum / count);
        self.model.learn(TrialOutcome {
            instruction: pair / self.sets.len(),
            shown: pair % self.sets.len(),
            batch,
            value: means.sum::<f64>() / groups.len() as f64,
            answers: groups.values().map(|(_, count)| *count as usize).sum(),
        });
    }

    /// The pairs that the model expects most of, of those that were tried, and a race
    /// among them.
    async fn best(self, context: &mut SearchContext<'_>) -> Result<Vec<CandidateIndex>, RunError> {
        let finalists = context.spec().finalists;
        let worth = self.model.means();
        let mut pairs: Vec<usize> = (0..worth.len()).collect();
        pairs.sort_by(|&a, &b| worth[b].total_cmp(&worth[a]));
        let tried = pairs.iter();
        steps::check_proposed(context)?;
        let mut best: Vec<CandidateIndex> = tried
            .filter_map(|&pair| context.find(&self.prompt(context, pair)))
            .collect();
        best.truncate(finalists);
        context.enter_phase(
            Phase::Refine,
            format!("the {} best pairs on all examples", best.len()),
        )?;
        context.race(best, finalists).await
    }
}
