//! Labels won by vote: how far each voter is to be believed, and what its votes say.
//!
//! Prompts that vote share one model and often each other's mistakes. Counting heads
//! takes such a crowd for proof. Here a voter counts by how often it is right, voters
//! that answer alike count as about one, and a family of them that has left the others
//! on the target is found out by that.

mod families;

use families::{FamilyAgreement, families, is_family, shifted, usual};

/// Answers of the same voters to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemVotes {
    /// Each voter's answer as a number, equal for equal answers to this item; `None`
    /// for a voter without a usable answer.
    pub votes: Vec<Option<u32>>,
    /// How many answers there are to choose among, at least 2; where answers are
    /// free, one more than were given.
    pub alternatives: usize,
}

/// What votes make of the answers to one item.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerBelief {
    /// The answers that were given, with the chance that each is right.
    pub given: Vec<(u32, f64)>,
    /// The chance of each answer that nobody gave.
    pub other: f64,
    /// How many answers there are to choose among.
    pub alternatives: usize,
}

impl AnswerBelief {
    /// The answer most likely right; `None` where nobody gave one. Of equal ones
    /// the one given first.
    pub fn winner(&self) -> Option<u32> {
        first_greatest(&self.given).map(|(answer, _)| answer)
    }

    /// The chance that an answer is right.
    pub fn of(&self, answer: u32) -> f64 {
        let given = self.given.iter().find(|(other, _)| *other == answer);
        given.map_or(self.other, |(_, chance)| *chance)
    }

    /// What somebody who is always right is expected to score against this belief:
    /// `Σ p²` over all answers. Who is always wrong, and at random, scores
    /// `(1 − Σ p²) / (alternatives − 1)`.
    pub fn sharpness(&self) -> f64 {
        let given: f64 = self.given.iter().map(|(_, chance)| chance * chance).sum();
        let rest = self.alternatives.saturating_sub(self.given.len()) as f64;
        given + rest * self.other * self.other
    }
}

/// How far each of several voters is believed.
///
/// - *Accuracy*: the share of right answers on labelled examples (rule of
///   succession), lowered where the families' agreement on the unlabelled items says
///   that a voter is no longer that good there. Agreement never raises it: voters
///   that err alike agree.
/// - *Independence*: `1 / Σ r` over the voters, itself included, `r` in `0..=1` how
///   much more alike two voters are than two that err apart would be: on labelled
///   examples the correlation φ of their errors, on unlabelled items their agreement
///   beyond the expected one (corrected for chance as in Cohen 1960); the larger
///   counts. `n` voters that always answer the same have `1/n` each.
///
/// A voter's weight is its log odds of being right times its independence, as in a
/// naive Bayes vote (Nitzan and Paroush 1982), and 0 where it is no better than
/// chance: such a voter has no vote and no veto.
#[derive(Debug, Clone, PartialEq)]
pub struct VoterModel {
    /// Chance of a right answer to a labelled example per voter, in `0..=1`.
    pub source_accuracies: Vec<f64>,
    /// Chance of a right answer to an item per voter, in `0..=1`, at most that.
    pub target_accuracies: Vec<f64>,
    /// Per voter, in `0..=1`.
    pub independence: Vec<f64>,
    /// Voters of one family have equal numbers.
    pub families: Vec<usize>,
    /// The median likeness of two voters.
    usual: f64,
}

/// Times likeness and accuracies are worked out in turn; they settle in two.
const ROUNDS: usize = 3;
/// Labelled examples' or items' worth of distrust in a likeness.
const LIKENESS_PRIOR: f64 = 10.0;
/// No voter is believed beyond this, whatever it got right.
const SUREST: f64 = 0.98;
/// Beliefs under which right and wrong answers differ by less on average say
/// nothing.
const LEAST_REACH: f64 = 0.1;

impl VoterModel {
    /// Fits voters. `checked`: per voter whether it was right on each of the same
    /// labelled examples, `None` where that is not known. `items`: their answers to
    /// unlabelled ones. `steady`: voters that nothing of the labelled examples was
    /// fitted to, such as the prompt in use; they are the last to be suspected.
    pub fn fit(checked: &[Vec<Option<bool>>], steady: &[bool], items: &[ItemVotes]) -> Self {
        let source: Vec<f64> = checked.iter().map(|own| success_rate(own)).collect();
        let mut model = Self {
            source_accuracies: source.clone(),
            target_accuracies: source.clone(),
            independence: vec![1.0; source.len()],
            families: (0..source.len()).collect(),
            usual: 0.0,
        };
        for _ in 0..ROUNDS {
            let alike = model.likeness(checked, items);
            model.independence = alike
                .iter()
                .map(|row| 1.0 / row.iter().sum::<f64>())
                .collect();
            model.usual = usual(&alike);
            model.families = families(&alike);
            model.source_accuracies = pooled(&model.families, checked);
            let source = &model.source_accuracies;
            let agreement = FamilyAgreement::of(&model.families, source, (checked, steady), items);
            let moved = shifted(&agreement);
            model.target_accuracies = source
                .iter()
                .zip(&model.families)
                .map(|(source, family)| (source + moved[*family]).clamp(0.0, *source))
                .collect();
        }
        model
    }

