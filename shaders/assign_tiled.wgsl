// Nearest centroids of the rows of lists, for more than a few dimensions: a tiled product of rows and centroids fused with the
// minimum, so that no n × k matrix is ever stored. `settle_rows` makes labels of what it finds.
//
//   s(r, j)  = norms[j] - 2·(points[r] · centroids[j]), which is D(r, j) - |points[r]|²
//   entries  of each row and each group of centroids it is shown: the two smallest s(r, j) with their labels, and a third value: the
//            smallest of the others, or less
//
// One multiplication and addition a pair and column, where the difference form takes a subtraction more. What
// cancellation does to s is bounded: see `settle_rows`.
//
// Joined by the parts best, found, blocks, columns.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   centroids     k × d, row-major
//   points_shape  (n, d)
//   norms         the squared lengths of the centroids: see `survey_centroids`
//   lists         (1 + G) × n: the rows that are shown all groups, and those that are shown one: see `skip_settled`
//   counts        5 + G: the fourth and those behind are how many rows each list has
//   entries       G × n × 4 words, written for the rows of the lists
// Overrides
//   DIMENSIONS    d
//   CLUSTERS      k, below 2²⁴
//   GROUPS        G
//   WIDTH         centroids in a group: a multiple of 128, 2¹⁶ at most
//   ACROSS, DOWN  threads along centroids and rows: 8 or 16 each
//
// A workgroup of ACROSS × DOWN threads takes blocks of 8·DOWN rows of a list, one after the other: dispatch any number. It walks tiles
// of 8·ACROSS centroids and, inside, of 16 columns, which lie in workgroup memory while the next ones are fetched into registers. A
// thread owns 8 rows × 8 centroids of a tile: for 64 multiplications it reads 16 values, four vectors, from workgroup
// memory. It keeps the smallest, the second smallest and the label of its rows in registers until the end of a group; the
// threads of a line meet then.
// Rows past the end repeat the last one; columns past the end add nothing; a centroid past the end has the norm that no
// minimum takes.
// Traffic per row: 4d bytes read per 8·ACROSS centroids (from the cache after the first), 16 written a group, and
// 4·k·d / (8·DOWN) of centroids. Work: 2·k·d operations, and 5 for each pair's minimum: a (0.4·d)-th.
// Workgroup memory: 512·(ACROSS + DOWN) bytes, 16 KiB at most. Registers: 64 sums, 24 for the minima, 16 operands, 16 to 32 of the next
// tile. A thread fetches four columns of a row and stores them to four quads: neighbours take neighbouring rows, so that they
// store to different banks.

override DIMENSIONS: u32;
override CLUSTERS: u32;
override GROUPS: u32;
override WIDTH: u32;
override ACROSS: u32 = 8u;
override DOWN: u32 = 8u;

const COLUMNS: u32 = 16u;

// Quads of rows and of centroids in a tile: two a thread each.
override ROW_QUADS: u32 = 2u * DOWN;
override CENTROID_QUADS: u32 = 2u * ACROSS;
override THREADS: u32 = ACROSS * DOWN;
override CENTROID_TILE: u32 = COLUMNS * ROW_QUADS;
override ROWS: u32 = 4u * ROW_QUADS;

@group(0) @binding(2) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> entries: array<vec4<u32>>;

// Quads of rows, column by column, then quads of centroids. At the end, what the threads found for half of the rows:
// smallest, second, label.
var<workgroup> tile: array<vec4<f32>, COLUMNS * (ROW_QUADS + CENTROID_QUADS)>;

// Of what a thread fetches the `at`-th is of row at % rows (or centroids), columns 4·(at / rows) and the three behind.
fn row_begin(block: Block, at: u32) -> u32 {
    return lists[block.begin + min(at % ROWS, block.rows - 1u)] * DIMENSIONS;
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

fn shown(best: Best) -> vec4<f32> {
    return vec4(best.smallest, best.second, f32(best.label), 0.0);
}

@compute @workgroup_size(ACROSS, DOWN)
fn assign_tiled(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) place: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let blocks = count_blocks();
    for (var number = group.x + group.y * groups.x; number < blocks; number += groups.x * groups.y) {
        search(block_at(number, points_shape.x), place, thread);
    }
}

