// Nearest centroid of the rows of a list by matrix units, for rows of up to 128 columns: one product in half precision, with
// sums in f32, fused with the minimum. What it cannot tell apart goes to `assign_exact`, so labels are those of f32.
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
//   PADDED                      columns in half precision: a multiple of 16, 128 at most
//   ROOM                        K': a multiple of 32
//   SCALE                       of the halves
//
// Needs half precision and cooperative matrices of 16 × 16 × 16, and subgroups of 32 threads.
//
// A workgroup of 8 subgroups takes 256 rows: dispatch ceil(n / 256). A subgroup keeps its 32 rows in registers from the first
// centroid to the last, as 2 × PADDED/16 matrices. All walk tiles of 32 centroids, which lie in workgroup memory while the next
// tile is fetched into registers. A product of 16 × 16 goes through workgroup memory, from which two threads a row take
// eight values each.
// Traffic per row: 2·d bytes, and 2·k·d / 256 of centroids. Work: 2·k·d operations of the units, 6 for each pair's minimum.
// Workgroup memory: 64·(PADDED + 8) + 10,372 bytes. Registers: 8·PADDED/16 for rows, 16 sums, 8 of the next tile.

enable f16;
enable wgpu_cooperative_matrix;

override DIMENSIONS: u32;
override CLUSTERS: u32;
override PADDED: u32;
override ROOM: u32;
override SCALE: f32;

const SUBGROUPS: u32 = 8u;
const SUBGROUP: u32 = 32u;         // threads; also the rows a subgroup takes
const THREADS: u32 = SUBGROUPS * SUBGROUP;
const ROWS: u32 = THREADS;
const TILE: u32 = 32u;             // centroids
const LINE: u32 = 5u;              // quads from one row of a product to the next: one more than needed keeps banks apart
const PRODUCT: u32 = 16u * LINE;
const SET: u32 = 4u;               // tiles of which a thread keeps one minimum

override QUADS: u32 = PADDED / 4u;
override STEPS: u32 = PADDED / 16u;
// Quads from one row of the tile to the next.
override STRIDE: u32 = QUADS + 2u;
override TILE_QUADS: u32 = TILE * STRIDE;

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

var<workgroup> tile: array<vec4<f16>, TILE_QUADS>;
var<workgroup> norms_tile: array<vec4<f32>, TILE / 4u>;
var<workgroup> rows_listed: u32;
// A product of each subgroup.
var<workgroup> products: array<vec4<f32>, SUBGROUPS * PRODUCT>;

// Where a quad of 32 centroids lies in the tile.
fn tile_at(at: u32) -> u32 {
    return at / QUADS * STRIDE + at % QUADS;
}

// A quad of the tile of centroids that begins at `first`, if there is such a tile.
fn centroid_quad(first: u32, at: u32) -> vec4<f16> {
    if (first >= CLUSTERS || at >= TILE * QUADS) {
        return vec4<f16>();
    }
    return centroid_halves[first * QUADS + at];
}

