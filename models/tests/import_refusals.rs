//! Checkpoints that cannot be imported, or not wholly: a sentence that names the trouble, and nothing left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;
use tiller_models::bundle::{Bundle, BundleError, Precision};
use tiller_models::import::{ImportError, ImportOptions, Stage, import};

use common::{Checkpoint, copy_folder};

/// A tensor as it is stored.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn floats(shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape: shape.into(), bytes }
    }
}

/// A copy of a good checkpoint to do harm to, and a place to import it to.
struct Victim(TempDir);

impl Victim {
    fn new() -> Self {
        Self::of(Checkpoint::Banded)
    }

    fn of(checkpoint: Checkpoint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkpoint")).unwrap();
        copy_folder(&checkpoint.folder(), &folder.path().join("checkpoint"));
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("checkpoint").join(name)
    }

    fn dest(&self) -> PathBuf {
        self.0.path().join("bundle")
    }

    /// Changes `config.json` or `generation_config.json`.
    fn configure(&self, file: &str, place: &str, value: Value) {
        let mut config: Value = serde_json::from_slice(&fs::read(self.file(file)).unwrap()).unwrap();
        let (parent, key) = place.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value;
        fs::write(self.file(file), config.to_string()).unwrap();
    }

    /// Changes the tensors.
    fn weigh(&self, change: impl FnOnce(&mut BTreeMap<String, Stored>)) {
        let path = self.file("model.safetensors");
        let file = fs::read(&path).unwrap();
        let mut tensors: BTreeMap<String, Stored> = SafeTensors::deserialize(&file)
            .unwrap()
            .iter()
            .map(|(name, tensor)| {
                let (dtype, shape, bytes) = (tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec());
                (name.to_owned(), Stored { dtype, shape, bytes })
            })
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, tensor)| {
            (name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap())
        });
        fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn import(&self) -> Result<Bundle, ImportError> {
        import(&self.file(""), &self.dest(), &ImportOptions::default(), &mut |_| {})
    }

    /// The import fails with this in its sentence, and leaves nothing beside the checkpoint.
    #[track_caller]
    fn is_refused(&self, because: &str) {
        let error = self.import().unwrap_err().to_string();
        assert!(error.contains(because), "expected {because:?} in: {error}");
        let left: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["checkpoint"], "something was left behind");
    }
}

const FC1: &str = "decoder.model.decoder.layers.1.fc1.weight";

#[test]
fn a_missing_tensor_is_named_with_the_shape_it_should_have() {
    let victim = Victim::new();
    victim.weigh(|tensors| drop(tensors.remove(FC1)));
    victim.is_refused(&format!("no tensor \"{FC1}\" (expected with shape [96, 64])"));
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let victim = Victim::new();
    victim.weigh(|tensors| drop(tensors.insert(FC1.into(), Stored::floats(&[2, 3], &[0.0; 6]))));
    victim.is_refused(&format!("\"{FC1}\" has shape [2, 3] where config.json calls for [96, 64]"));
}

#[test]
fn a_weight_that_is_not_finite_is_named() {
    for (value, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let victim = Victim::new();
        victim.weigh(|tensors| {
            let bytes = &mut tensors.get_mut(FC1).unwrap().bytes;
            bytes[40..44].copy_from_slice(&value.to_le_bytes());
        });
        victim.is_refused(&format!("\"{FC1}\" holds {word} at index 10"));
    }
}

#[test]
fn weights_that_overflow_when_run_are_found_by_running_and_the_layer_is_named() {
    let victim = Victim::new();
    victim.weigh(|tensors| {
        let fc1 = Stored::floats(&[96, 64], &[1e38; 96 * 64]);
        tensors.insert(FC1.into(), fc1);
    });
    victim.is_refused("the residual output of layer 1 of its f32 decoder is not finite");
}

#[test]
fn a_weight_beyond_half_precision_is_named_and_fits_single_precision() {
    let victim = Victim::new();
    victim.weigh(|tensors| {
        let mut values = vec![0.01; 96 * 64];
        // Transposed, as the graph stores it: output 1, input 2.
        values[64 + 2] = 70_000.0;
        tensors.insert(FC1.into(), Stored::floats(&[96, 64], &values));
    });
    let import = |precisions: Vec<Precision>| {
        let options = ImportOptions { precisions, ..ImportOptions::default() };
        import(&victim.file(""), &victim.dest(), &options, &mut |_| {})
    };
    let error = import(vec![Precision::F16]).unwrap_err().to_string();
    assert!(error.contains(&format!("\"{FC1}\" holds 70000 at index 193")), "{error}");
    import(vec![Precision::F32]).unwrap();
}

