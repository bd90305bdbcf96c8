use super::*;
use serde_json::json;

use super::super::protocol::ApiDialect;

fn parse(body: &[u8]) -> ParsedBody {
    crate::http::protocol::parse(body, &*ApiDialect::OpenAi.protocol())
}

fn completion(value: &Value) -> ChatCompletion {
    match parse(value.to_string().as_bytes()) {
        ParsedBody::Completion(completion) => completion,
        other => panic!("{other:?}"),
    }
}

fn answer(message: &Value) -> ChatCompletion {
    completion(&json!({"choices": [{"message": message}]}))
}

#[test]
fn minimal_reply_is_read() {
    let least = completion(&json!({"choices": [{"text": ""}]}));
    assert_eq!(least.text, "");
    assert_eq!(least.finish, Finish::Stop);
    assert_eq!(least.usage, None);
    assert!(least.positions.is_empty());
}

#[test]
fn content_in_its_many_forms() {
    assert_eq!(answer(&json!({"content": ""})).text, "");
    let ended = json!({"choices": [{"message": {"content": null}, "finish_reason": "stop"}]});
    assert_eq!(completion(&ended).text, "");
    assert_eq!(
        answer(&json!({"content": null, "refusal": "no"})).text,
        "no"
    );
    let parts = json!({"content": [{"type": "text", "text": "a"}, {"type": "image"}, "b"]});
    assert_eq!(answer(&parts).text, "ab");
    assert_eq!(
        completion(&json!({"choices": [{"text": "old"}]})).text,
        "old"
    );
}

#[test]
fn reasoning_is_left_out() {
    let beside = answer(&json!({"content": "yes", "reasoning_content": "hm"}));
    assert_eq!((beside.text.as_str(), beside.reasoned), ("yes", true));
    let within = answer(&json!({"content": "<think>no?</think>\n\nyes"}));
    assert_eq!((within.text.as_str(), within.reasoned), ("yes", true));
    assert_eq!(answer(&json!({"content": "<think>no end"})).text, "");
    let plain = answer(&json!({"content": "a <think> b", "reasoning": null}));
    assert_eq!(
        (plain.text.as_str(), plain.reasoned),
        ("a <think> b", false)
    );
}

#[test]
fn finish_reasons() {
    for (reason, finish) in [
        (json!("stop"), Finish::Stop),
        (json!("length"), Finish::Length),
        (json!("content_filter"), Finish::Filtered),
        (json!("SAFETY"), Finish::Filtered),
        (json!("brand_new"), Finish::Stop),
        (json!(null), Finish::Stop),
        (json!(3), Finish::Stop),
    ] {
        let value = json!({"choices": [{"text": "", "finish_reason": reason}]});
        assert_eq!(completion(&value).finish, finish, "{value}");
    }
}

#[test]
fn usage_is_whole_or_absent() {
    let read = |usage: Value| completion(&json!({"choices": [{"text": ""}], "usage": usage})).usage;
    let full = Some(Usage {
        prompt_tokens: 5,
        completion_tokens: 2,
        ..Usage::default()
    });
    assert_eq!(
        read(json!({"prompt_tokens": 5, "completion_tokens": 2})),
        full
    );
    assert_eq!(
        read(json!({"prompt_tokens": 5.0, "completion_tokens": "2"})),
        full
    );
    assert_eq!(read(json!({"input_tokens": 5, "output_tokens": 2})), full);
    for usage in [
        json!(null),
        json!({}),
        json!({"prompt_tokens": 0, "completion_tokens": 2}),
        json!({"prompt_tokens": -5, "completion_tokens": 2}),
        json!({"prompt_tokens": null, "completion_tokens": 2}),
        json!({"prompt_tokens": 5}),
        json!({"prompt_tokens": u64::MAX, "completion_tokens": 2}),
        json!({"prompt_tokens": 5, "completion_tokens": 1e19}),
        json!({"prompt_tokens": 5, "completion_tokens": 2.5}),
    ] {
        assert_eq!(read(usage.clone()), None, "{usage}");
    }
}

#[test]
fn cached_tokens_count_as_prompt() {
    let read = |prompt: u64, cached: u64| {
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": cached}});
        let usage = completion(&json!({"choices": [{"text": ""}], "usage": usage}))
            .usage
            .unwrap();
        (usage.prompt_tokens, usage.cached_prompt_tokens)
    };
    assert_eq!(read(100, 64), (100, 64));
    // A server that counts them apart.
    assert_eq!(read(20, 1000), (1020, 1000));
    // One that counts nonsense.
    assert_eq!(read(20, u64::MAX), (20, 0));
}