fn search(block: Block, place: vec3<u32>, thread: u32) {
    // A thread's rows are those of quads y and y + DOWN, its centroids those of quads x and x + ACROSS.
    var best0 = NOTHING; var best1 = NOTHING; var best2 = NOTHING; var best3 = NOTHING;
    var best4 = NOTHING; var best5 = NOTHING; var best6 = NOTHING; var best7 = NOTHING;
    // Four or two fetches of rows, and as many of centroids, each of four columns.
    let row_begin0 = row_begin(block, thread);
    let row_begin1 = row_begin(block, thread + THREADS);
    let row_begin2 = row_begin(block, thread + 2u * THREADS);
    let row_begin3 = row_begin(block, thread + 3u * THREADS);
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
    var centroid_next0 = centroid_columns(centroid_begin(block.first, thread), centroid_column0);
    var centroid_next1 = centroid_columns(centroid_begin(block.first, thread + THREADS), centroid_column1);
    var centroid_next2 = vec4(0.0);
    var centroid_next3 = vec4(0.0);
    if (DOWN == 8u) {
        centroid_next2 = centroid_columns(centroid_begin(block.first, thread + 2u * THREADS), centroid_column2);
        centroid_next3 = centroid_columns(centroid_begin(block.first, thread + 3u * THREADS), centroid_column3);
    }

    for (var first = block.first; first < block.end; first += 4u * CENTROID_QUADS) {
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
        watch(&best0, a - 2.0 * sum0a, label_a, b - 2.0 * sum0b, label_b);
        watch(&best1, a - 2.0 * sum1a, label_a, b - 2.0 * sum1b, label_b);
        watch(&best2, a - 2.0 * sum2a, label_a, b - 2.0 * sum2b, label_b);
        watch(&best3, a - 2.0 * sum3a, label_a, b - 2.0 * sum3b, label_b);
        watch(&best4, a - 2.0 * sum4a, label_a, b - 2.0 * sum4b, label_b);
        watch(&best5, a - 2.0 * sum5a, label_a, b - 2.0 * sum5b, label_b);
        watch(&best6, a - 2.0 * sum6a, label_a, b - 2.0 * sum6b, label_b);
        watch(&best7, a - 2.0 * sum7a, label_a, b - 2.0 * sum7b, label_b);
        if ((first + 4u * CENTROID_QUADS) % WIDTH != 0u && first + 4u * CENTROID_QUADS < block.end) {
            continue;
        }
        // The end of a group: half of the rows, then the other: the tile has room for one.
        let at = 4u * place.y * ACROSS + place.x;
        workgroupBarrier();
        tile[at] = shown(best0);
        tile[at + ACROSS] = shown(best1);
        tile[at + 2u * ACROSS] = shown(best2);
        tile[at + 3u * ACROSS] = shown(best3);
        workgroupBarrier();
        finish(block, first / WIDTH, 0u, thread);
        workgroupBarrier();
        tile[at] = shown(best4);
        tile[at + ACROSS] = shown(best5);
        tile[at + 2u * ACROSS] = shown(best6);
        tile[at + 3u * ACROSS] = shown(best7);
        workgroupBarrier();
        finish(block, first / WIDTH, 4u * DOWN, thread);
        best0 = NOTHING; best1 = NOTHING; best2 = NOTHING; best3 = NOTHING;
        best4 = NOTHING; best5 = NOTHING; best6 = NOTHING; best7 = NOTHING;
    }
}

// Each thread of the first few tells what was found for a row, from row `half` of the block on.
fn finish(block: Block, group: u32, half: u32, thread: u32) {
    if (thread >= 4u * DOWN || half + thread >= block.rows) {
        return;
    }
    var found = NOBODY;
    for (var x = 0u; x < ACROSS; x++) {
        let one = tile[thread * ACROSS + x];
        join(&found, Best(one.x, one.y, u32(one.z)));
    }
    write_entry(lists[block.begin + half + thread], group, points_shape.x, found);
}
