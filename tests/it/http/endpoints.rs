//! One model behind several servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use futures::future::join_all;
use shiftproof::llm::http::HttpEndpoints;

use super::*;

async fn pool(servers: &[&MockServer]) -> HttpEndpoints {
    let configs = servers.iter().map(|server| (config(server), 1.0));
    HttpEndpoints::connect(configs.collect()).await.unwrap()
}

/// Requests of twenty prompts that begin and end alike, each with its inputs.
fn calls(inputs: usize) -> Vec<ModelCall> {
    let long = "Decide whether the message is a question or not. ".repeat(6);
    (0..20)
        .flat_map(|prompt| (0..inputs).map(move |input| (prompt, input)))
        .map(|(prompt, input)| ask(&format!("{long}Way {prompt}. {long}Message {input}")))
        .collect()
}

async fn answers(llm: &HttpEndpoints, calls: &[ModelCall], at_once: usize) -> usize {
    use futures::StreamExt;
    let asked = futures::stream::iter(calls).map(|call| llm.call(call));
    let replies = asked.buffer_unordered(at_once);
    replies
        .filter(|reply| std::future::ready(reply.is_ok()))
        .count()
        .await
}

/// Each prompt with all its inputs goes to one server while that has room; weights
/// share the prompts out.
#[tokio::test]
async fn prompts_keep_to_their_endpoint() {
    let servers = [
        MockServer::in_turn([Act::text("yes")]).await,
        MockServer::in_turn([Act::text("yes")]).await,
    ];
    let llm = pool(&[&servers[0], &servers[1]]).await;
    assert_eq!(llm.capabilities().concurrency, 16);
    assert_eq!(answers(&llm, &calls(5), 4).await, 100);
    for server in &servers {
        let mut prompts = std::collections::BTreeMap::new();
        for seen in server.requests() {
            let way = seen.prompt().split('.').nth(6).unwrap().to_owned();
            assert!(way.starts_with(" Way "), "{way}");
            *prompts.entry(way).or_insert(0) += 1;
        }
        assert!(prompts.len() >= 4, "{prompts:?}");
        assert!(prompts.values().all(|&inputs| inputs == 5), "{prompts:?}");
    }
    let heavy = [(config(&servers[0]), 9.0), (config(&servers[1]), 1.0)];
    let before = servers[1].calls();
    let llm = HttpEndpoints::connect(heavy.to_vec()).await.unwrap();
    assert_eq!(answers(&llm, &calls(5), 4).await, 100);
    let light = servers[1].calls() - before;
    assert!(
        light < 40,
        "{light} of 100 at the one with a tenth of the weight"
    );
}

/// One of three dies amid the work: no call is lost, nothing is asked twice but what
/// was on its way there, and it is left alone but for single tries.
#[tokio::test]
async fn dead_endpoint_loses_no_call() {
    let dead = Arc::new(AtomicBool::new(false));
    let dies = dead.clone();
    let servers = [
        MockServer::start(move |seen| {
            if seen.nth == 10 {
                dies.store(true, SeqCst);
            }
            if dies.load(SeqCst) {
                Act::hang_up()
            } else {
                Act::text("yes")
            }
        })
        .await,
        MockServer::in_turn([Act::text("yes")]).await,
        MockServer::in_turn([Act::text("yes")]).await,
    ];
    let slow = |server| HttpConfig {
        retry_wait: Duration::from_millis(100),
        ..config(server)
    };
    let configs = servers.iter().map(|server| (slow(server), 1.0)).collect();
    let llm = HttpEndpoints::connect(configs).await.unwrap();
    let calls = calls(30);
    assert_eq!(answers(&llm, &calls, 24).await, calls.len());
    let asked: usize = servers.iter().map(MockServer::calls).sum();
    // At most what was in flight when it died, and a single try each time it rested.
    assert!(asked <= calls.len() + 8 + 8, "{asked} for {}", calls.len());
    assert!(dead.load(SeqCst));
    let status = llm.status().unwrap();
    assert!(status.starts_with("2 of 3 endpoints answer"), "{status}");
    without_canary(&format!("{llm:?} {status}"));
}

