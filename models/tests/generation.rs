//! What the engine promises of takes: the same again, the same before a change, the same after going back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tiller_models::bundle::{Bundle, Precision};
use tiller_models::codes::Codes;
use tiller_models::encodec::{StreamDecoder, decode};
use tiller_models::musicgen::{
    Cancel, Engine, EngineOptions, GenerateError, Generation, Recipe, Sampling, Take, generate,
};
use tiller_models::runtime::{Provider, Runtime};
use tiller_models::steering::{Rows, Steering, StrengthCurve};

use common::Checkpoint::{Banded, Small};
use common::takes::{changed_at, engine, recipe, steered, vectors};

/// A window of the checkpoints.
const WINDOW: usize = 60;

fn run(recipe: Recipe) -> Codes {
    generate(&engine(), recipe, &vectors(), &Cancel::new(), |_| {}).unwrap().codes
}

#[test]
fn a_recipe_gives_the_same_codes_again_and_another_seed_others() {
    let first = run(recipe(30));
    assert_eq!(first.frames(), 30);
    assert_eq!(first, run(recipe(30)));
    assert_ne!(first, run(Recipe { seed: 12, ..recipe(30) }));
}

#[test]
fn strength_zero_gives_the_codes_of_no_steering_and_others_differ() {
    let plain = run(recipe(30));
    let mut zero = steered(vec![0.0]);
    zero.slots[1].curve = StrengthCurve::constant(0.0);
    assert_eq!(plain, run(Recipe { steering: zero, ..recipe(30) }));
    assert_ne!(plain, run(Recipe { steering: steered(vec![1.0]), ..recipe(30) }));
}

#[test]
fn a_changed_curve_leaves_every_earlier_frame_as_it_was() {
    let constant = run(Recipe { steering: steered(vec![0.4]), ..recipe(150) });
    for frame in [1, 20, 59, 60, 70, 130] {
        let changed = run(Recipe { steering: changed_at(frame), ..recipe(150) });
        let differs = constant.first_difference(&changed).unwrap();
        assert!((frame..frame + 10).contains(&differs), "changed at {frame}, differs at {differs}");
    }
}

#[test]
fn going_back_gives_what_rendering_the_whole_take_gives() {
    let (engine, vectors) = (engine(), vectors());
    let start = Recipe { steering: steered(vec![0.4]), ..recipe(150) };
    let mut generation = Generation::new(&engine, start, &vectors, &Cancel::new()).unwrap();
    // In the first window, in the last one, from a later window into an earlier one, and to the beginning.
    for (until, frame) in [(40, 25), (150, 140), (150, 70), (100, 0), (150, 59)] {
        while generation.progress().frames < until {
            generation.advance().unwrap();
        }
        let steering = changed_at(frame);
        generation.rewind(frame, steering.clone(), &vectors).unwrap();
        while generation.advance().unwrap().is_some() {}
        let whole = run(Recipe { steering, ..recipe(150) });
        assert_eq!(generation.codes(), whole, "back to {frame} from {until}");
        generation.rewind(0, steered(vec![0.4]), &vectors).unwrap();
    }
}

#[test]
fn going_back_can_change_which_rows_are_steered() {
    let (engine, vectors) = (engine(), vectors());
    let mut generation = Generation::new(&engine, recipe(20), &vectors, &Cancel::new()).unwrap();
    while generation.advance().unwrap().is_some() {}
    let both = Steering { rows: Rows::Both, ..steered(vec![1.0]) };
    generation.rewind(0, both.clone(), &vectors).unwrap();
    while generation.advance().unwrap().is_some() {}
    let take = generation.take().unwrap();
    assert_eq!(take.codes, run(Recipe { steering: both, ..recipe(20) }));
}

