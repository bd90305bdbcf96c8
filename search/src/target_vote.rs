//! Prompt ensemble labelling of target inputs (Li et al. 2023, §4.2), and what the
//! votes say of a candidate that did not cast them.

use std::collections::BTreeMap;

use shiftproof_tasks::Label;

use crate::indices::{CandidateIndex, InputIndex};
use crate::select::votes::{AnswerBelief, ItemVotes, VoterModel};
use crate::vote::plurality;

/// How votes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteCounting {
    /// A voter counts by how often it is right, and voters that answer alike count
    /// as about one; see [`VoterModel`].
    Weighted,
    /// A voter is a vote, as published.
    Heads,
}

/// A vote that was held, and who has a say in judging others by it.
pub(crate) struct TargetVote {
    counting: VoteCounting,
    threshold: f64,
    inputs: Vec<InputIndex>,
    /// What won each input.
    won: Vec<Option<WonLabel>>,
    place: BTreeMap<InputIndex, usize>,
    panel: VotePanel,
}

/// The answer that won an input.
struct WonLabel {
    answer: String,
    label: Option<Label>,
    /// Its share of all votes.
    share: f64,
}

/// Candidates whose answers to the target inputs count when another is judged: the
/// voters, and whoever answered enough of the inputs since.
pub(crate) struct VotePanel {
    /// Who is heard.
    pub members: Vec<CandidateIndex>,
    /// How far each is believed.
    pub model: VoterModel,
    /// What was answered to each input.
    pub items: Vec<VotedItem>,
    /// The items' votes, in the order of `items`.
    pub ballots: Vec<ItemVotes>,
}

/// The answers to one input.
pub(crate) struct VotedItem {
    /// What was answered, by the numbers of the ballot.
    pub answers: Vec<String>,
    /// The labels those stand for.
    pub labels: Vec<Option<Label>>,
}

/// What the others say of an input when a candidate is judged.
pub(crate) struct JudgingBelief<'a> {
    belief: AnswerBelief,
    item: &'a VotedItem,
}

impl TargetVote {
    /// Counts the answers of a panel of voters to `inputs`, in their order.
    pub fn hold(
        panel: VotePanel,
        inputs: &[InputIndex],
        counting: VoteCounting,
        threshold: f64,
    ) -> Self {
        let place = inputs.iter().enumerate().map(|(at, &input)| (input, at));
        let mut vote = Self {
            counting,
            threshold,
            inputs: inputs.to_vec(),
            won: Vec::new(),
            place: place.collect(),
            panel,
        };
        let items = vote.panel.items.iter().zip(&vote.panel.ballots);
        let won = items.map(|(item, ballot)| {
            let (winner, share) = vote.winner(ballot)?;
            let at = winner as usize;
            Some(WonLabel {
                answer: item.answers[at].clone(),
                label: item.labels[at].clone(),
                share,
            })
        });
        vote.won = won.collect();
        vote
    }

    /// Lets another panel judge from here on; the labels that were won stay.
    pub fn replace_panel(&mut self, panel: VotePanel) {
        self.panel = panel;
    }

    /// The inputs voted on.
    pub fn inputs(&self) -> &[InputIndex] {
        &self.inputs
    }

    /// What won each input, in their order: the answer, its share of the votes and
    /// whether that is enough.
    pub fn outcomes(&self) -> impl Iterator<Item = (InputIndex, Option<(&str, f64)>, bool)> {
        self.inputs.iter().zip(&self.won).map(|(&input, won)| {
            let won = won.as_ref().map(|won| (won.answer.as_str(), won.share));
            (
                input,
                won,
                won.is_some_and(|(_, share)| share > self.threshold),
            )
        })
    }

    /// Votes are kept above this share.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// How far each voter is believed.
    pub fn model(&self) -> &VoterModel {
        &self.panel.model
    }

    /// The answer that wins and its share of all votes.
    pub fn winner(&self, ballot: &ItemVotes) -> Option<(u32, f64)> {
        match self.counting {
            VoteCounting::Weighted => self.panel.model.share(ballot),
            VoteCounting::Heads => plurality(&ballot.votes),
        }
    }

