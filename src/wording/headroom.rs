//! What is to be gained over the prompts that are there, in words. The same sentences stand on the
//! screen, in reports and in a log of CI.

use shiftproof_search::headroom::{HeadroomEstimate, HeadroomVerdict, MeanEstimate};
use shiftproof_tasks::PromptId;

use crate::report::grouped;

/// What it rests on, what was seen, what that comes to, and what is not known. `name`: how a
/// prompt is called.
pub(crate) fn sentences(
    found: &HeadroomEstimate,
    name: &dyn Fn(PromptId) -> String,
) -> Vec<String> {
    let Some(seed) = found.seed else {
        return vec!["Headroom: no answer to the seed prompt could be graded.".to_owned()];
    };
    let mut told = vec![format!(
        "Headroom on the source, from {} answers: the seed prompt has {}.",
        grouped(found.answers as u64),
        percent(seed)
    )];
    match &found.generic {
        Some(generic) => told.push(format!(
            "The best of {} generic prompts, {}, has {}: {} points to the seed.",
            generic.among,
            name(generic.candidate),
            percent(generic.own),
            points(generic.gain)
        )),
        None => told.push("No generic prompt was asked often enough to compare.".to_owned()),
    }
    if let (Some(mixed), Some(ceiling)) = (found.mixed, found.ceiling) {
        told.push(format!(
            "Of {} prompts some are right and others wrong on {} of the examples; the best answer \
             to each would come to {}.",
            found.prompts,
            percent(mixed),
            percent(ceiling)
        ));
    }
    told.push(verdict(found).to_owned());
    told.push(
        "Not known: what holds on the targets, whose labels are not read for this, and what a \
         prompt can do that nobody has written yet."
            .to_owned(),
    );
    told
}

/// The same for a run, which goes on with its races: what its first one leaves open is said
/// shortly.
pub(crate) fn told(found: &HeadroomEstimate, name: &dyn Fn(PromptId) -> String) -> Vec<String> {
    if found.verdict != HeadroomVerdict::Unknown {
        return sentences(found, name);
    }
    if found.answers == 0 {
        return Vec::new();
    }
    vec![format!(
        "Headroom on the source: too little to say, from {} answers to {} prompts; an \
         estimate of the study with --probe asks for more.",
        grouped(found.answers as u64),
        found.asked
    )]
}

/// The same in one short line, for a screen.
#[cfg(any(feature = "tui", test))]
pub(crate) fn brief(found: &HeadroomEstimate) -> String {
    let verdict = match found.verdict {
        HeadroomVerdict::Unknown => "unknown on the source",
        HeadroomVerdict::Little => "little on the source",
        HeadroomVerdict::Generic => "a generic prompt beats the seed",
        HeadroomVerdict::Some => "some on the source",
    };
    let mut parts = vec![verdict.to_owned()];
    parts.extend(
        found
            .seed
            .map(|seed| format!("seed {:.0}%", 100.0 * seed.mean)),
    );
    let generic = found.generic.map(|generic| generic.gain);
    parts.extend(generic.map(|gain| format!("best generic {}", points(gain))));
    let mixed = found.mixed.map(|mixed| 100.0 * mixed.mean);
    parts.extend(mixed.map(|share| format!("wording decides on {share:.0}%")));
    parts.join(" · ")
}

fn verdict(found: &HeadroomEstimate) -> &'static str {
    match found.verdict {
        HeadroomVerdict::Unknown => "Too little to say whether there is anything to gain.",
        HeadroomVerdict::Little => {
            "There is little to gain on the source: a search can hardly pay there, and only the \
             audit of the targets could show that it does elsewhere."
        }
        HeadroomVerdict::Generic => {
            "A generic prompt is better than the seed beyond chance: take that first, it needs no \
             search, and let a search start from it."
        }
        HeadroomVerdict::Some => {
            "The wording matters: there is something to gain, and no prompt that is there has it \
             beyond chance."
        }
    }
}

/// "58% [39, 76] of 24".
fn percent(mean: MeanEstimate) -> String {
    format!(
        "{:.0}% [{:.0}, {:.0}] of {}",
        100.0 * mean.mean,
        100.0 * mean.low,
        100.0 * mean.high,
        grouped(mean.n as u64)
    )
}

/// "+12 [-8, +31]".
fn points(gain: MeanEstimate) -> String {
    format!(
        "{:+.0} [{:+.0}, {:+.0}]",
        100.0 * gain.mean,
        100.0 * gain.low,
        100.0 * gain.high
    )
}

#[cfg(test)]
mod tests {
    use shiftproof_search::headroom::TriedPrompt;
    use shiftproof_tasks::Prompt;

    use super::*;

    fn told(grades: &[&str]) -> String {
        let tried: Vec<TriedPrompt> = grades
            .iter()
            .enumerate()
            .map(|(at, grades)| TriedPrompt {
                candidate: Prompt::new(format!("prompt {at}")).id(),
                generic: at > 0,
                grades: grades
                    .chars()
                    .map(|c| c.to_digit(10).map(f64::from))
                    .collect(),
            })
            .collect();
        let clusters: Vec<u64> = (0..grades[0].len() as u64).collect();
        let found = HeadroomEstimate::of(&tried, &clusters);
        let name = |_| "\"Choose.\"".to_owned();
        let whole = sentences(&found, &name).join(" ");
        let short = super::told(&found, &name).join(" ");
        format!("{whole}\n{}\n{short}", brief(&found))
    }

    #[track_caller]
    fn check(grades: &[&str], pieces: &[&str]) {
        let told = told(grades);
        for piece in pieces {
            assert!(told.contains(piece), "{piece:?} is not in: {told}");
        }
    }

    #[test]
    fn numbers_and_limits_are_told() {
        let (some, other) = ("1100".repeat(6), "1010".repeat(6));
        check(
            &[&some, &other],
            &[
                "from 48 answers: the seed prompt has 50% [31, 69] of 24.",
                "The best of 1 generic prompts, \"Choose.\", has 50% [31, 69] of 24: +0 [",
                "on 50% [31, 69] of 24 of the examples; the best answer to each would come to 75%",
                "The wording matters",
                "\nsome on the source · seed 50% · best generic +0 [",
                "] · wording decides on 50%",
                "Not known: what holds on the targets",
            ],
        );
        let (low, high) = ("1000".repeat(12), "1110".repeat(12));
        check(
            &[&low, &high],
            &["+50 [+", "take that first, it needs no search"],
        );
        let right = "1".repeat(48);
        check(
            &[&right, &right],
            &["There is little to gain on the source"],
        );
        check(
            &["1010", "0101"],
            &[
                "No generic prompt was asked often enough",
                "Too little to say",
                "\nHeadroom on the source: too little to say, from 8 answers to 2 prompts;",
            ],
        );
        check(&["    "], &["no answer to the seed prompt could be graded"]);
    }
}
