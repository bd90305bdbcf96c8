use std::collections::BTreeSet;
use std::fmt::Write as _;

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::compare::{RunComparison, SeedSpread};
use super::fixture::{NASTY, NASTY_GROUP, events, run};
use shiftproof_search::event::{AuditedPrompt, Event, Phase};

use super::*;
use crate::failures::{AnswerState, FailingAnswer, WrongFields};

fn one() -> Vec<NamedRun> {
    vec![run("reviews-s1-1", "gpo", 1, 0.06)]
}

fn several() -> Vec<NamedRun> {
    vec![
        run("reviews-s1-1", "gpo", 1, 0.06),
        run("reviews-s2-1", "gpo", 2, 0.02),
        run("reviews-s1-2", "ape", 1, -0.07),
    ]
}

/// A page as a browser reads it.
fn parse(html: &str) -> RcDom {
    let options = ParseOpts::default();
    let dom = parse_document(RcDom::default(), options).one(html);
    assert!(dom.errors.borrow().is_empty(), "{:?}", dom.errors);
    dom
}

fn walk(node: &Handle, visit: &mut impl FnMut(&Handle, &str)) {
    if let NodeData::Element { name, .. } = &node.data {
        visit(node, &name.local);
    }
    for child in node.children.borrow().iter() {
        walk(child, visit);
    }
}

fn text(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => node.children.borrow().iter().map(text).collect(),
    }
}

fn attribute(node: &Handle, wanted: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else {
        return None;
    };
    let attrs = attrs.borrow();
    let found = attrs.iter().find(|attr| &*attr.name.local == wanted);
    found.map(|attr| attr.value.to_string())
}

/// Headings, tables, charts and prompts in reading order.
pub(crate) fn outline(html: &str) -> String {
    let mut out = String::new();
    walk(&parse(html).document, &mut |node, name| {
        let shown = match name {
            "h1" | "h2" | "h3" | "p" | "pre" | "dt" | "dd" | "li" | "summary" | "caption"
            | "figcaption" => text(node),
            "tr" => {
                let cells = node.children.borrow();
                cells.iter().map(text).collect::<Vec<_>>().join(" | ")
            }
            "svg" => attribute(node, "aria-label").unwrap_or_default(),
            _ => return,
        };
        let shown: Vec<&str> = shown.split_whitespace().collect();
        if !shown.is_empty() {
            let _ = writeln!(out, "{name}: {}", shown.join(" "));
        }
    });
    out
}

#[test]
fn page_reads_in_order() {
    insta::assert_snapshot!("page", outline(&html::report(&one())));
}

#[test]
fn several_runs_are_compared_first() {
    let page = outline(&html::report(&several()));
    let (comparison, _) = page.split_once("h2: reviews-s1-1").unwrap();
    insta::assert_snapshot!("comparison_page", comparison);
    let markdown = markdown::report(&several());
    let (comparison, _) = markdown.split_once("\n### ").unwrap();
    insta::assert_snapshot!("comparison_markdown", comparison);
    let text = render(ReportFormat::Text, &several()).unwrap();
    insta::assert_snapshot!("comparison_text", text.split_once("\n==").unwrap().0);
}

#[test]
fn markdown_reads_in_order() {
    insta::assert_snapshot!("markdown", markdown::report(&one()));
}

/// Fails unless the page is valid, complete in itself, and in order.
pub(crate) fn check_page(page: &str) {
    let dom = parse(page);
    let (mut headings, mut ids) = (Vec::new(), BTreeSet::new());
    walk(&dom.document, &mut |node, name| {
        for forbidden in ["src", "srcset", "data", "action", "onclick", "onload"] {
            assert_eq!(attribute(node, forbidden), None, "{name}");
        }
        if let Some(href) = attribute(node, "href") {
            assert!(href.starts_with('#'), "{href}");
        }
        if let Some(id) = attribute(node, "id") {
            assert!(ids.insert(id.clone()), "the id {id} is used twice");
        }
        match name {
            "script" | "img" | "link" | "iframe" | "object" | "base" | "form" | "b" => {
                panic!("a page has no {name}")
            }
            "h1" | "h2" | "h3" => headings.push(name[1..].parse::<usize>().unwrap()),
            "th" => assert!(attribute(node, "scope").is_some(), "{}", text(node)),
            "svg" if attribute(node, "role").is_some() => {
                assert!(attribute(node, "aria-label").is_some());
            }
            _ => {}
        }
    });
    assert_eq!(headings.iter().filter(|level| **level == 1).count(), 1);
    assert!(
        headings.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "{headings:?}"
    );
    assert!(!page.contains("url(") && !page.contains("@import"));
}

#[test]
fn pages_are_valid_and_closed() {
    for runs in [one(), several()] {
        check_page(&html::report(&runs));
    }
}

