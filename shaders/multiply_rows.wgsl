// Rows times a small matrix: the step that projections, linear models and mixtures share.
//
//   values[r][c] = bias[c] + Σ_i points[r][i]·matrix[i][c], summed in f32 in the order of the columns
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   matrix        d × m, row-major
//   bias          m
//   values        n × m, row-major; n·m < 2²⁹
// Overrides
//   DIMENSIONS    d
//   OUTPUTS       m
//   ACROSS, DOWN  threads along outputs and rows: 4 × 32, 8 × 16 or 16 × 8
//
// A workgroup of 128 threads owns 8·DOWN rows, all outputs of them: 4·ACROSS at a time. It walks the columns in steps of 8,
// which lie in workgroup memory. A thread owns 8 rows × 4 outputs: for 32 multiplications it reads three vectors.
// Rows past the end repeat the last one; columns and outputs past the end are 0.
// Neighbouring threads fetch neighbouring columns, 32 bytes of a row, which is what memory gives at once. A row of
// the tile has one vector more than it holds, so that those columns lie in different banks.
// Traffic per row: 4·d bytes read per 4·ACROSS outputs (from the cache after the first), 4·d·m / (8·DOWN) of the matrix, 4·m
// written. Work: 2·d·m operations. For 16 outputs or fewer a row brings 8 operations a byte at least, few enough that memory,
// not arithmetic, is what most devices wait for. Workgroup memory: 8.6 KiB (4 × 32), 5.1 KiB or 4.1 KiB (16 × 8).
// Registers: 32 sums, 12 operands.

override DIMENSIONS: u32;
override OUTPUTS: u32;
override ACROSS: u32 = 16u;
override DOWN: u32 = 8u;

const COLUMNS: u32 = 8u;
const THREADS: u32 = 128u;

override ROWS: u32 = 8u * DOWN;
override ROW_QUADS: u32 = 2u * DOWN + 1u;
override TILE: u32 = 4u * ACROSS;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;

// Quads of rows, column by column; and quads of outputs likewise.
var<workgroup> row_tile: array<vec4<f32>, COLUMNS * ROW_QUADS>;
var<workgroup> matrix_tile: array<vec4<f32>, COLUMNS * ACROSS>;

fn fetch_rows(first_row: u32, rows: u32, first_column: u32, thread: u32) {
    for (var at = thread; at < ROWS * COLUMNS; at += THREADS) {
        let row = at / COLUMNS;
        let column = at % COLUMNS;
        var value = 0.0;
        if (first_column + column < DIMENSIONS) {
            value = points[min(first_row + row, rows - 1u) * DIMENSIONS + first_column + column];
        }
        row_tile[column * ROW_QUADS + row / 4u][row % 4u] = value;
    }
}

fn fetch_matrix(first_column: u32, first_output: u32, thread: u32) {
    for (var at = thread; at < TILE * COLUMNS; at += THREADS) {
        let column = first_column + at / TILE;
        let output = first_output + at % TILE;
        var value = 0.0;
        if (column < DIMENSIONS && output < OUTPUTS) {
            value = matrix[column * OUTPUTS + output];
        }
        matrix_tile[at / 4u][at % 4u] = value;
    }
}

fn bias_at(output: u32) -> f32 {
    if (output >= OUTPUTS) {
        return 0.0;
    }
    return bias[output];
}

fn put(row: u32, rows: u32, output: u32, sum: vec4<f32>) {
    if (row >= rows) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if (output + i < OUTPUTS) {
            values[row * OUTPUTS + output + i] = sum[i];
        }
    }
}

@compute @workgroup_size(THREADS)
fn multiply_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let rows = points_shape.x;
    let first_row = (group.x + group.y * groups.x) * ROWS;
    if (first_row >= rows) {
        return;
    }
    let x = thread % ACROSS;
    let y = thread / ACROSS;
    for (var first_output = 0u; first_output < OUTPUTS; first_output += TILE) {
        let output = first_output + 4u * x;
        let start = vec4(bias_at(output), bias_at(output + 1u), bias_at(output + 2u), bias_at(output + 3u));
        var sum0 = start; var sum1 = start; var sum2 = start; var sum3 = start;
        var sum4 = start; var sum5 = start; var sum6 = start; var sum7 = start;
        for (var first_column = 0u; first_column < DIMENSIONS; first_column += COLUMNS) {
            workgroupBarrier();
            fetch_rows(first_row, rows, first_column, thread);
            fetch_matrix(first_column, first_output, thread);
            workgroupBarrier();
            for (var i = 0u; i < COLUMNS; i++) {
                let a = row_tile[i * ROW_QUADS + y];
                let b = row_tile[i * ROW_QUADS + y + DOWN];
                let w = matrix_tile[i * ACROSS + x];
                sum0 += a.x * w; sum1 += a.y * w; sum2 += a.z * w; sum3 += a.w * w;
                sum4 += b.x * w; sum5 += b.y * w; sum6 += b.z * w; sum7 += b.w * w;
            }
        }
        // A thread's rows are those of quads y and y + DOWN.
        let row_a = first_row + 4u * y;
        let row_b = row_a + 4u * DOWN;
        put(row_a, rows, output, sum0);
        put(row_a + 1u, rows, output, sum1);
        put(row_a + 2u, rows, output, sum2);
        put(row_a + 3u, rows, output, sum3);
        put(row_b, rows, output, sum4);
        put(row_b + 1u, rows, output, sum5);
        put(row_b + 2u, rows, output, sum6);
        put(row_b + 3u, rows, output, sum7);
    }
}
