//! Which target inputs are worth a person's label.

/// An input that could be labelled.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenInput {
    /// Number of its group.
    pub group: usize,
    /// How many prompts gave each answer to it; empty where nobody was asked.
    pub votes: Vec<u32>,
    /// Its two own draws, uniform in (0, 1) and fixed for the input: so that a choice
    /// does not depend on the order of inputs, and more labels begin with the same ones.
    pub draws: [f64; 2],
}

impl OpenInput {
    /// The share of the commonest answer and the number of votes; `None` of fewer than
    /// two votes.
    pub fn agreement(&self) -> Option<(f64, u32)> {
        let all: u32 = self.votes.iter().sum();
        let most = self.votes.iter().max()?;
        (all > 1).then(|| (f64::from(*most) / f64::from(all), all))
    }

    /// √(1 − Σ v² + .01), v the shares of the answers: what a choice among inputs is
    /// weighted by.
    fn weight(&self) -> Option<f64> {
        let (_, all) = self.agreement()?;
        let square = |votes: &u32| (f64::from(*votes) / f64::from(all)).powi(2);
        Some((1.0 - self.votes.iter().map(square).sum::<f64>() + 0.01).sqrt())
    }
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GroupKnowledge {
    /// Its labels that the search may use.
    pub labels: usize,
    /// The score of the prompt at hand there, in `0..=1`, where it is known.
    pub score: Option<f64>,
}

/// Why an input is worth a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LabelReason {
    /// Drawn at random, so that labels speak for the group and its classes.
    Sample,
    /// Prompts disagree about it.
    Disagreement {
        /// Share of the commonest answer, in `0..=1`.
        share: f64,
        /// Prompts that answered.
        votes: u32,
    },
}

/// An input to be labelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelRequest {
    /// Its number.
    pub input: usize,
    /// Why.
    pub reason: LabelReason,
}

/// Chooses up to `count` of `inputs`, the most useful first.
///
/// Each next label goes to the group whose score becomes surest by it: with n labels
/// and a score s, the variance s(1 − s)/(n + 1) falls by s(1 − s)/((n + 1)(n + 2)), so
/// groups that are little known or weak come first; an unknown score counts as ½.
/// Within a group every other input is drawn at random, for class shares and unbiased
/// estimates, and every other one with a chance in proportion to √(1 − Σ v² + .01), v
/// the shares of the votes: what prompts disagree about tells them apart, and what all
/// agree about does not. The weighted draw is that of Efraimidis and Spirakis (2006).
pub fn choose_inputs(
    inputs: &[OpenInput],
    groups: &[GroupKnowledge],
    count: usize,
) -> Vec<LabelRequest> {
    let mut pools: Vec<GroupPool> = (0..groups.len())
        .map(|group| GroupPool::new(inputs, group))
        .collect();
    let mut labels: Vec<f64> = groups.iter().map(|group| group.labels as f64).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let gain = |group: usize| {
            let score = groups[group].score.unwrap_or(0.5).clamp(0.05, 0.95);
            score * (1.0 - score) / ((labels[group] + 1.0) * (labels[group] + 2.0))
        };
        let open = (0..groups.len()).filter(|&group| !pools[group].is_empty());
        let Some(next) =
            open.reduce(|best, next| if gain(next) > gain(best) { next } else { best })
        else {
            break;
        };
        labels[next] += 1.0;
        chosen.extend(pools[next].take(inputs));
    }
    chosen
}

/// What is left of one group, in both orders, last first.
struct GroupPool {
    sample: Vec<usize>,
    disputed: Vec<usize>,
    taken: usize,
}

