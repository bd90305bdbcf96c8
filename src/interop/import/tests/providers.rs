//! Providers and their settings.

use super::*;

/// The `model` line and the notes that providers make.
fn model_of(providers: &str) -> (String, Vec<String>) {
    let config = Config::new(&format!(
        "{PROMPT}{}providers:\n{providers}",
        tests(&[("a", 24), ("b", 24)])
    ));
    let imported = config.import(ImportOptions::default()).unwrap();
    let line = imported
        .study
        .lines()
        .find(|line| line.starts_with("model"));
    let folder = format!("{}/", config.0.path().display());
    let notes = imported.notes.iter().map(|note| note.replace(&folder, ""));
    (line.unwrap().to_owned(), notes.collect())
}

#[test]
fn providers_keep_their_whole_name() {
    for (id, name) in [
        (
            "openai:chat:ft:small:acme::Ab12",
            "openai:ft:small:acme::Ab12",
        ),
        ("openai:ft:small:acme::Ab12", "openai:ft:small:acme::Ab12"),
        ("openai:chat:tiny:7b", "openai:tiny:7b"),
        ("openai:some-model", "openai:some-model"),
        ("anthropic:messages:large", "anthropic:large"),
        ("google:flash", "gemini:flash"),
        ("azure:chat:my-deployment", "azure:my-deployment"),
        ("ollama:chat:small:1b", "ollama:small:1b"),
        ("ollama:small:1b", "ollama:small:1b"),
    ] {
        let (model, notes) = model_of(&format!("  - '{id}'\n"));
        assert_eq!(model, format!("model = {{ name = \"{name}\" }}"), "{id}");
        assert_eq!(notes, Vec::<String>::new(), "{id}");
    }
    for id in [
        "openai:embedding:e",
        "google:live:x",
        "bedrock:m",
        "file://p.py",
        "ollama:embeddings:e",
    ] {
        let (model, notes) = model_of(&format!("  - '{id}'\n"));
        assert_eq!(model, "model = \"embedded\"");
        assert!(
            notes[0].contains(&format!("the provider {id} was left out")),
            "{notes:?}"
        );
    }
    let (model, notes) = model_of("  - openai:responses:m\n  - openai:chat:other\n");
    assert_eq!(model, "model = { name = \"openai:m\" }");
    assert!(notes[0].contains("through chat completions"), "{notes:?}");
    assert!(notes[1].contains("openai:chat:other was left out: a study has one task model"));
    let (model, _) = model_of("  - openai:chat:m: { config: { temperature: 0 } }\n");
    assert_eq!(model, "model = { name = \"openai:m\", temperature = 0.0 }");
}

#[test]
fn provider_settings_become_keys() {
    let (model, notes) = model_of(
        r#"  - id: openai:chat:m
    label: mine
    prompts: [p1]
    config:
      apiBaseUrl: http://127.0.0.1:1/v1
      temperature: 0.9
      max_tokens: 400
      top_p: 1
      stop: [END, "two\nlines"]
      seed: 7
      reasoning: { effort: low }
      headers: { X-Team: search }
      passthrough: { service_tier: flex, nested: { a: [1, true] } }
      apiKey: secret-in-a-config
      response_format: { type: json_object }
      organization: '{{ env.ORG }}'
      max_retries: many
"#,
    );
    assert_eq!(
        model,
        "model = { name = \"openai:m\", base_url = \"http://127.0.0.1:1/v1\", temperature = 0.9, \
         max_tokens = 400, top_p = 1.0, stop = [\"END\", \"two\\nlines\"], seed = 7, \
         reasoning_effort = \"low\", headers = { X-Team = \"search\" }, \
         body = { nested = { a = [1, true] }, service_tier = \"flex\" } }"
    );
    assert!(model.parse::<toml::Table>().is_ok(), "{model}");
    insta::assert_snapshot!("settings", notes.join("\n"));
    let (model, notes) = model_of(
        "  - { id: 'azure:chat:d', config: { apiHost: me.example.org, apiVersion: '2024-10-21', headers: { api-key: x }, temperature: hot } }\n",
    );
    assert_eq!(
        model,
        "model = { name = \"azure:d\", base_url = \"https://me.example.org\", \
         api_version = \"2024-10-21\" }"
    );
    assert!(notes[0].contains("`headers` of the provider was left out: api-key may hold a secret"));
    assert!(notes[1].contains("`temperature` of the provider was left out: it is no number"));
}
