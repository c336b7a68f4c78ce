//! Every shader validates with portable capabilities, stays inside the smallest limits and translates for every
//! platform: no device is needed to find out.

use crate::launch::source_for;
use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, Layouter};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};
use std::borrow::Cow;
use std::path::PathBuf;

/// What the weakest adapters offer: WebGPU's defaults.
const WORKGROUP_BYTES: u32 = 16 * 1024;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

/// Values for the overrides that shaders leave open, a job of middling size; any other is 1.
const OVERRIDES: [(&str, f64); 9] = [
    ("WIDTH", 128.0),
    ("DIMENSIONS", 32.0),
    ("CLUSTERS", 30.0),
    ("BITS", 42.0),
    ("PRIVATE_FROM", 0.0),
    ("PADDED", 64.0),
    ("ROOM", 128.0),
    ("OUTPUTS", 20.0),
    ("COMPONENTS", 7.0),
];

/// Kernels for matrix units, which few adapters offer and only SPIR-V reaches from WGSL in these types, and what prepares
/// their operands. They are tried beside `assign_tiled`, never needed.
const MATRIX: [&str; 5] = ["assign_halves", "assign_halves_wide", "halve_centroids", "halve_rows", "own_halves"];
/// What adapters with matrix units offer at least.
const MATRIX_WORKGROUP_BYTES: u32 = 48 * 1024;
const MATRIX_STORAGE_BUFFERS: usize = 16;

fn shaders() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the folder of shaders")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .flat_map(|stem| [false, true].map(|by_quads| (stem.clone(), source_for(&stem, by_quads))))
        .collect();
    found.sort();
    // Most kernels have one source, whatever the columns.
    found.dedup();
    found
}

fn parse(name: &str, source: &str) -> (Module, ModuleInfo) {
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    let capabilities = if MATRIX.contains(&name) { Capabilities::all() } else { Capabilities::empty() };
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    (module, info)
}

/// Every entry point of every portable shader, its overrides given, as `f(label, module, info, entry)`.
fn for_each_entry(f: impl FnMut(&str, &Module, &ModuleInfo, &str)) {
    for_each_entry_of(|name| !MATRIX.contains(&name), f);
}

fn for_each_entry_of(wanted: impl Fn(&str) -> bool, mut f: impl FnMut(&str, &Module, &ModuleInfo, &str)) {
    for (name, source) in shaders().into_iter().filter(|(name, _)| wanted(name)) {
        let (module, info) = parse(&name, &source);
        let constants: PipelineConstants = module
            .overrides
            .iter()
            .filter(|(_, open)| open.init.is_none())
            .filter_map(|(_, open)| open.name.clone())
            .map(|key| {
                let value = OVERRIDES.iter().find(|(known, _)| *known == key).map_or(1.0, |(_, value)| *value);
                (key, value)
            })
            .collect();
        for entry in &module.entry_points {
            let (resolved, info): (Cow<Module>, Cow<ModuleInfo>) =
                process_overrides(&module, &info, Some((ShaderStage::Compute, &entry.name)), &constants)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
            f(&format!("{name}::{}", entry.name), &resolved, &info, &entry.name);
        }
    }
}

#[test]
fn kernels_of_the_algorithms_exist_and_name_their_entry_after_their_file() {
    let found = shaders();
    for stem in [
        "assign_exact",
        "assign_small",
        "assign_tiled",
        "assign_halves",
        "assign_halves_wide",
        "decide_pairs",
        "decide_rows",
        "halve_centroids",
        "halve_rows",
        "inertia_around",
        "inertia_total",
        "loosen_bounds",
        "measure_rows",
        "settle_rows",
        "own_distance",
        "own_halves",
        "reassign_small",
        "skip_settled",
        "survey_centroids",
        "survey_extremes",
        "sum_by_label",
        "tally",
        "tally_few",
        "update_mean",
        "update_direction",
        "median_digit",
        "median_pick",
        "multiply_rows",
        "multiply_sparse",
        "damp_ranks",
        "residuals",
        "sum_products",
        "scale_rows",
        "responsibilities",
        "sum_moments",
    ] {
        let source = found.iter().find(|(name, _)| name == stem).map(|(_, source)| source);
        let (module, _) = parse(stem, source.unwrap_or_else(|| panic!("no shaders/{stem}.wgsl")));
        assert_eq!(module.entry_points.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), [stem]);
    }
}

