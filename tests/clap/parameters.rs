//! What a host sees before anything sounds. Projects and automation lanes out there hold these numbers and names.

use crate::LIMIT;
use clack_extensions::audio_ports::{AudioPortFlags, AudioPortInfoBuffer, PluginAudioPorts};
use tiller_tests::{Parameter, fixture, isolated};

/// Id in the source, the number hosts know, name, and the ends of the range as typed.
const FROZEN: [(&str, u32, &str, [&str; 2]); 13] = [
    ("steer1", 1_255_106_688, "Steer 1", ["-2", "2"]),
    ("steer2", 1_255_106_689, "Steer 2", ["-2", "2"]),
    ("steer3", 1_255_106_690, "Steer 3", ["-2", "2"]),
    ("steer4", 1_255_106_691, "Steer 4", ["-2", "2"]),
    ("guidance", 833_481_560, "Guidance", ["1", "10"]),
    ("temperature", 321_701_236, "Temperature", ["0", "2"]),
    ("topk", 3_566_006, "Top-k", ["1", "2048"]),
    ("bars", 3_016_384, "Length in bars", ["1", "64"]),
    ("seconds", 1_970_096_767, "Length in seconds", ["0", "300"]),
    ("seed", 3_526_257, "Seed", ["0", "65535"]),
    ("gain", 3_165_055, "Gain", ["-40 dB", "6 dB"]),
    ("generate", 1_810_371_957, "Generate", ["Off", "On"]),
    // Hidden: it tells hosts that the project changed.
    ("edits", 96_359_337, "Edits", ["0", "65535"]),
];

#[test]
fn a_host_finds_one_stereo_instrument() {
    isolated::run(LIMIT, &[], || {
        let plugin = fixture::plugin().unwrap();
        assert_eq!(plugin.name(), "Tiller");
        for feature in ["instrument", "stereo"] {
            assert!(
                plugin.features().iter().any(|have| have == feature),
                "{:?} lacks {feature}",
                plugin.features()
            );
        }
    });
}

#[test]
fn the_sidechain_is_its_only_input() {
    isolated::run(LIMIT, &[], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        let handle = instance.raw().plugin_handle();
        let ports: PluginAudioPorts = handle.get_extension().unwrap();
        assert_eq!((ports.count(&handle, true), ports.count(&handle, false)), (1, 1));
        let mut buffer = AudioPortInfoBuffer::new();
        let sidechain = ports.get(&handle, 0, true, &mut buffer).unwrap();
        assert_eq!((sidechain.name, sidechain.channel_count), (&b"Sidechain"[..], 2));
        assert!(!sidechain.flags.contains(AudioPortFlags::IS_MAIN));
    });
}

#[test]
fn parameter_numbers_names_and_ranges_are_frozen() {
    isolated::run(LIMIT, &[], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        let parameters = instance.parameters().unwrap();
        let seen: Vec<_> =
            parameters.iter().map(|parameter| (parameter.id, parameter.name.as_str())).collect();
        assert_eq!(seen, FROZEN.map(|(_, number, name, _)| (number, name)));
        for (parameter, (id, _, _, ends)) in parameters.iter().zip(FROZEN) {
            assert_eq!(parameter.id, Parameter::number(id), "{id}");
            assert_eq!((parameter.automatable, parameter.hidden), (id != "edits", id == "edits"), "{id}");
            let typed = ends.map(|end| instance.typed(id, end).unwrap());
            assert!(
                (typed[0] - parameter.min).abs() < 1e-6 && (typed[1] - parameter.max).abs() < 1e-6,
                "{id}: {typed:?}"
            );
        }
    });
}

#[test]
fn a_typed_value_is_the_value_afterwards() {
    isolated::run(LIMIT, &[], || {
        let mut instance = fixture::plugin().unwrap().instantiate().unwrap();
        instance.set("seed", "12345").unwrap();
        assert_eq!(instance.value("seed").unwrap().round(), 12_345.0);
        instance.activate(Default::default()).unwrap();
        instance.set("steer1", "-1").unwrap();
        let wanted = instance.typed("steer1", "-1").unwrap();
        assert!((instance.value("steer1").unwrap() - wanted).abs() < 1e-6);
    });
}
