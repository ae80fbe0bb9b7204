//! Imported graphs against what transformers makes of the same checkpoints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_wrap, reason = "a few dozen positions")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};
use tiller_models::bundle::{Architecture, Precision};
use tiller_models::runtime::Runtime;

use common::{Checkpoint, Recording, difference, peak};

/// How `record_parity.py` steers each of its cases.
struct Case {
    name: &'static str,
    residual: f32,
    attention: f32,
    literal: bool,
    both_rows: bool,
}

const CASES: [Case; 8] = [
    Case { name: "plain", residual: 0.0, attention: 0.0, literal: false, both_rows: false },
    Case {
        name: "residual_norm_conditional",
        residual: 0.5,
        attention: 0.0,
        literal: false,
        both_rows: false,
    },
    Case { name: "residual_norm_both", residual: -0.7, attention: 0.0, literal: false, both_rows: true },
    Case {
        name: "residual_literal_conditional",
        residual: 2.0,
        attention: 0.0,
        literal: true,
        both_rows: false,
    },
    Case { name: "residual_literal_both", residual: 1.5, attention: 0.0, literal: true, both_rows: true },
    Case {
        name: "attention_norm_conditional",
        residual: 0.0,
        attention: 0.6,
        literal: false,
        both_rows: false,
    },
    Case { name: "attention_literal_both", residual: 0.0, attention: 1.5, literal: true, both_rows: true },
    Case { name: "two_slots", residual: 0.4, attention: -0.5, literal: false, both_rows: false },
];

fn session(path: &Path) -> Session {
    let runtime = Runtime::get().unwrap();
    Session::builder(runtime.environment())
        .unwrap()
        .with_intra_threads(1)
        .unwrap()
        .commit_from_file(path)
        .unwrap()
}

fn floats<const RANK: usize>(shape: [usize; RANK], values: Vec<f32>) -> DynValue {
    Tensor::from_array((shape, values)).unwrap().into_dyn()
}

/// Keys, values and biases as a decoder of this precision takes them.
fn attended(precision: Precision, shape: Vec<i64>, values: Vec<f32>) -> DynValue {
    if precision != Precision::F16 {
        return Tensor::from_array((shape, values)).unwrap().into_dyn();
    }
    let halves: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
    Tensor::from_array((shape, halves)).unwrap().into_dyn()
}

/// Empty keys or values as a decoder of this precision keeps them.
fn cached(precision: Precision, shape: Vec<i64>, values: Vec<f32>) -> DynValue {
    if precision != Precision::Int4 {
        return attended(precision, shape, values);
    }
    Tensor::from_array((shape, vec![0_i8; values.len()])).unwrap().into_dyn()
}

fn integers<const RANK: usize>(shape: [usize; RANK], values: Vec<i64>) -> DynValue {
    Tensor::from_array((shape, values)).unwrap().into_dyn()
}

