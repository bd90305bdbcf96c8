//! What loading a large table takes: rows read, made into examples, checked and dealt
//! out to the roles. `cargo bench -p shiftproof-tasks --bench load -- ROWS` (a million
//! where none is given). Beside it stands a reader that only cuts the same file into
//! values, in the same run, and the size of the file. Times are processor time. Linux,
//! for /proc.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Write as _;

use shiftproof_tasks::lint::DataLint;
use shiftproof_tasks::{
    ClassifySpec, ClassifyTask, ColumnRoles, DataTable, GroupsSpec, UnlabelledDraw,
};

const LABELS: [&str; 5] = ["complaint", "other", "praise", "question", "refund"];
const GROUPS: [&str; 5] = ["app", "chat", "mail", "phone", "store"];

fn main() {
    let rows = std::env::args().find_map(|word| word.parse().ok());
    let rows: u64 = rows.unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    write(&path, rows);
    let size = fs::metadata(&path).unwrap().len();
    println!("{rows} rows, {:.0} MB", size as f64 / 1e6);
    // Once unmeasured: the file is in the cache then.
    cut(&path);
    let (values, cutting) = timed(|| cut(&path));
    println!("cut into {values} values {cutting:>12.2} s");

    let before = status("VmRSS");
    let begin = cpu();
    let (table, reading) = timed(|| DataTable::read(folder.path(), &["rows.csv"]).unwrap());
    println!("read            {reading:>18.2} s");
    let spec = ClassifySpec::new("What does the customer want?", "{text}", LABELS);
    let task = ClassifyTask::new("load", spec).unwrap();
    let columns = ColumnRoles {
        id: Some("id".into()),
        group: Some("channel".into()),
        label: "label".into(),
        cluster: Some("user".into()),
        fields: vec!["text".into()],
        ..ColumnRoles::default()
    };
    let (loaded, making) = timed(|| columns.examples_for(&table, &task).unwrap());
    drop(table);
    println!("made examples   {making:>18.2} s");
    let groups = GroupsSpec {
        source: vec!["mail".into()],
        target: GROUPS
            .iter()
            .filter(|name| **name != "mail")
            .map(|name| (*name).to_owned())
            .collect(),
        ..GroupsSpec::default()
    };
    let (split, dealing) = timed(|| {
        groups
            .split(
                &loaded.examples,
                &loaded.unlabelled,
                1,
                UnlabelledDraw::Blind,
            )
            .unwrap()
    });
    println!("dealt           {dealing:>18.2} s");
    let lint = DataLint {
        task: &task,
        groups: &groups,
        examples: &loaded.examples,
        unlabelled: &loaded.unlabelled,
        data: Some(&split.data),
        allow_leakage: false,
    };
    let (found, checking) = timed(|| lint.run());
    println!(
        "checked         {checking:>18.2} s, {} findings",
        found.len()
    );
    let all = cpu() - begin;
    let peak = status("VmHWM").saturating_sub(before) as f64 * 1024.0;
    println!(
        "all             {all:>18.2} s, {:.1} times the cutting; memory {:.0} MB, {:.1} times the file",
        all / cutting,
        peak / 1e6,
        peak / size as f64
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = cpu();
    let done = work();
    (done, cpu() - before)
}

/// Processor seconds of this process, in steps of 10 ms.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks = fields.skip(11).take(2).map(|n| n.parse::<u64>().unwrap());
    ticks.sum::<u64>() as f64 / 100.0
}

/// Values of the file.
fn cut(path: &std::path::Path) -> usize {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let mut record = csv::ByteRecord::new();
    let mut values = 0;
    while reader.read_byte_record(&mut record).unwrap() {
        values += record.len();
    }
    values
}

/// Rows of eight to twenty words out of twenty thousand, by a fixed recurrence.
fn write(path: &std::path::Path, rows: u64) {
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    writeln!(file, "id,user,channel,text,label").unwrap();
    for row in 0..rows {
        let words: Vec<String> = (0..8 + draw(13))
            .map(|_| format!("w{}", draw(20_000)))
            .collect();
        let (user, group, label) = (draw(200_000), draw(5), draw(5));
        writeln!(
            file,
            "r{row},u{user},{},\"{}\",{}",
            GROUPS[group as usize],
            words.join(" "),
            LABELS[label as usize]
        )
        .unwrap();
    }
    file.flush().unwrap();
}

/// A size in the process's status, in KiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
