// Rows as each component of a mixture with diagonal covariances sees them: less its mean, in its standard deviations.
//
//   values[r][c·(d + 1) + i] = (points[r][i] − matrix[0][c·(d + 1) + i])·matrix[1][c·(d + 1) + i], within ±2³⁷
//   values[r][c·(d + 1) + d] = 1
//   values[r][k·(d + 1)]     = 0
//
// The difference is formed before it is multiplied, so rows far from zero beside a narrow component lose nothing.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   matrix        2 × m, m = k·(d + 1) + 1: means and inverse standard deviations
//   values        n × m, row-major; n·m < 2²⁹
// Overrides
//   DIMENSIONS    d
//   COMPONENTS    k
//
// A workgroup of 64 threads owns 16 rows; neighbouring threads take neighbouring values of a row. Traffic per row: 4·d bytes read
// k times (from the cache after the first), 8·m of the matrix likewise, 4·m written. Two operations a value.

override DIMENSIONS: u32;
override COMPONENTS: u32;

const THREADS: u32 = 64u;
const ROWS: u32 = 16u;
const FAR: f32 = 137438953472.0;

override WIDTH: u32 = DIMENSIONS + 1u;
override OUTPUTS: u32 = COMPONENTS * (DIMENSIONS + 1u) + 1u;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(THREADS)
fn scale_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let rows = points_shape.x;
    let first_row = (group.x + group.y * groups.x) * ROWS;
    if (first_row >= rows) {
        return;
    }
    let count = min(ROWS, rows - first_row);
    for (var at = thread; at < count * OUTPUTS; at += THREADS) {
        let row = first_row + at / OUTPUTS;
        let output = at % OUTPUTS;
        let column = output % WIDTH;
        var value = 0.0;
        if (column < DIMENSIONS && output + 1u < OUTPUTS) {
            let scaled = (points[row * DIMENSIONS + column] - matrix[output]) * matrix[OUTPUTS + output];
            value = clamp(scaled, -FAR, FAR);
        } else if (output + 1u < OUTPUTS) {
            value = 1.0;
        }
        values[row * OUTPUTS + output] = value;
    }
}
