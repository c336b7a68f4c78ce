//! Cases computed by hand, and that the layout and type of the input do not matter.

use crate::support::{
    assert_close, assert_near, assert_same_labels, blobs, first_rows, on_every_device, on_quick_devices, wide,
};
use ndarray::{Array2, ShapeBuilder, array, s};
use superstep::data::RowSource;
use superstep::{EmptyClusters, Init, KMeans, KMeansModel, Metric, Result, Session};

fn hand_case(session: &Session, points: &impl RowSource) -> Result<KMeansModel> {
    let kmeans = KMeans::new(2).init(Init::Centroids(array![[0.0, 0.0], [1.0, 1.0]])).session(session);
    let dataset = kmeans.dataset(points)?.with_weights(vec![3.0_f32, 1.0, 1.0, 3.0])?;
    kmeans.fit_dataset(&dataset)
}

#[test]
fn the_hand_computed_case_comes_out_in_every_type_and_layout() {
    let points = array![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0]];
    on_every_device(|session, name| {
        let narrow = points.mapv(|value| value as f32);
        let fortran = Array2::from_shape_fn((4, 2).f(), |at| points[at]);
        let models = [
            ("f64", hand_case(session, &points)?),
            ("f32", hand_case(session, &narrow)?),
            ("Fortran order", hand_case(session, &fortran)?),
        ];
        for (layout, model) in models {
            let case = format!("{name}, {layout}");
            assert_eq!(model.labels(), [0, 0, 1, 1], "{case}");
            assert_eq!(model.cluster_sizes(), [2, 2], "{case}");
            assert_eq!(model.iterations(), 2, "{case}");
            assert!(model.converged(), "{case}");
            assert_near(model.inertia(), 0.375, 1e-6, &case);
            assert_close(model.centroids(), &array![[0.125, 0.0], [0.875, 1.0]], 1e-7, &case);
        }
        Ok(())
    });
}

#[test]
fn each_clusters_share_of_the_inertia_is_told_where_it_is_asked_for() {
    let points = array![[0.0_f32, 0.0], [0.5, 0.0], [0.5, 1.0], [1.0, 1.0], [9.0, 9.0]];
    // The third start is far off: its cluster is empty, and dropped.
    let start = Init::Centroids(array![[0.0, 0.0], [1.0, 1.0], [-90.0, 0.0], [9.0, 9.0]]);
    on_every_device(|session, name| {
        let kmeans = KMeans::new(4).init(start.clone()).empty_clusters(EmptyClusters::Drop).session(session);
        let dataset = kmeans.dataset(&points)?.with_weights(vec![3.0_f32, 1.0, 1.0, 3.0, 2.0])?;
        let model = kmeans.clone().cluster_inertias(true).fit_dataset(&dataset)?;
        assert_eq!(model.cluster_inertias().len(), 3, "{name}");
        for (found, expected) in model.cluster_inertias().iter().zip([0.1875, 0.1875, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{name}: {:?}", model.cluster_inertias());
        }
        let plain = kmeans.fit_dataset(&dataset)?;
        assert!(plain.cluster_inertias().is_empty(), "{name}");
        assert_eq!(plain.inertia().to_bits(), model.inertia().to_bits(), "{name}");
        Ok(())
    });
}

#[test]
fn layouts_of_one_table_give_the_same_bits() {
    let points = blobs(301, 5, 4, 1);
    let fortran = Array2::from_shape_fn(points.dim().f(), |at| points[at]);
    let padded = Array2::from_shape_fn((602, 15), |(row, column)| {
        if row % 2 == 0 && column % 3 == 0 { points[(row / 2, column / 3)] } else { f32::NAN }
    });
    let upside_down = Array2::from_shape_fn(points.dim(), |(row, column)| points[(300 - row, column)]);
    on_quick_devices(|session, name| {
        let kmeans = KMeans::new(6).seed(3).session(session);
        let expected = kmeans.fit(&points)?;
        let models = [
            ("Fortran order", kmeans.fit(&fortran)?),
            ("every other row, every third column", kmeans.fit(&padded.slice(s![..;2, ..;3]))?),
            ("negative strides", kmeans.fit(&upside_down.slice(s![..;-1, ..]))?),
        ];
        for (layout, model) in models {
            assert_eq!(model.labels(), expected.labels(), "{name}, {layout}");
            assert_eq!(model.centroids(), expected.centroids(), "{name}, {layout}");
            assert_eq!(model.inertia().to_bits(), expected.inertia().to_bits(), "{name}, {layout}");
        }
        Ok(())
    });
}

#[test]
fn f32_and_f64_input_give_the_same_clusters() {
    let points = blobs(300, 7, 5, 2);
    on_quick_devices(|session, name| {
        let kmeans = KMeans::new(5).init(first_rows(&points, 5)).session(session);
        let (narrow, wide) = (kmeans.fit(&points)?, kmeans.fit(&wide(&points))?);
        assert_eq!(narrow.labels(), wide.labels(), "{name}");
        assert_eq!(narrow.iterations(), wide.iterations(), "{name}");
        assert_close(narrow.centroids(), wide.centroids(), 1e-6, name);
        assert_near(narrow.inertia(), wide.inertia(), 1e-5, name);
        Ok(())
    });
}

#[test]
fn the_arrays_of_the_caller_are_untouched() {
    let (points, start) = (blobs(100, 3, 3, 3), Array2::from_elem((3, 3), 0.5));
    let (before, start_before) = (points.clone(), start.clone());
    on_quick_devices(|session, name| {
        let init = Init::Centroids(start.clone());
        let model = KMeans::new(3).init(init.clone()).session(session).fit(&points)?;
        model.predict(&points)?;
        model.transform(&points)?;
        assert_eq!(points, before, "{name}");
        assert_eq!(init, Init::Centroids(start_before.clone()), "{name}");
        Ok(())
    });
}

#[test]
fn a_constant_offset_moves_centroids_and_nothing_else() {
    // The values are multiples of 1/64, so that adding 10⁴ to them in f32 is exact.
    let points = blobs(400, 6, 5, 4).mapv(|value| (value * 64.0).round() / 64.0);
    let far = points.mapv(|value| value + 1e4);
    on_quick_devices(|session, name| {
        let kmeans = |points: &Array2<f32>| KMeans::new(5).init(first_rows(points, 5)).session(session);
        let (near, far_model) = (kmeans(&points).fit(&points)?, kmeans(&far).fit(&far)?);
        let far_wide = kmeans(&far).fit(&wide(&far))?;
        assert_eq!(far_model.labels(), near.labels(), "{name}");
        assert_eq!(far_model.labels(), far_wide.labels(), "{name}");
        assert_near(far_model.inertia(), near.inertia(), 1e-5, name);
        let back = far_model.centroids() - 1e4;
        assert_close(&back, near.centroids(), 1e-6, name);
        assert_same_labels(
            &far_model.predict(&far)?,
            near.labels(),
            &wide(&far),
            far_model.centroids(),
            Metric::Euclidean,
            name,
        );
        Ok(())
    });
}
