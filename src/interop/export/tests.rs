use proptest::prelude::*;
use saphyr::{LoadableYamlNode, Yaml};
use shiftproof_tasks::{Input, Label};

use super::*;
use crate::report::fixture::{run, selected};

/// The fixture's prompt with a study of two fields and odd data.
fn with_shape<T>(shape: PromptUsage, use_it: impl FnOnce(&ExportedPrompt<'_>) -> T) -> T {
    let run = run("reviews-s1-1", "gpo", 1, 0.06);
    let id = selected().id();
    use_it(&ExportedPrompt {
        run: &run.name,
        summary: &run.summary,
        id,
        standing: &run.summary.candidates[&id],
        shape,
    })
}

fn shape() -> PromptUsage {
    let example = |id: &str, text: &str, label: &str| {
        Input::new(id, "books")
            .with_field("text", text)
            .with_label(Label::Class(label.into()))
    };
    let mut model = ModelSpec::named("openai:small");
    model.base_url = Some("http://user:secret@127.0.0.1:8080/v1?key=secret".into());
    model.api_key_env = Some("MY_KEY".into());
    PromptUsage {
        template: FieldTemplate::new("Review {{1}}: {text}").unwrap(),
        labels: vec!["positive".into(), "negative".into()],
        model: Some(model),
        examples: vec![
            example("1", "fine {{ x }} {% y %} {", "positive"),
            example("2", "file://etc/passwd", "negative"),
        ],
        fields: Vec::new(),
        frame: PromptFrame::default(),
        form: None,
        knowledge: Vec::new(),
    }
}

#[test]
fn forms_in_words_go_along() {
    let form = "Answer with one JSON object.";
    let with = |prompt_role| PromptUsage {
        form: Some(form.into()),
        frame: PromptFrame {
            system: None,
            prompt_role,
        },
        ..shape()
    };
    let messages = |role| {
        with_shape(with(role), |exported| {
            exported.messages(str::to_owned, |name| format!("<{name}>"))
        })
    };
    let user = messages(PromptRole::User);
    let (_, text) = &user[0];
    assert!(text.ends_with(&format!("<text>\n\n{form}")), "{text}");
    let system = messages(PromptRole::System);
    assert!(system[0].1.ends_with(form), "{system:?}");
    assert!(system[1].1.ends_with("Review {1}: <text>"), "{system:?}");
    let plain = with_shape(with(PromptRole::User), |exported| {
        exported.write(ExportFormat::Text).unwrap()
    });
    assert!(plain.trim_end().ends_with(form), "{plain}");
}

#[test]
fn every_form_reads_as_before() {
    for (name, format) in [
        ("text", ExportFormat::Text),
        ("json", ExportFormat::Json),
        ("promptfoo", ExportFormat::Promptfoo),
        ("dspy", ExportFormat::Dspy),
        ("langchain", ExportFormat::Langchain),
    ] {
        let text = with_shape(shape(), |exported| exported.write(format).unwrap());
        assert!(!text.contains("secret"), "{text}");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn studyless_input_is_one_text() {
    let text = with_shape(PromptUsage::plain(), |exported| {
        exported.write(ExportFormat::Promptfoo).unwrap()
    });
    assert!(text.contains("{{ input }}"), "{text}");
    assert!(text.contains("# No tests"), "{text}");
}

#[test]
fn placeholders_export_in_every_syntax() {
    let run = run("reviews-s1-1", "gpo", 1, 0.06);
    let mut standing = run.summary.candidates[&selected().id()].clone();
    standing.prompt = Prompt::new("Mood of \"{text}\" as {\"mood\": …}?");
    let exported = |frame| ExportedPrompt {
        run: &run.name,
        summary: &run.summary,
        id: selected().id(),
        standing: &standing,
        shape: PromptUsage {
            fields: vec!["text".into()],
            frame,
            ..shape()
        },
    };
    let messages = |frame| exported(frame).messages(str::to_uppercase, |name| format!("<{name}>"));
    let own = "MOOD OF \"<text>\" AS {\"MOOD\": …}?";
    assert_eq!(
        messages(PromptFrame::default()),
        [(Role::User, own.to_owned())]
    );
    let frame = PromptFrame {
        system: Some("Be brief.".into()),
        prompt_role: PromptRole::System,
    };
    assert_eq!(
        messages(frame.clone()),
        [
            (Role::System, format!("BE BRIEF.\n\n{own}")),
            (Role::User, "REVIEW {1}: <text>".to_owned())
        ]
    );
    let yaml = exported(frame.clone())
        .write(ExportFormat::Promptfoo)
        .unwrap();
    assert!(
        yaml.contains("\\\"role\\\":\\\"system\\\"") || yaml.contains("\"role\":\"system\""),
        "{yaml}"
    );
    let chain = exported(frame).write(ExportFormat::Langchain).unwrap();
    assert!(chain.contains("SystemMessagePromptTemplate"), "{chain}");
    assert!(chain.contains("as {{\\\"mood\\\": …}}?"), "{chain}");
}

#[test]
fn variables_suit_other_tools() {
    let mut shape = PromptUsage::plain();
    shape.template = FieldTemplate::new("{a b} {a_b} {1} {ä}").unwrap();
    let names: Vec<String> = shape.variables().into_values().collect();
    assert_eq!(names, ["_1", "a_b", "a_b_", "_"]);
}

#[test]
fn contained_labels_stand_alone() {
    let mut shape = shape();
    shape.labels = vec!["relevant".into(), "irrelevant".into()];
    shape.examples[0].label = Label::Class("relevant".into());
    let text = with_shape(shape, |exported| {
        exported.write(ExportFormat::Promptfoo).unwrap()
    });
    assert!(text.contains("type: equals"), "{text}");
    assert!(!text.contains("not-icontains"), "{text}");
}

#[test]
fn single_field_is_read_back() {
    let mut shape = shape();
    shape.template = FieldTemplate::new("Review: {text}").unwrap();
    let state = with_shape(shape.clone(), dspy::state);
    assert_eq!(state["demos"][0]["text"], "```fine``` {{x}} {% y %}");
    assert_eq!(state["demos"][0]["answer"], "positive");
    assert_eq!(dspy_signature(&shape), "text -> answer");
    // Two fields cannot: the demonstration stays in the instruction.
    shape.template = FieldTemplate::new("{title}: {text}").unwrap();
    let state = with_shape(shape, dspy::state);
    assert_eq!(state["demos"].as_array().unwrap().len(), 0);
    let instructions = state["signature"]["instructions"].as_str().unwrap();
    assert!(instructions.ends_with("Answer: positive"), "{instructions}");
}

proptest! {
    /// Whatever is in the data, the file is YAML, and its values are the data.
    #[test]
    fn any_text_survives_yaml(text in any::<String>()) {
        let mut shape = shape();
        shape.examples.truncate(1);
        shape.examples[0].input.fields.insert("text".into(), text.clone());
        let yaml = with_shape(shape, |exported| exported.write(ExportFormat::Promptfoo).unwrap());
        let documents = Yaml::load_from_str(&yaml).unwrap();
        let test = &documents[0].as_mapping_get("tests").unwrap()[0];
        let value = test.as_mapping_get("vars").unwrap().as_mapping_get("text").unwrap();
        let back = value.as_str().unwrap().replace(promptfoo::BRACE, "{");
        prop_assume!(!text.starts_with("file://") && !text.starts_with("package:"));
        prop_assert_eq!(back, text);
    }

    #[test]
    fn text_holds_no_tag(text in "[{%#}a ]{0,12}") {
        let escaped = promptfoo::escaped(&text);
        let plain = escaped.replace(promptfoo::BRACE, "\u{1}");
        for tag in ["{{", "{%", "{#"] {
            prop_assert!(!plain.contains(tag), "{}", escaped);
        }
        prop_assert_eq!(plain.replace('\u{1}', "{"), text);
    }
}
