//! The words a model was taught, so that nobody is left to believe it knows others.

use std::collections::BTreeSet;

/// Words of a model's training captions, lower case. Published checkpoints come without such a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(BTreeSet<String>);

impl Words {
    /// Reads a list with a word a line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.lines().flat_map(words).collect())
    }

    /// The words of `prompt` that the model was not taught, each once, in the prompt's order. Numbers are left out: a
    /// model that was taught tempi has seen most of them.
    #[must_use]
    pub fn unknown(&self, prompt: &str) -> Vec<String> {
        let mut unknown = Vec::new();
        for word in words(prompt) {
            if !word.chars().all(char::is_numeric) && !self.0.contains(&word) && !unknown.contains(&word) {
                unknown.push(word);
            }
        }
        unknown
    }

    /// A sentence about the words of `prompt` that the model was not taught, if there are any.
    #[must_use]
    pub fn remark(&self, prompt: &str) -> Option<String> {
        let unknown = self.unknown(prompt);
        let (last, others) = unknown.split_last()?;
        let listed =
            if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        Some(format!("This model was not taught {listed}: it will play something else there."))
    }
}

/// Runs of letters, digits and `#`, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '#'))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_were_not_taught_are_named() {
        let taught = Words::parse("flute\nhip-hop\nin\nc#\nminor\nbpm\n");
        assert!(taught.unknown("Flute, hip hop in C# minor, 93 bpm").is_empty());
        assert_eq!(taught.unknown("sitar dubstep in 7/8, Sitar!"), ["sitar", "dubstep"]);
        assert_eq!(taught.remark("flute"), None);
        assert!(taught.remark("sitar dubstep").is_some_and(|text| text.contains("sitar and dubstep")));
    }
}
