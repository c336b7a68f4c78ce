// Nearest centroid of each row, or of the rows of a list, by the distance itself, for any number of dimensions: tiles of
// rows against tiles of centroids, a block of pairs in the registers of each thread, and a running minimum, so that no
// n × k matrix is ever stored. `assign_tiled` is faster and leaves to this kernel what it cannot tell apart.
//
//   nearest[r]   = argmin over j of D(r, j), the lowest j on ties
//   distances[r] = D(r, nearest[r])
//   D(r, j)      = sum over i of (points[r][i] - centroids[j][i])², or of |points[r][i] - centroids[j][i]|
//
// The difference form loses nothing to cancellation, so rows need not lie near the origin. Sixteen columns are summed
// before they join the total (blocked summation), so the rounding error grows with 16 + d/16 rather than with d.
// Distances must be finite: differences stay below about 1e19 / sqrt(d).
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   centroids     k × d, row-major
//   nearest       n, written
//   distances     n, written: squared, or city block
//   undecided     3·n: first the rows to take, where LISTED
//   counts        5 + G: the second is how many these are
//   parts         FEW × CHUNKS × 2 words: of each row of a short list and each chunk of the centroids a distance (its bits) and a label,
//                 of which `decide_rows` takes the nearest
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k
//   CITYBLOCK     whether D is the city block distance
//   LISTED        whether only the rows of the list are taken
//   FEW           a list of so many rows or fewer is short: `parts` are written in place of `nearest` and `distances`, so that a device
//                 has enough to do at once
//   CHUNK, CHUNKS centroids in a chunk, a multiple of 64, and how many chunks these are
//
// A workgroup of 16 × 16 threads takes 64 rows and all centroids or, of a short list, one chunk; then others of the same: dispatch any
// number. It walks tiles of 64 centroids and, inside, of 16 columns. A thread owns 4 rows × 4 centroids of a tile: 8 values read from workgroup memory for 16 pairs. The
// threads of a row of the grid share their four rows and meet at the end, lowest label on ties.
// Rows, columns and centroids past the end are not special: a column adds zero, a row is not written, a centroid
// repeats the last one under its label.
// Traffic per row: 4d bytes read per 64 centroids, 8 written, and 4·k·d / 64 of centroids. Work: 3·k·d operations.
// Workgroup memory: 12.5 KiB. Registers: 32 sums, 8 for the minimum, 8 operands, 16 of the next two tiles.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override CITYBLOCK: bool = false;
override LISTED: bool = false;
override FEW: u32 = 0u;
override CHUNK: u32 = CLUSTERS;
override CHUNKS: u32 = 1u;

const SIDE: u32 = 16u;             // threads along each side of the grid
const BLOCK: u32 = 4u;             // rows and centroids a thread owns: the lanes of a vector
const TILE: u32 = SIDE * BLOCK;    // rows and centroids of a tile
const COLUMNS: u32 = 16u;          // columns of a tile; loading needs COLUMNS = SIDE
const STRIDE: u32 = SIDE + 1u;     // quads from one column to the next: one more than needed keeps banks apart
// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> centroids: array<f32>;
@group(0) @binding(3) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(4) var<storage, read_write> distances: array<f32>;
@group(0) @binding(5) var<storage, read> undecided: array<u32>;
@group(0) @binding(6) var<storage, read> counts: array<u32>;

@group(0) @binding(7) var<storage, read_write> parts: array<u32>;

// Column-major quads: lane l of quad q of a column is row (or centroid) 4q + l of the tile.
var<workgroup> row_tile: array<vec4<f32>, COLUMNS * STRIDE>;
var<workgroup> centroid_tile: array<vec4<f32>, COLUMNS * STRIDE>;
// The label that each thread found for each of its four rows; its distance takes the place of the row tile.
var<workgroup> labels_found: array<vec4<u32>, SIDE * SIDE>;

// The row at a place of the list, or of the table.
fn row_at(place: u32) -> u32 {
    if (LISTED) {
        return undecided[place];
    }
    return place;
}

// Where four rows begin; the last one stands for those past the end.
fn begins_at(first: u32, last: u32) -> vec4<u32> {
    return DIMENSIONS * vec4(
        row_at(min(first, last)), row_at(min(first + 1u, last)), row_at(min(first + 2u, last)), row_at(min(first + 3u, last)),
    );
}

fn row_quad(begins: vec4<u32>, column: u32) -> vec4<f32> {
    if (column >= DIMENSIONS) {
        return vec4(0.0);
    }
    return vec4(
        points[begins.x + column], points[begins.y + column], points[begins.z + column], points[begins.w + column],
    );
}

fn centroid_quad(first: u32, column: u32) -> vec4<f32> {
    if (column >= DIMENSIONS) {
        return vec4(0.0);
    }
    let last = CLUSTERS - 1u;
    return vec4(
        centroids[min(first, last) * DIMENSIONS + column], centroids[min(first + 1u, last) * DIMENSIONS + column],
        centroids[min(first + 2u, last) * DIMENSIONS + column], centroids[min(first + 3u, last) * DIMENSIONS + column],
    );
}

fn term(x: f32, c: vec4<f32>) -> vec4<f32> {
    let difference = vec4(x) - c;
    if (CITYBLOCK) {
        return abs(difference);
    }
    return difference * difference;
}

struct Best {
    distance: f32,
    label: u32,
}

