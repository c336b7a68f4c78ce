// Nearest centroid of each row, for more than a few dimensions: a tiled product of rows and centroids fused with the
// minimum, so that no n × k matrix is ever stored. Rows whose two nearest centroids it cannot tell apart go to a list.
//
//   s(r, j)      = norms[j] - 2·(points[r] · centroids[j]), which is D(r, j) - |points[r]|²
//   nearest[r]   = argmin over j of s(r, j)
//   distances[r] = D(r, nearest[r]) = sum over i of (points[r][i] - centroids[nearest[r]][i])²
//   doubtful     = the rows with a second s(r, j) within the margin of the smallest
//
// One multiplication and addition a pair and column, where the difference form takes a subtraction more. What
// cancellation does to s is bounded: with u = 2⁻²⁴, g = n·u / (1 - n·u) for n = d + 4 roundings, X = |points[r]| and C
// the largest |centroids[j]|, a product is within g·X·C of its true value in any order of additions, fused or not, a norm
// within g·C², so s is within E = g·(2·X·C + C²) + 2⁻²³·(X + C)² + d·2⁻¹²⁴ of its own (the last for products that are
// flushed to zero, each below 2⁻¹²⁶). A centroid whose s exceeds the smallest by more than 2·E is truly farther.
// `assign_exact` decides the list by the distances themselves, each within h·(X + C)² of its true value, with h as g but for
// n = d/16 + 20. A centroid that exceeds the smallest by more than 2·E + 2·h·(X + C)² is farther there too: so labels are
// those that `assign_exact` would give to all rows, whatever the tiles. That is the margin, with X and C rounded up and a
// sixteenth more for the roundings of its own formula; rows so long that products may overflow are all doubtful.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   centroids     k × d, row-major
//   norms         k: the squared lengths of the centroids
//   nearest       n, written
//   distances     n, written
//   doubtful      n, written: row numbers, in any order
//   doubtful_count  1: how many these are; 0 on entry
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k, below 2²⁴
//   ACROSS, DOWN  threads along centroids and rows: 8 or 16 each
//
// A workgroup of ACROSS × DOWN threads takes 8·DOWN rows: dispatch ceil(n / (8·DOWN)). It walks tiles of 8·ACROSS
// centroids and, inside, of 16 columns. A thread owns 8 rows × 8 centroids of a tile: for 64 multiplications it reads 16
// values, four vectors, from workgroup memory. It keeps the smallest, the second smallest and the label of its rows in
// registers until the last centroid; the threads of a line meet then.
// Rows and columns past the end add nothing; a centroid past the end has the norm that no minimum takes.
// Traffic per row: 4d bytes read per 8·ACROSS centroids (from the cache after the first), 8 written, and 4·k·d / (8·DOWN)
// of centroids. Work: 2·k·d operations, and 5 for each pair's minimum: a (0.4·d)-th.
// Workgroup memory: 512·(ACROSS + DOWN) bytes, 16 KiB at most. Registers: 64 sums, 24 for the minima, 16 operands.
// Quads of a column are turned by the column's number, so that neighbours, which load neighbouring columns, store to
// different banks.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override ACROSS: u32 = 8u;
override DOWN: u32 = 8u;

const COLUMNS: u32 = 16u;
// The largest f32: WGSL has no infinity to begin a minimum with.
const FARTHEST: f32 = 0x1.fffffep+127;
// Beyond this bound on (X + C)² products may overflow.
const LARGEST: f32 = 0x1p+125;

// Quads of rows and of centroids in a tile: two a thread each.
override ROW_QUADS: u32 = 2u * DOWN;
override CENTROID_QUADS: u32 = 2u * ACROSS;
override THREADS: u32 = ACROSS * DOWN;
override CENTROID_TILE: u32 = COLUMNS * ROW_QUADS;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> centroids: array<f32>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(5) var<storage, read_write> distances: array<f32>;
@group(0) @binding(6) var<storage, read_write> doubtful: array<u32>;
@group(0) @binding(7) var<storage, read_write> doubtful_count: array<atomic<u32>>;

// Quads of rows, column by column, then quads of centroids. At the end, what the threads found for half of the rows:
// smallest, second, label, largest norm.
var<workgroup> tile: array<vec4<f32>, COLUMNS * (ROW_QUADS + CENTROID_QUADS)>;

