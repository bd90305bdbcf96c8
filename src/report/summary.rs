//! The fold of a run's events.

use std::collections::BTreeMap;

use serde::Serialize;
use shiftproof_search::budget::Spend;
use shiftproof_search::calibrate::{Calibration, CalibrationFit};
use shiftproof_search::event::{
    AuditedPrompt, CandidateProposed, CarriedOver, CorrectedScores, CrossFittedChoice, Event,
    GroupOutcome, JudgeStanding, Origin, Phase, RunEnding, RunStarted, ScoreDifference,
    VoteSummary, WrittenKnowledge,
};
use shiftproof_search::headroom::HeadroomEstimate;
use shiftproof_search::unusable::AnswerSurvey;
use shiftproof_tasks::{Prompt, PromptId};

use super::{DiscardedTexts, ProposalRequest, ground, spread};
use crate::judge;
use crate::wording::calibration_notes::{self, CalibrationSource};
use crate::wording::{headroom, knowledge, phase_plans, unusable};

/// The state of a run after some of its events. Holds no clock time: the same
/// events give the same summary, byte for byte.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RunSummary {
    /// How the run began.
    pub started: Option<RunStarted>,
    /// What the run has of the earlier one that it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried: Option<CarriedOver>,
    /// The phase under way.
    pub phase: Option<Phase>,
    /// Every phase begun, in order.
    pub phases: Vec<PhaseSummary>,
    /// All candidates by id.
    pub candidates: BTreeMap<PromptId, CandidateStanding>,
    /// Texts thrown away: rule and count.
    pub discarded: BTreeMap<String, u64>,
    /// Requests for prompts, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<ProposalRequest>,
    /// Thrown away by the request under way.
    #[serde(skip)]
    thrown: Vec<DiscardedTexts>,
    /// The vote over target inputs.
    pub voted: Option<VoteSummary>,
    /// The chosen prompt.
    pub selected: Option<PromptId>,
    /// Why it was chosen.
    pub reason: Option<String>,
    /// What choosing by the labelled target examples gains, cross-fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_fitted: Option<CrossFittedChoice>,
    /// The prompts of the ensemble.
    pub ensemble: Vec<PromptId>,
    /// Audited scores of each contestant.
    pub audited: Vec<AuditedScores>,
    /// Audited scores of methods without a language model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<BaselineScores>,
    /// Selected − seed per group.
    pub compared: Vec<ScoreDifference>,
    /// Selected − seed for the worst target group.
    pub worst: Option<ScoreDifference>,
    /// What the judge of its answers is worth, where a model judges them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeStanding>,
    /// What a model wrote about the inputs, field by field, where the study has it written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub knowledge: Vec<WrittenKnowledge>,
    /// Audited scores as the person would have given them who graded some answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<CorrectedScores>,
    /// How the run ended.
    pub ending: Option<RunEnding>,
    /// Everything spent.
    pub spent: Option<Spend>,
    /// Requests beside these that brought no answer, at most.
    #[serde(skip_serializing_if = "Spend::is_nothing")]
    pub unanswered: Spend,
    /// Labels of target examples read before the audit.
    pub target_labels_read: u64,
    /// Labels read by the audit.
    pub audit_labels_read: u64,
    /// Target groups that no example of the audit speaks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<String>,
    /// What there was to gain over the prompts that nobody proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headroom: Option<HeadroomEstimate>,
    /// What a reader has to know beside the scores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Answers that cannot be used, of all that were looked at; absent where there
    /// is none.
    #[serde(skip_serializing_if = "no_fault")]
    pub unusable: AnswerSurvey,
}

fn no_fault(survey: &AnswerSurvey) -> bool {
    survey.faults.is_empty()
}

/// One phase of the run.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseSummary {
    /// Which.
    pub phase: Phase,
    /// What it was about to do, as a sentence.
    pub plan: String,
    /// The entrants of its race, best first; empty where it has none.
    pub race: Vec<RankedEntrant>,
    /// Answers of the task model that the phase was the first to look at.
    pub answers: u64,
}

/// One entrant of a race.
#[derive(Debug, Clone, Serialize)]
pub struct RankedEntrant {
    /// The candidate.
    pub candidate: PromptId,
    /// The objective's value, higher is better.
    pub score: f64,
    /// Answers it is ranked by.
    pub n: usize,
}

