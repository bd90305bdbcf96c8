use serde_json::json;
use shiftproof_search::SamplingOptions;
use shiftproof_tasks::{AnswerForm, Finish, Request, Usage};

use super::*;
use crate::http::reply::ChatCompletion;
use crate::http::request::LearnedDialect;

/// The body of a call with system, user and, where `begun`, assistant text.
fn body_with(
    api: ApiDialect,
    call: &ModelCall,
    options: &RequestOptions,
    quirks: &[ParameterQuirk],
) -> Value {
    let learned = LearnedDialect::default();
    for quirk in quirks {
        learned.learn(*quirk);
    }
    Value::Object(api.protocol().body(&WireCall {
        model: "m",
        call,
        shape: AnswerShape::Text,
        dialect: learned.dialect(),
        continuation: PrefillMode::Plain,
        options,
    }))
}

fn call(temperature: f64) -> ModelCall {
    ModelCall {
        request: Request {
            messages: vec![Message::system("s"), Message::user("u")],
            answer: AnswerForm::Text { max_tokens: 9 },
        },
        sampling: SamplingOptions {
            temperature,
            top_p: 0.9,
            max_tokens: 9,
            seed: 1,
        },
        sample: 0,
    }
}

fn body(api: ApiDialect, temperature: f64, shape: AnswerShape, quirks: &[ParameterQuirk]) -> Value {
    let learned = LearnedDialect::default();
    for quirk in quirks {
        learned.learn(*quirk);
    }
    Value::Object(api.protocol().body(&WireCall {
        model: "m",
        call: &call(temperature),
        shape,
        dialect: learned.dialect(),
        continuation: PrefillMode::Plain,
        options: &RequestOptions::default(),
    }))
}

fn options() -> RequestOptions {
    RequestOptions {
        temperature: Some(0.3),
        top_p: Some(0.5),
        stop: vec!["###".into()],
        seed: Some(7),
        reasoning_effort: Some("low".into()),
        thinking_tokens: Some(2000),
        context_tokens: Some(8192),
        ..RequestOptions::default()
    }
}

fn read(api: ApiDialect, value: &Value) -> ChatCompletion {
    match parse(value.to_string().as_bytes(), &*api.protocol()) {
        ParsedBody::Completion(completion) => completion,
        other => panic!("{other:?}"),
    }
}

