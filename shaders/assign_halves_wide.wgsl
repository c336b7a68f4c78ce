// Nearest centroid of the rows of a list by matrix units, for rows of more columns than `assign_halves` keeps: tiles of 128 rows
// against tiles of 128 centroids. What it cannot tell apart goes to `assign_exact`, so labels are those of f32.
//
//   s(p, j)   = norms[j] - 2·(row_halves[p] · centroid_halves[j]) / SCALE²
//   nearest   = argmin over j of s(p, j), for the row r = open[p]
//   lower[r]  ≤ the distance of r to every centroid but its nearest; to all centroids where it is in doubt
//   pairs     = the rows with one other s(p, j) within the margin of the smallest, where its label is known
//   doubtful  = other rows with a second s(p, j) within the margin of the smallest
//
// What s lacks of |x - c|² - |x|² is bounded. With X = lengths[2·p] and C ≥ |x|, |c|, x̂ and ĉ the halves, u = lengths[2·p + 1] and
// v ≥ |x - x̂|, |c - ĉ|:  |x·c - x̂·ĉ| ≤ u·C + (X + u)·v by Cauchy and Schwarz. A product of halves is exact in f32; the units add
// d of them in an order and by a rounding of their own, of which at most 2⁻²² a term is taken (twice what cutting off would
// give), so 2⁻²²·d·(X + u)·(C + v). A norm is within (d/64 + 72)·2⁻²⁴·C² of its own, and the last step within
// 2⁻²²·(X + C)². Together, twice where a product is, E. A centroid whose s exceeds the smallest by more than 2·E is truly
// farther; `assign_exact`, which decides the list, is within h·(X + C)² of true distances, h = (d/16 + 22)·2⁻²⁴: so labels are those
// that it would give to all rows where the margin is 2·E + 2·h·(X + C)². A sixteenth more is for the roundings of its formula.
//
// Joined by the parts best, halves.
//
// Bindings
//   row_halves, lengths         the listed rows in half precision, their lengths and rests: see `halve_rows`
//   centroid_halves, norms      of the centroids: see `survey_centroids` and `survey_extremes`; zeros from k to K' - 1
//   open                        n: the rows to label
//   counts                      3: how many these are; the others are how many are in doubt and how many pairs, 0 on entry
//   nearest, lower              n, written for the rows of the list
//   doubtful                    n, written: row numbers, in any order
//   pairs                       2·n, written: row numbers, each with the label beside `nearest`, in any order
// Overrides
//   DIMENSIONS                  d
//   CLUSTERS                    k
//   PADDED                      columns in half precision: a multiple of 64
//   ROOM                        K': a multiple of 128
//   SCALE                       of the halves
//
// Needs half precision and cooperative matrices of 16 × 16 × 16, and subgroups of 32 threads.
//
// A workgroup of 8 subgroups takes 128 rows: dispatch ceil(n / 128). It walks tiles of 128 centroids and, inside, of 64 columns,
// which lie in workgroup memory while the next ones are fetched into registers. A subgroup owns 32 rows × 64 centroids of a
// tile, as 2 × 4 matrices. A product of 16 × 16 goes through workgroup memory, from which two threads a row take eight values
// each; the two subgroups of a row meet at the end.
// Traffic per row: 2·d bytes per 128 centroids (from the cache after the first), and 2·k·d / 128 of centroids. Work: 2·k·d
// operations of the units, 6 for each pair's minimum.
// Workgroup memory: 47,620 bytes. Registers: 64 sums, 32 of the next tile, 12 operands.

enable f16;
enable wgpu_cooperative_matrix;

override DIMENSIONS: u32;
override CLUSTERS: u32;
override PADDED: u32;
override ROOM: u32;
override SCALE: f32;

const SUBGROUPS: u32 = 8u;
const SUBGROUP: u32 = 32u;
const THREADS: u32 = SUBGROUPS * SUBGROUP;
const ROWS: u32 = 128u;
const TILE: u32 = 128u;            // centroids
const COLUMNS: u32 = 64u;
const QUADS: u32 = COLUMNS / 4u;   // of a row in a tile
const STRIDE: u32 = QUADS + 2u;    // quads from one row of a tile to the next
const LINE: u32 = 5u;              // quads from one row of a product to the next: one more than needed keeps banks apart
const PRODUCT: u32 = 16u * LINE;

@group(0) @binding(0) var<storage, read> row_halves: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> lengths: array<f32>;
@group(0) @binding(2) var<storage, read> centroid_halves: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read> open: array<u32>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> nearest: array<u32>;
@group(0) @binding(7) var<storage, read_write> lower: array<f32>;
@group(0) @binding(8) var<storage, read_write> doubtful: array<u32>;
@group(0) @binding(9) var<storage, read_write> pairs: array<u32>;

