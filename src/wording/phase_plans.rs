//! What a phase is about to do, as people are told.

use std::borrow::Cow;

/// The plan as its event has it, but that no more prompts are kept than there are: logs of
/// earlier versions say how many there is room for, and those of this one say the same, so
/// that old runs go on.
pub(crate) fn told(plan: &str) -> Cow<'_, str> {
    all_kept(plan).map_or(Cow::Borrowed(plan), Cow::Owned)
}

fn all_kept(plan: &str) -> Option<String> {
    let (entrants, rest) = plan.split_once(" prompts, ")?;
    let room: usize = rest.strip_suffix(" of them to keep")?.parse().ok()?;
    let entrants: usize = entrants.parse().ok()?;
    (room >= entrants).then(|| format!("{entrants} prompts, all of them to keep"))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn no_more_are_kept_than_there_are() {
        let all = "5 prompts, all of them to keep";
        assert_eq!(told("5 prompts, 18 of them to keep"), all);
        assert_eq!(told("5 prompts, 5 of them to keep"), all);
        for plan in [
            "18 prompts, 5 of them to keep",
            "a prompt",
            "seed and selected on 3 prompts, 2 texts",
        ] {
            assert_eq!(told(plan), plan);
        }
    }
}
