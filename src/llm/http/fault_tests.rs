use super::super::complaint::QUOTE;
use super::*;
use serde_json::json;

const CONTEXT: FaultContext<'static> = FaultContext {
    address: "http://host/v1",
    model: "m",
    key_env: "THE_KEY",
    has_key: true,
    dialect: ServerDialect::NONE,
    example: "https://host/v1",
    set: &[],
    scored: false,
    schema: false,
    secrets: &KnownSecrets::NONE,
};

fn fault(status: u16, body: &Value) -> RequestFault {
    of_status(
        status,
        &HeaderMap::new(),
        body.to_string().as_bytes(),
        &CONTEXT,
    )
}

fn says(message: &str) -> Value {
    json!({"error": {"message": message}})
}

/// `passing`, `throttled`, `parameter NAME`, `rejected` or `request`.
fn class(fault: &RequestFault) -> String {
    match fault {
        RequestFault::Passing {
            throttled: true, ..
        } => "throttled".to_owned(),
        RequestFault::Passing { .. } => "passing".to_owned(),
        RequestFault::Parameter(quirk, _) => format!("parameter {}", quirk.parameter()),
        RequestFault::Final(LlmError::Rejected(_)) => "rejected".to_owned(),
        RequestFault::Final(_) => "request".to_owned(),
    }
}

/// What servers say that take no schema, or not this one.
#[test]
fn refused_schemas_are_left_out() {
    let context = FaultContext {
        schema: true,
        ..CONTEXT
    };
    let named = |message: &str, parameter: &str| json!({"error": {"message": message, "param": parameter, "code": "invalid_value"}});
    for (status, body) in [
        (
            400,
            says(
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            ),
        ),
        (400, says("This response_format type is unavailable now")),
        (
            400,
            says(
                "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
            ),
        ),
        (
            400,
            says("This model does not support response format `json_schema`."),
        ),
        (400, named("Invalid schema", "response_format")),
        (
            400,
            named("Unknown parameter", "response_format.json_schema"),
        ),
        (
            400,
            says("output_config.format: Extra inputs are not permitted"),
        ),
        (
            400,
            says(
                "Invalid JSON payload received. Unknown name \"responseSchema\" at 'generation_config'",
            ),
        ),
        (
            400,
            says(
                "json: cannot unmarshal object into Go struct field ChatRequest.format of type string",
            ),
        ),
        (400, says("failed to parse grammar")),
        (
            422,
            says("Structured outputs are not enabled for this deployment"),
        ),
    ] {
        let received = body.to_string();
        let fault = of_status(status, &HeaderMap::new(), received.as_bytes(), &context);
        assert_eq!(class(&fault), "parameter response_format", "{received}");
        // A call without a schema is refused for something else.
        let fault = of_status(status, &HeaderMap::new(), received.as_bytes(), &CONTEXT);
        assert_ne!(class(&fault), "parameter response_format", "{received}");
    }
    for (status, message, expected) in [
        (400, "messages: at least one message is required", "request"),
        (401, "invalid response_format of the key", "rejected"),
        (429, "too many requests with response_format", "throttled"),
    ] {
        let body = says(message).to_string();
        let fault = of_status(status, &HeaderMap::new(), body.as_bytes(), &context);
        assert_eq!(class(&fault), expected, "{message}");
    }
}

#[test]
fn classes_of_statuses() {
    for (statuses, expected) in [
        (&[408, 409, 425, 500, 502, 504, 520, 599][..], "passing"),
        (&[429, 503, 529], "throttled"),
        (
            &[401, 402, 403, 404, 405, 410, 501, 301, 307, 308],
            "rejected",
        ),
        (&[400, 413, 422], "request"),
    ] {
        for status in statuses {
            assert_eq!(class(&fault(*status, &says("no"))), expected, "{status}");
        }
    }
}

