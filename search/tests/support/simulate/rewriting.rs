//! What the planted model makes of prompts that it is shown.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::SimulatedWorld;

impl SimulatedWorld {
    fn phrases_in(&self, prompt: &str) -> Vec<&str> {
        let phrases = self.phrases.iter().map(|phrase| phrase.text.as_str());
        phrases.filter(|phrase| prompt.contains(phrase)).collect()
    }

    /// Any phrase: a change at random.
    fn invented(&self, rng: &mut impl RngExt) -> &str {
        let any = self.phrases.choose(rng);
        any.map_or("", |phrase| phrase.text.as_str())
    }

    /// Phrases of the prompts that a request shows to be made into a new one; none
    /// where it shows examples alone.
    pub(super) fn taken_up(&self, text: &str, rng: &mut impl RngExt) -> Vec<&str> {
        let shown = |name: &str| {
            let found = tagged(text, &format!("{name}:\n<prompt>\n"), "\n</prompt>");
            found.map(|prompt| self.phrases_in(prompt))
        };
        let current = tagged(text, "<current_prompt>\n", "\n</current_prompt>");
        let mut taken: Vec<&str> = Vec::new();
        let mut take = |phrases: Vec<&'_ str>, chance: f64, rng: &mut _| {
            for phrase in phrases {
                let kept = RngExt::random_bool(rng, chance);
                let own = self.phrases.iter().find(|own| own.text == phrase);
                if let Some(own) = own.filter(|own| kept && !taken.contains(&own.text.as_str())) {
                    taken.push(&own.text);
                }
            }
        };
        if let Some((first, second)) = shown("Prompt 1").zip(shown("Prompt 2")) {
            take(first, 0.6, rng);
            take(second, 0.6, rng);
        } else if let (Some(a), Some(b), Some(best), Some(base)) = (
            shown("Prompt A"),
            shown("Prompt B"),
            shown("Best prompt"),
            shown("Base prompt"),
        ) {
            let alone = a.iter().chain(&b);
            let alone = alone.filter(|phrase| a.contains(phrase) != b.contains(phrase));
            let mutated = alone.map(|_| self.invented(rng)).collect();
            take(best, 0.8, rng);
            take(mutated, 0.3, rng);
            take(base, 0.4, rng);
            return taken;
        } else if text.contains("\nScore ") {
            // The last are the best.
            let tried: Vec<&str> = text.split("\nScore ").skip(1).collect();
            for tried in tried.iter().rev().take(3) {
                let prompt = tried.split("</prompt>").next().unwrap_or_default();
                take(self.phrases_in(prompt), 0.5, rng);
            }
            return taken;
        } else if let Some(current) = current.filter(|_| !text.contains("Output: ")) {
            take(self.phrases_in(current), 0.95, rng);
        } else {
            return taken;
        }
        if rng.random_bool(0.4) {
            take(vec![self.invented(rng)], 1.0, rng);
        }
        taken
    }
}

/// The text between a pair of tags.
fn tagged<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}
