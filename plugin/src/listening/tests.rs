//! Listening without a host: blocks go into the ear, and come out as a file.

use super::*;

const RATE: u32 = 1_000;

/// An instance's two sides, and a folder.
struct Room {
    listening: Listening,
    ear: Ear,
    folder: tempfile::TempDir,
}

impl Room {
    /// Listens, for as many samples at most.
    fn listening(samples: usize) -> Self {
        let (listening, folder) = (Listening::default(), tempfile::tempdir().unwrap());
        listening.begin_with_room(folder.path().join("recordings"), RATE, samples).unwrap();
        Self { listening, ear: Ear::default(), folder }
    }

    /// A block of 100 samples, the level on the left and nothing on the right. Says whether the renderer is to know.
    fn block(&mut self, level: f32, rolls: bool) -> bool {
        let channels = [&[level; 100][..], &[0.0; 100][..]];
        self.ear.hear(&self.listening, Sidechain { channels, length: 100, sample_rate: RATE, rolls })
    }

    fn settle(&self) -> Result<Heard, String> {
        self.listening.settle().expect("it is over")
    }
}

#[test]
fn it_begins_and_ends_with_the_song() {
    let mut room = Room::listening(10_000);
    assert!(!room.block(0.5, false), "the song stands");
    assert_eq!(room.listening.stands(), Listened::Underway(0.0));
    assert!(!room.block(0.5, true) && !room.block(-0.25, true));
    assert_eq!(room.listening.stands(), Listened::Underway(0.2));
    assert_eq!(room.listening.take_peak(), 0.25);
    assert!(room.listening.settle().is_none(), "it is not over");
    assert!(room.block(0.5, false), "the renderer is to know");
    let heard = room.settle().unwrap();
    assert_eq!((heard.seconds, heard.is_cut), (0.2, false));
    assert_eq!(room.listening.stands(), Listened::Over(Ok(heard.clone())));
    let mut written = hound::WavReader::open(&heard.file).unwrap();
    let spec = written.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, RATE, 32));
    let samples: Vec<f32> = written.samples::<f32>().map(Result::unwrap).collect();
    assert_eq!(samples, [[0.25; 100], [-0.125; 100]].concat(), "both channels in one");
    assert!(!room.block(0.5, true) && room.listening.settle().is_none());
}

#[test]
fn stopping_ends_it_while_the_song_goes_on() {
    let mut room = Room::listening(10_000);
    room.block(0.5, true);
    room.listening.stop();
    let heard = room.settle().unwrap();
    assert_eq!(heard.seconds, 0.1);
    assert!(room.block(0.5, true), "what the audio thread laid down is to be freed");
    assert!(room.listening.settle().is_none());
    // And again, beside the first.
    room.listening.begin_with_room(room.folder.path().join("recordings"), RATE, 1_000).unwrap();
    room.block(0.5, true);
    room.listening.stop();
    let again = room.settle().unwrap();
    assert_ne!(again.file, heard.file);
    assert!(heard.file.exists() && again.file.exists());
}

#[test]
fn what_is_longer_than_a_recording_is_cut_and_said_to_be() {
    let mut room = Room::listening(250);
    assert!(!room.block(0.5, true) && !room.block(0.5, true));
    assert!(room.block(0.5, true), "it is full");
    let heard = room.settle().unwrap();
    assert_eq!((heard.seconds, heard.is_cut), (0.25, true));
}

#[test]
fn another_rate_ends_it() {
    let mut room = Room::listening(10_000);
    room.block(0.5, true);
    let channels = [&[0.5; 100][..]; 2];
    let other = Sidechain { channels, length: 100, sample_rate: 2 * RATE, rolls: true };
    assert!(room.ear.hear(&room.listening, other));
    assert_eq!(room.settle().unwrap().seconds, 0.1);
}

#[test]
fn silence_and_what_is_no_sound_are_no_melody() {
    for (level, word) in [(0.0, "Sidechain"), (1e-5, "Sidechain"), (f32::NAN, "finite")] {
        let mut room = Room::listening(10_000);
        room.block(level, true);
        room.block(level, false);
        let message = room.settle().unwrap_err();
        assert!(message.contains(word), "{message}");
        assert!(!room.folder.path().join("recordings").exists(), "a file was written");
    }
    let room = Room::listening(10_000);
    room.listening.stop();
    assert!(room.settle().unwrap_err().contains("did not play"));
}

#[test]
fn a_host_that_sends_fewer_samples_than_the_block_has_keeps_the_time() {
    let mut room = Room::listening(10_000);
    let channels = [&[0.5; 40][..], &[][..]];
    room.ear.hear(&room.listening, Sidechain { channels, length: 100, sample_rate: RATE, rolls: true });
    room.listening.stop();
    assert_eq!(room.settle().unwrap().seconds, 0.1);
}

#[test]
fn it_cannot_begin_twice_or_without_audio_and_says_where_it_could_not_write() {
    let mut room = Room::listening(10_000);
    let folder = room.folder.path().to_owned();
    assert!(room.listening.begin(folder.clone(), RATE).unwrap_err().contains("Stop"));
    assert!(Listening::default().begin(folder, 0).unwrap_err().contains("audio"));
    std::fs::write(room.folder.path().join("recordings"), "in the way").unwrap();
    room.block(0.5, true);
    room.listening.stop();
    let message = room.settle().unwrap_err();
    assert!(message.contains("recordings") && message.contains("listen again"), "{message}");
}
