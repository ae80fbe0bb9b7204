//! The sidechain becomes the melody of the next takes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tiller::listening::{Heard, Listened};
use tiller::state::{Position, Source};

use super::host::Host;
use super::tones::{FRAME, RATE};

/// Samples of the take in the song: a second.
const LENGTH: usize = 50 * FRAME;

/// A host with a take at the song's start, which it plays, and a folder for recordings.
fn with_take() -> (Host, tempfile::TempDir) {
    let mut host = Host::new();
    host.edit(|project| {
        project.prompt = "tone".into();
        project.settings.position = Position::Beats(0.0);
    });
    host.set(5, 1.0);
    host.generate();
    host.shown();
    (host, tempfile::tempdir().unwrap())
}

fn listen(host: &Host, folder: &tempfile::TempDir) {
    host.instance.listening.begin(folder.path().to_owned(), host.rate).unwrap();
}

/// Waits until the renderer has settled it.
fn settled(host: &Host) -> Result<Heard, String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Listened::Over(outcome) = host.instance.listening.stands() {
            return outcome;
        }
        assert!(Instant::now() < deadline, "nobody settles what was heard");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The file that the next take's melody is to be heard in.
fn melody(host: &Host) -> Option<PathBuf> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let melody = host.instance.store().project().melody.clone();
        if let Some(Source::File(file)) = melody.and_then(|melody| melody.source.clone()) {
            return Some(file);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_came_in_while_the_song_played_is_the_next_melody_and_nothing_sounds_otherwise() {
    let (mut host, folder) = with_take();
    let plain = host.play_from(0, LENGTH, 512);
    host.incoming = 0.5;
    listen(&host, &folder);
    host.playing = false;
    host.block(512);
    host.playing = true;
    // Every block of this runs under the guards of the audio thread.
    let listened = host.play_from(0, LENGTH, 333);
    assert!(listened == plain, "listening is heard");
    host.playing = false;
    host.block(512);
    let heard = settled(&host).unwrap();
    assert_eq!((heard.seconds, heard.is_cut), (1.0, false));
    assert_eq!(melody(&host), Some(heard.file.clone()));
    let (samples, rate) = tiller_models::lab::listen(&heard.file).unwrap();
    assert_eq!((samples.len(), rate), (LENGTH, RATE));
    let crossings = samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    assert!((438..=440).contains(&crossings), "{crossings} periods of an A in a second");
    assert_eq!(host.instance.misses.samples(), 0);
}

#[test]
fn stop_ends_it_while_the_song_plays_on() {
    let (mut host, folder) = with_take();
    host.incoming = 0.5;
    listen(&host, &folder);
    host.play_from(0, LENGTH / 2, 512);
    host.instance.listening.stop();
    host.renderer.attach(&host.instance);
    assert_eq!(settled(&host).unwrap().seconds, 0.5);
    assert!(melody(&host).is_some());
    host.play(LENGTH / 2, 512);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "it went on");
}

#[test]
fn a_host_without_a_transport_is_always_heard() {
    let (mut host, folder) = with_take();
    (host.incoming, host.transport) = (0.5, false);
    listen(&host, &folder);
    host.play(LENGTH, 512);
    host.instance.listening.stop();
    host.renderer.attach(&host.instance);
    assert_eq!(settled(&host).unwrap().seconds, 1.0);
}

#[test]
fn where_nothing_is_connected_the_melody_stays_as_it_was() {
    let (mut host, folder) = with_take();
    listen(&host, &folder);
    host.play_from(0, LENGTH, 512);
    host.playing = false;
    host.block(512);
    let message = settled(&host).unwrap_err();
    assert!(message.contains("Sidechain"), "{message}");
    assert_eq!(host.instance.store().project().melody, None);
}

#[test]
fn a_bounce_that_is_listened_to_is_the_same_to_the_byte() {
    let (mut host, folder) = with_take();
    (host.offline, host.incoming) = (true, 0.5);
    host.activate();
    let plain = host.play_from(0, LENGTH, 512);
    for size in [16, 512, 8_192] {
        listen(&host, &folder);
        assert!(host.play_from(0, LENGTH, size) == plain, "in blocks of {size}");
        host.instance.listening.stop();
        host.renderer.attach(&host.instance);
        assert_eq!(settled(&host).unwrap().seconds, 1.0);
    }
}
