//! Pictures of the editor inside a host's own window.
//!
//! `host-screenshot CLAP FOLDER` opens the editor in an X11 window of the display named by `DISPLAY`, with takes rendered
//! and arranged, clicks its way to each picture, waits until it stands still, and writes it.

use anyhow::{Context, Result, bail, ensure};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, PluginGui, Window};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tiller_tests::scene::{Scene, takes};
use tiller_tests::{AudioSettings, Instance, Pace, Pass, PluginFile, fixture};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ButtonPressEvent, ConnectionExt as _,
    CreateWindowAux, EventMask, ImageFormat, KeyButMask, MOTION_NOTIFY_EVENT, PropMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// A picture: its file, and the clicks that lead to it from the one before.
struct Picture {
    file: &'static str,
    clicks: &'static [Click],
}

/// A click of a button at a point of the window, which is as large as it first opens.
struct Click {
    button: u8,
    x: i16,
    y: i16,
}

const LEFT: u8 = 1;
const RIGHT: u8 = 3;
/// A point without any control, to close a menu at.
const NOWHERE: Click = Click { button: LEFT, x: 300, y: 26 };

const PICTURES: [Picture; 6] = [
    Picture { file: "guide-learn.png", clicks: &[Click { button: LEFT, x: 648, y: 26 }] },
    Picture { file: "guide-folders.png", clicks: &[Click { button: LEFT, x: 631, y: 141 }] },
    Picture { file: "guide-presets.png", clicks: &[NOWHERE, Click { button: LEFT, x: 715, y: 26 }] },
    Picture { file: "guide-settings.png", clicks: &[NOWHERE, Click { button: LEFT, x: 793, y: 26 }] },
    Picture { file: "guide-lets-go.png", clicks: &[NOWHERE, Click { button: LEFT, x: 873, y: 102 }] },
    Picture { file: "guide-take.png", clicks: &[NOWHERE, Click { button: RIGHT, x: 520, y: 450 }] },
];

/// A take on the pictures.
struct Shown {
    prompt: &'static str,
    /// Seconds of the song.
    at: f64,
    seconds: f64,
    /// Seconds of its fades.
    fades: (f64, f64),
}

/// The oldest first. That one is removed before the last picture, whose list has room for three.
const TAKES: [Shown; 3] = [
    Shown { prompt: "trumpet, bass and drums", at: 8.0, seconds: 6.0, fades: (0.0, 0.0) },
    Shown { prompt: "a calm piano melody", at: 0.0, seconds: 8.0, fades: (0.0, 2.0) },
    Shown { prompt: "a slow organ", at: 4.0, seconds: 8.0, fades: (2.0, 1.0) },
];
/// A take that is under way on the last picture, which has none of the clicks: long enough not to be ready before it.
const LAST: &str = "editor.png";
const UNDERWAY: Shown = Shown { prompt: "strings, slow", at: 12.0, seconds: 12.0, fades: (0.0, 0.0) };
/// What the takes are steered to, if the bundle has it.
const CONCEPT: &str = "drums";
/// Longest a take may take to render.
const LIMIT: Duration = Duration::from_secs(120);
/// How long the editor may take to open, and to begin to draw what a click changed.
const SETTLE: [Duration; 2] = [Duration::from_secs(4), Duration::from_secs(1)];

impl Shown {
    fn scene(&self) -> Result<Scene> {
        let concept = Some(fixture::vector(CONCEPT)?.concept().to_owned());
        Ok(Scene { prompt: self.prompt.into(), seed: 1, seconds: self.seconds, concept, at: self.at })
    }

