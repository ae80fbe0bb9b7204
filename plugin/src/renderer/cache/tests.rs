use std::process::Command;
use std::time::Instant;

use tiller_models::codes::Codes;

use super::*;
use crate::renderer::studio::Decoder;

/// Names the folder that a test's child process writes to.
const FOLDER: &str = "TILLER_TEST_CACHE";
const ROOM: u64 = 1 << 30;

fn key(number: u16) -> Key {
    let decoder =
        Decoder { bundle: "b".into(), precision: "int8".into(), provider: "cpu".into(), runtime: "1".into() };
    Key::of(&Codes::try_from(vec![vec![number]]).unwrap(), &decoder)
}

fn audio(number: u16, samples: usize) -> Audio {
    let channel =
        |side: u32| (0..samples as u32).map(move |i| f32::from_bits(i ^ side << 20 ^ u32::from(number)));
    Audio { sample_rate: 32_000, channels: vec![channel(1).collect(), channel(2).collect()] }
}

/// Bits, because some samples are not numbers.
fn bits(audio: &Audio) -> Vec<Vec<u32>> {
    audio.channels.iter().map(|channel| channel.iter().map(|sample| sample.to_bits()).collect()).collect()
}

fn names(folder: &Path, end: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).unwrap().map(|found| found.unwrap().path());
    let mut names: Vec<_> = found.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    names.sort();
    names
}

fn age(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// This test again, in a process of its own that can be limited and killed.
fn child(test: &str, folder: &Path, shell: &str) -> Command {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command.args(["-c", shell]).arg(program).args([&format!("{module}::{test}"), "--exact", "--nocapture"]);
    command.env(FOLDER, folder);
    command
}

#[test]
fn what_is_kept_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("made/when/needed"), ROOM);
    assert!(cache.find(&key(1)).is_none());
    let mut kept = audio(1, 1_000);
    kept.channels[0][..3].copy_from_slice(&[f32::NAN, -0.0, f32::INFINITY]);
    cache.keep(&key(1), &kept);
    let found = cache.find(&key(1)).unwrap();
    assert_eq!((found.sample_rate, bits(&found)), (32_000, bits(&kept)));
    assert!(cache.find(&key(2)).is_none());
}

#[test]
fn a_damaged_entry_is_deleted_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), ROOM);
    let kept = audio(1, 50);
    cache.keep(&key(1), &kept);
    let path = names(folder.path(), ENTRY).remove(0);
    let whole = fs::read(&path).unwrap();
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    let cut = (0..whole.len()).step_by(7).map(|end| whole[..end].to_vec());
    let longer = [[&whole[..], &[0; 4]].concat()];
    for bytes in flipped.chain(cut).chain(longer) {
        fs::write(&path, &bytes).unwrap();
        assert!(cache.find(&key(1)).is_none());
        assert!(!path.exists(), "the damaged entry stays");
    }
    cache.keep(&key(1), &kept);
    assert!(cache.find(&key(1)).is_some());
    // A sound entry under another's name is as wrong.
    let other = folder.path().join(format!("{}{ENTRY}", key(2)));
    fs::rename(&path, &other).unwrap();
    assert!(cache.find(&key(2)).is_none() && !other.exists());
}

#[test]
fn what_was_unused_for_longest_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let size = entry::bytes(&key(0), &audio(0, 1_000)).len() as u64;
    let cache = Cache::at(folder.path(), 3 * size);
    for number in 0..3 {
        cache.keep(&key(number), &audio(number, 1_000));
        let path = folder.path().join(format!("{}{ENTRY}", key(number)));
        age(&path, 100 - u64::from(number));
    }
    // The oldest is used again, so the second is now the one unused for longest.
    assert!(cache.find(&key(0)).is_some());
    cache.keep(&key(3), &audio(3, 1_000));
    let there: Vec<u16> = (0..4).filter(|&number| cache.find(&key(number)).is_some()).collect();
    assert_eq!(there, [0, 2, 3]);
}

