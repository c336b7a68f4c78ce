//! When a fit ends, and what it says of that.

use crate::oracle::Lloyd;
use crate::support::{assert_close, assert_near, first_rows, noise, on_every_device, wide};
use superstep::{Init, KMeans, Metric};

#[test]
fn without_a_tolerance_only_strict_convergence_stops() {
    let points = noise(300, 3, 21);
    let start = wide(&points).slice_move(ndarray::s![..8, ..]);
    let expected = Lloyd::new(&wide(&points), Metric::Euclidean, 300).run(&start);
    assert!(!expected.ambiguous && expected.iterations > 5, "the case is to be a long one");
    on_every_device(|session, name| {
        let kmeans = KMeans::new(8).init(Init::Centroids(start.clone())).tol(0.0).session(session);
        let model = kmeans.fit(&points)?;
        assert!(model.converged(), "{name}");
        assert_eq!(model.labels(), expected.labels, "{name}");
        assert_eq!(model.iterations(), expected.iterations, "{name}");
        assert_near(model.inertia(), expected.inertia, 1e-5, name);

        // One round less than it takes is not enough, and just as many are.
        let short = kmeans.clone().max_iter(expected.iterations - 2).fit(&points)?;
        assert!(!short.converged(), "{name}");
        assert_eq!(short.iterations(), expected.iterations - 2, "{name}");
        let enough = kmeans.max_iter(expected.iterations).fit(&points)?;
        assert_eq!(enough.iterations(), expected.iterations, "{name}");
        assert_eq!(enough.labels(), expected.labels, "{name}");
        Ok(())
    });
}

#[test]
fn rounds_are_updates_and_labels_belong_to_the_last_one() {
    let points = noise(300, 3, 21);
    let start = wide(&points).slice_move(ndarray::s![..8, ..]);
    on_every_device(|session, name| {
        for rounds in [1, 2, 4] {
            let expected = Lloyd::new(&wide(&points), Metric::Euclidean, rounds).run(&start);
            let kmeans = KMeans::new(8).init(Init::Centroids(start.clone())).tol(0.0).max_iter(rounds);
            let model = kmeans.session(session).fit(&points)?;
            let case = format!("{name}, {rounds} rounds");
            assert_eq!(model.iterations(), rounds, "{case}");
            assert!(!model.converged(), "{case}");
            assert_close(model.centroids().view(), expected.centroids.view(), 1e-6, &case);
            assert_eq!(model.labels(), expected.labels, "{case}");
            assert_near(model.inertia(), expected.inertia, 1e-5, &case);
            assert_eq!(model.trace().len() as u32, rounds + 1, "{case}");
        }
        Ok(())
    });
}

#[test]
fn the_tolerance_is_relative_to_the_mean_variance() {
    let points = noise(400, 4, 22);
    let wide_points = wide(&points);
    let variance = wide_points.var_axis(ndarray::Axis(0), 0.0).mean().expect("there are columns");
    on_every_device(|session, name| {
        let kmeans = KMeans::new(6).init(first_rows(&points, 6)).session(session);
        let trace = kmeans.clone().tol(0.0).fit(&points)?.trace().to_vec();
        for round in &trace[1..trace.len().min(5)] {
            // A hair above this round's shift stops here, unless an earlier round moved as little.
            let tol = round.shift / variance * 1.001;
            let first = trace.iter().skip(1).find(|earlier| earlier.shift <= tol * variance);
            let model = kmeans.clone().tol(tol).fit(&points)?;
            assert_eq!(Some(model.iterations()), first.map(|first| first.iteration), "{name}, tol {tol}");
            assert!(model.converged(), "{name}, tol {tol}");
        }
        Ok(())
    });
}

#[test]
fn the_trace_of_a_fit_goes_down_to_its_inertia() {
    let points = noise(500, 5, 23);
    on_every_device(|session, name| {
        let model = KMeans::new(7).init(first_rows(&points, 7)).tol(0.0).session(session).fit(&points)?;
        let trace = model.trace();
        assert!(trace.windows(2).all(|pair| pair[1].inertia <= pair[0].inertia * (1.0 + 1e-6)), "{name}: {trace:?}");
        let (first, last) = (&trace[0], &trace[trace.len() - 1]);
        assert_eq!((first.iteration, first.moved), (0, 500), "{name}");
        assert_eq!(last.moved, 0, "{name}");
        assert_near(last.inertia, model.inertia(), 1e-5, name);
        Ok(())
    });
}

#[test]
fn a_refit_from_the_optimum_does_not_move() {
    let points = noise(300, 4, 24);
    on_every_device(|session, name| {
        let model = KMeans::new(5).seed(2).tol(0.0).session(session).fit(&points)?;
        let again = KMeans::new(5).init(Init::Centroids(model.centroids().clone())).tol(0.0).session(session);
        let again = again.fit(&points)?;
        assert!(again.iterations() <= 2, "{name}: {}", again.iterations());
        assert_eq!(again.labels(), model.labels(), "{name}");
        assert_close(again.centroids().view(), model.centroids().view(), 1e-7, name);
        assert_near(again.inertia(), model.inertia(), 1e-7, name);
        Ok(())
    });
}

#[test]
fn an_interrupted_fit_is_complete_up_to_its_round() -> superstep::Result<()> {
    let points = noise(300, 4, 25);
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let session = superstep::Session::builder().device("cpu".parse()?).interrupt_flag(flag).build()?;
    let model = KMeans::new(5).init(first_rows(&points, 5)).tol(0.0).session(&session).fit(&points)?;
    assert!(model.interrupted() && !model.converged());
    assert_eq!(model.predict(&points)?, model.labels());
    assert_near(-model.score(&points)?, model.inertia(), 1e-12, "interrupted");
    Ok(())
}
