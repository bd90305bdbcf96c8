//! Replaying allocation rules over recorded outcomes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::matrix::OutcomeMatrix;
use super::setting::{BenchPlan, BenchSetting, PickRegret, TestedRule};
use super::world::BenchWorld;

/// Regrets of one setting: `[rule][budget][repeat]`.
pub type Regrets = Vec<Vec<Vec<PickRegret>>>;

/// Replays every rule on every setting, budget and repeat. All rules of a
/// repeat see the same split and the same target; what they see of the source
/// depends on what they ask.
pub fn replay(
    matrices: &[OutcomeMatrix],
    settings: &[BenchSetting],
    rules: &[TestedRule<'_>],
    plan: &BenchPlan,
) -> Vec<Regrets> {
    let blank =
        vec![vec![vec![PickRegret::default(); plan.repeats]; plan.budgets.len()]; rules.len()];
    let results: Vec<Mutex<Regrets>> = settings.iter().map(|_| Mutex::new(blank.clone())).collect();
    let next = AtomicUsize::new(0);
    let work = || loop {
        let unit = next.fetch_add(1, Ordering::Relaxed);
        let (repeat, at) = (unit / settings.len(), unit % settings.len());
        if repeat >= plan.repeats {
            return;
        }
        let setting = &settings[at];
        let world = BenchWorld::new(&matrices[setting.matrix], setting, plan, repeat as u64);
        for (r, rule) in rules.iter().enumerate() {
            for (b, &budget) in plan.budgets.iter().enumerate() {
                let seed = plan.seed ^ (repeat as u64).wrapping_mul(0x9E37_79B9);
                let pick = world.race((rule.make)(seed).as_mut(), budget, rule);
                let regret = world.regret(pick);
                if let Ok(mut result) = results[at].lock() {
                    result[r][b][repeat] = regret;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..plan.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    results
        .into_iter()
        .filter_map(|r| r.into_inner().ok())
        .collect()
}