@compute @workgroup_size(THREADS)
fn assign_halves(
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
    let capacity = arrayLength(&row_halves) / QUADS;
    if (capacity < 16u) {
        // Not one matrix full of rows: all are left to `assign_exact`.
        if (thread < rows) {
            nearest[open[thread]] = 0u;
            lower[open[thread]] = 0.0;
            doubtful[atomicAdd(&counts[1], 1u)] = open[thread];
        }
        return;
    }
    var row0_0: coop_mat16x16<f16, A>;
    var row0_1: coop_mat16x16<f16, A>;
    var row0_2: coop_mat16x16<f16, A>;
    var row0_3: coop_mat16x16<f16, A>;
    var row0_4: coop_mat16x16<f16, A>;
    var row0_5: coop_mat16x16<f16, A>;
    var row0_6: coop_mat16x16<f16, A>;
    var row0_7: coop_mat16x16<f16, A>;
    var row1_0: coop_mat16x16<f16, A>;
    var row1_1: coop_mat16x16<f16, A>;
    var row1_2: coop_mat16x16<f16, A>;
    var row1_3: coop_mat16x16<f16, A>;
    var row1_4: coop_mat16x16<f16, A>;
    var row1_5: coop_mat16x16<f16, A>;
    var row1_6: coop_mat16x16<f16, A>;
    var row1_7: coop_mat16x16<f16, A>;
    // The last rows of the list may be fewer than a matrix has: then one of earlier rows is taken, and those not counted twice.
    let own_row = first_row + SUBGROUP * subgroup;
    let rows0 = min(own_row, capacity - 16u);
    let rows1 = min(own_row + 16u, capacity - 16u);
    row0_0 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS], QUADS);
    row1_0 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS], QUADS);
    if (STEPS > 1u) {
        row0_1 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 4u], QUADS);
        row1_1 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 4u], QUADS);
    }
    if (STEPS > 2u) {
        row0_2 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 8u], QUADS);
        row1_2 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 8u], QUADS);
    }
    if (STEPS > 3u) {
        row0_3 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 12u], QUADS);
        row1_3 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 12u], QUADS);
    }
    if (STEPS > 4u) {
        row0_4 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 16u], QUADS);
        row1_4 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 16u], QUADS);
    }
    if (STEPS > 5u) {
        row0_5 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 20u], QUADS);
        row1_5 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 20u], QUADS);
    }
    if (STEPS > 6u) {
        row0_6 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 24u], QUADS);
        row1_6 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 24u], QUADS);
    }
    if (STEPS > 7u) {
        row0_7 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows0 * QUADS + 28u], QUADS);
        row1_7 = coopLoadT<coop_mat16x16<f16, A>>(&row_halves[rows1 * QUADS + 28u], QUADS);
    }
    var best0 = NOTHING;
    var best1 = NOTHING;
    var found0 = NOBODY;
    var found1 = NOBODY;
    var next0 = centroid_quad(0u, thread);
    var next1 = centroid_quad(0u, thread + THREADS);
    var next2 = centroid_quad(0u, thread + 2u * THREADS);
    var next3 = centroid_quad(0u, thread + 3u * THREADS);
    for (var first = 0u; first < CLUSTERS; first += TILE) {
        workgroupBarrier();
        put(thread, next0);
        put(thread + THREADS, next1);
        put(thread + 2u * THREADS, next2);
        put(thread + 3u * THREADS, next3);
        if (thread < TILE / 4u) {
            let at = first + 4u * thread;
            norms_tile[thread] = vec4(norms[at], norms[at + 1u], norms[at + 2u], norms[at + 3u]);
        }
        workgroupBarrier();
        next0 = centroid_quad(first + TILE, thread);
        next1 = centroid_quad(first + TILE, thread + THREADS);
        next2 = centroid_quad(first + TILE, thread + 2u * THREADS);
        next3 = centroid_quad(first + TILE, thread + 3u * THREADS);
        for (var half = 0u; half < TILE; half += 16u) {
            var sums0 = coop_mat16x16<f32, C>();
            var sums1 = coop_mat16x16<f32, C>();
            {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 0u], STRIDE);
                sums0 = coopMultiplyAdd(row0_0, columns, sums0);
                sums1 = coopMultiplyAdd(row1_0, columns, sums1);
            }
            if (STEPS > 1u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 4u], STRIDE);
                sums0 = coopMultiplyAdd(row0_1, columns, sums0);
                sums1 = coopMultiplyAdd(row1_1, columns, sums1);
            }
            if (STEPS > 2u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 8u], STRIDE);
                sums0 = coopMultiplyAdd(row0_2, columns, sums0);
                sums1 = coopMultiplyAdd(row1_2, columns, sums1);
            }
            if (STEPS > 3u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 12u], STRIDE);
                sums0 = coopMultiplyAdd(row0_3, columns, sums0);
                sums1 = coopMultiplyAdd(row1_3, columns, sums1);
            }
            if (STEPS > 4u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 16u], STRIDE);
                sums0 = coopMultiplyAdd(row0_4, columns, sums0);
                sums1 = coopMultiplyAdd(row1_4, columns, sums1);
            }
            if (STEPS > 5u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 20u], STRIDE);
                sums0 = coopMultiplyAdd(row0_5, columns, sums0);
                sums1 = coopMultiplyAdd(row1_5, columns, sums1);
            }
            if (STEPS > 6u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 24u], STRIDE);
                sums0 = coopMultiplyAdd(row0_6, columns, sums0);
                sums1 = coopMultiplyAdd(row1_6, columns, sums1);
            }
            if (STEPS > 7u) {
                let columns = coopLoad<coop_mat16x16<f16, B>>(&tile[half * STRIDE + 28u], STRIDE);
                sums0 = coopMultiplyAdd(row0_7, columns, sums0);
                sums1 = coopMultiplyAdd(row1_7, columns, sums1);
            }
            coopStoreT(sums0, &products[subgroup * PRODUCT], LINE);
            subgroupBarrier();
            take(&best0, subgroup, lane, first, half);
            subgroupBarrier();
            coopStoreT(sums1, &products[subgroup * PRODUCT], LINE);
            subgroupBarrier();
            take(&best1, subgroup, lane, first, half);
            subgroupBarrier();
        }
        if ((first / TILE) % SET == SET - 1u || first + TILE >= CLUSTERS) {
            join(&found0, best0);
            join(&found1, best1);
            best0 = NOTHING;
            best1 = NOTHING;
        }
    }
    finish(found0, rows0, own_row, rows, subgroup, lane);
    finish(found1, rows1, own_row + 16u, rows, subgroup, lane);
}

fn put(at: u32, quad: vec4<f16>) {
    if (at < TILE * QUADS) {
        tile[tile_at(at)] = quad;
    }
}

// The two threads of a row meet; rows from `first` on are this matrix' own.
fn finish(found: Found, first_row: u32, first: u32, rows: u32, subgroup: u32, lane: u32) {
    let at = subgroup * PRODUCT / 2u + lane;
    show(found, at);
    subgroupBarrier();
    let place = first_row + lane / 2u;
    if (lane % 2u == 0u && place >= first && place < rows) {
        var both = found;
        join_shown(&both, at + 1u);
        settle(place, both);
    }
    subgroupBarrier();
}
