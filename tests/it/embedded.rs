//! The program with the real embedded model, from `init` to the report.

use crate::fetch_stage::skip;
use crate::support::program::{Desk, Ended};

#[tokio::test(flavor = "multi_thread")]
async fn fresh_study_runs_embedded() {
    let desk = Desk::new();
    // The one test that uses the user's own cache: the weights are large.
    let run = async |args: &[&str]| {
        let mut command = desk.command(args);
        command.env_remove("SHIFTPROOF_CACHE");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        Ended::from(output)
    };
    let fetched = run(&["models", "fetch", "smollm2-135m"]).await;
    if fetched.code != Some(0) {
        skip("the program on the embedded model", &fetched.err.trim());
        return;
    }
    assert_eq!(run(&["init", "fresh"]).await.code, Some(0));
    let arguments = [
        "optimize",
        "fresh/study.toml",
        "--max-calls",
        "220",
        "--json",
        "--quiet",
    ];
    let ended = run(&arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["target_labels_read"], 0);
    assert!(
        report["spent"]["calls"].as_u64().unwrap() <= 220,
        "{}",
        report["spent"]
    );
    for audited in report["audited"].as_array().unwrap() {
        for group in audited["groups"].as_array().unwrap() {
            // A real model separates praise from complaint better than chance.
            assert!(group["value"].as_f64().unwrap() >= 0.375, "{audited}");
            assert_eq!(
                (&group["unparseable"], &group["failed"]),
                (&0.into(), &0.into())
            );
        }
    }
    // The same again costs no call and gives the same report.
    let again = run(&arguments).await;
    assert_eq!(again.out, ended.out);
}