fn row_quad(first: u32, last: u32, column: u32) -> vec4<f32> {
    if (column >= DIMENSIONS) {
        return vec4(0.0);
    }
    return vec4(
        points[min(first, last) * DIMENSIONS + column], points[min(first + 1u, last) * DIMENSIONS + column],
        points[min(first + 2u, last) * DIMENSIONS + column], points[min(first + 3u, last) * DIMENSIONS + column],
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

fn norm(cluster: u32) -> f32 {
    if (cluster >= CLUSTERS) {
        return FARTHEST;
    }
    return norms[cluster];
}

fn norm_quad(first: u32) -> vec4<f32> {
    return vec4(norm(first), norm(first + 1u), norm(first + 2u), norm(first + 3u));
}

// The largest norm that is a centroid's.
fn largest_of(norms: vec4<f32>, largest: f32) -> f32 {
    let real = select(norms, vec4(0.0), norms == vec4(FARTHEST));
    return max(largest, max(max(real.x, real.y), max(real.z, real.w)));
}

// Fetches 16 columns of the rows and of the centroids. Neighbours read neighbouring columns of the same four rows.
fn load(first_row: u32, last_row: u32, first_cluster: u32, first_column: u32, thread: u32) {
    for (var at = thread; at < COLUMNS * ROW_QUADS; at += THREADS) {
        let column = at % COLUMNS;
        let quad = at / COLUMNS;
        tile[column * ROW_QUADS + (quad + column) % ROW_QUADS] =
            row_quad(first_row + 4u * quad, last_row, first_column + column);
    }
    for (var at = thread; at < COLUMNS * CENTROID_QUADS; at += THREADS) {
        let column = at % COLUMNS;
        let quad = at / COLUMNS;
        tile[CENTROID_TILE + column * CENTROID_QUADS + (quad + column) % CENTROID_QUADS] =
            centroid_quad(first_cluster + 4u * quad, first_column + column);
    }
}

// What a thread knows of a row.
struct Best {
    smallest: f32,
    second: f32,
    label: u32,
}

const NOTHING: Best = Best(FARTHEST, FARTHEST, 0u);

fn offer(best: ptr<function, Best>, value: f32, label: u32) {
    (*best).second = min((*best).second, max((*best).smallest, value));
    (*best).label = select((*best).label, label, value < (*best).smallest);
    (*best).smallest = min((*best).smallest, value);
}

// Shows a row its values for two quads of centroids, in the order of their labels.
fn watch(best: ptr<function, Best>, values_a: vec4<f32>, label_a: u32, values_b: vec4<f32>, label_b: u32) {
    offer(best, values_a.x, label_a);
    offer(best, values_a.y, label_a + 1u);
    offer(best, values_a.z, label_a + 2u);
    offer(best, values_a.w, label_a + 3u);
    offer(best, values_b.x, label_b);
    offer(best, values_b.y, label_b + 1u);
    offer(best, values_b.z, label_b + 2u);
    offer(best, values_b.w, label_b + 3u);
}

fn entry(best: Best, largest: f32) -> vec4<f32> {
    return vec4(best.smallest, best.second, f32(best.label), largest);
}

@compute @workgroup_size(ACROSS, DOWN)
fn assign_tiled(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) place: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let rows = points_shape.x;
    let first_row = (group.x + group.y * groups.x) * 4u * ROW_QUADS;
    if (first_row >= rows) {
        return;
    }
    // A thread's rows are those of quads y and y + DOWN, its centroids those of quads x and x + ACROSS.
    var best0 = NOTHING; var best1 = NOTHING; var best2 = NOTHING; var best3 = NOTHING;
    var best4 = NOTHING; var best5 = NOTHING; var best6 = NOTHING; var best7 = NOTHING;
    var largest = 0.0;

    for (var first = 0u; first < CLUSTERS; first += 4u * CENTROID_QUADS) {
        var sum0a = vec4(0.0); var sum1a = vec4(0.0); var sum2a = vec4(0.0); var sum3a = vec4(0.0);
        var sum4a = vec4(0.0); var sum5a = vec4(0.0); var sum6a = vec4(0.0); var sum7a = vec4(0.0);
        var sum0b = vec4(0.0); var sum1b = vec4(0.0); var sum2b = vec4(0.0); var sum3b = vec4(0.0);
        var sum4b = vec4(0.0); var sum5b = vec4(0.0); var sum6b = vec4(0.0); var sum7b = vec4(0.0);
        for (var column = 0u; column < DIMENSIONS; column += COLUMNS) {
            workgroupBarrier();
            load(first_row, rows - 1u, first, column, thread);
            workgroupBarrier();
            for (var i = 0u; i < COLUMNS; i++) {
                let row = i * ROW_QUADS;
                let x = tile[row + (place.y + i) % ROW_QUADS];
                let y = tile[row + (place.y + DOWN + i) % ROW_QUADS];
                let centroid = CENTROID_TILE + i * CENTROID_QUADS;
                let a = tile[centroid + (place.x + i) % CENTROID_QUADS];
                let b = tile[centroid + (place.x + ACROSS + i) % CENTROID_QUADS];
                sum0a += x.x * a; sum0b += x.x * b;
                sum1a += x.y * a; sum1b += x.y * b;
                sum2a += x.z * a; sum2b += x.z * b;
                sum3a += x.w * a; sum3b += x.w * b;
                sum4a += y.x * a; sum4b += y.x * b;
                sum5a += y.y * a; sum5b += y.y * b;
                sum6a += y.z * a; sum6b += y.z * b;
                sum7a += y.w * a; sum7b += y.w * b;
            }
        }
        let label_a = first + 4u * place.x;
        let label_b = label_a + 4u * ACROSS;
        let a = norm_quad(label_a);
        let b = norm_quad(label_b);
        largest = largest_of(b, largest_of(a, largest));
        watch(&best0, a - 2.0 * sum0a, label_a, b - 2.0 * sum0b, label_b);
        watch(&best1, a - 2.0 * sum1a, label_a, b - 2.0 * sum1b, label_b);
        watch(&best2, a - 2.0 * sum2a, label_a, b - 2.0 * sum2b, label_b);
        watch(&best3, a - 2.0 * sum3a, label_a, b - 2.0 * sum3b, label_b);
        watch(&best4, a - 2.0 * sum4a, label_a, b - 2.0 * sum4b, label_b);
        watch(&best5, a - 2.0 * sum5a, label_a, b - 2.0 * sum5b, label_b);
        watch(&best6, a - 2.0 * sum6a, label_a, b - 2.0 * sum6b, label_b);
        watch(&best7, a - 2.0 * sum7a, label_a, b - 2.0 * sum7b, label_b);
    }

    // Half of the rows, then the other: the tile has room for one.
    let at = 4u * place.y * ACROSS + place.x;
    workgroupBarrier();
    tile[at] = entry(best0, largest);
    tile[at + ACROSS] = entry(best1, largest);
    tile[at + 2u * ACROSS] = entry(best2, largest);
    tile[at + 3u * ACROSS] = entry(best3, largest);
    workgroupBarrier();
    finish(first_row, rows, thread);
    workgroupBarrier();
    tile[at] = entry(best4, largest);
    tile[at + ACROSS] = entry(best5, largest);
    tile[at + 2u * ACROSS] = entry(best6, largest);
    tile[at + 3u * ACROSS] = entry(best7, largest);
    workgroupBarrier();
    finish(first_row + 4u * DOWN, rows, thread);
}

// Each thread of the first few labels the row of its number.
fn finish(first_row: u32, rows: u32, thread: u32) {
    let row = first_row + thread;
    if (thread >= 4u * DOWN || row >= rows) {
        return;
    }
    var best = tile[thread * ACROSS];
    for (var x = 1u; x < ACROSS; x++) {
        let other = tile[thread * ACROSS + x];
        let second = min(max(best.x, other.x), min(best.y, other.y));
        let is_nearer = other.x < best.x || (other.x == best.x && other.z < best.z);
        best = vec4(min(best.x, other.x), second, select(best.z, other.z, is_nearer), max(best.w, other.w));
    }
    let label = u32(best.z);
    var square = 0.0;
    var distance = 0.0;
    for (var first = 0u; first < DIMENSIONS; first += COLUMNS) {
        var part = vec2(0.0);
        for (var column = first; column < min(first + COLUMNS, DIMENSIONS); column++) {
            let x = points[row * DIMENSIONS + column];
            let difference = x - centroids[label * DIMENSIONS + column];
            part += vec2(x * x, difference * difference);
        }
        square += part.x;
        distance += part.y;
    }
    nearest[row] = label;
    distances[row] = distance;
    if (!(best.y - best.x > margin(square, best.w))) {
        doubtful[atomicAdd(&doubtful_count[0], 1u)] = row;
    }
}

// By how much more than the smallest a value must be for its centroid to be truly farther.
fn margin(square: f32, largest: f32) -> f32 {
    let roundings = f32(DIMENSIONS + 4u) * 0x1p-24;
    let tiny = f32(DIMENSIONS) * 0x1p-124;
    let gamma = roundings / (1.0 - roundings);
    let length = sqrt((square + tiny) * (1.0 + 2.0 * gamma)) * (1.0 + 0x1p-20);
    let farthest = sqrt((largest + tiny) * (1.0 + 2.0 * gamma)) * (1.0 + 0x1p-20);
    let reach = (length + farthest) * (length + farthest);
    let exact = f32(DIMENSIONS / COLUMNS + COLUMNS + 6u) * 0x1p-24;
    let error = gamma * farthest * (2.0 * length + farthest) + (exact + 0x1p-23) * reach + tiny;
    return select(FARTHEST, 2.125 * error, reach < LARGEST && roundings < 0.5);
}