fn run(session: &mut Session, inputs: Vec<(String, DynValue)>) -> BTreeMap<String, DynValue> {
    let inputs: Vec<(String, SessionInputValue<'_>)> =
        inputs.into_iter().map(|(name, value)| (name, value.into())).collect();
    let outputs = session.run(inputs).unwrap();
    outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn values(value: &DynValue) -> Vec<f32> {
    value.try_extract_tensor::<f32>().unwrap().1.to_vec()
}

#[test]
fn text_states_are_those_of_transformers() {
    for checkpoint in Checkpoint::ALL {
        let expected = checkpoint.expected();
        let mut encoder = session(&checkpoint.bundle().text_encoder());
        for (name, mask) in [("text", None), ("padded", Some(expected.integers("padded.mask")))] {
            let [rows, tokens] = expected.shape(&format!("{name}.ids"))[..] else {
                panic!("ids are a matrix")
            };
            let mask: Vec<f32> = match mask {
                Some(mask) => mask.into_iter().map(|value| value as f32).collect(),
                None => vec![1.0; rows * tokens],
            };
            let inputs = vec![
                ("input_ids".to_owned(), integers([rows, tokens], expected.integers(&format!("{name}.ids")))),
                ("attention_mask".to_owned(), floats([rows, tokens], mask)),
            ];
            let found = values(&run(&mut encoder, inputs)["text_states"]);
            let difference = difference(&found, &expected.floats(&format!("{name}.states")));
            assert!(difference < 2e-5, "{checkpoint:?} {name}: {difference}");
        }
    }
}

/// What the decoder is told of the recorded prompt, and in a melody model of the recorded melody; the row without a prompt
/// is told of nothing.
struct Told {
    /// Text tokens.
    tokens: usize,
    /// Positions before the music.
    prefix: usize,
    /// What the graph of it gives.
    given: BTreeMap<String, DynValue>,
}

impl Told {
    fn of(checkpoint: Checkpoint, expected: &Recording) -> Self {
        let [_, tokens, width] = expected.shape("text.states")[..] else {
            panic!("states have three dimensions")
        };
        let mut states = expected.floats("text.states");
        // Whatever the unconditional row's states are, the mask hides them.
        states.extend(vec![0.5; tokens * width]);
        let mask = [1.0, 0.0].into_iter().flat_map(|row| std::iter::repeat_n(row, tokens)).collect();
        let mut inputs = vec![
            ("text_states".to_owned(), floats([2, tokens, width], states)),
            ("text_mask".to_owned(), floats([2, tokens, 1], mask)),
        ];
        let bundle = checkpoint.bundle();
        let chroma = bundle.architecture().chroma.as_ref();
        if let Some(chroma) = chroma {
            let melody = expected.integers("melody.short");
            let mut heard = vec![0.0; 2 * chroma.frames * chroma.classes];
            for (position, frame) in heard.chunks_exact_mut(chroma.classes).enumerate() {
                let class = if position < chroma.frames { melody[position % melody.len()] } else { 0 };
                frame[usize::try_from(class).unwrap()] = 1.0;
            }
            inputs.push(("melody".to_owned(), floats([2, chroma.frames, chroma.classes], heard)));
        }
        let given = run(&mut session(&bundle.condition()), inputs);
        Self { tokens, prefix: chroma.map_or(0, |chroma| chroma.frames + tokens), given }
    }

    /// The decoder's inputs for `new` positions, the first of which are those before the music if `begins`.
    fn inputs(&self, precision: Precision, new: usize, begins: bool) -> Vec<(String, DynValue)> {
        let Some(states) = self.given.get("prefix_states") else {
            let bias = vec![0.0; 2 * new * self.tokens];
            let shape = vec![2, 1, new as i64, self.tokens as i64];
            let given = self.given.iter().map(|(name, value)| {
                let (shape, values) = value.try_extract_tensor::<f32>().unwrap();
                (name.clone(), attended(precision, shape.to_vec(), values.to_vec()))
            });
            return given.chain([("cross_bias".to_owned(), attended(precision, shape, bias))]).collect();
        };
        let states = values(states);
        let width = states.len() / (2 * self.prefix);
        let mut all = vec![0.0; 2 * new * width];
        if begins {
            for (row, states) in all.chunks_mut(new * width).zip(states.chunks(self.prefix * width)) {
                row[..states.len()].copy_from_slice(states);
            }
        }
        vec![("prefix_states".to_owned(), floats([2, new, width], all))]
    }
}

/// The directions of the checkpoint's vector files at length 1, `[L, D]`, zeros where there is none.
fn directions(checkpoint: Checkpoint, site: &str, architecture: &Architecture) -> Vec<f32> {
    let path = checkpoint.folder().join(format!("vectors/{site}.safetensors"));
    let file = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let mut all = Vec::new();
    for layer in 0..architecture.layers {
        match tensors.tensor(&format!("{site}.{layer}")) {
            Ok(tensor) => {
                let (values, _) = tensor.data().as_chunks();
                let values: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
                let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
                all.extend(values.iter().map(|value| value / norm));
            }
            Err(_) => all.resize(all.len() + architecture.width, 0.0),
        }
    }
    all
}

/// The steering inputs of one site.
fn steering(checkpoint: Checkpoint, site: &str, strength: f32, case: &Case) -> Vec<(String, DynValue)> {
    let architecture = checkpoint.bundle().architecture();
    let (layers, width) = (architecture.layers, architecture.width);
    let rows = if case.both_rows { 1 } else { 2 };
    let mut add = Vec::new();
    let mut gain = Vec::new();
    for direction in directions(checkpoint, site, architecture).chunks(width) {
        let acts = direction.iter().any(|value| *value != 0.0);
        add.extend(direction.iter().map(|value| strength * value));
        gain.push(if acts { 1.0 / (1.0 + strength.abs()) } else { 1.0 });
        if rows == 2 {
            add.resize(add.len() + width, 0.0);
            gain.push(1.0);
        }
    }
    let relative = vec![if case.literal { 0.0 } else { 1.0 }; layers * rows];
    vec![
        (format!("{site}_add"), floats([layers, rows, 1, width], add)),
        (format!("{site}_gain"), floats([layers, rows, 1, 1], gain)),
        (format!("{site}_relative"), floats([layers, rows, 1, 1], relative)),
    ]
}

/// What the decoder gives at each step.
struct Step {
    logits: Vec<f32>,
    residual: Vec<f32>,
    attention: Vec<f32>,
}

/// Runs the recorded tokens through the decoder: `first` of them at once, the rest one by one.
fn steps(checkpoint: Checkpoint, precision: Precision, case: &Case, first: usize) -> Vec<Step> {
    let expected = checkpoint.expected();
    let architecture = checkpoint.bundle().architecture();
    let mut decoder = session(&checkpoint.bundle().decoder(precision).unwrap());
    let told = Told::of(checkpoint, &expected);
    let [codebooks, count] = expected.shape("steps.tokens")[..] else { panic!("tokens are a matrix") };
    let tokens = expected.integers("steps.tokens");
    let room = told.prefix + count + 3;
    let empty = || {
        let shape = [2, architecture.heads, room, architecture.head_width()].map(|size| size as i64);
        cached(precision, shape.to_vec(), vec![0.0; 2 * architecture.width * room])
    };
    let mut cache: BTreeMap<String, DynValue> = (0..architecture.layers)
        .flat_map(|layer| ["key", "value"].map(|half| format!("past_{half}_{layer}")))
        .map(|name| (name, empty()))
        .collect();
    let mut found = Vec::new();
    let mut past = 0;
    while past < count {
        let begins = past == 0;
        let before = if begins { told.prefix } else { 0 };
        let end = past + if begins { first } else { 1 };
        let marks = vec![architecture.vocabulary as i64 + 1; before];
        let of_codebook = |row: &[i64]| [&marks[..], &row[past..end]].concat();
        let row: Vec<i64> = tokens.chunks(count).flat_map(of_codebook).collect();
        let new = before + end - past;
        let total = told.prefix + end;
        let mut inputs = vec![
            ("input_ids".to_owned(), integers([2, codebooks, new], [row.clone(), row].concat())),
            (
                "position_ids".to_owned(),
                integers([new], (total - new..total).map(|position| position as i64).collect()),
            ),
            (
                "seqlens_k".to_owned(),
                Tensor::from_array(([2], vec![total as i32 - 1; 2])).unwrap().into_dyn(),
            ),
            (
                "total_sequence_length".to_owned(),
                Tensor::from_array(((), vec![total as i32])).unwrap().into_dyn(),
            ),
        ];
        inputs.extend(told.inputs(precision, new, begins));
        inputs.extend(std::mem::take(&mut cache));
        inputs.extend(steering(checkpoint, "residual", case.residual, case));
        inputs.extend(steering(checkpoint, "attention", case.attention, case));
        let mut outputs = run(&mut decoder, inputs);
        found.push(Step {
            logits: values(&outputs["logits"]),
            residual: values(&outputs["residual_out"]),
            attention: values(&outputs["attention_out"]),
        });
        for layer in 0..architecture.layers {
            for half in ["key", "value"] {
                let present = outputs.remove(&format!("present_{half}_{layer}")).unwrap();
                cache.insert(format!("past_{half}_{layer}"), present);
            }
        }
        past = end;
    }
    found
}

#[test]
fn what_stands_before_the_music_is_what_transformers_prepends() {
    let expected = Checkpoint::Melody.expected();
    let told = Told::of(Checkpoint::Melody, &expected);
    let off = difference(&values(&told.given["prefix_states"]), &expected.floats("prefix.short"));
    assert!(off < 2e-5, "{off}");
}

#[test]
fn logits_and_activations_of_guided_steps_are_those_of_transformers_steered_or_not() {
    for checkpoint in Checkpoint::EVERY {
        let expected = checkpoint.expected();
        for case in &CASES {
            let name = case.name;
            if !expected.has(&format!("{name}.logits")) {
                assert_eq!(checkpoint, Checkpoint::Melody, "{name} is not recorded");
                continue;
            }
            let found = steps(checkpoint, Precision::F32, case, 1);
            let recorded = expected.shape(&format!("{name}.logits"))[0];
            let logits: Vec<f32> =
                found[found.len() - recorded..].iter().flat_map(|step| step.logits.clone()).collect();
            let off = difference(&logits, &expected.floats(&format!("{name}.logits")));
            assert!(off < 5e-5, "{checkpoint:?} {name}: logits are off by {off}");
            for site in ["residual", "attention"] {
                let recorded = expected.shape(&format!("{name}.{site}"))[0];
                let all: Vec<f32> = found[found.len() - recorded..]
                    .iter()
                    .flat_map(|step| if site == "residual" { &step.residual } else { &step.attention })
                    .copied()
                    .collect();
                let recorded = expected.floats(&format!("{name}.{site}"));
                let off = difference(&all, &recorded) / peak(&recorded);
                assert!(
                    off < 1e-5,
                    "{checkpoint:?} {name}: {site} activations are off by {off} of their peak"
                );
            }
        }
    }
}

#[test]
fn a_block_of_positions_gives_what_single_steps_give() {
    for checkpoint in Checkpoint::EVERY {
        for case in &CASES[..2] {
            let single = steps(checkpoint, Precision::F32, case, 1);
            let block = steps(checkpoint, Precision::F32, case, 7);
            let off = difference(&block[1].logits, &single[7].logits);
            assert!(off < 5e-5, "{checkpoint:?} {}: {off}", case.name);
        }
    }
}

/// By how much of their norm the logits of a precision are off.
fn error_of(checkpoint: Checkpoint, precision: Precision, case: &Case, first: usize) -> f32 {
    let exact = steps(checkpoint, Precision::F32, case, first);
    let rounded = steps(checkpoint, precision, case, first);
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
    let pairs = || exact.iter().zip(&rounded).flat_map(|(a, b)| a.logits.iter().zip(&b.logits));
    let off = squares(&mut pairs().map(|(a, b)| a - b)) / squares(&mut pairs().map(|(a, _)| *a));
    println!("{checkpoint:?} {precision} {}: relative error {:.5}", case.name, off.sqrt());
    off.sqrt()
}

#[test]
fn eight_bit_weights_stay_near_the_exact_ones() {
    for checkpoint in Checkpoint::EVERY {
        let off = error_of(checkpoint, Precision::Int8, &CASES[0], 1);
        assert!(off < 0.03, "{checkpoint:?}: logits are off by {off} of their norm");
    }
}

#[test]
fn four_bit_weights_and_eight_bit_keys_lose_more_but_not_the_thread() {
    for checkpoint in Checkpoint::EVERY {
        for first in [1, 7] {
            let off = error_of(checkpoint, Precision::Int4, &CASES[0], first);
            assert!(off < 0.3, "{checkpoint:?}: logits are off by {off} of their norm");
        }
    }
}

#[test]
fn half_precision_stays_near_single_precision_steered_or_not() {
    for checkpoint in Checkpoint::EVERY {
        for case in &CASES {
            for first in [1, 7] {
                let off = error_of(checkpoint, Precision::F16, case, first);
                assert!(off < 0.003, "{checkpoint:?} {}: logits are off by {off} of their norm", case.name);
            }
        }
    }
}

#[test]
fn strength_zero_gives_the_bits_of_no_steering() {
    let none = steps(Checkpoint::Small, Precision::F32, &CASES[0], 1);
    let case = Case { literal: true, both_rows: true, ..CASES[0] };
    let zero = steps(Checkpoint::Small, Precision::F32, &case, 1);
    for (none, zero) in none.iter().zip(&zero) {
        assert_eq!(none.logits, zero.logits);
        assert_eq!(none.residual, zero.residual);
    }
}