#[test]
fn schemas_are_asked_for_in_each_protocol() {
    let schema = json!({
        "type": "object",
        "properties": {
            "kind": {"type": ["string", "null"], "enum": ["a", "b", null]},
            "items": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["items", "kind"],
        "additionalProperties": false,
    });
    let mut asked = call(0.0);
    asked.request.answer = AnswerForm::Json {
        schema: schema.clone(),
        max_tokens: 9,
    };
    let body = |api, options: &RequestOptions, quirks: &[ParameterQuirk]| {
        body_with(api, &asked, options, quirks)
    };
    let plain = RequestOptions::default();
    let open_ai = body(ApiDialect::OpenAi, &plain, &[]);
    assert_eq!(
        open_ai["response_format"],
        json!({"type": "json_schema",
               "json_schema": {"name": "answer", "strict": true, "schema": schema}})
    );
    assert_eq!(open_ai, {
        let mut azure = body(ApiDialect::Azure, &plain, &[]);
        azure["model"] = open_ai["model"].clone();
        azure
    });
    assert_eq!(body(ApiDialect::Ollama, &plain, &[])["format"], schema);
    assert_eq!(
        body(ApiDialect::Anthropic, &options(), &[])["output_config"],
        json!({"effort": "low", "format": {"type": "json_schema", "schema": schema}})
    );
    let gemini = &body(ApiDialect::Gemini, &plain, &[])["generationConfig"];
    assert_eq!(gemini["responseMimeType"], "application/json");
    assert_eq!(
        gemini["responseSchema"],
        json!({
            "type": "OBJECT",
            "properties": {
                "kind": {"type": "STRING", "nullable": true, "enum": ["a", "b"]},
                "items": {"type": "ARRAY", "items": {"type": "NUMBER"}},
            },
            "required": ["items", "kind"],
        })
    );
    // Where it was refused, the words of the request are all there is.
    for api in ApiDialect::ALL {
        let without = body_with(api, &call(0.0), &plain, &[]);
        assert_eq!(
            body(api, &plain, &[ParameterQuirk::NoSchema]),
            without,
            "{api:?}"
        );
    }
}

#[test]
fn greedy_body_is_minimal() {
    let messages = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]);
    for api in [ApiDialect::OpenAi, ApiDialect::Azure] {
        assert_eq!(
            body(api, 0.0, AnswerShape::Text, &[]),
            json!({"model": "m", "messages": messages, "max_tokens": 9, "temperature": 0.0})
        );
    }
    assert_eq!(
        body(
            ApiDialect::OpenAi,
            0.7,
            AnswerShape::Scored { tokens: 3 },
            &[]
        ),
        json!({"model": "m", "messages": messages, "max_tokens": 3, "temperature": 0.0,
               "logprobs": true, "top_logprobs": 20})
    );
    assert_eq!(
        body(ApiDialect::Anthropic, 0.0, AnswerShape::Text, &[]),
        json!({"model": "m", "max_tokens": 9, "temperature": 0.0,
               "system": [{"type": "text", "text": "s"}],
               "messages": [{"role": "user", "content": "u"}]})
    );
    assert_eq!(
        body(
            ApiDialect::Gemini,
            0.0,
            AnswerShape::Scored { tokens: 3 },
            &[]
        ),
        json!({"systemInstruction": {"parts": [{"text": "s"}]},
               "contents": [{"role": "user", "parts": [{"text": "u"}]}],
               "generationConfig": {"maxOutputTokens": 3, "temperature": 0.0,
                                    "responseLogprobs": true, "logprobs": 20}})
    );
    assert_eq!(
        body(ApiDialect::Ollama, 0.0, AnswerShape::Text, &[]),
        json!({"model": "m", "messages": messages, "stream": false,
               "options": {"num_predict": 9, "temperature": 0.0}})
    );
}

#[test]
fn quirks_change_bodies() {
    let plain = body(ApiDialect::OpenAi, 0.7, AnswerShape::Text, &[]);
    assert_eq!(plain["top_p"], 0.9);
    assert!(plain["seed"].as_u64().unwrap() < 1 << 31);
    let quirky = body(
        ApiDialect::OpenAi,
        0.7,
        AnswerShape::Text,
        &ParameterQuirk::ALL,
    );
    assert_eq!(quirky["max_completion_tokens"], 9);
    for absent in ["max_tokens", "temperature", "top_p", "seed"] {
        assert_eq!(quirky.get(absent), None, "{absent}");
    }
    assert_eq!(
        body(
            ApiDialect::OpenAi,
            0.0,
            AnswerShape::Scored { tokens: 3 },
            &ParameterQuirk::ALL
        )["top_logprobs"],
        5
    );
}

#[test]
fn user_settings_use_provider_words() {
    let call = call(0.0);
    let openai = body_with(ApiDialect::OpenAi, &call, &options(), &[]);
    for (key, value) in [
        ("temperature", json!(0.3)),
        ("top_p", json!(0.5)),
        ("stop", json!(["###"])),
        ("reasoning_effort", json!("low")),
    ] {
        assert_eq!(openai[key], value, "{key}");
    }
    assert!(openai["seed"].is_u64());
    let anthropic = body_with(ApiDialect::Anthropic, &call, &options(), &[]);
    assert_eq!(anthropic["max_tokens"], 2009, "room beside the thoughts");
    assert_eq!(
        anthropic["thinking"],
        json!({"type": "enabled", "budget_tokens": 2000})
    );
    assert_eq!(anthropic["stop_sequences"], json!(["###"]));
    assert_eq!(anthropic["output_config"], json!({"effort": "low"}));
    let gemini = &body_with(ApiDialect::Gemini, &call, &options(), &[])["generationConfig"];
    assert_eq!(gemini["maxOutputTokens"], 2009);
    assert_eq!(
        gemini["thinkingConfig"],
        json!({"thinkingBudget": 2000, "thinkingLevel": "low"})
    );
    assert_eq!(gemini["stopSequences"], json!(["###"]));
    let ollama = body_with(ApiDialect::Ollama, &call, &options(), &[]);
    assert_eq!(ollama["think"], "low");
    assert_eq!(ollama["options"]["num_ctx"], 8192);
    assert_eq!(ollama["options"]["stop"], json!(["###"]));
    let off = RequestOptions {
        thinking_tokens: Some(0),
        ..RequestOptions::default()
    };
    assert_eq!(
        body_with(ApiDialect::Ollama, &call, &off, &[])["think"],
        false
    );
    assert_eq!(
        body_with(ApiDialect::Gemini, &call, &off, &[])["generationConfig"]["thinkingConfig"],
        json!({"thinkingBudget": 0})
    );
    assert_eq!(
        body_with(ApiDialect::Anthropic, &call, &off, &[]).get("thinking"),
        None
    );
}

