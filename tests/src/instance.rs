//! One instance of the plugin, as a host's main thread holds it.

use crate::handlers::{Headless, MainThread, Shared};
use crate::{Audio, Pass, State, pass};
use anyhow::{Context, Result, bail};
use clack_extensions::latency::PluginLatency;
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::events::Pckn;
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;
use clack_host::utils::ClapId;
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

/// The audio settings an instance is activated with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioSettings {
    /// Frames per second.
    pub sample_rate: f64,
    /// The longest block the host will ask for, in frames.
    pub max_block: u32,
}

impl Default for AudioSettings {
    fn default() -> Self {
        Self { sample_rate: 48_000.0, max_block: 512 }
    }
}

/// A parameter as the plugin describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The number automation refers to.
    pub id: u32,
    /// Display name.
    pub name: String,
    /// Smallest value a host may send.
    pub min: f64,
    /// Largest value a host may send.
    pub max: f64,
    /// Value of a new instance.
    pub default: f64,
    /// Whether a host may automate it.
    pub automatable: bool,
    /// Whether hosts leave it out of their lists.
    pub hidden: bool,
}

impl Parameter {
    /// The number the framework gives a parameter whose id in the source is `name`.
    pub fn number(name: &str) -> u32 {
        name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
            & !(1 << 31)
    }
}

/// An instance and, while it is active, its audio processor.
pub struct Instance {
    plugin: PluginInstance<Headless>,
    processor: Option<StoppedPluginAudioProcessor<Headless>>,
    settings: AudioSettings,
    /// Frames processed since activation; CLAP's steady time.
    steady: u64,
}

impl Instance {
    pub(crate) fn new(entry: &PluginEntry, id: &CStr, host: &HostInfo) -> Result<Self> {
        let plugin = PluginInstance::<Headless>::new(
            |_| Shared::default(),
            |shared| MainThread { shared },
            entry,
            id,
            host,
        )?;
        Ok(Self { plugin, processor: None, settings: AudioSettings::default(), steady: 0 })
    }

    /// Every parameter, in the plugin's order.
    pub fn parameters(&mut self) -> Result<Vec<Parameter>> {
        let handle = self.plugin.plugin_handle();
        let params: PluginParams = handle.get_extension().context("the plugin has no parameters")?;
        let mut buffer = ParamInfoBuffer::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (0..params.count(&handle))
            .map(|index| {
                let info = params
                    .get_info(&handle, index, &mut buffer)
                    .with_context(|| format!("parameter {index} is not described"))?;
                Ok(Parameter {
                    id: info.id.get(),
                    name: text(info.name),
                    min: info.min_value,
                    max: info.max_value,
                    default: info.default_value,
                    automatable: info.flags.contains(ParamInfoFlags::IS_AUTOMATABLE),
                    hidden: info.flags.contains(ParamInfoFlags::IS_HIDDEN),
                })
            })
            .collect()
    }

    /// The value now of the parameter whose id in the source is `name`, in the host's units.
    pub fn value(&mut self, name: &str) -> Result<f64> {
        let id = parameter_id(name)?;
        let handle = self.plugin.plugin_handle();
        let params: PluginParams = handle.get_extension().context("the plugin has no parameters")?;
        params
            .get_value(&handle, id)
            .with_context(|| format!("the plugin does not know the parameter `{name}`"))
    }

    /// The host's value for what a person would type, for example `"-1.5"`.
    pub fn typed(&mut self, name: &str, text: &str) -> Result<f64> {
        let (id, typed) = (parameter_id(name)?, CString::new(text)?);
        let handle = self.plugin.plugin_handle();
        let params: PluginParams = handle.get_extension().context("the plugin has no parameters")?;
        params.text_to_value(&handle, id, &typed).with_context(|| format!("`{name}` does not take {text:?}"))
    }

