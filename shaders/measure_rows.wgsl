// The squared lengths of all rows: what the error of a product in f32 depends on. It follows from the rows alone, so it is found
// once for all rounds.
//
//   lengths[2·r]      = sum over i of points[r][i]²
//   lengths[2·r + 1]  = 0: f32 leaves nothing out
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   lengths       2·n, written
// Overrides
//   DIMENSIONS    d
//
// A workgroup of 256 threads takes 64 rows: dispatch ceil(n / 64). Sixteen threads share four rows and take every sixteenth
// column. A sum takes d/16 + 16 roundings after the term's own.
// Traffic: 4·d bytes read and 8 written a row. Work: 2·d operations a row: memory decides. Workgroup memory: 4 KiB.

override DIMENSIONS: u32;

const ACROSS: u32 = 16u;           // threads that share rows
const THREADS: u32 = 256u;
const ROWS: u32 = 4u * THREADS / ACROSS;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read_write> lengths: array<f32>;

var<workgroup> parts: array<vec4<f32>, THREADS>;

fn square(row: u32, column: u32) -> f32 {
    let value = points[row * DIMENSIONS + column];
    return value * value;
}

@compute @workgroup_size(THREADS)
fn measure_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * ROWS;
    let end = points_shape.x;
    if (first >= end) {
        return;
    }
    // Rows past the end repeat the last one.
    let at = first + 4u * (thread / ACROSS);
    let last = end - 1u;
    var sums = vec4(0.0);
    for (var column = thread % ACROSS; column < DIMENSIONS; column += ACROSS) {
        sums += vec4(
            square(min(at, last), column), square(min(at + 1u, last), column),
            square(min(at + 2u, last), column), square(min(at + 3u, last), column),
        );
    }
    parts[thread] = sums;
    workgroupBarrier();
    if (thread >= ROWS || first + thread >= end) {
        return;
    }
    var total = 0.0;
    for (var part = 0u; part < ACROSS; part++) {
        total += parts[thread / 4u * ACROSS + part][thread % 4u];
    }
    lengths[2u * (first + thread)] = total;
    lengths[2u * (first + thread) + 1u] = 0.0;
}
