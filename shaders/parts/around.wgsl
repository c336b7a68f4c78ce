// What a value of a centroid adds to the inertia around it: see `inertia_around`.
//
// Of the kernel it joins it takes `sums`, `exponents`, `centroids`, the part wide, and the overrides DIMENSIONS and BITS.

fn integer(cell: u32) -> vec4<u32> {
    return wide_of(vec2(sums[2u * cell], sums[2u * cell + 1u]));
}

// c·(m·c - 2·S), c being ±mantissa·2^power, in units of the inertia's second word.
fn term(mass: vec4<u32>, cell: u32, column: u32) -> vec4<u32> {
    let bits = bitcast<u32>(centroids[cell]);
    let negative = (bits >> 31u) == 1u;
    let biased = (bits >> 23u) & 0xffu;
    let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, biased > 0u);
    let power = i32(max(biased, 1u)) - 150;
    let exponent = exponents[column];
    // In units of S.
    let product = wide_signed(wide_scaled(wide_times(mass, mantissa), power + exponent), negative);
    let sum = integer(cell);
    let difference = wide_add(product, wide_negate(wide_add(sum, sum)));
    let value = wide_times(wide_magnitude(difference), mantissa);
    let scaled = wide_scaled(value, power - exponent + exponents[DIMENSIONS + 1u] + i32(BITS));
    return wide_signed(scaled, negative != wide_is_negative(difference));
}
