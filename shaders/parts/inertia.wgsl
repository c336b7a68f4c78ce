// The two words of the inertia, once it is known what the clusters add to the squared lengths of all rows.
//
// Of the kernel it joins it takes `sums`, `partials`, the part wide, and the overrides BITS and TOTALS, the first of these words, behind
// the sums and the masses.

// A word of the squared lengths: not negative, as that of a sum of rows.
fn length_word(number: u32) -> vec4<u32> {
    let at = 2u * (TOTALS + number);
    return wide_of(vec2(sums[at], sums[at + 1u]));
}

fn write_inertia(around: vec4<u32>) {
    let lengths = wide_add(wide_scaled(length_word(0u), i32(BITS)), length_word(1u));
    var inertia = wide_add(lengths, around);
    if (wide_is_negative(inertia)) {
        inertia = vec4(0u);
    }
    let words = wide_words(inertia);
    partials[2u * TOTALS] = words.x;
    partials[2u * TOTALS + 1u] = words.y;
    partials[2u * TOTALS + 2u] = words.z;
    partials[2u * TOTALS + 3u] = words.w;
}