#[test]
fn user_seed_survives_greedy_calls() {
    let options = RequestOptions {
        seed: Some(7),
        ..RequestOptions::default()
    };
    let seed = |temperature, sample| {
        let mut call = call(temperature);
        call.sample = sample;
        body_with(ApiDialect::OpenAi, &call, &options, &[])["seed"].clone()
    };
    assert_eq!(seed(0.0, 0), 7);
    assert_ne!(seed(1.0, 0), seed(1.0, 1), "samples still differ");
}

#[test]
fn addresses_as_people_write_them() {
    let at = |api: ApiDialect, base: &str, version: Option<&str>| {
        let mut url = Url::parse(base).unwrap();
        api.protocol().locate(&mut url, "m", version);
        url.to_string()
    };
    for (api, base, expected) in [
        (
            ApiDialect::OpenAi,
            "http://h/v1/",
            "http://h/v1/chat/completions",
        ),
        (
            ApiDialect::OpenAi,
            "http://h/v1/chat/completions",
            "http://h/v1/chat/completions",
        ),
        (
            ApiDialect::Azure,
            "https://r.openai.azure.com/",
            "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21",
        ),
        (
            ApiDialect::Azure,
            "https://r.openai.azure.com/openai/deployments/m?api-version=7",
            "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=7",
        ),
        (
            ApiDialect::Azure,
            "https://r.openai.azure.com/openai/v1",
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            ApiDialect::Anthropic,
            "https://api.anthropic.com",
            "https://api.anthropic.com/v1/messages",
        ),
        (
            ApiDialect::Anthropic,
            "https://proxy/v1/",
            "https://proxy/v1/messages",
        ),
        (
            ApiDialect::Gemini,
            "https://g",
            "https://g/v1beta/models/m:generateContent",
        ),
        (
            ApiDialect::Gemini,
            "https://g/v1",
            "https://g/v1/models/m:generateContent",
        ),
        (
            ApiDialect::Ollama,
            "http://h:11434",
            "http://h:11434/api/chat",
        ),
        (
            ApiDialect::Ollama,
            "http://h:11434/v1/",
            "http://h:11434/api/chat",
        ),
        (
            ApiDialect::Ollama,
            "http://h:11434/api",
            "http://h:11434/api/chat",
        ),
    ] {
        assert_eq!(at(api, base, None), expected);
    }
    assert!(
        at(ApiDialect::Azure, "https://r", Some("2025-01-01-preview"))
            .ends_with("=2025-01-01-preview")
    );
}

