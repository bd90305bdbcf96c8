//! Which parameter a server refuses.

use super::complaint::ServerComplaint;
use super::request::{ParameterQuirk, ServerDialect};

/// The parameter of the study that is refused, be it the parameter or its value.
pub(super) fn own_parameter(
    complaint: &ServerComplaint,
    set: &[&'static str],
) -> Option<&'static str> {
    let spellings: &dyn Fn(&str) -> &'static [&'static str] = &|name| match name {
        "temperature" => &["temperature"],
        "top_p" => &["top_p", "topP"],
        "stop" => &["stop", "stop_sequences", "stopSequences"],
        "seed" => &["seed"],
        "reasoning_effort" => &[
            "reasoning_effort",
            "reasoning.effort",
            "effort",
            "thinking_level",
            "thinkingLevel",
            "think",
            "thinking",
        ],
        "thinking_tokens" => &[
            "budget_tokens",
            "thinking",
            "thinking_budget",
            "thinkingBudget",
            "think",
        ],
        _ => &[],
    };
    set.iter().copied().find(|name| {
        let names = spellings(name);
        has_any_word(&complaint.text, names)
            || complaint
                .parameter
                .as_deref()
                .is_some_and(|parameter| names.contains(&parameter))
    })
}

/// The parameter that was refused as such, as opposed to its value.
pub(super) fn rejected_parameter(
    complaint: &ServerComplaint,
    dialect: ServerDialect,
) -> Option<ParameterQuirk> {
    let names = |quirk: ParameterQuirk| {
        let names = quirk.spellings();
        let parameter = complaint.parameter.as_deref();
        parameter.is_some_and(|parameter| names.contains(&parameter))
            || has_any_word(&complaint.text, names)
    };
    let mut unlearned = ParameterQuirk::ALL
        .into_iter()
        .filter(|quirk| !dialect.has(*quirk));
    // A bound on the number of alternatives is a value worth lowering.
    if !dialect.has(ParameterQuirk::FewLogprobs)
        && names(ParameterQuirk::FewLogprobs)
        && complaint.says(&[
            "less than",
            "at most",
            "maximum",
            "<=",
            "between",
            "range",
            "exceed",
            "greater than",
            "too large",
        ])
    {
        return Some(ParameterQuirk::FewLogprobs);
    }
    let refused = complaint.says(&[
        "unsupported",
        "not support",
        "unknown",
        "unrecognized",
        "unexpected",
        "not permitted",
        "not allowed",
        "not accept",
        "may only be set",
        "unknown name",
        "not enabled",
        "extra_forbidden",
        "deprecated",
        "cannot both",
        "can't both",
    ]);
    // A schema is known to be refused by the call that carried one.
    let own = [ParameterQuirk::FewLogprobs, ParameterQuirk::NoSchema];
    unlearned.find(|quirk| refused && !own.contains(quirk) && names(*quirk))
}

/// Whether `text` holds one of `words`, each bounded by what cannot be part of a
/// name.
pub(super) fn has_any_word(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| has_word(text, word))
}

/// Whether `text` holds `word` bounded by what cannot be part of a name.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}
