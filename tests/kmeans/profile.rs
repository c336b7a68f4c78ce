//! What each round's kernels and items took, where that is asked for.

use crate::support::{blobs, on_every_device};
use superstep::queue::Device;
use superstep::{Init, KMeans};

#[test]
fn a_profile_tells_the_items_of_each_round_and_changes_no_result() {
    on_every_device(|session, name| {
        let points = blobs(600, 40, 5, 3);
        let kmeans = KMeans::new(5).init(Init::Random).n_init(1).seed(4).max_iter(3).tol(0.0).session(session);
        let plain = kmeans.fit(&points)?;
        let profiled = kmeans.clone().profile(true).fit(&points)?;
        assert_eq!(profiled.labels(), plain.labels(), "{name}");
        assert!(plain.trace().iter().all(|round| round.items.is_empty()), "{name}: nobody asked");
        let is_host = session.devices().iter().all(Device::is_host);
        for round in profiled.trace() {
            let timed = |item: &str| round.items.iter().any(|time| time.name == item && time.runs > 0);
            assert!(timed("FindFarthest"), "{name}: an item of the host in {:?}", round.items);
            assert!(!is_host || timed("Reassign"), "{name}: {:?}", round.items);
            // A device without a clock tells nothing of its kernels; one that has one tells of all.
            let kernels = ["own_distance", "skip_settled", "settle_rows", "sum_by_label"];
            assert!(is_host || kernels.map(timed) == [timed("tally_few"); 4], "{name}: {:?}", round.items);
        }
        // What was measured is not left to the next fit.
        assert!(kmeans.fit(&points)?.trace().iter().all(|round| round.items.is_empty()), "{name}");
        Ok(())
    });
}
