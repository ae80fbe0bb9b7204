//! Denormal numbers as zero on the calling thread.
//!
//! ONNX Runtime sets this for the threads it makes, and for the first one that ever loads a session. Every other thread
//! that runs a graph would compute its share with denormals: slowly in silence, and not to the same bits.

use control::{Control, FLUSH, read, write};

/// Treats denormals as zero on this thread until it is dropped, then restores what was.
#[derive(Debug)]
pub(super) struct FlushToZero {
    before: Control,
    /// Belongs to the thread that made it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl FlushToZero {
    pub fn new() -> Self {
        let before = read();
        write(before | FLUSH);
        Self { before, _not_send: std::marker::PhantomData }
    }
}

impl Drop for FlushToZero {
    fn drop(&mut self) {
        write(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    /// MXCSR.
    pub type Control = u32;
    /// Flush-to-zero and denormals-are-zero.
    pub const FLUSH: Control = 1 << 15 | 1 << 6;

    pub fn read() -> Control {
        let mut control: Control = 0;
        // SAFETY: stores this thread's MXCSR into a local.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control
    }

    pub fn write(control: Control) {
        // SAFETY: the value was read from MXCSR, at most with the two bits about denormals set, which every x86-64
        // processor has. Rust's own arithmetic does not depend on denormals for soundness.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    /// FPCR.
    pub type Control = u64;
    /// FZ.
    pub const FLUSH: Control = 1 << 24;

    pub fn read() -> Control {
        let control: Control;
        // SAFETY: reads this thread's FPCR.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        control
    }

    pub fn write(control: Control) {
        // SAFETY: the value was read from FPCR, at most with FZ set, which every AArch64 processor has. Rust's own
        // arithmetic does not depend on denormals for soundness.
        unsafe { asm!("msr fpcr, {}", in(reg) control, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn denormals_are_zero_as_long_as_it_lives() {
        let half_of_the_smallest = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
        assert!(half_of_the_smallest() > 0.0);
        {
            let _flush = FlushToZero::new();
            assert_eq!(half_of_the_smallest(), 0.0);
        }
        assert!(half_of_the_smallest() > 0.0);
    }
}
