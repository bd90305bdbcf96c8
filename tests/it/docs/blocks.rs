//! Commands that pages show: found in fenced blocks, in workflows and in running text.

use std::path::{Path, PathBuf};

/// A fenced block of a page.
#[derive(Debug, Clone)]
pub struct DocBlock {
    /// `FILE:LINE` of its first line.
    pub place: String,
    /// What stands after the backticks.
    pub language: String,
    /// The comment above it, without its signs.
    pub note: Option<String>,
    /// Its lines.
    pub text: String,
}

/// A page of the documentation.
pub struct DocPage {
    /// Its path below the repository.
    pub name: String,
    pub blocks: Vec<DocBlock>,
    /// Running text: lines outside blocks, with their number.
    pub prose: Vec<(usize, String)>,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository's pages, in the order of their names.
pub fn pages() -> Vec<DocPage> {
    let mut paths: Vec<PathBuf> = ["", "docs", "studies"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    paths.sort();
    assert!(paths.len() > 15, "{paths:?}");
    paths.iter().map(|path| page(path)).collect()
}

fn page(path: &Path) -> DocPage {
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    let text = std::fs::read_to_string(path).unwrap();
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let (mut open, mut note): (Option<DocBlock>, Option<String>) = (None, None);
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        match &mut open {
            Some(block) if trimmed.starts_with("```") => {
                blocks.push(block.clone());
                open = None;
            }
            Some(block) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if trimmed.starts_with("```") => {
                open = Some(DocBlock {
                    place: format!("{name}:{}", at + 2),
                    language: trimmed.trim_start_matches('`').to_owned(),
                    note: note.take(),
                    text: String::new(),
                });
            }
            None => {
                let comment = trimmed.strip_prefix("<!--");
                let comment = comment.and_then(|rest| rest.strip_suffix("-->"));
                match comment {
                    Some(comment) => note = Some(comment.trim().to_owned()),
                    None if trimmed.is_empty() => {}
                    None => note = None,
                }
                prose.push((at + 1, line.to_owned()));
            }
        }
    }
    assert!(open.is_none(), "{name} ends within a block");
    DocPage {
        name,
        blocks,
        prose,
    }
}

impl DocBlock {
    /// Whether it shows commands for a shell.
    pub fn is_shell(&self) -> bool {
        ["sh", "console", "bash", "shell"].contains(&self.language.as_str())
    }

    /// The block as a script: of a console the lines after `$ `.
    pub fn script(&self) -> String {
        if self.language != "console" {
            return self.text.clone();
        }
        let typed = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
        typed.collect::<Vec<_>>().join("\n")
    }

    /// Its commands, each as its words, with the place of its line. Texts that a shell
    /// hands to a command (`<<`) are none.
    pub fn commands(&self) -> Vec<(String, Vec<String>)> {
        let (file, first) = self.place.rsplit_once(':').unwrap();
        let first: usize = first.parse().unwrap();
        let mut found = Vec::new();
        let mut end: Option<String> = None;
        let (mut whole, mut begun) = (String::new(), 0);
        let script = self.script();
        let lines = script.lines().count();
        for (at, line) in script.lines().enumerate() {
            if let Some(word) = &end {
                if line.trim() == word {
                    end = None;
                }
                continue;
            }
            if whole.is_empty() {
                begun = first + at;
            }
            if let Some(more) = line.strip_suffix('\\') {
                whole += more;
                continue;
            }
            whole += line;
            if let Some((_, rest)) = whole.split_once("<<") {
                let word = rest.split_whitespace().next().unwrap_or_default();
                end = Some(word.trim_matches(['\'', '"', '-']).to_owned());
            }
            let place = format!("{file}:{begun}");
            // A quotation goes on in the next line.
            if shlex::split(&whole).is_none() && at + 1 < lines {
                whole += "\n";
                continue;
            }
            let parts = words(&whole, &place);
            found.extend(parts.into_iter().map(|part| (place.clone(), part)));
            whole.clear();
        }
        found
    }
}

/// The commands of a line, parted where a shell parts them, each without what it is
/// redirected to.
pub fn words(line: &str, place: &str) -> Vec<Vec<String>> {
    let Some(all) = shlex::split(line) else {
        panic!("{place}: a shell cannot read {line:?}")
    };
    all.split(|word| ["&&", "||", "|", ";"].contains(&word.as_str()))
        .map(|part| {
            let set = |word: &String| {
                word.split_once('=').is_some_and(|(name, _)| {
                    name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                })
            };
            let part = part.iter().skip_while(|word| set(word));
            part.take_while(|word| !word.starts_with(['>', '<']))
                .cloned()
                .collect()
        })
        .filter(|part: &Vec<String>| !part.is_empty())
        .collect()
}

/// Commands that running text quotes: code that begins with the program's name or
/// with `cargo`.
pub fn quoted(page: &DocPage) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, line) in &page.prose {
        for code in line.split('`').skip(1).step_by(2) {
            if code.starts_with("shiftproof ") || code.starts_with("cargo ") {
                found.push((format!("{}:{at}", page.name), code.replace("\\|", "|")));
            }
        }
    }
    found
}

/// The steps of a workflow that are scripts.
pub fn workflow_scripts(block: &DocBlock) -> Vec<String> {
    let (mut scripts, mut lines): (Vec<String>, _) = (Vec::new(), block.text.lines().peekable());
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        let own = trimmed.strip_prefix("- ").unwrap_or(trimmed);
        let Some(text) = own.strip_prefix("run:") else {
            continue;
        };
        let folded = match text.trim() {
            ">" => " ",
            "|" => "\n",
            text => {
                scripts.push(text.to_owned());
                continue;
            }
        };
        let depth = |line: &str| line.len() - line.trim_start().len();
        let within = depth(line) + (trimmed.len() - own.len());
        let mut script = Vec::new();
        while let Some(next) = lines.next_if(|next| next.trim().is_empty() || depth(next) > within)
        {
            script.push(next.trim());
        }
        scripts.push(script.join(folded));
    }
    scripts
}