#[test]
fn a_stored_take_is_resumed_as_if_it_had_never_stopped() {
    let (engine, vectors) = (engine(), vectors());
    let stored = run(Recipe { steering: steered(vec![0.4]), ..recipe(150) });
    for frame in [0, 1, 30, 60, 75, 149] {
        let recipe = Recipe { steering: changed_at(frame), ..recipe(150) };
        let mut generation =
            Generation::resume(&engine, recipe.clone(), &vectors, &stored, frame, &Cancel::new()).unwrap();
        // Known frames are read again one step at a time.
        while generation.catch_up().unwrap() {}
        assert_eq!(generation.progress().frames, frame);
        while generation.advance().unwrap().is_some() {}
        assert_eq!(generation.codes(), run(recipe), "resumed at {frame}");
    }
}

#[test]
fn generations_that_run_side_by_side_do_not_disturb_each_other() {
    let alone = [21, 22].map(|seed| run(Recipe { seed, ..recipe(40) }));
    let together: Vec<Codes> = std::thread::scope(|scope| {
        let running = [21, 22].map(|seed| scope.spawn(move || run(Recipe { seed, ..recipe(40) })));
        running.into_iter().map(|running| running.join().unwrap()).collect()
    });
    assert_eq!(alone.as_slice(), together);
}

#[test]
fn a_cancel_ends_a_generation_at_once_and_harms_no_other() {
    let (engine, cancel) = (engine(), Cancel::new());
    let mut generation = Generation::new(&engine, recipe(5_000), &[], &cancel).unwrap();
    let (cancelled, took) = std::thread::scope(|scope| {
        let canceller = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            cancel.cancel();
            Instant::now()
        });
        let error = loop {
            match generation.advance() {
                Ok(frame) => assert!(frame.is_some(), "finished before the cancel"),
                Err(error) => break error,
            }
        };
        (matches!(error, GenerateError::Cancelled), canceller.join().unwrap().elapsed())
    });
    assert!(cancelled);
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(matches!(Generation::new(&engine, recipe(1), &[], &cancel), Err(GenerateError::Cancelled)));
    assert_eq!(run(recipe(10)), run(recipe(10)));
}

#[test]
fn any_prompt_is_read() {
    let long = "piano ".repeat(2_000);
    for prompt in ["", " \n", "🎹 ピアノ и гитара", "\u{0}\u{202e}\u{fffd}", &long] {
        for negative in ["", "drums", &long] {
            let recipe = Recipe { prompt: prompt.into(), negative: negative.into(), ..recipe(2) };
            assert_eq!(run(recipe).frames(), 2, "{prompt:.20} {negative:.20}");
        }
    }
}

#[test]
fn a_negative_prompt_changes_the_take_and_guidance_one_ignores_it() {
    let plain = run(recipe(20));
    assert_ne!(plain, run(Recipe { negative: "drums".into(), ..recipe(20) }));
    let unguided = |negative: &str| run(Recipe { guidance: 1.0, negative: negative.into(), ..recipe(20) });
    assert_eq!(unguided(""), unguided("drums"));
}

#[test]
fn a_recipe_that_makes_no_sense_is_refused_with_a_sentence() {
    let refused = |recipe: Recipe| {
        let generation = Generation::new(&engine(), recipe, &vectors(), &Cancel::new());
        generation.err().unwrap().to_string()
    };
    let sampling = |sampling: Sampling| Recipe { sampling, ..recipe(1) };
    assert!(refused(recipe(0)).contains("length is zero"));
    assert!(refused(recipe(usize::MAX / 2)).contains("at most 3600 s"));
    assert!(refused(Recipe { guidance: f32::NAN, ..recipe(1) }).contains("guidance"));
    assert!(refused(sampling(Sampling { temperature: -1.0, ..Sampling::default() })).contains("temperature"));
    assert!(refused(sampling(Sampling { top_p: 1.5, ..Sampling::default() })).contains("top-p"));
    assert!(refused(Recipe { bundle: "other".into(), ..recipe(1) }).contains("load that bundle"));
    assert!(refused(Recipe { precision: Precision::F32, ..recipe(1) }).contains("f32"));
    let missing =
        Generation::new(&engine(), Recipe { steering: steered(vec![1.0]), ..recipe(1) }, &[], &Cancel::new());
    assert!(missing.err().unwrap().to_string().contains("missing"));
}

