//! The lab: where a model represents a concept, and in which direction. The method is that of Panda et al. 2025,
//! "Fine-Grained control over Music Generation with Activation Steering", done so that its numbers can be believed.
//!
//! [`extract`] makes an activation file of a [`Dataset`] of audio, and [`extract_pieces`] of what the model plays for
//! [`Prompts`]. Everything else runs on such files ([`Activations`]) alone,
//! wherever they come from:
//!
//! - [`learn`] finds the direction of a [`Contrast`] of classes at one [`Place`], by difference in means, by a probe's
//!   weights or by principal components, and scores it on tracks that it has not seen; [`Study`] does so for all places
//!   or a [`Shard`] of them, and [`VectorDraft`] makes a vector file of the result.
//! - [`probe`] measures how well the classes are read at a place, against labels dealt anew; [`Recommendation`] says in
//!   words where and how to steer.
//! - [`evaluate`] has a [`judge`] hear whether a vector steers where it should, beside random directions and the prompt.
//! - [`strength`] searches where and how strongly a vector should act, as an [`ear`] hears it: a judge, or the model
//!   itself.
//! - [`lesson`] is all of that at once, from two folders of audio to a vector and a page about it.
//! - [`cluster`] groups rows without their labels, and [`Contingency`] tells how well the groups agree with them.
//!
//! Three rules hold throughout. Data are split **by track**: a fold is a property of a track, and rows have none of their
//! own. Classes are **balanced** by weight, not by leaving rows out. Memory depends on the width, not on the number of
//! rows, but for about two hundred bytes a row: files are memory-mapped and read in chunks, and what can be is computed from
//! exact sufficient statistics.

mod activation_file;
mod activations;
mod agreement;
mod audio;
mod clips;
mod contrast;
mod control;
mod dataset;
mod directions;
pub mod ear;
mod error;
pub mod evaluate;
mod examples;
mod extraction;
mod figure;
mod fma;
mod folds;
mod generated;
pub mod judge;
mod key;
mod kmeans;
mod labels;
mod layout;
pub mod lesson;
mod logistic;
mod metadata;
mod moments;
mod moved;
mod parquet_rows;
mod pca;
mod place;
mod pools;
mod positions;
mod probe;
mod progress;
mod prompts;
mod quality;
mod random;
mod readout;
mod recommendation;
mod recorder;
mod records;
mod ridge;
mod samples;
mod score;
mod shard;
mod statistics;
pub mod strength;
mod sufficient;
mod table;
mod vector_file;
mod whole;

pub use activations::Activations;
pub use agreement::{Contingency, hungarian_order};
pub use audio::{is_audio, listen, melody_of, sound_of};
pub use clips::ClipSettings;
pub use contrast::Contrast;
pub use dataset::{Dataset, DatasetLabel, Recording};
pub use directions::{Learned, Method, Settings, Study, learn};
pub use error::LabError;
pub use extraction::extract;
pub use figure::{HeatMap, figure};
pub use generated::{PieceSettings, extract_pieces};
pub use kmeans::{Clustering, cluster};
pub use layout::Layout;
pub use place::Place;
pub use pools::Pooling;
pub use positions::{PositionScore, Positions, check_same_music};
pub use probe::{Baseline, ClassScore, ProbeScore, ProbeSettings, probe};
pub use progress::{Progress, Stage};
pub use prompts::Prompts;
pub use recommendation::Recommendation;
pub use recorder::{Extraction, ExtractionSettings, Skipped};
pub use samples::{Samples, Track};
pub use score::{Estimate, Score};
pub use shard::Shard;
pub use sufficient::{RowStatistics, write_statistics};
pub use vector_file::{DraftSummary, PlaceScore, VectorDraft};