#[test]
fn every_kernel_fits_the_smallest_limits() {
    for_each_entry(|label, module, info, entry| {
        check_limits(label, (module, info, entry), (WORKGROUP_BYTES, STORAGE_BUFFERS));
    });
    for_each_entry_of(
        |name| MATRIX.contains(&name),
        |label, module, info, entry| {
            check_limits(label, (module, info, entry), (MATRIX_WORKGROUP_BYTES, MATRIX_STORAGE_BUFFERS));
        },
    );
}

fn check_limits(label: &str, (module, info, entry): (&Module, &ModuleInfo, &str), (most, buffers): (u32, usize)) {
    {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let used = info.get_entry_point(0);
        let globals: Vec<_> = module.global_variables.iter().filter(|(h, _)| !used[*h].is_empty()).collect();
        let workgroup: u32 = globals
            .iter()
            .filter(|(_, g)| g.space == AddressSpace::WorkGroup)
            .map(|(_, g)| layouter[g.ty].size.next_multiple_of(16))
            .sum();
        let storage = globals.iter().filter(|(_, g)| matches!(g.space, AddressSpace::Storage { .. })).count();
        let point = module.entry_points.iter().find(|point| point.name == entry).unwrap();
        let threads: u32 = point.workgroup_size.iter().product();
        assert!(workgroup <= most, "{label}: {workgroup} bytes of workgroup memory");
        assert!(storage <= buffers, "{label}: {storage} storage buffers");
        assert!(threads <= INVOCATIONS, "{label}: {threads} invocations");
    }
}

#[test]
fn bindings_are_consecutive_in_group_0() {
    for_each_entry(|label, module, _, _| {
        let mut places: Vec<(u32, u32)> =
            module.global_variables.iter().filter_map(|(_, g)| g.binding.map(|b| (b.group, b.binding))).collect();
        places.sort_unstable();
        let expected: Vec<(u32, u32)> = (0..places.len() as u32).map(|binding| (0, binding)).collect();
        assert_eq!(places, expected, "{label}");
    });
}

#[test]
fn every_kernel_translates_to_spir_v() {
    for_each_entry_of(
        |_| true,
        |label, module, info, entry| {
            let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.to_owned() };
            let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
            let words = spv::write_vec(module, info, &options, Some(&pipeline));
            assert!(words.is_ok_and(|words| !words.is_empty()), "{label}");
        },
    );
}

#[test]
fn every_kernel_translates_to_msl() {
    for_each_entry(|label, module, info, entry| {
        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
        let pipeline =
            msl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.to_owned())), ..Default::default() };
        let (text, translated) =
            msl::write_string(module, info, &options, &pipeline).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert!(text.contains(entry) && translated.entry_point_names.iter().all(Result::is_ok), "{label}");
    });
}

#[test]
fn every_kernel_translates_to_hlsl() {
    for_each_entry(|label, module, info, entry| {
        let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..Default::default() };
        let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.to_owned())) };
        let mut text = String::new();
        let translated = hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(module, info, None)
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        assert!(text.contains(entry) && translated.entry_point_names.iter().all(Result::is_ok), "{label}");
    });
}

#[test]
fn every_kernel_translates_to_glsl() {
    for_each_entry(|label, module, info, entry| {
        let options = glsl::Options { version: glsl::Version::new_gles(310), ..Default::default() };
        let pipeline = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: entry.to_owned(),
            multiview: None,
        };
        let mut text = String::new();
        glsl::Writer::new(&mut text, module, info, &options, &pipeline, BoundsCheckPolicies::default())
            .and_then(|mut writer| writer.write())
            .unwrap_or_else(|error| panic!("{label}: {error}"));
        assert!(text.contains("void main"), "{label}");
    });
}
