//! The sums of products that `multiply_rows` and `sum_products` are made of: eight values with each of four, over a run of them.

/// Values that lie side by side in the lanes of vectors.
pub(super) const LANES: usize = 8;
/// Values that each of them is multiplied by: the sums of all fit the registers.
pub(super) const OTHERS: usize = 4;

/// `Σ x[lane]·v[other]` in the order of the run. Lanes do not mix, so the bits are equal on every instruction set.
///
/// Turning rows around first, so that these lie in lanes, was 2.5 times as fast as lanes along the columns of a row (AVX2, 128
/// columns, 16 outputs), which must be added up at the end.
#[inline(always)]
pub(super) fn products(x: &[[f64; LANES]], v: &[[f64; OTHERS]]) -> [[f64; LANES]; OTHERS] {
    let mut sums = [[0.0; LANES]; OTHERS];
    for (x, v) in x.iter().zip(v) {
        for other in 0..OTHERS {
            for lane in 0..LANES {
                sums[other][lane] += x[lane] * v[other];
            }
        }
    }
    sums
}

/// The first values of `to` are those of `from`, the others 0.
#[inline(always)]
pub(super) fn widen(from: &[f32], to: &mut [f64]) {
    let (first, rest) = to.split_at_mut(from.len().min(to.len()));
    first.iter_mut().zip(from).for_each(|(to, from)| *to = f64::from(*from));
    rest.fill(0.0);
}
