//! Commands in the documentation: none may go stale.
//!
//! A block of shell commands says by a comment above it whether it runs here:
//!
//! ```text
//! <!-- run -->                       in the page's folder, after its earlier blocks
//! <!-- run: fixture=reviews -->      with what the page takes for granted laid out first
//! <!-- run: exit=101 -->             with another exit code than 0
//! <!-- not run: WHY -->
//! <!-- output -->                    above a block of text: the block before printed these lines,
//!                                    in this order; a line of … stands for any
//! ```
//!
//! What is not run is read by the program's own parser all the same, as is what stands in
//! running text and in workflows.

mod blocks;
#[cfg(unix)]
mod cases;

use std::collections::BTreeSet;

use clap::{CommandFactory, Parser};
use shiftproof::cli::Cli;

use blocks::{DocBlock, pages, quoted, root, words, workflow_scripts};

/// What the command line says against these words. Those in capitals stand for values,
/// and what is only `mentioned` may lack some: then commands and flags are looked at.
fn fault(words: &[String], mentioned: bool) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let exact = Cli::try_parse_from(words).err()?;
    // Help is no fault.
    let stands = |word: &String| word.chars().any(|c| c.is_ascii_uppercase() || c == '…');
    if !exact.use_stderr() || !(mentioned || words[1..].iter().any(stands)) {
        return exact.use_stderr().then(|| exact.to_string());
    }
    let mut level = &command;
    for word in &words[1..] {
        if let Some(next) = level.find_subcommand(word) {
            level = next;
        }
        let flag = word.split('=').next().unwrap_or(word);
        let known = match (flag.strip_prefix("--"), flag.strip_prefix('-')) {
            (Some(""), _) | (None, None) => true,
            (Some(long), _) => level.get_arguments().any(|arg| {
                arg.get_long() == Some(long)
                    || arg
                        .get_all_aliases()
                        .is_some_and(|names| names.contains(&long))
            }),
            (None, Some(short)) => level
                .get_arguments()
                .any(|arg| arg.get_short() == short.chars().next() || short.is_empty()),
        };
        if !known {
            return Some(format!("`{}` has no {flag}", level.get_name()));
        }
    }
    (level.get_name() == "shiftproof").then(|| exact.to_string())
}

/// What is wrong with a command that a page shows; none where it is another program's.
fn command_fault(words: &[String], mentioned: bool) -> Option<String> {
    let names = |list: &str, what: &str| {
        [
            "",
            "search",
            "search/select",
            "store/postgres",
            "tasks",
            "src/llm",
        ]
        .iter()
        .any(|folder| {
            let manifest = root().join(folder).join("Cargo.toml");
            let manifest = std::fs::read_to_string(manifest).unwrap();
            manifest.contains(&format!("[[{list}]]\nname = {what:?}"))
        })
    };
    match words.first().map(String::as_str) {
        Some("shiftproof") => fault(words, mentioned),
        Some("cargo") => {
            let own = words.iter().position(|word| word == "--");
            let (cargo, own) = words.split_at(own.unwrap_or(words.len()));
            let after = |flag: &str| {
                let at = cargo.iter().position(|word| word == flag)?;
                cargo.get(at + 1)
            };
            let example = after("--example");
            if let Some(name) = example
                && !root().join(format!("examples/{name}.rs")).exists()
            {
                return Some(format!("there is no example {name}"));
            }
            let bench = after("--bench").filter(|name| !names("bench", name));
            let test = after("--test").filter(|name| {
                !names("test", name) && !root().join(format!("search/tests/{name}.rs")).exists()
            });
            if let Some(name) = bench.or(test) {
                return Some(format!("there is no target {name}"));
            }
            let is_program = example.is_none_or(|name| !name.starts_with("library"));
            if cargo.get(1).is_some_and(|word| word == "run") && is_program && own.len() > 1 {
                let program = std::iter::once("shiftproof".to_owned());
                let own: Vec<String> = program.chain(own[1..].iter().cloned()).collect();
                return fault(&own, mentioned);
            }
            None
        }
        _ => None,
    }
}

#[test]
fn shown_commands_are_known() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    let mut check = |place: &str, words: &[String], mentioned: bool| {
        seen += 1;
        if let Some(why) = command_fault(words, mentioned) {
            faults.push(format!("{place}: {}\n    {}", words.join(" "), why.trim()));
        }
    };
    for page in pages() {
        for block in &page.blocks {
            if block.is_shell() {
                for (place, words) in block.commands() {
                    check(&place, &words, false);
                }
            }
            if block.language == "yaml" {
                for script in workflow_scripts(block) {
                    for line in script.lines() {
                        for words in words(line, &block.place) {
                            check(&block.place, &words, false);
                        }
                    }
                }
            }
        }
        for (place, code) in quoted(&page) {
            // Brackets say what may be left out, bars what is chosen from.
            let code = code
                .replace(['[', ']'], "")
                .replace("...", "")
                .replace('|', "/");
            for words in words(&code, &place) {
                check(&place, &words, true);
            }
        }
    }
    assert!(seen > 100, "{seen}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_block_says_whether_it_runs() {
    for page in pages() {
        let mut silent = Vec::new();
        for block in page.blocks.iter().filter(|block| block.is_shell()) {
            let note = block.note.as_deref().unwrap_or_default();
            let reason = note.strip_prefix("not run:").map(str::trim);
            if note != "run" && !note.starts_with("run: ") && reason.is_none_or(str::is_empty) {
                silent.push(&block.place);
            }
        }
        let links = page.prose.iter().flat_map(|(at, line)| {
            let targets = line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next());
            targets.map(move |target| (at, target.split('#').next().unwrap_or_default()))
        });
        for (at, target) in
            links.filter(|(_, target)| !target.is_empty() && !target.contains("://"))
        {
            let folder = root().join(&page.name);
            let path = folder.parent().unwrap().join(target);
            assert!(path.exists(), "{}:{at}: {target} is not there", page.name);
        }
        assert!(silent.is_empty(), "say whether these run: {silent:?}");
    }
}

