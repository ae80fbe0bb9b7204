//! Where things are: the checkout and the folder cargo builds into.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The two folders every command works in, both absolute.
pub struct Workspace {
    /// The checkout: the folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// The folder cargo builds into, `target/` unless the user's configuration says otherwise.
    pub target: PathBuf,
}

impl Workspace {
    /// Finds both and makes `root` the current directory, so that relative paths mean what the README says.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask was built outside a workspace")?
            .to_path_buf();
        std::env::set_current_dir(&root).with_context(|| {
            format!("{} is gone; run `cargo xtask` from the checkout again", root.display())
        })?;
        // cargo put this program in <target>/<profile>/, whatever CARGO_TARGET_DIR or its configuration say.
        let program =
            std::env::current_exe().context("the system does not say where xtask is running from")?;
        let target = program
            .ancestors()
            .nth(2)
            .with_context(|| format!("{} is not inside a cargo target folder", program.display()))?;
        Ok(Self { target: target.to_path_buf(), root })
    }

    /// The bundle the plugin embeds: `models/default`.
    pub fn embedded_bundle(&self) -> PathBuf {
        self.root.join("models/default")
    }

    /// The package `cargo xtask bundle` writes.
    pub fn package(&self) -> PathBuf {
        self.target.join("bundled")
    }
}