#[test]
fn reasoning_count_is_recognised() {
    let value = json!({"choices": [{"message": {"content": "yes"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 80}}});
    let read = completion(&value);
    assert_eq!((read.reasoned, read.reasoning_tokens), (true, 80));
}

#[test]
fn broken_text_is_repaired() {
    let read = |content: &[u8]| {
        let mut body = br#"{"choices": [{"message": {"content": ""#.to_vec();
        body.extend_from_slice(content);
        body.extend_from_slice(br#""}}]}"#);
        match parse(&body) {
            ParsedBody::Completion(completion) => completion.text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(b"caf\xe9"), "caf\u{fffd}");
    assert_eq!(read(br"a\ud83d b"), "a\u{fffd} b");
    assert_eq!(read(br"a\udc00b"), "a\u{fffd}b");
    assert_eq!(read(br"\ud83d\ude00 \ud83d"), "\u{1f600} \u{fffd}");
    assert_eq!(
        read(br"\\ud83d \ud83d"),
        r"\ud83d \u{fffd}".replace(r"\u{fffd}", "\u{fffd}")
    );
    assert_eq!(
        parse(br#"{"choices": [{"message": {"content": "a" "b"}}]}"#),
        ParsedBody::Broken
    );
    assert_eq!(parse(b"[1, 2"), ParsedBody::Truncated);
}

#[test]
fn odd_logprobs_are_dropped() {
    let body = br#"{"choices": [{"message": {"content": "a NaN b"}, "logprobs": {"content": [
        {"token": "a", "logprob": -0.1, "top_logprobs": [
            {"token": "a", "logprob": "-0.1"}, {"token": "b", "logprob": NaN},
            {"token": "c", "logprob": -Infinity}, {"token": "d", "logprob": "-inf"},
            {"token": "e", "logprob": "NaN"}, {"token": "f", "logprob": 1e-9}, 7, {}]},
        {"token": "x", "logprob": null, "top_logprobs": [{"token": "y", "logprob": -1}]}
    ]}}]}"#;
    let ParsedBody::Completion(completion) = parse(body) else {
        panic!("not read")
    };
    assert_eq!(completion.text, "a NaN b", "words in quotes stay");
    assert_eq!(completion.positions.len(), 1);
    let top: Vec<(&str, f64)> = completion.positions[0]
        .top
        .iter()
        .map(|(token, logprob)| (std::str::from_utf8(token).unwrap(), *logprob))
        .collect();
    assert_eq!(top, [("a", -0.1), ("d", f64::NEG_INFINITY), ("f", 0.0)]);
}

#[test]
fn both_logprob_forms_are_read() {
    let chat = json!({"content": [
        {"token": "?", "bytes": [121], "logprob": -0.5, "top_logprobs": [{"token": "n", "bytes": [], "logprob": -1}]}
    ]});
    let legacy = json!({"tokens": ["y"], "token_logprobs": [-0.5], "top_logprobs": [{"n": -1}]});
    let expected = [TokenPosition {
        token: b"y".to_vec(),
        top: vec![(b"n".to_vec(), -1.0), (b"y".to_vec(), -0.5)],
    }];
    assert_eq!(positions(&chat), expected);
    assert_eq!(positions(&legacy), expected);
    for nothing in [
        json!(null),
        json!({"content": null}),
        json!({"content": [{"token": "y"}]}),
        json!([]),
    ] {
        assert!(positions(&nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn what_is_no_completion() {
    assert_eq!(parse(b"<!doctype html><html>"), ParsedBody::Html);
    assert_eq!(parse(b"  \n<html>"), ParsedBody::Html);
    assert_eq!(parse(br#"{"choices": [{"mess"#), ParsedBody::Truncated);
    assert_eq!(parse(b""), ParsedBody::Truncated);
    assert_eq!(parse(b"OK"), ParsedBody::NotJson);
    assert_eq!(parse(br#"{"status": "ok"}"#), ParsedBody::Foreign);
    assert_eq!(parse(br"[1]"), ParsedBody::Foreign);
    assert_eq!(parse(br#"{"choices": []}"#), ParsedBody::Empty);
    assert_eq!(parse(br#"{"choices": null}"#), ParsedBody::Empty);
    assert!(matches!(
        parse(br#"{"error": {"message": "x"}, "choices": [{}]}"#),
        ParsedBody::Error(_)
    ));
    assert!(matches!(
        parse(br#"{"choices": [{"error": {"code": 502}}]}"#),
        ParsedBody::Error(_)
    ));
    assert!(matches!(
        parse(br#"{"choices": [{"finish_reason": "error"}]}"#),
        ParsedBody::Error(_)
    ));
    assert!(matches!(
        parse(br#"{"error": null, "choices": [{"text": ""}]}"#),
        ParsedBody::Completion(_)
    ));
    // Neither words nor thoughts nor a reason for their absence.
    for choice in [
        "{}",
        r#"{"message": {}}"#,
        r#"{"message": {"content": null}}"#,
    ] {
        let body = format!("{{\"choices\": [{choice}]}}");
        assert_eq!(parse(body.as_bytes()), ParsedBody::Empty, "{body}");
    }
    // Words that are none.
    for content in ["7", "{}", "true"] {
        let body = format!("{{\"choices\": [{{\"message\": {{\"content\": {content}}}}}]}}");
        assert_eq!(parse(body.as_bytes()), ParsedBody::Foreign, "{body}");
    }
}