impl GroupPool {
    fn new(inputs: &[OpenInput], group: usize) -> Self {
        let own = || (0..inputs.len()).filter(|&at| inputs[at].group == group);
        let sorted = |mut order: Vec<(f64, usize)>| -> Vec<usize> {
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
            order.into_iter().map(|(_, at)| at).collect()
        };
        let disputed = own().filter_map(|at| {
            let weight = inputs[at].weight()?;
            Some((-inputs[at].draws[1].ln() / weight, at))
        });
        Self {
            sample: sorted(own().map(|at| (inputs[at].draws[0], at)).collect()),
            disputed: sorted(disputed.collect()),
            taken: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.sample.is_empty()
    }

    fn take(&mut self, inputs: &[OpenInput]) -> Option<LabelRequest> {
        let disputed = self.taken % 2 == 1;
        self.taken += 1;
        let (input, reason) = match self.disputed.last() {
            Some(&input) if disputed => {
                let (share, votes) = inputs[input].agreement()?;
                (input, LabelReason::Disagreement { share, votes })
            }
            _ => (*self.sample.last()?, LabelReason::Sample),
        };
        self.sample.retain(|&at| at != input);
        self.disputed.retain(|&at| at != input);
        Some(LabelRequest { input, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rng::SplitMix;

    fn input(rng: &mut SplitMix, group: usize, votes: &[u32]) -> OpenInput {
        OpenInput {
            group,
            votes: votes.to_vec(),
            draws: [rng.unit(), rng.unit()],
        }
    }

    #[test]
    fn little_known_groups_come_first() {
        let mut rng = SplitMix::new(1);
        let inputs: Vec<_> = (0..90).map(|at| input(&mut rng, at % 3, &[])).collect();
        let known = |labels, score| GroupKnowledge { labels, score };
        let groups = [known(20, None), known(0, Some(0.95)), known(0, Some(0.6))];
        let chosen = choose_inputs(&inputs, &groups, 20);
        let of = |group| {
            let own = chosen.iter().filter(|c| inputs[c.input].group == group);
            own.count()
        };
        assert_eq!(inputs[chosen[0].input].group, 2);
        assert!(
            of(2) > of(1) && of(1) > of(0),
            "{} {} {}",
            of(0),
            of(1),
            of(2)
        );
        assert!(chosen.iter().all(|c| c.reason == LabelReason::Sample));
    }

    #[test]
    fn half_is_what_votes_dispute() {
        let mut rng = SplitMix::new(2);
        let (mut disputed, mut draws) = (0, 0);
        for _ in 0..200 {
            // A tenth is disputed.
            let inputs: Vec<_> = (0..60)
                .map(|at| input(&mut rng, 0, if at < 6 { &[3, 3] } else { &[6, 0] }))
                .collect();
            let chosen = choose_inputs(&inputs, &[GroupKnowledge::default()], 8);
            let picked = chosen
                .iter()
                .filter(|c| matches!(c.reason, LabelReason::Disagreement { .. }));
            assert_eq!(picked.clone().count(), 4);
            draws += 4;
            disputed += picked.filter(|c| c.input < 6).count();
        }
        // Of weight √.51 against √.01: seven times a share of a tenth.
        let share = disputed as f64 / f64::from(draws);
        assert!((0.3..0.6).contains(&share), "{share}");
    }

    #[test]
    fn samples_are_even() {
        // Random draws do not look at votes: the disputed tenth is a tenth of them.
        let mut rng = SplitMix::new(3);
        let (mut disputed, mut draws) = (0, 0);
        for _ in 0..400 {
            let inputs: Vec<_> = (0..40)
                .map(|at| input(&mut rng, 0, if at < 4 { &[3, 3] } else { &[6, 0] }))
                .collect();
            let chosen = choose_inputs(&inputs, &[GroupKnowledge::default()], 1);
            draws += 1;
            disputed += usize::from(chosen[0].input < 4);
        }
        let share = disputed as f64 / f64::from(draws);
        assert!((0.06..0.14).contains(&share), "{share}");
    }

    #[test]
    fn more_begins_with_less() {
        let mut rng = SplitMix::new(4);
        let mut inputs: Vec<_> = (0..50)
            .map(|at| input(&mut rng, at % 2, &[(at % 5) as u32, 3]))
            .collect();
        let groups = [GroupKnowledge::default(); 2];
        let few = choose_inputs(&inputs, &groups, 10);
        assert_eq!(choose_inputs(&inputs, &groups, 30)[..10], few);
        let all = choose_inputs(&inputs, &groups, 90);
        assert_eq!(all.len(), 50);
        let mut named: Vec<usize> = all.iter().map(|c| c.input).collect();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), 50);
        inputs.truncate(0);
        assert!(choose_inputs(&inputs, &groups, 5).is_empty());
    }
}