/// A candidate as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateStanding {
    /// The prompt.
    pub prompt: Prompt,
    /// How it came about.
    pub origin: Origin,
    /// What it was made from.
    pub parents: Vec<PromptId>,
    /// The objective's latest value.
    pub score: Option<f64>,
    /// Its latest scores per group.
    pub groups: Vec<GroupOutcome>,
    /// Whether it is in the race.
    pub kept: bool,
    /// Why it stayed or left.
    pub reason: Option<String>,
    /// Answers looked at in the races before the final.
    #[serde(skip)]
    asked: usize,
}

/// One contestant's audited scores.
#[derive(Debug, Clone, Serialize)]
pub struct AuditedScores {
    /// Who.
    pub contestant: AuditedPrompt,
    /// Per group, in the study's order.
    pub groups: Vec<GroupOutcome>,
    /// The best group's score less the worst's, 0 to 1; none of one group.
    pub spread: Option<f64>,
}

/// The audited scores of one method without a language model.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineScores {
    /// Its name.
    pub name: String,
    /// Per group, in the study's order.
    pub groups: Vec<GroupOutcome>,
}

fn carried_over(carried: &CarriedOver) -> String {
    format!(
        "Goes on from run {}: {} of its prompts raced again, and {} answers were carried over, \
         which were paid for then and count against no limit now.",
        carried.run, carried.candidates, carried.answers
    )
}

