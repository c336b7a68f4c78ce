//! Random numbers that depend on where they are used, and on nothing else.

/// The counter-based generator Philox4x32-10.
///
/// A draw is a function of the seed, a stream, a row and a number of the draw: it does not matter which thread, partition
/// or device asks, or in which order. Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011; checked against the known answers of Random123.
///
/// ```
/// use superstep::data::Philox;
///
/// let philox = Philox::new(7);
/// assert_eq!(philox.uniform(0, 12, 0), Philox::new(7).uniform(0, 12, 0));
/// assert!(philox.below(0, 12, 1, 6) < 6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

impl Philox {
    /// A generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32] }
    }

    /// 128 random bits of a stream, a row and a draw.
    pub fn at(&self, stream: u32, row: u64, draw: u32) -> [u32; 4] {
        let mut counter = [row as u32, (row >> 32) as u32, draw, stream];
        let mut key = self.key;
        for _ in 0..10 {
            counter = round(counter, key);
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        counter
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn uniform(&self, stream: u32, row: u64, draw: u32) -> f64 {
        let bits = word(self.at(stream, row, draw)) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// A number below `bound`, each with the same probability to within 2⁻⁶⁴; 0 for a bound of 0.
    pub fn below(&self, stream: u32, row: u64, draw: u32, bound: u64) -> u64 {
        let [a, b, c, d] = self.at(stream, row, draw).map(u128::from);
        // The high part of a 128-bit number times the bound: its bias is bound · 2⁻¹²⁸.
        let (high, low) = (a | b << 32, c | d << 32);
        ((high * u128::from(bound) + ((low * u128::from(bound)) >> 64)) >> 64) as u64
    }
}

fn word(bits: [u32; 4]) -> u64 {
    u64::from(bits[0]) | u64::from(bits[1]) << 32
}

fn round(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let first = u64::from(counter[0]) * 0xd251_1f53;
    let second = u64::from(counter[2]) * 0xcd9e_8d57;
    let (high, low) = (|product: u64| (product >> 32) as u32, |product: u64| product as u32);
    [high(second) ^ counter[1] ^ key[0], low(second), high(first) ^ counter[3] ^ key[1], low(first)]
}

#[cfg(test)]
mod tests {
    use super::Philox;

    #[test]
    fn philox_gives_the_known_answers() {
        // counter, key, answer: from the file kat_vectors of Random123.
        let cases: [([u32; 4], u64, [u32; 4]); 3] = [
            ([0; 4], 0, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], u64::MAX, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                0x299f_31d0_a409_3822,
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, seed, answer) in cases {
            let row = u64::from(counter[0]) | u64::from(counter[1]) << 32;
            assert_eq!(Philox::new(seed).at(counter[3], row, counter[2]), answer);
        }
    }
}
