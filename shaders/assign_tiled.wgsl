// Nearest centroid of the rows of a list, for more than a few dimensions: a tiled product of rows and centroids fused with the
// minimum, so that no n × k matrix is ever stored. Rows whose two nearest centroids it cannot tell apart go to another list.
//
//   s(r, j)      = norms[j] - 2·(points[r] · centroids[j]), which is D(r, j) - |points[r]|²
//   nearest[r]   = argmin over j of s(r, j)
//   lower[r]     ≤ the distance of r to every centroid but its nearest; to all centroids where it is in doubt
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
// Joined by the part best.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   norms         the squared lengths of the centroids: see `survey_centroids`
//   open          n: the rows to label
//   counts        3: how many these are; the second is how many are in doubt, 0 on entry
//   nearest       n, written for the rows of the list
//   lower         n, likewise
//   doubtful      n, written: row numbers, in any order
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k, below 2²⁴
//   ACROSS, DOWN  threads along centroids and rows: 8 or 16 each
//
// A workgroup of ACROSS × DOWN threads takes 8·DOWN rows: dispatch ceil(n / (8·DOWN)). It walks tiles of 8·ACROSS
// centroids and, inside, of 16 columns, which lie in workgroup memory while the next ones are fetched into registers. A
// thread owns 8 rows × 8 centroids of a tile: for 64 multiplications it reads 16 values, four vectors, from workgroup
// memory. It keeps the smallest, the second smallest and the label of its rows in registers until the last centroid; the
// threads of a line meet then.
// Rows past the end repeat the last one; columns past the end add nothing; a centroid past the end has the norm that no
// minimum takes.
// Traffic per row: 4d bytes read per 8·ACROSS centroids (from the cache after the first), 8 written, and 4·k·d / (8·DOWN)
// of centroids. Work: 2·k·d operations, and 5 for each pair's minimum: a (0.4·d)-th.
// Workgroup memory: 512·(ACROSS + DOWN) bytes, 16 KiB at most. Registers: 64 sums, 24 for the minima, 16 operands, 16 to 32 of the next
// tile. A thread fetches four columns of a row and stores them to four quads: neighbours take neighbouring rows, so that they
// store to different banks.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override ACROSS: u32 = 8u;
override DOWN: u32 = 8u;

const COLUMNS: u32 = 16u;
// Beyond this bound on (X + C)² products may overflow.
const LARGEST: f32 = 0x1p+125;

// Quads of rows and of centroids in a tile: two a thread each.
override ROW_QUADS: u32 = 2u * DOWN;
override CENTROID_QUADS: u32 = 2u * ACROSS;
override THREADS: u32 = ACROSS * DOWN;
override CENTROID_TILE: u32 = COLUMNS * ROW_QUADS;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<storage, read> centroids: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read> open: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(6) var<storage, read_write> lower: array<f32>;
@group(0) @binding(7) var<storage, read_write> doubtful: array<u32>;

// Quads of rows, column by column, then quads of centroids. At the end, what the threads found for half of the rows:
// smallest, second, label, largest norm.
var<workgroup> tile: array<vec4<f32>, COLUMNS * (ROW_QUADS + CENTROID_QUADS)>;

var<workgroup> rows_listed: u32;

// Four columns of a row, from its first value on.
fn row_columns(begin: u32, column: u32) -> vec4<f32> {
    let at = begin + column;
    if (column + 4u <= DIMENSIONS) {
        return vec4(points[at], points[at + 1u], points[at + 2u], points[at + 3u]);
    }
    var values = vec4(0.0);
    for (var i = 0u; column + i < DIMENSIONS; i++) {
        values[i] = points[at + i];
    }
    return values;
}

fn centroid_columns(begin: u32, column: u32) -> vec4<f32> {
    let at = begin + column;
    if (column + 4u <= DIMENSIONS) {
        return vec4(centroids[at], centroids[at + 1u], centroids[at + 2u], centroids[at + 3u]);
    }
    var values = vec4(0.0);
    for (var i = 0u; column + i < DIMENSIONS; i++) {
        values[i] = centroids[at + i];
    }
    return values;
}

