//! `cargo xtask screenshot`: pictures of the editor in a real host window, on a display without a screen.

use crate::build::{self, Profile};
use crate::{bundle, process, stages::Stages, system, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Builds, starts Xvfb, and writes the pictures into `folder`.
pub fn run(workspace: &Workspace, folder: &str) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the pictures are taken with X11, so only on Linux");
    }
    let mut stages = Stages::of(4);
    let runtime = stages.run("System and ONNX Runtime", || {
        system::ensure(&[system::DISPLAY])?;
        bundle::prepare(workspace)
    })?;
    stages.run("Build", || build::all(workspace, Profile::Dev))?;
    let package = stages.run("Package", || bundle::write(workspace, Profile::Dev))?;
    stages.run("Pictures", || {
        let home = home(workspace)?;
        let display = Display::start()?;
        process::run(
            Command::new(Profile::Dev.program(workspace, "host-screenshot"))
                .arg(&package.clap)
                .arg(folder)
                .env("DISPLAY", &display.name)
                .env("HOME", &home)
                .env_remove("XDG_DATA_HOME")
                .env_remove("TILLER_DATA")
                .env("LIBGL_ALWAYS_SOFTWARE", "1")
                .env("TILLER_ONNXRUNTIME", &runtime.library)
                .env("TILLER_BUNDLE", workspace.embedded_bundle())
                .env("TILLER_CACHE", workspace.target.join("cache")),
        )
        .context("the pictures were not taken")
    })?;
    println!("\nThe pictures are in {folder}");
    Ok(())
}

/// A home with some music in it, so that the pictures show nobody's own folders, vectors and presets.
fn home(workspace: &Workspace) -> Result<PathBuf> {
    const MUSIC: [(&str, usize); 6] = [
        ("drum loops", 64),
        ("grand piano", 24),
        ("mixes", 0),
        ("rhodes", 26),
        ("strings", 40),
        ("vibraphone", 22),
    ];
    let home = workspace.target.join("screenshots/home");
    for (name, recordings) in MUSIC {
        let folder = home.join("Music").join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        for number in 1..=recordings {
            let file = folder.join(format!("{number:02}.wav"));
            fs::write(&file, b"").with_context(|| format!("{} cannot be written", file.display()))?;
        }
    }
    Ok(home)
}

/// A private X server, ended when dropped.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn start() -> Result<Self> {
        // With -displayfd the server picks a free number and writes it when it is ready.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "+extension", "GLX", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb could not be started")?;
        let mut number = String::new();
        let output = server.stdout.take().context("Xvfb's output could not be read")?;
        BufReader::new(output).read_line(&mut number)?;
        let display = Self { server, name: format!(":{}", number.trim()) };
        if number.trim().is_empty() {
            bail!("Xvfb ended without opening a display");
        }
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // Failing to end a server that already ended is no failure.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
