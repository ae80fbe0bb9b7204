//! Self-monitoring: what is read is the music and not the push, a vector lets go of what is there, and takes stay what
//! they are however they are made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;
use tiller_models::bundle::Precision;
use tiller_models::codes::Codes;
use tiller_models::musicgen::{Cancel, Engine, EngineOptions, Generation, Reading, Recipe, Take, generate};
use tiller_models::steering::{Monitoring, Rows, Rule, Site, Slot, Steering, StrengthCurve, Vector};

use common::Checkpoint::Small;
use common::readable::{file, gauge};

/// A window of the checkpoint.
const WINDOW: usize = 60;
/// A take of four windows.
const FRAMES: usize = 150;

fn engine() -> Arc<Engine> {
    let options = EngineOptions { precision: Some(Precision::F32), ..EngineOptions::default() };
    Engine::load(Small.bundle(), &options).unwrap()
}

fn vector(site: Site, layer: usize, gauge: &Value) -> Arc<Vector> {
    Arc::new(Vector::from_bytes(&file(site.name(), layer, gauge), "warmth").unwrap())
}

fn recipe(vector: &Vector, strength: f32, monitor: Option<Monitoring>) -> Recipe {
    let slot = Slot::new(vector, StrengthCurve::constant(strength)).monitored(monitor);
    Recipe {
        steering: Steering { slots: vec![slot], ..Steering::default() },
        ..Recipe::plain(&engine(), "a bright marimba", 11, FRAMES)
    }
}

/// Reads at every fifth step without any memory, so that what is read is seen at once.
fn forgetful(rule: Rule) -> Monitoring {
    Monitoring { memory: NonZeroUsize::MIN, ..Monitoring::new(rule) }
}

fn run(recipe: &Recipe, vector: &Arc<Vector>) -> Take {
    generate(&engine(), recipe.clone(), &[Arc::clone(vector)], &Cancel::new(), |_| {}).unwrap()
}

fn delay() -> usize {
    Small.bundle().architecture().delays.iter().copied().max().unwrap()
}

fn projection(vector: &Vector, site: Site, layer: usize, held: &[f32]) -> f64 {
    let direction = vector.direction(site, layer).unwrap().values();
    held.iter().zip(direction).map(|(&x, &r)| f64::from(x) * f64::from(r)).sum()
}

/// Projections in the last row of guidance at a place, by the step of the take, and the generation, which is over.
fn followed(
    recipe: &Recipe,
    vector: &Arc<Vector>,
    site: Site,
    layer: usize,
) -> (BTreeMap<usize, f64>, Generation) {
    let mut generation =
        Generation::new(&engine(), recipe.clone(), &[Arc::clone(vector)], &Cancel::new()).unwrap();
    let width = Small.bundle().architecture().width;
    let rows = if recipe.is_guided() { 2 } else { 1 };
    let mut found = BTreeMap::new();
    while generation.advance().unwrap().is_some() {
        let step = generation.progress().frames - 1 + delay();
        let from = (layer * rows + rows - 1) * width;
        let held = &generation.activations(site).unwrap()[from..from + width];
        found.insert(step, projection(vector, site, layer, held));
    }
    (found, generation)
}

/// A vector read at the residual stream of layer 3, after the push, whose sides are so far apart as takes wander.
fn wandering() -> Arc<Vector> {
    let any = vector(Site::Residual, 3, &gauge(-1.0, 1.0));
    let (found, _) = followed(&recipe(&any, 0.3, None), &any, Site::Residual, 3);
    let mut found: Vec<f64> = found.into_values().collect();
    found.sort_by(f64::total_cmp);
    vector(Site::Residual, 3, &gauge(found[found.len() / 4], found[3 * found.len() / 4]))
}

