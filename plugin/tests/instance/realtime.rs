//! The law of the audio thread, watched: in every build nothing may allocate inside a block, and in one made with the
//! real-time sanitizer (`cargo xtask realtime`) a live block may not lock, wait, or ask anything of the system either, but
//! to wake the renderer.

/// Runs a block under the guards; one that is rendered offline may wait.
pub fn block<R>(live: bool, body: impl FnOnce() -> R) -> R {
    assert_no_alloc::assert_no_alloc(|| if live { nonblocking(body) } else { body() })
}

// Inlined, it would lose what the sanitizer knows it by.
#[inline(never)]
#[cfg_attr(realtime_sanitizer, sanitize(realtime = "nonblocking"))]
fn nonblocking<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Ends the process where the sanitizer is at work, which is how a test knows that it is.
#[cfg(realtime_sanitizer)]
#[test]
fn the_sanitizer_sees_a_block_that_opens_a_file() {
    const OPENS: &str = "TILLER_TEST_OPENS";
    if std::env::var_os(OPENS).is_some() {
        drop(block(true, || std::fs::File::open("/")));
        return;
    }
    let test = "realtime::the_sanitizer_sees_a_block_that_opens_a_file";
    let program = std::env::current_exe().unwrap();
    let output =
        std::process::Command::new(program).args(["--exact", test]).env(OPENS, "1").output().unwrap();
    assert!(!output.status.success(), "a block opened a file and nobody noticed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("RealtimeSanitizer"), "it ended by something else: {said}");
}
