//! CAPO: cost-aware prompt optimisation.

use async_trait::async_trait;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use shiftproof_tasks::{Demonstration, Prompt};

use super::generations::{self, GenerationPlan, population_size};
use super::{DataCounts, MethodPlan, SearchMethod, ShownCounts, steps};
use crate::event::Phase;
use crate::gateway::RunError;
use crate::propose::{DemonstrationProposer, OffspringProposer, PlannedOffspring};
use crate::run::{CandidateIndex, SearchContext};
use crate::seeds;
use crate::spec::SearchSpec;

/// A population of instructions with demonstrations: the model merges two
/// instructions and varies the outcome, demonstrations are mixed, added, removed and
/// shuffled, and what is not good enough leaves the race early (Zehle et al., `AutoML`
/// 2025, "CAPO: Cost-Aware Prompt Optimization", arXiv 2504.16005, §3, algorithm 1).
///
/// Where it departs from the paper: the study's allocation rule takes the place of
/// its race by paired t-tests (`search.rule = "racing"` is one); demonstrations show
/// the label without a model's reasoning; the price of length is
/// `search.length_price`, 0 by default (the paper's γ = .05 over prompts of at most L
/// tokens at the start is 5,000 / L points a thousand tokens); of `search.proposals` a
/// quarter, at most 10, fills the population, and the rest goes in eights, two texts
/// for each of four children.
#[derive(Debug, Clone, Copy)]
pub struct Capo;

/// Demonstrations of a prompt at most (§4.2 of the paper).
const MOST_SHOWN: usize = 5;
/// Texts of a generation: two for each of four children (§4.2 of the paper).
const STEP: usize = 8;
const SCREEN: f64 = 0.25;
const REFINE: f64 = 0.5;

fn dealt(spec: &SearchSpec) -> GenerationPlan {
    GenerationPlan::of(spec, population_size(spec), STEP)
}

#[async_trait]
impl SearchMethod for Capo {
    fn name(&self) -> &'static str {
        "capo"
    }

    fn shown(&self) -> ShownCounts {
        ShownCounts {
            prompts: 2,
            demonstrations: 3,
        }
    }

    fn plan(&self, spec: &SearchSpec, _: &DataCounts) -> MethodPlan {
        let dealt = dealt(spec);
        let refined = dealt.refined(REFINE, "crossovers, mutations and demonstrations");
        MethodPlan {
            steps: vec![
                // Every instruction may come a second time with demonstrations.
                dealt.begun(dealt.start + population_size(spec)),
                steps::screened(SCREEN),
                refined,
            ],
            final_share: 1.0 - SCREEN - REFINE,
        }
    }

    async fn search(
        &self,
        context: &mut SearchContext<'_>,
    ) -> Result<Vec<CandidateIndex>, RunError> {
        let spec = context.spec();
        let (dealt, size) = (dealt(spec), population_size(spec));
        let instructions = generations::populate(context, dealt.start).await?;
        let mut entrants = instructions.clone();
        entrants.extend(demonstrated(context, &instructions, size).await?);
        let mut population = generations::screen(context, entrants, size).await?;
        for round in 0..dealt.rounds {
            context.enter_phase(
                Phase::Refine,
                format!(
                    "generation {} of {}: {} children of {} prompts",
                    round + 1,
                    dealt.rounds,
                    dealt.each.div_ceil(2),
                    population.len()
                ),
            )?;
            let proposer = OffspringProposer {
                offspring: offspring(context, &population, dealt.each.div_ceil(2), round),
            };
            let stream = format!("capo {round}");
            let children = context
                .propose(&proposer, &population, dealt.each, &stream)
                .await?;
            if round + 1 == dealt.rounds {
                steps::check_proposed(context)?;
            }
            population.extend(children);
            population = context.race(population, size).await?;
            // The seed is in every race, and here only if it is one of the best.
            population.truncate(size);
        }
        population.truncate(spec.finalists);
        Ok(population)
    }
}

/// The last `count` instructions, which are those that were proposed, once more
/// with some demonstrations each.
async fn demonstrated(
    context: &mut SearchContext<'_>,
    instructions: &[CandidateIndex],
    count: usize,
) -> Result<Vec<CandidateIndex>, RunError> {
    let pool = DemonstrationPool::of(context);
    let latest = &instructions[instructions.len().saturating_sub(count)..];
    let pairs: Vec<(Prompt, Prompt)> = latest
        .iter()
        .filter_map(|&candidate| {
            let bare = context.prompt(candidate).clone();
            let mut rng = seeds::stream(context.stream("shown"), &format!("first {candidate}"));
            let many = rng.random_range(1..=MOST_SHOWN);
            let shown = pool.draw(many, &[], &mut rng);
            let shown = pool.fitted(&bare, shown);
            (!shown.is_empty()).then(|| (bare.clone(), bare.with_demonstrations(shown)))
        })
        .collect();
    let count = pairs.len();
    let proposer = DemonstrationProposer { pairs };
    context
        .propose(&proposer, latest, count, "capo shown")
        .await
}

