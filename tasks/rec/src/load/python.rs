//! Values as Python writes them: the lines of metadata published in 2014 are
//! dictionaries with single quotes, not JSON.

use serde_json::{Map, Number, Value};

/// How deep lists and dictionaries may stand in one another.
const DEEPEST: usize = 64;

/// Reads one dictionary with text keys.
///
/// # Errors
/// The column, from 1, of the first character that fits no value.
pub(super) fn dictionary(text: &str) -> Result<Map<String, Value>, usize> {
    let mut reader = LiteralReader { text, at: 0 };
    let value = reader.value(0);
    reader.blanks();
    match value {
        Some(Value::Object(object)) if reader.at == text.len() => Ok(object),
        _ => Err(text[..reader.at].chars().count() + 1),
    }
}

struct LiteralReader<'t> {
    text: &'t str,
    at: usize,
}

impl LiteralReader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blanks();
        if depth > DEEPEST {
            return None;
        }
        let words = [
            ("None", Value::Null),
            ("True", Value::Bool(true)),
            ("False", Value::Bool(false)),
            // No number of JSON.
            ("nan", Value::Null),
        ];
        for (word, value) in words {
            if self.take(word) {
                return Some(value);
            }
        }
        match self.rest().chars().next()? {
            '{' => self.object(depth),
            '[' => self.list('[', "]", depth),
            '(' => self.list('(', ")", depth),
            '-' | '+' | '.' | '0'..='9' => self.number(),
            _ => self.string().map(Value::String),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut object = Map::new();
        while !self.take("}") {
            self.blanks();
            let key = self.string()?;
            if !self.take(":") {
                return None;
            }
            object.insert(key, self.value(depth + 1)?);
            if !self.take(",") && !self.rest().trim_start().starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(object))
    }

    fn list(&mut self, open: char, close: &str, depth: usize) -> Option<Value> {
        self.at += open.len_utf8();
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(",") && !self.rest().trim_start().starts_with(close) {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c))
            .unwrap_or(rest.len());
        let digits = rest[..end].trim_end_matches('L').replace('_', "");
        let value = match digits.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::Number(Number::from_f64(digits.parse().ok()?)?),
        };
        self.at += end;
        Some(value)
    }

    fn string(&mut self) -> Option<String> {
        let prefix = self.rest().chars().next()?;
        let is_raw = matches!(prefix, 'r' | 'R');
        if is_raw || matches!(prefix, 'u' | 'U' | 'b' | 'B') {
            self.at += 1;
        }
        let quote = self
            .rest()
            .chars()
            .next()
            .filter(|c| matches!(c, '\'' | '"'))?;
        self.at += 1;
        let mut out = String::new();
        loop {
            let c = self.rest().chars().next()?;
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Some(out),
                '\\' if !is_raw => self.escape(&mut out)?,
                c => out.push(c),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut String) -> Option<()> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        let plain = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' => '\0',
            '\\' | '\'' | '"' => c,
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            // Python leaves other escapes as they are.
            other => {
                out.push('\\');
                other
            }
        };
        out.push(plain);
        Some(())
    }

    /// The character of this many digits; half of a pair is no character of its
    /// own.
    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        self.at += digits;
        if (0xd800..0xdc00).contains(&code)
            && let Some(low) = self
                .rest()
                .strip_prefix("\\u")
                .and_then(|rest| rest.get(..4))
            && let Ok(low @ 0xdc00..=0xdfff) = u32::from_str_radix(low, 16)
        {
            self.at += 6;
            return char::from_u32(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        }
        Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_as_published_are_read() {
        let line = r#"{'asin': '0001048791', 'salesRank': {'Books': 6334800}, 'imUrl': 'http://x/a.jpg', 'categories': [['Books', "Kids' books"]], 'title': "The Crucible: it's \"here\" \u00e9\xe9", 'price': 12.5, 'ok': True, 'gone': None, 'pair': (1, -2e3), u'old': 5L,}"#;
        let object = dictionary(line).unwrap();
        let expected = serde_json::json!({
            "asin": "0001048791", "salesRank": {"Books": 6_334_800}, "imUrl": "http://x/a.jpg",
            "categories": [["Books", "Kids' books"]], "title": "The Crucible: it's \"here\" éé",
            "price": 12.5, "ok": true, "gone": null, "pair": [1, -2000.0], "old": 5,
        });
        assert_eq!(Value::Object(object), expected);
    }

    #[test]
    fn unfit_values_name_their_column() {
        assert_eq!(dictionary("{'a': 1} x"), Err(10));
        assert_eq!(dictionary("{'a': __import__('os')}"), Err(7));
        assert_eq!(dictionary("{'a'"), Err(5));
        assert!(dictionary("['a']").is_err());
        let deep = format!("{{'a': {}", "[".repeat(100_000));
        assert!(dictionary(&deep).is_err());
    }

    /// As Python prints it.
    fn printed(value: &Value) -> String {
        match value {
            Value::Null => "None".into(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => {
                let mut out = String::from("'");
                for c in text.chars() {
                    match c {
                        '\\' | '\'' => out.extend(['\\', c]),
                        c if c.is_control() => out.extend(format!("\\x{:02x}", c as u32).chars()),
                        c => out.push(c),
                    }
                }
                out + "'"
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(printed).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    format!(
                        "{}: {}",
                        printed(&Value::from(key.as_str())),
                        printed(value)
                    )
                });
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~é\\n'\"\\\\€]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z']{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn python_literals_are_read(value in values()) {
            let whole = serde_json::json!({ "k": value });
            prop_assert_eq!(dictionary(&printed(&whole)).map(Value::Object), Ok(whole));
        }

        #[test]
        fn no_line_brings_it_down(text in "[{}\\[\\]()'\"\\\\,:a-fuxNT0-9.eé -]{0,40}") {
            let _ = dictionary(&text);
        }
    }
}
