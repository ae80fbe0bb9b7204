//! The VST3 entry points: nice-plug's, with one addition.
//!
//! A VST3 host says whether it renders offline in `setupProcessing()` and again with every block, and that it wants to stop
//! in `setProcessing()`, from any thread. nice-plug 0.4.2 passes on only the first of these, and one call late: it stores
//! the buffer configuration before the mode. A host's first bounce then looks live, with holes where music is not ready,
//! and playing after it looks offline, where the audio thread would wait. So every instance gets an `IAudioProcessor` that
//! first tells the instance itself ([`Told`]) and then does what it did before.
//!
//! The rest is what `nice_export_vst3!` writes, which offers no place to put it.

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::{Arc, Weak};

use nice_plug::wrapper::setup_logger;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorVtbl, ProcessData, ProcessModes_, ProcessSetup,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TBool,
    TUID, int32, kInvalidArgument, kNoInterface, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Vst3Plugin, Wrapper};

use crate::Tiller;
use crate::instance::{Instance, Told};

/// The functions of one `IAudioProcessor`, those it had before, and whom to tell. The instance keeps it.
#[repr(C)]
struct Table {
    /// First, so that a pointer to the functions is one to the table.
    functions: IAudioProcessorVtbl,
    original: &'static IAudioProcessorVtbl,
    told: Arc<Told>,
}

thread_local! {
    /// The instance that the framework has made last on this thread.
    static MADE: RefCell<Weak<Instance>> = const { RefCell::new(Weak::new()) };
}

/// An instance of the plugin is made on this thread.
pub(crate) fn made(instance: &Arc<Instance>) {
    MADE.with_borrow_mut(|made| *made = Arc::downgrade(instance));
}

/// A `P` that is told what its host says. It must call [`made`] when it is made.
fn instance<P: Vst3Plugin>() -> ComWrapper<Wrapper<P>> {
    let wrapper = ComWrapper::new(Wrapper::<P>::new());
    let made = MADE.take().upgrade();
    if let (Some(instance), Some(processor)) = (made, wrapper.as_com_ref::<IAudioProcessor>()) {
        let processor = processor.as_ptr();
        // SAFETY: the interface of a living object is valid, and its functions are a static of its class.
        let original: &'static IAudioProcessorVtbl = unsafe { &*(*processor).vtbl };
        let table: &Table = instance.keep(Table {
            functions: IAudioProcessorVtbl {
                setupProcessing: setup_processing,
                setProcessing: set_processing,
                process,
                // SAFETY: the struct holds plain function pointers, which may be copied.
                ..unsafe { std::ptr::read(original) }
            },
            original,
            told: instance.told.clone(),
        });
        // SAFETY: nobody else has seen this object yet, so nobody reads the pointer while it is written; the plugin in
        // the object keeps the instance, and with it the table, as long as the object lives.
        unsafe { (*processor).vtbl = std::ptr::from_ref(table).cast() };
    }
    wrapper
}

/// The table of an interface.
///
/// # Safety
/// `this` is an interface that [`instance`] has given a table, and lives for `'a`.
unsafe fn table<'a>(this: *mut IAudioProcessor) -> &'a Table {
    // SAFETY: by the contract; the functions are the table's first field.
    unsafe { &*(*this).vtbl.cast::<Table>() }
}

/// `IAudioProcessor::setupProcessing`.
unsafe extern "system" fn setup_processing(this: *mut IAudioProcessor, setup: *mut ProcessSetup) -> tresult {
    // SAFETY: only `instance` puts this function into an interface. The arguments are passed on as the host gave them.
    let (table, setup_mode) = unsafe { (table(this), setup.as_ref().map(|setup| setup.processMode)) };
    if let Some(mode) = setup_mode {
        table.told.setup(is_offline(mode));
    }
    // SAFETY: as above.
    unsafe { (table.original.setupProcessing)(this, setup) }
}

/// `IAudioProcessor::setProcessing`, which ends a wait in `process` on another thread.
unsafe extern "system" fn set_processing(this: *mut IAudioProcessor, state: TBool) -> tresult {
    // SAFETY: only `instance` puts this function into an interface. The arguments are passed on as the host gave them.
    unsafe {
        let table = table(this);
        table.told.stopped(state == 0);
        (table.original.setProcessing)(this, state)
    }
}

/// `IAudioProcessor::process`.
unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    // SAFETY: only `instance` puts this function into an interface. The arguments are passed on as the host gave them.
    unsafe {
        let table = table(this);
        if let Some(data) = data.as_ref() {
            table.told.block(is_offline(data.processMode));
        }
        (table.original.process)(this, data)
    }
}

fn is_offline(mode: int32) -> bool {
    // The bindings' enumerations are signed on Windows and unsigned elsewhere.
    i64::from(mode) == i64::from(ProcessModes_::kOffline)
}