#[test]
fn model_text_stays_text() {
    let page = html::report(&one());
    let mut prompts = Vec::new();
    walk(&parse(&page).document, &mut |node, name| {
        if name == "pre" {
            prompts.push(text(node));
        }
    });
    assert!(prompts[0].starts_with(NASTY), "{prompts:?}");
    // A title or style that ended early would leave its rest in the body.
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("<script").count(), 0);
    let markdown = markdown::report(&one());
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!(bars >= 4, "a cell broke its row: {line}");
    }
    // Outside code this would call everybody.
    for line in markdown.lines().filter(|line| line.contains("@everyone")) {
        assert!(line.contains("`` films <b>\\|`@everyone` ``"), "{line}");
    }
}

/// The fixture's run with one failing answer of the audit, whose texts try to break out.
fn failing() -> NamedRun {
    let answer = FailingAnswer {
        id: "row-7".into(),
        group: NASTY_GROUP.into(),
        state: AnswerState::Partly,
        score: Some(0.5),
        audited: true,
        input: NASTY.into(),
        label: Some("positive".into()),
        answer: Some("<img src=x>".into()),
        wrong: vec!["due".into()],
        reason: None,
        reply: Some("@everyone ```\n</details><b>no</b> \u{1b}[2J".into()),
    };
    let group = GroupFailures {
        group: NASTY_GROUP.into(),
        score: None,
        answers: 100,
        failing: 34,
        shown: vec![answer],
    };
    run("reviews-s1-1", "gpo", 1, 0.06).with_failures(vec![PromptFailures {
        prompt: fixture::selected().id(),
        is_seed: false,
        groups: vec![group],
        fields: WrongFields {
            read: 100,
            audited: true,
            wrong: vec![("due".into(), 30), ("<b>total</b>".into(), 4)],
        },
    }])
}

#[test]
fn failing_examples_are_folded_and_harmless() {
    let page = render(ReportFormat::Html, &[failing()]).unwrap();
    check_page(&page);
    let shown = outline(&page);
    let (_, shown) = shown.split_once("h2: Where it fails").unwrap();
    let (shown, _) = shown.split_once("h2:").unwrap();
    insta::assert_snapshot!("failing_page", shown);
    let markdown = render(ReportFormat::Markdown, &[failing()]).unwrap();
    let at = markdown.find("<details><summary>Selected prompt").unwrap();
    let (shown, _) = markdown[at..]
        .split_once("</details>\n\n<details>")
        .unwrap();
    insta::assert_snapshot!("failing_markdown", shown);
    for report in [page, markdown] {
        assert!(!report.contains('\u{1b}'));
    }
}

#[test]
fn fence_outgrows_its_text() {
    let markdown = markdown::report(&one());
    assert!(markdown.contains("\n````diff\n"), "{markdown}");
    assert!(markdown.contains("+ Review: ```fine```"), "{markdown}");
}

#[test]
fn same_events_give_same_bytes() {
    for form in [
        ReportFormat::Text,
        ReportFormat::Json,
        ReportFormat::Markdown,
        ReportFormat::Html,
    ] {
        assert_eq!(
            render(form, &several()).unwrap(),
            render(form, &several()).unwrap()
        );
    }
}

#[test]
fn report_works_at_any_moment() {
    let all = events("gpo", 1, 0.06);
    for told in 0..=all.len() {
        let runs = [NamedRun::new("live", RunSummary::of(&all[..told]))];
        parse(&html::report(&runs));
        markdown::report(&runs);
        render(ReportFormat::Json, &runs).unwrap();
    }
    let begun = RunSummary::of(&all[..8]);
    assert_eq!(begun.verdict().tone, VerdictTone::Open);
}

#[test]
fn verdicts_follow_intervals() {
    let tone = |gain| run("x", "gpo", 1, gain).summary.verdict().tone;
    assert_eq!(tone(0.06), VerdictTone::Better);
    assert_eq!(tone(0.02), VerdictTone::WithinChance);
    assert_eq!(tone(-0.02), VerdictTone::NotBetter);
    assert_eq!(tone(-0.06), VerdictTone::Worse);
}

/// The fixture's run with an audit of these groups alone.
fn audited_on(groups: &[&str], gain: f64) -> NamedRun {
    let mut events = events("gpo", 1, gain);
    for event in &mut events {
        match event {
            Event::Started(started) => {
                for group in &mut started.groups {
                    if !groups.contains(&group.name.as_str()) {
                        group.audit = 0;
                    }
                }
            }
            Event::Audited { groups: scores, .. } => {
                scores.retain(|score| groups.contains(&score.group.as_str()));
            }
            Event::Compared { groups: rows, .. } => {
                rows.retain(|row| groups.contains(&row.group.as_str()));
            }
            _ => {}
        }
    }
    if groups.is_empty() {
        events.retain(|event| !matches!(event, Event::Audited { .. } | Event::Compared { .. }));
    }
    NamedRun::new("reviews-s1-1", RunSummary::of(&events))
}

