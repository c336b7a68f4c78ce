//! Sums brought up to date.

use crate::launch::{Launch, on_every_adapter};
use crate::oracle::Noise;

#[test]
fn adds_changes_to_sums_and_takes_totals_as_they_are() {
    on_every_adapter(|device| {
        for (cells, totals) in [(5, 2), (64, 61), (65, 62), (1000, 997)] {
            let mut noise = Noise(cells as u64);
            let mut integers = || (0..cells).map(|_| noise.bits() as i64).collect::<Vec<i64>>();
            let (changes, sums) = (integers(), integers());
            let launch = Launch::new(device, "tally")
                .constant("TOTALS", totals as u32)
                .bind("changes", &changes)
                .bind("sums", &sums)
                .bind("partials", &vec![-1_i64; cells]);
            launch.run(cells.div_ceil(64));
            let expected: Vec<i64> = sums.iter().zip(&changes).map(|(sum, change)| sum.wrapping_add(*change)).collect();
            assert_eq!(launch.read::<i64>("sums"), expected);
            let partials = launch.read::<i64>("partials");
            assert_eq!((&partials[..totals], &partials[totals..]), (&expected[..totals], &changes[totals..]));
        }
    });
}