    /// Plays the song's one automation lane over the take: up until 8 s, then down. A take that had other strengths from
    /// the pass before would be made again.
    fn rehearse(&self, scene: &Scene, instance: &mut Instance) -> Result<()> {
        scene.rehearse(instance, |second| 1.0 - (self.at + second - 8.0).abs() / 8.0)?;
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [clap, folder] = arguments.as_slice() else { bail!("usage: host-screenshot CLAP FOLDER") };
    let plugin = PluginFile::load(clap)?;
    let mut instance = plugin.instantiate()?;
    instance.activate(AudioSettings::default())?;
    for shown in &TAKES {
        let scene = shown.scene()?;
        scene.apply(&mut instance)?;
        shown.rehearse(&scene, &mut instance)?;
        scene.generate(&mut instance, LIMIT)?;
    }
    let arranged = instance.state()?.with_project(|project| {
        for (take, Shown { fades: (rise, fall), .. }) in TAKES.iter().enumerate() {
            project["takes"][take]["fades"] = serde_json::json!({ "in": rise, "out": fall });
        }
    })?;
    instance.restore(&arranged)?;
    let (connection, screen) = x11rb::connect(None).context("no X11 display can be opened")?;
    photograph(&connection, screen, &mut instance, folder)
}

fn photograph(
    connection: &RustConnection,
    screen: usize,
    instance: &mut Instance,
    folder: &Path,
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

    let [opening, drawing] = SETTLE;
    settle(connection, instance, opening)?;
    let tree = connection.query_tree(window)?.reply().context("the window cannot be looked into")?;
    let editor = *tree.children.first().context("the editor opened no window in the host's")?;
    for picture in &PICTURES {
        for click in picture.clicks {
            press(connection, root.root, editor, click)?;
            settle(connection, instance, drawing)?;
        }
        let pixels = still(connection, instance, window, (width, height))?;
        write_png(&folder.join(picture.file), width, height, &pixels)?;
    }
    press(connection, root.root, editor, &NOWHERE)?;
    let newer = takes(instance)?.split_off(1);
    let fewer = instance.state()?.with_project(|project| project["takes"] = newer.into())?;
    instance.restore(&fewer)?;
    let scene = UNDERWAY.scene()?;
    scene.apply(instance)?;
    UNDERWAY.rehearse(&scene, instance)?;
    scene.press(instance)?;
    settle(connection, instance, drawing)?;
    write_png(&folder.join(LAST), width, height, &capture(connection, window, (width, height))?)?;
    let handle = instance.raw().plugin_handle();
    gui.destroy(&handle);
    connection.destroy_window(window)?;
    connection.sync()?;
    Ok(())
}

/// The pixels of a window once they have not changed for a moment: until then a folder may not be counted yet, or a take be
/// under way.
fn still(
    connection: &RustConnection,
    instance: &mut Instance,
    window: u32,
    size: (u16, u16),
) -> Result<Vec<u8>> {
    let start = Instant::now();
    let mut before = capture(connection, window, size)?;
    while start.elapsed() < LIMIT {
        settle(connection, instance, SETTLE[1])?;
        let now = capture(connection, window, size)?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    bail!("the editor did not stand still within {} s", LIMIT.as_secs())
}

/// The pixels of a window: blue, green, red and padding.
fn capture(connection: &RustConnection, window: u32, (width, height): (u16, u16)) -> Result<Vec<u8>> {
    let image = connection
        .get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, u32::MAX)?
        .reply()
        .context("the window cannot be read")?;
    ensure!(
        image.data.len() == usize::from(width) * usize::from(height) * 4,
        "the display has no 32-bit pixels"
    );
    Ok(image.data)
}

/// Lets the editor draw. A host with an open one goes on processing.
fn settle(connection: &RustConnection, instance: &mut Instance, time: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        while connection.poll_for_event()?.is_some() {}
        instance.play(&Pass { playing: false, frames: 960, pace: Pace::Live, ..Pass::over(0, 0) })?;
    }
    Ok(())
}

/// Moves over the editor and clicks, as a pointer would.
fn press(connection: &RustConnection, root: u32, editor: u32, click: &Click) -> Result<()> {
    let event = |response_type, detail| ButtonPressEvent {
        response_type,
        detail,
        sequence: 0,
        time: x11rb::CURRENT_TIME,
        root,
        event: editor,
        child: x11rb::NONE,
        root_x: click.x,
        root_y: click.y,
        event_x: click.x,
        event_y: click.y,
        state: KeyButMask::default(),
        same_screen: true,
    };
    // A pointer's movement has the fields of a button's press, and no button.
    let kinds =
        [(MOTION_NOTIFY_EVENT, 0), (BUTTON_PRESS_EVENT, click.button), (BUTTON_RELEASE_EVENT, click.button)];
    for (kind, detail) in kinds {
        connection.send_event(false, editor, EventMask::NO_EVENT, event(kind, detail))?;
    }
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
