//! The notice file a package carries: every crate compiled into it, with its licence and the texts it ships.

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The notices for everything the plugin and the command line link, as one text.
pub fn third_party(root: &Path) -> Result<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(vec!["--filter-platform".to_owned(), host()?, "--locked".to_owned()])
        .exec()
        .context("cargo could not list the dependencies")?;
    let mut packages: Vec<&Package> = linked(&metadata, &["tiller", "tiller-models"])?
        .into_iter()
        .map(|id| &metadata[id])
        .filter(|package| package.source.is_some())
        .collect();
    packages.sort_by_key(|package| (package.name.to_string(), package.version.clone()));

    let mut notices = String::from(
        "Tiller contains the following third-party packages. Each is listed with its licence expression; the licence\n\
         texts follow, once each. ONNX Runtime's own notices are in files of their own beside this one.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let label = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("licence in the file below");
        let origin = package.repository.as_deref().unwrap_or("https://crates.io");
        writeln!(notices, "{label}  ({licence})  {origin}")?;
        let folder = package.manifest_path.parent().context("a manifest lies in no folder")?.as_std_path();
        for file in licence_files(folder) {
            let bytes =
                std::fs::read(&file).with_context(|| format!("{} could not be read", file.display()))?;
            let name = file.strip_prefix(folder).unwrap_or(&file).display();
            texts
                .entry(String::from_utf8_lossy(&bytes).trim().to_owned())
                .or_default()
                .push(format!("{label}: {name}"));
        }
    }
    for (text, users) in texts {
        writeln!(notices, "\n{:=<110}\n{}\n{:-<110}\n\n{text}", "", users.join("\n"), "")?;
    }
    Ok(notices)
}

/// Every package reachable from `roots` through normal dependencies: what ends up in the binaries, and the procedural
/// macros that wrote part of it.
fn linked<'a>(metadata: &'a Metadata, roots: &[&str]) -> Result<BTreeSet<&'a PackageId>> {
    let graph = metadata.resolve.as_ref().context("cargo resolved no dependencies")?;
    let nodes: BTreeMap<_, _> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let is_root = |package: &&Package| roots.contains(&package.name.as_str()) && package.source.is_none();
    let mut todo: Vec<_> = metadata.packages.iter().filter(is_root).map(|package| &package.id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            let node = nodes.get(id).with_context(|| format!("cargo lists {id} but not its dependencies"))?;
            todo.extend(node.deps.iter().filter_map(|dependency| {
                let normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
                normal.then_some(&dependency.pkg)
            }));
        }
    }
    Ok(seen)
}

/// Licence files in a crate's folder and one below, where fonts keep theirs.
fn licence_files(folder: &Path) -> Vec<PathBuf> {
    let named_so = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().to_uppercase()).unwrap_or_default();
        let source = path.extension().is_some_and(|extension| extension == "rs");
        let beside_font =
            name.ends_with(".TXT") && path.parent().is_some_and(|parent| parent.ends_with("fonts"));
        !source
            && (beside_font
                || ["LICEN", "COPYING", "NOTICE", "COPYRIGHT"].iter().any(|word| name.contains(word)))
    };
    let mut files: Vec<PathBuf> = entries(folder)
        .into_iter()
        .flat_map(|path| if path.is_dir() { entries(&path) } else { vec![path] })
        .filter(|path| path.is_file() && named_so(path))
        .collect();
    files.sort();
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The triple of the system this runs on, as rustc names it.
fn host() -> Result<String> {
    let mut rustc = std::process::Command::new("rustc");
    crate::process::output(rustc.arg("-vV"))
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned)))
        .context("rustc does not say which system it builds for")
}
