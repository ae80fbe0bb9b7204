//! The first principal component of the differences between rows of the two sides.
//!
//! Over all pairs of a row `p` of one side and `m` of the other, not a sample of them: the second moment of `p - m` is
//! `E[p p'] + E[m m'] - E[p] E[m]' - E[m] E[p]'`, which the sides' moments give exactly.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Axis};

use super::moments::Moments;
use super::readout::Readout;

/// The component as a readout, pointing to the side +1. Standardised, components are divided by their deviation first,
/// and the result is folded back to activation space.
pub fn of_differences(moments: &Moments, standardise: bool) -> Readout {
    let width = moments.x.len();
    let sides = moments.side_means();
    let column = |side: &Array1<f64>| side.clone().insert_axis(Axis(1));
    let cross = column(&sides[0]).dot(&column(&sides[1]).t());
    // Both sides weigh half of the whole.
    let mut differences: Array2<f64> = &moments.xx * (2.0 / moments.weight) - &cross - cross.t();
    let scale = moments.variance().mapv(|variance| match variance {
        _ if !standardise => 1.0,
        variance if variance > 0.0 => 1.0 / variance.sqrt(),
        _ => 0.0,
    });
    for ((row, column), value) in differences.indexed_iter_mut() {
        *value *= scale[row] * scale[column];
    }
    let matrix = DMatrix::from_iterator(width, width, differences.iter().copied());
    let eigen = SymmetricEigen::new(matrix);
    let mut weights = Array1::from_iter(eigen.eigenvectors.column(eigen.eigenvalues.imax()).iter().copied());
    weights *= &scale;
    if weights.dot(&(&sides[0] - &sides[1])) < 0.0 {
        weights = -weights;
    }
    Readout::between(weights, &sides)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn it_is_the_axis_on_which_the_sides_differ_most() {
        let rows = array![[1.0, 0.2], [1.2, -0.2], [-1.0, 0.2], [-1.2, -0.2]];
        let mut moments = Moments::new(2, 1, true);
        moments.add(rows.view(), &Array1::ones(4), array![[1.0], [1.0], [-1.0], [-1.0]].view());

        // The same from all pairs.
        let mut second = Array2::<f64>::zeros((2, 2));
        for plus in 0..2 {
            for minus in 2..4 {
                let difference = (&rows.row(plus) - &rows.row(minus)).insert_axis(Axis(1));
                second += &difference.dot(&difference.t());
            }
        }
        let weights = of_differences(&moments, false).weights.column(0).to_owned();
        let image = second.dot(&weights);
        assert!((image[0] * weights[1] - image[1] * weights[0]).abs() < 1e-9, "{weights}");
        assert!(weights[0] > 0.9);
        assert!(of_differences(&moments, true).weights[[0, 0]] > 0.0);
    }
}
