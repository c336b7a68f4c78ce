// An upper bound on the root of a sum of squares of DIMENSIONS values that were rounded: added by so many threads, each its own, and
// then together. What is flushed to zero leaves out 2⁻⁶³ a column at most.
//
// Of the kernel it joins it takes the override DIMENSIONS.

fn root_above(sum: f32, threads: u32) -> f32 {
    let roundings = f32(DIMENSIONS / threads + threads + 8u) * 0x1p-24;
    return sqrt(sum) * (1.0 + roundings + 0x1p-20) + sqrt(f32(DIMENSIONS)) * 0x1p-62;
}
