use std::time::Instant;

use shiftproof_tasks::Message;

use super::*;

/// A client of this shell script.
fn start(script: &str, dialect: CommandDialect, change: impl Fn(&mut CommandConfig)) -> CommandLlm {
    let mut config = CommandConfig {
        command: vec!["sh".into(), "-c".into(), script.into()],
        folder: std::env::temp_dir(),
        identity: "command:test".into(),
        dialect,
        processes: 1,
        batch: 1,
        timeout: Duration::from_secs(20),
        max_tokens: None,
    };
    change(&mut config);
    CommandLlm::start(config).unwrap()
}

fn line(value: &Value) -> ModelCall {
    let request = shiftproof_tasks::Request {
        messages: vec![Message::user(value.to_string())],
        answer: AnswerForm::Text { max_tokens: 1 },
    };
    ModelCall::greedy(request, 1)
}

fn lines(count: usize) -> Vec<ModelCall> {
    (0..count).map(|n| line(&json!({"n": n}))).collect()
}

fn scores(answers: &[Result<Reply, LlmError>]) -> Vec<Option<u64>> {
    let of = |answer: &Result<Reply, LlmError>| {
        let text = &answer.as_ref().ok()?.text;
        serde_json::from_str::<Value>(text).ok()?["n"].as_u64()
    };
    answers.iter().map(of).collect()
}

#[tokio::test]
async fn batches_are_answered_in_their_order() {
    let llm = start("cat", CommandDialect::Lines, |_| {});
    let answers = llm.call_batch(&lines(40)).await;
    assert_eq!(scores(&answers), (0..40).map(Some).collect::<Vec<_>>());
    // What numbers the line is none of the answer: equal answers are equal bytes.
    assert_eq!(answers[3].as_ref().unwrap().text, r#"{"n":3}"#);
    assert!(!llm.is_metered());
}

/// An answer that repeats the line's number may come out of turn.
#[tokio::test]
async fn answers_find_their_line() {
    let script = r#"read a; read b; echo "$b"; echo "$a"; cat >/dev/null"#;
    let llm = start(script, CommandDialect::Lines, |_| {});
    assert_eq!(scores(&llm.call_batch(&lines(2)).await), [Some(0), Some(1)]);
}

#[tokio::test]
async fn crash_is_the_line_it_happens_at() {
    let script = r#"while read -r l; do case "$l" in *'"n":5,'*|*'"n":5}'*)
        echo "line five is odd" >&2; exit 3;; esac; echo "$l"; done"#;
    let llm = start(script, CommandDialect::Lines, |_| {});
    let answers = llm.call_batch(&lines(9)).await;
    let mut expect: Vec<_> = (0..9).map(Some).collect();
    expect[5] = None;
    assert_eq!(scores(&answers), expect);
    let LlmError::Request(told) = answers[5].as_ref().unwrap_err() else {
        panic!("{:?}", answers[5]);
    };
    let first = "ended with exit code 3 before it answered a line: line five is odd";
    assert!(told.contains(first), "{told}");
}

#[tokio::test]
async fn broken_programs_stop_at_once() {
    for (script, why) in [
        ("echo 'no module named x' >&2; exit 1", "no module named x"),
        ("cat >/dev/null & echo loading; wait", "\"loading\""),
        ("read l; echo '[1]'", "no JSON object"),
        ("read l; echo '{\"line\": 999}'", "not open"),
    ] {
        let llm = start(script, CommandDialect::Lines, |_| {});
        let answers = llm.call_batch(&lines(3)).await;
        for answer in &answers {
            let Err(LlmError::Rejected(told)) = answer else {
                panic!("{script}: {answer:?}");
            };
            assert!(told.contains(why), "{script}: {told}");
            assert!(told.contains("has not answered one line yet"), "{told}");
        }
    }
}

/// One that answered once and then fails at everything is no row of odd examples.
#[tokio::test]
async fn failures_in_a_row_stop_the_run() {
    let marker = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "read l; [ -s {0} ] && exit 9; echo x > {0}; echo \"$l\"; exit 9",
        marker.path().display()
    );
    let llm = start(&script, CommandDialect::Lines, |_| {});
    let answers = llm.call_batch(&lines(6)).await;
    assert_eq!(scores(&answers)[0], Some(0));
    let requests = answers
        .iter()
        .filter(|answer| matches!(answer, Err(LlmError::Request(_))))
        .count();
    assert_eq!(requests, (IN_A_ROW - 1) as usize, "{answers:?}");
    assert!(matches!(answers[5], Err(LlmError::Rejected(_))));
}

