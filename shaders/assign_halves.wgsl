// Nearest centroids of the rows of lists by matrix units, for rows of up to 128 columns: one product in half precision, with
// sums in f32, fused with the minimum. `settle_rows` makes labels of what it finds, those of f32.
//
//   s(r, j)  = norms[j] - 2·(row_halves[r] · centroid_halves[j]) / SCALE²
//   entries  of each row and each group of centroids it is shown: the two smallest s(r, j) with their labels, where these are known,
//            and a third value: the smallest of the others, or less
//
// How far s is from |x - c|² - |x|² is bounded: see `settle_rows`.
//
// Joined by the parts best, found, blocks, halves.
//
// Bindings
//   row_halves                  the rows in half precision: see `halve_rows`
//   centroid_halves, norms      of the centroids: see `halve_centroids` and `survey_centroids`; zeros from k to K' - 1
//   points_shape                (n, d)
//   lists                       (1 + G) × n: the rows that are shown all groups, and those that are shown one: see `skip_settled`
//   counts                      5 + G: the fourth and those behind are how many rows each list has
//   entries                     G × n × 4 words, written for the rows of the lists
// Overrides
//   CLUSTERS                    k
//   GROUPS                      G
//   WIDTH                       centroids in a group: a multiple of 128, 2¹⁶ at most
//   PADDED                      columns in half precision: a multiple of 16, 128 at most
//   SCALE                       of the halves
//
// Needs half precision and cooperative matrices of 16 × 16 × 16, and subgroups of 32 threads.
//
// A workgroup of 8 subgroups takes blocks of 256 rows of a list, one after the other: dispatch any number. The rows come through
// workgroup memory, 16 columns at a time; then a subgroup keeps its 32 rows in registers from the first centroid to the last, as
// 2 × PADDED/16 matrices. All walk tiles of 32 centroids, which lie in workgroup memory while the next tile is fetched into
// registers. A product of 16 × 16 goes through workgroup memory, from which two threads a row take eight values each.
// Traffic per row: 2·d bytes, 16 a group, and 2·k·d / 256 of centroids. Work: 2·k·d operations of the units, 6 for each pair's
// minimum.
// Workgroup memory: the larger of 64·(PADDED + 8) and 8,192, and 10,368 bytes. Registers: 8·PADDED/16 for rows, 16 sums, 8 of the next tile.

enable f16;
enable wgpu_cooperative_matrix;

override CLUSTERS: u32;
override GROUPS: u32;
override WIDTH: u32;
override PADDED: u32;
override SCALE: f32;

const SUBGROUPS: u32 = 8u;
const SUBGROUP: u32 = 32u;         // threads; also the rows a subgroup takes
const THREADS: u32 = SUBGROUPS * SUBGROUP;
const ROWS: u32 = THREADS;
const TILE: u32 = 32u;             // centroids
const LINE: u32 = 5u;              // quads from one row of a product to the next: one more than needed keeps banks apart
const PRODUCT: u32 = 16u * LINE;
const SET: u32 = 4u * TILE;        // centroids of which a thread keeps one minimum; a group has a multiple of them
const STAGE_QUADS: u32 = 4u;       // of a row, on their way to the registers

override QUADS: u32 = PADDED / 4u;
override STEPS: u32 = PADDED / 16u;
// Quads from one row of the tile to the next.
override STRIDE: u32 = QUADS + 2u;
override TILE_QUADS: u32 = max(TILE * STRIDE, ROWS * STAGE_QUADS);

@group(0) @binding(0) var<storage, read> row_halves: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> centroid_halves: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> entries: array<vec4<u32>>;

var<workgroup> tile: array<vec4<f16>, TILE_QUADS>;
var<workgroup> norms_tile: array<vec4<f32>, TILE / 4u>;
// A product of each subgroup.
var<workgroup> products: array<vec4<f32>, SUBGROUPS * PRODUCT>;

// Where a quad of 32 centroids lies in the tile.
fn tile_at(at: u32) -> u32 {
    return at / QUADS * STRIDE + at % QUADS;
}

