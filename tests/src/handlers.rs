//! What the plugin may ask of this host.

use clack_extensions::gui::{GuiSize, HostGui, HostGuiImpl};
use clack_extensions::latency::{HostLatency, HostLatencyImpl};
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamRescanFlags,
};
use clack_extensions::state::{HostState, HostStateImpl};
use clack_host::prelude::*;
use clack_host::utils::ClapId;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The host, as a set of callback types.
pub struct Headless;

/// Requests the plugin may make from any thread.
#[derive(Default)]
pub struct Shared {
    callback_wanted: AtomicBool,
    restart_wanted: AtomicBool,
    window_closed: AtomicBool,
    /// How often the plugin said its state must be saved again.
    marked_dirty: AtomicU32,
    /// How often the plugin said that its latency is another.
    latency_changed: AtomicU32,
}

impl Shared {
    /// Whether the plugin wants a call on the main thread, and forgets it.
    pub fn take_callback(&self) -> bool {
        self.callback_wanted.swap(false, Ordering::AcqRel)
    }

    /// Whether the plugin wants to be deactivated and activated again, and forgets it.
    pub fn take_restart(&self) -> bool {
        self.restart_wanted.swap(false, Ordering::AcqRel)
    }

    /// How often the plugin has said that its state changed.
    pub fn times_marked_dirty(&self) -> u32 {
        self.marked_dirty.load(Ordering::Acquire)
    }

    /// How often the plugin has said that its latency is another.
    pub fn times_latency_changed(&self) -> u32 {
        self.latency_changed.load(Ordering::Acquire)
    }

    /// Whether the plugin closed its own window.
    pub fn window_closed(&self) -> bool {
        self.window_closed.load(Ordering::Acquire)
    }
}

impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {
        self.restart_wanted.store(true, Ordering::Release);
    }
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.callback_wanted.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for Shared {
    fn request_flush(&self) {}
}

impl HostGuiImpl for Shared {
    fn resize_hints_changed(&self) {}
    fn request_resize(&self, _size: GuiSize) -> Result<(), HostError> {
        Ok(())
    }
    fn request_show(&self) -> Result<(), HostError> {
        Ok(())
    }
    fn request_hide(&self) -> Result<(), HostError> {
        Ok(())
    }
    fn closed(&self, _was_destroyed: bool) {
        self.window_closed.store(true, Ordering::Release);
    }
}

/// Requests the plugin may make on the main thread only.
pub struct MainThread<'a> {
    /// The instance's shared half.
    pub shared: &'a Shared,
}

impl<'a> MainThreadHandler<'a> for MainThread<'a> {}

impl HostParamsImplMainThread for MainThread<'_> {
    fn rescan(&self, _flags: ParamRescanFlags) {}
    fn clear(&self, _parameter: ClapId, _flags: ParamClearFlags) {}
}

impl HostLatencyImpl for MainThread<'_> {
    fn changed(&self) {
        self.shared.latency_changed.fetch_add(1, Ordering::AcqRel);
    }
}

impl HostStateImpl for MainThread<'_> {
    fn mark_dirty(&self) {
        self.shared.marked_dirty.fetch_add(1, Ordering::AcqRel);
    }
}

impl HostHandlers for Headless {
    type Shared<'a> = Shared;
    type MainThread<'a> = MainThread<'a>;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _shared: &Self::Shared<'_>) {
        builder
            .register::<HostGui>()
            .register::<HostLatency>()
            .register::<HostParams>()
            .register::<HostState>();
    }
}
