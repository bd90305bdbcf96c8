use super::*;
use crate::event::Phase;
use crate::fit::fitted;
use crate::plan::plan;
use crate::simulate::{SimulatedTask, SimulatedWorld};

fn all() -> Vec<Arc<dyn SearchMethod>> {
    let registry = MethodRegistry::default();
    registry
        .names()
        .map(|name| registry.get(name).unwrap())
        .collect()
}

fn counts() -> DataCounts {
    DataCounts {
        train: 36,
        validation: 60,
        target_inputs: 100,
        labelled_target: 0,
    }
}

#[test]
fn plans_give_away_everything_once() {
    for rounds in [0, 1, 3] {
        let spec = SearchSpec {
            rounds,
            ..SearchSpec::default()
        };
        for method in all() {
            let planned = method.plan(&spec, &counts());
            let name = method.name();
            assert_eq!(planned.fault(), None, "{name}");
            let shares = planned.steps.iter();
            let shares: f64 = shares.map(|step| step.times as f64 * step.share).sum();
            let all = shares + planned.final_share;
            // Without a round its share is left unspent.
            let idle = planned
                .step(Phase::Refine)
                .is_some_and(|step| step.times == 0);
            let expected = if idle { 0.8 } else { 1.0 };
            assert!((all - expected).abs() < 1e-9, "{name}: {all}");
        }
    }
}

#[test]
fn unknown_names_list_known() {
    let registry = MethodRegistry::default();
    let told = |name: &str| registry.get(name).err().unwrap().to_string();
    let names: Vec<&str> = registry.names().collect();
    let there = format!("there is {}", names.join(", "));
    assert_eq!(told("gpoo"), format!("{there}; did you mean \"gpo\"?"));
    assert_eq!(told("bayes"), there);
}

#[test]
fn registered_methods_replace_by_name() {
    struct Other;
    #[async_trait]
    impl SearchMethod for Other {
        fn name(&self) -> &'static str {
            "ape"
        }

        fn needs_target(&self) -> bool {
            true
        }

        fn plan(&self, spec: &SearchSpec, data: &DataCounts) -> MethodPlan {
            Ape.plan(spec, data)
        }

        async fn search(
            &self,
            context: &mut SearchContext<'_>,
        ) -> Result<Vec<CandidateIndex>, RunError> {
            Ok(context.candidates())
        }
    }
    let registry = MethodRegistry::default().with(Arc::new(Other));
    assert_eq!(registry.names().filter(|name| *name == "ape").count(), 1);
    assert!(registry.get("ape").unwrap().needs_target());
}

#[test]
fn plans_show_what_is_asked() {
    let (data, _) = SimulatedWorld::new(1, 0.0).data(50);
    let spec = SearchSpec {
        paraphrases: 4,
        rounds: 2,
        ..SearchSpec::default()
    };
    let calls = |method: &dyn SearchMethod, phase: Phase| {
        let phases = plan(method, &spec, &data, 1);
        let of = phases.into_iter().filter(|step| step.phase == phase);
        of.map(|step| (step.proposer_calls, step.task_calls))
            .collect::<Vec<_>>()
    };
    // 36 texts, and all texts once more with one to see how the proposer answers.
    assert_eq!(calls(&Ape, Phase::Propose), [(36, 0), (36 + 8 + 1, 0)]);
    assert_eq!(calls(&Gpo, Phase::Propose), [(36, 0), (72 + 8 + 1, 0)]);
    assert_eq!(calls(&Edits, Phase::Propose), [(8 + 1, 0)]);
    // Six voters on targets and checks; the finalists twice over, and the seed.
    let vote = (6 + 2 * 6 + 1) * (50 + 12);
    assert_eq!(calls(&Gpo, Phase::Vote), [(0, vote)]);
    assert_eq!(calls(&GpoPaper, Phase::Vote), [(0, 6 * (50 + 12))]);
    assert!(calls(&ApeUt, Phase::Vote).is_empty());
    for method in [&Ape as &dyn SearchMethod, &ApeUt, &Gpo, &Edits] {
        assert_eq!(calls(method, Phase::Refine), [(8, 0)]);
    }
    // All texts of the run, and as many once more with one to see how it answers.
    assert_eq!(calls(&Protegi, Phase::Refine), [(36, 0)]);
    assert_eq!(calls(&Gepa, Phase::Refine), [(36, 0)]);
    assert_eq!(calls(&GroupReflective, Phase::Refine), [(24, 0)]);
    for method in [&Protegi as &dyn SearchMethod, &Gepa] {
        assert_eq!(calls(method, Phase::Propose), [(36 + 1, 0)]);
    }
    assert_eq!(
        calls(&GroupReflective, Phase::Propose),
        [(12, 0), (36 + 1, 0)]
    );
    // Eights, and what is left over of them first.
    assert_eq!(calls(&Opro, Phase::Propose), [(4, 0), (36 + 1, 0)]);
    assert_eq!(calls(&Opro, Phase::Refine), [(4 * 8, 0)]);
    for method in all() {
        assert_eq!(calls(method.as_ref(), Phase::Screen), [(0, 1500)]);
    }
}

#[test]
fn reflective_methods_ask_for_no_more_than_proposals() {
    for proposals in 0..50 {
        let spec = SearchSpec {
            proposals,
            ..SearchSpec::default()
        };
        for method in [&Protegi as &dyn SearchMethod, &Gepa, &GroupReflective] {
            let planned = method.plan(&spec, &counts());
            let texts = planned.texts();
            let name = method.name();
            assert!(
                texts <= proposals && texts + 6 > proposals,
                "{name} {proposals}: {texts}"
            );
            assert_eq!(planned.fault(), None, "{name}");
        }
    }
}

#[test]
fn evolving_methods_ask_for_all_proposals() {
    for proposals in [0, 3, 8, 36, 101] {
        for rounds in [0, 1, 7] {
            let spec = SearchSpec {
                proposals,
                rounds,
                ..SearchSpec::default()
            };
            for method in [
                &Opro as &dyn SearchMethod,
                &EvoPromptGa,
                &EvoPromptDe,
                &Capo,
                &Mipro,
            ] {
                let planned = method.plan(&spec, &counts());
                assert_eq!(planned.texts(), proposals, "{}", method.name());
                assert!(planned.prompts() >= proposals, "{}", method.name());
            }
        }
    }
}

#[test]
fn fitted_plans_keep_the_limit() {
    let (data, _) = SimulatedWorld::new(1, 0.0).data(50);
    let spec = SearchSpec {
        library: false,
        ..SearchSpec::default()
    };
    for method in all() {
        let at = |calls| fitted(method.as_ref(), &spec, &data, &SimulatedTask, 0, calls);
        let whole = at(None);
        assert!(!whole.scaled && whole.calls() == whole.whole);
        let least = whole.smallest.unwrap();
        for limit in [least, least + 200, whole.whole - 1] {
            let small = at(Some(limit));
            // A limit that only the audit of the ensemble exceeds scales nothing.
            let scaled = limit < whole.whole - 2 * 50;
            assert!(small.scaled || !scaled, "{} at {limit}", method.name());
            assert!(small.calls() <= limit, "{} at {limit}", method.name());
            // What is left for it audits two prompts.
            let audits = small.phases.iter().filter(|own| own.phase == Phase::Audit);
            let audited: usize = audits.map(|own| own.task_calls).sum();
            assert!(
                audited >= 2 * data.audit.len(),
                "{} at {limit}",
                method.name()
            );
            assert_eq!((small.whole, small.smallest), (whole.whole, Some(least)));
        }
        assert!(!at(Some(whole.whole)).scaled);
    }
}