#[test]
fn a_vector_lets_go_of_what_is_there_and_pulls_again_when_it_fades() {
    let vector = wandering();
    let reading = *vector.gauge(Site::Residual, 3).unwrap();
    // SMITIN's threshold of a single place is its accuracy, and the odds of .9 are 9.
    let at_threshold = 9_f64.ln() / 2.0;
    for (rule, strength) in [(Rule::Smitin, 0.3), (Rule::Smitin, -0.3), (Rule::Fade, 0.3), (Rule::Fade, -0.3)]
    {
        let recipe = recipe(&vector, strength, Some(forgetful(rule)));
        let (found, generation) = followed(&recipe, &vector, Site::Residual, 3);
        let parts = &generation.let_through()[0];
        let sign = f64::from(strength.signum());
        let expected = |frame: usize| {
            // A window's prompt and its first step know what was known when it began.
            let first_new = (0..4).map(|window| [0, 60, 96, 132][window]).rfind(|&new| new <= frame).unwrap();
            let before = (frame + delay()).max(first_new + 1);
            let Some((_, &along)) = found.range(..before).rfind(|&(step, _)| step % 5 == 0) else {
                return 1.0;
            };
            let there = sign * reading.reading(along);
            match rule {
                Rule::Smitin => f64::from(u8::from(there <= at_threshold)),
                Rule::Fade => (1.0 - there).clamp(0.0, 1.0),
            }
        };
        assert_eq!(parts.len(), FRAMES);
        for (frame, &part) in parts.iter().enumerate() {
            assert!(
                (f64::from(part) - expected(frame)).abs() < 0.006,
                "{rule:?} {strength}, frame {frame}: {part}"
            );
        }
        let turns = |from: f32, to: f32| parts.windows(2).any(|pair| pair[0] >= from && pair[1] <= to);
        assert!(
            turns(0.9, 0.3) && parts.windows(2).any(|pair| pair[0] <= 0.3 && pair[1] >= 0.9),
            "{parts:?}"
        );
        let share = generation.take().unwrap().share_steered(0).unwrap();
        assert!((0.1..0.99).contains(&share), "{rule:?} {strength}: {share}");
    }
}

#[test]
fn what_is_read_is_the_music_and_not_the_push() {
    let reading_of = |codes: &Codes, prompt: &str, vector: &Vector, site: Site, layer: usize| {
        let mut reading = Reading::new(&engine(), prompt, WINDOW, &Cancel::new()).unwrap();
        let mut found = BTreeMap::new();
        let width = vector.width();
        let each = |held: tiller_models::musicgen::Held<'_>| {
            let all = if site == Site::Residual { held.residual } else { held.attention };
            found.insert(
                held.position,
                projection(vector, site, layer, &all[layer * width..(layer + 1) * width]),
            );
        };
        reading.read(codes, NonZeroUsize::MIN, each).unwrap();
        found
    };
    // After the push, in the row beside the steered one; and before it, where there is no such row.
    let beside = (Site::Residual, 4, 3.0, Rows::Conditional, "");
    let before = (Site::Residual, 2, 1.0, Rows::Conditional, "a bright marimba");
    let both = (Site::Attention, 2, 3.0, Rows::Both, "");
    for (site, layer, guidance, rows, prompt) in [beside, before, both] {
        let vector = vector(site, layer, &gauge(-1.0, 1.0));
        let mut recipe = recipe(&vector, 1.5, Some(Monitoring::new(Rule::Fade)));
        (recipe.frames, recipe.guidance, recipe.steering.rows) = (WINDOW, guidance, rows);
        let (found, generation) = followed(&recipe, &vector, site, layer);
        let read = reading_of(&generation.codes(), prompt, &vector, site, layer);
        let spread = read.values().fold(0.0, |most, along| f64::max(most, along.abs()));
        let mut compared = 0;
        for (step, along) in found.range(..=WINDOW) {
            assert!(
                (along - read[step]).abs() < 1e-4 * spread,
                "{site}.{layer} at {step}: {along}, {}",
                read[step]
            );
            compared += 1;
        }
        assert!(compared > WINDOW - 10 && generation.let_through()[0].iter().any(|&part| part > 0.0));
    }
}

