// Nearest centroids of the rows of lists by matrix units, for rows of more columns than `assign_halves` keeps: tiles of 128 rows
// against tiles of 128 centroids. `settle_rows` makes labels of what it finds, those of f32.
//
//   s(r, j)  = norms[j] - 2·(row_halves[r] · centroid_halves[j]) / SCALE²
//   entries  of each row and each group of centroids it is shown: the two smallest s(r, j) with their labels, where these are known,
//            and a third value: the smallest of the others, or less
//
// How far s is from |x - c|² - |x|² is bounded: see `settle_rows`.
//
// Joined by the parts best, found, blocks, halves.
//
// Bindings and overrides: see `assign_halves`; PADDED is a multiple of 64.
//
// Needs half precision and cooperative matrices of 16 × 16 × 16, and subgroups of 32 threads.
//
// A workgroup of 8 subgroups takes blocks of 128 rows of a list, one after the other: dispatch any number. It walks tiles of 128
// centroids and, inside, of 64 columns, which lie in workgroup memory while the next ones are fetched into registers. A subgroup owns
// 32 rows × 64 centroids of a tile, as 2 × 4 matrices. A product of 16 × 16 goes through workgroup memory, from which two threads a
// row take eight values each; the two subgroups of a row meet at the end of a group.
// Traffic per row: 2·d bytes per 128 centroids (from the cache after the first), 16 a group, and 2·k·d / 128 of centroids. Work:
// 2·k·d operations of the units, 6 for each pair's minimum.
// Workgroup memory: 47,616 bytes. Registers: 64 sums, 32 of the next tile, 12 operands.

enable f16;
enable wgpu_cooperative_matrix;

override CLUSTERS: u32;
override GROUPS: u32;
override WIDTH: u32;
override PADDED: u32;
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
@group(0) @binding(1) var<storage, read> centroid_halves: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> entries: array<vec4<u32>>;

var<workgroup> rows_tile: array<vec4<f16>, ROWS * STRIDE>;
var<workgroup> centroids_tile: array<vec4<f16>, TILE * STRIDE>;
var<workgroup> norms_tile: array<vec4<f32>, TILE / 4u>;
// A product of each subgroup.
var<workgroup> products: array<vec4<f32>, SUBGROUPS * PRODUCT>;

// Where the quads begin of which a thread fetches one of a row: it fetches every 16th row of a tile, always the same quad. Rows past
// the end repeat the last one.
fn row_at(block: Block, at: u32) -> u32 {
    return lists[block.begin + min(at / QUADS, block.rows - 1u)] * (PADDED / 4u) + at % QUADS;
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
    let blocks = count_blocks();
    for (var number = group.x + group.y * groups.x; number < blocks; number += groups.x * groups.y) {
        search(block_at(number, points_shape.x), thread, subgroup, lane);
    }
}