var<workgroup> rows_tile: array<vec4<f16>, ROWS * STRIDE>;
var<workgroup> centroids_tile: array<vec4<f16>, TILE * STRIDE>;
var<workgroup> norms_tile: array<vec4<f32>, TILE / 4u>;
var<workgroup> rows_listed: u32;
// A product of each subgroup.
var<workgroup> products: array<vec4<f32>, SUBGROUPS * PRODUCT>;

// A thread fetches every 16th row of a tile, always the same quad.
fn row_quad(first_row: u32, rows: u32, column: u32, at: u32) -> vec4<f16> {
    // Rows past the end repeat the last one.
    let place = min(first_row + at / QUADS, rows - 1u);
    return row_halves[place * (PADDED / 4u) + column / 4u + at % QUADS];
}

fn centroid_quad(first: u32, column: u32, at: u32) -> vec4<f16> {
    return centroid_halves[(first + at / QUADS) * (PADDED / 4u) + column / 4u + at % QUADS];
}

fn tile_at(at: u32) -> u32 {
    return at / QUADS * STRIDE + at % QUADS;
}

@compute @workgroup_size(THREADS)
fn assign_halves_wide(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let first_row = (group.x + group.y * groups.x) * ROWS;
    if (thread == 0u) {
        rows_listed = atomicLoad(&counts[0]);
    }
    let rows = workgroupUniformLoad(&rows_listed);
    if (first_row >= rows) {
        return;
    }
    let own_row = subgroup / 2u * 32u;
    let own_centroid = subgroup % 2u * 64u;
    var best0 = NOTHING;
    var best1 = NOTHING;
    var found0 = NOBODY;
    var found1 = NOBODY;
    var row_next0 = row_quad(first_row, rows, 0u, thread);
    var centroid_next0 = centroid_quad(0u, 0u, thread);
    var row_next1 = row_quad(first_row, rows, 0u, thread + 1u * THREADS);
    var centroid_next1 = centroid_quad(0u, 0u, thread + 1u * THREADS);
    var row_next2 = row_quad(first_row, rows, 0u, thread + 2u * THREADS);
    var centroid_next2 = centroid_quad(0u, 0u, thread + 2u * THREADS);
    var row_next3 = row_quad(first_row, rows, 0u, thread + 3u * THREADS);
    var centroid_next3 = centroid_quad(0u, 0u, thread + 3u * THREADS);
    var row_next4 = row_quad(first_row, rows, 0u, thread + 4u * THREADS);
    var centroid_next4 = centroid_quad(0u, 0u, thread + 4u * THREADS);
    var row_next5 = row_quad(first_row, rows, 0u, thread + 5u * THREADS);
    var centroid_next5 = centroid_quad(0u, 0u, thread + 5u * THREADS);
    var row_next6 = row_quad(first_row, rows, 0u, thread + 6u * THREADS);
    var centroid_next6 = centroid_quad(0u, 0u, thread + 6u * THREADS);
    var row_next7 = row_quad(first_row, rows, 0u, thread + 7u * THREADS);
    var centroid_next7 = centroid_quad(0u, 0u, thread + 7u * THREADS);
    for (var first = 0u; first < CLUSTERS; first += TILE) {
        var sums00 = coop_mat16x16<f32, C>();
        var sums01 = coop_mat16x16<f32, C>();
        var sums02 = coop_mat16x16<f32, C>();
        var sums03 = coop_mat16x16<f32, C>();
        var sums10 = coop_mat16x16<f32, C>();
        var sums11 = coop_mat16x16<f32, C>();
        var sums12 = coop_mat16x16<f32, C>();
        var sums13 = coop_mat16x16<f32, C>();
        for (var column = 0u; column < PADDED; column += COLUMNS) {
            workgroupBarrier();
            rows_tile[tile_at(thread)] = row_next0;
            centroids_tile[tile_at(thread)] = centroid_next0;
            rows_tile[tile_at(thread + 1u * THREADS)] = row_next1;
            centroids_tile[tile_at(thread + 1u * THREADS)] = centroid_next1;
            rows_tile[tile_at(thread + 2u * THREADS)] = row_next2;
            centroids_tile[tile_at(thread + 2u * THREADS)] = centroid_next2;
            rows_tile[tile_at(thread + 3u * THREADS)] = row_next3;
            centroids_tile[tile_at(thread + 3u * THREADS)] = centroid_next3;
            rows_tile[tile_at(thread + 4u * THREADS)] = row_next4;
            centroids_tile[tile_at(thread + 4u * THREADS)] = centroid_next4;
            rows_tile[tile_at(thread + 5u * THREADS)] = row_next5;
            centroids_tile[tile_at(thread + 5u * THREADS)] = centroid_next5;
            rows_tile[tile_at(thread + 6u * THREADS)] = row_next6;
            centroids_tile[tile_at(thread + 6u * THREADS)] = centroid_next6;
            rows_tile[tile_at(thread + 7u * THREADS)] = row_next7;
            centroids_tile[tile_at(thread + 7u * THREADS)] = centroid_next7;
            if (column == 0u && thread < TILE / 4u) {
                let at = first + 4u * thread;
                norms_tile[thread] = vec4(norms[at], norms[at + 1u], norms[at + 2u], norms[at + 3u]);
            }
            workgroupBarrier();
            var next_column = column + COLUMNS;
            var next_first = first;
            if (next_column == PADDED) {
                next_column = 0u;
                // Behind the last tile comes the first again, for nobody.
                next_first = select(0u, first + TILE, first + TILE < CLUSTERS);
            }
            row_next0 = row_quad(first_row, rows, next_column, thread);
            centroid_next0 = centroid_quad(next_first, next_column, thread);
            row_next1 = row_quad(first_row, rows, next_column, thread + 1u * THREADS);
            centroid_next1 = centroid_quad(next_first, next_column, thread + 1u * THREADS);
            row_next2 = row_quad(first_row, rows, next_column, thread + 2u * THREADS);
            centroid_next2 = centroid_quad(next_first, next_column, thread + 2u * THREADS);
            row_next3 = row_quad(first_row, rows, next_column, thread + 3u * THREADS);
            centroid_next3 = centroid_quad(next_first, next_column, thread + 3u * THREADS);
            row_next4 = row_quad(first_row, rows, next_column, thread + 4u * THREADS);
            centroid_next4 = centroid_quad(next_first, next_column, thread + 4u * THREADS);
            row_next5 = row_quad(first_row, rows, next_column, thread + 5u * THREADS);
            centroid_next5 = centroid_quad(next_first, next_column, thread + 5u * THREADS);
            row_next6 = row_quad(first_row, rows, next_column, thread + 6u * THREADS);
            centroid_next6 = centroid_quad(next_first, next_column, thread + 6u * THREADS);
            row_next7 = row_quad(first_row, rows, next_column, thread + 7u * THREADS);
            centroid_next7 = centroid_quad(next_first, next_column, thread + 7u * THREADS);
            for (var step = 0u; step < QUADS; step += 4u) {
                let row0 = coopLoadT<coop_mat16x16<f16, A>>(&rows_tile[own_row * STRIDE + step], STRIDE);
                let row1 = coopLoadT<coop_mat16x16<f16, A>>(&rows_tile[(own_row + 16u) * STRIDE + step], STRIDE);
                let columns0 = coopLoad<coop_mat16x16<f16, B>>(&centroids_tile[(own_centroid + 0u) * STRIDE + step], STRIDE);
                sums00 = coopMultiplyAdd(row0, columns0, sums00);
                sums10 = coopMultiplyAdd(row1, columns0, sums10);
                let columns1 = coopLoad<coop_mat16x16<f16, B>>(&centroids_tile[(own_centroid + 16u) * STRIDE + step], STRIDE);
                sums01 = coopMultiplyAdd(row0, columns1, sums01);
                sums11 = coopMultiplyAdd(row1, columns1, sums11);
                let columns2 = coopLoad<coop_mat16x16<f16, B>>(&centroids_tile[(own_centroid + 32u) * STRIDE + step], STRIDE);
                sums02 = coopMultiplyAdd(row0, columns2, sums02);
                sums12 = coopMultiplyAdd(row1, columns2, sums12);
                let columns3 = coopLoad<coop_mat16x16<f16, B>>(&centroids_tile[(own_centroid + 48u) * STRIDE + step], STRIDE);
                sums03 = coopMultiplyAdd(row0, columns3, sums03);
                sums13 = coopMultiplyAdd(row1, columns3, sums13);
            }
        }
        coopStoreT(sums00, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 0u);
        subgroupBarrier();
        coopStoreT(sums01, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 16u);
        subgroupBarrier();
        coopStoreT(sums02, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 32u);
        subgroupBarrier();
        coopStoreT(sums03, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 48u);
        subgroupBarrier();
        coopStoreT(sums10, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 0u);
        subgroupBarrier();
        coopStoreT(sums11, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 16u);
        subgroupBarrier();
        coopStoreT(sums12, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 32u);
        subgroupBarrier();
        coopStoreT(sums13, &products[subgroup * PRODUCT], LINE);
        subgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 48u);
        subgroupBarrier();
        join(&found0, best0);
        join(&found1, best1);
        best0 = NOTHING;
        best1 = NOTHING;
    }
    finish(found0, first_row, own_row, rows, subgroup, lane);
    finish(found1, first_row, own_row + 16u, rows, subgroup, lane);
}

// The two threads of a row in each of its two subgroups meet.
fn finish(found: Found, first_row: u32, own_row: u32, rows: u32, subgroup: u32, lane: u32) {
    let at = subgroup * PRODUCT / 2u + lane;
    workgroupBarrier();
    show(found, at);
    workgroupBarrier();
    let place = first_row + own_row + lane / 2u;
    if (subgroup % 2u == 0u && lane % 2u == 0u && place < rows) {
        var all = found;
        join_shown(&all, at + 1u);
        join_shown(&all, at + PRODUCT / 2u);
        join_shown(&all, at + PRODUCT / 2u + 1u);
        settle(place, all);
    }
}
