//! Rows in an order at random, each of which is found on its own.

use super::random::Philox;

/// Rounds of the network: four make it hard to tell from chance, and small tables take some more.
const ROUNDS: u32 = 6;

/// A random order of rows for each pass over them, in which every row comes once. No order is ever kept: which row stands at a place
/// is computed, from the seed, the pass and the place.
///
/// A Feistel network with [`Philox`] for its round function permutes the numbers below a power of four that is not below the number of
/// rows; a place whose number is too large is sent through again until one is small enough. Sources: M. Luby and C. Rackoff, *How to
/// construct pseudorandom permutations from pseudorandom functions*, SIAM J. Comput. 17 (1988); J. Black and P. Rogaway,
/// *Ciphers with arbitrary finite domains*, CT-RSA 2002.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shuffle {
    philox: Philox,
    stream: u32,
    rows: u64,
    /// The bits of each half of a number.
    half: u32,
}

impl Shuffle {
    /// Orders of so many rows, by a stream of draws of a seed.
    pub(crate) fn new(seed: u64, stream: u32, rows: u64) -> Self {
        let bits = u64::BITS - rows.saturating_sub(1).leading_zeros();
        Self { philox: Philox::new(seed), stream, rows, half: bits.div_ceil(2).clamp(1, 32) }
    }

    /// The row at a place of a pass's order; both are below the number of rows.
    pub(crate) fn row(&self, pass: u32, place: u64) -> u64 {
        if place >= self.rows {
            return place;
        }
        // The network is one to one, so that what is sent through again comes back below the number of rows at the latest at `place`.
        let mut at = self.permuted(pass, place);
        while at >= self.rows {
            at = self.permuted(pass, at);
        }
        at
    }

    fn permuted(&self, pass: u32, number: u64) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for round in 0..ROUNDS {
            let [drawn, ..] = self.philox.at(self.stream, u64::from(pass) << 32 | right, round);
            (left, right) = (right, left ^ (u64::from(drawn) & mask));
        }
        left << self.half | right
    }
}

#[cfg(test)]
mod tests {
    use super::Shuffle;

    #[test]
    fn every_row_comes_once_in_each_pass_and_elsewhere_in_another() {
        for rows in [1, 2, 3, 4, 5, 16, 17, 100, 4097] {
            let order = |seed: u64, pass: u32| -> Vec<u64> {
                let shuffle = Shuffle::new(seed, 3, rows);
                (0..rows).map(|place| shuffle.row(pass, place)).collect()
            };
            for pass in 0..4 {
                let mut sorted = order(7, pass);
                sorted.sort_unstable();
                assert_eq!(sorted, (0..rows).collect::<Vec<_>>(), "{rows} rows, pass {pass}");
            }
            assert_eq!(order(7, 1), order(7, 1));
            if rows > 16 {
                assert!(order(7, 0) != order(7, 1) && order(7, 0) != order(8, 0), "{rows} rows");
            }
        }
    }

    /// Of four rows each order comes as often as any other, within what chance allows.
    #[test]
    fn orders_are_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        let passes = 24_000;
        for pass in 0..passes {
            let shuffle = Shuffle::new(1, 9, 4);
            let order: Vec<u64> = (0..4).map(|place| shuffle.row(pass, place)).collect();
            *counts.entry(order).or_insert(0_u32) += 1;
        }
        // A thousand each, with a deviation of 31.
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn large_tables_stay_within_their_rows() {
        for rows in [u64::MAX, 1 << 40, (1 << 33) + 1] {
            let shuffle = Shuffle::new(5, 1, rows);
            assert!((0..100).all(|place| shuffle.row(0, rows - 1 - place) < rows), "{rows}");
        }
    }
}
