//! `tiller verify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use tiller_models::bundle::Precision;
use tiller_models::musicgen::Cancel;
use tiller_models::runtime::Provider;
use tiller_models::verify::{Compared, Verification, VerifyOptions, verify};

use super::output::Reporting;
use super::{Outcome, open_bundle};

/// Arguments of `tiller verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// Folder of the bundle; by default the embedded one.
    bundle: Option<PathBuf>,
    /// Precisions to compare with the most exact one, separated by commas; by default all that the bundle has.
    #[arg(long, value_delimiter = ',')]
    precisions: Vec<Precision>,
    /// What the decoders play; may be given several times. By default two prompts.
    #[arg(long = "prompt", value_name = "TEXT")]
    prompts: Vec<String>,
    /// Length of what they play to each prompt.
    #[arg(long, default_value_t = VerifyOptions::default().seconds)]
    seconds: f64,
    /// Positions at which steps are timed.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    positions: Vec<usize>,
    /// What runs the compared decoders: cpu, cuda or directml. The most exact one runs on the processor.
    #[arg(long, default_value_t)]
    provider: Provider,
    /// Threads of the decoders; by default half of the processor's, from 2 to 4.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Verify {
    pub fn run(&self) -> Outcome {
        let bundle = open_bundle(self.bundle.as_deref())?;
        let usual = VerifyOptions::default();
        let options = VerifyOptions {
            precisions: self.precisions.clone(),
            prompts: if self.prompts.is_empty() { usual.prompts } else { self.prompts.clone() },
            seconds: self.seconds,
            positions: if self.positions.is_empty() { usual.positions } else { self.positions.clone() },
            provider: self.provider,
            threads: self.threads,
        };
        let bar = self.reporting.bar(1, "comparing");
        let found = verify(&bundle, &options, &Cancel::new(), &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        self.reporting.result(&serde_json::to_value(&found)?, &table(&found));
        if let [refused, ..] = found.refused.as_slice()
            && self.precisions.contains(&refused.precision)
        {
            return Err(refused.reason.clone().into());
        }
        Ok(())
    }
}

/// The comparison for people.
fn table(found: &Verification) -> String {
    let positions = found.decoders.first().map_or(&[][..], |decoder| &decoder.steps);
    let times = positions.iter().map(|step| format!("{:>10}", format!("ms at {}", step.position)));
    let mut lines = vec![
        format!(
            "{}: {} pieces of {} frames, compared with {} on {}",
            found.bundle, found.pieces, found.frames, found.reference, found.provider
        ),
        format!(
            "{:10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{}",
            "precision",
            "rms",
            "of",
            "largest",
            "nats",
            "top-1",
            "greedy",
            times.collect::<String>()
        ),
    ];
    lines.extend(found.decoders.iter().map(line));
    for decoder in
        found.decoders.iter().filter_map(|decoder| decoder.divergence.as_ref().map(|it| (decoder, it)))
    {
        let (decoder, divergence) = decoder;
        let shares: Vec<_> = divergence.top_1_agreement.iter().map(|share| format!("{share:.3}")).collect();
        lines.push(format!("{}: top-1 by codebook {}", decoder.precision, shares.join(", ")));
    }
    let codec = &found.codec;
    let noise =
        codec.signal_to_noise.map_or("no noise".to_owned(), |level| format!("noise at -{level:.1} dB"));
    lines.push(format!(
        "codec, there and back: {:.3} of the codes, {:.3} of the first codebook's, {noise}",
        codec.codes, codec.first_codebook
    ));
    lines.extend(found.refused.iter().map(|refused| format!("{}: {}", refused.precision, refused.reason)));
    lines.extend(found.decoders.iter().skip(1).map(|decoder| decoder.verdict.clone()));
    lines.join("\n")
}

fn line(decoder: &Compared) -> String {
    let figures = match &decoder.divergence {
        Some(divergence) => format!(
            "{:>10.3}{:>10.3}{:>10.3}{:>10.4}{:>10.3}{:>10.3}",
            divergence.rms,
            divergence.rms_of_reference,
            divergence.largest,
            divergence.mean_kl,
            divergence.agreement(),
            decoder.greedy_agreement.unwrap_or(0.0),
        ),
        None => format!("{:>10}", "-").repeat(6),
    };
    let times = decoder.steps.iter().map(|step| format!("{:>10.2}", step.milliseconds));
    format!("{:10}{figures}{}", decoder.precision.to_string(), times.collect::<String>())
}
