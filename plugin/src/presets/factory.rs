//! The presets that come with the plugin. Their prompts use the embedded model's words, which others know as well; their
//! vectors are named by concept, so that a model's own are meant.

use std::sync::LazyLock;

use super::Preset;

/// Their files, in the menu's order.
const FILES: [(&str, &str); 10] = [
    ("solo-flute", include_str!("../../presets/solo-flute.json")),
    ("flute-to-drums", include_str!("../../presets/flute-to-drums.json")),
    ("drum-kit", include_str!("../../presets/drum-kit.json")),
    ("piano-study", include_str!("../../presets/piano-study.json")),
    ("slow-strings", include_str!("../../presets/slow-strings.json")),
    ("jazz-combo", include_str!("../../presets/jazz-combo.json")),
    ("rock-band", include_str!("../../presets/rock-band.json")),
    ("house-groove", include_str!("../../presets/house-groove.json")),
    ("folk-tune", include_str!("../../presets/folk-tune.json")),
    ("one-shot", include_str!("../../presets/one-shot.json")),
];

/// All of them.
#[must_use]
pub fn factory() -> &'static [Preset] {
    static PRESETS: LazyLock<Vec<Preset>> =
        LazyLock::new(|| FILES.iter().filter_map(|(_, text)| Preset::read(text).ok()).collect());
    &PRESETS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use tiller_models::steering::Vector;

    use super::*;

    #[test]
    fn every_factory_preset_loads_and_has_a_name_of_its_own() {
        for (file, text) in FILES {
            Preset::read(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        let names: BTreeSet<_> = factory().iter().map(|preset| &preset.name).collect();
        assert_eq!(names.len(), FILES.len());
    }

    #[test]
    fn every_vector_a_factory_preset_names_comes_with_the_embedded_model() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/default/vectors");
        let concepts: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| Vector::open(&entry.unwrap().path()).unwrap().concept().to_owned())
            .collect();
        for preset in factory() {
            for steered in preset.slots.iter().flatten() {
                let name = &steered.vector.name;
                assert!(concepts.contains(name), "{}: there is no vector {name}", preset.name);
            }
        }
    }
}