#[test]
fn half_precision_is_the_default_only_where_there_is_nothing_else() {
    let victim = Victim::new();
    let default = |precisions: &[Precision]| {
        let options = ImportOptions { precisions: precisions.to_vec(), ..ImportOptions::default() };
        let bundle = import(&victim.file(""), &victim.dest(), &options, &mut |_| {}).unwrap();
        // Int4's keys and values are weighed with a decoder that is not kept unless it was asked for.
        assert_eq!(bundle.manifest().graphs.decoder.keys().copied().collect::<Vec<_>>(), precisions);
        assert_eq!(
            bundle.root().join("decoder.int8.onnx.data").exists(),
            precisions.contains(&Precision::Int8)
        );
        bundle.manifest().default_precision
    };
    assert_eq!(default(&[Precision::F32, Precision::F16]), Precision::F32);
    assert_eq!(default(&[Precision::Int4]), Precision::Int4);
    assert_eq!(default(&[Precision::F32, Precision::Int4]), Precision::Int4);
    assert_eq!(default(&[Precision::F16]), Precision::F16);
}

#[test]
fn a_number_format_that_is_not_read_is_named() {
    let victim = Victim::new();
    victim.weigh(|tensors| {
        let tensor = tensors.get_mut(FC1).unwrap();
        tensor.dtype = Dtype::I32;
    });
    victim.is_refused(&format!("\"{FC1}\" is stored as I32"));
}

#[test]
fn a_truncated_weight_file_is_refused() {
    let victim = Victim::new();
    let path = victim.file("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 100]).unwrap();
    victim.is_refused("download it again");
}

#[test]
fn pickled_weights_are_refused_with_the_cure() {
    let victim = Victim::new();
    fs::rename(victim.file("model.safetensors"), victim.file("pytorch_model.bin")).unwrap();
    victim.is_refused("Convert them to safetensors");
}

#[test]
fn missing_files_are_named() {
    for name in ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"] {
        let victim = Victim::new();
        fs::remove_file(victim.file(name)).unwrap();
        victim.is_refused(&format!("holds no {name}"));
    }
}

#[test]
fn shards_must_be_there_and_beside_their_index() {
    for (shard, because) in [
        ("model-00001-of-00001.safetensors", "model-00001-of-00001.safetensors, which is missing"),
        ("../model.safetensors", "no safetensors file beside it"),
    ] {
        let victim = Victim::new();
        let index = json!({ "weight_map": { FC1: shard } });
        fs::write(victim.file("model.safetensors.index.json"), index.to_string()).unwrap();
        victim.is_refused(because);
    }
}

#[test]
fn configurations_that_the_graphs_cannot_express_are_refused_by_name() {
    let refused: [(&str, Value, &str); 17] = [
        ("/model_type", json!("musicgen_style"), "not \"musicgen\" or \"musicgen_melody\""),
        ("/model_type", json!("llama"), "its model_type is \"llama\""),
        ("/decoder/audio_channels", json!(3), "3 audio channels"),
        ("/decoder/num_attention_heads", json!(16), "heads of a multiple of 8"),
        ("/decoder/num_attention_heads", json!(5), "heads of a multiple of 8"),
        ("/decoder/activation_function", json!("swish"), "activation_function is \"swish\""),
        ("/decoder/hidden_size", json!(1_u64 << 40), "decoder.hidden_size is"),
        ("/decoder/num_hidden_layers", json!(0), "decoder.num_hidden_layers is 0"),
        ("/decoder/vocab_size", json!(64), "codebook_size"),
        ("/text_encoder/model_type", json!("bert"), "text encoder is \"bert\""),
        ("/text_encoder/feed_forward_proj", json!("gated-silu"), "feed_forward_proj is \"gated-silu\""),
        ("/audio_encoder/model_type", json!("dac"), "audio encoder is \"dac\""),
        ("/audio_encoder/norm_type", json!("time_group_norm"), "cannot be decoded as a stream"),
        ("/audio_encoder/pad_mode", json!("constant"), "pads by \"constant\""),
        ("/audio_encoder/normalize", json!(true), "normalises or chunks"),
        ("/audio_encoder/upsampling_ratios", json!([0]), "upsampling_ratios are [0]"),
        ("/audio_encoder/filter_bank/hop", json!(3), "filter bank's window"),
    ];
    for (place, value, because) in refused {
        let victim = Victim::new();
        victim.configure("config.json", place, value);
        victim.is_refused(because);
    }
    let victim = Victim::new();
    victim.configure("generation_config.json", "/decoder_start_token_id", json!(0));
    victim.is_refused("decoder_start_token_id");
    let victim = Victim::new();
    fs::write(victim.file("config.json"), "{").unwrap();
    victim.is_refused("config.json cannot be understood");
}

