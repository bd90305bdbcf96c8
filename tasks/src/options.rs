//! The choices of one example: read from its column, shown with letters.
//!
//! People keep them in many ways; each row may do so in its own:
//!
//! - JSON: an array of texts, an object of letters (`{"A": "red", "B": "blue"}`), or of a list of
//!   `text` beside one of `label`;
//! - the same as Python prints it, in single quotes;
//! - lines, or one line cut by `|`, or else by `;` (a comma separates nothing: answers hold many).
//!
//! Letters, numbers and brackets before every one ("A.", "(b)", "1)") are taken off.

use serde_json::Value;

/// As many as there are letters.
const MOST: usize = 26;

/// Two or more different texts to choose from, each on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionList {
    texts: Vec<String>,
}

impl OptionList {
    /// Reads a column's text. An error says what is wrong with it.
    ///
    /// ```
    /// use shiftproof_tasks::OptionList;
    ///
    /// for written in [r#"["red", "blue"]"#, "(a) red | (b) blue", "A. red\nB. blue"] {
    ///     assert_eq!(OptionList::read(written).unwrap().shown(), "A. red\nB. blue");
    /// }
    /// assert_eq!(OptionList::read("red").unwrap_err(), "there is one option, which leaves nothing to choose");
    /// ```
    pub fn read(written: &str) -> Result<Self, String> {
        let written = written.trim();
        if written.is_empty() {
            return Err("there are no options".into());
        }
        let texts: Vec<String> = split(written)?
            .iter()
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let texts = unnumbered(texts);
        if let Some(blank) = texts.iter().position(String::is_empty) {
            return Err(format!("option {} is blank", blank + 1));
        }
        match texts.len() {
            0 => return Err("there are no options".into()),
            1 => return Err("there is one option, which leaves nothing to choose".into()),
            2..=MOST => {}
            many => return Err(format!("there are {many} options, and {MOST} letters")),
        }
        for (at, text) in texts.iter().enumerate() {
            let same = |other: &String| folded(other) == folded(text);
            if let Some(twin) = texts[..at].iter().position(same) {
                return Err(format!(
                    "options {} and {} are both {text:?}",
                    letter(twin),
                    letter(at)
                ));
            }
        }
        Ok(Self { texts })
    }

    /// The texts, in their order.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// `A`, `B`, … for as many as there are: the labels of the choice.
    pub fn letters(&self) -> Vec<String> {
        (0..self.texts.len()).map(letter).collect()
    }

    /// As a model is shown them: a line each, its letter first.
    pub fn shown(&self) -> String {
        let lines: Vec<String> = self
            .texts
            .iter()
            .enumerate()
            .map(|(at, text)| format!("{}. {text}", letter(at)))
            .collect();
        lines.join("\n")
    }

    /// Which option a label names: by its text, or by its letter, alone or as in "(B)" and "B.".
    ///
    /// # Errors
    /// A letter that is also the text of another option.
    pub fn place(&self, label: &str) -> Result<Option<usize>, String> {
        let text = label.split_whitespace().collect::<Vec<_>>().join(" ");
        let by_text = self
            .texts
            .iter()
            .position(|option| *option == text)
            .or_else(|| {
                let same = |option: &String| folded(option) == folded(&text);
                self.texts.iter().position(same)
            });
        let bare = text.trim_matches(['(', ')', '[', ']', '.', ':', ' ']);
        let by_letter = (0..self.texts.len()).find(|at| letter(*at).eq_ignore_ascii_case(bare));
        match (by_text, by_letter) {
            (Some(text), Some(other)) if text != other => Err(format!(
                "{label:?} is the letter of one option and the text of another"
            )),
            (found, other) => Ok(found.or(other)),
        }
    }
}

/// `A` for 0.
pub(crate) fn letter(at: usize) -> String {
    char::from(b'A' + (at % MOST) as u8).to_string()
}

/// What two options must differ in: more than case and a full stop.
pub(crate) fn folded(text: &str) -> String {
    text.trim().trim_end_matches('.').to_lowercase()
}

fn split(written: &str) -> Result<Vec<String>, String> {
    if written.starts_with(['[', '{']) {
        let value = serde_json::from_str(written)
            .ok()
            .or_else(|| serde_json::from_str(&python_as_json(written)?).ok());
        if let Some(value) = value {
            return listed(&value);
        }
        // "[none] | [all]" and the like are texts.
        if !written.contains(['|', ';', '\n']) {
            return Err("it begins as JSON and cannot be read as such".into());
        }
    }
    let separator = ['\n', '|', ';']
        .into_iter()
        .find(|separator| written.contains(*separator));
    Ok(match separator {
        // Blank lines part nothing.
        Some('\n') => written
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect(),
        Some(separator) => written.split(separator).map(str::to_owned).collect(),
        None => vec![written.to_owned()],
    })
}

/// The texts in a value of JSON.
fn listed(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        Value::Object(map) => {
            if let Some(Value::Array(texts)) = map.get("text") {
                return texts.iter().map(text_of).collect();
            }
            let in_order = (0..map.len()).map(|at| {
                let own = map
                    .iter()
                    .find(|(key, _)| key.trim().eq_ignore_ascii_case(&letter(at)));
                let (_, value) = own.ok_or_else(|| {
                    format!(
                        "its keys are not the letters from A on: there is no {:?}",
                        letter(at)
                    )
                })?;
                text_of(value)
            });
            in_order.collect()
        }
        _ => Err("it is no list".into()),
    }
}

fn text_of(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Object(map) => match map.get("text") {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err("an option is an object without a \"text\"".into()),
        },
        Value::Null => Ok(String::new()),
        Value::Array(_) => Err("an option is a list itself".into()),
    }
}