    /// How alike any two voters answer, in `0..=1`; 1 on the diagonal.
    fn likeness(&self, checked: &[Vec<Option<bool>>], items: &[ItemVotes]) -> Vec<Vec<f64>> {
        let voters = self.target_accuracies.len();
        let mut alike = vec![vec![1.0; voters]; voters];
        for a in 0..voters {
            for b in 0..a {
                let pairs = items
                    .iter()
                    .filter_map(|item| Some((item.votes[a]?, item.votes[b]?, item.alternatives)));
                let on_items = beyond_chance(
                    pairs,
                    (self.target_accuracies[a], self.target_accuracies[b]),
                );
                let on_errors = error_correlation(&checked[a], &checked[b]);
                alike[a][b] = f64::max(on_items, on_errors);
                alike[b][a] = alike[a][b];
            }
        }
        alike
    }

    /// A voter's weight: its log odds against one wrong answer, times independence.
    fn weight(&self, voter: usize, alternatives: usize) -> f64 {
        let accuracy = self.target_accuracies[voter].min(SUREST);
        let wrong = (1.0 - accuracy) / (alternatives.max(2) - 1) as f64;
        (accuracy / wrong).ln().max(0.0) * self.independence[voter]
    }

    /// The weight behind each answer given to an item, in the order of the votes.
    fn weights(&self, item: &ItemVotes, excluded: &[bool]) -> Vec<(u32, f64)> {
        let mut given: Vec<(u32, f64)> = Vec::new();
        for (voter, vote) in item.votes.iter().enumerate() {
            let Some(vote) = *vote else { continue };
            let weight = if excluded[voter] {
                0.0
            } else {
                self.weight(voter, item.alternatives)
            };
            match given.iter_mut().find(|(answer, _)| *answer == vote) {
                Some((_, sum)) => *sum += weight,
                None => given.push((vote, weight)),
            }
        }
        given
    }

    /// What the votes say of one item. `excluded`: per voter whether its vote is left
    /// out, as a candidate's own is when the candidate is judged.
    pub fn belief(&self, item: &ItemVotes, excluded: &[bool]) -> AnswerBelief {
        let mut given = self.weights(item, excluded);
        let alternatives = item.alternatives.max(given.len()).max(2);
        let rest = (alternatives - given.len()) as f64;
        let most = given.iter().map(|(_, sum)| *sum).fold(0.0, f64::max);
        let answered: f64 = given.iter().map(|(_, sum)| (sum - most).exp()).sum();
        let all = answered + rest * (-most).exp();
        for (_, sum) in &mut given {
            *sum = (*sum - most).exp() / all;
        }
        AnswerBelief {
            given,
            other: (-most).exp() / all,
            alternatives,
        }
    }

    /// The answer with the most weight behind it, of equal ones the one given first,
    /// and its share of the weight of all voters; `None` where no voter has any.
    pub fn share(&self, item: &ItemVotes) -> Option<(u32, f64)> {
        let nobody = vec![false; item.votes.len()];
        let (winner, sum) = first_greatest(&self.weights(item, &nobody))?;
        let all: f64 = (0..item.votes.len())
            .map(|voter| self.weight(voter, item.alternatives))
            .sum();
        (all > 0.0).then_some((winner, sum / all))
    }

    /// How many voters that err apart these are worth.
    pub fn voices(&self) -> f64 {
        self.independence.iter().sum()
    }

    /// Number of families.
    pub fn family_count(&self) -> usize {
        self.families.iter().max().map_or(0, |most| most + 1)
    }

