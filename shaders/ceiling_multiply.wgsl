// Multiplies and adds and does nothing else, to measure how fast a device can: the most that any kernel can compute.
//
// Bindings
//   sums  one a thread, written, so that nothing is left out as useless
//
// A thread keeps 8 vectors of sums, which do not wait for each other, and runs 64 rounds: 64 · 8 · 4 multiplications and
// additions. Dispatch any number of workgroups of 256 threads.

const ROUNDS: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn ceiling_multiply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * 256u + thread;
    // Values that no compiler knows.
    let factor = vec4(1.0 - f32(at % 7u) * 0x1p-10);
    let term = vec4(f32(thread) * 0x1p-12);
    var a = vec4(0.0);
    var b = vec4(1.0);
    var c = vec4(2.0);
    var d = vec4(3.0);
    var e = vec4(4.0);
    var f = vec4(5.0);
    var g = vec4(6.0);
    var h = vec4(7.0);
    for (var round = 0u; round < ROUNDS; round++) {
        a = a * factor + term;
        b = b * factor + term;
        c = c * factor + term;
        d = d * factor + term;
        e = e * factor + term;
        f = f * factor + term;
        g = g * factor + term;
        h = h * factor + term;
    }
    let total = ((a + b) + (c + d)) + ((e + f) + (g + h));
    if (at < arrayLength(&sums)) {
        sums[at] = (total.x + total.y) + (total.z + total.w);
    }
}
