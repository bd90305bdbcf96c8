//! Every fault of every protocol, generated: statuses × bodies × headers × where an
//! answer breaks off. What comes of each is told by an oracle of its own: no fault
//! becomes an answer, the reason is told, a fault that may pass is asked again and
//! no other is, and the key is nowhere.
//!
//! CI tries a part of it; `SHIFTPROOF_FAULTS=all` tries all.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use shiftproof::llm::http::ApiDialect;
use tokio::task::JoinSet;

use super::*;

const RETRIES: usize = 2;

const PROTOCOLS: [ApiDialect; 5] = [
    ApiDialect::OpenAi,
    ApiDialect::Azure,
    ApiDialect::Anthropic,
    ApiDialect::Gemini,
    ApiDialect::Ollama,
];

/// What may come of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Asked again, then the service is unavailable.
    Passing,
    /// The service refuses us; not asked again.
    Refused,
    /// This request alone fails.
    Alone,
    /// Any of them, but no answer.
    Fault,
}

#[derive(Debug, Clone)]
struct Fault {
    name: String,
    act: Act,
    class: Class,
}

/// An answer of the protocol that is whole.
fn whole(api: ApiDialect) -> Value {
    match api {
        ApiDialect::OpenAi | ApiDialect::Azure => json!({
            "choices": [{"message": {"role": "assistant", "content": "positive"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1}}),
        ApiDialect::Anthropic => json!({
            "type": "message", "content": [{"type": "text", "text": "positive"}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 1}}),
        ApiDialect::Gemini => json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": "positive"}]},
                            "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}}),
        ApiDialect::Ollama => json!({
            "message": {"role": "assistant", "content": "positive"}, "done": true,
            "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 1}),
    }
}

/// Where the words stand in it, and what says why they ended.
fn places(api: ApiDialect) -> (&'static str, &'static str, &'static str) {
    match api {
        ApiDialect::OpenAi | ApiDialect::Azure => (
            "/choices",
            "/choices/0/message/content",
            "/choices/0/finish_reason",
        ),
        ApiDialect::Anthropic => ("/content", "/content/0/text", "/stop_reason"),
        ApiDialect::Gemini => (
            "/candidates",
            "/candidates/0/content/parts/0/text",
            "/candidates/0/finishReason",
        ),
        ApiDialect::Ollama => ("/message", "/message/content", "/done_reason"),
    }
}

/// The bodies that errors come with; all but two repeat the key.
fn bodies(api: ApiDialect, status: u16) -> Vec<(&'static str, Vec<u8>)> {
    let said = format!("it went wrong, {CANARY} was sent");
    let own = match api {
        ApiDialect::Gemini => json!({"error": {"code": status, "message": said, "status": "X"}}),
        ApiDialect::Ollama => json!({"error": said}),
        _ => json!({"error": {"message": said, "type": "x", "code": "x"}}),
    };
    let cut = format!("{}{CANARY}", "x".repeat(290));
    vec![
        ("own form", own.to_string().into_bytes()),
        ("nothing", Vec::new()),
        ("html", b"<html><body>Bad gateway</body></html>".to_vec()),
        ("plain text", said.clone().into_bytes()),
        (
            "list",
            json!([{"error": {"message": said}}])
                .to_string()
                .into_bytes(),
        ),
        (
            "cut key",
            json!({"error": {"message": cut}}).to_string().into_bytes(),
        ),
        (
            "no utf-8",
            [b"\xff\xfe".as_slice(), said.as_bytes()].concat(),
        ),
        ("half json", own.to_string().into_bytes()[..12].to_vec()),
        (
            "nested",
            json!({"detail": [{"msg": said, "loc": ["body"]}]})
                .to_string()
                .into_bytes(),
        ),
        ("an answer", whole(api).to_string().into_bytes()),
    ]
}

/// What a status alone says, by the documentation of HTTP and of the providers.
fn of_status(status: u16) -> Class {
    match status {
        408 | 409 | 425 | 429 | 500 | 502..=599 => Class::Passing,
        400 | 413 | 422 => Class::Alone,
        _ => Class::Refused,
    }
}

fn statuses(api: ApiDialect) -> Vec<Fault> {
    let mut faults = Vec::new();
    for status in [
        300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413,
        415, 418, 421, 422, 425, 426, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507, 520, 524,
        529, 530, 599,
    ] {
        for (body, bytes) in bodies(api, status) {
            let mut act = Act::raw(status, bytes);
            if (300..400).contains(&status) {
                act = act.header("location", &format!("https://elsewhere.example/{CANARY}"));
            }
            if status == 429 || status == 503 {
                act = act.header("retry-after-ms", "1");
            }
            faults.push(Fault {
                name: format!("{status} with {body}"),
                act,
                class: of_status(status),
            });
        }
    }
    for (header, value) in [
        ("retry-after", "-1"),
        ("retry-after", "NaN"),
        ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("retry-after-ms", "1e-9"),
        ("retry-after", "\u{1}"),
    ] {
        faults.push(Fault {
            name: format!("429 with {header}: {value:?}"),
            act: Act::raw(429, "slow down").header(header, value),
            class: Class::Passing,
        });
    }
    for (header, value) in [
        ("retry-after", "1e300"),
        ("retry-after", "86400"),
        ("retry-after-ms", "inf"),
    ] {
        // Longer than anybody waits: told at once.
        faults.push(Fault {
            name: format!("429 with {header}: {value:?}"),
            act: Act::raw(429, "slow down").header(header, value),
            class: Class::Fault,
        });
    }
    faults
}

/// Answers of status 200 that are none.
fn shapes(api: ApiDialect) -> Vec<Fault> {
    let (list, words, reason) = places(api);
    let whole = whole(api);
    let mut faults: Vec<Fault> = Vec::new();
    let mut push = |name: String, body: Vec<u8>| {
        faults.push(Fault {
            name,
            act: Act::raw(200, body),
            class: Class::Fault,
        });
    };
    for body in [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"positive\"",
        "[]",
        "{}",
        "positive",
        "<html></html>",
        "data: {\"x\": 1}\n\n",
        "{\"error\": \"broken\"}",
        "{\"error\": {\"code\": 500}}",
        "{\"error\": true}",
        "[[[[",
        "{\"a\":",
        "\u{feff}",
        "{\"detail\": \"Not found\"}",
    ] {
        push(format!("200 with {body:?}"), body.as_bytes().to_vec());
    }
    push(
        "200, 20,000 levels deep".into(),
        "[".repeat(20_000).into_bytes(),
    );
    push("200, zeros".into(), vec![0; 100]);
    for odd in [json!(7), json!({}), json!(true), json!([7]), json!([[]])] {
        let mut body = whole.clone();
        *body.pointer_mut(list).unwrap() = odd.clone();
        push(format!("{list} is {odd}"), body.to_string().into_bytes());
        if odd != json!([7]) && odd != json!([[]]) {
            let mut body = whole.clone();
            *body.pointer_mut(words).unwrap() = odd.clone();
            push(format!("{words} is {odd}"), body.to_string().into_bytes());
        }
    }
    // No words, and no reason for there being none.
    let mut bare = whole.clone();
    *bare.pointer_mut(words).unwrap() = Value::Null;
    *bare.pointer_mut(reason).unwrap() = Value::Null;
    if api != ApiDialect::Anthropic && api != ApiDialect::Gemini {
        push(
            "neither words nor a reason".into(),
            bare.to_string().into_bytes(),
        );
    }
    let text = whole.to_string();
    for end in (1..text.len()).step_by((text.len() / 40).max(1)) {
        push(
            format!("the first {end} bytes"),
            text.as_bytes()[..end].to_vec(),
        );
        faults_cut(&mut push, &text, end);
    }
    for end in [0, 1, 40, text.len() - 1] {
        faults.push(Fault {
            name: format!("closed after {end} bytes"),
            act: Act::raw(200, text.clone()).cut_at(end),
            class: Class::Fault,
        });
    }
    faults.push(Fault {
        name: "closed at once".into(),
        act: Act::hang_up(),
        class: Class::Passing,
    });
    faults
}

/// A byte in the middle is another.
fn faults_cut(push: &mut impl FnMut(String, Vec<u8>), text: &str, at: usize) {
    let mut bytes = text.as_bytes().to_vec();
    // Only where no JSON can come of it.
    if matches!(bytes[at], b'{' | b'[' | b':') {
        bytes[at] = b'}';
        push(format!("byte {at} is another"), bytes);
    }
}

/// A part of all, drawn anew in each process.
fn some(mut faults: Vec<Fault>, most: usize) -> Vec<Fault> {
    if std::env::var_os("SHIFTPROOF_FAULTS").is_some() || faults.len() <= most {
        return faults;
    }
    let order = proptest::collection::vec(any::<u32>(), faults.len());
    let order = order
        .new_tree(&mut TestRunner::default())
        .unwrap()
        .current();
    let mut numbered: Vec<(u32, Fault)> = order.into_iter().zip(faults.drain(..)).collect();
    numbered.sort_by_key(|(draw, _)| *draw);
    numbered
        .into_iter()
        .take(most)
        .map(|(_, fault)| fault)
        .collect()
}

fn client_of(api: ApiDialect, server: &MockServer) -> HttpConfig {
    HttpConfig {
        api,
        base_url: if api == ApiDialect::OpenAi {
            server.base_url()
        } else {
            server.origin()
        },
        timeout: Duration::from_secs(10),
        retry_wait: Duration::from_millis(1),
        max_wait: Duration::from_millis(20),
        max_retries: RETRIES as u32,
        ..config(server)
    }
}

/// Asks a server that has answered `before` calls well.
async fn check(api: ApiDialect, fault: Fault, before: usize) {
    let name = format!("{}, {} after {before}", api.name(), fault.name);
    let good = Act::json(200, &whole(api));
    let (act, class) = (fault.act, fault.class);
    let server = MockServer::start(move |seen| {
        if seen.nth < before {
            good.clone()
        } else {
            act.clone()
        }
    })
    .await;
    let llm = HttpLlm::connect(client_of(api, &server)).await.unwrap();
    for _ in 0..before {
        assert_eq!(
            soon(llm.call(&ask("hello"))).await.unwrap().text,
            "positive"
        );
    }
    let result = soon(llm.call(&ask("hello"))).await;
    let asked = server.calls() - before;
    without_canary(&format!("{result:?} {llm:?} {:?}", llm.stats()));
    let Err(error) = result else {
        panic!("{name}: an answer came of it: {result:?}");
    };
    let told = error.to_string();
    assert!(!told.contains("sk-c") && told.len() > 20, "{name}: {told}");
    assert!(
        (1..=RETRIES + 1).contains(&asked),
        "{name}: {asked} requests"
    );
    let (fine, requests) = match class {
        Class::Passing => (matches!(error, LlmError::Unavailable(_)), RETRIES + 1),
        Class::Refused => (matches!(error, LlmError::Rejected(_)), 1),
        Class::Alone => (matches!(error, LlmError::Request(_)), 1),
        Class::Fault => (true, asked),
    };
    assert!(
        fine && asked == requests,
        "{name}: {error:?} after {asked} requests"
    );
}

async fn check_all(api: ApiDialect, most: usize) -> usize {
    let mut faults = some(statuses(api), most);
    faults.extend(some(shapes(api), most));
    let mut tried = 0;
    let mut going = JoinSet::new();
    for (index, fault) in faults.into_iter().enumerate() {
        going.spawn(check(api, fault, index % 2));
        if going.len() >= 8 {
            going.join_next().await.unwrap().unwrap();
        }
        tried += 1;
    }
    while let Some(checked) = going.join_next().await {
        checked.unwrap();
    }
    tried
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_becomes_an_answer() {
    for api in PROTOCOLS {
        let tried = check_all(api, 75).await;
        assert!(tried >= 140, "{}: {tried}", api.name());
        if std::env::var_os("SHIFTPROOF_FAULTS").is_some() {
            println!("{}: {tried} faults", api.name());
        }
    }
}

/// A key in an answer is no part of the answer.
#[tokio::test]
async fn echoed_keys_are_stored_masked() {
    for api in PROTOCOLS {
        let mut body = whole(api);
        let words = body.pointer_mut(places(api).1).unwrap();
        *words = json!(format!("Your key is {CANARY}, and \"{CANARY}\"."));
        // As it is, and with its letters as escapes.
        let escaped = body.to_string().replace("canary", "\\u0063anary");
        for body in [body.to_string(), escaped] {
            let server = MockServer::in_turn([Act::raw(200, body)]).await;
            let llm = HttpLlm::connect(client_of(api, &server)).await.unwrap();
            let reply = soon(llm.call(&ask("hello"))).await.unwrap();
            assert_eq!(
                reply.text,
                "Your key is [key], and \"[key]\".",
                "{}",
                api.name()
            );
        }
    }
}
