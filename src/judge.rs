//! What a judge's scores are worth: its agreement with a person, and scores as that
//! person would have given them.

use std::fmt::Write as _;

use serde::Serialize;
use shiftproof_search::evaluate::PromptEvaluation;
use shiftproof_search::event::{CorrectedScore, JudgeStanding};
use shiftproof_search::gateway::Gateway;
use shiftproof_search::judging;
use shiftproof_search::stats::Agreement;
use shiftproof_tasks::{Prompt, PromptId};

use crate::exit::{ExitStatus, Failure};
use crate::runs::session::{StudySession, UNCALIBRATED, uncalibrated};

/// Answers below which an agreement is hardly one.
const FEW: usize = 30;

/// A judge beside the person who graded its calibration table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct JudgeReport {
    /// How far they agree.
    pub agreement: Agreement,
    /// Answers of the table that the judge gave no grade.
    pub ungraded: usize,
    /// The kappa that a bar asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<f64>,
    /// Per prompt, as a person would have graded: its groups with a score.
    pub corrected: Vec<Vec<CorrectedScore>>,
    #[serde(skip)]
    pairs: Vec<(f64, f64)>,
}

/// Asks the judge about the answers that a person graded; `None` where there are none.
pub(crate) async fn calibrated(
    session: &StudySession,
    gateway: &Gateway,
) -> Result<Option<JudgeReport>, Failure> {
    let Some(spec) = session.resolved.study.judge.as_ref() else {
        return Ok(None);
    };
    let task = session.built.task.as_ref();
    let graded = &session.graded_by_person;
    let judged = judging::judge(task, gateway, graded)
        .await
        .map_err(|stop| Failure::from_error(ExitStatus::of(&stop))(stop))?;
    let Some(judged) = judged.filter(|_| !graded.is_empty()) else {
        return Ok(None);
    };
    if !judged.complete {
        return Err(Failure::new(
            ExitStatus::Budget,
            "the budget ran out before the judge had graded its calibration table; answers so far \
             are stored, and the same command with a larger budget goes on",
        ));
    }
    let agreement = judged.agreement(spec.scale()).ok_or_else(|| {
        Failure::new(
            ExitStatus::Unusable,
            format!(
                "the judge gave none of the {} answers of its calibration table a grade",
                graded.len()
            ),
        )
    })?;
    Ok(Some(JudgeReport {
        agreement,
        ungraded: judged.ungraded,
        min_agreement: spec.min_agreement,
        corrected: Vec::new(),
        pairs: judged.pairs,
    }))
}

/// What a reader has to know of the study's judge, if it has one, beside these scores.
pub(crate) fn notes(
    judged: Option<&mut JudgeReport>,
    session: &StudySession,
    (prompts, evaluation): (&[Prompt], &PromptEvaluation),
) -> Vec<String> {
    match judged {
        Some(judged) => {
            judged.correct(session, evaluation);
            judged.sentences(prompts, session.built.task.seed().id())
        }
        None => uncalibrated(session.resolved.study.judge.as_ref())
            .into_iter()
            .collect(),
    }
}

impl JudgeReport {
    /// Puts every prompt's scores beside those that the person would have given.
    fn correct(&mut self, session: &StudySession, evaluation: &PromptEvaluation) {
        let groups = &session.loaded.groups;
        let of_prompt = |grades: &Vec<Option<f64>>| {
            let of_group = |(at, group): (usize, &shiftproof_search::event::GroupInfo)| {
                let own = grades.iter().zip(&evaluation.groups);
                let own = own
                    .filter(|(_, of)| **of == at)
                    .filter_map(|(grade, _)| *grade);
                CorrectedScore::of(&group.name, &own.collect::<Vec<f64>>(), &self.pairs)
            };
            groups.iter().enumerate().filter_map(of_group).collect()
        };
        self.corrected = evaluation.grades.iter().map(of_prompt).collect();
    }

    /// Fails where its scores may not be held against a bar.
    pub(crate) fn check_bar(&self) -> Result<(), Failure> {
        let standing = JudgeStanding {
            graded: self.agreement.n + self.ungraded,
            ungraded: self.ungraded,
            agreement: Some(self.agreement),
            min_agreement: self.min_agreement,
        };
        no_bar(&standing).map_or(Ok(()), |told| Err(Failure::usage(told)))
    }

