//! Decisions on made-up grades, in every form.

mod agree;

use serde_json::Value;
use shiftproof_search::event::{GroupInfo, GroupOutcome, GroupRole};
use shiftproof_search::stats::{ClusteredSample, rng::SplitMix};
use shiftproof_tasks::Prompt;

use super::decide::{DecisionEvidence, judge};
use super::prompts::NamedPrompt;
use super::{
    GateAudit, GateCriteria, GateDecision, GateFormat, GateMode, GateReport, GroupThreshold,
    PromptLocation,
};
use crate::exit::ExitStatus;

const GROUPS: [(&str, GroupRole); 3] = [
    ("books", GroupRole::Source),
    ("films|new", GroupRole::Target),
    ("tweets", GroupRole::Target),
];

fn demand() -> GateCriteria {
    GateCriteria {
        proof: shiftproof_search::stats::GroupProof::Each,
        objective: "soft-min".into(),
        alpha: 0.05,
        level: 0.05,
        tolerance: 0.02,
        replicates: 2_000,
        min_worst: None,
        min_groups: Vec::new(),
    }
}

/// A report on prompts that are right with these chances per group, `n` examples
/// each; the first is the incumbent.
fn report(mode: GateMode, demand: GateCriteria, n: usize, chances: &[[f64; 3]]) -> GateReport {
    let mut rng = SplitMix::new(7);
    let mut sample = ClusteredSample::new(chances.len(), 3);
    let mut sums = vec![[0.0; 3]; chances.len()];
    for group in 0..3 {
        for example in 0..n {
            let shared = rng.unit();
            let row: Vec<f64> = chances
                .iter()
                .map(|chance| {
                    let own = if rng.unit() < 0.8 { shared } else { rng.unit() };
                    f64::from(u8::from(own < chance[group]))
                })
                .collect();
            assert!(sample.push(group, (group * n + example) as u64, &row));
            for (sum, grade) in sums.iter_mut().zip(&row) {
                sum[group] += grade;
            }
        }
    }
    let scores = |at: usize| -> Vec<GroupOutcome> {
        let group = |(number, (name, role)): (usize, &(&str, GroupRole))| GroupOutcome {
            group: (*name).to_owned(),
            role: *role,
            voted: false,
            value: Some(sums[at][number] / n as f64),
            low: Some(0.5),
            high: Some(0.9),
            n,
            unparseable: usize::from(at == 1),
            truncated: 0,
            failed: 0,
        };
        GROUPS.iter().enumerate().map(group).collect()
    };
    let texts = [
        "Is this <good> or bad?",
        "Say whether the text is good or bad.",
        "Good? Bad?",
    ];
    let contenders = (0..chances.len())
        .map(|at| {
            let named = NamedPrompt {
                prompt: Prompt::new(texts[at]),
                origin: if at == 0 {
                    "study.toml:7".into()
                } else {
                    format!("prompts/p{at}.txt")
                },
                place: Some(PromptLocation {
                    file: if at == 0 {
                        "study.toml".into()
                    } else {
                        format!("prompts/p{at}.txt")
                    },
                    line: if at == 0 { 7 } else { 1 },
                }),
            };
            named.contend(scores(at))
        })
        .collect();
    let groups = GROUPS.map(|(name, role)| GroupInfo {
        name: name.into(),
        role,
        train: 0,
        validation: 0,
        labelled: 0,
        unlabelled: 0,
        audit: n,
    });
    judge(DecisionEvidence {
        study: "mock",
        mode,
        model: "openai:mock",
        metric: "accuracy",
        demand,
        audit: GateAudit {
            fingerprint: "0123456789abcdef0123456789abcdef".into(),
            examples: 3 * n,
            labels_read: 3 * n as u64,
            target_labels_read: 2 * n as u64,
            openings: 1,
            questions: 1,
        },
        groups: &groups,
        contenders,
        incumbent_model: None,
        sample: &sample,
        dropped: 0,
        unusable: shiftproof_search::unusable::AnswerSurvey::default(),
        notes: vec!["A note with <markup> & more.".into()],
    })
}

const EQUAL: [f64; 3] = [0.7, 0.7, 0.7];
const BETTER: [f64; 3] = [0.85, 0.85, 0.85];
const WORSE: [f64; 3] = [0.8, 0.5, 0.7];

