//! What an f32 is made of: the twin of `taken_apart` in the part `whole.wgsl`.

/// The integers m and p with |value| = m·2^p, m having at most 24 bits.
pub(super) fn taken_apart(value: f32) -> (u32, i32) {
    let bits = value.to_bits();
    let biased = (bits >> 23) & 0xff;
    let mantissa = (bits & 0x7f_ffff) | if biased > 0 { 0x80_0000 } else { 0 };
    (mantissa, biased.max(1).cast_signed() - 150)
}
