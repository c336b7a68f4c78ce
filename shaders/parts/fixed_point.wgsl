// Values as 64-bit fixed-point integers, exactly: a value is taken apart into mantissa and exponent and shifted as an integer, so
// neither the rounding of a multiplication nor a driver that flushes subnormals can change a bit.
//
// Of the kernel it joins it takes the part whole, and the override BITS, the bits between word 0 and word 1.

// magnitude·2^shift rounded half to even, for a magnitude of at most 24 bits.
fn shifted(magnitude: u32, shift: i32) -> vec2<u32> {
    if (shift >= 0) {
        // Exponents of the plan keep the result below 2⁶³; whatever they are, the shifts stay defined.
        let left = u32(min(shift, 63));
        if (left >= 32u) {
            return vec2(0u, magnitude << (left - 32u));
        }
        return vec2(magnitude << left, (magnitude >> 1u) >> (31u - left));
    }
    if (shift < -24) {
        return vec2(0u);
    }
    let right = u32(-shift);
    let kept = magnitude >> right;
    let rest = magnitude & ((1u << right) - 1u);
    let half = 1u << (right - 1u);
    let up = rest > half || (rest == half && (kept & 1u) == 1u);
    return vec2(kept + u32(up), 0u);
}

// The two words of a value at an exponent: word 0 in xy, word 1 in zw.
fn fixed_point(value: f32, exponent: i32) -> vec4<u32> {
    let apart = taken_apart(value);
    let negative = apart.negative;
    let mantissa = apart.mantissa;
    let shift = apart.power + exponent;
    let word = shifted(mantissa, shift);
    if (shift >= 0) {
        return vec4(signed(word, negative), 0u, 0u);
    }
    // What rounding left, in units of the mantissa's last bit; a word of up to 2²⁴ fits its low half.
    let taken = select(0u, word.x << u32(-shift), shift >= -24);
    let over = taken > mantissa;
    let left = select(mantissa - taken, taken - mantissa, over);
    return vec4(signed(word, negative), signed(shifted(left, shift + i32(BITS)), negative != over));
}

// Distances beyond what was planned count as 2^BITS units, the most there is room for.
fn planned(distance: f32, exponent: i32) -> f32 {
    // The bits of 2^(BITS - exponent); as bits, numbers that are not negative are ordered as they are.
    let most = min(u32(clamp(i32(BITS) - exponent, -126, 128) + 127) << 23u, 0x7f7fffffu);
    return bitcast<f32>(min(bitcast<u32>(distance), most));
}