/// Where one throttles for longer than the work takes, the others do it.
#[tokio::test]
async fn throttling_endpoint_is_left_alone() {
    let busy = Act::error(429, "rate_limit_exceeded", "slow down").header("retry-after", "60");
    let servers = [
        MockServer::in_turn([busy]).await,
        MockServer::in_turn([Act::text("yes")]).await,
    ];
    let patient = |server| HttpConfig {
        max_wait: Duration::from_mins(2),
        ..config(server)
    };
    let configs = servers
        .iter()
        .map(|server| (patient(server), 1.0))
        .collect();
    let llm = HttpEndpoints::connect(configs).await.unwrap();
    let began = Instant::now();
    assert_eq!(answers(&llm, &calls(3), 16).await, 60);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(servers[0].calls() <= 8, "{}", servers[0].calls());
}

/// A server that refuses us is not asked again, and ends nothing; where all do, that is
/// the error.
#[tokio::test]
async fn refusing_endpoint_is_passed_over() {
    let refusal = || Act::error(401, "invalid_api_key", "no such key");
    let servers = [
        MockServer::in_turn([refusal()]).await,
        MockServer::in_turn([Act::text("yes")]).await,
    ];
    let llm = pool(&[&servers[0], &servers[1]]).await;
    assert_eq!(answers(&llm, &calls(2), 1).await, 40);
    assert_eq!(servers[0].calls(), 1);
    let both = [
        MockServer::in_turn([refusal()]).await,
        MockServer::in_turn([refusal()]).await,
    ];
    let llm = pool(&[&both[0], &both[1]]).await;
    let error = rejected(llm.call(&ask("hello")).await);
    assert!(error.contains("no endpoint takes calls"), "{error}");
    assert!(error.contains("THE_KEY"), "{error}");
    without_canary(&error);
}

/// All down: the call waits and tries as often as one server would be tried, then the
/// run stops resumably.
#[tokio::test]
async fn dead_pool_is_unavailable() {
    let oops = || Act::error(500, "", "the disk is full");
    let servers = [
        MockServer::in_turn([oops()]).await,
        MockServer::in_turn([oops()]).await,
    ];
    let llm = pool(&[&servers[0], &servers[1]]).await;
    let error = unavailable(llm.call(&ask("hello")).await);
    assert!(error.contains("the disk is full"), "{error}");
    assert_eq!((servers[0].calls(), servers[1].calls()), (4, 4));
}

/// What one request says wrongly is no fault of the server.
#[tokio::test]
async fn bad_request_is_asked_once() {
    let servers = [
        MockServer::in_turn([Act::error(400, "context_length_exceeded", "too long")]).await,
        MockServer::in_turn([Act::error(400, "context_length_exceeded", "too long")]).await,
    ];
    let llm = pool(&[&servers[0], &servers[1]]).await;
    request_error(llm.call(&ask("hello")).await);
    assert_eq!(servers[0].calls() + servers[1].calls(), 1);
    assert_eq!(llm.status(), None);
}

/// A server ten times as slow holds no more than its own share of the calls.
#[tokio::test]
async fn slow_endpoint_holds_its_own_calls_alone() {
    let answer = |wait| Act::text("yes").after(Duration::from_millis(wait));
    let servers = [
        MockServer::in_turn([answer(2_000)]).await,
        MockServer::in_turn([answer(20)]).await,
        MockServer::in_turn([answer(20)]).await,
    ];
    let few = |server| HttpConfig {
        concurrency: 4,
        ..config(server)
    };
    let configs = servers.iter().map(|server| (few(server), 1.0)).collect();
    let llm = HttpEndpoints::connect(configs).await.unwrap();
    let calls = calls(20);
    assert_eq!(answers(&llm, &calls, 12).await, calls.len());
    let slow = servers[0].calls();
    assert!(
        slow * 4 < calls.len(),
        "{slow} of {} at the slow one",
        calls.len()
    );
    assert!(servers[0].most_in_flight() <= 4);
}

