//! Prompts in files of every kind, and chats.

use super::*;

#[test]
fn prompts_of_every_file_kind() {
    let config = Config::new(&format!(
        "prompts: [file://a.txt, b.j2, file://c.csv, d.jsonl, e.md, f.py, {{ id: file://g.txt, \
         label: mine, function: make }}]\n{}",
        tests(&[("a", 40)])
    ));
    let prompt = |text: &str| format!("{text}\n\nReview: {{{{text}}}}\n");
    config.file("a.txt", &prompt("From txt."));
    config.file("b.j2", &prompt("From j2."));
    config.file(
        "c.csv",
        "prompt,label\n\"From csv, one.\n\nReview: {{text}}\",x\n\"From csv, two.\n\nReview: {{text}}\",y\n",
    );
    config.file(
        "d.jsonl",
        "[{\"role\": \"user\", \"content\": \"From jsonl.\\n\\nReview: {{text}}\"}]\n",
    );
    config.file("e.md", &prompt("# From md.\n---\nStill md."));
    config.file("g.txt", &prompt("From g."));
    let (study, _, notes) = config.study(ImportOptions::default());
    assert_eq!(study.task["prompt"].as_str(), Some("From txt."));
    assert_eq!(
        study.prompts,
        [
            "From j2.",
            "From csv, one.",
            "From csv, two.",
            "From jsonl.",
            "# From md.\n---\nStill md.",
            "From g."
        ]
    );
    let notes = notes.join("\n");
    assert!(
        notes.contains("f.py was left out: only files ending in .txt"),
        "{notes}"
    );
    assert!(
        notes.contains("`function` of a prompt has no counterpart"),
        "{notes}"
    );
}

/// The `[task]` that prompts make.
fn task_of(prompts: &str, file: &str, content: &str) -> Result<(String, Vec<String>), String> {
    let config = Config::new(&format!("prompts: {prompts}\n{}", tests(&[("a", 40)])));
    config.file(file, content);
    let imported = config
        .import(ImportOptions::default())
        .map_err(|failure| failure.message)?;
    let start = imported.study.find("[task]").unwrap();
    let end = imported.study.find("\n\n[data]").unwrap();
    Ok((imported.study[start..end].to_owned(), imported.notes))
}

#[test]
fn chats_become_system_and_user() {
    let labels = "labels = [\"positive\", \"negative\"]";
    // The instruction is the system message: it is what is searched.
    let json = r#"[{"role": "system", "content": "Is it positive or negative?"},
        {"role": "user", "content": [{"type": "text", "text": "Review: {{text}}"}]}]"#;
    let searched = format!(
        "[task]\nkind = \"classify\"\nprompt = \"Is it positive or negative?\"\n\
         prompt_role = \"system\"\ninput = \"Review: {{text}}\"\n{labels}"
    );
    assert_eq!(
        task_of("[file://p.json]", "p.json", json).unwrap().0,
        searched
    );
    let yaml = "- role: system\n  content: Is it positive or negative?\n- role: user\n  content: 'Review: {{text}}'\n";
    assert_eq!(task_of("[p.yaml]", "p.yaml", yaml).unwrap().0, searched);
    // The instruction is in the user message: the system message stays.
    let fixed = r#"[{"role": "developer", "content": "You are \"terse\"."},
        {"role": "user", "content": "Is it positive or negative?\n\nReview: {{text}}"}]"#;
    let (task, _) = task_of("[p.json]", "p.json", fixed).unwrap();
    assert_eq!(
        task,
        format!(
            "[task]\nkind = \"classify\"\nsystem = 'You are \"terse\".'\n\
             prompt = \"Is it positive or negative?\"\ninput = \"Review: {{text}}\"\n{labels}"
        )
    );
    // Without a system message nothing but the text is said.
    let user = r#"[{"role": "user", "content": "Which?\n\nReview: {{text}}"}]"#;
    let (task, _) = task_of("[p.json]", "p.json", user).unwrap();
    assert!(
        !task.contains("system") && !task.contains("prompt_role"),
        "{task}"
    );
    for (chat, why) in [
        (
            r#"[{"role": "user", "content": "a {{text}}"}, {"role": "assistant", "content": "b"}]"#,
            "a chat of several turns (a further message of the role \"assistant\")",
        ),
        (
            r#"[{"role": "system", "content": "For {{tone}}."}, {"role": "user", "content": "a {{text}}"}]"#,
            "a system message with a variable, {{tone}}",
        ),
        (
            r#"[{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]"#,
            "a message that is no text (user)",
        ),
        (
            r#"[{% for m in messages %}{"role": "user", "content": "{{text}}"}{% endfor %}]"#,
            "a chat that is built by a template",
        ),
    ] {
        let error = task_of("[p.json]", "p.json", chat).unwrap_err();
        assert!(error.contains("no prompt could be carried over"), "{error}");
        assert!(
            error.contains(&format!(
                "p.json:1: this prompt was left out: a study cannot say {why}"
            )),
            "{error}"
        );
    }
}
