//! What an import holds in memory does not grow with the checkpoint's files.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use common::{Checkpoint, copy_folder};

/// Bytes of each file that is added: far more than all else an import of a small checkpoint needs.
const SHARD: u64 = 160 << 20;

/// A safetensors file of one tensor of zeros, which take no room on most disks.
fn write_zeros(path: &Path, name: &str) {
    let header =
        json!({ name: { "dtype": "F32", "shape": [SHARD / 4], "data_offsets": [0, SHARD] } }).to_string();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + SHARD).unwrap();
}

/// The most memory a child that has ended held, in bytes.
fn peak_of_children() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a struct of the kind that is asked for, and zeros are valid in it.
    let usage = unsafe {
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()), 0);
        usage.assume_init()
    };
    u64::try_from(usage.ru_maxrss).unwrap() << 10
}

#[test]
fn importing_shards_takes_less_than_one_and_a_half_of_the_largest() {
    let place = tempfile::tempdir().unwrap();
    let checkpoint = place.path().join("checkpoint");
    fs::create_dir(&checkpoint).unwrap();
    copy_folder(&Checkpoint::Gated.folder(), &checkpoint);
    let index = checkpoint.join("model.safetensors.index.json");
    let mut shards: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    for number in 1..=2 {
        let (tensor, file) = (format!("unread.{number}"), format!("unread-{number}.safetensors"));
        write_zeros(&checkpoint.join(&file), &tensor);
        shards["weight_map"][tensor] = file.into();
    }
    fs::write(&index, shards.to_string()).unwrap();

    let import = Command::new(env!("CARGO_BIN_EXE_tiller"))
        .args(["import", "--precisions", "int8"])
        .arg(&checkpoint)
        .arg(place.path().join("bundle"))
        .output()
        .unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let peak = peak_of_children();
    assert!(peak < SHARD * 3 / 2, "{} MB", peak >> 20);
}
