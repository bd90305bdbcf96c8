use super::{
    ChatPrompt, Engine, EngineError, TokenSampling, chats, labels, load, options, tiny, tiny::Tiny,
};
use candle_core::quantized::gguf_file::Value;
use proptest::prelude::*;
use std::{path::Path, sync::OnceLock};

fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        Tiny::new("qwen2", "qwen2").write(file.path());
        std::fs::read(file.path()).unwrap()
    })
}

fn load_bytes(bytes: &[u8]) -> Result<Engine, EngineError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Engine::load(file.path(), options())
}

#[test]
fn foreign_files_are_named() {
    assert!(
        matches!(Engine::load("/nowhere/x.gguf", options()), Err(EngineError::Io { path, .. }) if path == Path::new("/nowhere/x.gguf"))
    );
    assert!(matches!(load_bytes(b""), Err(EngineError::NotGguf { .. })));
    let html = load_bytes(b"<html>404</html>").unwrap_err();
    assert!(html.to_string().contains("<htm"), "{html}");
    let whole = bytes();
    assert!(
        matches!(load_bytes(&whole[..whole.len() - 100]), Err(EngineError::Truncated { found, expected, .. }) if found < expected)
    );
    assert!(matches!(
        load_bytes(&whole[..200]),
        Err(EngineError::NotGguf { .. })
    ));
}

#[test]
fn unsupported_models_list_supported_ones() {
    let with = |key: &str, value: &str| {
        let mut model = Tiny::new("llama", "smollm");
        model
            .metadata
            .insert(key.into(), Value::String(value.into()));
        load(&model, options()).unwrap_err().to_string()
    };
    assert_eq!(
        with("general.architecture", "gemma3"),
        "load a model of architecture \"gemma3\"; this engine runs llama and qwen2"
    );
    assert!(with("tokenizer.ggml.model", "llama").contains("\"llama\""));
    assert!(with("tokenizer.ggml.pre", "tekken").contains("smollm, qwen2"));
    assert!(with("tokenizer.chat_template", "[INST]").contains("ChatML"));
    assert!(with("llama.rope.scaling.type", "yarn").contains("llama.rope.scaling.type"));
}

#[test]
fn misshapen_parts_are_named() {
    let keys: Vec<String> = Tiny::new("llama", "smollm").metadata.into_keys().collect();
    for key in keys {
        let mut model = Tiny::new("llama", "smollm");
        model.metadata.remove(&key);
        match load(&model, options()) {
            Err(e) => assert!(
                e.to_string().contains(&key) || !key.starts_with("general"),
                "{key}: {e}"
            ),
            // These have a meaning when absent.
            Ok(_) => assert!(
                [
                    "name",
                    "pre",
                    "template",
                    "token_type",
                    "freq_base",
                    "dimension_count"
                ]
                .iter()
                .any(|s| key.ends_with(s)),
                "{key} was not missed"
            ),
        }
    }
    let mut model = Tiny::new("llama", "smollm");
    model.tensors.remove("blk.1.ffn_up.weight");
    assert!(
        load(&model, options())
            .unwrap_err()
            .to_string()
            .contains("blk.1.ffn_up.weight")
    );
    let mut model = Tiny::new("llama", "smollm");
    model
        .tensors
        .insert("output_norm.weight".into(), (vec![3], vec![1.0; 3]));
    assert!(
        load(&model, options())
            .unwrap_err()
            .to_string()
            .contains("[3]")
    );
}

#[test]
fn overlong_chat_fails_alone() {
    let (_, engine) = tiny("llama");
    let mut batch = chats();
    batch.insert(1, ChatPrompt::user("long ".repeat(tiny::CONTEXT)));
    batch.insert(3, ChatPrompt::default());
    let mut scored = engine.score(&batch, &labels()).unwrap();
    assert!(matches!(
        scored[1],
        Err(EngineError::ContextOverflow {
            limit: tiny::CONTEXT,
            ..
        })
    ));
    assert!(matches!(scored[3], Err(EngineError::Request(_))));
    let _ = scored.remove(3);
    let _ = scored.remove(1);
    let alone = engine.score(&chats(), &labels()).unwrap();
    for (a, b) in scored.iter().zip(&alone) {
        assert_eq!(a.as_ref().unwrap().logprobs, b.as_ref().unwrap().logprobs);
    }
}

#[test]
fn meaningless_requests_are_refused() {
    let (_, engine) = tiny("llama");
    assert!(engine.score(&chats(), &[String::new()]).is_err());
    assert!(engine.embed("").is_err());
    let bad = [
        TokenSampling {
            temperature: f64::NAN,
            ..TokenSampling::default()
        },
        TokenSampling {
            temperature: -1.0,
            ..TokenSampling::default()
        },
        TokenSampling {
            top_p: 0.0,
            ..TokenSampling::default()
        },
        TokenSampling {
            stop: vec![String::new()],
            ..TokenSampling::default()
        },
    ];
    for sampling in bad {
        assert!(engine.generate(&[], &sampling).is_err(), "{sampling:?}");
    }
    assert!(engine.score(&[], &labels()).unwrap().is_empty());
    assert!(
        engine
            .generate(&[], &TokenSampling::default())
            .unwrap()
            .is_empty()
    );
    let nothing = engine.score(&chats()[..1], &[]).unwrap().remove(0).unwrap();
    assert!(nothing.logprobs.is_empty());
}

#[test]
fn nan_is_never_scored() {
    let mut model = Tiny::new("qwen2", "qwen2");
    model.tensors.get_mut("blk.2.ffn_down.weight").unwrap().1[7] = f32::NAN;
    let engine = load(&model, options()).unwrap();
    let chat = ChatPrompt::user("x");
    let scored = engine
        .score(std::slice::from_ref(&chat), &labels())
        .unwrap();
    assert!(matches!(scored[..], [Err(EngineError::NotANumber)]));
    let generated = engine
        .generate(
            &[super::GenerationRequest { chat, seed: 0 }],
            &TokenSampling::default(),
        )
        .unwrap();
    assert!(matches!(generated[..], [Err(EngineError::NotANumber)]));
    assert!(matches!(engine.embed("x"), Err(EngineError::NotANumber)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Damage anywhere in the header gives an error or a model, never a panic.
    #[test]
    fn damaged_files_never_panic(at in 0usize..9000, value: u8, cut in proptest::option::of(0usize..9000)) {
        let mut damaged = bytes().to_vec();
        damaged[at] = value;
        damaged.truncate(cut.unwrap_or(damaged.len()));
        if let Ok(engine) = load_bytes(&damaged) {
            let _ = engine.score(&[ChatPrompt::user("x")], &["p".to_owned()]);
        }
    }
}