    /// Sets a parameter as a host's generic editor does: typed text, delivered outside the audio stream.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let value = self.typed(name, text)?;
        let mut events = EventBuffer::new();
        events.push(&ParamValueEvent::new(0, parameter_id(name)?, Pckn::match_all(), value));
        let mut answers = EventBuffer::new();
        let params: PluginParams =
            self.plugin.plugin_handle().get_extension().context("the plugin has no parameters")?;
        match (&mut self.processor, self.plugin.inactive_plugin_handle()) {
            (None, Some(mut handle)) => {
                params.flush(&mut handle, &events.as_input(), &mut answers.as_output())
            }
            (Some(processor), None) => {
                params.flush_active(
                    &mut processor.plugin_handle(),
                    &events.as_input(),
                    &mut answers.as_output(),
                );
            }
            _ => bail!("the instance is neither active nor inactive"),
        }
        self.serve();
        Ok(())
    }

    /// Activates the instance, deactivating it first if it was active.
    pub fn activate(&mut self, settings: AudioSettings) -> Result<()> {
        self.deactivate();
        let configuration = PluginAudioConfiguration {
            sample_rate: settings.sample_rate,
            min_frames_count: 1,
            max_frames_count: settings.max_block,
        };
        self.processor =
            Some(self.plugin.activate(|_, _| (), configuration).context("the plugin does not activate")?);
        self.settings = settings;
        self.steady = 0;
        Ok(())
    }

    /// Deactivates the instance; nothing happens if it is not active.
    pub fn deactivate(&mut self) {
        if let Some(processor) = self.processor.take() {
            self.plugin.deactivate(processor);
        }
    }

    /// What the instance was last activated with.
    pub fn settings(&self) -> AudioSettings {
        self.settings
    }

    /// Tells the plugin whether what follows is heard live or rendered offline. A plugin that learns it only on
    /// activation asks for a restart, which it gets before the next pass.
    pub fn set_offline(&mut self, offline: bool) -> Result<()> {
        let handle = self.plugin.plugin_handle();
        let render: PluginRender = handle.get_extension().context("the plugin has no render mode")?;
        let mode = if offline { RenderMode::Offline } else { RenderMode::Realtime };
        render.set(&handle, mode).context("the plugin refused the render mode")
    }

    /// How many frames later than it is sent everything is heard, as the plugin says.
    pub fn latency(&mut self) -> Result<u32> {
        let handle = self.plugin.plugin_handle();
        let latency: PluginLatency = handle.get_extension().context("the plugin has no latency")?;
        Ok(latency.get(&handle))
    }

    /// How often the plugin has said that its latency is another.
    pub fn times_latency_changed(&self) -> u32 {
        self.plugin.access_shared_handler(Shared::times_latency_changed)
    }

    /// The state a host would store now.
    pub fn state(&mut self) -> Result<State> {
        let handle = self.plugin.plugin_handle();
        let extension: PluginState = handle.get_extension().context("the plugin has no state")?;
        let mut bytes = Vec::new();
        extension.save(&handle, &mut bytes).context("the plugin did not save its state")?;
        Ok(State::from_bytes(bytes))
    }

    /// Restores a state. An error means that the plugin refused it.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        let handle = self.plugin.plugin_handle();
        let extension: PluginState = handle.get_extension().context("the plugin has no state")?;
        extension.load(&handle, &mut state.bytes()).context("the plugin refused the state")?;
        self.serve();
        Ok(())
    }

    /// How often the plugin has said that its state changed.
    pub fn times_marked_dirty(&self) -> u32 {
        self.plugin.access_shared_handler(Shared::times_marked_dirty)
    }

    /// Calls back on the main thread if the plugin asked for it.
    pub fn serve(&mut self) {
        if self.plugin.access_shared_handler(Shared::take_callback) {
            self.plugin.call_on_main_thread_callback();
        }
    }

    /// Plays a stretch of the song on an audio thread while this thread serves the plugin.
    pub fn play(&mut self, pass: &Pass) -> Result<Audio> {
        self.play_while(pass, |_| Ok(()))
    }

    /// Plays like [`Instance::play`], and says how long the plugin took for each block.
    pub fn time(&mut self, pass: &Pass) -> Result<Vec<Duration>> {
        Ok(self.run(pass, |_| Ok(()))?.1)
    }

    /// Like [`Instance::play`], calling `meanwhile` about every millisecond on the main thread until the pass ends,
    /// as a host that saves or redraws during playback does.
    pub fn play_while(
        &mut self,
        pass: &Pass,
        meanwhile: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<Audio> {
        Ok(self.run(pass, meanwhile)?.0)
    }

    fn run(
        &mut self,
        pass: &Pass,
        mut meanwhile: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<(Audio, Vec<Duration>)> {
        if self.plugin.access_shared_handler(Shared::take_restart) && self.processor.is_some() {
            self.activate(self.settings)?;
        }
        let processor = self.processor.take().context("the instance is not active")?;
        let (settings, steady) = (self.settings, self.steady);
        let outcome = std::thread::scope(|scope| {
            let audio = scope.spawn(move || pass::process(processor, pass, settings, steady));
            let mut main_thread = Ok(());
            while !audio.is_finished() {
                self.serve();
                if main_thread.is_ok() {
                    main_thread = meanwhile(self);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            audio.join().map(|finished| (finished, main_thread))
        });
        let Ok(((processor, audio), main_thread)) = outcome else {
            bail!("the host's audio thread panicked")
        };
        self.processor = processor;
        self.steady += pass.frames;
        self.serve();
        main_thread?;
        audio
    }

    /// Runs the audio with the transport stopped, at the pace of a live host, until `done`.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        let block = u64::from(self.settings.max_block);
        while !done(self)? {
            if start.elapsed() > limit {
                bail!("what was waited for did not happen within {} s", limit.as_secs());
            }
            self.play(&Pass { playing: false, pace: pass::Pace::Live, ..Pass::over(0, block * 4) })?;
        }
        Ok(())
    }

    /// The clack instance, for extensions this type does not wrap.
    pub fn raw(&mut self) -> &mut PluginInstance<Headless> {
        &mut self.plugin
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.deactivate();
    }
}

fn parameter_id(name: &str) -> Result<ClapId> {
    ClapId::from_raw(Parameter::number(name)).with_context(|| format!("`{name}` cannot be a parameter id"))
}
