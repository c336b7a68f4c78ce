// All rows in half precision, with their lengths and with what half precision leaves out: what the matrix units of `assign_halves`
// and `assign_halves_wide` take. It follows from the rows alone, so it is found once for all rounds.
//
//   row_halves[r]     = SCALE·points[r] in half precision, columns d to PADDED - 1 zero, two to a word
//   lengths[2·r]      = sum over i of points[r][i]²
//   lengths[2·r + 1]  ≥ |points[r] - row_halves[r] / SCALE|
//
// Joined by the parts half_rest, root_above.
//
// Bindings
//   points        n × d, row-major; n·d < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, d)
//   row_halves    n × PADDED / 2 words, written
//   lengths       2·n, written
// Overrides
//   DIMENSIONS    d
//   PADDED        columns in half precision, even, d or more
//   SCALE         a power of two that brings the largest value near 2¹⁴
//
// A workgroup of 256 threads takes 64 rows: dispatch ceil(n / 64). Sixteen threads share four rows and take every sixteenth
// pair of columns. What half precision leaves out is found from the halves themselves, however the device rounds. A sum takes
// d/16 + 18 roundings after the term's own.
// Traffic: 6·d bytes a row. Work: 10 operations a value: memory decides. Workgroup memory: 8 KiB.

override DIMENSIONS: u32;
override PADDED: u32;
override SCALE: f32;

const ACROSS: u32 = 16u;
const THREADS: u32 = 256u;
const ROWS: u32 = 4u * THREADS / ACROSS;

@group(0) @binding(0) var<storage, read> points: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read_write> row_halves: array<u32>;
@group(0) @binding(3) var<storage, read_write> lengths: array<f32>;

// A thread's part of the squares of its four rows, and of what is left out of them.
var<workgroup> squares: array<vec4<f32>, THREADS>;
var<workgroup> rests: array<vec4<f32>, THREADS>;

fn value_at(row: u32, column: u32) -> f32 {
    if (column >= DIMENSIONS) {
        return 0.0;
    }
    return points[row * DIMENSIONS + column];
}

// Writes a word; returns the squares of its two values and of what it leaves out of them.
fn halve(row: u32, end: u32, word: u32) -> vec2<f32> {
    if (row >= end) {
        return vec2(0.0);
    }
    let value = vec2(value_at(row, 2u * word), value_at(row, 2u * word + 1u));
    let halves = pack2x16float(SCALE * value);
    let rest = rest_of(value, halves);
    row_halves[row * (PADDED / 2u) + word] = halves;
    return vec2(dot(value, value), dot(rest, rest));
}

@compute @workgroup_size(THREADS)
fn halve_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * ROWS;
    let end = points_shape.x;
    if (first >= end) {
        return;
    }
    let row = first + 4u * (thread / ACROSS);
    var square = vec4(0.0);
    var rest = vec4(0.0);
    for (var word = thread % ACROSS; word < PADDED / 2u; word += ACROSS) {
        let a = halve(row, end, word);
        let b = halve(row + 1u, end, word);
        let c = halve(row + 2u, end, word);
        let d = halve(row + 3u, end, word);
        square += vec4(a.x, b.x, c.x, d.x);
        rest += vec4(a.y, b.y, c.y, d.y);
    }
    squares[thread] = square;
    rests[thread] = rest;
    workgroupBarrier();
    if (thread >= ROWS || first + thread >= end) {
        return;
    }
    var total = vec2(0.0);
    for (var part = 0u; part < ACROSS; part++) {
        let place = thread / 4u * ACROSS + part;
        total += vec2(squares[place][thread % 4u], rests[place][thread % 4u]);
    }
    lengths[2u * (first + thread)] = total.x;
    lengths[2u * (first + thread) + 1u] = root_above(total.y, ACROSS) + unseen(DIMENSIONS);
}
