// The expectation step of a Gaussian mixture, from rows as each component sees them (whitened: less its mean, by its deviations).
//
//   ℓ[c]         = offsets[c] − ½ Σ_i<d values[r][c·(d + 1) + i]²
//   L            = log Σ_c exp ℓ[c]                      of which the largest ℓ is taken out first
//   shares[r][c] = exp(ℓ[c] − L)
//   values[r][k·(d + 1)] = L
//   and where WEIGH is 1, values[r][c·(d + 1) + i] *= shares[r][c] for i ≤ d
//
// Bindings
//   values        n × m, m = k·(d + 1) + 1, row-major; n·m < 2²⁹ (a binding holds less than 2³¹ bytes), so indices fit u32
//   points_shape  (n, any)
//   offsets       k: what a component's log-density is at its mean, with the log of its weight
//   shares        n × k, row-major
// Overrides
//   DIMENSIONS    d
//   COMPONENTS    k
//   WEIGH         1 where values are to be weighed
//
// Values count as within ±2³⁷, and half the sum of their squares as at most 2⁷⁴: so nothing leaves f32, however narrow a component
// is, and the shares of a row add up to 1 always.
// A workgroup of 64 threads owns 16 rows, in three steps between barriers: a thread takes pairs of rows and components, then a
// row, then values. Traffic per row: 4·m bytes read, as much again read and written to weigh, and some 16·k.

override DIMENSIONS: u32;
override COMPONENTS: u32;
override WEIGH: u32;

const THREADS: u32 = 64u;
const ROWS: u32 = 16u;
const FAR: f32 = 137438953472.0;
const FAR_SQUARED: f32 = 18889465931478580854784.0;

override WIDTH: u32 = DIMENSIONS + 1u;
override OUTPUTS: u32 = COMPONENTS * (DIMENSIONS + 1u) + 1u;

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<uniform> points_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> offsets: array<f32>;
@group(0) @binding(3) var<storage, read_write> shares: array<f32>;

fn log_density(row: u32, component: u32) -> f32 {
    let start = row * OUTPUTS + component * WIDTH;
    var squares = 0.0;
    for (var i = 0u; i < DIMENSIONS; i++) {
        let value = clamp(values[start + i], -FAR, FAR);
        squares += value * value;
    }
    return offsets[component] - min(0.5 * squares, FAR_SQUARED);
}

// Turns the log-densities of a row into shares, and returns the log of their sum.
fn share_out(row: u32) -> f32 {
    let start = row * COMPONENTS;
    var largest = shares[start];
    for (var c = 1u; c < COMPONENTS; c++) {
        largest = max(largest, shares[start + c]);
    }
    var sum = 0.0;
    for (var c = 0u; c < COMPONENTS; c++) {
        let density = exp(shares[start + c] - largest);
        shares[start + c] = density;
        sum += density;
    }
    for (var c = 0u; c < COMPONENTS; c++) {
        shares[start + c] /= sum;
    }
    return largest + log(sum);
}

@compute @workgroup_size(THREADS)
fn responsibilities(
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
    for (var at = thread; at < count * COMPONENTS; at += THREADS) {
        let row = first_row + at / COMPONENTS;
        shares[row * COMPONENTS + at % COMPONENTS] = log_density(row, at % COMPONENTS);
    }
    storageBarrier();
    if (thread < count) {
        let row = first_row + thread;
        values[row * OUTPUTS + OUTPUTS - 1u] = share_out(row);
    }
    storageBarrier();
    if (WEIGH == 0u) {
        return;
    }
    let weighed = OUTPUTS - 1u;
    for (var at = thread; at < count * weighed; at += THREADS) {
        let row = first_row + at / weighed;
        let output = at % weighed;
        let cell = row * OUTPUTS + output;
        values[cell] = clamp(values[cell], -FAR, FAR) * shares[row * COMPONENTS + output / WIDTH];
    }
}
