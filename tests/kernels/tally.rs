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

/// One workgroup gives what the three kernels give that it stands for.
#[test]
fn few_sums_have_the_bits_of_many() {
    on_every_adapter(|device| {
        for (k, d) in [(1, 1), (8, 3), (64, 16), (30, 31)] {
            let (cells, totals) = (k * d + k + 3, k * d + k);
            let mut noise = Noise((k + d) as u64);
            // Sums and changes of 40 bits, and masses, lengths and moves that are not negative.
            let mut integers = |bits: u32| (noise.bits() >> (64 - bits)) as i64;
            let mut all = || -> Vec<i64> {
                (0..cells).map(|cell| if cell < k * d { integers(41) - (1 << 40) } else { integers(20) }).collect()
            };
            let (changes, sums) = (all(), all());
            let mut exponents = vec![40_i32; d + 2];
            exponents[d + 1] = 30;
            let launch = |stem| {
                Launch::new(device, stem)
                    .constant("CLUSTERS", k as u32)
                    .constant("DIMENSIONS", d as u32)
                    .constant("BITS", 42)
                    .constant("TOTALS", totals as u32)
                    .bind("changes", &changes)
                    .bind("sums", &sums)
                    .bind("partials", &vec![-1_i64; cells])
                    .bind("exponents", &exponents)
                    .bind("centroids", &Noise(7).values(k * d))
                    .bind("around", &vec![0_u32; 4 * k])
            };
            let few = launch("tally_few");
            few.run(1);
            let many = launch("tally");
            let tally = many.clone().kernel("tally").constant("TOTALS", totals as u32);
            tally.run(cells.div_ceil(64));
            let around = many.clone().kernel("inertia_around").constant("CLUSTERS", k as u32);
            let around = around.constant("DIMENSIONS", d as u32).constant("BITS", 42);
            around.run(k);
            let total = many.clone().kernel("inertia_total").constant("CLUSTERS", k as u32);
            total.constant("BITS", 42).constant("TOTALS", totals as u32).run(1);
            for name in ["sums", "partials"] {
                assert_eq!(few.read::<i64>(name), many.read::<i64>(name), "{k} × {d}: {name}");
            }
        }
    });
}
