//! What is really sent to the model: the musician's words, and what the song knows.
//!
//! The song's key and tempo follow the prompt as captions have them: `solo flute, in A minor, 120 bpm`. A prompt that
//! names a key or a tempo itself keeps its own, and an empty prompt stays empty: it asks for anything at all.

use crate::state::{Key, Settings};
use crate::timeline::Landing;

/// Words that name a tempo.
const TEMPO_WORDS: [&str; 13] = [
    "bpm",
    "tempo",
    "largo",
    "larghetto",
    "adagio",
    "andante",
    "andantino",
    "moderato",
    "allegretto",
    "allegro",
    "vivace",
    "presto",
    "prestissimo",
];
/// Words that name a mode, wherever they stand.
const MODES: [&str; 7] = ["ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian"];
/// Words that name a mode behind a root.
const QUALITIES: [&str; 4] = ["major", "minor", "maj", "min"];

/// The prompt as it is sent: with the song's key and tempo, as far as the settings want them, they are known, and the
/// prompt does not name its own.
#[must_use]
pub fn worded(prompt: &str, settings: &Settings, host: &Landing) -> String {
    let additions = additions(prompt, settings, host);
    match additions.is_empty() {
        true => prompt.to_owned(),
        false => format!("{}, {additions}", prompt.trim_end().trim_end_matches([',', '.', ';'])),
    }
}

/// What [`worded`] adds; empty for nothing.
#[must_use]
pub fn additions(prompt: &str, settings: &Settings, host: &Landing) -> String {
    if prompt.trim().is_empty() || !settings.describe_song {
        return String::new();
    }
    added(prompt, settings.key, host.named_tempo())
}

fn added(prompt: &str, key: Option<Key>, tempo: Option<f64>) -> String {
    let words: Vec<&str> = words(prompt).collect();
    let key = key.filter(|_| !names_key(&words)).map(|key| format!("in {key}"));
    let tempo = tempo.filter(|_| !names_tempo(&words)).map(|tempo| format!("{tempo:.0} bpm"));
    let additions: Vec<String> = key.into_iter().chain(tempo).collect();
    additions.join(", ")
}

/// Words, and accidentals with the letter before them: `F#`.
fn words(prompt: &str) -> impl Iterator<Item = &str> {
    let part_of_a_word = |letter: char| letter.is_alphanumeric() || "#\u{266f}\u{266d}".contains(letter);
    prompt.split(move |letter| !part_of_a_word(letter)).filter(|word| !word.is_empty())
}

fn names_tempo(words: &[&str]) -> bool {
    let is_one = |word: &&str| {
        let word = word.to_lowercase();
        // "120bpm" as well.
        TEMPO_WORDS.contains(&word.trim_start_matches(|letter: char| letter.is_ascii_digit()))
    };
    let beats = words.windows(3).any(|three| {
        three[0].eq_ignore_ascii_case("beats")
            && ["per", "a"].contains(&three[1].to_lowercase().as_str())
            && three[2].eq_ignore_ascii_case("minute")
    });
    beats || words.iter().any(is_one)
}

fn names_key(words: &[&str]) -> bool {
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let is = |at: usize, options: &[&str]| lower.get(at).is_some_and(|word| options.contains(&word.as_str()));
    (0..words.len()).any(|at| {
        if is(at, &MODES) || (is(at, &["major", "minor"]) && is(at + 1, &["key", "mode", "scale"])) {
            return true;
        }
        if is(at, &["key"]) && is(at + 1, &["of"]) {
            return true;
        }
        let Some(rest) = after_root(words[at]) else { return false };
        let behind = at + 1 + usize::from(is(at + 1, &["sharp", "flat"]));
        // "F#m" and "Am", by their capital; "a major hit" is taken for a key rather than given two.
        rest == "m" || rest.is_empty() && is(behind, &QUALITIES)
    })
}

/// What follows a root with its accidental, if the word begins with one.
fn after_root(word: &str) -> Option<&str> {
    let mut letters = word.chars();
    let root = letters.next().filter(|letter| ('A'..='G').contains(&letter.to_ascii_uppercase()))?;
    let rest = letters.as_str();
    let natural = rest.trim_start_matches(['#', '\u{266f}', '\u{266d}']);
    // A "b" is an accidental behind a capital only.
    let rest = if root.is_ascii_uppercase() { natural.strip_prefix('b').unwrap_or(natural) } else { natural };
    (root.is_ascii_uppercase() || rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Option<Key> {
        Some("A minor".parse().unwrap())
    }

    fn song(key: Option<Key>, tempo: Option<f64>) -> (Settings, Landing) {
        (Settings { key, ..Settings::default() }, Landing { tempo, ..Landing::default() })
    }

    #[test]
    fn key_and_tempo_follow_the_prompt_as_captions_have_them() {
        let sent = |prompt, key, tempo| {
            let (settings, host) = song(key, tempo);
            worded(prompt, &settings, &host)
        };
        assert_eq!(sent("solo flute", key(), Some(120.0)), "solo flute, in A minor, 120 bpm");
        assert_eq!(sent("solo flute", None, Some(99.6)), "solo flute, 100 bpm");
        assert_eq!(sent("A quiet flute. ", key(), None), "A quiet flute, in A minor");
        assert_eq!(sent("solo flute", None, None), "solo flute");
        assert_eq!(sent("solo flute", None, Some(f64::NAN)), "solo flute");
    }

    #[test]
    fn nothing_is_added_to_a_prompt_that_asks_for_nothing_or_when_switched_off() {
        let (mut settings, host) = song(key(), Some(120.0));
        for prompt in ["", " \n"] {
            assert_eq!(worded(prompt, &settings, &host), prompt);
        }
        settings.describe_song = false;
        assert_eq!(worded("solo flute", &settings, &host), "solo flute");
    }

    #[test]
    fn a_tempo_in_the_prompt_is_the_only_one() {
        for prompt in [
            "rock at 90 bpm",
            "rock, 90BPM",
            "90 Beats per minute",
            "a slow tempo",
            "mid-tempo jazz",
            "Allegro",
        ] {
            assert_eq!(added(prompt, None, Some(120.0)), "", "{prompt}");
        }
        for prompt in ["slow strings", "bpmx", "120 violins", "temporary silence", "beats for a minute"] {
            assert_eq!(added(prompt, None, Some(120.0)), "120 bpm", "{prompt}");
        }
    }

    #[test]
    fn a_key_in_the_prompt_is_the_only_one() {
        for prompt in [
            "in C major",
            "flute in F# minor",
            "piano, B flat major",
            "Eb minor",
            "D\u{266d} maj",
            "in a minor key",
            "major scale",
            "D dorian",
            "key of G",
            "chords in Am",
            "a riff in F#m",
            "c sharp minor",
            "Bbm",
        ] {
            assert_eq!(added(prompt, key(), None), "", "{prompt}");
        }
        for prompt in
            ["a flute", "a flat sound", "I am here", "minor changes", "big band", "be sharp", "beam"]
        {
            assert_eq!(added(prompt, key(), None), "in A minor", "{prompt}");
        }
    }
}
