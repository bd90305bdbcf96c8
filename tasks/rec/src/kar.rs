//! Open-world knowledge of users and items (Xi et al. 2023, "Towards Open-World
//! Recommendation with Knowledge Augmentation from Large Language Models", §3.2): what a
//! model makes of a user's history, and what it knows of an item, each asked factor by
//! factor.

use shiftproof_tasks::diagnostic::DataProblem;
use shiftproof_tasks::{Augmentation, Input, KnowledgeField, KnowledgeQuestion, field};

/// The field with what the user likes, by the history.
pub const PREFERENCE: &str = "preference_knowledge";
/// The field with facts about the item, or about each of the candidates.
pub const ITEM: &str = "item_knowledge";

/// What a model that knows nothing is to answer.
pub const UNKNOWN: &str = "UNKNOWN";

/// Which knowledge is asked for, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KarSpec {
    /// [`PREFERENCE`], [`ITEM`] or both.
    pub fields: Vec<String>,
    /// What tastes and items are described by; where empty, what suits the word for an
    /// item.
    pub factors: Vec<String>,
    /// Whether the question on preferences tells what is known of the user.
    pub user: bool,
    /// Tokens of an answer at most.
    pub max_tokens: u32,
    /// What an item is called; where absent, what the data call it.
    pub item: Option<String>,
}

impl KarSpec {
    /// Both fields, with the factors of the data's own items.
    pub fn new() -> Self {
        Self {
            fields: vec![PREFERENCE.to_owned(), ITEM.to_owned()],
            factors: Vec::new(),
            user: false,
            max_tokens: 400,
            item: None,
        }
    }
}

impl Default for KarSpec {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks for knowledge of users and items.
///
/// A question on a user holds the events before the target and nothing else, one on an item
/// its title and what the data say of it; neither says what became of the two.
#[derive(Debug, Clone)]
pub struct KarAugmentation {
    spec: KarSpec,
    fields: Vec<KnowledgeField>,
}

impl KarAugmentation {
    /// # Errors
    /// A field that there is not, none at all, and a blank factor.
    pub fn new(spec: KarSpec) -> Result<Self, DataProblem> {
        let known = [PREFERENCE, ITEM];
        let mut fields = Vec::new();
        for name in &spec.fields {
            if !known.contains(&name.as_str()) {
                return Err(DataProblem::new(
                    "augment.fields",
                    format!("there is no field {name:?}"),
                )
                .help(shiftproof_tasks::suggest::instead(name, "fields", known)));
            }
        }
        if spec.fields.is_empty() {
            return Err(DataProblem::new("augment.fields", "asks for nothing")
                .help(format!("name {PREFERENCE:?}, {ITEM:?} or both")));
        }
        if spec.factors.iter().any(|factor| factor.trim().is_empty()) {
            return Err(DataProblem::new("augment.factors", "holds a blank factor"));
        }
        for name in known {
            if spec.fields.iter().any(|own| own == name) {
                fields.push(KnowledgeField {
                    name: name.to_owned(),
                    heading: match name {
                        PREFERENCE => "What the history says of the user's preferences:",
                        _ => "What is known of the items:",
                    }
                    .to_owned(),
                    several: name == ITEM,
                });
            }
        }
        Ok(Self { spec, fields })
    }

