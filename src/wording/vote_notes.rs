//! How far a vote over target inputs is to be believed, in sentences.

use shiftproof_search::event::VoteSummary;
use shiftproof_search::stats::interval::wilson;

/// How often kept votes are right on labelled source examples, with the 95% interval;
/// `None` where none of those was kept, and in logs of earlier programs, which have
/// the share alone.
pub(crate) fn accuracy(voted: &VoteSummary) -> Option<String> {
    let checked = voted.checked.filter(|checked| checked.kept > 0)?;
    let (right, kept) = (checked.right as f64, checked.kept as f64);
    let interval = wilson(right, kept, 0.95);
    Some(format!(
        "{} of {} right ({:.0}% [{:.0}, {:.0}])",
        checked.right,
        checked.kept,
        100.0 * right / kept,
        100.0 * interval.low,
        100.0 * interval.high
    ))
}

/// How many voters that err apart the voters are worth, and what that means where it
/// is little; `None` in logs of earlier programs.
pub(crate) fn voices(voted: &VoteSummary) -> Option<String> {
    if voted.standings.is_empty() {
        return None;
    }
    let count = voted.standings.len();
    let worth: f64 = voted.standings.iter().map(|s| s.independence).sum();
    let families = voted
        .standings
        .iter()
        .map(|s| s.family + 1)
        .max()
        .unwrap_or(0);
    let few = if families < 3 {
        "; with fewer than three families nobody can tell who is right, and the votes score \
         no prompt"
    } else {
        ""
    };
    let plural = if families == 1 { "family" } else { "families" };
    Some(format!(
        "{count} voters in {families} {plural} of like answers, worth {worth:.1} that err apart{few}"
    ))
}

#[cfg(test)]
mod tests {
    use shiftproof_search::event::{CheckedVotes, VoterStanding};

    use super::*;

    fn voted() -> VoteSummary {
        VoteSummary {
            voters: vec![],
            threshold: 0.83,
            inputs: 0,
            kept: 0,
            source_accuracy: Some(0.75),
            checked: None,
            standings: vec![],
            classes: vec![],
            votes: vec![],
        }
    }

    #[test]
    fn accuracy_has_counts_and_interval() {
        let mut voted = voted();
        assert_eq!(accuracy(&voted), None);
        voted.checked = Some(CheckedVotes {
            examples: 12,
            kept: 8,
            right: 6,
        });
        assert_eq!(accuracy(&voted).unwrap(), "6 of 8 right (75% [41, 93])");
        voted.checked = Some(CheckedVotes {
            examples: 12,
            kept: 0,
            right: 0,
        });
        assert_eq!(accuracy(&voted), None);
    }

    #[test]
    fn few_families_say_nothing() {
        let mut voted = voted();
        assert_eq!(voices(&voted), None);
        let standing = |family| VoterStanding {
            asked: 10,
            right: 7,
            accuracy: 0.7,
            independence: 0.4,
            family,
        };
        voted.standings = vec![standing(0), standing(0), standing(1)];
        let told = voices(&voted).unwrap();
        assert!(told.starts_with("3 voters in 2 families of like answers, worth 1.2"));
        assert!(told.contains("nobody can tell"));
        voted.standings.push(standing(2));
        assert!(!voices(&voted).unwrap().contains("nobody"));
    }
}
