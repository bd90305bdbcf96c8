use serde::{Deserialize, Serialize};

/// What is asked of a model: messages and the form the answer must take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The conversation. A last message by the assistant is a *prefill* that
    /// the model continues.
    pub messages: Vec<Message>,
    /// The form asked for. A model that reports log-probabilities scores the
    /// labels of a choice and the candidates of a likelihood ranking directly;
    /// any other answers in text and the task parses it.
    pub answer: AnswerForm,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; plain text, in which a chat template's control tokens mean
    /// nothing.
    pub content: String,
}

impl Message {
    /// A message by the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }

    /// A message by the system.
    pub fn system(content: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            content: content.into(),
        }
    }

    /// A message by the assistant.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

/// Who speaks in a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Standing instructions.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// The form an answer must take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// Exactly one of these labels.
    Choice {
        /// The closed set, in the order of the study.
        labels: Vec<String>,
    },
    /// One of the options that stand in the request, each under its letter. Their texts and
    /// their number differ from input to input, so that a letter is no class.
    MultipleChoice {
        /// The letters, `A` first.
        labels: Vec<String>,
        /// What stands under each.
        options: Vec<String>,
    },
    /// A number within `min..=max`.
    Number {
        /// The least number accepted.
        min: f64,
        /// The greatest number accepted.
        max: f64,
    },
    /// These candidates, best first.
    Ranking {
        /// The items to be ordered.
        candidates: Vec<String>,
    },
    /// These candidates, ranked by how likely the model finds each as its next
    /// words; a model that cannot tell lists them in text. Small models rank far
    /// better this way than by writing a list.
    Likelihood {
        /// The items to be ordered.
        candidates: Vec<String>,
        /// A conversation that says nothing about the case at hand. Where it is
        /// not empty the candidates are scored after it too, so that a title
        /// gains nothing by being short or common.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        prior: Vec<Message>,
    },
    /// These candidates, by how near each lies to the last message's text in the
    /// model's embedding space. No instruction is read: the text alone is
    /// embedded.
    Nearest {
        /// The items to be compared with.
        candidates: Vec<String>,
    },
    /// One JSON object that fits this schema.
    Json {
        /// A JSON Schema of an object with flat properties, as
        /// [`AnswerSchema::json_schema`](crate::AnswerSchema::json_schema) writes it. A
        /// server that enforces schemas is given it; to any other the messages say it.
        schema: serde_json::Value,
        /// Upper bound on generated tokens.
        max_tokens: u32,
    },
    /// Free text of at most this many tokens.
    Text {
        /// Upper bound on generated tokens.
        max_tokens: u32,
    },
}

impl AnswerForm {
    /// A choice among these labels.
    pub fn choice<L: Into<String>>(labels: impl IntoIterator<Item = L>) -> Self {
        Self::Choice {
            labels: labels.into_iter().map(Into::into).collect(),
        }
    }

    /// A ranking of these candidates by their likelihood.
    pub fn likelihood<C: Into<String>>(candidates: impl IntoIterator<Item = C>) -> Self {
        Self::Likelihood {
            candidates: candidates.into_iter().map(Into::into).collect(),
            prior: Vec::new(),
        }
    }

    /// The items to be ordered, if the form is a ranking.
    pub fn candidates(&self) -> Option<&[String]> {
        match self {
            Self::Ranking { candidates }
            | Self::Likelihood { candidates, .. }
            | Self::Nearest { candidates } => Some(candidates),
            _ => None,
        }
    }

    /// The names of the fields asked for, sorted, if the form is an object of them.
    pub fn fields(&self) -> Option<Vec<&str>> {
        let Self::Json { schema, .. } = self else {
            return None;
        };
        let properties = schema.get("properties")?.as_object()?;
        Some(properties.keys().map(String::as_str).collect())
    }

    /// What the fields asked for are, in words and on one line, if the form is an object of
    /// them: names, types, values and meanings
    /// ([`AnswerSchema::fields_in_words`](crate::AnswerSchema::fields_in_words)). Of a
    /// schema that is no flat one, the schema itself.
    pub fn fields_in_words(&self) -> Option<String> {
        let Self::Json { schema, .. } = self else {
            return None;
        };
        Some(match crate::AnswerSchema::from_json_schema(schema) {
            Ok(own) => own.fields_in_words().join("; "),
            Err(_) => format!("this JSON Schema: {schema}"),
        })
    }

    /// The closed label set of this request, if the form has one: the letters of options.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Choice { labels } | Self::MultipleChoice { labels, .. } => Some(labels),
            _ => None,
        }
    }
}
