//! An instrument's sidechain in VST3, as nice-plug can take it.
//!
//! nice-plug 0.4.2 looks for the arrangement of an instrument's only input one place behind the host's array. When it plays,
//! it reads the buffers of that input also where the host sends none (it asks how many outputs there are), and takes
//! channels for there whose pointers are null, as those of a bus that is not active may be. So it gets an array that is long
//! enough, and a block that has an input only where it is whole.

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{AudioBusBuffers, ProcessData, SpeakerArrangement};
use nice_plug::wrapper::vst3::vst3::Steinberg::int32;

/// Arrangements in which the framework finds that of the only input where it looks for it; `None` if there is not one.
///
/// # Safety
/// `inputs` is null or has `count` arrangements.
pub(super) unsafe fn arrangements(
    inputs: *const SpeakerArrangement,
    count: int32,
) -> Option<[SpeakerArrangement; 2]> {
    if count != 1 {
        return None;
    }
    // SAFETY: by the contract there is one, if the pointer is not null.
    unsafe { inputs.as_ref() }.map(|&only| [only; 2])
}

/// The block without an input of which not every channel is there.
///
/// # Safety
/// `data` is a block of a host, whose pointers are null or as VST3 wants them.
pub(super) unsafe fn readable(data: &ProcessData) -> ProcessData {
    // SAFETY: by the contract there are as many as the host says, if the pointer is not null.
    let has_input =
        data.numInputs > 0 && unsafe { data.inputs.as_ref().is_some_and(|input| is_whole(input)) };
    if has_input {
        return *data;
    }
    ProcessData { numInputs: 0, inputs: std::ptr::null_mut(), ..*data }
}

/// Whether every channel has samples.
///
/// # Safety
/// `buffers` has as many channels as it says, or none at all.
unsafe fn is_whole(buffers: &AudioBusBuffers) -> bool {
    // SAFETY: a union of two pointers is one, and may be looked at as either.
    let channels = unsafe { buffers.__field0.channelBuffers32 };
    let count = usize::try_from(buffers.numChannels).unwrap_or(0);
    // SAFETY: by the contract.
    !channels.is_null() && (0..count).all(|channel| unsafe { !(*channels.add(channel)).is_null() })
}
