//! The windows of a Swin block: cutting a grid into them, shifted or not, and what attention inside them is biased by.

use super::super::ImportError;
use super::super::graph::Value;
use super::layers::Layers;
use crate::onnx::signed;

/// Added to the scores of places that are neighbours by the shift alone; transformers' number.
const MASKED: f32 = -100.0;

/// Square windows of a square grid.
pub struct Windows {
    /// Side of the grid, a multiple of the window's.
    side: usize,
    /// Side of a window.
    window: usize,
    /// How far windows are shifted, right and down.
    shift: usize,
}

impl Windows {
    pub fn new(side: usize, window: usize, shifted: bool) -> Self {
        Self { side, window, shift: if shifted { window / 2 } else { 0 } }
    }

    /// A grid `[side, side, width]` as windows, `[windows, places, width]`.
    pub fn partition(&self, layers: &mut Layers<'_>, x: &Value, width: usize) -> Value {
        let (count, window) = (self.side / self.window, self.window);
        let x = self.rolled(layers, x, self.shift);
        let x = layers.reshape(&x, &[count, window, count, window, width]);
        let x = layers.transpose(&x, &[0, 2, 1, 3, 4]);
        layers.reshape(&x, &[count * count, window * window, width])
    }

    /// Back from windows to the grid.
    pub fn reverse(&self, layers: &mut Layers<'_>, x: &Value, width: usize) -> Value {
        let (count, window) = (self.side / self.window, self.window);
        let x = layers.reshape(x, &[count, count, window, window, width]);
        let x = layers.transpose(&x, &[0, 2, 1, 3, 4]);
        let x = layers.reshape(&x, &[self.side, self.side, width]);
        self.rolled(layers, &x, self.side - self.shift)
    }

    /// The grid moved left and up by `places`; what leaves comes back at the other end.
    fn rolled(&self, layers: &mut Layers<'_>, x: &Value, places: usize) -> Value {
        let mut x = x.clone();
        if self.shift == 0 {
            return x;
        }
        for axis in [0, 1] {
            let lengths = layers.graph.ints(&[signed(places), signed(self.side - places)]);
            let op = layers.graph.op("Split", &[&x, &lengths]).int("axis", axis);
            let names = ["first", "second"].map(|part| format!("{part}_of_{}", op.name()));
            let [first, second] = op.all_named(names);
            x = layers.graph.op("Concat", &[&second, &first]).int("axis", axis).one();
        }
        x
    }

    /// What is added to attention scores: the bias of each relative position, `[1, heads, places, places]`, and in
    /// shifted windows the mask, which is each window's own.
    pub fn bias(&self, layers: &mut Layers<'_>, prefix: &str, heads: usize) -> Result<Value, ImportError> {
        let places = self.window * self.window;
        let name = format!("{prefix}.relative_position_bias_table");
        let table = layers.checkpoint.tensor(&name, &[(2 * self.window - 1).pow(2), heads])?;
        let rows = self.relative_positions();
        let bias: Vec<f32> = (0..heads)
            .flat_map(|head| rows.iter().map(move |row| (row, head)))
            .map(|(row, head)| table[row * heads + head])
            .collect();
        let bias = layers.graph.floats(&name, &[1, heads, places, places], &bias)?;
        if self.shift == 0 {
            return Ok(bias);
        }
        let count = (self.side / self.window).pow(2);
        let mask =
            layers.graph.floats(&format!("{prefix}.mask"), &[count, 1, places, places], &self.mask())?;
        Ok(layers.graph.op("Add", &[&bias, &mask]).one())
    }

    /// The row of the table for each pair of places in a window, `[places, places]`.
    fn relative_positions(&self) -> Vec<usize> {
        let window = self.window;
        let places = || (0..window * window).map(|place| (place / window, place % window));
        let row = |(row, column): (usize, usize), (other_row, other_column): (usize, usize)| {
            (row + window - 1 - other_row) * (2 * window - 1) + column + window - 1 - other_column
        };
        places().flat_map(|place| places().map(move |other| row(place, other))).collect()
    }

    /// 0 where both places of a pair were in the same window's region before the shift, else [`MASKED`];
    /// `[windows, places, places]`.
    fn mask(&self) -> Vec<f32> {
        let (window, count) = (self.window, self.side / self.window);
        // Along one side: whole windows, then the part of the last one that did not wrap around, then what did.
        let region =
            |at: usize| usize::from(at >= self.side - window) + usize::from(at >= self.side - self.shift);
        let mut mask = Vec::with_capacity((count * count) * (window * window).pow(2));
        for corner in (0..count * count).map(|index| (index / count * window, index % count * window)) {
            let regions: Vec<_> = (0..window * window)
                .map(|place| (region(corner.0 + place / window), region(corner.1 + place % window)))
                .collect();
            for own in &regions {
                mask.extend(regions.iter().map(|other| if own == other { 0.0 } else { MASKED }));
            }
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_with_the_same_offset_share_a_row_and_no_others_do() {
        let rows = Windows::new(4, 2, false).relative_positions();
        // Places 0 1 / 2 3; the table's rows go by (down, right) from (-1, -1) to (1, 1).
        assert_eq!(rows, [4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4]);
    }

    #[test]
    fn only_windows_at_the_far_ends_mask_what_wrapped_around() {
        let mask = Windows::new(4, 2, true).mask();
        let windows: Vec<_> = mask.chunks(16).collect();
        assert!(windows[0].iter().all(|value| *value == 0.0));
        let apart = |window: &[f32]| window.iter().filter(|value| **value != 0.0).count();
        assert_eq!([1, 2, 3].map(|index| apart(windows[index])), [8, 8, 12]);
        // Right of the top row: columns are apart, rows are not.
        assert_eq!(windows[1][..4], [0.0, MASKED, 0.0, MASKED]);
    }
}
