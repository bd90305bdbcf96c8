//! Answers that cannot be used, in words: what was said, and how to mend it. The
//! same sentences stand on the screen, in reports and in a log of CI.

use std::fmt::Write as _;

use shiftproof_search::event::GroupOutcome;
use shiftproof_search::gateway::RunError;
use shiftproof_search::unusable::{
    AnswerFault, AnswerSurvey, FaultyAnswer, FaultyAnswers, HopelessRun,
};

use crate::judge;
use crate::report::grouped;
use crate::wording::shown::visible;

/// One sentence a fault, with examples and how to mend it.
pub(crate) fn sentences(survey: &AnswerSurvey) -> Vec<String> {
    let sentence = |faulty: &FaultyAnswers| {
        let examples: Vec<String> = faulty
            .examples
            .iter()
            .map(|own| {
                format!(
                    "{} under {:#}: {}",
                    place(own),
                    own.candidate,
                    said(own, faulty.fault)
                )
            })
            .collect();
        format!(
            "{} of {} answers {}, such as {}. {}",
            grouped(faulty.count as u64),
            grouped(survey.answers as u64),
            what(faulty.fault),
            examples.join("; "),
            capital(&help(faulty.fault, None))
        )
    };
    survey.faults.iter().map(sentence).collect()
}

/// The same, first example only, without a mend: a line of progress.
pub(crate) fn brief(survey: &AnswerSurvey) -> String {
    let of = |faulty: &FaultyAnswers| {
        let first = faulty.examples.first();
        let first = first.map_or_else(String::new, |own| {
            format!(" ({}: {})", place(own), said(own, faulty.fault))
        });
        format!("{} {}{first}", faulty.count, faulty.fault)
    };
    let faults: Vec<String> = survey.faults.iter().map(of).collect();
    format!(
        "{} of {} answers cannot be used: {}",
        survey.unusable(),
        survey.answers,
        faults.join(", ")
    )
}

/// One line an example, for a list under one prompt's scores.
pub(crate) fn examples(survey: &AnswerSurvey) -> Vec<String> {
    let lines = |faulty: &'_ FaultyAnswers| {
        let fault = faulty.fault;
        let line =
            move |own: &FaultyAnswer| format!("{fault:11} {}: {}", place(own), said(own, fault));
        faulty.examples.iter().map(line).collect::<Vec<_>>()
    };
    survey.faults.iter().flat_map(lines).collect()
}

/// What a stop says to the user; of answers that cannot be used with an example of
/// each fault and its mend.
pub(crate) fn stopped(stop: &RunError) -> String {
    if let RunError::NoBar(standing) = stop {
        return judge::no_bar(standing).unwrap_or_else(|| stop.to_string());
    }
    if let RunError::Knowledge { .. } = stop {
        return format!(
            "{stop}\n  name another model in augment.model, raise augment.max_tokens where answers \
             are cut off, or go on with --keep-going: what lacks knowledge is asked about without it"
        );
    }
    let RunError::Unusable(hopeless) = stop else {
        return stop.to_string();
    };
    let HopelessRun { survey, max_tokens } = &**hopeless;
    let mut text = hopeless.to_string();
    for faulty in &survey.faults {
        if let Some(own) = faulty.examples.first() {
            let said = said(own, faulty.fault);
            let _ = write!(
                text,
                "\n  {}: {} under {:#}: {said}",
                faulty.fault,
                place(own),
                own.candidate
            );
        }
        let _ = write!(text, "\n    {}", help(faulty.fault, *max_tokens));
    }
    text
}

/// Counts of a group's answers that cannot be used, to stand behind its role.
pub(crate) fn counts(group: &GroupOutcome) -> String {
    let mut out = String::new();
    for (count, what) in [
        (group.unparseable, AnswerFault::Unparseable),
        (group.truncated, AnswerFault::Truncated),
        (group.failed, AnswerFault::Failed),
    ] {
        if count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    out
}

const fn what(fault: AnswerFault) -> &'static str {
    match fault {
        AnswerFault::Unparseable => "could not be read and count as wrong",
        AnswerFault::Truncated => "were cut off before they could be read and count in no score",
        AnswerFault::Failed => "could not be had and count in no score",
    }
}

