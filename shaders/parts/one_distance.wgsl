// The squared distance of a row to a centroid by one thread, sixteen columns at a time as `assign_exact` sums them.
//
// Of the kernel it joins it takes `points`, `centroids` and the override DIMENSIONS.

const COLUMNS: u32 = 16u;

fn distance_to(row: u32, cluster: u32) -> f32 {
    var total = 0.0;
    for (var first = 0u; first < DIMENSIONS; first += COLUMNS) {
        var part = 0.0;
        for (var column = first; column < min(first + COLUMNS, DIMENSIONS); column++) {
            let difference = points[row * DIMENSIONS + column] - centroids[cluster * DIMENSIONS + column];
            part += difference * difference;
        }
        total += part;
    }
    return total;
}
