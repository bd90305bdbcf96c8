//! How what a user did before is told to a model (Hou et al. 2024, "Large
//! Language Models are Zero-Shot Rankers", §3.1), and controls that show
//! whether a model uses it.

use serde::{Deserialize, Serialize};
use shiftproof_tasks::{Input, field};

use super::ItemCatalogue;

/// How a history is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryFormat {
    /// All items in order, oldest first.
    #[default]
    Sequential,
    /// In order, and the most recent item named again.
    Recency,
    /// All but the most recent item, which serves as a worked example.
    InContext,
    /// A control: in an order that says nothing. A model that reads the order
    /// does worse.
    Shuffled,
    /// A control: as many items of the catalogue that the user never chose. A
    /// model that reads the history does no better than chance.
    Fake,
    /// A control: no history.
    None,
}

impl HistoryFormat {
    /// The most recent `window` entries of the field, as told, one numbered line
    /// each; empty where there is no history. `chose` is what users do, such as
    /// "watched"; `catalogue` is needed by [`HistoryFormat::Fake`] alone.
    pub fn describe(
        self,
        input: &Input,
        name: &str,
        window: usize,
        chose: &str,
        catalogue: Option<&ItemCatalogue>,
    ) -> String {
        let all: Vec<&str> = field::entries(input.field(name)).collect();
        let recent = &all[all.len().saturating_sub(window)..];
        let Some((last, earlier)) = recent.split_last() else {
            return String::new();
        };
        let told = |items: &[&str]| format!("{chose} before, oldest first:\n{}", numbered(items));
        match self {
            Self::Sequential => told(recent),
            Self::Recency => format!("{}\nMost recently {chose}: {last}", told(recent)),
            Self::InContext if earlier.is_empty() => told(recent),
            Self::InContext => format!(
                "{}\nAfter these, the right recommendation was: {last}\nNow {last} has been {chose} too.",
                told(earlier)
            ),
            Self::Shuffled => {
                let mut items = recent.to_vec();
                items.sort_by_key(|item| place(&input.id, item));
                told(&items)
            }
            Self::Fake => {
                let Some(catalogue) = catalogue else {
                    return String::new();
                };
                let mut titles: Vec<&str> = catalogue
                    .titles()
                    .filter(|title| !all.contains(title))
                    .collect();
                titles.sort_by_cached_key(|title| place(&input.id, title));
                titles.truncate(recent.len());
                told(&titles)
            }
            Self::None => String::new(),
        }
    }
}

/// "1. Heat", "2. Big", a line each.
pub fn numbered<T: AsRef<str>>(items: &[T]) -> String {
    let lines: Vec<String> = items
        .iter()
        .zip(1..)
        .map(|(item, number)| format!("{number}. {}", item.as_ref()))
        .collect();
    lines.join("\n")
}

/// Key-value sentences, most recent first, while their words fit the budget; at
/// least the most recent one (Li et al. 2023, "Text Is All You Need", §3.2.1,
/// which cuts the oldest items of a sequence that is too long).
pub fn recent_within<'a>(sentences: &[&'a str], words: usize) -> Vec<&'a str> {
    let mut left = words;
    let mut kept = Vec::new();
    for sentence in sentences.iter().rev() {
        let length = sentence.split_whitespace().count();
        if length > left && !kept.is_empty() {
            break;
        }
        left = left.saturating_sub(length);
        kept.push(*sentence);
    }
    kept
}

/// A place in an order that depends on the example and the item alone.
pub(super) fn place(id: &str, item: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(id.len() as u64).to_be_bytes());
    hasher.update(id.as_bytes());
    hasher.update(item.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::Item;
    use super::*;

    fn input() -> Input {
        Input::new("u1", "g").with_field(field::HISTORY, "Heat\nBig\nUp")
    }

    fn tell(telling: HistoryFormat, window: usize) -> String {
        telling.describe(&input(), field::HISTORY, window, "watched", None)
    }

    #[test]
    fn histories_follow_paper() {
        assert_eq!(
            tell(HistoryFormat::Sequential, 2),
            "watched before, oldest first:\n1. Big\n2. Up"
        );
        assert!(tell(HistoryFormat::Recency, 9).ends_with("3. Up\nMost recently watched: Up"));
        let shown = tell(HistoryFormat::InContext, 9);
        assert!(shown.contains("2. Big\nAfter these, the right recommendation was: Up\n"));
        assert_eq!(tell(HistoryFormat::None, 9), "");
        let nobody = Input::new("u", "g");
        assert_eq!(
            HistoryFormat::Recency.describe(&nobody, field::HISTORY, 9, "x", None),
            ""
        );
    }

    #[test]
    fn controls_keep_history_length() {
        let other = Input {
            id: "u2".into(),
            ..input()
        };
        let shuffled = HistoryFormat::Shuffled.describe(&other, field::HISTORY, 9, "watched", None);
        let mut lines: Vec<&str> = shuffled.lines().skip(1).map(|line| &line[3..]).collect();
        assert_ne!(lines, ["Heat", "Big", "Up"], "this id shuffles");
        lines.sort_unstable();
        assert_eq!(lines, ["Big", "Heat", "Up"]);
        let items = ["Heat", "Big", "Up", "Jaws", "Alien", "Dune", "Fargo"].map(|title| Item {
            id: title.into(),
            title: title.into(),
            ..Item::default()
        });
        let catalogue = ItemCatalogue::new(items.to_vec(), &[]);
        let fake =
            HistoryFormat::Fake.describe(&input(), field::HISTORY, 9, "watched", Some(&catalogue));
        assert_eq!(fake.lines().count(), 4);
        assert!(
            !["Heat", "Big", "Up"]
                .iter()
                .any(|title| fake.contains(title)),
            "{fake}"
        );
    }

    #[test]
    fn budget_drops_oldest() {
        let sentences = ["title: Heat; year: 1995", "title: Big", "title: Up"];
        assert_eq!(recent_within(&sentences, 4), ["title: Up", "title: Big"]);
        assert_eq!(recent_within(&sentences, 1), ["title: Up"]);
        assert_eq!(recent_within(&sentences, 99).len(), 3);
        assert!(recent_within(&[], 9).is_empty());
    }
}