/// One that ends after every answer is started anew for every line, and fails at none.
#[tokio::test]
async fn programs_may_end_after_each_answer() {
    let script = r#"read l && echo "$l""#;
    let llm = start(script, CommandDialect::Lines, |_| {});
    let answers = llm.call_batch(&lines(7)).await;
    assert_eq!(scores(&answers), (0..7).map(Some).collect::<Vec<_>>());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(scores(&llm.call_batch(&lines(1)).await), [Some(0)]);
}

#[tokio::test]
async fn silence_ends() {
    let script = r#"read l; echo "$l"; read l; sleep 60"#;
    let llm = start(script, CommandDialect::Lines, |config| {
        config.timeout = Duration::from_millis(1500);
    });
    let began = Instant::now();
    let answers = llm.call_batch(&lines(1)).await;
    assert_eq!(scores(&answers), [Some(0)]);
    // The second line is met with silence, the same line alone with an answer.
    let answers = llm.call_batch(&lines(1)).await;
    assert_eq!(scores(&answers), [Some(0)]);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn programs_tell_their_own_failures() {
    let script = r#"while read -r l; do case "$l" in
        *'"n":0,'*|*'"n":0}'*) echo '{"error": "no such city"}';;
        *) echo '{"unavailable": "the index is being built"}';; esac; done"#;
    let llm = start(script, CommandDialect::Lines, |_| {});
    let answers = llm.call_batch(&lines(2)).await;
    assert_eq!(answers[0], Err(LlmError::Request("no such city".into())));
    let waits = LlmError::Unavailable("the index is being built".into());
    assert_eq!(answers[1], Err(waits));
}

#[tokio::test]
async fn models_answer_messages() {
    let script = r#"while read -r l; do case "$l" in
        *vast*) echo '{"text": "yes", "usage": {"prompt_tokens": 18446744073709551615, "completion_tokens": 2}}';;
        *usage*) echo '{"text": "yes", "usage": {"prompt_tokens": 7, "completion_tokens": 2}}';;
        *cut*) echo '{"text": "ye", "finish": "length"}';;
        *odd*) echo '{"answer": "yes"}';;
        *'"messages":[{"content":"plain","role":"user"}]'*) echo '{"text": "no"}';;
        *) echo '{"error": "unknown line"}';; esac; done"#;
    let llm = start(script, CommandDialect::Messages, |config| {
        config.processes = 2;
    });
    let ask = async |text: &str| {
        let request = shiftproof_tasks::Request {
            messages: vec![Message::user(text)],
            answer: AnswerForm::choice(["yes", "no"]),
        };
        llm.call(&ModelCall::greedy(request, 16)).await
    };
    let told = ask("usage").await.unwrap();
    assert_eq!((told.text.as_str(), told.usage.tokens()), ("yes", 9));
    assert!(!told.usage.estimated);
    // What no model reads at once is no count, as from a server.
    let vast = ask("vast").await.unwrap();
    assert!(vast.usage.estimated && vast.usage.tokens() < 10_000);
    let plain = ask("plain").await.unwrap();
    assert!(plain.usage.estimated && plain.usage.tokens() > 0);
    assert_eq!(ask("cut").await.unwrap().finish, Finish::Length);
    let odd = ask("odd").await.unwrap_err();
    assert!(odd.to_string().contains("neither \"text\" nor"), "{odd}");
    assert!(llm.is_metered());
    let request = shiftproof_tasks::Request {
        messages: vec![Message::user("x")],
        answer: AnswerForm::Nearest { candidates: vec![] },
    };
    let none = llm.call(&ModelCall::greedy(request, 1)).await;
    assert!(matches!(none, Err(LlmError::Rejected(_))));
}

/// As many processes as asked for, and none that outlives the client.
#[tokio::test]
async fn processes_run_side_by_side_and_end() {
    let script = r#"echo $$ >&2; while read -r l; do sleep 0.4; echo "{\"n\": $$}"; done"#;
    let llm = start(script, CommandDialect::Lines, |config| config.processes = 4);
    let calls = lines(4);
    let began = Instant::now();
    let answers: [Result<Reply, LlmError>; 4] = tokio::join!(
        llm.call(&calls[0]),
        llm.call(&calls[1]),
        llm.call(&calls[2]),
        llm.call(&calls[3])
    )
    .into();
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    let mut pids: Vec<u64> = scores(&answers).into_iter().flatten().collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 4);
    drop(llm);
    for pid in pids {
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} is left"
        );
    }
}

#[test]
fn missing_programs_are_told_at_the_start() {
    let config = CommandConfig {
        command: vec!["no-such-program-here".into()],
        folder: std::env::temp_dir(),
        identity: String::new(),
        dialect: CommandDialect::Lines,
        processes: 1,
        batch: 1,
        timeout: Duration::from_secs(1),
        max_tokens: None,
    };
    let told = CommandLlm::start(config).err().unwrap();
    assert!(
        told.contains("`no-such-program-here` cannot be started"),
        "{told}"
    );
}
