//! Playing a stretch of the song, block by block, on an audio thread.

use crate::handlers::Headless;
use crate::{Audio, AudioSettings, Parameter, Song};
use anyhow::{Context, Result, anyhow};
use clack_host::events::Pckn;
use clack_host::events::event_types::{NoteOffEvent, NoteOnEvent, ParamModEvent, ParamValueEvent};
use clack_host::prelude::*;
use clack_host::utils::ClapId;
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

/// Concert pitch, Hz.
const A: f64 = 440.0;

/// How a pass is cut into blocks.
#[derive(Clone, Debug, PartialEq)]
pub enum Blocks {
    /// Always the longest block the instance was activated for.
    Longest,
    /// Always this many frames.
    Of(u32),
    /// These lengths in turn, over and over.
    Cycle(Vec<u32>),
}

/// How fast the blocks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the plugin answers, like a bounce.
    Free,
    /// One second of audio a second, like a sound card.
    Live,
}

/// Something that happens at a frame of the pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The parameter with this id in the source takes a value, in the host's units.
    Parameter(&'static str, f64),
    /// The parameter is moved away from its value by this much, in the host's units, as a modulator does.
    Modulation(&'static str, f64),
    /// A key goes down, with velocity 0 to 1.
    NoteOn(u8, f64),
    /// A key comes up.
    NoteOff(u8),
}

/// Where the song stands during a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It moves with the audio, from this frame of the song.
    From(u64),
    /// The host sends no transport at all.
    Unknown,
}

/// A stretch of audio to process.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// The song, for tempo and signature.
    pub song: Song,
    /// Where the song stands.
    pub position: Position,
    /// Whether the transport is rolling. A stopped transport stays where it is.
    pub playing: bool,
    /// Length in frames.
    pub frames: u64,
    /// How it is cut.
    pub blocks: Blocks,
    /// How fast it runs.
    pub pace: Pace,
    /// How loud a sine of concert pitch comes into the sidechain.
    pub incoming: f32,
    /// What happens when, in frames from the start of the pass, in order.
    pub events: Vec<(u64, Event)>,
}

impl Pass {
    /// A pass over the song from `start`, `frames` long, playing freely in the longest blocks, without events.
    pub fn over(start: u64, frames: u64) -> Self {
        Self {
            song: Song::default(),
            position: Position::From(start),
            playing: true,
            frames,
            blocks: Blocks::Longest,
            pace: Pace::Free,
            incoming: 0.0,
            events: Vec::new(),
        }
    }

    /// The same pass with automation of one parameter: a value every 5 ms of `rate` frames per second, taken from
    /// `curve`, which maps seconds from the start of the pass to the host's value.
    pub fn automate(mut self, name: &'static str, rate: f64, curve: impl Fn(f64) -> f64) -> Self {
        let points = self.points(rate);
        self.events.extend(points.map(|at| (at, Event::Parameter(name, curve(at as f64 / rate)))));
        self.events.sort_by_key(|(at, _)| *at);
        self
    }

    /// As [`automate`](Self::automate), but moving the parameter away from the value it has.
    pub fn modulate(mut self, name: &'static str, rate: f64, curve: impl Fn(f64) -> f64) -> Self {
        let points = self.points(rate);
        self.events.extend(points.map(|at| (at, Event::Modulation(name, curve(at as f64 / rate)))));
        self.events.sort_by_key(|(at, _)| *at);
        self
    }

    /// Frames 5 ms apart.
    fn points(&self, rate: f64) -> impl Iterator<Item = u64> + use<> {
        let step = (rate / 200.0).max(1.0) as u64;
        (0..self.frames.div_ceil(step)).map(move |point| point * step)
    }

    /// The part of this pass from frame `from`, `frames` long or up to its end, with what happens in it.
    pub fn part(&self, from: u64, frames: u64) -> Self {
        let end = (from + frames).min(self.frames);
        let position = match self.position {
            Position::From(start) if self.playing => Position::From(start + from),
            other => other,
        };
        let inside = self.events.iter().filter(|(at, _)| (from..end).contains(at));
        let events = inside.map(|(at, event)| (at - from, event.clone())).collect();
        Self { position, frames: end.saturating_sub(from), events, ..self.clone() }
    }

    /// The same pass with a rising and falling edge on a momentary parameter at its start.
    pub fn press(mut self, name: &'static str) -> Self {
        self.events.push((0, Event::Parameter(name, 1.0)));
        self.events.push((self.frames.min(64), Event::Parameter(name, 0.0)));
        self.events.sort_by_key(|(at, _)| *at);
        self
    }
}