#[test]
fn what_does_not_fit_at_all_is_not_kept_and_costs_nobody_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), 9_000);
    cache.keep(&key(1), &audio(1, 1_000));
    cache.keep(&key(2), &audio(2, 10_000));
    assert!(cache.find(&key(1)).is_some() && cache.find(&key(2)).is_none());
    let off = Cache::at(folder.path(), 0);
    off.keep(&key(3), &audio(3, 1));
    assert!(!off.is_on() && off.find(&key(1)).is_none() && cache.find(&key(3)).is_none());
}

#[test]
fn what_killed_writers_left_is_swept_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path(), ROOM);
    for (name, seconds) in [("old.part", 3_600), ("new.part", 1), ("notes.txt", 3_600)] {
        fs::write(folder.path().join(name), "x").unwrap();
        age(&folder.path().join(name), seconds);
    }
    cache.keep(&key(1), &audio(1, 10));
    assert!(!folder.path().join("old.part").exists());
    assert!(folder.path().join("new.part").exists() && folder.path().join("notes.txt").exists());
}

#[test]
fn a_folder_that_cannot_be_is_no_cache_and_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    for cache in [Cache::at(file.join("cache"), ROOM), Cache::at(&file, ROOM)] {
        cache.keep(&key(1), &audio(1, 10));
        assert!(cache.find(&key(1)).is_none());
        assert!(cache.warned.get(), "it is not said");
    }
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
}

#[test]
fn writers_and_readers_of_the_same_entry_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let cache = Cache::at(folder.path(), ROOM);
                for _ in 0..30 {
                    cache.keep(&key(1), &audio(1, 20_000));
                    let found = cache.find(&key(1)).expect("it was kept, and nobody deletes it");
                    assert!(bits(&found) == bits(&audio(1, 20_000)));
                }
            });
        }
    });
    assert_eq!(names(folder.path(), "").len(), 1);
}

/// The limit on a file's size stands for a disk without room: both fail a write in its middle.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_the_entry_and_nothing_else() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let cache = Cache::at(&folder, ROOM);
        cache.keep(&key(1), &audio(1, 100_000));
        assert!(cache.warned.get(), "there was room for it");
        assert!(cache.find(&key(1)).is_none());
        assert_eq!(names(&folder, ""), Vec::<PathBuf>::new(), "half an entry stays");
        cache.keep(&key(2), &audio(2, 100));
        assert!(cache.find(&key(2)).is_some());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "a_full_disk_costs_the_entry_and_nothing_else";
    let shell = "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"";
    let output = child(name, folder.path(), shell).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(names(folder.path(), ENTRY).len(), 1, "the child did not run");
}

#[cfg(unix)]
#[test]
fn a_process_killed_while_writing_leaves_no_broken_entry() {
    const SAMPLES: usize = 500_000;
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let cache = Cache::at(&folder, ROOM);
        for number in 0.. {
            cache.keep(&key(number), &audio(number, SAMPLES));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let name = "a_process_killed_while_writing_leaves_no_broken_entry";
        let mut writer = child(name, folder.path(), "exec \"$0\" \"$@\"").spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let before = names(folder.path(), PART).len();
        while names(folder.path(), PART).len() == before {
            assert!(Instant::now() < deadline, "the child writes nothing");
        }
        std::thread::sleep(Duration::from_micros(300 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let cache = Cache::at(folder.path(), ROOM);
        let entries = names(folder.path(), ENTRY);
        let sound = (0..1_000).filter(|&number| {
            let found = cache.find(&key(number));
            found.is_some_and(|found| bits(&found) == bits(&audio(number, SAMPLES)))
        });
        assert_eq!(sound.count(), entries.len(), "round {round}");
        assert_eq!(names(folder.path(), ENTRY), entries, "a broken entry was there");
    }
    let parts = names(folder.path(), PART);
    parts.iter().for_each(|part| age(part, 3_600));
    Cache::at(folder.path(), ROOM).keep(&key(2_000), &audio(0, 10));
    assert_eq!(names(folder.path(), PART), Vec::<PathBuf>::new(), "what was left is not swept");
}
