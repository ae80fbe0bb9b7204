//! `cargo xtask install`: the packaged plugins and their data, put where this system's hosts look.

use crate::build::Profile;
use crate::bundle::{self, Package};
use crate::{build, stages::Stages, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Where one user's plugins and data live.
struct Homes {
    clap: PathBuf,
    vst3: PathBuf,
    data: PathBuf,
}

/// Builds, packages and installs for the current user.
pub fn run(workspace: &Workspace, profile: Profile) -> Result<()> {
    let mut stages = Stages::of(4);
    stages.run("System and ONNX Runtime", || bundle::prepare(workspace))?;
    stages.run("Build", || build::all(workspace, profile))?;
    let package = stages.run("Package", || bundle::write(workspace, profile))?;
    let homes = homes()?;
    stages.run("Install", || install(&package, &homes))?;
    println!("\nCLAP  {}", homes.clap.join("Tiller.clap").display());
    println!("VST3  {}", homes.vst3.join("Tiller.vst3").display());
    println!("Data  {}", homes.data.display());
    println!("Let your host scan its plugins again. To remove Tiller, delete these three.");
    Ok(())
}

fn install(package: &Package, homes: &Homes) -> Result<()> {
    place(&package.clap, &homes.clap.join("Tiller.clap"))?;
    place(&package.vst3, &homes.vst3.join("Tiller.vst3"))?;
    // The data folder also holds what the user imported and saved: replace only what the package brings.
    place(&package.data.join("runtime"), &homes.data.join("runtime"))?;
    place(&package.data.join("licences"), &homes.data.join("licences"))?;
    place(&package.data.join("bundles/default"), &homes.data.join("bundles/default"))
}

/// Copies beside the destination and renames, so that a host that has the old plugin open keeps it intact.
fn place(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("the destination has no parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("{} could not be made", parent.display()))?;
    let fresh = to.with_extension("installing");
    remove(&fresh)?;
    if from.is_dir() {
        bundle::copy_folder(from, &fresh)?
    } else {
        bundle::copy(from, &fresh)?
    }
    remove(to)?;
    fs::rename(&fresh, to).with_context(|| format!("{} could not be put in place", to.display()))
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
            .with_context(|| format!("{} could not be removed; close the hosts that use it", path.display())),
        _ => Ok(()),
    }
}

fn homes() -> Result<Homes> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        let local = variable("LOCALAPPDATA").context("LOCALAPPDATA is not set")?;
        let plugins = local.join("Programs/Common");
        let roaming = variable("APPDATA").context("APPDATA is not set")?;
        return Ok(Homes {
            clap: plugins.join("CLAP"),
            vst3: plugins.join("VST3"),
            data: roaming.join("Tiller"),
        });
    }
    let Some(home) = variable("HOME") else { bail!("HOME is not set, so there is no folder to install to") };
    if cfg!(target_os = "macos") {
        let library = home.join("Library");
        return Ok(Homes {
            clap: library.join("Audio/Plug-Ins/CLAP"),
            vst3: library.join("Audio/Plug-Ins/VST3"),
            data: library.join("Application Support/Tiller"),
        });
    }
    let share = variable("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
    Ok(Homes { clap: home.join(".clap"), vst3: home.join(".vst3"), data: share.join("tiller") })
}
