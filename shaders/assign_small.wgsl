// Nearest centroid of each row, for few dimensions: a thread keeps its rows in registers and every centroid passes by.
//
//   nearest[r]   = argmin over j of D(r, j), the lowest j on ties
//   distances[r] = D(r, nearest[r])
//   D(r, j)      = sum over i of (points[r][i] - centroids[j][i])², or of |points[r][i] - centroids[j][i]|
//
// The difference form loses nothing to cancellation, so rows need not lie near the origin. Columns are added four at
// a time in the lanes of a vector, at most four to a lane before a partial sum is closed. Distances must be finite:
// differences stay below about 1e19.
//
// Joined by the parts columns, small_rows.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   points_shape  (n, d)
//   nearest       n, written
//   distances     n, written: squared, or city block
// Overrides
//   DIMENSIONS    d, 1 to 32
//   CLUSTERS      k
//   CITYBLOCK     whether D is the city block distance
//
// A workgroup of 256 threads takes 512 rows: dispatch ceil(n / 512). A thread owns two rows 256 apart (two share each
// centroid read; a third row spills on some cards, at seven times the cost). Columns are padded with zeros to a
// multiple of four.
// Traffic per row: 4d bytes read, 8 written, and 4·k·d / 512 of centroids. Work: 3·k·d operations.
// Workgroup memory: 8 KiB of centroids. Registers: 2·d for the rows and about 20 more.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override CITYBLOCK: bool = false;

const WORKGROUP: u32 = 256u;
const ROWS: u32 = 2u * WORKGROUP;
const TILE_QUADS: u32 = 512u;
// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;

// Quads of columns of a row, and the centroids that fit the tile.
override QUADS: u32 = (DIMENSIONS + 3u) / 4u;
override TILE: u32 = TILE_QUADS / QUADS;

@group(0) @binding(2) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;

var<workgroup> tile: array<vec4<f32>, TILE_QUADS>;

fn load_tile(first: u32, count: u32, thread: u32) {
    for (var at = thread; at < count * QUADS; at += WORKGROUP) {
        let cluster = first + at / QUADS;
        let column = 4u * (at % QUADS);
        tile[at] = centroid_columns(cluster * DIMENSIONS, column);
    }
}

@compute @workgroup_size(WORKGROUP)
fn assign_small(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let rows = points_shape.x;
    let first_row = (group.x + group.y * groups.x) * ROWS;
    if (first_row >= rows) {
        return;
    }
    let row_a = first_row + thread;
    let row_b = row_a + WORKGROUP;
    // Rows past the end repeat the last one, so that every thread takes part in loading tiles.
    let a = load_row(min(row_a, rows - 1u));
    let b = load_row(min(row_b, rows - 1u));

    var best_a = FARTHEST;
    var best_b = FARTHEST;
    var label_a = 0u;
    var label_b = 0u;
    for (var first = 0u; first < CLUSTERS; first += TILE) {
        let count = min(TILE, CLUSTERS - first);
        workgroupBarrier();
        load_tile(first, count, thread);
        workgroupBarrier();
        for (var j = 0u; j < count; j++) {
            let to_a = distance_to(a, j * QUADS);
            let to_b = distance_to(b, j * QUADS);
            if (to_a < best_a) {
                best_a = to_a;
                label_a = first + j;
            }
            if (to_b < best_b) {
                best_b = to_b;
                label_b = first + j;
            }
        }
    }

    if (row_a < rows) {
        nearest[row_a] = label_a;
        distances[row_a] = best_a;
    }
    if (row_b < rows) {
        nearest[row_b] = label_b;
        distances[row_b] = best_b;
    }
}
