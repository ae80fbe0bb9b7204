//! Lessons beside the renderer: what is learnt can be chosen at once, and a lesson ends when nobody wants it any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tiller::lessons::{Lesson, Request, School, Taught, Tutor};
use tiller::renderer::VectorChoice;
use tiller::state::Settings;
use tiller_models::lab::{Progress, Stage};
use tiller_models::musicgen::Cancel;

use super::host::Host;
use super::tones::Log;

/// Learns nothing, and puts a vector among those of the tones. The name `held` waits for a cancel, `fail` fails and
/// `panic` panics.
struct Reader {
    log: Arc<Log>,
    ended: Arc<AtomicBool>,
}

impl Tutor for Reader {
    fn teach(
        &self,
        request: &Request,
        _: &Settings,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Taught, String> {
        progress(Progress { stage: Stage::Reading, done: 1, total: 2 });
        if request.name == "held" {
            until(|| cancel.is_cancelled());
            self.ended.store(true, Ordering::SeqCst);
            return Err("cancelled".into());
        }
        assert!(request.name != "panic", "as was asked for");
        if request.name == "fail" {
            return Err("The folder is empty.".into());
        }
        let choice = VectorChoice {
            name: request.name.clone(),
            sha256: "ab".into(),
            file: None,
            warning: None,
            readable: true,
        };
        self.log.vectors.lock().unwrap().push(choice);
        Ok(Taught {
            name: request.name.clone(),
            file: PathBuf::new(),
            page: PathBuf::new(),
            works: true,
            verdict: "It works.".into(),
            doubts: Vec::new(),
            skipped: 0,
        })
    }
}

fn school(host: &Host) -> (Arc<School>, Arc<AtomicBool>) {
    let ended = Arc::new(AtomicBool::new(false));
    (School::with(Reader { log: host.log.clone(), ended: ended.clone() }), ended)
}

fn begin(school: &School, host: &Host, name: &str) -> Result<(), String> {
    let request = Request { name: name.into(), plus: "a".into(), minus: "b".into(), prompt: String::new() };
    let waker = host.renderer.waker();
    school.begin(request, Settings::default(), move |is_new| {
        if is_new {
            waker.vectors_changed();
        }
    })
}

fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline, "it does not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn choices(host: &Host) -> Option<Vec<String>> {
    let view = host.instance.view();
    let model = view.model.as_ref()?.as_ref().ok()?;
    Some(model.vectors.iter().map(|vector| vector.name.clone()).collect())
}

#[test]
fn what_is_learnt_can_be_chosen_at_once() {
    let host = Host::new();
    host.instance.set_window_open(true);
    host.renderer.attach(&host.instance);
    until(|| choices(&host) == Some(Vec::new()));
    let (school, _) = school(&host);
    begin(&school, &host, "Rhodes").unwrap();
    until(|| choices(&host) == Some(vec!["Rhodes".to_owned()]));
    until(|| matches!(school.lesson(), Lesson::Over(Ok(_))));
    let Lesson::Over(Ok(taught)) = school.lesson() else { panic!() };
    assert_eq!(taught.name, "Rhodes");
    school.dismiss();
    assert_eq!(school.lesson(), Lesson::None);
}

#[test]
fn one_lesson_is_given_at_a_time_and_a_cancel_ends_it() {
    let host = Host::new();
    let (school, ended) = school(&host);
    begin(&school, &host, "held").unwrap();
    until(|| matches!(school.lesson(), Lesson::Underway { progress: Some(_), .. }));
    assert!(begin(&school, &host, "Rhodes").unwrap_err().contains("under way already"));
    school.cancel();
    until(|| school.lesson() == Lesson::None);
    assert!(ended.load(Ordering::SeqCst));
    // The thread is over a moment after it has said so.
    until(|| begin(&school, &host, "Rhodes").is_ok());
    until(|| matches!(school.lesson(), Lesson::Over(Ok(_))));
}

#[test]
fn whoever_lets_go_last_ends_the_lesson() {
    let host = Host::new();
    let (school, ended) = school(&host);
    begin(&school, &host, "held").unwrap();
    let other = school.clone();
    drop(school);
    std::thread::sleep(Duration::from_millis(20));
    assert!(!ended.load(Ordering::SeqCst));
    drop(other);
    assert!(ended.load(Ordering::SeqCst), "the thread outlives the school");
}

#[test]
fn what_went_wrong_is_a_sentence_and_the_next_lesson_can_begin() {
    let host = Host::new();
    let (school, _) = school(&host);
    for (name, said) in [("fail", "The folder is empty."), ("panic", "error of Tiller's own")] {
        until(|| begin(&school, &host, name).is_ok());
        until(|| matches!(school.lesson(), Lesson::Over(_)));
        let Lesson::Over(Err(message)) = school.lesson() else { panic!("{name}") };
        assert!(message.contains(said), "{message}");
    }
    until(|| begin(&school, &host, "Rhodes").is_ok());
    until(|| matches!(school.lesson(), Lesson::Over(Ok(_))));
}
