//! Hearing the melody that a take is to follow.

use std::sync::Arc;

use tiller_models::encodec;
use tiller_models::lab::melody_of;
use tiller_models::musicgen::{self, Cancel, ChromaExtractor, Engine};
use tiller_models::resample::Resampler;

use super::engine::sentence;
use crate::instance::Instance;
use crate::state::{Melody, PackedCodes, Source};

/// What a model hears of a melody.
///
/// # Errors
/// A sentence, also if the model hears none.
pub(super) fn hear(
    melody: &Melody,
    engine: &Arc<Engine>,
    cancel: &Cancel,
) -> Result<musicgen::Melody, String> {
    if let Some(heard) = &melody.heard {
        return Ok(heard.clone());
    }
    match &melody.source {
        Some(Source::File(file)) => melody_of(file, engine.bundle()).map_err(sentence),
        Some(Source::Take(codes)) => of_codes(codes, engine, cancel),
        None => Err(format!(
            "The project does not say where to hear the melody \u{201c}{}\u{201d}. Choose it again.",
            melody.name
        )),
    }
}

/// Has the next takes follow what the instance has heard in its sidechain, if that is over.
pub(super) fn take_in_melody(instance: &Instance) {
    match instance.listening.settle() {
        None => return,
        Some(Ok(heard)) => {
            let melody = Arc::new(Melody::of_file(heard.file));
            instance.store().edit(|project| project.melody = Some(melody));
        }
        Some(Err(message)) => tracing::info!("{message}"),
    }
    instance.repaint.request_repaint();
}

