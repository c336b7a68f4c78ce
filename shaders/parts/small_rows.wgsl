// A row of few columns in the registers of a thread, and its distance to a centroid in the tile. The quads are written out because a
// loop over them would index registers dynamically, which drivers answer with slow private memory.
//
// Of the kernel it joins it takes the part columns, `tile`, and the overrides DIMENSIONS, QUADS and CITYBLOCK.

struct Row {
    q0: vec4<f32>, q1: vec4<f32>, q2: vec4<f32>, q3: vec4<f32>,
    q4: vec4<f32>, q5: vec4<f32>, q6: vec4<f32>, q7: vec4<f32>,
}

fn load_row(row: u32) -> Row {
    let begin = row * DIMENSIONS;
    return Row(
        row_columns(begin, 0u), row_columns(begin, 4u), row_columns(begin, 8u), row_columns(begin, 12u),
        row_columns(begin, 16u), row_columns(begin, 20u), row_columns(begin, 24u), row_columns(begin, 28u),
    );
}

fn term(x: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    let difference = x - c;
    if (CITYBLOCK) {
        return abs(difference);
    }
    return difference * difference;
}

fn lanes(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

// The distance of a row to the centroid whose quads begin at `at` of the tile. The conditions are constants.
fn distance_to(row: Row, at: u32) -> f32 {
    var head = term(row.q0, tile[at]);
    if (QUADS > 1u) { head += term(row.q1, tile[at + 1u]); }
    if (QUADS > 2u) { head += term(row.q2, tile[at + 2u]); }
    if (QUADS > 3u) { head += term(row.q3, tile[at + 3u]); }
    var total = lanes(head);
    if (QUADS > 4u) {
        var tail = term(row.q4, tile[at + 4u]);
        if (QUADS > 5u) { tail += term(row.q5, tile[at + 5u]); }
        if (QUADS > 6u) { tail += term(row.q6, tile[at + 6u]); }
        if (QUADS > 7u) { tail += term(row.q7, tile[at + 7u]); }
        total += lanes(tail);
    }
    return total;
}

// The product of a row and the centroid whose quads begin at `at` of the tile.
fn product_with(row: Row, at: u32) -> f32 {
    var lane = row.q0 * tile[at];
    if (QUADS > 1u) { lane = fma(row.q1, tile[at + 1u], lane); }
    if (QUADS > 2u) { lane = fma(row.q2, tile[at + 2u], lane); }
    if (QUADS > 3u) { lane = fma(row.q3, tile[at + 3u], lane); }
    if (QUADS > 4u) { lane = fma(row.q4, tile[at + 4u], lane); }
    if (QUADS > 5u) { lane = fma(row.q5, tile[at + 5u], lane); }
    if (QUADS > 6u) { lane = fma(row.q6, tile[at + 6u], lane); }
    if (QUADS > 7u) { lane = fma(row.q7, tile[at + 7u], lane); }
    return lanes(lane);
}

// The squared length of that centroid, and of a row.
fn squared_length(at: u32) -> f32 {
    var total = 0.0;
    for (var quad = 0u; quad < QUADS; quad++) {
        total += lanes(tile[at + quad] * tile[at + quad]);
    }
    return total;
}

fn row_squared_length(row: Row) -> f32 {
    // What a row has no columns for is zero.
    let head = row.q0 * row.q0 + row.q1 * row.q1 + row.q2 * row.q2 + row.q3 * row.q3;
    return lanes(head + row.q4 * row.q4 + row.q5 * row.q5 + row.q6 * row.q6 + row.q7 * row.q7);
}