    /// What a reader has to know, in sentences.
    fn sentences(&self, prompts: &[Prompt], seed: PromptId) -> Vec<String> {
        let mut sentences = vec![agreement_told(&self.agreement, self.ungraded)];
        for (prompt, groups) in prompts.iter().zip(&self.corrected) {
            let id = prompt.id();
            let name = if id == seed {
                format!("seed {id:#}")
            } else {
                format!("{id:#}")
            };
            sentences.extend(corrected_told(&name, groups));
        }
        sentences
    }
}

/// Why a judge's scores may not be held against a bar; `None` where they may.
pub(crate) fn no_bar(judge: &JudgeStanding) -> Option<String> {
    let least = judge.min_agreement.filter(|_| !judge.is_bar())?;
    let told = match judge.agreement.and_then(|own| own.kappa) {
        Some(kappa) => format!("{kappa:.2}"),
        None => "unknown: one of them gave every answer the same grade, or none".to_owned(),
    };
    Some(format!(
        "the judge is no bar: its agreement with the person is a kappa of {told}, below \
         judge.min_agreement = {least} ({} answers)\n  sharpen judge.rubric, take another \
         judge.model, or grade more answers; `shiftproof eval` without a bar shows its scores",
        judge.agreement.map_or(0, |own| own.n)
    ))
}

/// What a reader has to know of a run's judge, in sentences.
pub(crate) fn standing_told(judge: &JudgeStanding) -> Vec<String> {
    if judge.graded == 0 {
        return vec![UNCALIBRATED.to_owned()];
    }
    let Some(agreement) = &judge.agreement else {
        return vec![format!(
            "Nobody knows what the judge's scores are worth: of the {} answers that a person \
             graded it graded none.",
            judge.graded
        )];
    };
    let mut sentences = vec![agreement_told(agreement, judge.ungraded)];
    let left = judge.graded.saturating_sub(agreement.n + judge.ungraded);
    if left > 0 {
        sentences.push(format!(
            "The budget left out {left} of the {} answers that a person graded.",
            judge.graded
        ));
    }
    sentences
}

fn agreement_told(agreement: &Agreement, ungraded: usize) -> String {
    let Agreement {
        n,
        share,
        share_interval,
        kappa,
        kappa_interval,
    } = *agreement;
    let mut told = format!(
        "The judge agrees with the person on {:.0}% of {n} answers (95% {:.0} to {:.0})",
        100.0 * share,
        100.0 * share_interval.low,
        100.0 * share_interval.high
    );
    match (kappa, kappa_interval) {
        (Some(kappa), Some(within)) => {
            let _ = write!(
                told,
                ", Cohen's kappa {kappa:.2} (95% {:.2} to {:.2}).",
                within.low, within.high
            );
        }
        _ => {
            told += "; kappa is not defined, for one of them gave every answer the same grade.";
        }
    }
    if ungraded > 0 {
        let _ = write!(told, " It gave {ungraded} further answers no grade.");
    }
    if n < FEW {
        let _ = write!(
            told,
            " That is little to go by: {FEW} answers or more say something."
        );
    }
    told
}

/// A prompt's scores as the person would have given them; `None` where there is none.
pub(crate) fn corrected_told(name: &str, groups: &[CorrectedScore]) -> Option<String> {
    let each: Vec<String> = groups
        .iter()
        .map(|own| {
            let shown = |value: f64| 100.0 * value.clamp(0.0, 1.0);
            format!(
                "{} {:.1} [{:.0}, {:.0}] (λ {:.2})",
                own.group,
                shown(own.estimate),
                shown(own.interval.low),
                shown(own.interval.high),
                own.weight
            )
        })
        .collect();
    (!each.is_empty()).then(|| {
        format!(
            "As the person would grade (PPI++), {name}: {}; λ is the weight of the judge's grades, \
             0 the person's mean alone; it holds as far as the table's answers are like these.",
            each.join(", ")
        )
    })
}