#[test]
fn activations_driven_out_of_all_numbers_are_an_error_that_says_so() {
    let mut steering = steered(vec![f32::MAX]);
    steering.slots = vec![steering.slots[0].clone(); 16];
    let recipe = Recipe { steering, ..recipe(4) };
    let mut generation = Generation::new(&engine(), recipe, &vectors(), &Cancel::new()).unwrap();
    let error = generation.advance().unwrap_err();
    assert!(matches!(error, GenerateError::NotANumber { .. }), "{error}");
    assert!(error.to_string().contains("lower the steering strengths"));
}

#[test]
fn a_provider_that_is_not_there_is_an_error_and_never_the_processor() {
    for provider in [Provider::Cuda, Provider::DirectMl] {
        let load = || {
            let engine =
                Engine::load(Small.bundle(), &EngineOptions { provider, ..EngineOptions::default() })?;
            engine.warm_up(&Cancel::new())?;
            Ok::<_, GenerateError>(engine)
        };
        match load() {
            Ok(engine) => assert_eq!(engine.provider(), provider),
            Err(error) => assert!(error.to_string().contains(provider.name()), "{error}"),
        }
    }
}

#[test]
fn cuda_takes_half_precision_by_itself_and_refuses_any_other_with_the_cure() {
    let bundle = Small.bundle();
    assert_eq!(Engine::default_precision(bundle, Provider::Cuda), Precision::F16);
    assert_eq!(Engine::default_precision(bundle, Provider::Cpu), Precision::Int8);
    let options = EngineOptions {
        provider: Provider::Cuda,
        precision: Some(Precision::Int8),
        ..EngineOptions::default()
    };
    let error = Engine::load(bundle, &options).unwrap_err().to_string();
    if Runtime::get().unwrap().providers().contains(&Provider::Cuda) {
        assert!(error.contains("cuda runs decoders in f16 only, and int8 was chosen"), "{error}");
        assert!(error.contains("--precisions f16"), "{error}");
    } else {
        assert!(error.contains("was built without it"), "{error}");
    }
}

#[test]
fn a_take_in_another_precision_is_steered_and_rewound_like_any_other() {
    for precision in [Precision::F16, Precision::Int4] {
        let options = EngineOptions { precision: Some(precision), ..EngineOptions::default() };
        let engine = Engine::load(Small.bundle(), &options).unwrap();
        let recipe = |steering| Recipe { precision, steering, ..recipe(24) };
        let codes = |recipe: Recipe| {
            let take = generate(&engine, recipe, &vectors(), &Cancel::new(), |_| {}).unwrap();
            take.codes
        };
        let unsteered = codes(recipe(Steering::default()));
        let mut generation =
            Generation::new(&engine, recipe(changed_at(12)), &vectors(), &Cancel::new()).unwrap();
        while generation.advance().unwrap().is_some() {}
        let changed = generation.codes();
        assert_ne!(changed, unsteered, "{precision}");
        generation.rewind(12, changed_at(12), &vectors()).unwrap();
        while generation.advance().unwrap().is_some() {}
        assert_eq!(generation.codes(), changed, "{precision}");
        let (steered, none) = (recipe(changed_at(12)), Cancel::new());
        let mut resumed = Generation::resume(&engine, steered, &vectors(), &changed, 9, &none).unwrap();
        while resumed.advance().unwrap().is_some() {}
        assert_eq!(resumed.codes(), changed, "{precision}");
    }
}

#[test]
fn keys_and_values_of_four_bit_weights_take_a_quarter_of_the_memory() {
    let bytes = |precision| {
        let options = EngineOptions { precision: Some(precision), ..EngineOptions::default() };
        let engine = Engine::load(Small.bundle(), &options).unwrap();
        Generation::new(&engine, Recipe { precision, ..recipe(24) }, &[], &Cancel::new()).unwrap().bytes()
    };
    assert_eq!(bytes(Precision::Int8), 4 * bytes(Precision::Int4));
}