    /// Which votes are left out when a candidate is judged, from the candidate's own
    /// answers to the same items: those of each family with a voter that answers like
    /// it.
    pub fn excluded(&self, items: &[ItemVotes], answers: &[Option<u32>]) -> Vec<bool> {
        let nobody = vec![false; self.target_accuracies.len()];
        let scored = items.iter().zip(answers).filter_map(|(item, own)| {
            let belief = self.belief(item, &nobody);
            Some((belief.of((*own)?), belief.sharpness(), item.alternatives))
        });
        let own = corrected(scored).unwrap_or(0.5);
        let alike: Vec<bool> = (0..self.target_accuracies.len())
            .map(|voter| {
                let pairs = items.iter().zip(answers).filter_map(|(item, own)| {
                    Some(((*own)?, item.votes[voter]?, item.alternatives))
                });
                is_family(
                    beyond_chance(pairs, (own, self.target_accuracies[voter])),
                    self.usual,
                )
            })
            .collect();
        self.with_families(&alike)
    }

    /// These voters and all of their families.
    pub fn with_families(&self, voters: &[bool]) -> Vec<bool> {
        self.families
            .iter()
            .map(|family| {
                let own = self.families.iter().zip(voters);
                own.into_iter()
                    .any(|(other, named)| *named && other == family)
            })
            .collect()
    }
}

/// The greatest of (answer, weight), of equal ones the first.
fn first_greatest(given: &[(u32, f64)]) -> Option<(u32, f64)> {
    let given = given.iter().copied();
    given.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The accuracy of an answerer from what it scored against beliefs: (chance of its
/// answer, [sharpness](AnswerBelief::sharpness), alternatives) an item. Solves
/// `scored = accuracy · sharpness + (1 − accuracy) · rest` for the accuracy (Rogan
/// and Gladen 1978), in `0..=1`. `None` where the beliefs say too little.
fn corrected(scored: impl Iterator<Item = (f64, f64, usize)>) -> Option<f64> {
    let (mut n, mut score, mut right, mut wrong) = (0.0, 0.0, 0.0, 0.0);
    for (value, sharpness, alternatives) in scored {
        n += 1.0;
        score += value;
        right += sharpness;
        wrong += (1.0 - sharpness) / (alternatives.max(2) - 1) as f64;
    }
    let reach = right - wrong;
    (n > 0.0 && reach > LEAST_REACH * n).then(|| ((score - wrong) / reach).clamp(0.0, 1.0))
}

/// Each voter's success rate as that of all its family: its members err alike, and
/// what sets them apart is mostly which examples they were asked.
fn pooled(families: &[usize], checked: &[Vec<Option<bool>>]) -> Vec<f64> {
    let rate = |family: &usize| {
        let members = families
            .iter()
            .zip(checked)
            .filter(|(own, _)| *own == family);
        let all: Vec<Option<bool>> = members.flat_map(|(_, own)| own.iter().copied()).collect();
        success_rate(&all)
    };
    families.iter().map(rate).collect()
}

/// Share of right answers, by the rule of succession.
fn success_rate(checked: &[Option<bool>]) -> f64 {
    let (mut right, mut all) = (0.0, 0.0);
    for own in checked.iter().flatten() {
        right += f64::from(u8::from(*own));
        all += 1.0;
    }
    (right + 1.0) / (all + 2.0)
}

/// `(observed − expected) / (1 − expected)` agreement of (answer, answer,
/// alternatives), expected of two answerers of these accuracies who err apart, in
/// `0..=1`; shrunk where there are few.
fn beyond_chance(pairs: impl Iterator<Item = (u32, u32, usize)>, (p, q): (f64, f64)) -> f64 {
    let (mut n, mut same, mut expected) = (0.0, 0.0, 0.0);
    for (a, b, alternatives) in pairs {
        n += 1.0;
        same += f64::from(u8::from(a == b));
        expected += p * q + (1.0 - p) * (1.0 - q) / (alternatives.max(2) - 1) as f64;
    }
    let rest = n - expected;
    if rest <= 0.0 {
        return 0.0;
    }
    ((same - expected) / rest * n / (n + LIKENESS_PRIOR)).clamp(0.0, 1.0)
}

/// Correlation (φ) of two voters' errors on labelled examples, in `0..=1`; shrunk
/// where there are few.
fn error_correlation(one: &[Option<bool>], other: &[Option<bool>]) -> f64 {
    let count = |wrong: bool| f64::from(u8::from(wrong));
    let (mut n, mut first, mut second, mut both) = (0.0, 0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        let (Some(one), Some(other)) = (*one, *other) else {
            continue;
        };
        n += 1.0;
        first += count(!one);
        second += count(!other);
        both += count(!one && !other);
    }
    if n < 1.0 {
        return 0.0;
    }
    let rates: (f64, f64) = (first / n, second / n);
    let spread = (rates.0 * (1.0 - rates.0) * rates.1 * (1.0 - rates.1)).sqrt();
    if spread < 1e-9 {
        return 0.0;
    }
    ((both / n - rates.0 * rates.1) / spread * n / (n + LIKENESS_PRIOR)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