#[test]
fn decisions_and_their_exit_codes() {
    let check = |report: &GateReport, ruling: GateDecision, exit: ExitStatus| {
        assert_eq!(report.decision, ruling, "{}", report.text());
        assert_eq!(report.decision.exit(), exit);
    };
    let ship = |chances: &[[f64; 3]]| report(GateMode::Ship, demand(), 300, chances);
    check(
        &ship(&[EQUAL, BETTER]),
        GateDecision::Ship,
        ExitStatus::Done,
    );
    check(
        &ship(&[EQUAL, EQUAL]),
        GateDecision::NoSignificantWinner,
        ExitStatus::NoWinner,
    );
    check(
        &ship(&[EQUAL, WORSE]),
        GateDecision::Regressed,
        ExitStatus::Below,
    );
    check(
        &ship(&[EQUAL, WORSE, EQUAL]),
        GateDecision::NoSignificantWinner,
        ExitStatus::NoWinner,
    );
    let both = ship(&[EQUAL, WORSE, BETTER]);
    check(&both, GateDecision::Ship, ExitStatus::Done);
    assert_eq!(
        both.winner().unwrap().contender.prompt.instruction,
        "Good? Bad?"
    );
    check(&ship(&[EQUAL]), GateDecision::Measured, ExitStatus::Done);

    let guard = |chances: &[[f64; 3]]| report(GateMode::Guard, demand(), 300, chances);
    check(
        &guard(&[EQUAL, EQUAL]),
        GateDecision::Holds,
        ExitStatus::Done,
    );
    check(
        &guard(&[EQUAL, BETTER]),
        GateDecision::Holds,
        ExitStatus::Done,
    );
    check(
        &guard(&[EQUAL, WORSE]),
        GateDecision::Regressed,
        ExitStatus::Below,
    );
}

#[test]
fn bars_hold_in_both_modes() {
    let bar = |score: f64| GateCriteria {
        min_groups: vec![GroupThreshold {
            group: "tweets".into(),
            score,
        }],
        ..demand()
    };
    let worst = GateCriteria {
        min_worst: Some(0.95),
        ..demand()
    };
    for mode in [GateMode::Ship, GateMode::Guard] {
        let got = report(mode, bar(0.95), 300, &[EQUAL, BETTER]);
        assert_eq!(got.decision, GateDecision::BelowBar, "{}", got.reason);
        assert!(got.reason.contains("tweets has"), "{}", got.reason);
        assert!(got.winner().is_none());
        let got = report(mode, worst.clone(), 300, &[EQUAL, BETTER]);
        assert_eq!(got.decision, GateDecision::BelowBar);
        let got = report(mode, bar(0.6), 300, &[EQUAL, BETTER]);
        assert_eq!(got.decision.exit(), ExitStatus::Done);
    }
    let alone = report(GateMode::Ship, worst, 300, &[EQUAL]);
    assert_eq!(alone.decision, GateDecision::BelowBar);
}

#[test]
fn what_would_decide_is_said() {
    let got = report(GateMode::Ship, demand(), 60, &[[0.6; 3], [0.7; 3]]);
    assert_eq!(got.decision, GateDecision::NoSignificantWinner);
    let needed = got.candidates[0].needed.unwrap();
    assert!(needed > 60, "{needed}");
    assert!(
        got.reason
            .contains(&format!("About {needed} audit examples per group (now 60)"))
    );
}

#[test]
fn text_is_as_recorded() {
    insta::assert_snapshot!(
        "text",
        report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE]).text()
    );
    insta::assert_snapshot!(
        "text_alone",
        report(GateMode::Ship, demand(), 300, &[EQUAL]).text()
    );
}

#[test]
fn markdown_is_as_recorded() {
    let got = report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE]);
    insta::assert_snapshot!("markdown", got.markdown());
}

#[test]
fn junit_is_well_formed() {
    let hostile = || {
        let mut got = report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE, BETTER]);
        got.candidates[0].contender.origin = "a\u{1}\"<&>\n".into();
        got
    };
    let text = hostile().junit().unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let suites: Vec<_> = root
        .children()
        .filter(roxmltree::Node::is_element)
        .collect();
    assert_eq!(suites.len(), 2);
    assert_eq!(suites[0].attribute("name"), Some("mock (a\u{FFFD}\"<&> )"));
    for suite in &suites {
        let cases: Vec<_> = suite
            .children()
            .filter(|n| n.has_tag_name("testcase"))
            .collect();
        let failed = |name: &str| {
            cases
                .iter()
                .filter(|c| c.children().any(|n| n.has_tag_name(name)))
                .count()
                .to_string()
        };
        assert_eq!(
            suite.attribute("tests"),
            Some(cases.len().to_string().as_str())
        );
        assert_eq!(
            suite.attribute("failures"),
            Some(failed("failure").as_str())
        );
        assert_eq!(suite.attribute("errors"), Some("0"));
        assert!(
            cases
                .iter()
                .all(|c| c.attribute("classname") == Some("shiftproof.mock"))
        );
    }
    let of = |at: usize, name: &str| suites[at].attribute(name).unwrap();
    assert_eq!(
        of(0, "failures"),
        "0",
        "another one ships, so this is no failure"
    );
    assert_ne!(of(0, "skipped"), "0");
    assert_eq!((of(1, "failures"), of(1, "skipped")), ("0", "0"));
    let alone = report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE])
        .junit()
        .unwrap();
    let document = roxmltree::Document::parse(&alone).unwrap();
    assert_ne!(document.root_element().attribute("failures"), Some("0"));
    assert_eq!(root.attribute("tests"), Some("8"));
}

