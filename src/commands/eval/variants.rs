//! The task with some of its keys set otherwise, to be scored beside it.

use crate::exit::Failure;

/// Keys that a variant may not set: another option says so, or it would be another task.
const OTHERWISE: [(&str, &str); 5] = [
    ("metric", "use --metric"),
    ("prompt", "use --prompt"),
    ("prompt_file", "use --prompt"),
    ("system", "write a study of its own"),
    ("kind", "write a study of its own"),
];

/// Keys of `[task]` in place of the study's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TaskVariant {
    /// As given; `None` for the task as it stands in the study.
    pub told: Option<String>,
    pub keys: toml::Table,
}

impl TaskVariant {
    /// The task as it is, then each variant in the order given: keys and values as TOML,
    /// between commas.
    pub fn all(given: &[String]) -> Result<Vec<Self>, Failure> {
        let mut all = vec![Self::default()];
        for text in given {
            all.push(Self::read(text)?);
        }
        Ok(all)
    }

    /// What is told of this variant alone.
    pub fn told_of(&self, notes: Vec<String>) -> Vec<String> {
        let Some(told) = &self.told else {
            return notes;
        };
        let notes = notes.into_iter();
        notes.map(|note| format!("With {told}: {note}")).collect()
    }

    fn read(text: &str) -> Result<Self, Failure> {
        let fault = |told: String| {
            Failure::usage(format!(
                "--with {text:?}: {told}\n  write keys of [task] as the study would, such as \
                 'inject = \"dros\", gamma = 1'"
            ))
        };
        let parsed: toml::Table = toml::from_str(&format!("keys = {{ {text} }}"))
            .map_err(|error| fault(error.message().to_owned()).caused_by(error.clone()))?;
        let Some(toml::Value::Table(keys)) = parsed.get("keys").cloned() else {
            return Err(fault("there is no key".to_owned()));
        };
        if keys.is_empty() || parsed.len() > 1 {
            return Err(fault("there is no key, or something behind it".to_owned()));
        }
        if let Some((key, instead)) = OTHERWISE.iter().find(|(key, _)| keys.contains_key(*key)) {
            return Err(fault(format!("{key} cannot be set here: {instead}")));
        }
        Ok(Self {
            told: Some(text.trim().to_owned()),
            keys,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_read_as_toml() {
        let all = TaskVariant::all(&["inject = \"dros\", gamma = 1".to_owned()]).unwrap();
        assert_eq!(all[0], TaskVariant::default());
        assert_eq!(all[1].keys["inject"].as_str(), Some("dros"));
        assert_eq!(all[1].keys["gamma"].as_integer(), Some(1));
        for (text, told) in [
            ("inject = dros", "--with \"inject = dros\""),
            ("", "there is no key"),
            ("a = 1 } \nb = { c = 2", "something behind it"),
            ("metric = \"auc\"", "use --metric"),
        ] {
            let error = TaskVariant::all(&[text.to_owned()]).unwrap_err();
            assert!(error.message.contains(told), "{error}");
        }
    }
}