    fn asks(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    fn word<'a>(&'a self, input: &'a Input) -> &'a str {
        match (&self.spec.item, input.field(field::KIND)) {
            (Some(word), _) => word,
            (None, "") => "item",
            (None, kind) => kind,
        }
    }

    fn factors(&self, word: &str) -> String {
        if self.spec.factors.is_empty() {
            default_factors(word).join(", ")
        } else {
            self.spec.factors.join(", ")
        }
    }

    /// What the history says of its user; nothing without one.
    fn preference(&self, input: &Input) -> Option<KnowledgeQuestion> {
        let history = history(input)?;
        let word = self.word(input);
        let wording = format!(
            "Below is what a user did with items of the kind \"{word}\", oldest first. Describe \
             what this user likes and dislikes by these factors: {}.\n\
             Write one line a factor, `factor: what the user seems to like or dislike, and what in \
             the history shows it`. Go by the history alone, leave out factors that it says \
             nothing about, and recommend nothing. If it says nothing at all, answer {UNKNOWN}.",
            self.factors(word)
        );
        let user = input.field(field::USER);
        let user = if self.spec.user && !user.is_empty() {
            format!("User: {user}\n")
        } else {
            String::new()
        };
        Some(KnowledgeQuestion {
            field: PREFERENCE.to_owned(),
            subject: String::new(),
            text: format!("{wording}\n\n{user}History:\n{history}"),
            wording,
            max_tokens: self.spec.max_tokens,
        })
    }

    /// Facts about an item of this title; `said`: what the data say of it.
    fn facts(&self, input: &Input, title: &str, said: &str) -> KnowledgeQuestion {
        let word = self.word(input);
        let wording = format!(
            "Below is one item of the kind \"{word}\". State what is generally known about it by \
             these factors: {}.\n\
             Write one line a factor, `factor: fact`, twenty words at most. State only what you \
             are sure of about this very item, leave out every other factor, and give no opinion. \
             If you do not know the item, answer {UNKNOWN}.",
            self.factors(word)
        );
        let said = if said.is_empty() {
            String::new()
        } else {
            format!("\nFrom the catalogue: {said}")
        };
        KnowledgeQuestion {
            field: ITEM.to_owned(),
            subject: title.to_owned(),
            text: format!("{wording}\n\nTitle: {title}{said}"),
            wording,
            max_tokens: self.spec.max_tokens,
        }
    }
}

impl Augmentation for KarAugmentation {
    fn fields(&self) -> &[KnowledgeField] {
        &self.fields
    }