#[test]
fn a_vector_that_can_be_read_nowhere_but_in_its_push_is_refused() {
    let refused = |site, layer, guidance, rows| {
        let vector = vector(site, layer, &gauge(-1.0, 1.0));
        let mut recipe = recipe(&vector, 1.0, Some(Monitoring::new(Rule::Smitin)));
        (recipe.guidance, recipe.steering.rows) = (guidance, rows);
        Generation::new(&engine(), recipe, &[vector], &Cancel::new()).err().map(|error| error.to_string())
    };
    for (site, layer) in [(Site::Residual, 3), (Site::Attention, 3)] {
        assert!(refused(site, layer, 1.0, Rows::Conditional).unwrap().contains("its own push is felt"));
        assert!(refused(site, layer, 3.0, Rows::Both).unwrap().contains("its own push is felt"));
        assert_eq!(refused(site, layer, 3.0, Rows::Conditional), None);
    }
    assert_eq!(refused(Site::Residual, 2, 1.0, Rows::Conditional), None);
}

#[test]
fn one_that_never_lets_go_is_not_monitored_in_effect_and_one_that_always_does_not_there() {
    let (never, always) = (gauge(1e6, 2e6), gauge(-2e6, -1e6));
    for rule in Rule::ALL {
        let held = |gauge: &Value, monitor, strength| {
            let vector = vector(Site::Residual, 3, gauge);
            run(&recipe(&vector, strength, monitor), &vector)
        };
        let monitor = Some(Monitoring::new(rule));
        let pulled = held(&never, monitor, 0.8);
        assert_eq!(
            pulled.codes,
            held(&never, None, 0.8).codes,
            "every bit of what it was without monitoring"
        );
        assert_eq!(pulled.share_steered(0), Some(1.0));
        assert_ne!(pulled.id, held(&never, None, 0.8).id);
        let let_go = held(&always, monitor, 0.8);
        // Nothing is known before the first reading.
        let first = let_go.let_through[0].iter().position(|&part| part == 0.0).unwrap();
        assert!(first <= 5 && let_go.let_through[0][first..].iter().all(|&part| part == 0.0));
        assert_ne!(let_go.codes, pulled.codes);
        let plain = held(&never, None, 0.8);
        assert!(plain.let_through.is_empty() && plain.share_steered(0).is_none());
    }
}

#[test]
fn going_back_and_resuming_give_what_the_whole_take_gives() {
    let (vector, engine) = (wandering(), engine());
    let vectors = [Arc::clone(&vector)];
    for rule in Rule::ALL {
        let start = recipe(&vector, 0.3, Some(forgetful(rule)));
        let changed_at = |frame: usize| {
            let mut recipe = start.clone();
            let strengths = (0..=frame).map(|at| if at < frame { 0.3 } else { -0.9 }).collect();
            recipe.steering.slots[0].curve = StrengthCurve::from_frames(strengths);
            recipe
        };
        let stored = run(&start, &vector);
        let mut generation = Generation::new(&engine, start.clone(), &vectors, &Cancel::new()).unwrap();
        // In the first window, in a later one, into earlier ones, to the last frames of one, and to the beginning.
        for (until, frame) in [(40, 25), (150, 140), (150, 70), (150, 94), (150, 59), (100, 0), (150, 97)] {
            while generation.progress().frames < until {
                generation.advance().unwrap();
            }
            let whole = run(&changed_at(frame), &vector);
            generation.rewind(frame, changed_at(frame).steering, &vectors).unwrap();
            while generation.advance().unwrap().is_some() {}
            assert_eq!(generation.take().unwrap(), whole, "{rule:?}: back to {frame} from {until}");

            let again = Generation::resume(
                &engine,
                changed_at(frame),
                &vectors,
                &stored.codes,
                frame,
                &Cancel::new(),
            );
            let mut again = again.unwrap();
            let mut behind = again.behind();
            assert_eq!(behind, again.to_recall());
            while again.catch_up().unwrap() {
                assert!(
                    again.behind() < behind || behind == 0,
                    "{rule:?}: progress steps back on the way to {frame}"
                );
                behind = again.behind();
            }
            assert_eq!((again.progress().frames, again.behind()), (frame, 0));
            while again.advance().unwrap().is_some() {}
            assert_eq!(again.take().unwrap(), whole, "{rule:?}: resumed at {frame}");
            generation.rewind(0, start.steering.clone(), &vectors).unwrap();
        }
        let kept = run(&changed_at(70), &vector);
        let same = |frames: usize| {
            (0..frames).all(|f| stored.codes.rows().iter().zip(kept.codes.rows()).all(|(a, b)| a[f] == b[f]))
        };
        assert!(
            same(70) && !same(90),
            "{rule:?}: what was before the change stays, and what follows does not"
        );
    }
}

