// Brings one of the sums up to date.
//
// Of the kernel it joins it takes `changes`, `sums`, `partials`, the part whole, and the override TOTALS.

fn tally_cell(cell: u32) {
    let change = vec2(changes[2u * cell], changes[2u * cell + 1u]);
    let sum = add(vec2(sums[2u * cell], sums[2u * cell + 1u]), change);
    sums[2u * cell] = sum.x;
    sums[2u * cell + 1u] = sum.y;
    let partial = select(sum, change, cell >= TOTALS);
    partials[2u * cell] = partial.x;
    partials[2u * cell + 1u] = partial.y;
}
