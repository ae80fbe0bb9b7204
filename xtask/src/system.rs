//! What the system must bring: a linker, Python 3 with pip, and for windows a display and its libraries.
//!
//! Nothing is linked against X11 or OpenGL: the plugin opens those when its editor is shown, so building, testing
//! and rendering need none of them.

use crate::process;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// One thing the system must have, and the Debian packages that bring it.
#[derive(Clone, Copy)]
pub struct Requirement {
    /// What it is and what for, as the middle of a sentence.
    pub what: &'static str,
    /// Debian and Ubuntu package names.
    pub packages: &'static [&'static str],
    /// Whether the system has it.
    pub present: fn() -> bool,
}

/// Rust links with the system's C compiler.
pub const LINKER: Requirement = Requirement {
    what: "a C compiler, with which Rust links",
    packages: &["gcc", "libc6-dev"],
    present: || cfg!(windows) || runs("cc", &["--version"]),
};

/// Python 3 unpacks wheels and runs the VST3 hosts of the tests.
pub const PYTHON: Requirement = Requirement {
    what: "Python 3, which unpacks ONNX Runtime's wheel and runs two of the test hosts",
    packages: &["python3"],
    present: || crate::python::interpreter().is_ok(),
};

/// pip fetches ONNX Runtime and the test hosts.
pub const PIP: Requirement = Requirement {
    what: "pip, which fetches ONNX Runtime and two of the test hosts",
    packages: &["python3-pip"],
    present: || crate::python::interpreter().is_ok_and(|python| runs(python, &["-m", "pip", "--version"])),
};

/// Libraries that DawDreamer, one of the test hosts, is linked against.
pub const TEST_HOSTS: Requirement = Requirement {
    what: "the OpenGL and GLib libraries one of the test hosts is linked against",
    packages: &["libgl1", "libglib2.0-0"],
    present: || !cfg!(target_os = "linux") || libraries(&["libGL.so.1", "libglib-2.0.so.0"]),
};

/// Ardour, in whose command line one of the tests bounces a session.
pub const ARDOUR: Requirement = Requirement {
    what: "Ardour 7, one of the test hosts",
    packages: &["ardour"],
    present: || !cfg!(target_os = "linux") || Path::new("/usr/lib/ardour7/utils/ardour7-export").exists(),
};

/// A display without a screen, with OpenGL in software, for `cargo xtask screenshot`.
pub const DISPLAY: Requirement = Requirement {
    what: "Xvfb and the X11 and OpenGL libraries the editor opens",
    packages: &[
        "xvfb",
        "libgl1",
        "libgl1-mesa-dri",
        "libx11-6",
        "libx11-xcb1",
        "libxcursor1",
        "libxkbcommon-x11-0",
    ],
    present: || {
        runs("sh", &["-c", "command -v Xvfb"])
            && libraries(&["libGL.so.1", "libX11-xcb.so.1", "libXcursor.so.1", "libxkbcommon-x11.so.0"])
    },
};

/// FluidSynth renders the held-out clips of the model's report.
pub const SOUND_FONTS: Requirement = Requirement {
    what: "FluidSynth and three free sound fonts, which held-out clips are rendered with",
    packages: &[
        "libfluidsynth3",
        "fluid-soundfont-gm",
        "musescore-general-soundfont-small",
        "timgm6mb-soundfont",
    ],
    present: || {
        libraries(&["libfluidsynth.so.3"])
            && ["sf2/FluidR3_GM.sf2", "sf3/MuseScore_General_Lite.sf3", "sf2/TimGM6mb.sf2"]
                .iter()
                .all(|font| Path::new("/usr/share/sounds").join(font).is_file())
    },
};

/// Makes sure of every requirement: installs what is missing where this user may (root, with apt), and otherwise
/// fails with the line to type.
pub fn ensure(requirements: &[Requirement]) -> Result<()> {
    let missing = missing(requirements);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|requirement| requirement.packages).copied().collect();
    let wanted = missing.iter().map(|requirement| requirement.what).collect::<Vec<_>>().join("; ");
    if !may_install() {
        bail!(
            "this system lacks {wanted}.\nOn Debian or Ubuntu, type:\n\n    sudo apt-get install {}\n\nand run the same command again. On other systems, install the equivalent.",
            packages.join(" ")
        );
    }
    println!("      installing {}", packages.join(" "));
    apt(&["update", "--quiet=2"])?;
    apt(&[["install", "--quiet=2", "--yes", "--no-install-recommends"].as_slice(), &packages].concat())?;
    let still: Vec<_> = self::missing(requirements).iter().map(|requirement| requirement.what).collect();
    if !still.is_empty() {
        bail!("apt installed {} but the system still lacks {}", packages.join(" "), still.join("; "));
    }
    Ok(())
}

fn missing(requirements: &[Requirement]) -> Vec<Requirement> {
    requirements.iter().filter(|requirement| !(requirement.present)()).copied().collect()
}

fn apt(arguments: &[&str]) -> Result<()> {
    process::run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
        .context("apt could not install what is missing")
}

fn may_install() -> bool {
    runs("apt-get", &["--version"])
        && process::output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// Whether the dynamic linker knows all of the libraries.
fn libraries(names: &[&str]) -> bool {
    // ldconfig lives in /sbin, which is not on every user's PATH.
    let list = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|ldconfig| process::output(Command::new(ldconfig).arg("-p")))
        .unwrap_or_default();
    names.iter().all(|name| list.lines().any(|line| line.trim_start().starts_with(name)))
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
