//! A picture of the editor inside a host's own window.
//!
//! `host-screenshot CLAP PNG` opens the editor in an X11 window of the display named by `DISPLAY`, with a take
//! rendered, waits until the picture stands still, and writes it.

use anyhow::{Context, Result, bail, ensure};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, PluginGui, Window};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tiller_tests::scene::Scene;
use tiller_tests::{AudioSettings, Instance, Pace, Pass, PluginFile, fixture};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, ImageFormat, PropMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// The takes on the picture: prompt, place and length in seconds, and how strongly they are steered in the end.
const TAKES: [(&str, f64, f64, f64); 3] = [
    ("a calm piano melody", 0.0, 8.0, 1.0),
    ("trumpet, bass and drums", 8.0, 6.0, -0.5),
    ("a slow organ", 4.0, 8.0, 0.5),
];
/// What the takes are steered to, if the bundle has it.
const CONCEPT: &str = "flute";
/// Longest a take may take to render.
const LIMIT: Duration = Duration::from_secs(120);
/// How long the editor may take to draw itself.
const SETTLE: Duration = Duration::from_secs(4);

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clap, picture] = arguments.as_slice() else { bail!("usage: host-screenshot CLAP PNG") };
    let plugin = PluginFile::load(clap)?;
    let mut instance = plugin.instantiate()?;
    instance.activate(AudioSettings::default())?;
    for (prompt, at, seconds, strength) in TAKES {
        let concept = Some(fixture::vector(CONCEPT)?.concept().to_owned());
        let scene = Scene { prompt: prompt.into(), seed: 1, seconds, concept, at };
        scene.apply(&mut instance)?;
        scene.rehearse(&mut instance, |second| strength * second / seconds)?;
        scene.generate(&mut instance, LIMIT)?;
    }
    let (connection, screen) = x11rb::connect(None).context("no X11 display can be opened")?;
    photograph(&connection, screen, &mut instance, picture)
}

fn photograph(
    connection: &RustConnection,
    screen: usize,
    instance: &mut Instance,
    picture: &Path,
) -> Result<()> {
    let root = &connection.setup().roots[screen];
    // Away with the mouse pointer, which would make the editor show a hint.
    connection.warp_pointer(x11rb::NONE, root.root, 0, 0, 0, 0, i16::MAX, i16::MAX)?;
    connection.sync()?;
    let configuration = GuiConfiguration { api_type: GuiApiType::X11, is_floating: false };
    let handle = instance.raw().plugin_handle();
    let gui: PluginGui = handle.get_extension().context("the plugin has no editor")?;
    ensure!(gui.is_api_supported(&handle, configuration), "the editor cannot be embedded with X11");
    gui.create(&handle, configuration).context("the editor does not open")?;
    let size = gui.get_size(&handle).context("the editor names no size")?;
    let (width, height) = (u16::try_from(size.width)?, u16::try_from(size.height)?);

    let window = connection.generate_id()?;
    let events = CreateWindowAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    connection.create_window(
        root.root_depth,
        window,
        root.root,
        0,
        0,
        width,
        height,
        0,
        WindowClass::INPUT_OUTPUT,
        root.root_visual,
        &events,
    )?;
    connection.change_property8(PropMode::REPLACE, window, AtomEnum::WM_NAME, AtomEnum::STRING, b"Tiller")?;
    connection.map_window(window)?;
    connection.sync()?;
    // SAFETY: the window lives until the editor has been destroyed below.
    unsafe { gui.set_parent(&handle, Window::from_x11_handle(window.into())) }
        .context("the editor does not accept the window")?;
    gui.show(&handle).context("the editor does not show itself")?;

    let start = Instant::now();
    while start.elapsed() < SETTLE {
        while connection.poll_for_event()?.is_some() {}
        // A host with an open editor goes on processing.
        instance.play(&Pass { playing: false, frames: 960, pace: Pace::Live, ..Pass::over(0, 0) })?;
    }
    let image = connection
        .get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, u32::MAX)?
        .reply()
        .context("the window cannot be read")?;
    ensure!(
        image.data.len() == usize::from(width) * usize::from(height) * 4,
        "the display has no 32-bit pixels"
    );
    write_png(picture, width, height, &image.data)?;
    let handle = instance.raw().plugin_handle();
    gui.destroy(&handle);
    connection.destroy_window(window)?;
    connection.sync()?;
    Ok(())
}

/// Writes pixels of blue, green, red and padding.
fn write_png(path: &Path, width: u16, height: u16, pixels: &[u8]) -> Result<()> {
    let rgb: Vec<u8> = pixels.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
    ensure!(rgb.iter().any(|&byte| byte != rgb[0]), "the editor drew nothing");
    let file =
        std::fs::File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&rgb)?;
    Ok(())
}
