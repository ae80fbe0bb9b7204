//! A host of the VST3 entry points, and a plugin that says what came.

// The bindings' enumerations are signed on Windows and unsigned elsewhere.
#![allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]

use std::cell::Cell;

use nice_plug::prelude::*;
use nice_plug::wrapper::vst3::vst3::ComRef;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, IComponent, IComponentTrait, SpeakerArr, SymbolicSampleSizes_,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::kResultFalse;

use super::*;

thread_local! {
    static LAST: RefCell<Weak<Instance>> = const { RefCell::new(Weak::new()) };
    /// The loudest sample of a sidechain in the last block.
    static HEARD: Cell<f32> = const { Cell::new(f32::NAN) };
}

/// A plugin that has an instance, and nothing else.
struct Probe(Arc<Instance>);

impl Default for Probe {
    fn default() -> Self {
        let (instance, _) = Instance::new();
        made(&instance);
        LAST.set(Arc::downgrade(&instance));
        Self(instance)
    }
}

impl Plugin for Probe {
    const NAME: &'static str = "Probe";
    const VENDOR: &'static str = "";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = "1";
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = Tiller::AUDIO_IO_LAYOUTS;
    type Editor = crate::editor::Window;
    type SysExMessage = ();
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.0.params.clone()
    }

    fn process(
        &mut self,
        _: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        _: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let samples = aux.inputs[0].as_slice_immutable().iter().flat_map(|channel| channel.iter());
        HEARD.set(samples.fold(0.0, |loudest, sample| loudest.max(sample.abs())));
        ProcessStatus::Normal
    }
}

impl Vst3Plugin for Probe {
    const VST3_CLASS_ID: [u8; 16] = *b"TillerModeProbe.";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[];
}

fn set_up(processor: ComRef<IAudioProcessor>, mode: u32) {
    let mut setup = ProcessSetup {
        processMode: mode as i32,
        symbolicSampleSize: SymbolicSampleSizes_::kSample32 as i32,
        maxSamplesPerBlock: 512,
        sampleRate: 48_000.0,
    };
    let pointer = processor.as_ptr();
    // SAFETY: the test is the host.
    assert_eq!(unsafe { ((*(*pointer).vtbl).setupProcessing)(pointer, &raw mut setup) }, kResultOk);
}

/// A block without audio, which the framework takes as one that only brings parameters.
fn block(processor: ComRef<IAudioProcessor>, mode: u32) {
    // SAFETY: the struct holds numbers and pointers, for which zero is a value.
    let mut data: ProcessData = unsafe { std::mem::zeroed() };
    (data.processMode, data.symbolicSampleSize) = (mode as i32, SymbolicSampleSizes_::kSample32 as i32);
    let pointer = processor.as_ptr();
    // SAFETY: the test is the host.
    assert_eq!(unsafe { ((*(*pointer).vtbl).process)(pointer, &raw mut data) }, kResultOk);
}

const LIVE: u32 = ProcessModes_::kRealtime as u32;
const OFFLINE: u32 = ProcessModes_::kOffline as u32;

#[test]
fn a_bounce_is_known_before_it_begins_and_what_is_live_after_it() {
    let wrapper = instance::<Probe>();
    let (processor, probe) = (wrapper.as_com_ref().unwrap(), LAST.take().upgrade().unwrap());
    assert_eq!(probe.told.offline(), None, "no host has said anything yet");
    for mode in [LIVE, OFFLINE, LIVE] {
        set_up(processor, mode);
        assert_eq!(probe.told.offline(), Some(mode == OFFLINE));
    }
}

#[test]
fn a_mode_that_comes_with_the_blocks_alone_is_known_as_well() {
    let wrapper = instance::<Probe>();
    let (processor, probe) = (wrapper.as_com_ref().unwrap(), LAST.take().upgrade().unwrap());
    set_up(processor, LIVE);
    for mode in [LIVE, OFFLINE, LIVE] {
        block(processor, mode);
        assert_eq!(probe.told.offline(), Some(mode == OFFLINE));
    }
}

