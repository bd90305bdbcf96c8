//! The decision as SARIF 2.1.0: results at the line where the prompt stands.

use std::fmt::Write as _;

use serde_json::{Value, json};
use shiftproof_search::stats::GroupState;

use super::{GateDecision, GateMode, GateReport, PromptLocation, ScoredPrompt, points};

/// Rule id, name and what it says.
const RULES: [(&str, &str, &str); 4] = [
    (
        "group-regressed",
        "GroupRegressed",
        "The prompt is worse than the incumbent on this group, beyond chance.",
    ),
    (
        "score-regressed",
        "ScoreRegressed",
        "The prompt's robust score is worse than the incumbent's, beyond chance.",
    ),
    (
        "below-bar",
        "BelowBar",
        "The prompt is below a score that was set as a bar.",
    ),
    (
        "no-significant-winner",
        "NoSignificantWinner",
        "The prompt is not shown to be better than the incumbent without harm to a group.",
    ),
];

impl GateReport {
    /// The report as SARIF; a decision with nothing to complain of has no
    /// results.
    pub fn sarif(&self) -> Value {
        let rules: Vec<Value> = RULES
            .iter()
            .map(|(id, name, text)| {
                json!({"id": id, "name": name, "shortDescription": {"text": text}})
            })
            .collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "shiftproof",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }},
                "columnKind": "unicodeCodePoints",
                "results": self.results(),
                "properties": {
                    "study": self.study,
                    "decision": self.decision.name(),
                    "reason": self.reason,
                    "model": self.model,
                    "audit": self.audit.fingerprint,
                },
            }],
        })
    }

    fn results(&self) -> Vec<Value> {
        let mut results = Vec::new();
        for candidate in &self.candidates {
            let contender = &candidate.contender;
            let level = if self.passed_over(candidate) {
                "note"
            } else {
                "error"
            };
            for row in &candidate.compared {
                if let (GroupState::Regressed, Some(d)) = (row.state, row.difference) {
                    let text = format!(
                        "Prompt {:#} is worse than {:#} on {} by {} points (upper bound {}).",
                        contender.id,
                        self.incumbent.id,
                        row.group,
                        points(-d.estimate).trim_start_matches('+'),
                        points(d.upper)
                    );
                    results.push(self.result(0, level, &text, contender, &row.group));
                }
            }
            if let Some(robust) = candidate.robust
                && robust.p_worse <= self.demand.level
            {
                let text = format!(
                    "Prompt {:#} is worse than {:#} by {} points of {} (upper bound {}).",
                    contender.id,
                    self.incumbent.id,
                    points(-robust.estimate).trim_start_matches('+'),
                    self.demand.objective,
                    points(robust.upper)
                );
                results.push(self.result(1, level, &text, contender, ""));
            }
            for missed in &candidate.below {
                results.push(self.result(2, level, &format!("{missed}."), contender, missed));
            }
        }
        if self.candidates.is_empty() && self.decision == GateDecision::BelowBar {
            results.push(self.result(2, "error", &self.reason, &self.incumbent, ""));
        }
        if self.mode == GateMode::Ship
            && self.decision == GateDecision::NoSignificantWinner
            && let Some(leading) = self.leading()
        {
            results.push(self.result(3, "note", &self.reason, &leading.contender, ""));
        }
        results
    }

    /// One result at the prompt's own place, else at the incumbent's.
    fn result(
        &self,
        rule: usize,
        level: &str,
        text: &str,
        at: &ScoredPrompt,
        about: &str,
    ) -> Value {
        let place = at.place.as_ref().or(self.incumbent.place.as_ref());
        // The same finding on a later commit is the same alert.
        let identity = format!("{}\0{}\0{about}", self.study, RULES[rule].0);
        let fingerprint = blake3::hash(identity.as_bytes()).to_hex()[..16].to_owned();
        json!({
            "ruleId": RULES[rule].0,
            "ruleIndex": rule,
            "level": level,
            "message": {"text": text},
            "locations": place.map(location).into_iter().collect::<Vec<_>>(),
            "partialFingerprints": {"shiftproofFinding/v1": fingerprint},
        })
    }
}

fn location(place: &PromptLocation) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": {"startLine": place.line},
    }})
}

/// A path as a relative URI reference, or `file:` where it is absolute.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if out.starts_with('/') {
        out.insert_str(0, "file://");
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_become_uris() {
        assert_eq!(super::uri("./studies/a b.toml"), "studies/a%20b.toml");
        assert_eq!(super::uri("/tmp/ä.txt"), "file:///tmp/%C3%A4.txt");
    }
}
