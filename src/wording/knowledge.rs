//! What was written about inputs, in words.

use shiftproof_search::event::{Event, WrittenKnowledge};

use crate::report::grouped;

/// One sentence a field: how many questions were answered, and what came of the others.
pub(crate) fn sentences(knowledge: &[WrittenKnowledge]) -> Vec<String> {
    knowledge.iter().map(sentence).collect()
}

/// Those of them that a reader has to know beside the scores: of fields that are empty for
/// some inputs.
pub(crate) fn notes(knowledge: &[WrittenKnowledge]) -> Vec<String> {
    let lacking = knowledge.iter().filter(|own| own.empty > 0);
    lacking.map(sentence).collect()
}

/// The same of everything that these events tell, each once.
pub(crate) fn told(events: &[Event]) -> Vec<String> {
    let mut told = Vec::new();
    for event in events {
        if let Event::Augmented { knowledge } = event {
            told.extend(notes(knowledge));
        }
    }
    told.dedup();
    told
}

fn sentence(own: &WrittenKnowledge) -> String {
    let gaps = [
        (own.unknown, "the model does not know"),
        (own.refused, "refused"),
        (own.truncated, "cut off"),
        (own.unreadable, "not to be read"),
    ];
    let gaps: Vec<String> = gaps
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{} {why}", grouped(count as u64)))
        .collect();
    let gaps = if gaps.is_empty() {
        String::new()
    } else {
        format!(" ({})", gaps.join(", "))
    };
    let empty = if own.empty == 0 {
        String::new()
    } else {
        format!(
            "; it is empty for {} of {} inputs, which are asked about without it",
            grouped(own.empty as u64),
            grouped(own.inputs as u64)
        )
    };
    format!(
        "{}: {} of {} questions answered{gaps}{empty}.",
        own.field,
        grouped(own.written as u64),
        grouped(own.asked as u64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told_by_kind() {
        let whole = WrittenKnowledge {
            field: "item_knowledge".into(),
            asked: 1200,
            written: 1200,
            inputs: 80,
            ..WrittenKnowledge::default()
        };
        let lacking = WrittenKnowledge {
            field: "preference_knowledge".into(),
            asked: 40,
            written: 36,
            unknown: 1,
            truncated: 3,
            empty: 6,
            inputs: 80,
            ..WrittenKnowledge::default()
        };
        let both = [whole, lacking];
        assert_eq!(
            sentences(&both),
            [
                "item_knowledge: 1,200 of 1,200 questions answered.",
                "preference_knowledge: 36 of 40 questions answered (1 the model does not know, 3 \
                 cut off); it is empty for 6 of 80 inputs, which are asked about without it."
            ]
        );
        assert_eq!(notes(&both).len(), 1);
        let event = Event::Augmented {
            knowledge: both.to_vec(),
        };
        assert_eq!(told(&[event.clone(), event]).len(), 1);
    }
}
