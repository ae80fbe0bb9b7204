//! One process a test. A plugin keeps things per process (its renderer, ONNX Runtime), may hang, and may take its
//! host down; none of that may reach another test.

use std::any::type_name_of_val;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the child to the name of the test it runs.
const CHILD: &str = "TILLER_TEST_CHILD";

/// Runs the body of a test in a process of its own, with `environment` on top of this one's, and fails if it fails,
/// crashes, or takes longer than `limit`. It has an audio cache of its own, empty at first.
///
/// Call it as the only statement of a `#[test]`, with a closure written there: the closure's type tells which test to
/// run in the child.
///
/// # Panics
/// If the body did not succeed.
pub fn run<Body: FnOnce()>(limit: Duration, environment: &[(&str, &str)], body: Body) {
    let name = test_name(&body);
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        body();
        return;
    }
    let program = std::env::current_exe().expect("the test knows its own program");
    // The child's output goes to a file and is shown through this test's own output, which is captured; a pipe would
    // have to be emptied while waiting.
    let output = tempfile::tempfile().expect("the system has room for the test's output");
    let cache = tempfile::tempdir().expect("the system has room for the test's cache");
    let mut child = Command::new(program)
        .args([name.as_str(), "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, &name)
        .env("TILLER_CACHE", cache.path())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be shared"))
        .stderr(output.try_clone().expect("a file can be shared"))
        .spawn()
        .expect("the test starts itself again");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the test's process can be waited for") {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().expect("the test's process can be ended");
            child.wait().expect("the ended process can be waited for");
            show(output);
            panic!("{name} was still running after {} s and was ended", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    show(output);
    assert!(status.success(), "{name} failed in its own process ({status}); its output is above");
}

fn show(mut output: File) {
    let mut bytes = Vec::new();
    output
        .rewind()
        .and_then(|()| output.read_to_end(&mut bytes))
        .expect("the test's output can be read again");
    println!("{}", String::from_utf8_lossy(&bytes));
}

/// `module::test` for a closure whose type is named `crate::module::test::{{closure}}`.
fn test_name<Body>(body: &Body) -> String {
    let path = type_name_of_val(body);
    let path = path.strip_suffix("::{{closure}}").expect("the body is a closure written in the test");
    path.split_once("::").expect("a test has a crate").1.to_owned()
}