#[test]
fn messages_of_anthropic_are_read() {
    let value = json!({"type": "message", "role": "assistant", "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}, {"type": "text", "text": "!"}],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30, "output_tokens": 5}});
    let completion = read(ApiDialect::Anthropic, &value);
    assert_eq!(
        (completion.text.as_str(), completion.reasoned),
        ("yes!", true)
    );
    assert_eq!(
        completion.usage,
        Some(Usage {
            prompt_tokens: 240,
            completion_tokens: 5,
            cached_prompt_tokens: 200,
            cache_write_tokens: 30,
            ..Usage::default()
        })
    );
    for (reason, finish) in [
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("refusal", Finish::Filtered),
        ("stop_sequence", Finish::Stop),
        ("a_new_reason", Finish::Stop),
    ] {
        let value = json!({"content": [], "stop_reason": reason});
        assert_eq!(
            read(ApiDialect::Anthropic, &value).finish,
            finish,
            "{reason}"
        );
    }
}

#[test]
fn answers_of_gemini_are_read() {
    let value = json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}, {"text": "yes"}]}, "finishReason": "STOP",
        "logprobsResult": {"chosenCandidates": [{"token": "yes", "logProbability": -0.1}],
                           "topCandidates": [{"candidates": [{"token": "yes", "logProbability": -0.1}, {"token": "no", "logProbability": -2.4}]}]}}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 1, "thoughtsTokenCount": 40, "cachedContentTokenCount": 64}});
    let completion = read(ApiDialect::Gemini, &value);
    assert_eq!(
        (completion.text.as_str(), completion.reasoned),
        ("yes", true)
    );
    assert_eq!(completion.reasoning_tokens, 40);
    assert_eq!(completion.positions[0].top.len(), 2);
    assert_eq!(
        completion.usage,
        Some(Usage {
            prompt_tokens: 100,
            completion_tokens: 41,
            cached_prompt_tokens: 64,
            ..Usage::default()
        })
    );
    let blocked = read(
        ApiDialect::Gemini,
        &json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}}),
    );
    assert_eq!(
        (blocked.text.as_str(), blocked.finish),
        ("blocked: PROHIBITED_CONTENT", Finish::Filtered)
    );
    let cut = json!({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 16}});
    let cut = read(ApiDialect::Gemini, &cut);
    assert_eq!(
        (cut.text.as_str(), cut.finish, cut.reasoned),
        ("", Finish::Length, true)
    );
    let unsafe_answer = json!({"candidates": [{"finishReason": "SAFETY"}]});
    assert_eq!(
        read(ApiDialect::Gemini, &unsafe_answer).finish,
        Finish::Filtered
    );
}

#[test]
fn answers_of_ollama_are_read() {
    let value = json!({"model": "m", "message": {"role": "assistant", "content": "yes", "thinking": "hm"}, "done": true, "done_reason": "length",
        "prompt_eval_count": 26, "eval_count": 3,
        "logprobs": [{"token": "yes", "logprob": -0.1, "top_logprobs": [{"token": "yes", "logprob": -0.1}, {"token": "no", "logprob": -3.0}]}]});
    let completion = read(ApiDialect::Ollama, &value);
    assert_eq!(
        (completion.text.as_str(), completion.reasoned),
        ("yes", true)
    );
    assert_eq!(
        (completion.finish, completion.positions[0].top.len()),
        (Finish::Length, 2)
    );
    assert_eq!(completion.usage.unwrap().tokens(), 29);
    // A prompt still in its memory is not counted again.
    let repeated = json!({"message": {"content": "yes"}, "done_reason": "stop", "eval_count": 3});
    assert_eq!(read(ApiDialect::Ollama, &repeated).usage, None);
}

#[test]
fn foreign_answers_are_refused() {
    for api in ApiDialect::ALL {
        let parsed = parse(br#"{"status": "ok"}"#, &*api.protocol());
        assert_eq!(parsed, ParsedBody::Foreign, "{api:?}");
    }
}

#[test]
fn long_prefixes_are_cache_marked() {
    let anthropic = ApiDialect::Anthropic.protocol();
    let options = RequestOptions::default();
    let mut call = call(0.0);
    let long = "An example of a label.\n".repeat(300);
    let sent = |text: &str, call: &mut ModelCall| {
        call.request.messages = vec![Message::user(text)];
        anthropic.body(&WireCall {
            model: "m",
            call,
            shape: AnswerShape::Text,
            dialect: LearnedDialect::default().dialect(),
            continuation: PrefillMode::Plain,
            options: &options,
        })["messages"][0]["content"]
            .clone()
    };
    let first = sent(&format!("{long}Text: a"), &mut call);
    assert!(first.is_string(), "nothing is known to be shared yet");
    let second = sent(&format!("{long}Text: b"), &mut call);
    assert_eq!(
        second,
        json!([
            {"type": "text", "text": long, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Text: b"}
        ])
    );
}