#[test]
fn a_label_says_how_the_take_was_monitored() {
    let vector = wandering();
    let take = run(&recipe(&vector, 0.3, Some(Monitoring::new(Rule::Fade))), &vector);
    let read = Take::from_json(&serde_json::to_string(&take).unwrap()).unwrap();
    assert_eq!((&read, read.recipe.id()), (&take, take.id.clone()));
    assert_eq!(run(&read.recipe, &vector), take);
    assert_eq!(read.share_steered(1), None, "there is no such slot");
}

fn tiller(arguments: &[&str]) -> Output {
    let bundle = Small.bundle().root();
    Command::new(env!("CARGO_BIN_EXE_tiller")).args(arguments).env("TILLER_BUNDLE", bundle).output().unwrap()
}

#[test]
fn the_command_makes_a_monitored_take_that_is_replayed_and_refuses_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("v.safetensors"), file("residual", 3, &gauge(-1.0, 1.0))).unwrap();
    let generate = |more: &[&str]| {
        let always = ["generate", "--prompt", "x", "--seconds", "1", "--seed", "5", "--json"];
        tiller(&[always.as_slice(), more].concat())
    };
    let steer = format!("{}:0.5", path("v.safetensors"));
    for rule in ["smitin", "fade"] {
        let (wav, label, again) = (path("a.wav"), path("a.json"), path("b.wav"));
        let output = generate(&["--steer", &steer, "--monitor", rule, "--out", &wav, "--label", &label]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let take = Take::from_json(&std::fs::read_to_string(&label).unwrap()).unwrap();
        assert_eq!(take.recipe.steering.slots[0].monitor.unwrap().rule.name(), rule);
        assert_eq!(said["monitored"][0]["share_steered"].as_f64(), take.share_steered(0));
        assert_eq!(said["monitored"][0]["let_through"].as_array().unwrap().len(), take.codes.frames());
        assert!(tiller(&["replay", &label, "--out", &again, "--quiet"]).status.success());
        let samples = |path: &str| -> Vec<u32> {
            let samples = hound::WavReader::open(Path::new(path)).unwrap().into_samples::<f32>();
            samples.map(|sample| sample.unwrap().to_bits()).collect()
        };
        assert_eq!(samples(&wav), samples(&again));
    }

    let refused = |more: &[&str]| {
        let out = path("refused.wav");
        let output = generate(&[&["--out", &out], more].concat());
        assert!(!output.status.success() && !Path::new(&out).exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let unread = refused(&["--steer", "residual", "--monitor", "fade"]);
    assert!(unread.contains("residual does not say how its concept is read"), "{unread}");
    assert!(refused(&["--monitor", "fade"]).contains("add --steer"));
    assert!(refused(&["--steer", &steer, "--monitor", "off"]).contains("use smitin or fade"));
}