/// What a host asks first: which plugins are in this file.
struct Factory {
    plugin: PluginInfo,
}

impl Factory {
    fn new() -> Self {
        Self { plugin: PluginInfo::for_plugin::<Tiller>() }
    }

    /// Writes what `info` gives for the class `index` to `place`.
    ///
    /// # Safety
    /// `place` is null or can be written.
    unsafe fn answer<T>(&self, index: int32, place: *mut T, info: impl Fn(&PluginInfo) -> T) -> tresult {
        if index != 0 || place.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: by the contract.
        unsafe { place.write(info(&self.plugin)) };
        kResultOk
    }
}

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

impl IPluginFactoryTrait for Factory {
    unsafe fn getFactoryInfo(&self, info: *mut PFactoryInfo) -> tresult {
        // SAFETY: VST3's contract for `info`.
        unsafe { self.answer(0, info, PluginInfo::create_factory_info) }
    }

    unsafe fn countClasses(&self) -> int32 {
        1
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        // SAFETY: VST3's contract for `info`.
        unsafe { self.answer(index, info, PluginInfo::create_class_info) }
    }

    unsafe fn createInstance(&self, cid: FIDString, iid: FIDString, obj: *mut *mut c_void) -> tresult {
        if cid.is_null() || iid.is_null() || obj.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: VST3's contract: a class id is 16 bytes.
        if unsafe { &*cid.cast::<[u8; 16]>() } != self.plugin.cid {
            return kInvalidArgument;
        }
        let wrapper = instance::<Tiller>();
        let Some(unknown) = wrapper.as_com_ref::<FUnknown>() else { return kNoInterface };
        let unknown = unknown.as_ptr();
        // SAFETY: `unknown` is valid while `wrapper` is, and the host's pointers are as VST3 wants them. The query
        // takes the reference that outlives `wrapper`.
        unsafe { ((*(*unknown).vtbl).queryInterface)(unknown, iid.cast::<TUID>(), obj) }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        // SAFETY: VST3's contract for `info`.
        unsafe { self.answer(index, info, PluginInfo::create_class_info_2) }
    }
}

impl IPluginFactory3Trait for Factory {
    unsafe fn getClassInfoUnicode(&self, index: int32, info: *mut PClassInfoW) -> tresult {
        // SAFETY: VST3's contract for `info`.
        unsafe { self.answer(index, info, PluginInfo::create_class_info_unicode) }
    }

    unsafe fn setHostContext(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }
}

/// The factory, for hosts.
// SAFETY: the name is VST3's own, and no other library that could be linked here defines it.
#[unsafe(no_mangle)]
pub extern "system" fn GetPluginFactory() -> *mut c_void {
    let factory = ComWrapper::new(Factory::new()).to_com_ptr::<IPluginFactory>();
    factory.map_or(std::ptr::null_mut(), |factory| factory.into_raw().cast())
}

/// Called when a host has loaded this file.
// SAFETY: as `GetPluginFactory`.
#[cfg_attr(all(unix, not(target_os = "macos")), unsafe(export_name = "ModuleEntry"))]
#[cfg_attr(target_os = "macos", unsafe(export_name = "bundleEntry"))]
#[cfg(unix)]
pub extern "C" fn module_entry(_library: *mut c_void) -> bool {
    setup_logger::<Tiller>();
    true
}

/// Called before a host unloads this file.
// SAFETY: as `GetPluginFactory`.
#[cfg_attr(all(unix, not(target_os = "macos")), unsafe(export_name = "ModuleExit"))]
#[cfg_attr(target_os = "macos", unsafe(export_name = "bundleExit"))]
#[cfg(unix)]
pub extern "C" fn module_exit() -> bool {
    true
}

/// Called when a host has loaded this file.
// SAFETY: as `GetPluginFactory`.
#[cfg(windows)]
#[unsafe(export_name = "InitDll")]
pub extern "system" fn module_entry() -> bool {
    setup_logger::<Tiller>();
    true
}

/// Called before a host unloads this file.
// SAFETY: as `GetPluginFactory`.
#[cfg(windows)]
#[unsafe(export_name = "ExitDll")]
pub extern "system" fn module_exit() -> bool {
    true
}

#[cfg(test)]
mod tests {
    // The bindings' enumerations are signed on Windows and unsigned elsewhere.
    #![allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]

    use nice_plug::prelude::*;
    use nice_plug::wrapper::vst3::vst3::ComRef;
    use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::SymbolicSampleSizes_;

    use super::*;

    thread_local! {
        static LAST: RefCell<Weak<Instance>> = const { RefCell::new(Weak::new()) };
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
            _: &mut AuxiliaryBuffers,
            _: &mut impl ProcessContext<Self>,
        ) -> ProcessStatus {
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
}
