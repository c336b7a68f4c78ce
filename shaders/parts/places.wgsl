// The rows that are measured, and whom they belong to.
//
// Of the kernel it joins it takes `undecided`, `nearest`, the override CLUSTERS, and LISTED, whether only the rows of the list are
// looked at.

// A row, and its cluster: k where there is nothing to do.
struct Place {
    row: u32,
    cluster: u32,
}

fn place_at(at: u32, end: u32) -> Place {
    if (at >= end) {
        return Place(0u, CLUSTERS);
    }
    var row = at;
    if (LISTED) {
        row = undecided[at];
    }
    return Place(row, min(nearest[row], CLUSTERS));
}
