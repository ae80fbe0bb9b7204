//! How well clusters agree with classes: the paper's external indices and its Jaccard matrix.
//!
//! All from the contingency table: how many rows of each class fell to each cluster. Equal to scikit-learn's
//! `adjusted_rand_score`, `normalized_mutual_info_score` (arithmetic mean) and `jaccard_score` of each pair.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Rows of each cluster and class: `[cluster][class]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contingency {
    counts: Vec<Vec<u64>>,
    clusters: Vec<u64>,
    classes: Vec<u64>,
    rows: u64,
}

impl Contingency {
    /// Counts pairs of a cluster below `clusters` and a class below `classes`.
    #[must_use]
    pub fn count(pairs: impl Iterator<Item = (usize, usize)>, clusters: usize, classes: usize) -> Self {
        let mut counts = vec![vec![0; classes]; clusters];
        for (cluster, class) in pairs {
            counts[cluster][class] += 1;
        }
        let of_clusters: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
        let of_class = |class: usize| counts.iter().map(|row: &Vec<u64>| row[class]).sum();
        Self {
            rows: of_clusters.iter().sum(),
            classes: (0..classes).map(of_class).collect(),
            clusters: of_clusters,
            counts,
        }
    }

    /// Adjusted Rand Index: 1 for equal partitions, 0 on average for unrelated ones, -0.5 at the least.
    #[must_use]
    pub fn adjusted_rand(&self) -> f64 {
        let pairs = |counts: &[u64]| -> i128 {
            counts.iter().map(|&count| i128::from(count) * (i128::from(count) - 1) / 2).sum()
        };
        let together: i128 = self.counts.iter().map(|row| pairs(row)).sum();
        let (clusters, classes) = (pairs(&self.clusters), pairs(&self.classes));
        let all = pairs(&[self.rows]);
        if all == 0 || clusters == classes && together == clusters {
            return 1.0;
        }
        let expected = clusters as f64 * classes as f64 / all as f64;
        let most = (clusters + classes) as f64 / 2.0;
        (together as f64 - expected) / (most - expected)
    }

    /// Normalised Mutual Information: 1 for equal partitions, 0 for independent ones.
    #[must_use]
    pub fn normalised_mutual_information(&self) -> f64 {
        let rows = self.rows as f64;
        let entropy = |counts: &[u64]| -> f64 {
            let filled = counts.iter().filter(|&&count| count > 0);
            -filled.map(|&count| count as f64 / rows * (count as f64 / rows).ln()).sum::<f64>()
        };
        let (clusters, classes) = (entropy(&self.clusters), entropy(&self.classes));
        if clusters == 0.0 && classes == 0.0 {
            return 1.0;
        }
        let mut information = 0.0;
        for (row, &of_cluster) in self.counts.iter().zip(&self.clusters) {
            for (&count, &of_class) in row.iter().zip(&self.classes).filter(|(count, _)| **count > 0) {
                let count = count as f64;
                information += count / rows
                    * (count.ln() + rows.ln() - (of_cluster as f64).ln() - (of_class as f64).ln());
            }
        }
        // Rounding may leave a trace of information where there is none.
        if information < 1e-15 { 0.0 } else { information / ((clusters + classes) / 2.0) }
    }

    /// Jaccard index of every cluster with every class, `[cluster][class]`: rows in both over rows in either.
    #[must_use]
    pub fn jaccard(&self) -> Vec<Vec<f64>> {
        let of_cluster = |(row, &of_cluster): (&Vec<u64>, &u64)| {
            let of_pair = |(&both, &of_class): (&u64, &u64)| {
                let either = of_cluster + of_class - both;
                if either == 0 { 0.0 } else { both as f64 / either as f64 }
            };
            row.iter().zip(&self.classes).map(of_pair).collect()
        };
        self.counts.iter().zip(&self.clusters).map(of_cluster).collect()
    }
}

/// The clusters in the order of the classes that they are matched with, by the matching whose sum is largest (Hungarian
/// method); clusters without a class come last. With as many clusters as classes it puts the best on the diagonal.
#[must_use]
pub fn hungarian_order(jaccard: &[Vec<f64>]) -> Vec<usize> {
    let classes = jaccard.first().map_or(0, Vec::len);
    let side = jaccard.len().max(classes);
    // The library wants whole numbers; an f64 below 1 is one of these over 2^53 within rounding. What is added to make
    // the matrix square is worth nothing.
    let weight = |(class, cluster): (usize, usize)| {
        let value = jaccard.get(cluster).and_then(|row| row.get(class)).copied().unwrap_or(0.0);
        (value * 52_f64.exp2()).round() as i64
    };
    let (_, matched) = kuhn_munkres(&Matrix::from_fn(side, side, weight));
    let mut order: Vec<usize> = matched[..classes].iter().copied().filter(|&c| c < jaccard.len()).collect();
    let rest: Vec<usize> = (0..jaccard.len()).filter(|cluster| !order.contains(cluster)).collect();
    order.extend(rest);
    order
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn of(pairs: &[(usize, usize)]) -> Contingency {
        Contingency::count(pairs.iter().copied(), 3, 3)
    }

    #[test]
    fn indices_are_those_of_scikit_learn() {
        #[derive(Deserialize)]
        struct Recorded {
            agreement: Vec<Case>,
        }
        #[derive(Deserialize)]
        struct Case {
            classes: usize,
            clusters: usize,
            label: Vec<usize>,
            cluster: Vec<usize>,
            ari: f64,
            nmi: f64,
            jaccard: Vec<Vec<f64>>,
            matched: f64,
        }
        let recorded: Recorded =
            serde_json::from_str(include_str!("../../tests/data/lab/expected.json")).unwrap();
        assert_eq!(recorded.agreement.len(), 5);
        for case in recorded.agreement {
            let pairs = case.cluster.iter().copied().zip(case.label.iter().copied());
            let table = Contingency::count(pairs, case.clusters, case.classes);
            assert!((table.adjusted_rand() - case.ari).abs() < 1e-12);
            assert!((table.normalised_mutual_information() - case.nmi).abs() < 1e-12);
            let jaccard = table.jaccard();
            let differences = jaccard.iter().flatten().zip(case.jaccard.iter().flatten());
            assert!(differences.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));
            let order = hungarian_order(&jaccard);
            assert_eq!(order.len(), case.clusters);
            if case.clusters >= case.classes {
                let matched: f64 = (0..case.classes).map(|class| jaccard[order[class]][class]).sum();
                assert!((matched - case.matched).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn equal_partitions_agree_whatever_clusters_are_called() {
        let table = of(&[(2, 0), (2, 0), (0, 1), (0, 1), (1, 2), (1, 2)]);
        assert_eq!((table.adjusted_rand(), table.normalised_mutual_information()), (1.0, 1.0));
        assert_eq!(hungarian_order(&table.jaccard()), [2, 0, 1]);
    }

    #[test]
    fn one_cluster_tells_nothing_and_no_row_is_no_trouble() {
        let table = of(&[(0, 0), (0, 1), (0, 2)]);
        assert_eq!((table.adjusted_rand(), table.normalised_mutual_information()), (0.0, 0.0));
        assert_eq!(of(&[]).adjusted_rand(), 1.0);
        assert_eq!(of(&[]).jaccard(), vec![vec![0.0; 3]; 3]);
    }
}