#[test]
fn stopping_is_heard_from_any_thread() {
    let wrapper = instance::<Probe>();
    let (processor, probe) =
        (wrapper.as_com_ref::<IAudioProcessor>().unwrap(), LAST.take().upgrade().unwrap());
    set_up(processor, OFFLINE);
    for (state, stopped) in [(1, false), (0, true), (1, false)] {
        let pointer = processor.as_ptr();
        // SAFETY: the test is the host.
        unsafe { ((*(*pointer).vtbl).setProcessing)(pointer, state) };
        assert_eq!(probe.told.is_stopped(), stopped);
    }
}

/// Plays a block of 64 samples whose host says that it has `inputs` of these channels.
fn play(processor: ComRef<IAudioProcessor>, inputs: i32, channels: [*mut f32; 2]) {
    const LENGTH: usize = 64;
    let mut outputs = [[0.0_f32; LENGTH]; 2];
    let mut output_channels = outputs.each_mut().map(|channel| channel.as_mut_ptr());
    let mut input_channels = channels;
    let bus = |channels: &mut [*mut f32; 2]| AudioBusBuffers {
        numChannels: 2,
        silenceFlags: 0,
        __field0: AudioBusBuffers__type0 { channelBuffers32: channels.as_mut_ptr() },
    };
    let (mut input, mut output) = (bus(&mut input_channels), bus(&mut output_channels));
    // SAFETY: the struct holds numbers and pointers, for which zero is a value.
    let mut data: ProcessData = unsafe { std::mem::zeroed() };
    data.symbolicSampleSize = SymbolicSampleSizes_::kSample32 as i32;
    (data.numSamples, data.numInputs, data.numOutputs) = (LENGTH as i32, inputs, 1);
    (data.inputs, data.outputs) = (&raw mut input, &raw mut output);
    let pointer = processor.as_ptr();
    // SAFETY: the test is the host.
    assert_eq!(unsafe { ((*(*pointer).vtbl).process)(pointer, &raw mut data) }, kResultOk);
}

#[test]
fn a_sidechain_is_heard_where_it_is_there_and_only_there() {
    let wrapper = instance::<Probe>();
    let processor = wrapper.as_com_ref().unwrap();
    set_up(processor, LIVE);
    // SAFETY: the test is the host.
    unsafe { wrapper.as_com_ref::<IComponent>().unwrap().setActive(1) };
    let mut samples = [[0.25_f32; 64], [-0.5; 64]];
    let there = samples.each_mut().map(|channel| channel.as_mut_ptr());
    let missing = std::ptr::null_mut();
    for (inputs, channels, heard) in [
        (1, there, 0.5),
        (0, there, 0.0),
        (1, [missing; 2], 0.0),
        (1, [there[0], missing], 0.0),
        (1, there, 0.5),
    ] {
        HEARD.set(f32::NAN);
        play(processor, inputs, channels);
        assert_eq!(HEARD.get(), heard, "{inputs} inputs of {channels:?}");
    }
}

#[test]
fn the_arrangement_of_the_sidechain_is_looked_for_where_it_is() {
    let wrapper = instance::<Probe>();
    let processor = wrapper.as_com_ref::<IAudioProcessor>().unwrap().as_ptr();
    let (mono, stereo) = (SpeakerArr::kMono, SpeakerArr::kStereo);
    // What lies behind the host's array is not read.
    for (arrangement, behind, answer) in
        [(stereo, mono, kResultOk), (stereo, stereo, kResultOk), (mono, stereo, kResultFalse)]
    {
        let (mut inputs, mut outputs) = ([arrangement, behind], [stereo]);
        // SAFETY: the test is the host.
        let said = unsafe {
            ((*(*processor).vtbl).setBusArrangements)(
                processor,
                inputs.as_mut_ptr(),
                1,
                outputs.as_mut_ptr(),
                1,
            )
        };
        assert_eq!(said, answer, "{arrangement} before {behind}");
    }
}