#[test]
fn a_melody_model_has_to_say_how_it_hears_melodies() {
    let victim = Victim::of(Checkpoint::Melody);
    victim.configure("preprocessor_config.json", "/feature_size", json!(24));
    victim.is_refused("24 pitch classes where its decoder takes 12");
    victim.configure("preprocessor_config.json", "/feature_size", json!(12));
    victim.configure("preprocessor_config.json", "/hop_length", json!(0));
    victim.is_refused("hop_length is 0");
    fs::remove_file(victim.file("preprocessor_config.json")).unwrap();
    victim.is_refused("preprocessor_config.json");
    let victim = Victim::of(Checkpoint::Melody);
    victim.weigh(|tensors| drop(tensors.remove("audio_enc_to_dec_proj.weight")));
    victim.is_refused("audio_enc_to_dec_proj.weight");
}

#[test]
fn a_tokenizer_that_is_none_is_found_by_running() {
    let victim = Victim::new();
    fs::write(victim.file("tokenizer.json"), "{}").unwrap();
    victim.is_refused("tokenizer");
}

#[test]
fn a_destination_with_something_else_in_it_is_left_alone() {
    let victim = Victim::new();
    fs::create_dir(victim.dest()).unwrap();
    fs::write(victim.dest().join("thesis.txt"), "years of work").unwrap();
    let error = victim.import().unwrap_err();
    assert!(matches!(error, ImportError::Destination(_)), "{error}");
    assert_eq!(fs::read_to_string(victim.dest().join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn importing_again_replaces_the_bundle_and_failing_keeps_the_old_one() {
    let victim = Victim::new();
    let first = victim.import().unwrap();
    let options = ImportOptions {
        name: Some("Second".into()),
        licence: Some("CC0-1.0".into()),
        precisions: vec![Precision::Int8],
        ..ImportOptions::default()
    };
    let mut stages = Vec::new();
    let second = import(&victim.file(""), &victim.dest(), &options, &mut |stage| stages.push(stage)).unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!((&*second.manifest().name, &*second.manifest().licence), ("Second", "CC0-1.0"));
    assert_eq!(second.manifest().default_precision, Precision::Int8);
    assert!(matches!(second.decoder(Precision::F32), Err(BundleError::NoPrecision { .. })));
    assert!(!victim.dest().join("decoder.f32.onnx").exists());
    assert_eq!((stages[0], stages[stages.len() - 1]), (Stage::Reading, Stage::Verifying));

    victim.weigh(|tensors| drop(tensors.remove(FC1)));
    victim.import().unwrap_err();
    assert_eq!(Bundle::open(&victim.dest()).unwrap().id(), second.id());
    assert_eq!(fs::read_dir(victim.0.path()).unwrap().count(), 2, "something was left behind");
}

#[test]
fn what_stands_beside_the_weights_is_carried_along() {
    let victim = Victim::new();
    fs::write(victim.file("MODEL_CARD.md"), "a card").unwrap();
    fs::write(victim.file("LICENSES.md"), "licences").unwrap();
    fs::write(victim.file("vectors/notes.txt"), "no vector").unwrap();
    let bundle = victim.import().unwrap();
    let files: Vec<_> = bundle.manifest().files.keys().filter(|name| !name.contains(".onnx")).collect();
    let expected = [
        "LICENSES.md",
        "MODEL_CARD.md",
        "tokenizer.json",
        "vectors/attention.safetensors",
        "vectors/residual.safetensors",
    ];
    assert_eq!(files, expected);
    assert_eq!(bundle.manifest().licence, "cc0-1.0");
    assert_eq!(bundle.manifest().name, "checkpoint");
    assert!(bundle.manifest().norms.residual.iter().all(|norm| *norm > 0.0));
    assert_eq!(bundle.architecture().window, 60);
}
