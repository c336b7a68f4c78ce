// A row of few columns in the registers of a thread, and its distance to a centroid in the tile. The quads are written out because a
// loop over them would index registers dynamically, which drivers answer with slow private memory.
//
// Of the kernel it joins it takes `points`, `tile`, and the overrides DIMENSIONS, QUADS and CITYBLOCK.

struct Row {
    q0: vec4<f32>, q1: vec4<f32>, q2: vec4<f32>, q3: vec4<f32>,
    q4: vec4<f32>, q5: vec4<f32>, q6: vec4<f32>, q7: vec4<f32>,
}

fn point(row: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return points[row * DIMENSIONS + column];
}

fn point_quad(row: u32, column: u32) -> vec4<f32> {
    return vec4(point(row, column), point(row, column + 1u), point(row, column + 2u), point(row, column + 3u));
}

fn load_row(row: u32) -> Row {
    return Row(
        point_quad(row, 0u), point_quad(row, 4u), point_quad(row, 8u), point_quad(row, 12u),
        point_quad(row, 16u), point_quad(row, 20u), point_quad(row, 24u), point_quad(row, 28u),
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
