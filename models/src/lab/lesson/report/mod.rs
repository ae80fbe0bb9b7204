//! The page about a lesson: what to think of the vector, what that rests on, and how it sounds. One HTML file that needs
//! no other: pictures and clips are inside.

mod chart;
mod page;
mod spectrogram;

pub(super) use page::page;
