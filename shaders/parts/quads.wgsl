// Four columns at a time of rows and centroids, whose number of columns is a multiple of four: one load where the part columns
// takes four.
//
// Of the kernel it joins it takes the override DIMENSIONS, and bindings 0 and 1 of group 0.

@group(0) @binding(0) var<storage, read> points: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> centroids: array<vec4<f32>>;

fn row_value(at: u32) -> f32 {
    return points[at / 4u][at % 4u];
}

// Of the row whose first value is number `begin`; columns past the end are 0.
fn row_columns(begin: u32, column: u32) -> vec4<f32> {
    if (column >= DIMENSIONS) {
        return vec4(0.0);
    }
    return points[(begin + column) / 4u];
}

fn centroid_columns(begin: u32, column: u32) -> vec4<f32> {
    if (column >= DIMENSIONS) {
        return vec4(0.0);
    }
    return centroids[(begin + column) / 4u];
}
