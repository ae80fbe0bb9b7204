//! `tiller replay`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tiller_models::encodec::StreamDecoder;
use tiller_models::musicgen::{Engine, Take};
use tiller_models::runtime::Provider;

use super::output::{Reporting, Wav};
use super::{EngineArguments, Outcome, open_bundle};

/// Arguments of `tiller replay`.
#[derive(Args)]
pub(crate) struct Replay {
    /// The take's label, as `tiller generate --label` writes it.
    #[arg(value_name = "take.json")]
    label: PathBuf,
    #[command(flatten)]
    engine: EngineArguments,
    /// Where the audio goes: WAV, 32-bit floats, at the model's sample rate.
    #[arg(long, value_name = "take.wav")]
    out: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Replay {
    pub fn run(&self) -> Outcome {
        let path = self.label.display();
        let text =
            std::fs::read_to_string(&self.label).map_err(|error| format!("cannot read {path}: {error}"))?;
        let take = Take::from_json(&text).map_err(|error| format!("{path}: {error}"))?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        take.check(&bundle).map_err(|error| format!("{path}: {error}"))?;
        if take.recipe.bundle != bundle.id() {
            let (made_with, loaded) = (&take.recipe.bundle_name, &bundle.manifest().name);
            eprintln!(
                "tiller: {path} was made with another bundle ({made_with}) than {loaded}; it may sound wrong"
            );
        }
        let codec = &bundle.architecture().codec;
        let mut wav = Wav::create(&self.out, codec.sample_rate, codec.channels)?;
        let mut options = self.engine.options();
        // The codec's precision goes with the decoder's, which need not run here.
        if options.provider == Provider::Cpu && bundle.decoder(take.recipe.precision).is_ok() {
            options.precision.get_or_insert(take.recipe.precision);
        }
        let engine = Engine::load(&bundle, &options)?;
        let mut decoder = StreamDecoder::new(&engine);
        let bar = self.reporting.bar(take.codes.frames(), "decoding");
        for frame in 0..take.codes.frames() {
            wav.write(&decoder.push(&take.codes.frame(frame))?)?;
            bar.inc(1);
        }
        wav.write(&decoder.finish()?)?;
        bar.finish_and_clear();
        wav.finish()?;
        self.reporting.result(
            &json!({ "id": take.id, "out": self.out, "frames": take.codes.frames(), "seconds": take.seconds() }),
            &format!("{}: {:.1} s of music", self.out.display(), take.seconds()),
        );
        Ok(())
    }
}
