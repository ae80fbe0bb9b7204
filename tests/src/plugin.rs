//! The plugin's file, and what it says of itself before anything is instantiated.

use crate::Instance;
use anyhow::{Context, Result};
use clack_host::prelude::*;
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// A loaded `.clap` file and the first plugin in it.
#[derive(Clone)]
pub struct PluginFile {
    path: PathBuf,
    entry: PluginEntry,
    id: CString,
    name: String,
    features: Vec<String>,
}

impl PluginFile {
    /// Loads the file and reads the first plugin's descriptor, as a host's scan does.
    pub fn load(path: &Path) -> Result<Self> {
        // SAFETY: the file is the project's own build, whose initialisers run no code of unknown origin.
        let entry = unsafe { PluginEntry::load(path) }
            .with_context(|| format!("{} is not a CLAP file this host can load", path.display()))?;
        let factory = entry.get_plugin_factory().context("the file has no plugin factory")?;
        let descriptor = factory.plugin_descriptors().next().context("the file holds no plugin")?;
        let id = descriptor.id().context("the plugin has no id")?.to_owned();
        let name = descriptor.name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let features = descriptor.features().map(|feature| feature.to_string_lossy().into_owned()).collect();
        Ok(Self { path: path.to_path_buf(), id, name, features, entry })
    }

    /// The plugin's id, for example `org.example.plugin`.
    pub fn id(&self) -> String {
        self.id.to_string_lossy().into_owned()
    }

    /// The plugin's display name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The CLAP features it declares, for example `instrument`.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// A new instance, not yet active. The calling thread becomes the instance's main thread.
    pub fn instantiate(&self) -> Result<Instance> {
        let host =
            HostInfo::new("Tiller test host", "Tiller", "https://github.com/tiller-audio/tiller", "1.0")?;
        Instance::new(&self.entry, &self.id, &host)
            .with_context(|| format!("{} makes no instance", self.path.display()))
    }
}