#[test]
fn an_engine_is_shared_by_all_who_load_it_alike() {
    let first = engine();
    assert!(Arc::ptr_eq(&first, &engine()));
    let other = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    assert!(!Arc::ptr_eq(&first, &Engine::load(Small.bundle(), &other).unwrap()));
}

#[test]
fn audio_decoded_while_frames_come_is_that_of_the_whole_take_in_every_bit() {
    for checkpoint in [Small, Banded] {
        let engine = Engine::load(checkpoint.bundle(), &EngineOptions::default()).unwrap();
        let model = checkpoint.bundle().architecture();
        let code = |codebook: usize, frame: usize| ((frame * 37 + codebook * 11) % model.vocabulary) as u16;
        for frames in [1, 2, 26, 28, 77] {
            let rows: Vec<Vec<u16>> =
                (0..model.codebooks).map(|k| (0..frames).map(|frame| code(k, frame)).collect()).collect();
            let whole = decode(&engine, &Codes::try_from(rows.clone()).unwrap()).unwrap();
            assert_eq!(whole.len(), frames * model.codec.samples_per_frame * model.codec.channels);
            let mut decoder = StreamDecoder::new(&engine);
            let mut pieces = Vec::new();
            for frame in 0..frames {
                let piece = decoder.push(&rows.iter().map(|row| row[frame]).collect::<Vec<_>>()).unwrap();
                let first = StreamDecoder::first_audio_after(&model.codec);
                assert!(frame + 1 >= first || piece.is_empty());
                pieces.extend(piece);
            }
            pieces.extend(decoder.finish().unwrap());
            assert!(
                whole.iter().zip(&pieces).all(|(a, b)| a.to_bits() == b.to_bits())
                    && whole.len() == pieces.len()
            );
        }
    }
}

#[test]
fn a_cancel_ends_a_decoding_wherever_it_is_and_harms_no_other() {
    let engine = engine();
    let codebooks = Small.bundle().architecture().codebooks;
    // From before the first run to far into it.
    for microseconds in [0, 300, 3_000, 30_000] {
        let cancel = Cancel::new();
        let mut decoder = StreamDecoder::cancellable(&engine, &cancel).unwrap();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(microseconds));
                cancel.cancel();
            });
            loop {
                if let Err(error) = decoder.push(&vec![1; codebooks]) {
                    break error;
                }
            }
        });
        assert!(matches!(error, GenerateError::Cancelled), "{error}");
    }
    assert!(decode(&engine, &Codes::try_from(vec![vec![1; 30]; codebooks]).unwrap()).is_ok());
}

#[test]
fn a_cancel_ends_a_load_and_the_next_load_succeeds() {
    for microseconds in [0, 500, 5_000] {
        // A folder of its own, so that no other test has loaded its graphs.
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(Small.bundle().root()).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let vectors = folder.path().join("vectors");
        std::fs::create_dir(&vectors).unwrap();
        for path in Small.bundle().vectors() {
            std::fs::copy(&path, vectors.join(path.file_name().unwrap())).unwrap();
        }
        let bundle = Bundle::open(folder.path()).unwrap();
        let engine = Engine::load(&bundle, &EngineOptions::default()).unwrap();
        let cancel = Cancel::new();
        let loaded = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(microseconds));
                cancel.cancel();
            });
            engine.warm_up(&cancel)
        });
        assert!(matches!(loaded, Ok(()) | Err(GenerateError::Cancelled)), "{loaded:?}");
        assert!(matches!(engine.warm_up(&cancel), Err(GenerateError::Cancelled)));
        engine.warm_up(&Cancel::new()).unwrap();
    }
}