fn place(example: &FaultyAnswer) -> String {
    format!("{} ({})", visible(&example.input), visible(&example.group))
}

/// A reply in quotation marks, cut to a readable length.
pub(crate) fn shown(reply: &str) -> String {
    const MOST: usize = 160;
    let line = reply.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        _ if line.is_empty() => "no text".to_owned(),
        Some((at, _)) => format!("\"{}…\"", visible(&line[..at])),
        None => format!("\"{}\"", visible(&line)),
    }
}

fn said(example: &FaultyAnswer, fault: AnswerFault) -> String {
    if fault == AnswerFault::Failed {
        return visible(&example.text);
    }
    let said = shown(&example.text);
    match example.tokens {
        Some(tokens) => format!("{said} within {} tokens", grouped(u64::from(tokens))),
        None => said,
    }
}

/// What to do about it; `max_tokens`: the limit that the study sets on an answer.
pub(crate) fn help(fault: AnswerFault, max_tokens: Option<u32>) -> String {
    match (fault, max_tokens) {
        (AnswerFault::Unparseable, _) => {
            "the prompt should ask for the answer alone, and task.labels (or \
                                    the form of the answer) should be what the model writes"
                .to_owned()
        }
        (AnswerFault::Truncated, Some(limit)) => format!(
            "model.max_tokens = {limit} leaves no room for the answer: raise it, or take it out"
        ),
        (AnswerFault::Truncated, None) => {
            "raise model.max_tokens: a model that thinks first needs room for its thoughts"
                .to_owned()
        }
        (AnswerFault::Failed, _) => {
            "once the cause is mended, --retry-failed (eval, gate, optimize) asks these again"
                .to_owned()
        }
    }
}

fn capital(sentence: &str) -> String {
    // A key of the study is no word to begin with a capital.
    if sentence.starts_with("model.") {
        return format!("{sentence}.");
    }
    crate::report::capital(sentence) + "."
}

#[cfg(test)]
mod tests {
    use shiftproof_tasks::Prompt;

    use super::*;

    fn survey(fault: AnswerFault, texts: &[&str], tokens: Option<u32>) -> AnswerSurvey {
        let examples = texts.iter().map(|text| FaultyAnswer {
            candidate: Prompt::new("p").id(),
            input: "film-3".into(),
            group: "film".into(),
            text: (*text).to_owned(),
            tokens,
        });
        AnswerSurvey {
            answers: 1234,
            faults: vec![FaultyAnswers {
                fault,
                count: 7,
                examples: examples.collect(),
            }],
        }
    }

    #[test]
    fn faults_come_with_help() {
        let refused = survey(AnswerFault::Failed, &["HTTP 400: too long"], None);
        let told = sentences(&refused).concat();
        assert!(
            told.starts_with("7 of 1,234 answers could not be had"),
            "{told}"
        );
        assert!(told.contains("film-3 (film) under"), "{told}");
        assert!(
            told.contains("HTTP 400: too long. Once the cause"),
            "{told}"
        );
        let cut = survey(AnswerFault::Truncated, &[""], Some(2048));
        assert!(brief(&cut).ends_with("7 truncated (film-3 (film): no text within 2,048 tokens)"));
        let unread = survey(AnswerFault::Unparseable, &["Hm\u{1b}[2J", "Well"], None);
        let lines = examples(&unread);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with("film-3 (film): \"Well\""), "{lines:?}");
        assert!(!lines[0].contains('\u{1b}'), "{lines:?}");
    }

    #[test]
    fn stop_names_user_limit() {
        let stop = RunError::Unusable(Box::new(HopelessRun {
            survey: survey(AnswerFault::Truncated, &[""], Some(16)),
            max_tokens: Some(16),
        }));
        let told = stopped(&stop);
        assert!(
            told.contains("7 of the first 1234 answers cannot be used"),
            "{told}"
        );
        assert!(
            told.contains("model.max_tokens = 16 leaves no room"),
            "{told}"
        );
    }
}