#[test]
fn words_decide_error_classes() {
    for (status, body, expected) in [
        (
            429,
            json!({"error": {"code": "insufficient_quota"}}),
            "rejected",
        ),
        (
            429,
            json!({"error": {"type": "insufficient_quota", "message": "m"}}),
            "rejected",
        ),
        // Gemini says this of a limit per minute.
        (
            429,
            json!({"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}}),
            "throttled",
        ),
        (
            400,
            says("API key not valid. Please pass a valid API key."),
            "rejected",
        ),
        (
            400,
            json!({"error": {"code": "model_not_found"}}),
            "rejected",
        ),
        (403, says("Your input was flagged"), "request"),
        (500, says("json: unsupported value: NaN"), "request"),
        (500, says("context size exceeded"), "request"),
    ] {
        assert_eq!(class(&fault(status, &body)), expected, "{status} {body}");
    }
}

#[test]
fn overflow_is_recognised_everywhere() {
    for body in [
        json!({"error": {"code": "context_length_exceeded", "message": "m"}}),
        json!({"error": {"code": 400, "type": "exceed_context_size_error", "message": "m"}}),
        json!({"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}),
        json!({"detail": "prompt is too long"}),
    ] {
        let RequestFault::Final(LlmError::Request(text)) = fault(400, &body) else {
            panic!("{body}")
        };
        assert!(text.contains("too long for m"), "{text}");
    }
}

#[test]
fn refused_parameters_are_recognised() {
    let openai = json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "param": "max_tokens", "code": "unsupported_parameter"}});
    let forbidden = json!({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]});
    for (body, expected) in [
        (openai, "parameter max_tokens"),
        (forbidden, "parameter seed"),
        (
            says("Unsupported value: 'temperature' does not support 0.0 with this model."),
            "parameter temperature",
        ),
        (
            says("`top_p` is deprecated for this model"),
            "parameter top_p",
        ),
        (
            says("top_logprobs must be less than or equal to 5"),
            "parameter top_logprobs",
        ),
        (
            says("max_tokens is too large: 9. This model supports at most 8 completion tokens"),
            "request",
        ),
        (says("temperature must be between 0 and 2"), "request"),
        (
            says("Unrecognized request argument supplied: top_logprobs"),
            "request",
        ),
        (says("unsupported role"), "request"),
    ] {
        assert_eq!(class(&fault(400, &body)), expected, "{body}");
    }
}

#[test]
fn score_refusal_blames_no_key() {
    let refusal = says("You are not allowed to request logprobs from this model");
    let scored = FaultContext {
        scored: true,
        ..CONTEXT
    };
    for status in [400, 403, 404, 422] {
        let body = refusal.to_string();
        let fault = of_status(status, &HeaderMap::new(), body.as_bytes(), &scored);
        assert_eq!(class(&fault), "request", "{status}");
        assert_eq!(
            class(&fault_of(403, &says("Invalid key"), &scored)),
            "rejected"
        );
    }
    // Nothing was scored: the words are about something else.
    assert_eq!(class(&fault(403, &refusal)), "rejected");
    let few = says("top_logprobs must be at most 5");
    assert_eq!(
        class(&fault_of(403, &few, &scored)),
        "parameter top_logprobs"
    );
}

fn fault_of(status: u16, body: &Value, context: &FaultContext<'_>) -> RequestFault {
    let body = body.to_string();
    of_status(status, &HeaderMap::new(), body.as_bytes(), context)
}

