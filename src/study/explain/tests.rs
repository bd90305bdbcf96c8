use std::path::Path;

use crate::study::Study;

fn told(text: &str) -> String {
    let read = Study::parse(text, Path::new("study.toml"));
    read.map_or_else(|failure| failure.message, |_| "nothing".to_owned())
}

const TASK: &str = "\
[task]
kind = \"classify\"
prompt = \"Is it good?\"
input = \"{text}\"
labels = [\"good\", \"bad\"]
";
const DATA: &str = "\
[data]
files = [\"a.csv\"]
label = \"label\"
fields = [\"text\"]
";

/// All keys that there are not, whatever table they are in, with the lines they are at.
#[test]
fn all_unknown_keys_are_told() {
    let text = format!(
        "nmae = \"x\"\n{}{}[serach]\nshots = 3\n[groups]\ntrian = 8\naudti = 9\n",
        TASK.replace("labels", "lables"),
        DATA.replace("fields", "feilds"),
    );
    let told = told(&text);
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("  known here: "))
        .collect();
    assert_eq!(
        lines,
        [
            "study.toml:1: unknown key `nmae`; did you mean `name`?",
            "study.toml:6: unknown key `lables`; did you mean `labels`?",
            "study.toml:10: unknown key `feilds`; did you mean `fields`?",
            "study.toml:11: unknown key `serach`; did you mean `search`?",
            "study.toml:14: unknown key `trian`; did you mean `train`?",
            "study.toml:15: unknown key `audti`; did you mean `audit`?",
        ],
        "{told}"
    );
    // What there is in a table is told once.
    assert_eq!(told.matches("known here: ").count(), 5, "{told}");
}

/// The same of the task's table alone, of which another part of the program knows.
#[test]
fn all_unknown_task_keys_are_told() {
    let options: toml::Table = toml::from_str(
        "kind = \"classify\"\nprompt = \"Good?\"\nlables = [\"a\"]\ninptu = \"{text}\"\n",
    )
    .unwrap();
    let registry = crate::study::task_registry::TaskRegistry::default();
    let built = registry.build(&options, "x", Path::new("no-such-study.toml"), None);
    let told = built.err().unwrap().message;
    assert!(told.contains("`lables`; did you mean `labels`?"), "{told}");
    assert!(told.contains("`inptu`; did you mean `input`?"), "{told}");
}

/// A key that is right in one table is wrong in another, inline or in a list.
#[test]
fn equal_keys_are_told_apart() {
    let text = format!(
        "name = \"x\"\nsearch = {{ labels = 3, shots = 36 }}\ngroups = {{ shots = 1, train = 8 }}\n{TASK}{DATA}"
    );
    let all = told(&text);
    assert!(
        all.starts_with("study.toml:2: unknown key `labels`"),
        "{all}"
    );
    assert!(all.contains("\nstudy.toml:3: unknown key `shots`"), "{all}");
    assert_eq!(all.matches("unknown key").count(), 2, "{all}");
    // The program's own place of these is that of the whole list.
    let text = format!(
        "name = \"x\"\n{TASK}{DATA}[model]\nname = \"openai:m\"\nbase_url = \"http://a/v1\"\n\
         [[model.endpoints]]\nbase_url = \"http://b/v1\"\nweigth = 2\n"
    );
    assert!(told(&text).starts_with("study.toml:1"), "{}", told(&text));
}

/// Values that cannot be meant and keys that there are not, together; what is missing
/// because of them is no fault of its own.
#[test]
fn wrong_values_hide_no_keys() {
    let text = format!(
        "name = 3\n{TASK}{}[search]\nshots = \"many\"\nchunsk = 2\n",
        DATA.replace("files", "flies")
    );
    let told = told(&text);
    for line in [
        "study.toml:1: name is 3, but a text in quotes is needed",
        "study.toml:8: unknown key `flies`; did you mean `files`?",
        "study.toml:12: search.shots is \"many\", but a whole number, 0 or more, is needed",
        "study.toml:13: unknown key `chunsk`; did you mean `chunks`?",
    ] {
        assert!(told.lines().any(|own| own == line), "{line}\n{told}");
    }
    assert!(!told.contains("missing"), "{told}");
}

/// A file that is no study has no end of them.
#[test]
fn many_faults_are_counted() {
    let lines: Vec<String> = (0..40).map(|at| format!("zzz{at} = 1")).collect();
    let told = told(&lines.join("\n"));
    assert_eq!(told.matches("unknown key").count(), 12, "{told}");
    assert!(told.ends_with("  and 28 more"), "{told}");
}
