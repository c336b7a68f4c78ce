// What half precision leaves out of values, found from the bits of the halves.
//
// `unpack2x16float` would not do: a compiler that sees it undo `pack2x16float` may leave out both (one does, on NVIDIA), and
// with them the rounding that is to be measured. By its bits a half is 2¹¹² times the f32 whose exponent and fraction it has.
// Halves below 2⁻¹⁴ may be lost on that way, and so may they in matrix units: `unseen` covers them.
//
// Of the kernel it joins it takes the override SCALE.

fn of_half(bits: u32) -> f32 {
    let magnitude = bitcast<f32>((bits & 0x7fffu) << 13u) * 0x1p+112;
    return select(magnitude, -magnitude, (bits & 0x8000u) != 0u);
}

// Values, less what two halves of a word say of SCALE times them.
fn rest_of(values: vec2<f32>, halves: u32) -> vec2<f32> {
    return values - vec2(of_half(halves & 0xffffu), of_half(halves >> 16u)) / SCALE;
}

// The length that halves of so many columns may lose by being small, twice: as they are read here, and as the units read them.
fn unseen(columns: u32) -> f32 {
    return 2.0 * sqrt(f32(columns)) * 0x1p-14 / SCALE;
}
