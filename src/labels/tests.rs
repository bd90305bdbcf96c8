use super::*;

fn label(id: &str, text: &str, label: &str, draw: LabelDraw) -> HandLabel {
    HandLabel {
        input: Input::new(id, "chat").with_field("text", text),
        label: label.into(),
        draw,
        reason: "drawn at random".into(),
        place: String::new(),
    }
}

fn file() -> (tempfile::TempDir, LabelFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = LabelFile::beside(folder.path(), "tickets");
    (folder, file)
}

#[test]
fn labels_come_back_whole() {
    let (_folder, file) = file();
    assert_eq!(file.pin().unwrap(), None);
    let given = [
        label("a", "two\nlines, \"quoted\"", "orders", LabelDraw::Random),
        label("b", "ä; b", "account", LabelDraw::Chosen),
    ];
    file.add(&given[..1]).unwrap();
    let before = file.add(&given[1..]).unwrap();
    let mut read = file.read().unwrap();
    assert!(
        read[1].place.ends_with("tickets.labels.csv:4"),
        "{}",
        read[1].place
    );
    for label in &mut read {
        label.place.clear();
    }
    assert_eq!(read, given);
    file.take_back(before).unwrap();
    assert_eq!(file.read().unwrap().len(), 1);
}

#[test]
fn pins_hold_their_labels() {
    let (_folder, file) = file();
    file.add(&[label("a", "x", "orders", LabelDraw::Random)])
        .unwrap();
    let pin = file.pin().unwrap().unwrap();
    // More labels, or other line ends: the first are the same.
    file.add(&[label("b", "y", "account", LabelDraw::Random)])
        .unwrap();
    let text = std::fs::read_to_string(&file.path).unwrap();
    std::fs::write(&file.path, text.replace('\n', "\r\n")).unwrap();
    assert_eq!(file.pinned(Some(&pin)).unwrap().len(), 1);
    assert!(file.pinned(None).unwrap().is_empty());
    std::fs::write(&file.path, text.replace("orders", "account")).unwrap();
    let error = file.pinned(Some(&pin)).unwrap_err();
    assert!(
        error.message.contains("not those that the run began with"),
        "{error}"
    );
    std::fs::remove_file(&file.path).unwrap();
    assert!(file.pinned(Some(&pin)).is_err());
}

#[test]
fn hand_edits_are_checked() {
    let (_folder, file) = file();
    let check = |lines: &str, expected: &str| {
        let text = format!("id,group,label,drawn,reason,input.text\n{lines}");
        std::fs::write(&file.path, text).unwrap();
        let error = file.read().unwrap_err();
        assert!(error.message.contains(expected), "{error}");
    };
    check(
        "a,chat,orders,random,,x\na,chat,account,random,,x\n",
        "tickets.labels.csv:3: \"a\" is labelled already at",
    );
    check("a,chat,,random,,x\n", "tickets.labels.csv:2: no label");
    check("a,chat,orders,maybe,,x\n", "drawn is \"maybe\"");
    check(
        ",chat,orders,random,,x\n",
        "nothing stands in the column \"id\"",
    );
    // Without a last line end: the next label gets a line of its own.
    std::fs::write(
        &file.path,
        "id,group,label,drawn,reason,input.text\na,chat,orders,random,,x",
    )
    .unwrap();
    file.add(&[label("b", "y", "account", LabelDraw::Random)])
        .unwrap();
    assert_eq!(file.read().unwrap().len(), 2);
}

#[test]
fn moved_rows_are_found() {
    let row = |id: &str, text: &str| Input::new(id, "chat").with_field("text", text);
    let rows = [
        row("f:2", "new"),
        row("f:3", "one"),
        row("f:4", "twice"),
        row("f:5", "twice"),
    ];
    let mut labels = [
        label("f:2", "one", "orders", LabelDraw::Random),
        label("f:3", "twice", "orders", LabelDraw::Random),
        label("gone", "gone", "orders", LabelDraw::Random),
        label("f:5", "twice", "orders", LabelDraw::Random),
    ];
    labels[1].place = "t.labels.csv:3".into();
    let taken = taken(&mut labels, &[], &rows);
    let ids: Vec<&str> = labels.iter().map(|label| label.input.id.as_str()).collect();
    assert_eq!(ids, ["f:3", "t.labels.csv:3", "gone", "f:5"]);
    assert_eq!(taken.len(), 4);
}

#[test]
fn import_tells_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("back.csv");
    let open: Vec<Input> = ["a1", "b1", "c1"]
        .map(|id| Input::new(id, "chat").with_field("text", format!("text {id}")))
        .to_vec();
    let known = [HandLabel {
        place: "tickets.labels.csv:2".into(),
        ..label("k1", "text k1", "orders", LabelDraw::Random)
    }];
    let form = AnswerForm::choice(["orders", "account"]);
    let ground = ImportGround {
        form: &|_| form.clone(),
        open: &open,
        sealed: &|id| id == "s1",
        known: &known,
    };
    let head = "id,group,label,drawn,reason,input.text\n";
    let check = |lines: &str, expected: &[&str]| {
        std::fs::write(&path, format!("{head}{lines}")).unwrap();
        let error = import(&path, &ground).unwrap_err();
        for part in expected {
            assert!(error.message.contains(part), "{error}\n  lacks {part}");
        }
    };
    check(
        "a1,chat,orderz,random,,text a1\nx1,chat,orders,random,,x\ns1,chat,orders,random,,x\n\
         b1,chat,orders,random,,other\nk1,chat,account,random,,text k1\nc1,mail,orders,,,text c1\n",
        &[
            "back.csv:2: \"orderz\" is no label; did you mean \"orders\"",
            "back.csv:3: there is no input \"x1\"",
            "back.csv:4: \"s1\" is an example of the sealed audit",
            "back.csv:5: input.text is not what the input says",
            "back.csv:6: \"k1\" is labelled \"orders\" at tickets.labels.csv:2, here \"account\"",
            "back.csv:7: there is no input \"c1\" in \"mail\"",
        ],
    );
    check(
        "a1,chat,orders,,,text a1\na1,chat,orders,,,text a1\n",
        &["back.csv:3: \"a1\" stands at"],
    );
    let lines = "a1,chat,account,random,r,text a1\nb1,chat,,random,r,text b1\n\
                 k1,chat,orders,random,,text k1\nc1,chat,orders,,,text c1\n";
    std::fs::write(&path, format!("{head}{lines}")).unwrap();
    let imported = import(&path, &ground).unwrap();
    assert_eq!((imported.blank, imported.same), (1, 1));
    let fresh: Vec<_> = imported
        .fresh
        .iter()
        .map(|l| (&*l.input.id, l.draw))
        .collect();
    assert_eq!(
        fresh,
        [("a1", LabelDraw::Random), ("c1", LabelDraw::Chosen)]
    );
}

#[test]
fn export_comes_back_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let wanted = [label("a", "=1+1, \"x\"\nnext", "", LabelDraw::Random)];
    let text = export(&wanted).unwrap();
    std::fs::write(&path, text.replace(",chat,,", ",chat,orders,")).unwrap();
    let form = AnswerForm::choice(["orders", "account"]);
    let open = [wanted[0].input.clone()];
    let imported = import(
        &path,
        &ImportGround {
            form: &|_| form.clone(),
            open: &open,
            sealed: &|_| false,
            known: &[],
        },
    )
    .unwrap();
    assert_eq!(imported.fresh[0].input, wanted[0].input);
    assert_eq!(imported.fresh[0].reason, "drawn at random");
}
