use tiller::state::{Position, Slot};

use super::host::Host;

/// 0 in the first second, then 1.5.
fn automated(host: &mut Host, blocks: usize) {
    for _ in 0..blocks {
        host.strengths[0] = if host.position < 32_000 { 0.0 } else { 1.5 };
        host.block(320);
    }
}

fn with_vector() -> Host {
    let host = Host::new();
    host.edit(|project| {
        project.slots[0] = Some(Slot { name: "flute".into(), ..Slot::default() });
        project.settings.position = Position::Beats(0.0);
    });
    host
}

fn curve(host: &Host) -> Vec<f32> {
    let project = host.instance.store().project();
    let steering = &project.takes.last().unwrap().recipe.steering[0];
    (0..400).map(|frame| steering.curve.at(frame)).collect()
}

#[test]
fn a_take_follows_the_automation_that_passed_at_its_place() {
    let mut host = with_vector();
    automated(&mut host, 200);
    host.strengths[0] = 0.0;
    host.position = 0;
    host.generate();
    let curve = curve(&host);
    assert!(curve[..50].iter().all(|&strength| strength == 0.0));
    assert!(curve[50..100].iter().all(|&strength| strength == 1.5));
    assert!(curve[100..].iter().all(|&strength| strength == host.instance.params.steer1.value()));
}

#[test]
fn a_take_that_does_not_follow_holds_the_strength_of_its_press() {
    let mut host = with_vector();
    host.edit(|project| project.settings.follow_automation = false);
    automated(&mut host, 200);
    host.generate();
    assert!(curve(&host).iter().all(|&strength| strength == host.instance.params.steer1.value()));
}

#[test]
fn the_same_automation_gives_the_same_take_in_other_blocks() {
    let mut curves = Vec::new();
    for size in [64, 320, 32_000] {
        let mut host = with_vector();
        while host.position < 64_000 {
            host.strengths[0] = if host.position < 32_000 { 0.0 } else { 1.5 };
            host.block(size);
        }
        host.position = 0;
        host.strengths[0] = 0.0;
        host.generate();
        curves.push(curve(&host));
    }
    assert!(curves.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_slot_without_a_vector_steers_nothing() {
    let mut host = Host::new();
    host.strengths[0] = 1.0;
    host.generate();
    assert!(host.instance.store().project().takes[0].recipe.steering.is_empty());
}