#[test]
fn provider_errors_are_classified() {
    let google = json!([{"error": {"code": 429, "message": "Resource has been exhausted", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}]}}]);
    match fault(429, &google) {
        RequestFault::Passing {
            wait,
            throttled: true,
            ..
        } => assert_eq!(wait, Some(Duration::from_secs_f64(7.5))),
        other => panic!("{other:?}"),
    }
    let anthropic = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let azure = json!({"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"}}});
    for (status, body, expected) in [
        (
            529,
            anthropic("overloaded_error", "Overloaded"),
            "throttled",
        ),
        (
            500,
            anthropic("overloaded_error", "Overloaded"),
            "throttled",
        ),
        (
            401,
            anthropic("authentication_error", "invalid x-api-key"),
            "rejected",
        ),
        (
            404,
            anthropic("not_found_error", "model: claude-9"),
            "rejected",
        ),
        (
            400,
            anthropic(
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
            ),
            "rejected",
        ),
        (
            400,
            anthropic(
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000 maximum",
            ),
            "request",
        ),
        (
            400,
            anthropic(
                "invalid_request_error",
                "`temperature` may only be set to 1 when thinking is enabled",
            ),
            "parameter temperature",
        ),
        (400, azure, "request"),
        (404, json!({"error": "model 'x' not found"}), "rejected"),
        (
            400,
            json!({"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"topP\" at 'generation_config'", "status": "INVALID_ARGUMENT"}}),
            "parameter top_p",
        ),
        (
            400,
            json!({"error": {"message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}),
            "rejected",
        ),
    ] {
        assert_eq!(class(&fault(status, &body)), expected, "{status} {body}");
    }
    assert_eq!(
        class(&of_error(&json!({"type": "overloaded_error"}), &CONTEXT)),
        "throttled"
    );
}

#[test]
fn user_settings_are_never_dropped() {
    let context = FaultContext {
        set: &["temperature", "reasoning_effort"],
        ..CONTEXT
    };
    for (text, key) in [
        (
            "Unsupported value: 'temperature' does not support 0.7 with this model.",
            "temperature",
        ),
        (
            "Unrecognized request argument supplied: reasoning_effort",
            "reasoning_effort",
        ),
        (
            "thinking_level is not supported by this model",
            "reasoning_effort",
        ),
    ] {
        let RequestFault::Final(LlmError::Rejected(said)) = fault_of(400, &says(text), &context)
        else {
            panic!("{text}")
        };
        assert!(said.contains(&format!("the study sets as {key}")), "{said}");
    }
    assert_eq!(
        class(&fault_of(400, &says("seed is not supported"), &context)),
        "parameter seed"
    );
}

#[test]
fn learned_parameters_are_not_retried() {
    let learned = super::super::request::LearnedDialect::default();
    learned.learn(ParameterQuirk::NoSeed);
    let context = FaultContext {
        dialect: learned.dialect(),
        ..CONTEXT
    };
    let body = says("unknown field seed").to_string();
    let fault = of_status(400, &HeaderMap::new(), body.as_bytes(), &context);
    assert_eq!(class(&fault), "request");
}

#[test]
fn errors_inside_success_are_classified() {
    for (error, expected) in [
        (json!({"code": 502, "message": "upstream"}), "passing"),
        (json!({"code": "429"}), "throttled"),
        (json!({"code": 401}), "rejected"),
        (json!({"code": "insufficient_quota"}), "rejected"),
        (json!({"type": "authentication_error"}), "rejected"),
        (json!({"type": "rate_limit_error"}), "throttled"),
        (
            json!({"type": "invalid_request_error", "message": "m"}),
            "request",
        ),
        (json!({"code": "context_length_exceeded"}), "request"),
        (json!("something"), "passing"),
        (json!({}), "passing"),
    ] {
        assert_eq!(class(&of_error(&error, &CONTEXT)), expected, "{error}");
    }
}

#[test]
fn every_error_body_is_quoted() {
    for body in [
        r#"{"error": {"message": "the words"}}"#,
        r#"{"error": "the words"}"#,
        r#"{"message": "the words"}"#,
        r#"{"detail": "the words"}"#,
        r#"{"detail": [{"msg": "the words"}]}"#,
        "the words",
        "the\n\u{1b}[31m words",
    ] {
        let fault = of_status(400, &HeaderMap::new(), body.as_bytes(), &CONTEXT);
        let RequestFault::Final(LlmError::Request(text)) = fault else {
            panic!("{body}")
        };
        assert!(
            text.contains("the words") || text.contains("the [31m words"),
            "{text}"
        );
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn messages_say_how_to_mend() {
    let text = |status, context: &FaultContext<'_>| match of_status(
        status,
        &HeaderMap::new(),
        b"",
        context,
    ) {
        RequestFault::Final(LlmError::Rejected(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        text(401, &CONTEXT),
        "http://host/v1 answered 401: nothing more; check the key in THE_KEY"
    );
    let keyless = FaultContext {
        has_key: false,
        ..CONTEXT
    };
    assert!(text(401, &keyless).contains("no key was sent: set THE_KEY"));
    assert!(text(404, &CONTEXT).contains("has the model m"));
    assert!(text(402, &CONTEXT).contains("no credit"));
}

#[test]
fn redirects_hide_queries() {
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, "https://me:pw@new/v1?key=canary".parse().unwrap());
    let RequestFault::Final(LlmError::Rejected(text)) = of_status(308, &headers, b"", &CONTEXT)
    else {
        panic!("not rejected")
    };
    assert!(text.contains("redirects to https://new/v1 (308)"), "{text}");
    headers.insert(LOCATION, "/v2?key=canary".parse().unwrap());
    let text = format!("{:?}", of_status(308, &headers, b"", &CONTEXT));
    assert!(
        text.contains("elsewhere") && !text.contains("canary"),
        "{text}"
    );
}

#[test]
fn waits_in_every_notation() {
    let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
    for (name, value, expected) in [
        ("retry-after", "7", Some(7000)),
        ("retry-after", " 1.5 ", Some(1500)),
        ("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT", Some(9000)),
        ("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT", None),
        ("retry-after", "soon", None),
        ("retry-after", "-1", None),
        ("retry-after", "NaN", None),
        ("retry-after-ms", "250", Some(250)),
        ("retry-after-ms", "1e300", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let got = wait_asked(&headers, now).map(|wait| wait.as_millis());
        assert_eq!(got, expected, "{name}: {value}");
    }
}

#[test]
fn long_words_are_cut() {
    let text = quote(&"ä".repeat(10_000));
    assert_eq!(text.chars().count(), QUOTE + 1);
    assert!(text.ends_with('…'));
}

/// A key that ends where the quotation does would be left in part.
#[test]
fn keys_are_masked_before_the_cut() {
    let mut config = crate::http::HttpConfig::new("http://host/v1", "m");
    config.api_key = Some("sk-canary-0123456789".to_owned().into());
    let secrets = KnownSecrets::of(&config);
    let context = FaultContext {
        secrets: &secrets,
        ..CONTEXT
    };
    for before in QUOTE - 20..QUOTE {
        let body = says(&format!("{}sk-canary-0123456789", "x".repeat(before)));
        for fault in [
            fault_of(400, &body, &context),
            fault_of(503, &body, &context),
            of_error(&body["error"], &context),
        ] {
            let told = format!("{fault:?}");
            assert!(!told.contains("sk-c") && !told.contains("sk-can"), "{told}");
        }
    }
}