// A quad of the tile of centroids that begins at `first`, if there is such a tile.
fn centroid_quad(first: u32, end: u32, at: u32) -> vec4<f16> {
    if (first >= end || at >= TILE * QUADS) {
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
    let blocks = count_blocks();
    for (var number = group.x + group.y * groups.x; number < blocks; number += groups.x * groups.y) {
        search(block_at(number, points_shape.x), thread, subgroup, lane);
    }
}

// Where the rows begin of which a thread fetches quads: every 64th of the block.
struct Fetched {
    a: u32, b: u32, c: u32, d: u32,
}

// Where the first quad of a row of the block lies. Rows past the end repeat the last one.
fn row_at(block: Block, at: u32) -> u32 {
    return lists[block.begin + min(at, block.rows - 1u)] * QUADS;
}

// Brings 16 columns of all rows to where the tile of centroids will be: more memory for them would leave room for fewer workgroups.
fn stage_columns(rows: Fetched, first_quad: u32, thread: u32) {
    let quad = first_quad + thread % STAGE_QUADS;
    let a = row_halves[rows.a + quad];
    let b = row_halves[rows.b + quad];
    let c = row_halves[rows.c + quad];
    let d = row_halves[rows.d + quad];
    workgroupBarrier();
    tile[thread] = a;
    tile[thread + THREADS] = b;
    tile[thread + 2u * THREADS] = c;
    tile[thread + 3u * THREADS] = d;
    workgroupBarrier();
}

fn search(block: Block, thread: u32, subgroup: u32, lane: u32) {
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
    // Centroids past the last are there, as zeros, up to the end of a set.
    let end = block.first + (block.end - block.first + SET - 1u) / SET * SET;
    let fetched = thread / STAGE_QUADS;
    let rows = Fetched(
        row_at(block, fetched), row_at(block, fetched + 64u), row_at(block, fetched + 128u), row_at(block, fetched + 192u),
    );
    let own_row = SUBGROUP * subgroup;
    let own0 = own_row * STAGE_QUADS;
    let own1 = (own_row + 16u) * STAGE_QUADS;
    stage_columns(rows, 0u, thread);
    row0_0 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
    row1_0 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    if (STEPS > 1u) {
        stage_columns(rows, 4u, thread);
        row0_1 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_1 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 2u) {
        stage_columns(rows, 8u, thread);
        row0_2 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_2 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 3u) {
        stage_columns(rows, 12u, thread);
        row0_3 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_3 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 4u) {
        stage_columns(rows, 16u, thread);
        row0_4 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_4 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 5u) {
        stage_columns(rows, 20u, thread);
        row0_5 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_5 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 6u) {
        stage_columns(rows, 24u, thread);
        row0_6 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_6 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    if (STEPS > 7u) {
        stage_columns(rows, 28u, thread);
        row0_7 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own0], STAGE_QUADS);
        row1_7 = coopLoadT<coop_mat16x16<f16, A>>(&tile[own1], STAGE_QUADS);
    }
    var best0 = NOTHING;
    var best1 = NOTHING;
    var found0 = NOBODY;
    var found1 = NOBODY;
    var next0 = centroid_quad(block.first, end, thread);
    var next1 = centroid_quad(block.first, end, thread + THREADS);
    var next2 = centroid_quad(block.first, end, thread + 2u * THREADS);
    var next3 = centroid_quad(block.first, end, thread + 3u * THREADS);
    for (var begin = block.first; begin < block.end; begin += SET) {
        for (var first = begin; first < begin + SET; first += TILE) {
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
            next0 = centroid_quad(first + TILE, end, thread);
            next1 = centroid_quad(first + TILE, end, thread + THREADS);
            next2 = centroid_quad(first + TILE, end, thread + 2u * THREADS);
            next3 = centroid_quad(first + TILE, end, thread + 3u * THREADS);
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
                workgroupBarrier();
                take(&best0, subgroup, lane, first, half);
                workgroupBarrier();
                coopStoreT(sums1, &products[subgroup * PRODUCT], LINE);
                workgroupBarrier();
                take(&best1, subgroup, lane, first, half);
                workgroupBarrier();
            }
        }
        join(&found0, best0);
        join(&found1, best1);
        best0 = NOTHING;
        best1 = NOTHING;
        if ((begin + SET) % WIDTH == 0u || begin + SET >= block.end) {
            finish(found0, found1, block, begin / WIDTH, own_row, lane);
            found0 = NOBODY;
            found1 = NOBODY;
        }
    }
}

fn put(at: u32, quad: vec4<f16>) {
    if (at < TILE * QUADS) {
        tile[tile_at(at)] = quad;
    }
}

// The two threads of a row meet: one takes the rows of the first matrix, which begin at `first_row` of the block, the other those of the
// second.
fn finish(found0: Found, found1: Found, block: Block, group: u32, first_row: u32, lane: u32) {
    let found = meet(found0, found1, lane);
    let place = first_row + 16u * (lane % 2u) + lane / 2u;
    if (place < block.rows) {
        write_entry(lists[block.begin + place], group, points_shape.x, found);
    }
}
