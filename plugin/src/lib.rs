//! Tiller as a plugin: music generated inside the host, steered by its automation.
//!
//! This file is an instance's life in order: made, shown, saved, activated, played, dropped. What happens at each point
//! is a module's business: [`params`] and [`state`] are what a host stores, [`timeline`] says what sounds when,
//! [`audio`] mixes it, [`renderer`] makes it in the background, [`editor`] shows it, [`presets`] keep how it is made, and
//! [`lessons`] teach the model new vectors, [`listening`] makes a melody of what comes in.

pub mod audio;
pub mod editor;
pub mod instance;
pub mod lessons;
pub mod listening;
pub mod params;
pub mod preferences;
pub mod presets;
pub mod renderer;
pub mod state;
pub mod timeline;
mod vst3;

use std::num::NonZeroU32;
use std::sync::Arc;

use nice_plug::prelude::*;

use audio::{Block, Note, Player};
use instance::Instance;
use lessons::School;
use renderer::{Renderer, Waker};
use timeline::Landing;

/// Longest take, seconds. Ten minutes of tokens are a third of a megabyte.
pub const MAX_TAKE_SECONDS: f64 = 600.0;

/// One instance in a host.
pub struct Tiller {
    instance: Arc<Instance>,
    player: Player,
    renderer: Arc<Renderer>,
    waker: Waker,
    school: Arc<School>,
    offline: bool,
}

/// Made. Hosts do this to look at a plugin: no file is read, no thread started, no model loaded.
impl Default for Tiller {
    fn default() -> Self {
        let renderer = Renderer::shared();
        let (instance, ends) = Instance::new();
        vst3::made(&instance);
        renderer.attach_on_change(&instance);
        let player = Player::new(instance.clone(), ends);
        let waker = renderer.waker();
        Self { instance, player, renderer, waker, school: School::shared(), offline: false }
    }
}

impl Plugin for Tiller {
    const NAME: &'static str = "Tiller";
    const VENDOR: &'static str = "Tiller";
    const URL: &'static str = env!("CARGO_PKG_REPOSITORY");
    const EMAIL: &'static str = "tiller@tiller-audio.github.io";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[AudioIOLayout {
        main_output_channels: NonZeroU32::new(2),
        aux_input_ports: &[new_nonzero_u32(2)],
        names: PortNames { aux_inputs: &["Sidechain"], ..PortNames::const_default() },
        ..AudioIOLayout::const_default()
    }];
    const MIDI_INPUT: MidiConfig = MidiConfig::Basic;
    // A strength drawn at a sample acts from that sample's frame on, whatever the host's block size.
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = editor::Window;
    type SysExMessage = ();
    // Never the framework's executor: see `renderer`.
    type BackgroundTask = ();

    // The process is the host's: warnings only, unless `TILLER_LOG` asks for more, and never the panic hook that the
    // framework sets where a logger reports success.
    fn setup_logger() -> Option<bool> {
        use tracing_subscriber::{EnvFilter, fmt};
        let filter = EnvFilter::try_from_env("TILLER_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
        // Fails where the host has a logger already, which then gets our lines.
        let _ = fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
        Some(false)
    }

    fn params(&self) -> Arc<dyn Params> {
        self.instance.params.clone()
    }

    // Shown.
    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::window(self.instance.clone(), &self.renderer, &self.school)
    }

    // Activated: only now the sample rate is known, and only now the renderer's thread is needed.
    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        buffer: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.offline = buffer.process_mode == ProcessMode::Offline;
        self.player.activate(buffer.sample_rate, buffer.max_buffer_size, self.is_offline());
        self.renderer.attach(&self.instance);
        context.set_latency_samples(self.player.latency());
        true
    }

    fn reset(&mut self) {
        self.player.reset();
    }

    fn deactivate(&mut self) {
        self.instance.misses.log(self.instance.clock().sample_rate);
    }

    // Played.
    fn process(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let block = self.block(context.transport());
        let [left, right] = buffer.as_slice() else {
            return ProcessStatus::Error("Tiller plays in stereo");
        };
        let notes = std::iter::from_fn(|| {
            loop {
                if let Some(note) = note_of(context.next_event()?) {
                    return Some(note);
                }
            }
        });
        let waker = &self.waker;
        let sidechain = match aux.inputs.first().map(|input| input.as_slice_immutable()) {
            Some([left, right]) => [&**left, &**right],
            _ => [&[][..]; 2],
        };
        self.player.hear(&block, sidechain, left.len(), || waker.wake());
        let sounding = self.player.process(&block, notes, left, right, || waker.wake());
        // Told again only when it has changed. A host that does not activate anew still gets what it was told.
        context.set_latency_samples(self.player.latency());
        for (left, right) in left.iter_mut().zip(right.iter_mut()) {
            let gain = self.instance.params.gain.smoothed.next();
            *left *= gain;
            *right *= gain;
        }
        // Not `KeepAlive`, which is an infinite tail in VST3; not `Normal`, which lets CLAP hosts put a silent
        // instrument to sleep although the song is about to reach a take.
        ProcessStatus::Tail(sounding)
    }
}

