// Integers of 128 bits in two's complement: vec4, the lowest word first.
//
// Of the kernel it joins it takes the part whole, and the override BITS, the bits between two words of 64 bits.

fn wide_add(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let x = a.x + b.x;
    let y = a.y + b.y;
    let z = a.z + b.z;
    let y_sum = y + u32(x < a.x);
    let y_carry = u32(y < a.y) + u32(y_sum < y);
    let z_sum = z + y_carry;
    let z_carry = u32(z < a.z) + u32(z_sum < z);
    return vec4(x, y_sum, z_sum, a.w + b.w + z_carry);
}

fn wide_negate(a: vec4<u32>) -> vec4<u32> {
    return wide_add(~a, vec4(1u, 0u, 0u, 0u));
}

fn wide_is_negative(a: vec4<u32>) -> bool {
    return (a.w >> 31u) == 1u;
}

fn wide_magnitude(a: vec4<u32>) -> vec4<u32> {
    return select(a, wide_negate(a), wide_is_negative(a));
}

fn wide_signed(magnitude: vec4<u32>, negative: bool) -> vec4<u32> {
    return select(magnitude, wide_negate(magnitude), negative);
}

// One of 64 bits.
fn wide_of(a: vec2<u32>) -> vec4<u32> {
    let sign = 0u - (a.y >> 31u);
    return vec4(a, sign, sign);
}

// a·2^shift for a that is not negative: what falls below the point is cut off, what leaves 128 bits is lost.
fn wide_scaled(a: vec4<u32>, shift: i32) -> vec4<u32> {
    let by = u32(abs(shift));
    if (by > 127u) {
        return vec4(0u);
    }
    let bits = by % 32u;
    var words = a;
    if (shift >= 0) {
        for (var skipped = by / 32u; skipped > 0u; skipped--) {
            words = vec4(0u, words.xyz);
        }
        let below = vec4(0u, words.xyz);
        return (words << vec4(bits)) | ((below >> vec4(1u)) >> vec4(31u - bits));
    }
    for (var skipped = by / 32u; skipped > 0u; skipped--) {
        words = vec4(words.yzw, 0u);
    }
    let above = vec4(words.yzw, 0u);
    return (words >> vec4(bits)) | ((above << vec4(1u)) << vec4(31u - bits));
}

// a·b for a that is not negative, modulo 2¹²⁸.
fn wide_times(a: vec4<u32>, b: u32) -> vec4<u32> {
    let x = product_of(a.x, b);
    let y = product_of(a.y, b);
    let z = product_of(a.z, b);
    let even = vec4(x, z);
    return wide_add(even, vec4(0u, y, a.w * b));
}

// The two words of one that is not negative: what is whole at 2^BITS in xy, the rest in zw.
fn wide_words(a: vec4<u32>) -> vec4<u32> {
    let whole = wide_scaled(a, -i32(BITS));
    let rest = wide_add(a, wide_negate(wide_scaled(whole, i32(BITS))));
    return vec4(whole.xy, rest.xy);
}
