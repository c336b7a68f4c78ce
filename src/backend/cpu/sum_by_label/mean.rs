//! The quotient of two integers as the nearest f32.

/// The f32 nearest to `sum / mass · 2^exponent`, ties to even, subnormal results included; `mass > 0`.
///
/// Long division in integers: nothing is rounded before the end, so that the mean depends on the exact sums alone.
pub(super) fn nearest_quotient(sum: i128, mass: u64, exponent: i32) -> f32 {
    if sum == 0 {
        return 0.0;
    }
    let magnitude = sum.unsigned_abs();
    let shift = magnitude.leading_zeros();
    let (numerator, denominator) = (magnitude << shift, u128::from(mass));
    // At least 2⁶³, as the numerator is at least 2¹²⁷ and the mass below 2⁶⁴: more bits than an f32 and its guard need.
    let quotient = numerator / denominator;
    let value = round_to_f32(quotient, numerator % denominator != 0, exponent - shift.cast_signed());
    if sum < 0 { -value } else { value }
}

/// `quotient · 2^exponent` (and a little more, where `inexact`) as the nearest f32; `quotient ≥ 2⁶³`.
fn round_to_f32(quotient: u128, inexact: bool, exponent: i32) -> f32 {
    const FRACTION_BITS: i32 = 23;
    const SMALLEST_EXPONENT: i32 = -149;
    let top = (u128::BITS - 1 - quotient.leading_zeros()).cast_signed();
    let last_place = (exponent + top - FRACTION_BITS).max(SMALLEST_EXPONENT);
    // Bits that fall off: at least 40. Beyond 128 the value is less than half of the smallest f32.
    let dropped = last_place - exponent;
    if dropped > 128 {
        return 0.0;
    }
    let (kept, rest) =
        if dropped == 128 { (0, quotient) } else { (quotient >> dropped, quotient & ((1 << dropped) - 1)) };
    let half = 1u128 << (dropped - 1);
    let up = rest > half || (rest == half && (inexact || kept & 1 == 1));
    // At most 2²⁴ units of an f32's last place: exact in f64, and in f32 unless it is beyond the largest.
    ((kept + u128::from(up)) as f64 * super::fixed_point::power_of_two(last_place)) as f32
}
