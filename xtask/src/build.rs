//! Building the plugin, the command line and the host programs, always in one cargo call and one profile.

use crate::{process, workspace::Workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The two profiles the project uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Light optimisation and line numbers: development, tests and the demo.
    Dev,
    /// What musicians install and what is measured.
    Release,
}

impl Profile {
    /// The flags cargo takes for it.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    /// The folder below the target folder.
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    /// The path of a built program.
    pub fn program(self, workspace: &Workspace, name: &str) -> PathBuf {
        workspace.target.join(self.folder()).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

/// cargo, told to build where this program was built.
pub fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env("CARGO_TARGET_DIR", &workspace.target);
    command
}

/// Builds the plugin, the `tiller` command and the host programs.
pub fn all(workspace: &Workspace, profile: Profile) -> Result<()> {
    process::run(
        cargo(workspace)
            .args(["build", "--lib", "--bins", "-p", "tiller", "-p", "tiller-models", "-p", "tiller-tests"])
            .args(profile.flags()),
    )
    .context("the plugin did not build")
}
