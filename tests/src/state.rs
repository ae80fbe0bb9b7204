//! The plugin's state as a host stores it: eight bytes of length, little-endian, then JSON.
//!
//! The JSON holds the parameters and, as a string of JSON in `fields.project`, the project that `docs/state.md`
//! describes.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A saved state.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    bytes: Vec<u8>,
}

impl State {
    /// A state as the host stored it, whatever is in it.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// A state with this content.
    pub fn from_json(json: &Value) -> Self {
        let text = json.to_string().into_bytes();
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text);
        Self { bytes }
    }

    /// The bytes a host stores.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The content.
    pub fn json(&self) -> Result<Value> {
        let (length, text) =
            self.bytes.split_first_chunk::<8>().context("the state is shorter than its length field")?;
        ensure!(u64::from_le_bytes(*length) == text.len() as u64, "the state's length field is wrong");
        serde_json::from_slice(text).context("the state is not JSON")
    }

    /// The project in it.
    pub fn project(&self) -> Result<Value> {
        let json = self.json()?;
        let text = json["fields"]["project"].as_str().context("the state holds no project")?;
        serde_json::from_str(text).context("the project is not JSON")
    }

    /// The same state with its project changed by `edit`.
    pub fn with_project(&self, edit: impl FnOnce(&mut Value)) -> Result<Self> {
        let mut project = self.project()?;
        edit(&mut project);
        let mut json = self.json()?;
        json["fields"]["project"] = Value::String(project.to_string());
        Ok(Self::from_json(&json))
    }
}