// The better of what a row has and its four new centroids, which come in the order of their labels.
fn nearer(best: Best, d: vec4<f32>, first: u32) -> Best {
    var result = best;
    if (d.x < result.distance) { result = Best(d.x, min(first, CLUSTERS - 1u)); }
    if (d.y < result.distance) { result = Best(d.y, min(first + 1u, CLUSTERS - 1u)); }
    if (d.z < result.distance) { result = Best(d.z, min(first + 2u, CLUSTERS - 1u)); }
    if (d.w < result.distance) { result = Best(d.w, min(first + 3u, CLUSTERS - 1u)); }
    return result;
}

@compute @workgroup_size(SIDE, SIDE)
fn assign_exact(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) place: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var rows = points_shape.x;
    if (LISTED) {
        rows = counts[1];
    }
    let chunks = select(1u, CHUNKS, LISTED && rows <= FEW);
    let blocks = (rows + TILE - 1u) / TILE * chunks;
    for (var number = group.x + group.y * groups.x; number < blocks; number += groups.x * groups.y) {
        let first = number % chunks * CHUNK;
        let end = select(CLUSTERS, min(first + CHUNK, CLUSTERS), chunks > 1u);
        search(number / chunks * TILE, rows, first, end, place, thread);
    }
}

// A tile: its first centroid and column.
struct Step {
    first: u32,
    column: u32,
}

fn step_after(step: Step) -> Step {
    if (step.column + COLUMNS >= DIMENSIONS) {
        return Step(step.first + TILE, 0u);
    }
    return Step(step.first, step.column + COLUMNS);
}

// Shows 64 rows the centroids from `begin` to `end`.
fn search(first_row: u32, rows: u32, begin: u32, end: u32, place: vec3<u32>, thread: u32) {
    var best0 = Best(FARTHEST, 0u);
    var best1 = Best(FARTHEST, 0u);
    var best2 = Best(FARTHEST, 0u);
    var best3 = Best(FARTHEST, 0u);

    // Neighbours along x read neighbouring columns of the same four rows.
    let begins = begins_at(first_row + BLOCK * place.y, rows - 1u);
    var ahead = Step(begin, 0u);
    var row_next = row_quad(begins, ahead.column + place.x);
    var centroid_next = centroid_quad(ahead.first + BLOCK * place.y, ahead.column + place.x);
    ahead = step_after(ahead);
    var row_after = row_quad(begins, ahead.column + place.x);
    var centroid_after = centroid_quad(ahead.first + BLOCK * place.y, ahead.column + place.x);
    for (var first = begin; first < end; first += TILE) {
        var total0 = vec4(0.0);
        var total1 = vec4(0.0);
        var total2 = vec4(0.0);
        var total3 = vec4(0.0);
        for (var column = 0u; column < DIMENSIONS; column += COLUMNS) {
            workgroupBarrier();
            row_tile[place.x * STRIDE + place.y] = row_next;
            centroid_tile[place.x * STRIDE + place.y] = centroid_next;
            workgroupBarrier();
            // The next two tiles are on their way while this one is computed on: that matters where few rows are taken.
            row_next = row_after;
            centroid_next = centroid_after;
            ahead = step_after(ahead);
            row_after = row_quad(begins, ahead.column + place.x);
            centroid_after = centroid_quad(ahead.first + BLOCK * place.y, ahead.column + place.x);

            var part0 = vec4(0.0);
            var part1 = vec4(0.0);
            var part2 = vec4(0.0);
            var part3 = vec4(0.0);
            for (var i = 0u; i < COLUMNS; i++) {
                let x = row_tile[i * STRIDE + place.y];
                let c = centroid_tile[i * STRIDE + place.x];
                part0 += term(x.x, c);
                part1 += term(x.y, c);
                part2 += term(x.z, c);
                part3 += term(x.w, c);
            }
            total0 += part0;
            total1 += part1;
            total2 += part2;
            total3 += part3;
        }
        let label = first + BLOCK * place.x;
        best0 = nearer(best0, total0, label);
        best1 = nearer(best1, total1, label);
        best2 = nearer(best2, total2, label);
        best3 = nearer(best3, total3, label);
    }

    workgroupBarrier();
    row_tile[thread] = vec4(best0.distance, best1.distance, best2.distance, best3.distance);
    labels_found[thread] = vec4(best0.label, best1.label, best2.label, best3.label);
    workgroupBarrier();
    let row = first_row + thread;
    if (thread < TILE && row < rows) {
        let best = nearest_of(thread / BLOCK, thread % BLOCK);
        if (LISTED && rows <= FEW) {
            let part = 2u * (row * CHUNKS + begin / CHUNK);
            parts[part] = bitcast<u32>(best.distance);
            parts[part + 1u] = best.label;
        } else {
            nearest[row_at(row)] = best.label;
            distances[row_at(row)] = best.distance;
        }
    }
}

// The nearest of what the threads of one line of the grid found for the row in this lane.
fn nearest_of(line: u32, lane: u32) -> Best {
    var best = Best(row_tile[line * SIDE][lane], labels_found[line * SIDE][lane]);
    for (var x = 1u; x < SIDE; x++) {
        let distance = row_tile[line * SIDE + x][lane];
        let label = labels_found[line * SIDE + x][lane];
        if (distance < best.distance || (distance == best.distance && label < best.label)) {
            best = Best(distance, label);
        }
    }
    return best;
}