fn search(block: Block, thread: u32, subgroup: u32, lane: u32) {
    let own_row = subgroup / 2u * 32u;
    let own_centroid = subgroup % 2u * 64u;
    var best0 = NOTHING;
    var best1 = NOTHING;
    var found0 = NOBODY;
    var found1 = NOBODY;
    let row0 = row_at(block, thread);
    var row_next0 = row_halves[row0];
    var centroid_next0 = centroid_quad(block.first, 0u, thread);
    let row1 = row_at(block, thread + 1u * THREADS);
    var row_next1 = row_halves[row1];
    var centroid_next1 = centroid_quad(block.first, 0u, thread + 1u * THREADS);
    let row2 = row_at(block, thread + 2u * THREADS);
    var row_next2 = row_halves[row2];
    var centroid_next2 = centroid_quad(block.first, 0u, thread + 2u * THREADS);
    let row3 = row_at(block, thread + 3u * THREADS);
    var row_next3 = row_halves[row3];
    var centroid_next3 = centroid_quad(block.first, 0u, thread + 3u * THREADS);
    let row4 = row_at(block, thread + 4u * THREADS);
    var row_next4 = row_halves[row4];
    var centroid_next4 = centroid_quad(block.first, 0u, thread + 4u * THREADS);
    let row5 = row_at(block, thread + 5u * THREADS);
    var row_next5 = row_halves[row5];
    var centroid_next5 = centroid_quad(block.first, 0u, thread + 5u * THREADS);
    let row6 = row_at(block, thread + 6u * THREADS);
    var row_next6 = row_halves[row6];
    var centroid_next6 = centroid_quad(block.first, 0u, thread + 6u * THREADS);
    let row7 = row_at(block, thread + 7u * THREADS);
    var row_next7 = row_halves[row7];
    var centroid_next7 = centroid_quad(block.first, 0u, thread + 7u * THREADS);
    for (var first = block.first; first < block.end; first += TILE) {
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
                next_first = select(block.first, first + TILE, first + TILE < block.end);
            }
            row_next0 = row_halves[row0 + next_column / 4u];
            centroid_next0 = centroid_quad(next_first, next_column, thread);
            row_next1 = row_halves[row1 + next_column / 4u];
            centroid_next1 = centroid_quad(next_first, next_column, thread + 1u * THREADS);
            row_next2 = row_halves[row2 + next_column / 4u];
            centroid_next2 = centroid_quad(next_first, next_column, thread + 2u * THREADS);
            row_next3 = row_halves[row3 + next_column / 4u];
            centroid_next3 = centroid_quad(next_first, next_column, thread + 3u * THREADS);
            row_next4 = row_halves[row4 + next_column / 4u];
            centroid_next4 = centroid_quad(next_first, next_column, thread + 4u * THREADS);
            row_next5 = row_halves[row5 + next_column / 4u];
            centroid_next5 = centroid_quad(next_first, next_column, thread + 5u * THREADS);
            row_next6 = row_halves[row6 + next_column / 4u];
            centroid_next6 = centroid_quad(next_first, next_column, thread + 6u * THREADS);
            row_next7 = row_halves[row7 + next_column / 4u];
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
        // Each product waits until the one before has been looked at.
        workgroupBarrier();
        coopStoreT(sums00, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 0u);
        workgroupBarrier();
        coopStoreT(sums01, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 16u);
        workgroupBarrier();
        coopStoreT(sums02, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 32u);
        workgroupBarrier();
        coopStoreT(sums03, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best0, subgroup, lane, first, own_centroid + 48u);
        workgroupBarrier();
        coopStoreT(sums10, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 0u);
        workgroupBarrier();
        coopStoreT(sums11, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 16u);
        workgroupBarrier();
        coopStoreT(sums12, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 32u);
        workgroupBarrier();
        coopStoreT(sums13, &products[subgroup * PRODUCT], LINE);
        workgroupBarrier();
        take(&best1, subgroup, lane, first, own_centroid + 48u);
        join(&found0, best0);
        join(&found1, best1);
        best0 = NOTHING;
        best1 = NOTHING;
        if ((first + TILE) % WIDTH == 0u || first + TILE >= block.end) {
            finish(meet(found0, found1, lane), block, first / WIDTH, own_row, subgroup, lane);
            found0 = NOBODY;
            found1 = NOBODY;
        }
    }
}

// The two subgroups of a row meet. A thread knows a row of the first matrix, which begins at `first_row` of the block, or of the second.
fn finish(found: Found, block: Block, group: u32, first_row: u32, subgroup: u32, lane: u32) {
    let at = subgroup * PRODUCT + 2u * lane;
    workgroupBarrier();
    products[at] = vec4(found.smallest, f32(found.label), found.rival, f32(found.rival_label));
    products[at + 1u].x = found.third;
    workgroupBarrier();
    let place = first_row + 16u * (lane % 2u) + lane / 2u;
    if (subgroup % 2u == 0u && place < block.rows) {
        let other = products[at + PRODUCT];
        var both = found;
        join_found(&both, Found(other.x, u32(other.y), other.z, u32(other.w), products[at + PRODUCT + 1u].x));
        write_entry(lists[block.begin + place], group, points_shape.x, both);
    }
}