/// Whatever the form, it says what nothing verified, and what to do.
#[track_caller]
fn every_form_says(run: &NamedRun, pieces: &[&str]) {
    for form in [
        ReportFormat::Text,
        ReportFormat::Markdown,
        ReportFormat::Html,
        ReportFormat::Json,
    ] {
        let text = render(form, std::slice::from_ref(run)).unwrap();
        for piece in pieces {
            assert!(
                text.contains(piece),
                "{piece:?} is not in {form:?}:\n{text}"
            );
        }
    }
}

#[test]
fn every_form_says_unverified() {
    for gain in [0.06, 0.02, -0.02] {
        let run = audited_on(&["books"], gain);
        assert_eq!(
            run.summary.verdict().tone,
            VerdictTone::Unverified,
            "{gain}"
        );
        every_form_says(
            &run,
            &["nverified on", "songs", "Label about 100 rows a group"],
        );
        let text = run.summary.text();
        assert!(
            text.contains("nothing on the target was measured"),
            "{text}"
        );
        assert!(!text.contains("worst target"), "{text}");
        assert_eq!(
            run.summary.worst_of(AuditedPrompt::Selected).map(|g| g.n),
            None
        );
    }
    // That it harms the source is known all the same.
    assert_eq!(
        audited_on(&["books"], -0.06).summary.verdict().tone,
        VerdictTone::Worse
    );

    let run = audited_on(&[], 0.06);
    assert_eq!(run.summary.verdict().tone, VerdictTone::Unverified);
    every_form_says(&run, &["nverified on", "songs", "keep groups.audit"]);

    let run = audited_on(&["books", NASTY_GROUP], 0.06);
    let verdict = run.summary.verdict();
    assert_eq!(verdict.tone, VerdictTone::Better);
    assert_eq!(
        verdict.sentence,
        "better on the worst audited target group, beyond chance; unverified on songs"
    );
    every_form_says(&run, &["nverified on songs"]);
    let whole = &one()[0];
    assert!(whole.summary.unverified.is_empty() && !whole.summary.text().contains("nverified"));
}

#[test]
fn targetless_run_says_so() {
    let mut events = events("ape", 1, 0.06);
    for event in &mut events {
        if let Event::Started(started) = event {
            started
                .groups
                .retain(|group| group.role == GroupRole::Source);
        }
    }
    let run = NamedRun::new("plain", RunSummary::of(&events));
    assert_eq!(run.summary.verdict().tone, VerdictTone::Better);
    every_form_says(&run, &["there is no target group"]);
    assert!(!run.summary.text().contains("nverified"));
}

#[test]
fn losing_group_is_named() {
    let runs = [run("x", "gpo", 1, -0.06)];
    let markdown = markdown::report(&runs);
    assert!(
        markdown.contains("**Worse beyond chance** on `` films"),
        "{markdown}"
    );
    assert!(outline(&html::report(&runs)).contains("p: Worse beyond chance on films"));
    assert!(!markdown::report(&one()).contains("Worse beyond chance"));
}

#[test]
fn spread_is_best_less_worst() {
    let summary = &one()[0].summary;
    let near = |value: Option<f64>, wanted: f64| value.is_some_and(|v| (v - wanted).abs() < 1e-12);
    assert!(near(summary.audited[0].spread, 0.1));
    assert!(near(summary.audited[1].spread, 0.12));
    let text = summary.text();
    let line = text
        .lines()
        .find(|line| line.starts_with("spread over groups"));
    let cells: Vec<&str> = line.unwrap().split_whitespace().skip(3).collect();
    assert_eq!(cells, ["10.0", "12.0", "-", "12.0"]);
    let groups = &summary.audited[0].groups;
    // Of errors of 1 / 0.7 − 1 and 1 / 0.6 − 1, kept as 0.7 and 0.6.
    assert_eq!(spread_as("rmse", groups).as_deref(), Some("0.238"));
    // Of one group there is none.
    assert_eq!(spread(&groups[..1]), None);
}

#[test]
fn answers_count_in_first_phase() {
    let summary = &one()[0].summary;
    let answers: Vec<(Phase, u64)> = summary
        .phases
        .iter()
        .map(|phase| (phase.phase, phase.answers))
        .collect();
    assert_eq!(
        answers,
        [
            (Phase::Propose, 0),
            (Phase::Screen, 70),
            (Phase::Vote, 8),
            // Two prompts were asked 40 and 30 of the 60 before.
            (Phase::Refine, 60 + 20 + 30),
            (Phase::Final, 180),
            // Seed, selected and the one other of the ensemble.
            (Phase::Audit, 900),
        ]
    );
}

