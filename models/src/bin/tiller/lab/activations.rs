//! `tiller lab activations`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::json;
use tiller_models::lab::{
    Dataset, Extraction, ExtractionSettings, LabError, Layout, PieceSettings, Pooling, Prompts, Shard,
    extract, extract_pieces,
};
use tiller_models::musicgen::{Cancel, Engine, Recipe, Sampling, frames_of};

use super::super::output::{Pending, Reporting};
use super::super::{EngineArguments, Fallible, Outcome, open_bundle};
use super::place_of;

/// Arguments of `tiller lab activations`.
#[derive(Args)]
pub(crate) struct Extract {
    /// Folder of the data set: WAV, AIFF, FLAC, MP3, Ogg Vorbis or M4A files of any sample rate.
    #[arg(long, value_name = "DIR", required_unless_present = "prompts", conflicts_with = "prompts")]
    data: Option<PathBuf>,
    /// How it is laid out: a folder for each class, or as GTZAN, FMA, music_genres (parquet) or SynTheory are published.
    #[arg(long, value_enum, default_value_t = Laid::Folders)]
    layout: Laid,
    /// Column that holds the class: of the table (info.csv, info.jsonl) in the layout syntheory, by default genre in the
    /// layout parquet. Several, as type,root, are a label each.
    #[arg(long, value_name = "NAME", value_delimiter = ',', required_if_eq("layout", "syntheory"))]
    class_column: Vec<String>,
    /// Draw as many recordings from each class; by default all are read.
    #[arg(long, value_name = "N", conflicts_with = "prompts")]
    per_class: Option<NonZeroUsize>,
    /// Instead of audio, what the model plays for these prompts: lines of a class, a tab and a prompt, or a CSV table with
    /// the columns class and prompt.
    #[arg(long, value_name = "FILE", requires = "seeds")]
    prompts: Option<PathBuf>,
    /// How many pieces are played for each prompt.
    #[arg(long, value_name = "N", requires = "prompts")]
    seeds: Option<NonZeroU64>,
    /// How strongly these prompts are followed.
    #[arg(long, value_name = "G", requires = "prompts", default_value_t = Recipe::DEFAULT_GUIDANCE)]
    guidance: f32,
    /// Read each piece with the prompt that it was played for: what was held while it was generated.
    #[arg(long, requires = "prompts")]
    own_prompt: bool,
    /// Seed of what is drawn, or of the first piece.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Length of a piece, or of the segments that tracks are cut into; what is left over is dropped.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Which positions of a segment become rows: the last, the mean of every n-th, or each n-th. Several, as mean,last, get
    /// a file each from one reading.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mean")]
    pool: Vec<Positions>,
    /// n of every n-th position.
    #[arg(long, value_name = "N", default_value = "25")]
    every: NonZeroUsize,
    /// Read what each attention head mixes, too: attention.LAYER.head.HEAD, for probes and clusters.
    #[arg(long)]
    heads: bool,
    /// What the model is told while it reads, the same for all. Never name a class in it.
    #[arg(long, default_value = "")]
    prompt: String,
    /// Read a share of the recordings or pieces, such as 2/8. The files of all shares are read as one.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// The activation file; of several choices of positions each has its name added: a-mean.safetensors. FILE.partial
    /// beside it holds what is done until it is whole; run again to go on.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    reporting: Reporting,
}

#[derive(Clone, Copy, ValueEnum)]
enum Laid {
    Folders,
    Gtzan,
    Fma,
    Parquet,
    Syntheory,
}

#[derive(Clone, Copy, ValueEnum)]
enum Positions {
    Last,
    Mean,
    Each,
}

/// Where the music comes from.
enum Music {
    Audio(Dataset),
    Pieces(Prompts, PieceSettings),
}

