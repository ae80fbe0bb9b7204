//! Dragging a take: its body moves it, its upper corners fade it.
//!
//! A drag is one edit: the project stays as it is, and sounds as it is, until the button is let go.

use egui::{CursorIcon, Id, Pos2, Rect, Response, Ui, pos2};

use super::ruler::Ruler;
use crate::state::{Fades, Place, Take};
use crate::timeline::{Snap, moved};

/// How near to a fade's handle a press takes hold of it, points.
const REACH: f32 = 8.0;
/// The least width of a take whose fades can be taken hold of, points.
const LEAST_WIDTH: f32 = 4.0 * REACH;

/// What a press took hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grip {
    /// The take.
    Body,
    /// The end of its fade at the start.
    Rise,
    /// The start of its fade at the end.
    Fall,
}

/// What a take would become were the button let go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dragged {
    /// Where it starts.
    pub place: Place,
    /// How it comes and goes.
    pub fades: Fades,
}

impl Dragged {
    /// A take as it is.
    pub fn none(take: &Take) -> Self {
        Self { place: take.place, fades: take.fades }
    }
}

/// A drag underway, kept by the context under the take's id.
#[derive(Debug, Clone, Copy)]
struct Underway {
    grip: Grip,
    from: f32,
}

/// Where the handles of a take's fades are.
pub fn handles(body: Rect, fades: Fades, seconds: f64) -> [Pos2; 2] {
    let width = |fade: f64| body.width() * (fade / seconds).min(1.0) as f32;
    let y = body.top() + 5.0;
    [pos2(body.left() + width(fades.rise), y), pos2(body.right() - width(fades.fall), y)]
}

/// What is under the pointer.
pub fn grip(body: Rect, take: &Take, pointer: Pos2) -> Option<Grip> {
    let [rise, fall] = handles(body, take.fades, take.seconds()).map(|at| at.distance(pointer));
    if body.width() >= LEAST_WIDTH && rise.min(fall) <= REACH {
        return Some(if rise <= fall { Grip::Rise } else { Grip::Fall });
    }
    body.contains(pointer).then_some(Grip::Body)
}

/// What the pointer makes of a take: what it would become, and whether the button was let go, which makes it so.
/// `row` is the line the take is on, `body` the take as the project has it.
pub fn follow(
    ui: &Ui,
    response: &Response,
    ruler: &Ruler,
    take: &Take,
    snap: Snap,
    (row, body): (Rect, Rect),
) -> (Dragged, bool) {
    let unmoved = (Dragged::none(take), false);
    let id: Id = response.id;
    if response.drag_started()
        && let Some(from) = ui.input(|input| input.pointer.press_origin())
        && let Some(grip) = grip(body, take, from)
    {
        ui.data_mut(|data| data.insert_temp(id, Underway { grip, from: from.x }));
    }
    let underway = ui.data(|data| data.get_temp::<Underway>(id));
    let held = underway.map(|underway| underway.grip);
    let under = held.or(response.hover_pos().and_then(|pointer| grip(body, take, pointer)));
    match under {
        Some(Grip::Body) if held.is_some() => ui.set_cursor_icon(CursorIcon::Grabbing),
        Some(Grip::Body) => ui.set_cursor_icon(CursorIcon::Grab),
        Some(Grip::Rise | Grip::Fall) => ui.set_cursor_icon(CursorIcon::ResizeHorizontal),
        None => {}
    }
    let Some(Underway { grip, from }) = underway else { return unmoved };
    let over = response.drag_stopped() || !response.dragged();
    if over {
        ui.data_mut(|data| data.remove::<Underway>(id));
    }
    let Some(pointer) = response.interact_pointer_pos() else { return unmoved };
    let seconds = ruler.seconds(row, pointer.x - from);
    let snap = if ui.input(|input| input.modifiers.alt) { Snap::Off } else { snap };
    (dragged(take, grip, seconds, snap, ruler), over && response.drag_stopped())
}

fn dragged(take: &Take, grip: Grip, seconds: f64, snap: Snap, ruler: &Ruler) -> Dragged {
    let mut dragged = Dragged::none(take);
    let fade = |fade: f64| fade.clamp(0.0, take.seconds());
    match grip {
        Grip::Body => dragged.place = moved(&take.place, seconds, snap, &ruler.song, &ruler.host),
        Grip::Rise => dragged.fades.rise = fade(take.fades.rise + seconds),
        Grip::Fall => dragged.fades.fall = fade(take.fades.fall - seconds),
    }
    dragged
}
