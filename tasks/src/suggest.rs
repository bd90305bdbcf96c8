//! "Did you mean" and lists of names for error messages.

/// The candidate most like `name`, if any is close enough to be a slip.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `"a", "b", "c"`, cut after twenty names.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<_> = names.into_iter().collect();
    let mut text: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("{name:?}"))
        .collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}

/// A mend for a name that does not exist: the closest one, then all of them.
pub fn instead<'a>(
    name: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let known = list(candidates.clone());
    match closest(name, candidates) {
        Some(close) => format!("did you mean {close:?}? {what}: {known}"),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("{what}: {known}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_slips_only() {
        let names = ["positive", "negative"];
        assert_eq!(closest("postive", names), Some("positive"));
        assert_eq!(closest("NEGATIVE", names), Some("negative"));
        assert_eq!(closest("banana", names), None);
    }

    #[test]
    fn lists_are_cut() {
        let names: Vec<_> = (0..25).map(|n| n.to_string()).collect();
        assert!(list(names.iter().map(String::as_str)).ends_with("\"19\", and 5 more"));
    }
}