#[test]
fn a_decoder_that_goes_back_gives_every_bit_of_one_that_never_was_ahead() {
    for checkpoint in [Small, Banded] {
        let engine = Engine::load(checkpoint.bundle(), &EngineOptions::default()).unwrap();
        let model = checkpoint.bundle().architecture();
        let rows = |changed: usize| -> Codes {
            let row = |k: usize| {
                (0..130)
                    .map(move |f| ((f * 37 + k * 11 + usize::from(f >= changed)) % model.vocabulary) as u16)
            };
            Codes::try_from((0..model.codebooks).map(|k| row(k).collect()).collect::<Vec<_>>()).unwrap()
        };
        let push = |decoder: &mut StreamDecoder, codes: &Codes, frames: std::ops::Range<usize>| -> Vec<f32> {
            let frame = |at: usize| codes.rows().iter().map(|row| row[at]).collect::<Vec<_>>();
            frames.flat_map(|at| decoder.push(&frame(at)).unwrap()).collect()
        };
        let mut decoder = StreamDecoder::new(&engine);
        let mut audio = push(&mut decoder, &rows(130), 0..130);
        audio.extend(decoder.finish().unwrap());
        // From the end, from where it went back to before, over a chunk's border, to the beginning.
        for (frame, until) in
            [(129, 130), (100, 130), (130, 130), (77, 90), (76, 130), (30, 130), (3, 60), (0, 130)]
        {
            let from = decoder.rewind(frame).unwrap();
            assert!(from <= frame && frame - from < 60, "back to {frame} begins at {from}");
            audio.truncate(from * model.codec.samples_per_frame * model.codec.channels);
            let codes = rows(frame);
            audio.extend(push(&mut decoder, &codes, frame..until));
            if until == 130 {
                audio.extend(decoder.finish().unwrap());
                let whole = decode(&engine, &codes).unwrap();
                assert!(
                    audio.iter().map(|x| x.to_bits()).eq(whole.iter().map(|x| x.to_bits())),
                    "at {frame}"
                );
            }
            // What is kept next time must be what these codes are up to there.
            decoder.rewind(0).unwrap();
            audio = push(&mut decoder, &rows(130), 0..130);
            audio.extend(decoder.finish().unwrap());
        }
    }
}

#[test]
fn audio_depends_on_later_frames_only_within_the_look_ahead() {
    let engine = engine();
    let model = Small.bundle().architecture();
    let rows = |changed: usize| -> Codes {
        let row = |k: usize| {
            (0..90).map(move |f| ((f * 37 + k * 11 + usize::from(f >= changed)) % model.vocabulary) as u16)
        };
        Codes::try_from((0..model.codebooks).map(|k| row(k).collect()).collect::<Vec<_>>()).unwrap()
    };
    let whole = decode(&engine, &rows(90)).unwrap();
    for changed in [30, 53, 80] {
        let other = decode(&engine, &rows(changed)).unwrap();
        let same =
            whole.iter().zip(&other).take_while(|(a, b)| a == b).count() / model.codec.samples_per_frame;
        let expected = changed - StreamDecoder::look_ahead(&model.codec)..=changed;
        assert!(expected.contains(&same), "changed at {changed}, the same before {same}");
    }
}

#[test]
fn a_label_holds_all_that_is_needed_to_make_the_take_again() {
    let steering = steered(vec![0.1, 0.2, 0.1 + 0.2]);
    let recipe = Recipe { steering, seed: u64::MAX, ..recipe(WINDOW + 5) };
    let take = generate(&engine(), recipe, &vectors(), &Cancel::new(), |_| {}).unwrap();
    let read = Take::from_json(&serde_json::to_string(&take).unwrap()).unwrap();
    assert_eq!(read, take);
    assert_eq!(read.id, read.recipe.id());
    assert_eq!(run(read.recipe.clone()), take.codes);
    read.check(Small.bundle()).unwrap();
    assert!(read.check(Banded.bundle()).unwrap_err().to_string().contains("codebooks"));
}

#[test]
fn a_label_of_a_newer_version_or_no_label_is_refused() {
    let refused = |text: &str| Take::from_json(text).unwrap_err().to_string();
    assert!(refused(r#"{"schema":2}"#).contains("update Tiller"));
    assert!(refused("{").contains("cannot be understood"));
    assert!(refused(r#"{"schema":1}"#).contains("missing field"));
}
