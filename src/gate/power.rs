//! What a gate could decide on an audit, told before it is paid for.

use shiftproof_search::event::GroupInfo;
use shiftproof_search::stats::{self, PairedBootstrap, ShipGate};

use super::score;

/// The gate as `shiftproof gate` decides by default about one prompt, on an audit
/// that was not asked before.
pub fn usual() -> ShipGate {
    let gate = ShipGate::default();
    ShipGate {
        alpha: stats::spent_alpha(gate.alpha, 1),
        ..gate
    }
}

/// What this audit can show of `judged` prompts, as a sentence; `None` where no
/// group has audit examples. `clusters` are the independent examples (or users)
/// per group.
pub fn sentence(gate: &ShipGate, judged: usize, clusters: &[(&str, usize)]) -> Option<String> {
    let sizes: Vec<usize> = clusters.iter().map(|(_, n)| *n).collect();
    let most = sizes.iter().copied().max().filter(|most| *most > 0)?;
    let bound = ShipGate {
        bootstrap: PairedBootstrap::default(),
        ..*gate
    };
    let least = stats::smallest_audit(&bound, judged);
    let short: Vec<&str> = clusters
        .iter()
        .filter(|(_, n)| least.is_none_or(|least| *n < least))
        .map(|(name, _)| *name)
        .collect();
    if !short.is_empty() {
        let names = short.join(", ");
        return Some(least.map_or_else(
            || {
                format!(
                    "No audit can let a prompt ship at this level (α {:.4}): it is less than the \
                     resampling resolves. Draw fresh audit examples, or raise --alpha.",
                    gate.alpha
                )
            },
            |least| {
                format!(
                    "No prompt can ship on this audit, however good: each group needs at least \
                     {least} independent examples, and {names} has fewer. Raise `groups.audit`."
                )
            },
        ));
    }
    let few = sizes.iter().copied().min().unwrap_or(most);
    let range = if few == most {
        few.to_string()
    } else {
        format!("{few} to {most}")
    };
    let groups = match sizes.len() {
        1 => "1 group".to_owned(),
        n => format!("{n} groups"),
    };
    let tolerance = score(gate.tolerance);
    Some(stats::likely_gain(gate, judged, &sizes).map_or_else(
        || {
            format!(
                "With {groups} of {range} independent audit examples hardly any gain is likely to \
                 be shown (tolerance {tolerance} points). Raise `groups.audit`."
            )
        },
        |gain| {
            format!(
                "With {groups} of {range} independent audit examples and a tolerance of {tolerance} \
                 points, a gain of about {} points in every group is likely (four times in five) \
                 to ship; smaller ones may well not be told from chance.",
                score(gain)
            )
        },
    ))
}

/// The same from the groups of a study, whose audit is still sealed: every example
/// counts as one of its own.
pub fn foreseen(groups: &[GroupInfo]) -> Option<String> {
    let sizes: Vec<(&str, usize)> = groups
        .iter()
        .map(|group| (group.name.as_str(), group.audit))
        .filter(|(_, n)| *n > 0)
        .collect();
    sentence(&usual(), 1, &sizes)
}

/// Fewer audited examples than these in a group try the set-up out and decide nothing.
const SMOKE_TEST: usize = 30;

/// What is said of an audit that can only try the set-up out; `None` of a larger one.
pub fn smoke(groups: &[GroupInfo]) -> Option<String> {
    let sizes = groups.iter().map(|group| group.audit);
    let least = sizes.filter(|n| *n > 0).min()?;
    if least >= SMOKE_TEST {
        return None;
    }
    let examples = if least == 1 { "example" } else { "examples" };
    Some(format!(
        "These are the sizes of a smoke test: {least} audited {examples} in the smallest group show that \
         the set-up works, not which prompt is better. {}",
        foreseen(groups)?
    ))
}

/// What an audit can show, before anything is asked.
pub fn told(groups: &[GroupInfo]) -> Option<String> {
    smoke(groups).or_else(|| foreseen(groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_audit_is_told_at_once() {
        let told = sentence(&usual(), 1, &[("books", 40), ("films", 2)]).unwrap();
        assert!(told.contains("films has fewer"), "{told}");
        let least: usize = told
            .split("at least ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .unwrap();
        assert!((3..40).contains(&least), "{told}");
        let enough = sentence(&usual(), 1, &[("books", 40), ("films", least)]).unwrap();
        assert!(!enough.contains("No prompt can ship"), "{enough}");
    }

    #[test]
    fn small_sizes_are_called_a_smoke_test() {
        use shiftproof_search::event::GroupRole;
        let group = |name: &str, audit| GroupInfo {
            name: name.into(),
            role: GroupRole::Target,
            train: 0,
            validation: 0,
            labelled: 0,
            unlabelled: 0,
            audit,
        };
        let small = [group("books", 29), group("films", 400), group("toys", 0)];
        let said = smoke(&small).unwrap();
        assert!(said.contains("smoke test: 29 audited examples"), "{said}");
        assert!(said.contains("points in every group"), "{said}");
        assert_eq!(told(&small), Some(said));
        let large = [group("books", 30), group("films", 400)];
        assert_eq!((smoke(&large), told(&large)), (None, foreseen(&large)));
        assert_eq!(told(&[group("toys", 0)]), None);
    }

    #[test]
    fn power_is_told_with_the_design() {
        let gain = |n: usize| {
            let told = sentence(&usual(), 1, &[("a", n), ("b", n)]).unwrap();
            assert!(told.contains(&format!("2 groups of {n} ")), "{told}");
            let points = told.split("about ").nth(1).unwrap();
            points.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(gain(1000) < gain(100));
        assert_eq!(sentence(&usual(), 1, &[]), None);
        let strict = ShipGate {
            alpha: 1e-9,
            ..usual()
        };
        let told = sentence(&strict, 1, &[("a", 50)]).unwrap();
        assert!(told.contains("resampling resolves"), "{told}");
    }
}
