//! The adapters at hand, for tests of every device.

/// How many there are. Where there is none the test says so, or fails if a GPU is required.
pub(crate) fn at_hand() -> usize {
    let found = superstep::queue::adapters().len();
    if found == 0 {
        let required = std::env::var("SUPERSTEP_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!(required && cfg!(feature = "gpu")), "SUPERSTEP_REQUIRE_GPU=1, and there is no adapter");
        eprintln!("skipped: no adapter");
    }
    found
}