// Of what a thread fetches the `at`-th is of row at % rows (or centroids), columns 4·(at / rows) and the three behind.
fn row_begin(first: u32, rows: u32, at: u32) -> u32 {
    return open[min(first + at % (4u * ROW_QUADS), rows - 1u)] * DIMENSIONS;
}

fn centroid_begin(first: u32, at: u32) -> u32 {
    return min(first + at % (4u * CENTROID_QUADS), CLUSTERS - 1u) * DIMENSIONS;
}

fn put_row(at: u32, values: vec4<f32>) {
    let row = at % (4u * ROW_QUADS);
    let quad = at / (4u * ROW_QUADS) * 4u * ROW_QUADS + row / 4u;
    tile[quad][row % 4u] = values.x;
    tile[quad + ROW_QUADS][row % 4u] = values.y;
    tile[quad + 2u * ROW_QUADS][row % 4u] = values.z;
    tile[quad + 3u * ROW_QUADS][row % 4u] = values.w;
}

fn put_centroid(at: u32, values: vec4<f32>) {
    let row = at % (4u * CENTROID_QUADS);
    let quad = CENTROID_TILE + at / (4u * CENTROID_QUADS) * 4u * CENTROID_QUADS + row / 4u;
    tile[quad][row % 4u] = values.x;
    tile[quad + CENTROID_QUADS][row % 4u] = values.y;
    tile[quad + 2u * CENTROID_QUADS][row % 4u] = values.z;
    tile[quad + 3u * CENTROID_QUADS][row % 4u] = values.w;
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
    let first_row = (group.x + group.y * groups.x) * 4u * ROW_QUADS;
    if (thread == 0u) {
        rows_listed = atomicLoad(&counts[0]);
    }
    let rows = workgroupUniformLoad(&rows_listed);
    if (first_row >= rows) {
        return;
    }
    // A thread's rows are those of quads y and y + DOWN, its centroids those of quads x and x + ACROSS.
    var best0 = NOTHING; var best1 = NOTHING; var best2 = NOTHING; var best3 = NOTHING;
    var best4 = NOTHING; var best5 = NOTHING; var best6 = NOTHING; var best7 = NOTHING;
    var largest = 0.0;
    // Four or two fetches of rows, and as many of centroids, each of four columns.
    let row_begin0 = row_begin(first_row, rows, thread);
    let row_begin1 = row_begin(first_row, rows, thread + THREADS);
    let row_begin2 = row_begin(first_row, rows, thread + 2u * THREADS);
    let row_begin3 = row_begin(first_row, rows, thread + 3u * THREADS);
    let row_column0 = 4u * (thread / (4u * ROW_QUADS));
    let row_column1 = 4u * ((thread + THREADS) / (4u * ROW_QUADS));
    let row_column2 = 4u * ((thread + 2u * THREADS) / (4u * ROW_QUADS));
    let row_column3 = 4u * ((thread + 3u * THREADS) / (4u * ROW_QUADS));
    let centroid_column0 = 4u * (thread / (4u * CENTROID_QUADS));
    let centroid_column1 = 4u * ((thread + THREADS) / (4u * CENTROID_QUADS));
    let centroid_column2 = 4u * ((thread + 2u * THREADS) / (4u * CENTROID_QUADS));
    let centroid_column3 = 4u * ((thread + 3u * THREADS) / (4u * CENTROID_QUADS));
    var row_next0 = row_columns(row_begin0, row_column0);
    var row_next1 = row_columns(row_begin1, row_column1);
    var row_next2 = vec4(0.0);
    var row_next3 = vec4(0.0);
    if (ACROSS == 8u) {
        row_next2 = row_columns(row_begin2, row_column2);
        row_next3 = row_columns(row_begin3, row_column3);
    }
    var centroid_next0 = centroid_columns(centroid_begin(0u, thread), centroid_column0);
    var centroid_next1 = centroid_columns(centroid_begin(0u, thread + THREADS), centroid_column1);
    var centroid_next2 = vec4(0.0);
    var centroid_next3 = vec4(0.0);
    if (DOWN == 8u) {
        centroid_next2 = centroid_columns(centroid_begin(0u, thread + 2u * THREADS), centroid_column2);
        centroid_next3 = centroid_columns(centroid_begin(0u, thread + 3u * THREADS), centroid_column3);
    }

    for (var first = 0u; first < CLUSTERS; first += 4u * CENTROID_QUADS) {
        var sum0a = vec4(0.0); var sum1a = vec4(0.0); var sum2a = vec4(0.0); var sum3a = vec4(0.0);
        var sum4a = vec4(0.0); var sum5a = vec4(0.0); var sum6a = vec4(0.0); var sum7a = vec4(0.0);
        var sum0b = vec4(0.0); var sum1b = vec4(0.0); var sum2b = vec4(0.0); var sum3b = vec4(0.0);
        var sum4b = vec4(0.0); var sum5b = vec4(0.0); var sum6b = vec4(0.0); var sum7b = vec4(0.0);
        for (var column = 0u; column < DIMENSIONS; column += COLUMNS) {
            workgroupBarrier();
            put_row(thread, row_next0);
            put_row(thread + THREADS, row_next1);
            put_centroid(thread, centroid_next0);
            put_centroid(thread + THREADS, centroid_next1);
            if (ACROSS == 8u) {
                put_row(thread + 2u * THREADS, row_next2);
                put_row(thread + 3u * THREADS, row_next3);
            }
            if (DOWN == 8u) {
                put_centroid(thread + 2u * THREADS, centroid_next2);
                put_centroid(thread + 3u * THREADS, centroid_next3);
            }
            workgroupBarrier();
            var next_column = column + COLUMNS;
            var next_first = first;
            if (next_column >= DIMENSIONS) {
                next_column = 0u;
                next_first = first + 4u * CENTROID_QUADS;
            }
            row_next0 = row_columns(row_begin0, next_column + row_column0);
            row_next1 = row_columns(row_begin1, next_column + row_column1);
            let centroid_begin0 = centroid_begin(next_first, thread);
            let centroid_begin1 = centroid_begin(next_first, thread + THREADS);
            centroid_next0 = centroid_columns(centroid_begin0, next_column + centroid_column0);
            centroid_next1 = centroid_columns(centroid_begin1, next_column + centroid_column1);
            if (ACROSS == 8u) {
                row_next2 = row_columns(row_begin2, next_column + row_column2);
                row_next3 = row_columns(row_begin3, next_column + row_column3);
            }
            if (DOWN == 8u) {
                let centroid_begin2 = centroid_begin(next_first, thread + 2u * THREADS);
                let centroid_begin3 = centroid_begin(next_first, thread + 3u * THREADS);
                centroid_next2 = centroid_columns(centroid_begin2, next_column + centroid_column2);
                centroid_next3 = centroid_columns(centroid_begin3, next_column + centroid_column3);
            }
            for (var i = 0u; i < COLUMNS; i++) {
                let x = tile[i * ROW_QUADS + place.y];
                let y = tile[i * ROW_QUADS + place.y + DOWN];
                let a = tile[CENTROID_TILE + i * CENTROID_QUADS + place.x];
                let b = tile[CENTROID_TILE + i * CENTROID_QUADS + place.x + ACROSS];
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
    if (thread >= 4u * DOWN || first_row + thread >= rows) {
        return;
    }
    let row = open[first_row + thread];
    var best = tile[thread * ACROSS];
    for (var x = 1u; x < ACROSS; x++) {
        let other = tile[thread * ACROSS + x];
        let second = min(max(best.x, other.x), min(best.y, other.y));
        let is_nearer = other.x < best.x || (other.x == best.x && other.z < best.z);
        best = vec4(min(best.x, other.x), second, select(best.z, other.z, is_nearer), max(best.w, other.w));
    }
    var square = 0.0;
    let begin = row * DIMENSIONS;
    for (var first = 0u; first < DIMENSIONS; first += COLUMNS) {
        var part = 0.0;
        for (var column = first; column < min(first + COLUMNS, DIMENSIONS); column++) {
            part += points[begin + column] * points[begin + column];
        }
        square += part;
    }
    let margin = margin(square, best.w);
    let is_clear = best.y - best.x > margin;
    nearest[row] = u32(best.z);
    let bound = square + select(best.x, best.y, is_clear) - margin;
    lower[row] = select(0.0, sqrt(bound) * (1.0 - 0x1p-19), bound > 0.0);
    if (!is_clear) {
        doubtful[atomicAdd(&counts[1], 1u)] = row;
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
