// Brings the sums up to date with what has changed, and puts them together with the totals of the round.
//
//   sums[i]     += changes[i]                     64-bit integers, low word first
//   partials[i]  = sums[i], or changes[i] from TOTALS on
//
// Joined by the parts whole, tally_cell.
//
// Bindings
//   changes   partials (see sum_by_label) of the rows that moved, with the inertia and the moves of the round
//   sums      the same of all rounds, added to
//   partials  written
// Overrides
//   TOTALS    the first of the two words of inertia, behind the sums and the masses
//
// A thread takes an integer: dispatch ceil(elements / 64). Moves 24 bytes of each and writes 16.

override TOTALS: u32;

@group(0) @binding(0) var<storage, read> changes: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<u32>;

@compute @workgroup_size(64)
fn tally(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let cell = (group.x + group.y * groups.x) * 64u + thread;
    if (cell >= arrayLength(&changes) / 2u) {
        return;
    }
    tally_cell(cell);
}
