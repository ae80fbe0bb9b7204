//! The package as a musician gets it: no checkout around it, no variables set.

use crate::{LIMIT, RENDER};
use tiller_tests::scene::Scene;
use tiller_tests::{AudioSettings, PluginFile, fixture, isolated};

#[test]
fn the_plugin_finds_model_and_runtime_in_the_data_folder() {
    let data = fixture::target().unwrap().join("bundled/data");
    let packaged =
        [("TILLER_DATA", data.to_str().unwrap()), ("TILLER_BUNDLE", ""), ("TILLER_ONNXRUNTIME", "")];
    isolated::run(LIMIT, &packaged, || {
        // Away from the checkout, where the plugin would also look.
        let elsewhere = tempfile::tempdir().unwrap();
        let clap = elsewhere.path().join("Tiller.clap");
        std::fs::copy(fixture::clap_path().unwrap(), &clap).unwrap();
        std::env::set_current_dir(elsewhere.path()).unwrap();
        let plugin = PluginFile::load(&clap).unwrap();
        let scene = Scene { seconds: 0.5, ..Scene::default() };
        let mut instance = scene.open(&plugin, AudioSettings::default()).unwrap();
        scene.generate(&mut instance, RENDER).unwrap();
        let pass = scene.pass(&instance);
        assert!(instance.play(&pass).unwrap().level(0.0, 0.5) > 1e-4);
    });
}
