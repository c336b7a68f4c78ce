// What a value of a centroid adds to the inertia around it: see `inertia_around`.
//
// Of the kernel it joins it takes `sums`, `exponents`, `centroids`, the parts whole and wide, and the overrides DIMENSIONS and BITS.

fn integer(cell: u32) -> vec4<u32> {
    return wide_of(vec2(sums[2u * cell], sums[2u * cell + 1u]));
}

// c·(m·c - 2·S), c being ±mantissa·2^power, in units of the inertia's second word.
fn term(mass: vec4<u32>, cell: u32, column: u32) -> vec4<u32> {
    let c = taken_apart(centroids[cell]);
    let exponent = exponents[column];
    // In units of S.
    let product = wide_signed(wide_scaled(wide_times(mass, c.mantissa), c.power + exponent), c.negative);
    let sum = integer(cell);
    let difference = wide_add(product, wide_negate(wide_add(sum, sum)));
    let value = wide_times(wide_magnitude(difference), c.mantissa);
    let scaled = wide_scaled(value, c.power - exponent + exponents[DIMENSIONS + 1u] + i32(BITS));
    return wide_signed(scaled, c.negative != wide_is_negative(difference));
}