/// Two different parents each, drawn alike from the population, and what their child
/// shows.
fn offspring(
    context: &mut SearchContext<'_>,
    population: &[CandidateIndex],
    count: usize,
    round: usize,
) -> Vec<PlannedOffspring> {
    let pool = DemonstrationPool::of(context);
    (0..count)
        .map(|index| {
            let mut rng = seeds::stream(context.stream("offspring"), &format!("{round} {index}"));
            let drawn: Vec<CandidateIndex> = population.sample(&mut rng, 2).copied().collect();
            let first = drawn.first().copied().unwrap_or(context.seed_candidate());
            let second = drawn.get(1).copied().unwrap_or(first);
            let parents = [first, second].map(|parent| context.prompt(parent).clone());
            let shown = pool.varied(crossed(&parents, &mut rng), &mut rng);
            PlannedOffspring {
                demonstrations: pool.fitted(&parents[0], shown),
                parents,
            }
        })
        .collect()
}

/// Of all demonstrations of the parents half as many as both have together
/// (algorithm 1, line 8).
fn crossed(parents: &[Prompt; 2], rng: &mut impl RngExt) -> Vec<Demonstration> {
    let both = parents.iter().map(|parent| parent.demonstrations.len());
    let half = both.sum::<usize>() / 2;
    let mut all: Vec<Demonstration> = Vec::new();
    for shown in parents.iter().flat_map(|parent| &parent.demonstrations) {
        if !all.contains(shown) {
            all.push(shown.clone());
        }
    }
    all.sample(rng, half).cloned().collect()
}

/// What can be shown.
struct DemonstrationPool {
    examples: Vec<Demonstration>,
    limit: usize,
}

impl DemonstrationPool {
    fn of(context: &mut SearchContext<'_>) -> Self {
        let pool = context.demonstration_pool();
        Self {
            examples: pool
                .into_iter()
                .map(|index| context.demonstration(index))
                .collect(),
            limit: context.prompt_limit(),
        }
    }

    /// `many` that are not among `but`.
    fn draw(
        &self,
        many: usize,
        but: &[Demonstration],
        rng: &mut impl RngExt,
    ) -> Vec<Demonstration> {
        let free: Vec<&Demonstration> = self
            .examples
            .iter()
            .filter(|shown| !but.contains(shown))
            .collect();
        free.sample(rng, many)
            .map(|shown| (*shown).clone())
            .collect()
    }

    /// One more, one fewer or as many, each a third of the time, in another order
    /// (algorithm 1, lines 14 to 21).
    fn varied(&self, mut shown: Vec<Demonstration>, rng: &mut impl RngExt) -> Vec<Demonstration> {
        match rng.random_range(0..3) {
            0 if shown.len() < MOST_SHOWN => shown.extend(self.draw(1, &shown, rng)),
            1 if !shown.is_empty() => {
                shown.remove(rng.random_range(0..shown.len()));
            }
            _ => {}
        }
        shown.shuffle(rng);
        shown
    }

    /// As many of the first as a prompt about as long as this one has room for.
    fn fitted(&self, prompt: &Prompt, shown: Vec<Demonstration>) -> Vec<Demonstration> {
        let mut fitted = Prompt::new(&prompt.instruction);
        for one in shown {
            fitted.demonstrations.push(one);
            if fitted.tokens() > self.limit {
                fitted.demonstrations.pop();
            }
        }
        fitted.demonstrations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: usize) -> Demonstration {
        Demonstration {
            input: format!("input {number}"),
            answer: "yes".into(),
        }
    }

    fn pool(limit: usize) -> DemonstrationPool {
        DemonstrationPool {
            examples: (0..20).map(shown).collect(),
            limit,
        }
    }

    #[test]
    fn children_show_what_parents_show() {
        let mut rng = seeds::stream(1, "cross");
        let parents = [
            Prompt::new("a").with_demonstrations(vec![shown(1), shown(2), shown(3)]),
            Prompt::new("b").with_demonstrations(vec![shown(3), shown(4), shown(5)]),
        ];
        for _ in 0..50 {
            let child = crossed(&parents, &mut rng);
            assert_eq!(child.len(), 3);
            let mut once = child.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), 3, "{child:?}");
            assert!(child.iter().all(|one| (1..=5).any(|n| *one == shown(n))));
        }
        assert!(crossed(&[Prompt::new("a"), Prompt::new("b")], &mut rng).is_empty());
    }

    #[test]
    fn mutation_adds_removes_and_shuffles() {
        let mut rng = seeds::stream(1, "vary");
        let mut sizes = std::collections::BTreeSet::new();
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let varied = pool(1000).varied(vec![shown(1), shown(2)], &mut rng);
            sizes.insert(varied.len());
            orders.insert(varied.first().cloned());
            let full = pool(1000).varied((0..MOST_SHOWN).map(shown).collect(), &mut rng);
            assert!((MOST_SHOWN - 1..=MOST_SHOWN).contains(&full.len()));
            assert!(pool(1000).varied(Vec::new(), &mut rng).len() <= 1);
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(orders.len() > 2);
    }

    #[test]
    fn long_demonstrations_are_left_out() {
        let long = Demonstration {
            input: "word ".repeat(60),
            answer: "no".into(),
        };
        let fitted = pool(30).fitted(&Prompt::new("Judge it."), vec![shown(1), long, shown(2)]);
        assert_eq!(fitted, [shown(1), shown(2)]);
    }
}