    fn questions(&self, input: &Input) -> Vec<KnowledgeQuestion> {
        let mut questions = Vec::new();
        if self.asks(PREFERENCE) {
            questions.extend(self.preference(input));
        }
        if self.asks(ITEM) {
            let pairs = [
                (field::ITEM, field::ITEM_TEXT),
                (field::CANDIDATES, field::CANDIDATES_TEXT),
            ];
            for (titles, texts) in pairs {
                let titles: Vec<&str> = field::entries(input.field(titles)).collect();
                let said: Vec<&str> = field::entries(input.field(texts)).collect();
                // Lists say which is whose by their places alone.
                let aligned = said.len() == titles.len();
                for (at, title) in titles.into_iter().enumerate() {
                    let said = if aligned { said[at] } else { "" };
                    questions.push(self.facts(input, title, said));
                }
            }
        }
        questions
    }
}

/// The history, an event a line, with what it was rated where each was; `None` where it is
/// empty.
fn history(input: &Input) -> Option<String> {
    let titles: Vec<&str> = field::entries(input.field(field::HISTORY)).collect();
    let ratings: Vec<&str> = field::entries(input.field(field::HISTORY_RATINGS)).collect();
    if titles.is_empty() {
        // Rows that were made elsewhere tell likes and dislikes alone.
        let list = |name: &str| {
            let titles: Vec<&str> = field::entries(input.field(name)).collect();
            titles.join("; ")
        };
        let (liked, disliked) = (list(field::LIKED), list(field::DISLIKED));
        let told = [("liked", liked), ("disliked", disliked)];
        let told: Vec<String> = told
            .into_iter()
            .filter(|(_, titles)| !titles.is_empty())
            .map(|(what, titles)| format!("- {what}: {titles}"))
            .collect();
        return (!told.is_empty()).then(|| told.join("\n"));
    }
    let rated = ratings.len() == titles.len();
    let line = |(at, title): (usize, &&str)| {
        if rated {
            format!("- {title}, rated {}", ratings[at])
        } else {
            format!("- {title}")
        }
    };
    let lines: Vec<String> = titles.iter().enumerate().map(line).collect();
    Some(lines.join("\n"))
}

/// What items of this kind are described by.
fn default_factors(word: &str) -> &'static [&'static str] {
    let word = word.to_lowercase();
    let is = |names: &[&str]| names.iter().any(|name| word.contains(name));
    if is(&["movie", "film", "show", "series"]) {
        return &[
            "genre",
            "director and cast",
            "country and time",
            "characters",
            "plot and theme",
            "mood and tone",
            "critical acclaim and awards",
            "production quality",
            "soundtrack",
        ];
    }
    if is(&["book", "novel"]) {
        return &[
            "genre",
            "author",
            "writing style",
            "plot and theme",
            "setting and time",
            "characters",
            "mood and tone",
            "length and difficulty",
            "critical acclaim and awards",
        ];
    }
    if is(&["news", "article"]) {
        return &[
            "topic",
            "people and organisations",
            "place",
            "kind of report",
            "tone",
            "audience",
        ];
    }
    if is(&["game"]) {
        return &[
            "genre",
            "developer",
            "platform",
            "setting and theme",
            "mechanics",
            "difficulty",
            "mood and tone",
            "critical acclaim",
        ];
    }
    if is(&["song", "music", "album", "track", "artist"]) {
        return &[
            "genre",
            "artist",
            "era",
            "mood and tone",
            "instruments and voice",
            "theme",
            "critical acclaim",
        ];
    }
    &[
        "category",
        "maker or author",
        "theme or purpose",
        "style",
        "quality and price",
        "audience",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input {
        Input::new("7:Heat:9", "tail")
            .with_field(field::KIND, "movie")
            .with_field(field::USER, "age: 31; gender: F")
            .with_field(field::HISTORY, "Alien (1979)\nFargo (1996)")
            .with_field(field::HISTORY_RATINGS, "5\n2")
            .with_field(field::ITEM, "Heat (1995)")
            .with_field(field::ITEM_TEXT, "title: Heat; genres: Crime")
    }

    fn asked(spec: KarSpec, input: &Input) -> Vec<KnowledgeQuestion> {
        KarAugmentation::new(spec).unwrap().questions(input)
    }

    #[test]
    fn questions_hold_history_or_item() {
        let both = asked(KarSpec::new(), &input());
        let [preference, facts] = both.as_slice() else {
            panic!("{both:?}")
        };
        for piece in [
            "- Alien (1979), rated 5\n- Fargo (1996), rated 2",
            "soundtrack",
        ] {
            assert!(preference.text.contains(piece), "{}", preference.text);
        }
        // Neither tells of the other, nor of who the user is.
        for piece in ["Heat", "age: 31"] {
            assert!(!preference.text.contains(piece), "{}", preference.text);
        }
        assert!(
            facts
                .text
                .ends_with("Title: Heat (1995)\nFrom the catalogue: title: Heat; genres: Crime")
        );
        assert!(!facts.text.contains("Alien"));
        assert_eq!(facts.subject, "Heat (1995)");
        let told = KarSpec {
            user: true,
            factors: vec!["pace".into()],
            fields: vec![PREFERENCE.into()],
            ..KarSpec::new()
        };
        let only = asked(told, &input());
        assert_eq!(only.len(), 1);
        assert!(only[0].text.contains("User: age: 31; gender: F\nHistory:"));
        assert!(only[0].text.contains("by these factors: pace."));
    }

    #[test]
    fn candidates_are_asked_one_by_one() {
        let list = Input::new("1", "g")
            .with_field(field::CANDIDATES, "Heat\nAlien")
            .with_field(field::CANDIDATES_TEXT, "title: Heat\ntitle: Alien");
        let both = asked(KarSpec::new(), &list);
        let subjects: Vec<&str> = both.iter().map(|asked| &*asked.subject).collect();
        // Without a history nothing can be said of the user.
        assert_eq!(subjects, ["Heat", "Alien"]);
        assert!(both[1].text.ends_with("From the catalogue: title: Alien"));
        // The same item asks the same, whatever list it is in.
        let other = list.clone().with_field(field::CANDIDATES, "Alien");
        let other = other.with_field(field::CANDIDATES_TEXT, "title: Alien");
        assert_eq!(asked(KarSpec::new(), &other), both[1..]);
    }

    #[test]
    fn fields_and_factors_are_checked() {
        let of = |fields: &[&str], factors: &[&str]| {
            KarAugmentation::new(KarSpec {
                fields: fields.iter().map(|f| (*f).to_owned()).collect(),
                factors: factors.iter().map(|f| (*f).to_owned()).collect(),
                ..KarSpec::new()
            })
        };
        let told = of(&["item_knowlege"], &[]).unwrap_err().to_string();
        assert!(told.contains("did you mean \"item_knowledge\"?"), "{told}");
        assert!(of(&[], &[]).is_err());
        assert!(of(&[ITEM], &["genre", " "]).is_err());
        assert_eq!(
            of(&[ITEM, PREFERENCE], &[]).unwrap().fields()[0].name,
            PREFERENCE
        );
    }
}
