//! The functions of the fuzz targets (`fuzz/`), driven by proptest: bytes that are
//! nearly right, and bytes that are not.
//!
//! `PROPTEST_CASES` tries more; `SHIFTPROOF_FUZZ_SEEDS` names a folder to write what is
//! changed here into, for cargo-fuzz to begin with.

use proptest::prelude::*;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

const STUDY: &str = include_str!("../../studies/reviews.toml");
const CSV: &str =
    "id,label,text,user,item,rating\n1,good,\"a, b\",u,i,4\n2,bad,\"c\"\"d\",u,j,1\n3,,e,v,i,\n";
const JSONL: &str = "{\"id\":1,\"label\":\"good\",\"text\":\"a\",\"user\":1,\"item\":2}\n{\"id\":2,\"label\":\"bad\",\"text\":[1]}\n";
const LOG: &str = include_str!("golden/v1/.shiftproof/runs/mock-s1-1/events.jsonl");
const REPLIES: [&str; 5] = [
    r#"{"choices":[{"message":{"role":"assistant","content":"good"},"finish_reason":"stop","logprobs":{"content":[{"token":"good","bytes":[103],"logprob":-0.1,"top_logprobs":[{"token":"bad","logprob":-2.5}]}]}}],"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}}"#,
    r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded","param":null}}"#,
    r#"{"type":"message","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"good"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"cache_read_input_tokens":5,"output_tokens":1}}"#,
    r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"good"}]},"finishReason":"STOP","logprobsResult":{"topCandidates":[{"candidates":[{"token":"good","logProbability":-0.1}]}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}"#,
    r#"{"message":{"role":"assistant","content":"good","thinking":"x"},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":1,"logprobs":[{"token":"good","logprob":-0.1,"top_logprobs":[]}]}"#,
];

/// A change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    /// A number that is too large for something.
    Number(prop::sample::Index, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        at().prop_map(Change::Cut),
        (at(), 1_usize..40).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), 1_usize..40).prop_map(|(at, length)| Change::Repeat(at, length)),
        (at(), prop::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, piece)| Change::Insert(at, piece)),
        (
            at(),
            prop::sample::select(vec![
                "18446744073709551615",
                "-1",
                "1e999",
                "NaN",
                "null",
                "[]",
                "\\ud800",
                "\u{202e}"
            ])
        )
            .prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        match change {
            Change::Byte(at, byte) => bytes[at.index(length)] = *byte,
            Change::Cut(at) => bytes.truncate(at.index(length)),
            Change::Remove(at, most) => {
                let start = at.index(length);
                bytes.drain(start..length.min(start + most));
            }
            Change::Repeat(at, most) => {
                let start = at.index(length);
                let piece = bytes[start..length.min(start + most)].to_vec();
                bytes.splice(start..start, piece);
            }
            Change::Insert(at, piece) => {
                let start = at.index(length);
                bytes.splice(start..start, piece.iter().copied());
            }
            Change::Number(at, number) => {
                // In the place of one that is there.
                let digits: Vec<usize> = (0..length)
                    .filter(|&at| bytes[at].is_ascii_digit())
                    .collect();
                if let Some(&start) = digits.get(at.index(digits.len().max(1))) {
                    let end = (start..length)
                        .find(|&at| !bytes[at].is_ascii_digit())
                        .unwrap_or(length);
                    bytes.splice(start..end, number.bytes());
                }
            }
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(change(), 0..6)
}

