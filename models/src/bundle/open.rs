//! Opening a bundle, and where its parts are.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{Architecture, Manifest, Precision, SCHEMA};
use super::{
    BundleError, MANIFEST_FILE, TOKENIZER_FILE, VECTORS_FOLDER, WORDS_FILE, Words, files, graphs, limits,
};

/// A bundle whose files, numbers and graphs have been checked.
#[derive(Debug, Clone)]
pub struct Bundle {
    root: PathBuf,
    id: String,
    manifest: Manifest,
}

impl Bundle {
    /// Opens the bundle in folder `root` and checks all of it.
    ///
    /// Files are hashed once a process: opening the same unchanged bundle again is quick.
    ///
    /// # Errors
    /// [`BundleError`] names the first file or number that is not as it should be.
    pub fn open(root: &Path) -> Result<Self, BundleError> {
        Self::open_unless(root, &|| false)
    }

    /// As [`Self::open`], but given up as soon as `cancelled` says yes: hashing gigabytes takes seconds.
    ///
    /// # Errors
    /// As [`Self::open`], and [`BundleError::Cancelled`].
    pub fn open_unless(root: &Path, cancelled: &dyn Fn() -> bool) -> Result<Self, BundleError> {
        let root = match root.canonicalize() {
            Ok(root) => root,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(BundleError::NotABundle(root.to_owned()));
            }
            Err(source) => return Err(BundleError::Read { path: root.to_owned(), source }),
        };
        let path = root.join(MANIFEST_FILE);
        if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
            return Err(BundleError::NotABundle(root));
        }
        let text = read_limited(&path)?;
        let manifest = parse(&path, &text)?;
        let invalid = |what| BundleError::Invalid { root: root.clone(), what };
        limits::check(&manifest).map_err(invalid)?;
        files::check(&root, &manifest, cancelled)?;
        let listed = &manifest.graphs;
        let fixed =
            [&listed.text_encoder, &listed.encodec_encode, &listed.encodec_latent, &listed.encodec_wave];
        let others = listed.decoder.values().chain(&listed.encodec_latent_int8);
        let named = fixed.into_iter().chain(others).map(String::as_str);
        for name in named.chain(listed.condition()).chain([TOKENIZER_FILE]) {
            if !manifest.files.contains_key(name) {
                return Err(invalid(format!("{name} is not among its listed files")));
            }
        }
        graphs::check(&root, &manifest)?;
        let id = files::hexadecimal(&Sha256::digest(&text));
        Ok(Self { root, id, manifest })
    }

    /// The name that a folder's manifest states, if it has one that this build reads. Nothing else is checked.
    pub(super) fn stated_name(folder: &Path) -> Option<String> {
        let path = folder.join(MANIFEST_FILE);
        Some(parse(&path, &read_limited(&path).ok()?).ok()?.name)
    }

    /// What names this bundle everywhere: SHA-256 of its manifest, which holds the hash of every other file.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The numbers of its model.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.manifest.architecture
    }

    /// The tokenizer, in the format of the crate `tokenizers`.
    #[must_use]
    pub fn tokenizer(&self) -> PathBuf {
        self.root.join(TOKENIZER_FILE)
    }

    /// The words the model was taught, where the bundle says so.
    #[must_use]
    pub fn words(&self) -> Option<Words> {
        self.manifest.files.contains_key(WORDS_FILE).then_some(())?;
        fs::read_to_string(self.root.join(WORDS_FILE)).ok().map(|text| Words::parse(&text))
    }

    /// The folder of steering vectors; it need not exist.
    #[must_use]
    pub fn vectors_folder(&self) -> PathBuf {
        self.root.join(VECTORS_FOLDER)
    }

    /// The steering vector files that came with the bundle, sorted by name.
    #[must_use]
    pub fn vectors(&self) -> Vec<PathBuf> {
        let listed = self.manifest.files.keys();
        let inside = listed.filter(|name| name.starts_with("vectors/") && name.ends_with(".safetensors"));
        inside.map(|name| self.root.join(name)).collect()
    }

    /// The text encoder's graph.
    #[must_use]
    pub fn text_encoder(&self) -> PathBuf {
        self.root.join(&self.manifest.graphs.text_encoder)
    }

    /// The graph of what the decoder is told: cross-attention keys and values of a prompt or, in a model conditioned on
    /// melodies, what is prepended to the music.
    #[must_use]
    pub fn condition(&self) -> PathBuf {
        // A bundle without it was refused.
        self.root.join(self.manifest.graphs.condition().unwrap_or_default())
    }

    /// The decoder's graph in one precision.
    ///
    /// # Errors
    /// [`BundleError::NoPrecision`] if the bundle was imported without it.
    pub fn decoder(&self, precision: Precision) -> Result<PathBuf, BundleError> {
        match self.manifest.graphs.decoder.get(&precision) {
            Some(name) => Ok(self.root.join(name)),
            None => {
                let present: Vec<_> = self.manifest.graphs.decoder.keys().map(ToString::to_string).collect();
                Err(BundleError::NoPrecision {
                    root: self.root.clone(),
                    wanted: precision,
                    present: present.join(", "),
                })
            }
        }
    }

    /// The graph from audio to codes.
    #[must_use]
    pub fn encodec_encode(&self) -> PathBuf {
        self.root.join(&self.manifest.graphs.encodec_encode)
    }

    /// The graph from codes to latent.
    #[must_use]
    pub fn encodec_latent(&self) -> PathBuf {
        self.root.join(&self.manifest.graphs.encodec_latent)
    }

    /// The graph from codes to latent with an LSTM of 8-bit weights, if the bundle has it.
    #[must_use]
    pub fn encodec_latent_int8(&self) -> Option<PathBuf> {
        self.manifest.graphs.encodec_latent_int8.as_ref().map(|name| self.root.join(name))
    }

    /// The graph from latent to audio.
    #[must_use]
    pub fn encodec_wave(&self) -> PathBuf {
        self.root.join(&self.manifest.graphs.encodec_wave)
    }
}

/// The manifest's bytes; one that is too large is not read to its end.
fn read_limited(path: &Path) -> Result<Vec<u8>, BundleError> {
    let read = |source| BundleError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(read)?.take(limits::MANIFEST_BYTES + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > limits::MANIFEST_BYTES {
        let what = format!("{MANIFEST_FILE} is longer than {} bytes", limits::MANIFEST_BYTES);
        return Err(BundleError::Invalid { root: path.parent().unwrap_or(path).to_owned(), what });
    }
    Ok(text)
}

/// The schema is read first and alone: a newer manifest may hold anything.
fn parse(path: &Path, text: &[u8]) -> Result<Manifest, BundleError> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema: u32,
    }
    let malformed = |source| BundleError::Manifest { path: path.to_owned(), source };
    let Version { schema } = serde_json::from_slice(text).map_err(malformed)?;
    if schema == 0 || schema > SCHEMA {
        return Err(BundleError::Schema { path: path.to_owned(), found: schema, newest: SCHEMA });
    }
    serde_json::from_slice(text).map_err(malformed)
}
