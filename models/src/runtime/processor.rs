//! By what ONNX Runtime chooses its arithmetic.

/// The processor's architecture and those of its instruction sets by which ONNX Runtime chooses how to multiply, and so
/// how sums are rounded: two machines that differ here may give other last bits for the same graph and input.
#[must_use]
pub fn processor() -> String {
    let mut text = std::env::consts::ARCH.to_owned();
    for (name, found) in instruction_sets() {
        if found {
            text.push(' ');
            text.push_str(name);
        }
    }
    text
}

#[cfg(target_arch = "x86_64")]
fn instruction_sets() -> [(&'static str, bool); 7] {
    use std::arch::is_x86_feature_detected as detected;
    [
        ("sse4.1", detected!("sse4.1")),
        ("avx", detected!("avx")),
        ("fma", detected!("fma")),
        ("avx2", detected!("avx2")),
        ("avx512f", detected!("avx512f")),
        ("avx512vnni", detected!("avx512vnni")),
        ("avxvnni", detected!("avxvnni")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn instruction_sets() -> [(&'static str, bool); 4] {
    use std::arch::is_aarch64_feature_detected as detected;
    [
        ("dotprod", detected!("dotprod")),
        ("i8mm", detected!("i8mm")),
        ("bf16", detected!("bf16")),
        ("sve", detected!("sve")),
    ]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instruction_sets() -> [(&'static str, bool); 0] {
    []
}
