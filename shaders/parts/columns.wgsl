// Four columns at a time of rows and centroids, whose number of columns is any: see the part quads for multiples of four.
//
// Of the kernel it joins it takes the override DIMENSIONS, and bindings 0 and 1 of group 0.

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> centroids: array<f32>;

fn row_value(at: u32) -> f32 {
    return points[at];
}

fn row_value_or_0(begin: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return points[begin + column];
}

fn centroid_value_or_0(begin: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return centroids[begin + column];
}

// Of the row whose first value is number `begin`; columns past the end are 0.
fn row_columns(begin: u32, column: u32) -> vec4<f32> {
    let at = begin + column;
    if (column + 4u <= DIMENSIONS) {
        return vec4(points[at], points[at + 1u], points[at + 2u], points[at + 3u]);
    }
    return vec4(
        row_value_or_0(begin, column), row_value_or_0(begin, column + 1u), row_value_or_0(begin, column + 2u), 0.0,
    );
}

fn centroid_columns(begin: u32, column: u32) -> vec4<f32> {
    let at = begin + column;
    if (column + 4u <= DIMENSIONS) {
        return vec4(centroids[at], centroids[at + 1u], centroids[at + 2u], centroids[at + 3u]);
    }
    return vec4(
        centroid_value_or_0(begin, column), centroid_value_or_0(begin, column + 1u),
        centroid_value_or_0(begin, column + 2u), 0.0,
    );
}