/// Python's way of writing lists, in JSON's; `None` where a quotation is never closed.
fn python_as_json(written: &str) -> Option<String> {
    let mut json = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(['\'', '"']) {
        let (bare, quoted) = rest.split_at(at);
        json.push_str(&bare_as_json(bare));
        let mut chars = quoted.chars();
        let quote = chars.next()?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                '\\' => match chars.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                end if end == quote => break,
                other => text.push(other),
            }
        }
        json.push_str(&Value::String(text).to_string());
        rest = chars.as_str();
    }
    json.push_str(&bare_as_json(rest));
    Some(json)
}

/// Python's words for what has no quotation marks: an option may begin with "None".
fn bare_as_json(written: &str) -> String {
    written
        .replace("None", "null")
        .replace("True", "true")
        .replace("False", "false")
}

/// The texts without the letters or numbers that count them; as they are, unless all have one.
fn unnumbered(texts: Vec<String>) -> Vec<String> {
    let by = |name: &dyn Fn(usize) -> String| -> Option<Vec<String>> {
        let bare = texts.iter().enumerate().map(|(at, text)| {
            let name = name(at);
            let (rest, bracketed) = match text.strip_prefix('(') {
                Some(rest) => (rest, true),
                None => (text.as_str(), false),
            };
            let head = rest.get(..name.len())?;
            let rest = head
                .eq_ignore_ascii_case(&name)
                .then(|| &rest[name.len()..])?;
            let rest = if bracketed {
                rest.strip_prefix(')')?
            } else {
                rest.strip_prefix([')', '.', ':'])?
            };
            // "1.5" counts nothing.
            (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start().to_owned())
        });
        bare.collect()
    };
    if texts.len() > MOST {
        return texts;
    }
    by(&letter)
        .or_else(|| by(&|at| (at + 1).to_string()))
        .unwrap_or(texts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(written: &str, expect: &[&str]) {
        let options = OptionList::read(written).unwrap();
        assert_eq!(options.texts(), expect, "{written}");
        // What is shown is read again alike.
        assert_eq!(OptionList::read(&options.shown()), Ok(options));
    }

    #[track_caller]
    fn check_fault(written: &str, expect: &str) {
        assert_eq!(OptionList::read(written).unwrap_err(), expect, "{written}");
    }

    #[test]
    fn ways_of_writing_are_read_alike() {
        let two = ["to the left", "it's, well, gone"];
        check(r#"["to the left", "it's, well, gone"]"#, &two);
        check(r#"['to the left', "it's, well, gone"]"#, &two);
        check(r#"{"B": "it's, well, gone", "A": "to the left"}"#, &two);
        check(
            r#"{"label": ["A", "B"], "text": ["to the left", "it's, well, gone"]}"#,
            &two,
        );
        check(
            r#"[{"label": "A", "text": "to the left"}, {"label": "B", "text": "it's, well, gone"}]"#,
            &two,
        );
        check("to  the left | it's, well, gone", &two);
        check("to the left;it's, well, gone", &two);
        check("\nto the left\r\n\r\nit's, well, gone\n", &two);
        check("(A) to the left\n(B) it's, well, gone", &two);
        check("a) to the left | b) it's, well, gone", &two);
        check("1. to the left\n2. it's, well, gone", &two);
        check("[3, 4.5, true]", &["3", "4.5", "true"]);
        check("[True, False]", &["true", "false"]);
        check(
            "['None of them', 'True as said']",
            &["None of them", "True as said"],
        );
        // Texts that begin as if they were counted.
        check("A. Miller | C. Jones", &["A. Miller", "C. Jones"]);
        check("1.5 | 2.5", &["1.5", "2.5"]);
        check("[none] | [all]", &["[none]", "[all]"]);
    }

    #[test]
    fn faults_are_named() {
        check_fault(" ", "there are no options");
        check_fault("[]", "there are no options");
        check_fault(
            "red, green, blue",
            "there is one option, which leaves nothing to choose",
        );
        check_fault("red | | blue", "option 2 is blank");
        check_fault(
            r#"["red", "blue", "Red."]"#,
            "options A and C are both \"Red.\"",
        );
        check_fault(
            r#"["red", "blue""#,
            "it begins as JSON and cannot be read as such",
        );
        check_fault(r#"[["red"], "blue"]"#, "an option is a list itself");
        check_fault(
            r#"{"A": "red", "C": "blue"}"#,
            "its keys are not the letters from A on: there is no \"B\"",
        );
        let many = vec!["x"; 27].join("|");
        check_fault(&many, "there are 27 options, and 26 letters");
    }

    #[test]
    fn labels_are_placed() {
        let options = OptionList::read("red | Blue balls. | C").unwrap();
        for (label, place) in [
            ("A", Some(0)),
            ("(b)", Some(1)),
            ("B.", Some(1)),
            ("blue balls", Some(1)),
            ("Blue  balls.", Some(1)),
            ("red", Some(0)),
            // Letter and text of the same option.
            ("C", Some(2)),
            ("D", None),
            ("green", None),
        ] {
            assert_eq!(options.place(label), Ok(place), "{label}");
        }
        let crossed = OptionList::read("B | A").unwrap();
        assert!(crossed.place("A").is_err());
    }

    proptest! {
        #[test]
        fn json_lists_survive(texts in proptest::collection::btree_set("[a-z]{1,6}( [a-z|;,'\"]{1,8})?", 2..8)) {
            let texts: Vec<String> = texts.into_iter().collect();
            let written = serde_json::to_string(&texts).unwrap();
            let options = OptionList::read(&written).unwrap();
            prop_assert_eq!(options.texts(), &texts[..]);
            prop_assert_eq!(OptionList::read(&options.shown()).unwrap(), options);
        }
    }
}