/// The head of a GGUF file: some metadata and one tensor.
fn weights() -> Vec<u8> {
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.bytes());
    }
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend(1_u64.to_le_bytes());
    out.extend(5_u64.to_le_bytes());
    text(&mut out, "general.architecture");
    out.extend(8_u32.to_le_bytes());
    text(&mut out, "llama");
    for (key, value) in [
        ("llama.block_count", 1_u32),
        ("llama.context_length", 64),
        ("llama.embedding_length", 32),
    ] {
        text(&mut out, key);
        out.extend(4_u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    text(&mut out, "tokenizer.ggml.tokens");
    out.extend(9_u32.to_le_bytes());
    out.extend(8_u32.to_le_bytes());
    out.extend(2_u64.to_le_bytes());
    text(&mut out, "a");
    text(&mut out, "b");
    text(&mut out, "token_embd.weight");
    out.extend(2_u32.to_le_bytes());
    out.extend(32_u64.to_le_bytes());
    out.extend(2_u64.to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    out.resize(out.len().next_multiple_of(32) + 256, 0);
    out
}

/// A journal of a few records.
fn journal() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.journal");
    let mut journal = shiftproof_store::Journal::open(&path).unwrap();
    for group in [
        &[b"one".as_slice(), b"two"][..],
        &[b"three"],
        &[&[7; 300], b""],
    ] {
        journal.append_all(group).unwrap();
    }
    drop(journal);
    std::fs::read(path).unwrap()
}

/// A target's name, what it does, and what is changed for it.
type SeededTarget = (&'static str, fn(&[u8]), Vec<Vec<u8>>);

/// What is changed, by the target that reads it.
fn seeds() -> Vec<SeededTarget> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut studies = Vec::new();
    for folder in ["studies", "examples/own"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                studies.push(std::fs::read(path).unwrap());
            }
        }
    }
    // One of every form that a first byte may name.
    let data = (0..24).map(|first: u8| {
        let rows = if first % 4 < 2 { CSV } else { JSONL };
        [&[first], rows.as_bytes()].concat()
    });
    let replies = REPLIES.iter().enumerate().flat_map(|(at, reply)| {
        let protocols: &[u8] = [&[0, 1][..], &[0, 1], &[2], &[3], &[4]][at];
        let bodies = protocols.iter().flat_map(|&api| {
            [0, 178].map(|status: u8| [&[api, status], reply.as_bytes()].concat())
        });
        bodies.collect::<Vec<_>>()
    });
    let log = LOG.lines().take(40).flat_map(|line| [line, "\n"]);
    let stored = std::fs::read(root.join("search/tests/golden/v1/replies.journal")).unwrap();
    vec![
        ("study", targets::study, studies),
        ("data", targets::data, data.collect()),
        ("journal", targets::journal, vec![journal(), stored]),
        (
            "event_log",
            targets::event_log,
            vec![log.collect::<String>().into_bytes()],
        ),
        ("gguf", targets::gguf, vec![weights()]),
        ("reply", targets::reply, replies.collect()),
    ]
}

#[test]
fn seeds_are_read() {
    let folder = std::env::var_os("SHIFTPROOF_FUZZ_SEEDS").map(std::path::PathBuf::from);
    for (target, read, seeds) in seeds() {
        assert!(!seeds.is_empty(), "{target}");
        for (at, seed) in seeds.iter().enumerate() {
            read(seed);
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder.join(target)).unwrap();
                std::fs::write(folder.join(target).join(format!("seed-{at}")), seed).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn studies(changes in changes()) {
        targets::study(&changed(STUDY.as_bytes(), &changes));
    }

    #[test]
    fn data_files(form in any::<u8>(), json in any::<bool>(), changes in changes()) {
        let seed = if json { JSONL } else { CSV };
        let bytes = changed(seed.as_bytes(), &changes);
        targets::data(&[&[form], &bytes[..]].concat());
    }

    #[test]
    fn event_logs(
        first in 0_usize..150,
        many in 1_usize..30,
        checked in any::<bool>(),
        changes in changes(),
    ) {
        let mut log = Vec::new();
        for (number, line) in LOG.lines().skip(first).take(many).enumerate() {
            // Numbered from the start, as a log is.
            let (_, event) = line.split_once("\"at_ms\"").unwrap();
            let line = format!("{{\"seq\":{number},\"at_ms\"{event}").into_bytes();
            log.extend(if checked { shiftproof_search::event_log::summed(line) } else { line });
            log.push(b'\n');
        }
        targets::event_log(&changed(&log, &changes));
    }

    #[test]
    fn replies(seed in 0_usize..5, api in any::<u8>(), status in any::<u8>(), changes in changes()) {
        let body = changed(REPLIES[seed].as_bytes(), &changes);
        targets::reply(&[&[api, status], &body[..]].concat());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        targets::study(&bytes);
        targets::data(&bytes);
        targets::reply(&bytes);
        targets::event_log(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn journals(changes in changes()) {
        targets::journal(&changed(&journal(), &changes));
    }

    #[test]
    fn weight_files(changes in changes()) {
        targets::gguf(&changed(&weights(), &changes));
    }
}