impl Tiller {
    /// What the format says at any time, else what it said at activation.
    fn is_offline(&self) -> bool {
        self.instance.told.offline().unwrap_or(self.offline)
    }

    fn block(&self, transport: &Transport) -> Block {
        let seconds = transport.pos_seconds();
        let bar_length = match (transport.time_sig_numerator, transport.time_sig_denominator) {
            (Some(numerator), Some(denominator)) if numerator > 0 && denominator > 0 => {
                Some(f64::from(numerator) * 4.0 / f64::from(denominator))
            }
            _ => None,
        };
        Block {
            position: transport.pos_samples(),
            host: Landing {
                playing: transport.playing,
                seconds,
                beats: transport.pos_beats(),
                tempo: transport.tempo,
                bar_start: transport.bar_start_pos_beats(),
                bar_length,
                looped: transport.loop_range_seconds(),
            },
            offline: self.is_offline(),
            strengths: self.instance.params.strengths(),
        }
    }
}

fn note_of(event: NoteEvent<()>) -> Option<Note> {
    let id = |channel: u8, key: u8| u16::from(channel) << 8 | u16::from(key);
    match event {
        NoteEvent::NoteOn { timing, channel, key, velocity, .. } => Some(Note::On {
            at: timing as usize,
            id: id(channel.number().unwrap_or(0), key.number_or_middle_c()),
            velocity,
        }),
        NoteEvent::NoteOff { timing, channel, key, .. } => Some(Note::Off {
            at: timing as usize,
            id: id(channel.number().unwrap_or(0), key.number_or_middle_c()),
        }),
        _ => None,
    }
}

/// Dropped: what is being made for this instance is given up, and the last instance of the process waits for the
/// renderer's thread, because the host may unload this code next.
impl Drop for Tiller {
    fn drop(&mut self) {
        self.instance.told.stopped(true);
        self.renderer.detach(&self.instance);
    }
}

impl ClapPlugin for Tiller {
    const CLAP_ID: &'static str = "audio.tiller.tiller";
    const CLAP_DESCRIPTION: Option<&'static str> =
        Some("Generates music from words and steers it by automation");
    const CLAP_MANUAL_URL: Option<&'static str> = Some(Self::URL);
    const CLAP_SUPPORT_URL: Option<&'static str> = Some(concat!(env!("CARGO_PKG_REPOSITORY"), "/issues"));
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::Instrument, ClapFeature::Synthesizer, ClapFeature::Stereo];

    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        let params = &self.instance.params;
        context.add_section("Tiller", |section| {
            section.add_page("Steering", |page| {
                for slot in params.slots() {
                    page.add_param(slot);
                }
                page.add_param(&params.guidance);
                page.add_param(&params.temperature);
                page.add_param(&params.gain);
                page.add_param(&params.generate);
            });
            section.add_page("Next take", |page| {
                page.add_param(&params.bars);
                page.add_param(&params.seconds);
                page.add_param(&params.seed);
                page.add_param(&params.top_k);
            });
        });
    }
}

impl Vst3Plugin for Tiller {
    const VST3_CLASS_ID: [u8; 16] = *b"TillerInstrument";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] =
        &[Vst3SubCategory::Instrument, Vst3SubCategory::Synth, Vst3SubCategory::Stereo];
}

nice_export_clap!(Tiller);
