//! The VST3 entry points: nice-plug's, with one mend.
//!
//! nice-plug 0.4.2 gives `activate()` the process mode of the call *before* the latest `setupProcessing()`: it stores
//! the buffer configuration first and the mode after it. A host's first bounce then looks live, with holes where music
//! is not ready, and playing after it looks offline, where the audio thread would wait. Calling the same function twice
//! with the same setup leaves the right mode behind, so every instance gets an `IAudioProcessor` that does that. The
//! rest is what `nice_export_vst3!` writes, which offers no place to put it.

use std::ffi::c_void;
use std::sync::OnceLock;

use nice_plug::wrapper::setup_logger;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IAudioProcessor, IAudioProcessorVtbl, ProcessSetup};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3,
    IPluginFactory3Trait, IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID,
    int32, kInvalidArgument, kNoInterface, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Vst3Plugin, Wrapper};

use crate::Tiller;

/// The functions of a mended `IAudioProcessor`, and those it had before.
#[repr(C)]
struct Table {
    /// First, so that a pointer to the functions is one to the table.
    mended: IAudioProcessorVtbl,
    original: &'static IAudioProcessorVtbl,
}

/// An instance of `P` that learns its process mode in time. `table` belongs to `P` alone.
fn instance<P: Vst3Plugin>(table: &'static OnceLock<Table>) -> ComWrapper<Wrapper<P>> {
    let wrapper = ComWrapper::new(Wrapper::<P>::new());
    if let Some(processor) = wrapper.as_com_ref::<IAudioProcessor>() {
        let processor = processor.as_ptr();
        // SAFETY: the interface of a living object is valid, and its functions are a static of its class.
        let original: &'static IAudioProcessorVtbl = unsafe { &*(*processor).vtbl };
        let table = table.get_or_init(|| Table {
            mended: IAudioProcessorVtbl {
                setupProcessing: setup_twice,
                // SAFETY: the struct holds plain function pointers, which may be copied.
                ..unsafe { std::ptr::read(original) }
            },
            original,
        });
        // SAFETY: nobody else has seen this object yet, so nobody reads the pointer while it is written; the table
        // lives forever.
        unsafe { (*processor).vtbl = std::ptr::from_ref(table).cast() };
    }
    wrapper
}

/// `IAudioProcessor::setupProcessing`, twice.
unsafe extern "system" fn setup_twice(this: *mut IAudioProcessor, setup: *mut ProcessSetup) -> tresult {
    // SAFETY: only `instance` puts this function into an interface, and it puts a whole `Table` there, which lives
    // forever. The arguments are passed on as the host gave them.
    unsafe {
        let original = (*(*this).vtbl.cast::<Table>()).original.setupProcessing;
        let result = original(this, setup);
        if result == kResultOk { original(this, setup) } else { result }
    }
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
        static TABLE: OnceLock<Table> = OnceLock::new();
        if cid.is_null() || iid.is_null() || obj.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: VST3's contract: a class id is 16 bytes.
        if unsafe { &*cid.cast::<[u8; 16]>() } != self.plugin.cid {
            return kInvalidArgument;
        }
        let wrapper = instance::<Tiller>(&TABLE);
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

    use std::sync::Arc;

    use nice_plug::prelude::*;
    use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
        IComponent, IComponentTrait as _, ProcessModes_, SymbolicSampleSizes_,
    };
    use parking_lot::Mutex;

    use super::*;

    static MODES: Mutex<Vec<ProcessMode>> = Mutex::new(Vec::new());

    /// Notes the mode it is activated with.
    struct Probe(Arc<NoParams>);

    #[derive(Params)]
    struct NoParams {}

    impl Default for Probe {
        fn default() -> Self {
            Self(Arc::new(NoParams {}))
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
            self.0.clone()
        }

        fn activate(
            &mut self,
            _: &AudioIOLayout,
            buffer: &BufferConfig,
            _: &mut impl ActivateContext<Self>,
        ) -> bool {
            MODES.lock().push(buffer.process_mode);
            true
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

    #[test]
    fn a_bounce_is_activated_as_one_and_so_is_what_is_live_after_it() {
        static TABLE: OnceLock<Table> = OnceLock::new();
        let wrapper = instance::<Probe>(&TABLE);
        let processor = wrapper.as_com_ref::<IAudioProcessor>().unwrap();
        let component = wrapper.as_com_ref::<IComponent>().unwrap();
        let modes = [ProcessModes_::kRealtime, ProcessModes_::kOffline, ProcessModes_::kRealtime];
        for mode in modes {
            let mut setup = ProcessSetup {
                processMode: mode as i32,
                symbolicSampleSize: SymbolicSampleSizes_::kSample32 as i32,
                maxSamplesPerBlock: 512,
                sampleRate: 48_000.0,
            };
            let pointer = processor.as_ptr();
            // SAFETY: the test is the host, and calls in VST3's order.
            unsafe {
                assert_eq!(((*(*pointer).vtbl).setupProcessing)(pointer, &raw mut setup), kResultOk);
                assert_eq!(component.setActive(1), kResultOk);
                assert_eq!(component.setActive(0), kResultOk);
            }
        }
        let seen = MODES.lock().clone();
        assert_eq!(seen, [ProcessMode::Realtime, ProcessMode::Offline, ProcessMode::Realtime]);
    }
}
