//! Scores of a clustering against the classes that are known to be true.

use rayon::prelude::*;

use crate::{Error, Result};

/// How many rows each true class and each cluster have in common: what all scores against true labels are computed from.
///
/// Only cells above zero are held, so that a million clusters cost no square of memory. Counts are exact.
///
/// ```
/// use superstep::metrics::Contingency;
///
/// let (truth, predicted) = ([0, 0, 1, 1], [7, 7, 3, 9]);
/// let table = Contingency::new(&truth, &predicted)?;
/// assert_eq!(table.purity(), 1.0);
/// assert_eq!(table.rand_score(), 5.0 / 6.0);
/// # Ok::<(), superstep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contingency {
    /// By true label, then predicted label.
    cells: Vec<((u32, u32), u64)>,
    classes: Vec<(u32, u64)>,
    clusters: Vec<(u32, u64)>,
    rows: u64,
}

impl Contingency {
    /// Counts the pairs of labels of each row; labels may be any numbers.
    ///
    /// # Errors
    /// When there are no labels, or not as many of the one as of the other.
    pub fn new(truth: &[u32], predicted: &[u32]) -> Result<Self> {
        if truth.len() != predicted.len() {
            let message = format!("there are {} for {} true labels", predicted.len(), truth.len());
            return Err(Error::parameter("predicted", message));
        }
        if truth.is_empty() {
            return Err(Error::parameter("truth", "there are no labels; nothing to measure"));
        }
        let pairs = truth.par_iter().copied().zip(predicted.par_iter().copied());
        let cells = tally(pairs.map(|pair| (pair, 1)).collect());
        let classes = tally(cells.iter().map(|((class, _), count)| (*class, *count)).collect());
        let clusters = tally(cells.iter().map(|((_, cluster), count)| (*cluster, *count)).collect());
        Ok(Self { cells, classes, clusters, rows: truth.len() as u64 })
    }

    /// How many rows each pair of a true and a predicted label has: those above zero, in ascending order.
    pub fn cells(&self) -> &[((u32, u32), u64)] {
        &self.cells
    }

    /// The true labels and how many rows each has, in ascending order.
    pub fn classes(&self) -> &[(u32, u64)] {
        &self.classes
    }

    /// The predicted labels and how many rows each has, in ascending order.
    pub fn clusters(&self) -> &[(u32, u64)] {
        &self.clusters
    }