#[test]
fn means_cover_one_method() {
    let comparison = RunComparison::of(&several());
    let labels: Vec<&str> = comparison
        .rows
        .iter()
        .map(|row| row.label.as_str())
        .collect();
    assert_eq!(labels, ["seed prompt", "gpo", "ape"]);
    let gain = comparison.rows[1].gain.unwrap();
    assert!((gain.mean - 0.04).abs() < 1e-12, "{gain:?}");
    assert!((gain.sd.unwrap() - 0.02 * 2.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(comparison.rows[2].gain.unwrap().sd, None);
    assert_eq!(comparison.rows[0].gain, None);
    assert!(comparison.cautions.is_empty(), "{:?}", comparison.cautions);
    assert_eq!(SeedSpread::of([]), None);
}

#[test]
fn incomparable_runs_are_named() {
    let mut runs = several();
    runs[1] = run("again", "gpo", 1, 0.06);
    let mut open = events("ape", 3, 0.0);
    open.truncate(10);
    if let Some(Event::Started(started)) = open.first_mut() {
        started.task_model = "another".into();
    }
    runs.push(NamedRun::new("open", RunSummary::of(&open)));
    let cautions = RunComparison::of(&runs).cautions.join("\n");
    for piece in ["different task models", "same seed", "in no mean: open"] {
        assert!(cautions.contains(piece), "{cautions}");
    }
}

#[test]
fn file_ending_decides_form() {
    let of = |path: &str| ReportFormat::of(std::path::Path::new(path));
    assert_eq!(of("a.html").unwrap(), ReportFormat::Html);
    assert_eq!(of("a.md").unwrap(), ReportFormat::Markdown);
    let failure = of("a.pdf").unwrap_err();
    assert!(failure.message.contains("a.pdf: use the ending .html"));
}

/// Commands in sentences are code, and a quote that does not pair is text.
#[test]
fn back_quotes_are_code_in_pages() {
    let shown = |text: &str| html::sentence(text).into_string();
    assert_eq!(
        shown("See `eval <x>` for it."),
        "See <code>eval &lt;x&gt;</code> for it."
    );
    assert_eq!(shown("`a` and `b`"), "<code>a</code> and <code>b</code>");
    assert_eq!(shown("a run`s name"), "a run`s name");
    let page = render(ReportFormat::Html, &[failing()]).unwrap();
    let text = page
        .split("<p class=\"note\">The weakest group")
        .nth(1)
        .unwrap();
    let (note, _) = text.split_once("</p>").unwrap();
    assert!(
        note.contains("<code>shiftproof eval --failures</code>") && !note.contains('`'),
        "{note}"
    );
}

/// The study file is named as it was given, and a judge with what it grades by.
#[test]
fn reports_name_study_and_judge() {
    let study = ReportedStudy {
        file: Some("studies/notes.toml".into()),
        judge: Some(study::ReportedJudge {
            model: "openai:large".into(),
            verdicts: "1 to 5, worth 0 to 1".into(),
            rubric: "Is it <kind>?".into(),
        }),
    };
    let run = run("reviews-s1-1", "gpo", 1, 0.06);
    let named = run.clone().of_study(study);
    let markdown = render(ReportFormat::Markdown, std::slice::from_ref(&named)).unwrap();
    let page = render(ReportFormat::Html, std::slice::from_ref(&named)).unwrap();
    for report in [&markdown, &page] {
        for piece in [
            "shiftproof optimize studies/notes.toml --method",
            "openai:large",
            "1 to 5",
        ] {
            assert!(report.contains(piece), "{piece}: {report}");
        }
        assert!(!report.contains("STUDY.toml"));
    }
    assert!(page.contains("Is it &lt;kind&gt;?"));
    let unnamed = render(ReportFormat::Html, std::slice::from_ref(&run)).unwrap();
    assert!(unnamed.contains("STUDY.toml is the study") && !unnamed.contains("rubric"));
}

/// Labelled target examples have a column where there are some.
#[test]
fn labelled_target_examples_are_counted() {
    let mut run = run("reviews-s1-1", "gpo", 1, 0.06);
    let column = "<th scope=\"col\">labelled</th>";
    let page = |run: &NamedRun| render(ReportFormat::Html, std::slice::from_ref(run)).unwrap();
    assert!(!page(&run).contains(column));
    if let Some(started) = &mut run.summary.started {
        started.groups[1].labelled = 37;
    }
    let shown = page(&run);
    assert!(shown.contains(column) && shown.contains("<td>37</td>"));
}
