//! What the hub says of a model, and which of its files an import reads.

use serde::Deserialize;
use serde_json::Value;

use super::HubError;
use super::file::{Hash, RemoteFile};

/// Files that say what the model is, and whether it needs them.
const DESCRIPTION: [(&str, bool); 5] = [
    ("config.json", true),
    ("generation_config.json", true),
    ("tokenizer.json", true),
    ("preprocessor_config.json", false),
    ("README.md", false),
];
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A model of the hub at one commit.
#[derive(Debug, Clone)]
pub struct Repository {
    /// `OWNER/MODEL`.
    pub id: String,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// The commit it stands for.
    pub commit: String,
    /// The licence its card names, as an identifier of the hub.
    pub licence: Option<String>,
    /// All but the weights.
    pub(super) description: Vec<RemoteFile>,
    /// The weights, and the index of their shards if they have several.
    pub(super) weights: Vec<RemoteFile>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Value,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Repository {
    /// Bytes of all the files that an import reads.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.size).sum()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &RemoteFile> {
        self.description.iter().chain(&self.weights)
    }

    /// Reads the answer of `{endpoint}/api/models/{id}/revision/{revision}?blobs=true`, which came from `url`.
    pub(super) fn parse(
        answer: &[u8],
        url: &str,
        endpoint: &str,
        id: &str,
        revision: &str,
    ) -> Result<Self, HubError> {
        let wrong = |what: String| HubError::Listing { url: url.to_owned(), what };
        let answer: Answer = serde_json::from_slice(answer).map_err(|error| wrong(error.to_string()))?;
        if !Hash::GitBlob(answer.sha.clone()).is_valid() {
            return Err(wrong(format!("its commit is {:?}", answer.sha)));
        }
        let licence = licence(&answer);
        let find = |name: &str| answer.siblings.iter().find(|sibling| sibling.rfilename == name);
        let missing = |file| HubError::MissingFile { id: id.into(), file, revision: revision.into() };
        let mut description = Vec::new();
        for (name, needed) in DESCRIPTION {
            match find(name) {
                Some(sibling) => description.push(sibling.file().map_err(wrong)?),
                None if needed => return Err(missing(name)),
                None => {}
            }
        }
        let weights: Vec<&Sibling> = if let Some(index) = find(INDEX) {
            answer.siblings.iter().filter(|sibling| sibling.is_shard()).chain([index]).collect()
        } else {
            find(SINGLE).into_iter().collect()
        };
        if weights.is_empty() {
            let pickled = answer.siblings.iter().find(|sibling| sibling.is_pickled());
            return Err(pickled.map_or_else(
                || missing(SINGLE),
                |found| HubError::PickleOnly {
                    id: id.into(),
                    found: found.rfilename.clone(),
                    endpoint: endpoint.into(),
                },
            ));
        }
        let weights = weights.into_iter().map(Sibling::file).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self {
            id: id.into(),
            revision: revision.into(),
            commit: answer.sha,
            licence,
            description,
            weights,
        })
    }
}

impl Sibling {
    fn file(&self) -> Result<RemoteFile, String> {
        let (size, hash) = match (&self.lfs, self.size, &self.blob) {
            (Some(lfs), _, _) => (lfs.size, Hash::Sha256(lfs.sha256.clone())),
            (None, Some(size), Some(blob)) => (size, Hash::GitBlob(blob.clone())),
            _ => return Err(format!("it states no size and hash of {}", self.rfilename)),
        };
        if !hash.is_valid() {
            return Err(format!("it states {:?} as the hash of {}", hash.digits(), self.rfilename));
        }
        Ok(RemoteFile { name: self.rfilename.clone(), size, hash })
    }

    /// `model-00001-of-00002.safetensors`.
    fn is_shard(&self) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.rfilename
            .strip_prefix("model-")
            .and_then(|rest| rest.strip_suffix(".safetensors"))
            .and_then(|rest| rest.split_once("-of-"))
            .is_some_and(|(number, count)| digits(number) && digits(count))
    }

    fn is_pickled(&self) -> bool {
        [".bin", ".pt", ".th", ".ckpt"].iter().any(|extension| self.rfilename.ends_with(extension))
    }
}

/// From the card, where `other` stands before a name of its own; else from the tags.
fn licence(answer: &Answer) -> Option<String> {
    let text = |key: &str| answer.card.get(key).and_then(Value::as_str);
    let stated = match text("license") {
        Some("other") => text("license_name").or(Some("other")),
        stated => stated,
    };
    let tagged = || answer.tags.iter().find_map(|tag| tag.strip_prefix("license:"));
    stated.or_else(tagged).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(names: &[&str], card: Value) -> Result<Repository, HubError> {
        let siblings: Vec<Value> = names
            .iter()
            .map(|name| json!({ "rfilename": name, "size": 3, "blobId": "0f".repeat(20) }))
            .collect();
        let answer = json!({ "sha": "ab".repeat(20), "siblings": siblings, "cardData": card, "tags": ["license:mit"] });
        Repository::parse(answer.to_string().as_bytes(), "url", "https://hub", "a/b", "main")
    }

    const SMALL: [&str; 3] = ["config.json", "generation_config.json", "tokenizer.json"];

    fn with(names: &[&'static str]) -> Vec<&'static str> {
        [&SMALL, names].concat()
    }

    #[test]
    fn only_what_an_import_reads_is_fetched() {
        let names = with(&[
            "README.md",
            "model.safetensors",
            "pytorch_model.bin",
            "state_dict.bin",
            "assets/model-00001-of-00001.safetensors",
            "../model.safetensors",
        ]);
        let repository = parse(&names, Value::Null).unwrap();
        let files: Vec<_> = repository.files().map(|file| &*file.name).collect();
        assert_eq!(files, with(&["README.md", "model.safetensors"]));
        assert_eq!(repository.bytes(), 15);
    }

    #[test]
    fn shards_come_with_their_index() {
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let names = with(&[shards[0], shards[1], "model.safetensors.index.json", "model-x-of-2.safetensors"]);
        let repository = parse(&names, Value::Null).unwrap();
        let files: Vec<_> = repository.weights.iter().map(|file| &*file.name).collect();
        assert_eq!(files, [shards[0], shards[1], "model.safetensors.index.json"]);
    }

    #[test]
    fn pickled_weights_are_refused_with_the_cure() {
        let error = parse(&with(&["pytorch_model.bin"]), Value::Null).unwrap_err().to_string();
        assert!(error.contains("pytorch_model.bin") && error.contains("--revision refs/pr/1"), "{error}");
        let error = parse(&SMALL[1..], Value::Null).unwrap_err().to_string();
        assert!(error.contains("no config.json"), "{error}");
    }

    #[test]
    fn the_licence_is_the_cards_or_that_of_the_tags() {
        let licence = |card| parse(&with(&["model.safetensors"]), card).unwrap().licence.unwrap();
        assert_eq!(licence(json!({ "license": "cc-by-nc-4.0" })), "cc-by-nc-4.0");
        assert_eq!(licence(json!({ "license": "other", "license_name": "ours" })), "ours");
        assert_eq!(licence(json!({ "license": ["a", "b"] })), "mit");
    }

    #[test]
    fn hashes_that_are_none_are_refused() {
        let answer = json!({ "sha": "ab".repeat(20), "siblings": [
            { "rfilename": "config.json", "size": 3, "blobId": "../../../../.bashrc" }] });
        let error = Repository::parse(answer.to_string().as_bytes(), "url", "hub", "a/b", "main");
        assert!(error.unwrap_err().to_string().contains("as the hash of config.json"));
    }
}