    /// The Rand index: the share of all pairs of rows that both labellings treat alike, as together or as apart; from 0 to
    /// 1 (best).
    ///
    /// Source: Rand, "Objective criteria for the evaluation of clustering methods", Journal of the American Statistical
    /// Association 66 (1971).
    ///
    /// ```
    /// use superstep::metrics::Contingency;
    ///
    /// // Of six pairs, one is together in both and two are apart in both.
    /// assert_eq!(Contingency::new(&[0, 0, 1, 2], &[0, 0, 0, 1])?.rand_score(), 4.0 / 6.0);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    pub fn rand_score(&self) -> f64 {
        let pairs = self.pairs();
        if pairs.agree() {
            return 1.0;
        }
        let alike = pairs.together + pairs.apart;
        alike as f64 / (alike + pairs.only_true + pairs.only_predicted) as f64
    }

    /// The Rand index adjusted for chance: 1 for equal partitions, about 0 for independent ones; from −0.5.
    ///
    /// 2(tp·tn − fn·fp) / ((tp + fn)(fn + tn) + (tp + fp)(fp + tn)), where tp pairs of rows are together in both
    /// labellings, tn apart in both, fn together in truth alone and fp together in the prediction alone. Source: Hubert and
    /// Arabie, "Comparing partitions", Journal of Classification 2 (1985).
    ///
    /// ```
    /// use superstep::metrics::Contingency;
    ///
    /// assert_eq!(Contingency::new(&[0, 0, 1, 1], &[1, 1, 0, 0])?.adjusted_rand_score(), 1.0);
    /// assert_eq!(Contingency::new(&[0, 0, 1, 1], &[0, 1, 0, 1])?.adjusted_rand_score(), -0.5);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    pub fn adjusted_rand_score(&self) -> f64 {
        let pairs = self.pairs();
        if pairs.agree() {
            return 1.0;
        }
        let [together, apart] = [pairs.together, pairs.apart].map(|pairs| pairs as f64);
        let [only_true, only_predicted] = [pairs.only_true, pairs.only_predicted].map(|pairs| pairs as f64);
        let above_chance = 2.0 * (together * apart - only_true * only_predicted);
        above_chance
            / ((together + only_true) * (only_true + apart) + (together + only_predicted) * (only_predicted + apart))
    }

    /// The mutual information of the two labellings, divided by the arithmetic mean of their entropies: from 0
    /// (independent) to 1 (equal partitions).
    ///
    /// With nᵢⱼ rows in class i and cluster j, aᵢ in class i and bⱼ in cluster j, it is
    /// Σᵢⱼ nᵢⱼ/n ln(n nᵢⱼ / (aᵢ bⱼ)) / ½(−Σᵢ aᵢ/n ln aᵢ/n − Σⱼ bⱼ/n ln bⱼ/n); not adjusted for chance. Source: Vinh, Epps
    /// and Bailey, "Information theoretic measures for clusterings comparison", Journal of Machine Learning Research 11
    /// (2010).
    ///
    /// ```
    /// use superstep::metrics::Contingency;
    ///
    /// assert_eq!(Contingency::new(&[0, 0, 1, 1], &[1, 1, 0, 0])?.normalized_mutual_info_score(), 1.0);
    /// assert_eq!(Contingency::new(&[0, 0, 1, 1], &[0, 1, 0, 1])?.normalized_mutual_info_score(), 0.0);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    pub fn normalized_mutual_info_score(&self) -> f64 {
        if self.cells.len() == self.classes.len() && self.cells.len() == self.clusters.len() {
            // Each class is one cluster: the rounding of logarithms must not make it less than 1.
            return 1.0;
        }
        if self.classes.len() == 1 || self.clusters.len() == 1 {
            return 0.0;
        }
        let n = self.rows as f64;
        let terms = self.cells.iter().map(|((class, cluster), count)| {
            let expected = size(&self.classes, *class) * size(&self.clusters, *cluster);
            *count as f64 / n * (n * *count as f64 / expected).ln()
        });
        let information: f64 = terms.sum();
        let entropies = self.entropy(&self.classes) + self.entropy(&self.clusters);
        (information / (entropies / 2.0)).clamp(0.0, 1.0)
    }

    /// The share of rows whose class is the most frequent one of their cluster: above 0, to 1 (best).
    ///
    /// 1/n Σⱼ maxᵢ nᵢⱼ; more clusters never lower it. Source: Manning, Raghavan and Schütze, "Introduction to Information
    /// Retrieval" (2008), section 16.3.
    ///
    /// ```
    /// use superstep::metrics::Contingency;
    ///
    /// assert_eq!(Contingency::new(&[0, 0, 1, 1], &[5, 5, 5, 6])?.purity(), 0.75);
    /// # Ok::<(), superstep::Error>(())
    /// ```
    pub fn purity(&self) -> f64 {
        let mut by_cluster: Vec<(u32, u64)> =
            self.cells.iter().map(|((_, cluster), count)| (*cluster, *count)).collect();
        by_cluster.sort_unstable();
        let clusters = by_cluster.chunk_by(|a, b| a.0 == b.0);
        let greatest = clusters.filter_map(|counts| counts.last()).map(|(_, count)| count);
        greatest.sum::<u64>() as f64 / self.rows as f64
    }

    fn pairs(&self) -> Pairs {
        let together = pairs_within(self.cells.iter().map(|(_, count)| *count));
        let only_true = pairs_within(self.classes.iter().map(|(_, count)| *count)) - together;
        let only_predicted = pairs_within(self.clusters.iter().map(|(_, count)| *count)) - together;
        let apart = pairs_within([self.rows].into_iter()) - together - only_true - only_predicted;
        Pairs { together, apart, only_true, only_predicted }
    }

    /// In nats.
    fn entropy(&self, counts: &[(u32, u64)]) -> f64 {
        let shares = counts.iter().map(|(_, count)| *count as f64 / self.rows as f64);
        -shares.map(|share| share * share.ln()).sum::<f64>()
    }
}

/// Pairs of rows, by whether the two labellings put them together.
struct Pairs {
    together: u128,
    apart: u128,
    only_true: u128,
    only_predicted: u128,
}

impl Pairs {
    /// Whether the two labellings are the same partition.
    fn agree(&self) -> bool {
        self.only_true == 0 && self.only_predicted == 0
    }
}

/// How many pairs of rows lie in one group, over all groups of these sizes.
fn pairs_within(sizes: impl Iterator<Item = u64>) -> u128 {
    sizes.map(|size| u128::from(size) * u128::from(size.saturating_sub(1)) / 2).sum()
}

/// Adds the counts of equal keys; the result is in ascending order of keys.
fn tally<K: Ord + Copy + Send>(mut counts: Vec<(K, u64)>) -> Vec<(K, u64)> {
    counts.par_sort_unstable();
    counts.dedup_by(|next, kept| {
        let equal = next.0 == kept.0;
        if equal {
            kept.1 += next.1;
        }
        equal
    });
    counts
}

/// The count of a label that is among `counts`.
fn size(counts: &[(u32, u64)], label: u32) -> f64 {
    let found = counts.binary_search_by_key(&label, |(other, _)| *other);
    found.map_or(0.0, |index| counts[index].1 as f64)
}