/// Servers that do not do the same are told apart when they are connected.
#[tokio::test]
async fn unlike_endpoints_are_refused() {
    let scores = MockServer::start(|seen| {
        crate::support::mock_server::capable(seen).unwrap_or_else(|| Act::text("yes"))
    })
    .await;
    let plain = MockServer::in_turn([Act::text("yes")]).await;
    let probing = |server| HttpConfig {
        label_scores: AbilityMode::Auto,
        ..config(server)
    };
    let both = vec![(probing(&scores), 1.0), (probing(&plain), 1.0)];
    let error = HttpEndpoints::connect(both).await.unwrap_err().to_string();
    assert!(error.contains("differ: one scores labels"), "{error}");
    assert!(error.contains(&plain.origin()), "{error}");
    let none = HttpEndpoints::connect(Vec::new()).await.unwrap_err();
    assert!(matches!(none, ConnectError::Config(_)));
    let dead = HttpConfig::new("http://127.0.0.1:9/v1", "mock-model");
    let one_dead = vec![(config(&plain), 1.0), (dead, 1.0)];
    let error = HttpEndpoints::connect(one_dead).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error}");
}

/// A run on three servers, one of which dies amid it, ends as a run on one does, and
/// goes on where a server was added or taken away.
#[tokio::test(flavor = "multi_thread")]
async fn runs_do_not_depend_on_who_answers() {
    use crate::support::program::{Desk, model};
    let first = MockServer::start(model).await;
    let second = MockServer::start(|seen| {
        if seen.nth < 40 {
            model(seen)
        } else {
            Act::hang_up()
        }
    })
    .await;
    let third = MockServer::start(model).await;
    let desk = |endpoints: &str| {
        let desk = Desk::new();
        let named = format!(
            "name = \"mock\"\nmodel = {{ name = \"openai:mock\", base_url = \"{}\", label_scores = \"off\", \
             prefill = \"off\"{endpoints} }}",
            first.base_url()
        );
        desk.edit_study("name = \"mock\"", &named);
        desk
    };
    let (one, three) = (
        desk(""),
        desk(&format!(
            ", endpoints = [\"{}\", {{ base_url = \"{}\", weight = 2 }}]",
            second.base_url(),
            third.base_url()
        )),
    );
    let mut reports = Vec::new();
    for desk in [&one, &three] {
        desk.run(&["optimize", "--max-calls", "900"])
            .await
            .expect(0, &[]);
        let told = desk.run(&["runs", "show", "mock-s1-1"]).await;
        told.expect(0, &[]);
        assert!(told.out.contains("Spent"), "{told:?}");
        reports.push(
            told.out
                .lines()
                .filter(|line| !line.contains("brought no answer"))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    assert_eq!(reports[0], reports[1]);
    assert!(second.calls() >= 40 && third.calls() > 40);
    // A new process asks them all, and one is down.
    let doctor = three.run(&["doctor", "study.toml"]).await;
    assert_eq!(doctor.code, Some(4), "{doctor:?}");
    assert!(doctor.out.contains(&second.origin()), "{doctor:?}");
}

/// Limits count what a pool sends as they count one server's requests.
#[tokio::test]
async fn further_requests_are_allowed_first() {
    #[derive(Default)]
    struct Two(std::sync::Mutex<(usize, Vec<shiftproof_search::FailedRequest>)>);
    #[async_trait::async_trait]
    impl shiftproof_search::RequestAllowance for Two {
        fn failed(&self, request: shiftproof_search::FailedRequest) {
            self.0.lock().unwrap().1.push(request);
        }
        async fn another(&self) -> bool {
            let mut state = self.0.lock().unwrap();
            state.0 += 1;
            state.0 <= 2
        }
    }
    let oops = || Act::error(500, "", "oops");
    let servers = [
        MockServer::in_turn([oops()]).await,
        MockServer::in_turn([oops()]).await,
    ];
    let llm = pool(&[&servers[0], &servers[1]]).await;
    let allowance = Two::default();
    let result = llm.call_within(&ask("hello"), &allowance).await;
    assert!(
        matches!(result, Err(LlmError::Unaffordable(_))),
        "{result:?}"
    );
    assert_eq!(servers[0].calls() + servers[1].calls(), 3);
    assert_eq!(allowance.0.lock().unwrap().1.len(), 3);
    // Many at once wait for each other's tries, and none goes unanswered.
    let calls = calls(1);
    let all = join_all((0..12).map(|at| llm.call(&calls[at]))).await;
    assert!(all.iter().all(Result::is_err));
}