/// The names in quotation marks that a line of code asks the environment for.
fn variables_of(line: &str) -> Vec<&str> {
    let asks = [
        "env::var",
        "env = \"",
        "set(\"",
        "folder(\"",
        "absolute(\"",
        "_API_KEY\"",
    ];
    if line.trim_start().starts_with("//") || !asks.iter().any(|sign| line.contains(sign)) {
        return Vec::new();
    }
    let plain = |c: char| c.is_ascii_uppercase() || c == '_';
    let named = |text: &&str| {
        text.contains('_')
            || ["TERM", "COLORTERM", "PYTHONPATH", "PGPASSWORD", "HOSTNAME"].contains(text)
    };
    let texts = line.split('"').skip(1).step_by(2).filter(named);
    texts
        .filter(|text| text.len() > 3 && text.chars().all(plain))
        .collect()
}

#[test]
fn environment_variables_are_listed() {
    let page = std::fs::read_to_string(root().join("docs/environment.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<&str> = rows
        .flat_map(|line| {
            line.split('|')
                .nth(1)
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .collect();
    let mut read = BTreeSet::new();
    let mut open = ["src", "store", "search", "tasks"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "benches", "target"].contains(&name.as_str()) {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|ending| ending == "rs") && !name.contains("test") {
            let text = std::fs::read_to_string(&path).unwrap();
            let product = text.split("\nmod tests {").next().unwrap();
            let found = product.lines().flat_map(variables_of);
            read.extend(found.map(str::to_owned));
        }
    }
    assert!(read.len() > 10, "{read:?}");
    let missing: Vec<_> = read
        .iter()
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/environment.md lacks {missing:?}");
    // The home folder and proxies are asked for by libraries.
    let stale: Vec<_> = listed
        .iter()
        .filter(|name| !read.contains(**name) && **name != "HOME" && !name.ends_with("_PROXY"))
        .collect();
    assert!(stale.is_empty(), "nothing reads {stale:?}");
}

/// The options of a block that runs.
#[cfg(unix)]
fn options(block: &DocBlock) -> Option<(Option<&str>, i32)> {
    let note = block.note.as_deref()?;
    let rest = note.strip_prefix("run")?;
    let (mut fixture, mut exit) = (None, 0);
    for option in rest.trim_start_matches(':').split_whitespace() {
        match option.split_once('=') {
            Some(("fixture", name)) => fixture = Some(name),
            Some(("exit", code)) => exit = code.parse().unwrap(),
            _ => panic!("{}: {option:?} is no option", block.place),
        }
    }
    Some((fixture, exit))
}

#[cfg(unix)]
#[track_caller]
fn expect_lines(place: &str, wanted: &str, said: &str) {
    let mut rest = said.lines().map(str::trim_end);
    for line in wanted
        .lines()
        .map(str::trim_end)
        .filter(|line| *line != "…" && !line.is_empty())
    {
        assert!(
            rest.any(|said| said == line),
            "{place}: {line:?} is not printed, or not in this order, by the block before:\n{said}"
        );
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_commands_run() {
    use crate::support::mock_server::{MockServer, capable};
    let server =
        MockServer::start(|seen| capable(seen).unwrap_or_else(|| cases::answer(seen))).await;
    let only = std::env::var("SHIFTPROOF_DOC_PAGE").ok();
    let mut ran = BTreeSet::new();
    for page in pages() {
        if only
            .as_ref()
            .is_some_and(|only| !page.name.contains(only.as_str()))
        {
            continue;
        }
        let mut desk = None;
        let mut said = String::new();
        for block in &page.blocks {
            if block.note.as_deref() == Some("output") {
                expect_lines(&block.place, &block.text, &said);
            }
            let Some((fixture, exit)) = options(block).filter(|_| block.is_shell()) else {
                continue;
            };
            let desk = desk.get_or_insert_with(|| cases::DocDesk::new(&server.base_url()));
            if let Some(fixture) = fixture {
                desk.lay_out(fixture).await;
            }
            let (code, told) = desk.sh(&block.script()).await;
            assert_eq!(
                code,
                Some(exit),
                "{}:\n{}\n{told}",
                block.place,
                block.script()
            );
            said = told;
            ran.insert(block.place.clone());
        }
    }
    assert!(only.is_some() || ran.len() >= 10, "{ran:?}");
}
