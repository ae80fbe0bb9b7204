//! A song's tempo track.

/// Tempos at points of time, in seconds and quarter notes a minute; straight lines between them.
#[derive(Clone, Debug)]
pub struct TempoTrack(pub Vec<(f64, f64)>);

impl TempoTrack {
    /// Quarter notes from the start, and quarter notes a minute, at a second of the song.
    pub fn at(&self, seconds: f64) -> (f64, f64) {
        let mut beats = 0.0;
        for pair in self.0.windows(2) {
            let [(from, start), (to, end)] = [pair[0], pair[1]];
            let here = seconds.min(to);
            let tempo = start + (end - start) * (here - from) / (to - from).max(1e-9);
            beats += (here - from) * (start + tempo) / 2.0 / 60.0;
            if seconds < to {
                return (beats, tempo);
            }
        }
        let (from, tempo) = *self.0.last().unwrap();
        (beats + (seconds - from) * tempo / 60.0, tempo)
    }
}