fn of_codes(codes: &PackedCodes, engine: &Arc<Engine>, cancel: &Cancel) -> Result<musicgen::Melody, String> {
    let architecture = engine.bundle().architecture();
    let chroma = architecture.hearing().map_err(sentence)?;
    let samples = encodec::decode_unless(engine, codes.codes(), cancel).map_err(sentence)?;
    let channels = architecture.codec.channels;
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let mut resampler = Resampler::new(architecture.codec.sample_rate, chroma.sample_rate, 1)?;
    let mut heard = resampler.push(vec![mono])?.swap_remove(0);
    heard.extend(resampler.finish()?.swap_remove(0));
    ChromaExtractor::new(chroma).melody(&heard).map_err(sentence)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use tiller_models::import::{ImportOptions, import};

    use super::super::{Made, Models, Step, Studio as _};
    use super::*;
    use crate::audio::{Block, Player};
    use crate::params::SLOTS;
    use crate::state::{Recipe, Settings};
    use crate::timeline::Landing;

    /// A bundle of one of the small random checkpoints.
    fn bundle(name: &str, folder: &Path) -> Settings {
        let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data");
        let bundle = folder.join(name);
        let options = ImportOptions::default();
        import(&checkpoint.join(name).join("checkpoint"), &bundle, &options, &mut |_| {}).unwrap();
        Settings { bundle: bundle.to_string_lossy().into_owned(), ..Settings::default() }
    }

    /// A recording of concert pitch, 16 bits, one channel, 8 kHz.
    fn recording(folder: &Path) -> PathBuf {
        let samples: Vec<u8> = (0..8_000_u32)
            .flat_map(|at| {
                let phase = f64::from(at) / 8_000.0 * 440.0 * std::f64::consts::TAU;
                ((phase.sin() * 16_000.0) as i16).to_le_bytes()
            })
            .collect();
        let size = samples.len() as u32;
        let mut file = Vec::new();
        file.extend(b"RIFF");
        file.extend((size + 36).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        file.extend(8_000_u32.to_le_bytes());
        file.extend(16_000_u32.to_le_bytes());
        file.extend(b"\x02\0\x10\0data");
        file.extend(size.to_le_bytes());
        file.extend(samples);
        let path = folder.join("a440.wav");
        std::fs::write(&path, file).unwrap();
        path
    }

    fn make(settings: &Settings, melody: Melody) -> Result<Made, String> {
        let recipe = Recipe { seconds: 0.6, melody: Some(Arc::new(melody)), ..Recipe::default() };
        again(settings, &recipe)
    }

    fn again(settings: &Settings, recipe: &Recipe) -> Result<Made, String> {
        let mut work = Models::default().generate(recipe, settings);
        loop {
            if let Step::Done(_, made) = work.step(None)? {
                return Ok(*made.unwrap());
            }
        }
    }

    #[test]
    fn a_take_keeps_the_melody_it_heard_and_needs_its_file_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let (settings, file) = (bundle("melody", folder.path()), recording(folder.path()));
        let made = make(&settings, Melody::of_file(file.clone())).unwrap();
        let melody = Melody::clone(made.recipe.melody.as_ref().unwrap());
        assert_eq!((melody.name.as_str(), &melody.source), ("a440.wav", &None));
        let classes = melody.heard.unwrap().classes().to_vec();
        let loudest = classes.iter().filter(|&&class| class == 9).count();
        assert!(loudest * 10 > classes.len() * 8, "an A is heard in {loudest} of {classes:?}");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(again(&settings, &made.recipe).unwrap().codes, made.codes);
        let error = make(&settings, Melody::of_file(file)).unwrap_err();
        assert!(error.contains("a440.wav"), "{error}");
    }

    #[test]
    fn a_take_follows_what_came_into_the_sidechain() {
        let folder = tempfile::tempdir().unwrap();
        let (settings, (instance, ends)) = (bundle("melody", folder.path()), Instance::new());
        let mut player = Player::new(instance.clone(), ends);
        player.activate(48_000.0, 512, false);
        instance.listening.begin(folder.path().to_owned(), 48_000).unwrap();
        let mut block = Block {
            position: Some(0),
            host: Landing { playing: true, ..Landing::default() },
            offline: false,
            strengths: [0.0; SLOTS],
        };
        let phase = 440.0 / 48_000.0 * std::f32::consts::TAU;
        for start in (0..48_000).step_by(480) {
            let left: Vec<f32> = (start..start + 480).map(|at| (at as f32 * phase).sin()).collect();
            player.hear(&block, [&left, &[]], 480, || ());
        }
        block.host.playing = false;
        player.hear(&block, [&[], &[]], 480, || ());
        take_in_melody(&instance);
        let melody = instance.store().project().melody.clone().unwrap();
        let made = make(&settings, Melody::clone(&melody)).unwrap();
        let classes = made.recipe.melody.as_ref().unwrap().heard.clone().unwrap().classes().to_vec();
        let loudest = classes.iter().filter(|&&class| class == 9).count();
        assert!(loudest * 10 > classes.len() * 8, "an A is heard in {loudest} of {classes:?}");
    }

    #[test]
    fn a_take_follows_another() {
        let folder = tempfile::tempdir().unwrap();
        let settings = bundle("melody", folder.path());
        let first = make(&settings, Melody::of_file(recording(folder.path()))).unwrap();
        let tune = Melody::of_take("slow strings", Arc::new(first.codes.clone().into()));
        let second = make(&settings, tune).unwrap().recipe.melody.unwrap();
        assert_eq!((second.name.as_str(), &second.source), ("slow strings", &None));
        assert!(second.heard.is_some());
        // A project cannot be made to ask for what is nowhere.
        let nowhere = Melody { name: "lost".into(), source: None, heard: None };
        assert!(make(&settings, nowhere).unwrap_err().contains("lost"));
    }

    #[test]
    fn a_model_that_hears_none_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let settings = bundle("small", folder.path());
        assert!(!Models::default().model(&settings).unwrap().hears_melodies);
        for melody in [
            Melody::of_file(recording(folder.path())),
            Melody { name: "heard".into(), source: None, heard: Some("024".parse().unwrap()) },
        ] {
            let error = make(&settings, melody).unwrap_err();
            assert!(error.contains("no melodies"), "{error}");
        }
    }
}
