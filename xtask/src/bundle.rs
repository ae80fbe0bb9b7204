//! `cargo xtask bundle`: the CLAP and the VST3 with everything they need, for this system.
//!
//! The layout is documented in `docs/packaging.md`. A VST3 is a folder and carries its resources; a Linux or Windows
//! CLAP is a bare file, whose resources lie in the user's data folder, packaged here as `data/`.

use crate::build::{self, Profile};
use crate::{licences, runtime, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What a package consists of, all below `target/bundled/`.
pub struct Package {
    /// The CLAP plugin (a file; on macOS a folder).
    pub clap: PathBuf,
    /// The VST3 plugin (a folder).
    pub vst3: PathBuf,
    /// ONNX Runtime, the embedded bundle and the notices, as they lie in the user's data folder.
    pub data: PathBuf,
}

/// Builds and packages, and says where everything is.
pub fn run(workspace: &Workspace, profile: Profile) -> Result<()> {
    let mut stages = Stages::of(3);
    stages.run("System and ONNX Runtime", || prepare(workspace))?;
    stages.run("Build", || build::all(workspace, profile))?;
    let package = stages.run("Package", || write(workspace, profile))?;
    println!("\nCLAP  {}", package.clap.display());
    println!("VST3  {}", package.vst3.display());
    println!("Data  {}", package.data.display());
    println!("`cargo xtask install` puts them where hosts look.");
    Ok(())
}

/// What building and running the plugin needs from the system.
pub fn prepare(workspace: &Workspace) -> Result<runtime::Runtime> {
    system::ensure(&[system::LINKER, system::PYTHON, system::PIP])?;
    runtime::ensure(workspace)
}

/// Packages what [`build::all`] built.
pub fn write(workspace: &Workspace, profile: Profile) -> Result<Package> {
    let runtime = runtime::ensure(workspace)?;
    let embedded = workspace.embedded_bundle();
    if !embedded.join("bundle.json").is_file() {
        bail!(
            "{} holds no bundle.json, so there is no model to embed; check the checkout out again",
            embedded.display()
        );
    }
    let flags: Vec<String> = profile.flags().iter().map(|&flag| flag.to_owned()).collect();
    nice_plug_xtask::bundle(&workspace.target, "tiller", &flags, false)
        .context("the plugin could not be packaged")?;
    let folder = workspace.package();
    let (clap, vst3, data) = (folder.join("Tiller.clap"), folder.join("Tiller.vst3"), folder.join("data"));
    if !cfg!(target_os = "macos") {
        // The bundler also packages the program named like the plugin's crate, the command line, under the plugin's
        // name; people type it in lower case.
        let suffix = std::env::consts::EXE_SUFFIX;
        fs::rename(folder.join(format!("Tiller{suffix}")), folder.join(format!("tiller{suffix}")))
            .context("the command line could not be packaged")?;
    }

    let notices = licences::third_party(&workspace.root)?;
    let contents =
        Contents { runtime: &runtime, embedded: &embedded, notices: &notices, root: &workspace.root };
    contents.write(&data, "runtime", "bundles/default")?;
    // On macOS a CLAP is a folder too and carries its resources like a VST3.
    let folders = [Some(&vst3), clap.is_dir().then_some(&clap)];
    for plugin in folders.into_iter().flatten() {
        contents.write(&plugin.join("Contents/Resources"), "lib", "bundle")?;
    }
    Ok(Package { clap, vst3, data })
}

/// What lies beside the plugin's code.
struct Contents<'a> {
    runtime: &'a runtime::Runtime,
    embedded: &'a Path,
    notices: &'a str,
    root: &'a Path,
}

impl Contents<'_> {
    /// Writes everything into an emptied `folder`, under the names the plugin looks for there.
    fn write(&self, folder: &Path, library: &str, bundle: &str) -> Result<()> {
        replace_folder(folder)?;
        let library = folder.join(library);
        fs::create_dir_all(&library)?;
        copy_into(&self.runtime.library, &library)?;
        copy_folder(self.embedded, &folder.join(bundle))?;
        self.write_licences(&folder.join("licences"))
    }

    fn write_licences(&self, folder: &Path) -> Result<()> {
        if self.runtime.notices.is_empty() {
            bail!(
                "no LICENSE or ThirdPartyNotices.txt lies beside {}, and ONNX Runtime may not be packaged without them. Put them there, or unset TILLER_ONNXRUNTIME to use the PyPI wheel.",
                self.runtime.library.display()
            );
        }
        fs::create_dir_all(folder)?;
        for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
            copy_into(&self.root.join(name), folder)?;
        }
        for notice in &self.runtime.notices {
            let name = notice.file_name().context("a notice has no name")?.to_string_lossy();
            copy(notice, &folder.join(format!("ONNXRuntime-{name}")))?;
        }
        fs::write(folder.join("THIRD-PARTY.txt"), self.notices)
            .context("the third-party notices could not be written")
    }
}

/// An empty folder at `path`, whatever was there.
pub fn replace_folder(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("{} could not be replaced", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("{} could not be made", path.display()))
}

/// Copies a folder with everything below it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} could not be made", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("{} could not be read", from.display()))?;
    for entry in entries {
        let path = entry?.path();
        let target = to.join(path.file_name().context("a folder entry has no name")?);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            copy(&path, &target)?;
        }
    }
    Ok(())
}

/// Copies one file.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("{} could not be copied to {}", from.display(), to.display()))
        .map(|_| ())
}

fn copy_into(file: &Path, folder: &Path) -> Result<()> {
    copy(file, &folder.join(file.file_name().context("a file has no name")?))
}
