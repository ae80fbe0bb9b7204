//! The VST3 entry points: nice-plug's, with two additions.
//!
//! A VST3 host says whether it renders offline in `setupProcessing()` and again with every block, and that it wants to stop
//! in `setProcessing()`, from any thread. nice-plug 0.4.2 passes on only the first of these, and one call late: it stores
//! the buffer configuration before the mode. A host's first bounce then looks live, with holes where music is not ready,
//! and playing after it looks offline, where the audio thread would wait. So every instance gets an `IAudioProcessor` that
//! first tells the instance itself ([`Told`]) and then does what it did before.
//!
//! What nice-plug 0.4.2 gets wrong about the only input of an instrument is put right on the way to it ([`buses`]).
//!
//! The rest is what `nice_export_vst3!` writes, which offers no place to put it.

mod buses;

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::{Arc, Weak};

use nice_plug::wrapper::setup_logger;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorVtbl, ProcessData, ProcessModes_, ProcessSetup, SpeakerArrangement,
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
                setBusArrangements: set_bus_arrangements,
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

/// `IAudioProcessor::setBusArrangements`.
unsafe extern "system" fn set_bus_arrangements(
    this: *mut IAudioProcessor,
    inputs: *mut SpeakerArrangement,
    input_count: int32,
    outputs: *mut SpeakerArrangement,
    output_count: int32,
) -> tresult {
    // SAFETY: only `instance` puts this function into an interface. The arguments are passed on as the host gave them, but
    // for the inputs, of which there are as many as it says or more.
    unsafe {
        let mut longer = buses::arrangements(inputs, input_count);
        let inputs = longer.as_mut().map_or(inputs, |longer| longer.as_mut_ptr());
        (table(this).original.setBusArrangements)(this, inputs, input_count, outputs, output_count)
    }
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
    // SAFETY: only `instance` puts this function into an interface. The arguments are passed on as the host gave them, but
    // for inputs that are not there.
    unsafe {
        let table = table(this);
        let Some(data) = data.as_ref() else { return (table.original.process)(this, data) };
        table.told.block(is_offline(data.processMode));
        let mut readable = buses::readable(data);
        (table.original.process)(this, &raw mut readable)
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
mod tests;