#[test]
fn sarif_points_at_prompt() {
    let got = report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE]).sarif();
    let result = &got["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "group-regressed");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "prompts/p1.txt");
    assert_eq!(place["region"]["startLine"], 1);
    assert_eq!(result["level"], "error");
    let passed_over = report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE, BETTER]).sarif();
    assert_eq!(passed_over["runs"][0]["results"][0]["level"], "note");
    let fine = report(GateMode::Ship, demand(), 300, &[EQUAL, BETTER]).sarif();
    assert_eq!(fine["runs"][0]["results"], Value::Array(Vec::new()));
    for (index, rule) in got["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let wrong = |r: &Value| r["ruleIndex"] == index && r["ruleId"] != rule["id"];
        assert!(
            !got["runs"][0]["results"]
                .as_array()
                .unwrap()
                .iter()
                .any(wrong)
        );
    }
}

#[test]
fn json_matches_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/schema/gate.json")).unwrap();
    for chances in [&[EQUAL, WORSE, BETTER][..], &[EQUAL, EQUAL], &[EQUAL]] {
        for mode in [GateMode::Ship, GateMode::Guard] {
            let got = report(mode, demand(), 100, chances);
            let value: Value =
                serde_json::from_str(&got.render(GateFormat::Json).unwrap()).unwrap();
            assert_eq!(
                schema_faults(&schema, &schema, &value, "$"),
                Vec::<String>::new()
            );
        }
    }
    // The checker is no rubber stamp.
    let good =
        serde_json::to_value(report(GateMode::Ship, demand(), 50, &[EQUAL, BETTER])).unwrap();
    let faults = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        schema_faults(&schema, &schema, &value, "$").len()
    };
    assert_eq!(faults(&|_| {}), 0);
    assert_eq!(faults(&|v| v["more"] = 1.into()), 1);
    assert_eq!(faults(&|v| v["decision"] = "maybe".into()), 1);
    assert_eq!(faults(&|v| v["candidates"][0]["robust"]["p"] = 2.into()), 1);
    assert_eq!(faults(&|v| v["audit"]["fingerprint"] = "xyz".into()), 1);
    assert_eq!(
        faults(&|v| drop(v["audit"].as_object_mut().unwrap().remove("examples"))),
        1
    );
}

/// The keywords of JSON Schema that `docs/schema/gate.json` uses; any other is a
/// fault of its own, so that the schema cannot outgrow its check.
fn schema_faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let rules = schema.as_object().unwrap();
    for (keyword, rule) in rules {
        let ok = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                faults.extend(schema_faults(root, root.pointer(path).unwrap(), value, at));
                true
            }
            "type" => {
                let names = rule
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![rule.clone()]);
                names.iter().any(|name| is_a(value, name.as_str().unwrap()))
            }
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|v| v >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|v| v <= rule.as_f64().unwrap()),
            "pattern" => {
                assert_eq!(rule, "^[0-9a-f]{32}$");
                let text = value.as_str().unwrap_or_default();
                text.len() == 32
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            "oneOf" => {
                let fits = rule.as_array().unwrap().iter();
                fits.filter(|one| schema_faults(root, one, value, at).is_empty())
                    .count()
                    == 1
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    faults.extend(schema_faults(root, rule, item, &format!("{at}[{index}]")));
                }
                true
            }
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|k| value.get(k.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = rules["properties"].as_object().unwrap();
                value
                    .as_object()
                    .is_none_or(|o| o.keys().all(|key| known.contains_key(key)))
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(key) {
                        faults.extend(schema_faults(root, rule, inner, &format!("{at}.{key}")));
                    }
                }
                true
            }
            other => panic!("{at}: the check does not know the keyword {other}"),
        };
        if !ok {
            faults.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    faults
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no type {other}"),
    }
}