impl Extract {
    pub fn run(&self) -> Outcome {
        let music = self.music()?;
        let bundle = open_bundle(self.engine.bundle.as_deref())?;
        let settings = ExtractionSettings {
            prompt: self.prompt.clone(),
            frames: frames_of(self.seconds, bundle.architecture())?,
            pooling: self.pool.iter().map(|&positions| pooling(positions)).collect(),
            every: self.every,
            heads: self.heads,
            shard: self.shard.unwrap_or(Shard::WHOLE),
        };
        let outs = self.outs(&settings.pooling)?;
        let pending = outs.iter().map(|out| Pending::create(out)).collect::<Result<Vec<_>, _>>()?;
        let mut partial = self.out.clone().into_os_string();
        partial.push(".partial");
        let engine = Engine::load(&bundle, &self.engine.options())?;
        let bar = self.reporting.bar(music.count(settings.shard), "reading");
        let found = music.read(&engine, &settings, partial.as_ref(), &bar)?;
        bar.finish_and_clear();
        for (index, pending) in pending.into_iter().enumerate() {
            pending.finish_by(|out| found.write(index, out))?;
        }
        if !self.reporting.quiet {
            for skipped in found.skipped() {
                eprintln!("tiller: skipped {}: {}", skipped.path.display(), skipped.reason);
            }
        }
        let out = if let [only] = &outs[..] { json!(only) } else { json!(outs) };
        let result = json!({
            "out": out,
            "segments": found.segments(),
            "resumed": found.resumed(),
            "decoder_seconds": found.decoding().as_secs_f64(),
            "skipped": found.skipped(),
            "classes": music.classes(),
            "tracks_are": music.tracks(),
        });
        let names: Vec<String> = outs.iter().map(|out| out.display().to_string()).collect();
        let line = format!("{}: {} segments; {}", names.join(", "), found.segments(), music.tracks());
        found.finish()?;
        self.reporting.result(&result, &line);
        Ok(())
    }

    fn music(&self) -> Fallible<Music> {
        if let (Some(list), Some(seeds)) = (&self.prompts, self.seeds) {
            let pieces = PieceSettings {
                seed: self.seed,
                seeds: seeds.get(),
                guidance: self.guidance,
                sampling: Sampling::default(),
                own_prompt: self.own_prompt,
            };
            return Ok(Music::Pieces(Prompts::open(list)?, pieces));
        }
        let layout = match self.layout {
            Laid::Folders => Layout::Folders,
            Laid::Gtzan => Layout::Gtzan,
            Laid::Fma => Layout::Fma,
            Laid::Parquet if self.class_column.is_empty() => {
                Layout::Parquet { classes: vec!["genre".to_owned()] }
            }
            Laid::Parquet => Layout::Parquet { classes: self.class_column.clone() },
            Laid::Syntheory => Layout::Table { classes: self.class_column.clone() },
        };
        let dataset = layout.list(self.data.as_deref().unwrap_or(Path::new(".")))?;
        Ok(Music::Audio(match self.per_class {
            Some(per_class) => dataset.balanced(per_class, self.seed)?,
            None => dataset,
        }))
    }

    /// A file for each choice of positions.
    fn outs(&self, pooling: &[Pooling]) -> Fallible<Vec<PathBuf>> {
        match pooling {
            [_] => Ok(vec![self.out.clone()]),
            several => several.iter().map(|choice| place_of(&self.out, &choice.to_string())).collect(),
        }
    }
}

impl Music {
    /// Recordings or pieces of a share.
    fn count(&self, shard: Shard) -> usize {
        let all = match self {
            Self::Audio(dataset) => dataset.recordings.len(),
            Self::Pieces(prompts, pieces) => prompts.prompts.len() * pieces.seeds as usize,
        };
        (all + shard.count() - shard.index()) / shard.count()
    }

    fn classes(&self) -> &[String] {
        match self {
            Self::Audio(dataset) => &dataset.classes,
            Self::Pieces(prompts, _) => &prompts.classes,
        }
    }

    /// What no split will part.
    fn tracks(&self) -> &'static str {
        match self {
            Self::Audio(_) => "recordings are tracks",
            Self::Pieces(prompts, _) if prompts.several() => "prompts are tracks",
            Self::Pieces(..) => {
                "pieces are tracks: with one prompt of a class none can be held out, so that scores are of these prompts"
            }
        }
    }

    fn read(
        &self,
        engine: &Arc<Engine>,
        settings: &ExtractionSettings,
        partial: &Path,
        bar: &ProgressBar,
    ) -> Result<Extraction, LabError> {
        let cancel = Cancel::new();
        let progress = |done: usize| bar.set_position(done as u64);
        match self {
            Self::Audio(dataset) => extract(engine, dataset, settings, partial, &cancel, progress),
            Self::Pieces(prompts, pieces) => {
                extract_pieces(engine, prompts, pieces, settings, partial, &cancel, progress)
            }
        }
    }
}

fn pooling(positions: Positions) -> Pooling {
    match positions {
        Positions::Last => Pooling::Last,
        Positions::Mean => Pooling::Mean,
        Positions::Each => Pooling::Each,
    }
}