/// What the audio thread hands back: the processor for the next pass (unless the plugin would not start), the audio, and
/// how long the plugin took for each block.
pub(crate) type Finished = (Option<StoppedPluginAudioProcessor<Headless>>, Result<(Audio, Vec<Duration>)>);

/// Processes a pass. Runs on the audio thread.
pub(crate) fn process(
    processor: StoppedPluginAudioProcessor<Headless>,
    pass: &Pass,
    settings: AudioSettings,
    steady: u64,
) -> Finished {
    let mut processor = match processor.start_processing() {
        Ok(processor) => processor,
        Err(error) => {
            let reason = anyhow!("the plugin does not start processing: {error}");
            return (Some(error.into_stopped_processor()), Err(reason));
        }
    };
    let audio = blocks(&mut processor, pass, settings, steady);
    (Some(processor.stop_processing()), audio)
}

fn blocks(
    processor: &mut StartedPluginAudioProcessor<Headless>,
    pass: &Pass,
    settings: AudioSettings,
    steady: u64,
) -> Result<(Audio, Vec<Duration>)> {
    let mut times = Vec::new();
    let mut audio = Audio { sample_rate: settings.sample_rate, ..Audio::default() };
    let (mut ports, mut input_ports) = (AudioPorts::with_capacity(2, 1), AudioPorts::with_capacity(2, 1));
    let mut events = pass.events.iter().peekable();
    let (started, mut done, mut count) = (Instant::now(), 0, 0);
    while done < pass.frames {
        let frames = block_length(&pass.blocks, settings.max_block, count).min(pass.frames - done);
        let end = done + frames;
        let mut input = EventBuffer::new();
        while let Some((at, event)) = events.next_if(|(at, _)| *at < end) {
            push(&mut input, (at - done) as u32, event)?;
        }
        let transport = match pass.position {
            Position::Unknown => None,
            Position::From(start) => {
                let frame = if pass.playing { start + done } else { start };
                Some(pass.song.at(frame as f64 / settings.sample_rate, pass.playing))
            }
        };
        // NaN where the plugin writes nothing, so that forgotten samples are seen.
        let mut channels = [0, 1].map(|_| vec![f32::NAN; frames as usize]);
        let mut answers = EventBuffer::new();
        let mut output = ports.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(channels.iter_mut().map(Vec::as_mut_slice)),
        }]);
        let sine = |frame: u64| pass.incoming * (frame as f64 * A / settings.sample_rate * TAU).sin() as f32;
        let mut arriving = [0, 1].map(|_| (done..end).map(sine).collect::<Vec<f32>>());
        let incoming = input_ports.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(arriving.iter_mut().map(InputChannel::variable)),
        }]);
        let asked = Instant::now();
        processor
            .process(
                &incoming,
                &mut output,
                &input.as_input(),
                &mut answers.as_output(),
                Some(steady + done),
                transport.as_ref(),
            )
            .with_context(|| format!("the plugin failed to process the block at frame {done}"))?;
        times.push(asked.elapsed());
        for (whole, block) in audio.channels.iter_mut().zip(&channels) {
            whole.extend_from_slice(block);
        }
        (done, count) = (end, count + 1);
        if pass.pace == Pace::Live {
            let due = Duration::from_secs_f64(done as f64 / settings.sample_rate);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
    }
    Ok((audio, times))
}

fn block_length(blocks: &Blocks, longest: u32, index: usize) -> u64 {
    let frames = match blocks {
        Blocks::Longest => longest,
        Blocks::Of(frames) => *frames,
        Blocks::Cycle(lengths) => lengths.get(index % lengths.len().max(1)).copied().unwrap_or(longest),
    };
    u64::from(frames.clamp(1, longest))
}

fn push(buffer: &mut EventBuffer, time: u32, event: &Event) -> Result<()> {
    let parameter = |name: &str| {
        ClapId::from_raw(Parameter::number(name))
            .with_context(|| format!("`{name}` cannot be a parameter id"))
    };
    let key = |key: u8| Pckn::new(0_u16, 0_u16, u16::from(key), clack_host::events::Match::All);
    match event {
        Event::Parameter(name, value) => {
            buffer.push(&ParamValueEvent::new(time, parameter(name)?, Pckn::match_all(), *value));
        }
        Event::Modulation(name, amount) => {
            buffer.push(&ParamModEvent::new(time, parameter(name)?, Pckn::match_all(), *amount));
        }
        Event::NoteOn(note, velocity) => buffer.push(&NoteOnEvent::new(time, key(*note), *velocity)),
        Event::NoteOff(note) => buffer.push(&NoteOffEvent::new(time, key(*note), 0.0)),
    }
    Ok(())
}
