// Whole numbers of 64 bits, in two's complement, as vec2(low, high); and those that an f32 is made of.

// ±mantissa·2^power, the mantissa having at most 24 bits.
struct Apart {
    negative: bool,
    mantissa: u32,
    power: i32,
}

fn taken_apart(value: f32) -> Apart {
    let bits = bitcast<u32>(value);
    let biased = (bits >> 23u) & 0xffu;
    let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, biased > 0u);
    return Apart((bits >> 31u) == 1u, mantissa, i32(max(biased, 1u)) - 150);
}

fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + u32(low < a.x));
}

fn negate(a: vec2<u32>) -> vec2<u32> {
    return vec2(~a.x + 1u, ~a.y + u32(a.x == 0u));
}

fn signed(magnitude: vec2<u32>, negative: bool) -> vec2<u32> {
    return select(magnitude, negate(magnitude), negative);
}

// a·b, by halves of 16 bits.
fn product_of(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
    return vec2((second << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u));
}
