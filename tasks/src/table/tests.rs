use proptest::prelude::*;

use super::*;

/// Rows as `line column=value …`, or the error.
fn check(format: FileFormat, bytes: &[u8], expect: &str) {
    let shown = match DataTable::parse("f", format, bytes) {
        Ok(table) => {
            let rows = table.rows.iter().map(|row| {
                let values = row
                    .values
                    .iter()
                    .map(|(name, value)| format!(" {name}={value}"));
                format!("{}{}", row.line, values.collect::<String>())
            });
            rows.collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expect);
}

#[test]
fn json_lines() {
    let check = |bytes: &[u8], expect| check(FileFormat::JsonLines, bytes, expect);
    check(
        b"{\"a\": \"x\", \"n\": 4.5, \"b\": true}\n\n{\"a\": null, \"n\": 3}",
        "1 a=x b=true n=4.5\n3 a= n=3",
    );
    check(
        b"\xef\xbb\xbf{\"a\": \"x\"}\r\n{\"a\": \"y\"}\r\n",
        "1 a=x\n2 a=y",
    );
    check(b"", "f: the file holds no rows");
    check(b"\n \n", "f: the file holds no rows");
    check(
        b"{\"a\": \"x\"}\n{\"a\": \"\xff\"}",
        "f:2: not UTF-8 at byte 18 of the file; convert the file to UTF-8",
    );
    check(
        b"{\"a\": \"x\"",
        "f:1: EOF while parsing an object (column 9)",
    );
    check(
        b"{\"a\": 1, \"a\": 2}",
        "f:1: the key \"a\" occurs twice (column 16)",
    );
    check(
        b"hello\n\"x\"",
        "2 problems:\n  f:1: not a JSON object: expected value (column 1); \
         write one object per line, such as {\"text\": \"…\", \"label\": \"…\"}\n  \
         f:2: not a JSON object: invalid type: string \"x\", expected an object (column 3); \
         write one object per line, such as {\"text\": \"…\", \"label\": \"…\"}",
    );
}

#[test]
fn what_python_writes_is_read() {
    let check = |bytes: &[u8], expect| check(FileFormat::JsonLines, bytes, expect);
    check(
        b"{\"a\": NaN, \"t\": \"NaN, Infinity\", \"n\": -Infinity}\n{\"a\": 1, \"n\": Infinity}",
        "1 a= n=-Infinity t=NaN, Infinity\n2 a=1 n=Infinity",
    );
    check(b"{\"t\": \"a \\\" NaN\", \"a\": NaN}", "1 a= t=a \" NaN");
    check(b"{\"a\": NaNa}", "f:1: expected `,` or `}` (column 11)");
}

#[test]
fn object_array_is_read() {
    let check = |bytes: &[u8], expect| check(FileFormat::JsonLines, bytes, expect);
    check(
        b"\xef\xbb\xbf[\n  {\"a\": 1,\n   \"b\": NaN},\n  {\"a\": true}\n]\n",
        "2 a=1 b=\n4 a=true",
    );
    check(b" [{\"a\": 1}, {\"a\": 2}]", "1 a=1\n1 a=2");
    check(b"[]", "f: the file holds no rows");
    check(
        b"[{\"a\": 1},\n [2]]",
        "f:2: the array holds something else than objects; \
         write objects such as {\"text\": \"…\", \"label\": \"…\"}",
    );
    check(
        b"[{\"a\": 1}\n",
        "f:2: the array is not closed; the file may be cut off",
    );
    check(b"[{\"a\": 1},\n{\"a\" 1}]", "f:2: expected `:` (column 6)");
    check(
        b"[{\"a\": 1}]\n[{\"a\": 1}]",
        "f:1: text follows the array; write one object per line, or one array of objects",
    );
}

#[test]
fn every_line_end_counts() {
    check(
        FileFormat::Csv,
        b"a,b\r1,\"x\ry\"\r\n2,z\n3,w\r",
        "2 a=1 b=x\ny\n4 a=2 b=z\n5 a=3 b=w",
    );
    check(
        FileFormat::Tsv,
        b"a\tb\r1\tx\r\n\r2\ty",
        "2 a=1 b=x\n4 a=2 b=y",
    );
    check(
        FileFormat::JsonLines,
        b"{\"a\": 1}\r{\"a\": 2}\r\n{\"a\": 3}\n",
        "1 a=1\n2 a=2\n3 a=3",
    );
}

#[test]
fn separator_is_found() {
    let csv = |bytes: &[u8], expect| check(FileFormat::Csv, bytes, expect);
    csv(b"a;b\n1;\"x; y\"\n2,5;z\n", "2 a=1 b=x; y\n3 a=2,5 b=z");
    csv(b"a\tb\n1\t\"x\ty\"\n", "2 a=1 b=x\ty");
    csv(b"a|b\r\n1|x, y\r\n", "2 a=1 b=x, y");
    // A semicolon in a name or in texts makes no columns.
    csv(b"a,\"b;c\"\n1,x;y\n", "2 a=1 b;c=x;y");
    csv(
        b"a,b (x|y)\n1,x|y\n2,x\n",
        "2 a=1 b (x|y)=x|y\n3 a=2 b (x|y)=x",
    );
    // Broken rows do not change it.
    csv(
        b"a;b;c\n1;2;3\n1;2\n4;5;6\n",
        "f:3: 2 values for 3 columns; quote values that contain the separator",
    );
    csv(
        b"a,b;c\n1,2;3\n",
        "f: the header can be cut at ',' (2 columns) and at ';' (2 columns), and so can all rows; \
         save the file with one of them only, for example as .tsv",
    );
    csv(b"text\nhello; you\n", "2 text=hello; you");
    check(
        FileFormat::Tsv,
        b"a,b\n1,2\n",
        "f: the header has no tab; it looks separated by ','; give the file the ending .csv",
    );
}

#[test]
fn tsv_quotes_are_text() {
    let tsv = b"a\tb\n1\t\"never closed\n2\t\"a\" b\n3\t\"whole\"\n";
    check(
        FileFormat::Tsv,
        tsv,
        "2 a=1 b=\"never closed\n3 a=2 b=\"a\" b\n4 a=3 b=\"whole\"",
    );
    let table = DataTable::parse("f", FileFormat::Tsv, &tsv[..]).unwrap();
    assert_eq!(
        (table.files[0].quoted, table.files[0].delimiter),
        (1, Some('\t'))
    );
    check(
        FileFormat::Tsv,
        b"a\tb\n1\tx\ty\n",
        "f:2: 3 values for 2 columns; no value of a .tsv can hold a tab or a line end; \
         a .csv quotes such values",
    );
}

#[test]
fn text_behind_quote_is_refused() {
    check(
        FileFormat::Csv,
        b"a,b\n1,\"lamp\n2,\"kettle\"\n3,fine\n",
        "f:2: text follows the quotation mark that closes a value on line 3; \
         quote the whole value, and double quotation marks within it",
    );
    check(
        FileFormat::Csv,
        b"a;b\n1;\"Great\" she said\n2;x\n3\n",
        "f:2: text follows the quotation mark that closes a value; \
         quote the whole value, and double quotation marks within it",
    );
    // Spaces are let pass, and a mark within a value is text.
    check(
        FileFormat::Csv,
        b"a,b\n1,\"x\" \n2,5\" screen\n",
        "2 a=1 b=x \n3 a=2 b=5\" screen",
    );
}

#[test]
fn utf16_is_read() {
    let encode = |text: &str, low_first: bool, mark: bool| -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        let units = mark.encode_utf16().chain(text.encode_utf16());
        let bytes = |unit: u16| {
            if low_first {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        units.flat_map(bytes).collect()
    };
    let text = "id\ttext\r\n1\tcafé 😀\r\n";
    for (low_first, mark) in [(true, true), (false, true), (true, false), (false, false)] {
        check(
            FileFormat::Tsv,
            &encode(text, low_first, mark),
            "2 id=1 text=café 😀",
        );
    }
    let table = DataTable::parse("f", FileFormat::Csv, &encode(text, true, true)[..]).unwrap();
    assert!(table.files[0].utf16);
    let mut cut = encode(text, true, true);
    cut.pop();
    check(
        FileFormat::Tsv,
        &cut,
        "f: cannot be read: it is UTF-16 with half a character at its end; save it as UTF-8",
    );
    let lone = [encode("a\tb\n1\t", true, true), vec![0x00, 0xd8]].concat();
    check(
        FileFormat::Tsv,
        &lone,
        "f: cannot be read: it is UTF-16 with a broken character in line 2; save it as UTF-8",
    );
}

#[test]
fn unused_nested_values_pass() {
    let table = DataTable::parse(
        "f",
        FileFormat::JsonLines,
        &b"{\"a\": {\"b\": 1}, \"c\": \"x\"}"[..],
    );
    let table = table.unwrap();
    assert_eq!(table.columns(), BTreeSet::from(["a", "c"]));
    assert!(!table.rows[0].values.contains_key("a"));
}

#[test]
fn overlong_lines_are_skipped() {
    let mut bytes = vec![b'x'; MAX_RECORD + 10];
    bytes.extend(b"\n{\"a\": \"\xff\"}\n{\"a\": 1}");
    let error = DataTable::parse("f", FileFormat::JsonLines, bytes.as_slice()).unwrap_err();
    let places: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.place.as_str())
        .collect();
    assert_eq!(places, ["f:1", "f:2"]);
    assert!(error.problems()[0].what.contains("longer than 8 MiB"));
    let byte = MAX_RECORD + 10 + 1 + 7;
    assert!(
        error.problems()[1]
            .what
            .contains(&format!("byte {byte} of")),
        "{error}"
    );
}

#[test]
fn delimited_files_are_read() {
    let check = |bytes: &[u8], expect| check(FileFormat::Csv, bytes, expect);
    check(
        b"a,b\n1,\"x, y\"\n2,\"say \"\"hi\"\"\"\n",
        "2 a=1 b=x, y\n3 a=2 b=say \"hi\"",
    );
    // Lines are counted alike through quoted line ends, CRLF and blank lines.
    check(b"a,b\n1,\"x\ny\"\n2,z", "2 a=1 b=x\ny\n4 a=2 b=z");
    check(
        b"\xef\xbb\xbfa,b\r\n1,\"x\r\ny\"\r\n\r\n2,z\r\n",
        "2 a=1 b=x\ny\n5 a=2 b=z",
    );
    check(
        b"a,b\n1\n2,3,4\n5,6",
        "2 problems:\n  f:2: 1 values for 2 columns; quote values that contain the separator\n  \
         f:3: 3 values for 2 columns; quote values that contain the separator",
    );
    check(
        b"a,b\n1,2\n\n3,\"x\n5,6\n7,8\n",
        "f:4: a quote is opened in this row and never closed; \
         close it, or double it where it is part of the text",
    );
    check(
        b"a,b\n\"3,x\n5,6\n7,8\"\n9,10",
        "f:2: 1 values for 2 columns; is a quote opened on line 2 and closed only on line 4?",
    );
    check(
        b"a,b,a\n1,2,3",
        "f:1: the header names \"a\" twice; rename one of the columns",
    );
    check(
        b"a,b\n1,\xffx",
        "f:2: not UTF-8 at byte 0 of value 2; \
         convert the file to UTF-8 (in Excel: save as \"CSV UTF-8\")",
    );
    check(b"a,b\n", "f: the file holds no rows");
    check(b"", "f: the file holds no rows");
    super::tests::check(FileFormat::Tsv, b"a\tb\n1\tx, y\n", "2 a=1 b=x, y");
}

#[test]
fn mixed_formats_make_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.jsonl", "{\"x\": 1}\n");
    write("b.CSV", "x\n2\n");
    write("c.tsv", "x\n3\n");
    write("d.txt", "x\n");
    let table = DataTable::read(folder.path(), &["a.jsonl", "b.CSV", "c.tsv"]).unwrap();
    let rows: Vec<_> = table
        .rows
        .iter()
        .map(|r| format!("{} {}", r.place(), &r.values["x"]))
        .collect();
    assert_eq!(rows, ["a.jsonl:1 1", "b.CSV:2 2", "c.tsv:2 3"]);

    let error = DataTable::read(folder.path(), &["d.txt", "none.csv"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "d.txt: the extension tells no known format; use .jsonl, .json, .csv or .tsv"
        ),
        "{error}"
    );
    assert!(error.contains("none.csv: cannot be read"), "{error}");
    assert!(
        error.contains("relative to the study file's folder"),
        "{error}"
    );
    let none: [&str; 0] = [];
    assert!(DataTable::read(folder.path(), &none).is_err());
}

#[test]
fn many_problems_are_counted() {
    // Each of its own: what many rows share is one problem.
    let keys = ('a'..='z').chain('A'..='X');
    let lines: Vec<String> = keys
        .map(|key| format!("{{\"{key}\": 1, \"{key}\": 2}}\n"))
        .collect();
    let error =
        DataTable::parse("f", FileFormat::JsonLines, lines.concat().as_bytes()).unwrap_err();
    assert_eq!(
        (error.problems().len(), error.omitted()),
        (DataError::SHOWN, 30),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with("50 problems:") && text.ends_with("and 30 more"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [FileFormat::JsonLines, FileFormat::Csv, FileFormat::Tsv] {
            let _ = DataTable::parse("f", format, bytes.as_slice());
        }
    }

    #[test]
    fn written_csv_is_read(
        values in prop::collection::vec("[a\",;|\n\t é]{1,6}", 1..8),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(["v", "w"]).unwrap();
        for value in &values {
            writer.write_record([value, "x"]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let table = DataTable::parse("f", FileFormat::Csv, bytes.as_slice()).unwrap();
        let read: Vec<_> = table.rows.iter().map(|row| row.values["v"].to_owned()).collect();
        prop_assert_eq!(read, values);
    }
}
