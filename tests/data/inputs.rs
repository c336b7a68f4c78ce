use std::path::PathBuf;

use superstep::data::{EXTENSIONS, Input, ReadOptions, RowSource, inputs, open};

use crate::{Folder, all_f64, npy_bytes};

fn row(value: u8) -> Vec<u8> {
    npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }\n", &[value, value])
}

/// The names of the files, and their members.
fn named(folder: &Folder, names: &[&str]) -> Result<Vec<String>, String> {
    let names: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    let found = inputs(&names).map_err(|error| error.to_string())?;
    let name = |Input { path, member }: &Input| {
        let path = path.strip_prefix(folder.path()).unwrap().display().to_string();
        member.as_ref().map_or(path.clone(), |member| format!("{path} → {member}"))
    };
    Ok(found.iter().map(name).collect())
}

#[test]
fn folders_patterns_and_members_are_the_files_they_mean() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("shards/inner.npy")).unwrap();
    std::fs::create_dir(folder.path().join("none")).unwrap();
    for name in [
        "shards/b.npy",
        "shards/a.CSV",
        "shards/c.tsv.gz",
        "shards/.hidden.npy",
        "shards/notes.md",
        "shards/d.gz",
        "shards/d10.npy",
        "shards/d2.npy",
        "none/a.md",
        "odd[1].npy",
        "odd1.npy",
        "s.npz",
        "x.npz:y",
    ] {
        folder.file(name, []);
    }
    let cases: [(&[&str], &[&str]); 9] = [
        (&["odd1.npy", "shards/b.npy"], &["odd1.npy", "shards/b.npy"]),
        (&["shards"], &["shards/a.CSV", "shards/b.npy", "shards/c.tsv.gz", "shards/d10.npy", "shards/d2.npy"]),
        (&["shards/*.npy"], &["shards/b.npy", "shards/d10.npy", "shards/d2.npy"]),
        (&["shards/d?.npy", "shards/b.npy"], &["shards/d2.npy", "shards/b.npy"]),
        // A file of this very name comes before the pattern.
        (&["odd[1].npy"], &["odd[1].npy"]),
        (&["odd[0-9].npy"], &["odd1.npy"]),
        (&["s.npz:train"], &["s.npz → train"]),
        (&["*.npz:train"], &["s.npz → train"]),
        (&["x.npz:y"], &["x.npz:y"]),
    ];
    for (names, expected) in cases {
        assert_eq!(named(&folder, names).unwrap(), expected, "{names:?}");
    }
    let empty = named(&folder, &["none"]).unwrap_err();
    assert!(empty.contains("none: the folder has no file that is read; those end in .npy, .npz,"), "{empty}");
    for pattern in ["shards/*.parquet", "nowhere/*.npy", "*.npz:"] {
        let error = named(&folder, &[pattern]).unwrap_err();
        assert!(error.contains(pattern) && error.contains("no file matches the pattern"), "{error}");
    }
    let error = named(&folder, &["shards/***.npy"]).unwrap_err();
    assert!(error.contains("is no pattern"), "{error}");
}

#[test]
fn files_in_a_folder_are_one_table_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.file("b.npy", row(2));
    folder.file("a.npy", row(1));
    folder.file("c.csv", "3,3\n4,4\n");
    let all = open(&[folder.path().to_owned()], &ReadOptions::default()).unwrap();
    assert_eq!(all_f64(&*all), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    assert_eq!(all.element_type(), "u8, f32");
    folder.file("d.csv", "3,3,3\n");
    let error = open(&[folder.path().join("*")], &ReadOptions::default()).err().unwrap().to_string();
    assert!(error.contains("d.csv: has 3 columns where") && error.contains("a.npy has 2"), "{error}");
}

#[test]
fn the_extensions_that_are_told_are_those_that_are_read() {
    let folder = Folder::new();
    let message = |name: &str| {
        let path = folder.file(name, "nothing that any format takes: \u{0}");
        open(&[path], &ReadOptions::default()).err().unwrap_or_else(|| panic!("{name} was read")).to_string()
    };
    let unknown = message("a.xlsx");
    for extension in EXTENSIONS {
        assert!(unknown.contains(&format!(".{extension}")), "{extension}: {unknown}");
        for name in [format!("a.{extension}"), format!("a.{}", extension.to_uppercase())] {
            let error = message(&name);
            assert!(!error.contains("the extension is not one"), "{name}: {error}");
        }
    }
    assert!(message("a.gz").contains("the extension is not one"));
}

#[test]
fn more_files_than_may_be_open_are_one_table() {
    let folder = Folder::new();
    let count = 3000_usize;
    for at in 0..count {
        folder.file(&format!("{at:04}.npy"), row((at % 251) as u8));
    }
    let all = open(&[folder.path().to_owned()], &ReadOptions::default()).unwrap();
    let expected: Vec<f64> = (0..count).flat_map(|at| [(at % 251) as f64; 2]).collect();
    assert_eq!(all_f64(&*all), expected);
    // Files that were closed meanwhile are still looked after.
    std::fs::write(folder.path().join("0000.npy"), row(9)).unwrap();
    let error = all.read_f64(0, &mut [0.0; 2]).unwrap_err().to_string();
    assert!(error.contains("0000.npy: the file changed while it was read"), "{error}");
    #[cfg(target_os = "linux")]
    {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < 256, "{open} files are open");
    }
}
