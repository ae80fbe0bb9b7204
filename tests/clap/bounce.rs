//! The same project bounces to the same bytes, however it is cut, and at every sample rate.

use crate::{LIMIT, RENDER};
use tiller_tests::scene::Scene;
use tiller_tests::{Audio, AudioSettings, Blocks, Instance, Pass, fixture, isolated};

fn finished(settings: AudioSettings) -> (Scene, Instance) {
    let scene = Scene { at: 0.25, seconds: 1.5, ..Scene::default() };
    let mut instance = scene.open(&fixture::plugin().unwrap(), settings).unwrap();
    scene.generate(&mut instance, RENDER).unwrap();
    (scene, instance)
}

fn whole_song(instance: &Instance, blocks: Blocks) -> Pass {
    Pass { blocks, ..Pass::over(0, (2.0 * instance.settings().sample_rate) as u64) }
}

fn same(first: &Audio, second: &Audio, what: &str) {
    assert!(first.peak() > 0.0, "{what}: silence");
    assert_eq!(first.first_difference(second), None, "{what}: they differ from that frame on");
}

#[test]
fn two_bounces_are_the_same_to_the_byte() {
    isolated::run(LIMIT, &[], || {
        let (_, mut instance) = finished(AudioSettings::default());
        let pass = whole_song(&instance, Blocks::Longest);
        let first = instance.play(&pass).unwrap();
        same(&first, &instance.play(&pass).unwrap(), "second bounce");
    });
}

#[test]
fn block_sizes_change_nothing() {
    isolated::run(LIMIT, &[], || {
        let (_, mut instance) = finished(AudioSettings { max_block: 8_192, ..AudioSettings::default() });
        let pass = whole_song(&instance, Blocks::Longest);
        let reference = instance.play(&pass).unwrap();
        let cuts = [
            Blocks::Of(1),
            Blocks::Of(16),
            Blocks::Of(64),
            Blocks::Of(512),
            Blocks::Cycle(vec![1, 8_191, 17, 480, 2_048, 3]),
        ];
        for blocks in cuts {
            let what = format!("{blocks:?}");
            let pass = whole_song(&instance, blocks);
            same(&reference, &instance.play(&pass).unwrap(), &what);
        }
    });
}

#[test]
fn every_sample_rate_plays_the_take_in_its_place() {
    isolated::run(LIMIT, &[], || {
        for sample_rate in [44_100.0, 48_000.0, 96_000.0, 192_000.0] {
            let (_, mut instance) = finished(AudioSettings { sample_rate, max_block: 1_024 });
            let pass = whole_song(&instance, Blocks::Longest);
            let song = instance.play(&pass).unwrap();
            assert!(song.level(0.3, 1.7) > 1e-4, "{sample_rate} Hz: silence");
            assert_eq!(song.between(0.0, 0.249).peak(), 0.0, "{sample_rate} Hz: too early");
            assert_eq!(song.between(1.751, 2.0).peak(), 0.0, "{sample_rate} Hz: too late");
        }
    });
}

#[test]
fn a_new_sample_rate_for_the_same_instance_keeps_the_take() {
    isolated::run(LIMIT, &[], || {
        let (scene, mut instance) = finished(AudioSettings::default());
        instance.activate(AudioSettings { sample_rate: 96_000.0, max_block: 256 }).unwrap();
        instance.set_offline(true).unwrap();
        let pass = scene.pass(&instance);
        assert!(instance.play(&pass).unwrap().level(0.1, 1.4) > 1e-4);
    });
}
