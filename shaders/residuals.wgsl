// What a loss makes of a row's outputs: its derivative and its value, in place of them. The step of a linear model between the
// product of rows and coefficients and the product of columns and derivatives.
//
// With the outputs z, the target y and the weight w of a row, and the two scales s:
//
//   values[r][c] = w·s₀·dl/dz_c for c < m, and values[r][m] = w·s₁·l
//
//   LOSS 0, one output    l = ½(z − y)²
//   LOSS 1, one output    l = ln(1 + e^z) − y·z, y being 0 or 1
//   LOSS 2                l = ln Σ_c e^{z_c} − z_y
//
// Bindings
//   targets        n × 2, row-major: y and w; n < 2²⁸
//   targets_shape  (n, 2)
//   scales         2
//   values         n × (m + 1), row-major, the outputs and a place for the loss; n·(m + 1) < 2²⁹
// Overrides
//   OUTPUTS        m + 1
//   LOSS           0, 1 or 2
//
// A thread owns a row. Neighbouring threads read neighbouring rows, m + 1 values apart: what one leaves of a line of the cache
// the next steps of the loops take. Traffic per row: 8 bytes of targets, 8·(m + 1) of values, small against the 4·d of the products
// around it. Work: an exponential for each output and a logarithm.

override OUTPUTS: u32;
override LOSS: u32 = 0u;

const THREADS: u32 = 128u;

@group(0) @binding(0) var<storage, read> targets: array<f32>;
@group(0) @binding(1) var<uniform> targets_shape: vec2<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

// ln(1 + e) for e from 0 to 1, as 2·artanh(e / (2 + e)): what the series leaves out is below 1e-8 of it. Devices may be off by 2⁻²¹ in
// their logarithms, always to one side, and 1 + e would round small e away.
fn log_of_one_and(e: f32) -> f32 {
    let t = e / (2.0 + e);
    let square = t * t;
    let tail = 0.14285715 + square * (0.11111111 + square * (0.09090909 + square * 0.07692308));
    return 2.0 * t * (1.0 + square * (0.33333334 + square * (0.2 + square * tail)));
}

@compute @workgroup_size(THREADS)
fn residuals(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * THREADS + thread;
    if (row >= targets_shape.x) {
        return;
    }
    let y = targets[2u * row];
    let weight = targets[2u * row + 1u];
    let scale = weight * scales[0];
    let first = row * OUTPUTS;
    let last = first + OUTPUTS - 1u;
    var loss = 0.0;
    if (LOSS == 0u) {
        let off = values[first] - y;
        loss = 0.5 * off * off;
        values[first] = off * scale;
    } else if (LOSS == 1u) {
        // The side on which the row should not lie: neither small derivatives nor small losses cancel there.
        let side = 1.0 - 2.0 * y;
        let s = side * values[first];
        let e = exp(-abs(s));
        loss = max(s, 0.0) + log_of_one_and(e);
        values[first] = side * select(e, 1.0, s > 0.0) / (1.0 + e) * scale;
    } else {
        let target_at = first + min(u32(y), OUTPUTS - 2u);
        var at_top = first;
        for (var at = first + 1u; at < last; at++) {
            if (values[at] > values[at_top]) {
                at_top = at;
            }
        }
        let top = values[at_top];
        let below = top - values[target_at];
        // The largest is 1; the others are added on their own, so that small ones count.
        var others = 0.0;
        for (var at = first; at < last; at++) {
            let e = exp(values[at] - top);
            values[at] = e;
            others += select(e, 0.0, at == at_top);
        }
        loss = below + select(log(1.0 + others), log_of_one_and(others), others <= 1.0);
        // Of the row's own class the derivative is less the share of all others, which does not cancel.
        let own = values[target_at];
        let rest = select(1.0 + others - own, others, target_at == at_top);
        for (var at = first; at < last; at++) {
            values[at] = select(values[at], -rest, at == target_at) / (1.0 + others) * scale;
        }
    }
    values[last] = loss * weight * scales[1];
}
