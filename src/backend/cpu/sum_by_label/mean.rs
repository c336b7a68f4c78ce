//! The quotient of two integers as the nearest f32.

/// The f32 nearest to `sum / mass · 2^exponent`, ties to even, subnormal results included; `mass > 0`.
///
/// Long division in integers: nothing is rounded before the end, so that the mean depends on the exact sums alone.
pub(super) fn nearest_quotient(sum: i128, mass: u64, exponent: i32) -> f32 {
    if sum == 0 {
        return 0.0;
    }
    if let Some(quotient) = in_f64(sum, mass, exponent) {
        return quotient;
    }
    let magnitude = sum.unsigned_abs();
    let shift = magnitude.leading_zeros();
    let (numerator, denominator) = (magnitude << shift, u128::from(mass));
    // At least 2⁶³, as the numerator is at least 2¹²⁷ and the mass below 2⁶⁴: more bits than an f32 and its guard need.
    let quotient = numerator / denominator;
    let value = round_to_f32(quotient, numerator % denominator != 0, exponent - shift.cast_signed());
    if sum < 0 { -value } else { value }
}

/// The same by a division in f64, where its error cannot reach the next f32: nearly always, and twenty times as fast.
///
/// Sum and mass are rounded to f64 and divided: three roundings, so the quotient is off by less than `2⁻⁵¹` of itself. If
/// both ends of that interval round to the same f32, so does the exact quotient, rounding being monotone.
fn in_f64(sum: i128, mass: u64, exponent: i32) -> Option<f32> {
    // Beyond this f32 results may be subnormal or infinite, and so may what is multiplied here.
    if !(-700..=700).contains(&exponent) {
        return None;
    }
    let quotient = i64::try_from(sum).ok()? as f64 / mass as f64 * super::fixed_point::power_of_two(exponent);
    let error = quotient.abs() * 2f64.powi(-50);
    let (low, high) = ((quotient - error) as f32, (quotient + error) as f32);
    (low == high && low.is_normal()).then_some(low)
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