fn ordinal(rank: usize) -> String {
    let end = match (rank % 10, rank % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{rank}{end}")
}

impl RunSummary {
    /// The race that each candidate was last scored in, as its place among the phases.
    /// Scores of two races are on different examples.
    pub(crate) fn last_races(&self) -> BTreeMap<PromptId, usize> {
        let races = self.phases.iter().enumerate();
        let entrants = races.flat_map(|(at, phase)| {
            let race = phase.race.iter();
            race.map(move |entrant| (entrant.candidate, at))
        });
        entrants.collect()
    }

    /// The summary of a run's events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut summary = Self::default();
        for event in events {
            summary.apply(event);
        }
        summary
    }

    /// Takes one more event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.start(started),
            Event::Continued(carried) => self.carried = Some(carried.clone()),
            Event::Phase { phase, plan } => {
                self.phase = Some(*phase);
                self.phases.push(PhaseSummary {
                    phase: *phase,
                    plan: phase_plans::told(plan).into_owned(),
                    race: Vec::new(),
                    answers: 0,
                });
            }
            Event::Proposed(proposed) => self.enter(proposed),
            Event::Discarded { reason, count, .. } => {
                *self.discarded.entry(reason.clone()).or_default() += count;
                self.thrown.extend(DiscardedTexts::of(event));
            }
            Event::Proposals(counts) => self.proposals.push(ProposalRequest {
                counts: counts.clone(),
                discarded: std::mem::take(&mut self.thrown),
            }),
            Event::Evaluated {
                candidate,
                phase,
                score,
                groups,
            } => {
                self.rank(*candidate, *phase, *score, groups);
                if let Some(standing) = self.candidates.get_mut(candidate) {
                    standing.score = Some(*score);
                    standing.groups.clone_from(groups);
                }
            }
            Event::Unusable { survey, .. } => self.unusable.add(survey),
            // What was answered, and who led on the way, is for screens.
            Event::Inputs { .. } | Event::Answered { .. } | Event::Leading { .. } => {}
            Event::Headroom(found) => self.headroom = Some(found.clone()),
            Event::Voted(voted) => {
                self.looked_at((voted.voters.len() * voted.inputs) as u64);
                self.voted = Some(voted.clone());
            }
            Event::Decided {
                candidate,
                kept,
                reason,
            } => {
                if let Some(standing) = self.candidates.get_mut(candidate) {
                    standing.kept = *kept;
                    standing.reason = Some(reason.clone());
                }
            }
            Event::Selected {
                candidate,
                reason,
                ensemble,
            } => {
                self.selected = Some(*candidate);
                self.reason = Some(reason.clone());
                self.ensemble.clone_from(ensemble);
            }
            Event::CrossFitted(told) => self.cross_fitted = Some(told.clone()),
            Event::Calibrated {
                calibration,
                prompts,
            } => self.note_calibration(*calibration, prompts),
            Event::Audited { contestant, groups } => {
                self.audit(*contestant, groups);
            }
            Event::Baseline { name, groups } => self.baselines.push(BaselineScores {
                name: name.clone(),
                groups: groups.clone(),
            }),
            Event::Judged(standing) => {
                self.judge = Some(*standing);
                self.notes.extend(judge::standing_told(standing));
            }
            Event::Augmented { knowledge } => {
                self.notes.extend(knowledge::notes(knowledge));
                self.knowledge.clone_from(knowledge);
            }
            Event::Corrected { scores } => self.correct(scores),
            Event::Compared { groups, worst } => {
                self.compared.clone_from(groups);
                self.worst = Some(worst.clone());
            }
            Event::Finished {
                ending,
                spent,
                unanswered,
                target_labels_read,
                audit_labels_read,
            } => {
                self.ending = Some(*ending);
                self.spent = Some(*spent);
                self.unanswered = *unanswered;
                self.target_labels_read = *target_labels_read;
                self.audit_labels_read = *audit_labels_read;
            }
        }
    }

    fn start(&mut self, started: &RunStarted) {
        self.unverified = ground::unverified(&started.groups);
        self.notes
            .extend(ground::caution(&started.groups).map(|text| text + "."));
        self.started = Some(started.clone());
    }

    fn correct(&mut self, scores: &[CorrectedScores]) {
        self.corrected = scores.to_vec();
        for own in scores {
            let told = judge::corrected_told(own.contestant.name(), &own.groups);
            self.notes.extend(told);
        }
    }

    fn audit(&mut self, contestant: AuditedPrompt, groups: &[GroupOutcome]) {
        let prompts = self.first_audited(contestant);
        let examples: usize = groups.iter().map(GroupOutcome::asked).sum();
        self.looked_at((prompts * examples) as u64);
        self.audited.push(AuditedScores {
            contestant,
            groups: groups.to_vec(),
            spread: spread(groups),
        });
    }

    fn enter(&mut self, proposed: &CandidateProposed) {
        self.candidates.insert(
            proposed.candidate,
            CandidateStanding {
                prompt: proposed.prompt.clone(),
                origin: proposed.origin,
                parents: proposed.parents.clone(),
                score: None,
                groups: Vec::new(),
                kept: true,
                reason: None,
                asked: 0,
            },
        );
    }

    fn looked_at(&mut self, answers: u64) {
        if let Some(phase) = self.phases.last_mut() {
            phase.answers += answers;
        }
    }

    /// Enters a candidate's result in the race of the phase under way.
    ///
    /// All races but the final share their examples, so what a candidate was
    /// asked in an earlier race is not asked again; nor are a voter's answers to
    /// inputs that now carry a voted label.
    fn rank(&mut self, candidate: PromptId, phase: Phase, score: f64, groups: &[GroupOutcome]) {
        let voter = self
            .voted
            .as_ref()
            .is_some_and(|voted| voted.voters.contains(&candidate));
        let looked: usize = groups
            .iter()
            .filter(|group| !(voter && group.voted))
            .map(GroupOutcome::asked)
            .sum();
        let before = if phase == Phase::Final {
            0
        } else {
            self.candidates
                .get(&candidate)
                .map_or(0, |standing| standing.asked)
        };
        if let Some(standing) = self.candidates.get_mut(&candidate) {
            standing.asked = standing.asked.max(looked);
        }
        self.looked_at(looked.saturating_sub(before) as u64);
        if let Some(phase) = self.phases.last_mut() {
            phase.race.push(RankedEntrant {
                candidate,
                score,
                n: groups.iter().map(|group| group.n).sum(),
            });
        }
    }

    /// Prompts of this contestant that no earlier contestant was.
    fn first_audited(&self, contestant: AuditedPrompt) -> usize {
        match contestant {
            AuditedPrompt::Seed => 1,
            AuditedPrompt::Selected => usize::from(self.selected != self.seed()),
            AuditedPrompt::Ensemble => self
                .ensemble
                .iter()
                .filter(|id| Some(**id) != self.seed() && Some(**id) != self.selected)
                .count(),
        }
    }

    fn note_calibration(&mut self, calibration: Calibration, prompts: &[CalibrationFit]) {
        let name = |id| self.called(id);
        let note = calibration_notes::note(calibration, prompts, CalibrationSource::Search, name);
        self.notes.extend(note);
    }

    /// What a reader has to know beside the scores, answers that cannot be used
    /// among it.
    pub(crate) fn told_notes(&self) -> Vec<String> {
        let own = [self.carried_told(), self.cross_fitted_told()];
        let mut notes: Vec<String> = own.into_iter().flatten().collect();
        notes.extend(self.notes.iter().cloned());
        let found = self.headroom.iter();
        let told = found.map(|found| headroom::told(found, &|id| self.called(id)).join(" "));
        notes.extend(told.filter(|told| !told.is_empty()));
        notes.extend(unusable::sentences(&self.unusable));
        notes
    }

    /// What the labelled target examples say of the choice, as a sentence.
    pub fn cross_fitted_told(&self) -> Option<String> {
        let told = self.cross_fitted.as_ref()?;
        let gain = &told.gain;
        let says = if gain.low > 0.0 {
            "a gain"
        } else if gain.high < 0.0 {
            "a loss"
        } else {
            "no difference shown"
        };
        Some(format!(
            "By the search's own {} target labels: {says}, {:+.1} [{:+.1}, {:+.1}] points over the seed, \
             for prompts chosen by half of them and measured on the other half, {} times; half of \
             them chose the selected prompt {:.0}% of the time.",
            gain.n,
            gain.value * 100.0,
            gain.low * 100.0,
            gain.high * 100.0,
            told.splits,
            told.agreement * 100.0
        ))
    }

    /// What was carried over from an earlier run, as a sentence.
    pub fn carried_told(&self) -> Option<String> {
        let carried = self.carried.as_ref()?;
        let had = match carried.selected {
            Some(had) if Some(had) == self.seed() => " It had selected what is the seed here.",
            Some(had) if self.selected == Some(had) => " It had selected the same prompt.",
            Some(had) if self.selected.is_some() => {
                let rank = self.phases.iter().rev().find_map(|phase| {
                    let place = phase
                        .race
                        .iter()
                        .position(|entrant| entrant.candidate == had)?;
                    Some((phase.phase, place + 1))
                });
                return Some(match rank {
                    Some((phase, rank)) => format!(
                        "{} It had selected {had:#}, which comes {} in the {phase} race here.",
                        carried_over(carried),
                        ordinal(rank)
                    ),
                    None => format!("{} It had selected {had:#}.", carried_over(carried)),
                });
            }
            _ => "",
        };
        Some(format!("{}{had}", carried_over(carried)))
    }

    /// What a prompt is called in a sentence.
    fn called(&self, id: PromptId) -> String {
        if Some(id) == self.seed() {
            "the seed prompt".into()
        } else if Some(id) == self.selected {
            "the selected prompt".into()
        } else {
            format!("{id:#}")
        }
    }

    /// The selected prompt.
    pub fn selected_prompt(&self) -> Option<&Prompt> {
        Some(&self.candidates.get(&self.selected?)?.prompt)
    }

    /// The audited scores of one contestant.
    pub fn audited(&self, contestant: AuditedPrompt) -> Option<&[GroupOutcome]> {
        let audited = self
            .audited
            .iter()
            .find(|audited| audited.contestant == contestant)?;
        Some(&audited.groups)
    }

    /// The id of the seed prompt.
    pub fn seed(&self) -> Option<PromptId> {
        let seed = self
            .candidates
            .iter()
            .find(|(_, c)| c.origin == Origin::Seed)?;
        Some(*seed.0)
    }

    /// The candidate that leads: the selected one, else the best score.
    pub fn leader(&self) -> Option<&CandidateStanding> {
        match self.selected {
            Some(selected) => self.candidates.get(&selected),
            None => self
                .candidates
                .values()
                .filter(|standing| standing.kept && standing.score.is_some())
                .max_by(|a, b| {
                    a.score
                        .partial_cmp(&b.score)
                        .unwrap_or(std::cmp::Ordering::Equal)
                }),
        }
    }
}
