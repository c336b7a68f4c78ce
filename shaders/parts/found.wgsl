// What a search knows of a row, and the entry by which a group of centroids tells it.
//
// Of the kernel it joins it takes the part best, `entries`, and the override WIDTH.

// The two smallest values with their labels, and the third smallest, or less, of all that may be third.
struct Found {
    smallest: f32,
    label: u32,
    rival: f32,
    rival_label: u32,
    third: f32,
}

const NOBODY: Found = Found(FARTHEST, 0u, FARTHEST, 0u, FARTHEST);

// Adds the minimum of one more set.
fn join(found: ptr<function, Found>, best: Best) {
    (*found).third = min(min((*found).third, best.second), max((*found).rival, best.smallest));
    let is_first = best.smallest < (*found).smallest || (best.smallest == (*found).smallest && best.label < (*found).label);
    let is_second = !is_first && best.smallest < (*found).rival;
    (*found).rival_label = select((*found).rival_label, select(best.label, (*found).label, is_first), is_first || is_second);
    (*found).rival = select((*found).rival, select(best.smallest, (*found).smallest, is_first), is_first || is_second);
    (*found).label = select((*found).label, best.label, is_first);
    (*found).smallest = min((*found).smallest, best.smallest);
}

// An entry of four words: the three values, and the two labels, counted from the first of the group, in 16 bits each. Those of one
// group lie together, as blocks of rows write them and threads with a row each read them.
fn write_entry(row: u32, group: u32, rows: u32, found: Found) {
    let first = group * WIDTH;
    // Of one that nobody holds the label is any of the group.
    let label = max(found.label, first) - first;
    let rival = max(found.rival_label, first) - first;
    entries[group * rows + row] = vec4(
        bitcast<u32>(found.smallest), bitcast<u32>(found.rival), bitcast<u32>(found.third), label | (rival << 16u),
    );
}

fn read_entry(row: u32, group: u32, rows: u32) -> Found {
    let first = group * WIDTH;
    let entry = entries[group * rows + row];
    return Found(
        bitcast<f32>(entry.x), first + (entry.w & 0xffffu), bitcast<f32>(entry.y), first + (entry.w >> 16u),
        bitcast<f32>(entry.z),
    );
}