    /// Inputs with a winner, the label it stands for, and whether it is kept.
    pub fn labels(&self) -> impl Iterator<Item = (InputIndex, &Label, bool)> {
        self.inputs
            .iter()
            .zip(&self.won)
            .filter_map(|(&input, won)| {
                let won = won.as_ref()?;
                Some((input, won.label.as_ref()?, won.share > self.threshold))
            })
    }

    /// How votes are counted.
    pub fn counting(&self) -> VoteCounting {
        self.counting
    }

    /// Families of those that are heard: with fewer than three nobody can tell who is
    /// right.
    pub fn families(&self) -> usize {
        self.panel.model.family_count()
    }

    /// How right a candidate is on the labelled examples, and on the target inputs as
    /// far as agreement can tell; `None` where it is not heard.
    pub fn accuracies(&self, candidate: CandidateIndex) -> Option<(f64, f64)> {
        let at = self
            .panel
            .members
            .iter()
            .position(|&member| member == candidate)?;
        let model = &self.panel.model;
        Some((model.source_accuracies[at], model.target_accuracies[at]))
    }

    /// Which members say nothing about this candidate: itself, and by weighted votes
    /// all that answer like it. `answers`: what it said of an input.
    pub fn excluded(
        &self,
        candidate: CandidateIndex,
        answers: impl Fn(InputIndex) -> Option<String>,
    ) -> Vec<bool> {
        let panel = &self.panel;
        let own: Vec<bool> = panel.members.iter().map(|&v| v == candidate).collect();
        if self.counting == VoteCounting::Heads {
            return own;
        }
        if own.contains(&true) {
            return panel.model.with_families(&own);
        }
        let said: Vec<Option<u32>> = self
            .inputs
            .iter()
            .zip(&panel.items)
            .map(|(&input, item)| Some(item.number(&answers(input)?)))
            .collect();
        panel.model.excluded(&panel.ballots, &said)
    }

    /// What the members that may speak say of an input, by weighted votes; `None`
    /// where they say nothing.
    pub fn belief(&self, input: InputIndex, excluded: &[bool]) -> Option<JudgingBelief<'_>> {
        let &at = self.place.get(&input)?;
        let belief = self.panel.model.belief(&self.panel.ballots[at], excluded);
        let flat = 1.0 / belief.alternatives as f64;
        let item = &self.panel.items[at];
        (belief.sharpness() > flat + 1e-9).then_some(JudgingBelief { belief, item })
    }

    /// The label that the voters that may speak keep by counting heads.
    pub fn label_without(&self, input: InputIndex, excluded: &[bool]) -> Option<&Label> {
        let &at = self.place.get(&input)?;
        let votes = self.panel.ballots[at].votes.iter().zip(excluded);
        let votes: Vec<Option<u32>> = votes
            .map(|(vote, excluded)| vote.filter(|_| !excluded))
            .collect();
        let (winner, share) = plurality(&votes)?;
        let label = self.panel.items[at].labels[winner as usize].as_ref();
        label.filter(|_| share > self.threshold)
    }
}

impl VotedItem {
    /// The number of an answer; one that no voter gave has a number of its own.
    fn number(&self, answer: &str) -> u32 {
        let at = self.answers.iter().position(|other| other == answer);
        at.unwrap_or(self.answers.len()) as u32
    }
}

impl JudgingBelief<'_> {
    /// The label most likely right.
    pub fn label(&self) -> Option<&Label> {
        self.item
            .labels
            .get(self.belief.winner()? as usize)?
            .as_ref()
    }

    /// The expected worth of an answer over the labels that may be right: those that
    /// voters gave, and `own`, the one that the answer itself stands for.
    pub fn expect(&self, own: Option<(&str, Label)>, worth: impl Fn(&Label) -> f64) -> f64 {
        let given: f64 = self
            .belief
            .given
            .iter()
            .filter_map(|(answer, chance)| {
                let label = self.item.labels[*answer as usize].as_ref()?;
                Some(chance * worth(label))
            })
            .sum();
        let alone = own.filter(|(answer, _)| !self.item.answers.iter().any(|a| a == answer));
        given + alone.map_or(0.0, |(_, label)| self.belief.other * worth(&label))
    }
}
