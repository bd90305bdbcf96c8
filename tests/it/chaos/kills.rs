//! Kills at any moment of a run: one to eight a run, in every phase, in the audit and
//! in the last writes, 64 calls in flight.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Draw, RUN, SLOTS, amount, desk, placeless};
use crate::support::mock_server::MockServer;
use crate::support::program::{Desk, model};

/// Kills of a run at most.
const MOST: u64 = 8;

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Once the server has seen so many more requests, and this long after.
    Requests(usize, Duration),
    /// This long after the run's folder has this file.
    File(&'static str, Duration),
    /// This long after it began.
    Start(Duration),
}

impl Moment {
    fn draw(draw: &mut Draw) -> Self {
        let micros = |draw: &mut Draw, most: u64| Duration::from_micros(draw.below(most));
        match draw.below(10) {
            0..=5 => Self::Requests(draw.below(430) as usize, micros(draw, 40_000)),
            6 => Self::File("report.txt", micros(draw, 15_000)),
            7 => Self::File("report.json.new", micros(draw, 8_000)),
            8 => Self::File("finished.json", micros(draw, 15_000)),
            _ => Self::Start(micros(draw, 400_000)),
        }
    }
}

/// How the run goes on. One that was killed before it was known leaves room for
/// another.
async fn onward(desk: &Desk) -> &'static [&'static str] {
    let store = desk.path(".shiftproof");
    let log = store.join("runs").join(RUN).join("events.jsonl");
    let known =
        log.exists() || store.exists() && desk.run(&["runs", "--json"]).await.out.contains(RUN);
    if known {
        &["optimize", "--quiet", "--resume", RUN]
    } else {
        &["optimize", "--quiet"]
    }
}

/// Starts or resumes the run and kills it at the moment; returns the phase it was in,
/// `None` where it had ended by itself.
async fn life(desk: &Desk, server: &MockServer, moment: Moment) -> Option<String> {
    let folder = desk.path(".shiftproof/runs").join(RUN);
    let log = folder.join("events.jsonl");
    let args = onward(desk).await;
    let before = server.calls();
    let began = Instant::now();
    let mut child = desk.start(args);
    let mut ended = false;
    let mut waits = async |due: &dyn Fn() -> bool| {
        while !due() && !ended && began.elapsed() < Duration::from_mins(1) {
            ended = child.try_wait().unwrap().is_some();
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    };
    let after = match moment {
        Moment::Requests(more, after) => {
            waits(&|| server.calls() - before >= more).await;
            after
        }
        Moment::File(name, after) => {
            waits(&|| folder.join(name).exists()).await;
            after
        }
        Moment::Start(after) => after,
    };
    tokio::time::sleep(after).await;
    let killed = child.try_wait().unwrap().is_none();
    if killed {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    killed.then(|| {
        if folder.join("finished.json").exists() {
            return "last writes".to_owned();
        }
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        let phases = told.lines().rev().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            line["event"]["phase"].as_str().map(str::to_owned)
        });
        phases
            .into_iter()
            .next()
            .unwrap_or_else(|| "start".to_owned())
    })
}

struct Lived {
    kills: u64,
    phases: Vec<String>,
}

/// One run from its first start to its end under so many kills.
async fn run_under_kills(mut draw: Draw, reference: &str) -> Lived {
    let seed = draw.seed;
    let limit = draw.chance(50).then(|| 150 + draw.below(250));
    let latency = Duration::from_millis(5 + draw.below(30));
    let server = MockServer::start(move |seen| model(seen).after(latency)).await;
    let desk = desk(&server, SLOTS, limit);
    let mut phases = Vec::new();
    for _ in 0..=draw.below(MOST) {
        let moment = Moment::draw(&mut draw);
        phases.extend(life(&desk, &server, moment).await);
    }
    let kills = phases.len() as u64;
    let args = onward(&desk).await;
    let ended = desk.run(args).await;
    let told = format!("seed {seed}, limit {limit:?}, killed in {phases:?}: {ended:?}");
    assert!(
        ended.code == Some(0) || limit.is_some() && ended.code == Some(3),
        "{told}"
    );
    let repeats: usize = server
        .calls_per_body()
        .values()
        .map(|asked| asked - 1)
        .sum();
    assert!(
        repeats as u64 <= kills * 2 * SLOTS as u64,
        "{repeats} asked again; {told}"
    );
    match limit {
        Some(limit) => {
            let seen = server.asked() as u64;
            assert!(seen <= limit, "the server saw {seen}; {told}");
        }
        None => assert_eq!(placeless(&ended.out, &server), reference, "{told}"),
    }
    if ended.code == Some(3) && ended.out.is_empty() {
        return Lived { kills, phases };
    }
    let openings = desk.read(".shiftproof/gate.jsonl");
    assert_eq!(openings.lines().count(), 1, "{openings} {told}");
    // What is kept is what was shown, and no kill left anything half done.
    let shown = desk.run(&["runs", "show", RUN]).await;
    assert_eq!(shown.out, ended.out, "{told}");
    assert_eq!(
        desk.read(format!(".shiftproof/runs/{RUN}/report.txt")),
        ended.out,
        "{told}"
    );
    Lived { kills, phases }
}

/// The report without kills and without a limit.
async fn undisturbed() -> String {
    let server = MockServer::start(model).await;
    let desk = desk(&server, SLOTS, None);
    let ended = desk.run(&["optimize", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    placeless(&ended.out, &server)
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_exceed_nothing() {
    let wanted = amount("SHIFTPROOF_KILLS", 60);
    let reference = undisturbed().await;
    let draw = Draw::new();
    let (mut kills, mut runs) = (0, 0);
    let mut phases: BTreeMap<String, u64> = BTreeMap::new();
    while kills < wanted {
        // Two at once: a killed process waits for the disk, not for the processor.
        let (a, b) = tokio::join!(
            run_under_kills(draw.trial(runs), &reference),
            run_under_kills(draw.trial(runs + 1), &reference),
        );
        runs += 2;
        for lived in [a, b] {
            kills += lived.kills;
            for phase in lived.phases {
                *phases.entry(phase).or_default() += 1;
            }
        }
    }
    println!("{kills} kills of {runs} runs, by phase: {phases:?}");
    if wanted >= 500 {
        for phase in [
            "start",
            "vote",
            "screen",
            "refine",
            "final",
            "audit",
            "last writes",
        ] {
            assert!(phases.contains_key(phase), "no kill in {phase}: {phases:?}");
        }
    }
}
