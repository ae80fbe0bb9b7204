//! What a take begins with: a recording, or another take.

use std::path::Path;

use tiller_models::codes::Codes;
use tiller_models::encodec;
use tiller_models::lab::sound_of;
use tiller_models::musicgen::{Engine, Take, frames_of};

/// The codes of a recording or of a label's take, as far as `from` seconds; all of them by default.
pub(super) fn opening(file: &Path, from: Option<f64>, engine: &Engine) -> Result<Codes, String> {
    let shown = file.display();
    let architecture = engine.bundle().architecture();
    let mut codes = if file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let take = Take::from_json(&text).map_err(|error| format!("{shown}: {error}"))?;
        take.check(engine.bundle()).map_err(|error| format!("{shown}: {error}"))?;
        take.codes
    } else {
        let samples = sound_of(file, engine.bundle()).map_err(|error| error.to_string())?;
        encodec::encode(engine, &samples).map_err(|error| format!("{shown}: {error}"))?
    };
    if let Some(from) = from {
        let frames = frames_of(from, architecture).map_err(|error| format!("--from: {error}"))?;
        if frames > codes.frames() {
            let seconds = codes.frames() as f64 / architecture.frame_rate();
            return Err(format!("{shown} is {seconds:.2} s long: --from {from} is beyond its end"));
        }
        codes.truncate(frames);
    }
    Ok(codes)
}
