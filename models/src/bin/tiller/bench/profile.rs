//! `tiller bench --profile`: where the time of a decoder step and of a chunk of audio goes, operator by operator.
//!
//! ONNX Runtime times each of its operators and writes the times into a file. That costs some time itself, so a step is
//! also timed whole, by turns with the steps of a take: the difference is what is done outside ONNX Runtime.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use half::f16;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{IoBinding, Session};
use ort::value::{DynTensor, TensorElementType, ValueType};
use serde_json::{Value, json};
use tiller_models::encodec::CHUNK_FRAMES;
use tiller_models::musicgen::Engine;
use tiller_models::steering::Steering;

use super::{Fallible, at_frame, positions};

/// Runs of which nothing is counted.
const WARM_UP: usize = 3;
/// Runs that count.
const RUNS: usize = 30;
/// Tokens of the prompt.
const TEXT: usize = 8;

/// The decoder at each of `positions`, and the codec's two graphs.
///
/// # Errors
/// A position beyond the window; whatever a graph fails with.
pub(super) fn run(engine: &Arc<Engine>, threads: usize, positions: &[usize]) -> Fallible<Value> {
    let bundle = engine.bundle();
    let decoder = bundle.decoder(engine.precision())?;
    let steps = positions.iter().map(|&position| -> Fallible<Value> {
        positions::check(engine, position, WARM_UP + RUNS)?;
        let sizes = |name: &str| match name {
            "B" => Some(2),
            "S" | "C" => Some(1),
            "T" => Some(TEXT),
            "M" => Some(position + WARM_UP + RUNS + 1),
            _ => None,
        };
        let (step, graph) = by_turns(engine, &decoder, threads, position, &sizes)?;
        Ok(json!({
            "position": position,
            "step_milliseconds": step,
            "graph_milliseconds": graph,
            "outside_milliseconds": step - graph,
            "operators": operators(engine, &decoder, threads, position, &sizes)?,
        }))
    });
    let steps = steps.collect::<Fallible<Vec<_>>>()?;
    let codec = &bundle.architecture().codec;
    let latent = |name: &str| match name {
        "N" => Some(CHUNK_FRAMES),
        "N_and_context" => Some(CHUNK_FRAMES + 2 * codec.code_context),
        _ => None,
    };
    let wave = |name: &str| (name == "N").then_some(CHUNK_FRAMES + 2 * codec.latent_context);
    // The codec always has two, so that the same codes give the same audio.
    Ok(json!({
        "steps": steps,
        "codec_chunk_frames": CHUNK_FRAMES,
        "codec_latent": operators(engine, &Engine::latent_graph(bundle, engine.precision(), engine.provider()), 2, 0, &latent)?,
        "codec_wave": operators(engine, &bundle.encodec_wave(), 2, 0, &wave)?,
    }))
}

/// Milliseconds of a step of a take and of the decoder's run alone, each in its fastest tenth.
fn by_turns(
    engine: &Arc<Engine>,
    graph: &Path,
    threads: usize,
    position: usize,
    sizes: &dyn Fn(&str) -> Option<usize>,
) -> Fallible<(f64, f64)> {
    let mut session = session(engine, graph, threads, None)?;
    let bound = Bound::new(&session, position, sizes)?;
    let mut take = at_frame(engine, position, WARM_UP + RUNS, Steering::default(), &[])?;
    let (mut steps, mut runs) = (Vec::new(), Vec::new());
    for _ in 0..WARM_UP + RUNS {
        let started = Instant::now();
        take.generation.advance()?;
        steps.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        session.run_binding(&bound.binding)?;
        runs.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let fastest = |times: &[f64]| positions::deciles(times[WARM_UP..].to_vec())[0];
    Ok((fastest(&steps), fastest(&runs)))
}

/// Milliseconds that a run spends in each kind of operator, the most first.
fn operators(
    engine: &Engine,
    graph: &Path,
    threads: usize,
    position: usize,
    sizes: &dyn Fn(&str) -> Option<usize>,
) -> Fallible<Value> {
    let folder = tempfile::tempdir()?;
    let mut session = session(engine, graph, threads, Some(&folder.path().join("profile")))?;
    let bound = Bound::new(&session, position, sizes)?;
    for _ in 0..WARM_UP + RUNS {
        session.run_binding(&bound.binding)?;
    }
    let file = session.end_profiling()?;
    sums(&serde_json::from_slice(&std::fs::read(file)?)?)
}

/// As Tiller's own sessions are made.
fn session(engine: &Engine, graph: &Path, threads: usize, profile: Option<&Path>) -> Fallible<Session> {
    let mut builder = Session::builder(engine.runtime().environment())?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_flush_to_zero()?;
    if let Some(profile) = profile {
        builder = builder.with_profiling(profile)?;
    }
    Ok(builder.commit_from_file(graph)?)
}

/// A graph's inputs and outputs, of contents that cost what real ones do.
struct Bound {
    binding: IoBinding,
    /// Past and present are one; the binding knows only one of the two uses.
    _kept: Vec<DynTensor>,
}

impl Bound {
    fn new(session: &Session, position: usize, sizes: &dyn Fn(&str) -> Option<usize>) -> Fallible<Self> {
        let mut binding = session.create_binding()?;
        let mut kept = Vec::new();
        for port in session.inputs() {
            let ValueType::Tensor { ty, shape, dimension_symbols } = port.dtype() else {
                return Err(format!("the input {} is no tensor", port.name()).into());
            };
            let dims = shape.iter().zip(dimension_symbols.iter()).map(|(&size, symbol)| {
                usize::try_from(size).ok().or_else(|| sizes(symbol)).ok_or_else(|| {
                    format!("the size {symbol} of the input {} is not known here", port.name())
                })
            });
            let dims = dims.collect::<Result<Vec<_>, _>>()?;
            let mut tensor = DynTensor::new(session.allocator(), *ty, dims)?;
            fill(&mut tensor, *ty, port.name(), position)?;
            binding.bind_input(port.name(), &tensor)?;
            if let Some(rest) = port.name().strip_prefix("past_") {
                binding.bind_output(format!("present_{rest}"), &mut tensor)?;
            }
            kept.push(tensor);
        }
        let memory = session.allocator().memory_info();
        for port in session.outputs().iter().filter(|port| !port.name().starts_with("present_")) {
            binding.bind_output_to_device(port.name(), memory)?;
        }
        Ok(Self { binding, _kept: kept })
    }
}

fn fill(tensor: &mut DynTensor, element: TensorElementType, name: &str, position: usize) -> Fallible<()> {
    match element {
        TensorElementType::Float32 => tensor.try_extract_tensor_mut::<f32>()?.1.fill(0.5),
        TensorElementType::Float16 => tensor.try_extract_tensor_mut::<f16>()?.1.fill(f16::from_f32(0.5)),
        TensorElementType::Int8 => tensor.try_extract_tensor_mut::<i8>()?.1.fill(1),
        TensorElementType::Uint8 => tensor.try_extract_tensor_mut::<u8>()?.1.fill(1),
        TensorElementType::Int32 => {
            let value = i32::try_from(position + usize::from(name == "total_sequence_length"))?;
            tensor.try_extract_tensor_mut::<i32>()?.1.fill(value);
        }
        TensorElementType::Int64 => {
            let value = if name == "position_ids" { i64::try_from(position)? } else { 1 };
            tensor.try_extract_tensor_mut::<i64>()?.1.fill(value);
        }
        other => return Err(format!("inputs of {other} are not known here").into()),
    }
    Ok(())
}

/// Sums ONNX Runtime's events by operator. Of each node the fastest tenth of its runs after the first [`WARM_UP`] counts, so
/// that what else the machine does is left out.
fn sums(events: &Value) -> Fallible<Value> {
    let events = events.as_array().ok_or("ONNX Runtime wrote no list of events")?;
    let begins = events.iter().filter(|event| event["name"] == "model_run");
    let mut begins: Vec<f64> = begins.filter_map(|event| event["ts"].as_f64()).collect();
    begins.sort_by(f64::total_cmp);
    let from = *begins.get(WARM_UP).ok_or("ONNX Runtime timed too few runs")?;
    let mut by_node: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["cat"] == "Node") {
        let is_counted = event["ts"].as_f64().is_some_and(|at| at >= from)
            && event["name"].as_str().is_some_and(|name| name.ends_with("_kernel_time"));
        let (operator, node) = (&event["args"]["op_name"], &event["args"]["node_index"]);
        if let (true, Some(operator), Some(node), Some(microseconds)) =
            (is_counted, operator.as_str(), node.as_str(), event["dur"].as_f64())
        {
            by_node.entry((operator, node)).or_default().push(microseconds / 1e3);
        }
    }
    let mut by_operator: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for ((operator, _), times) in by_node {
        let (time, nodes) = by_operator.entry(operator).or_default();
        *time += positions::deciles(times)[0];
        *nodes += 1;
    }
    let mut sorted: Vec<_> = by_operator.into_iter().collect();
    sorted.sort_by(|(_, (a, _)), (_, (b, _))| b.total_cmp(a));
    let entries = sorted.into_iter().map(|(operator, (milliseconds, nodes))| {
        json!({ "operator": operator, "milliseconds": milliseconds, "nodes": nodes })
    });
    Ok(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_summed_over_the_runs_after_the_warm_up() {
        let mut events = Vec::new();
        for run in 0..WARM_UP + 2 {
            let at = run * 1_000;
            events.push(json!({ "cat": "Session", "name": "model_run", "ts": at, "dur": 900 }));
            // The first runs are not counted, and the last was disturbed.
            let microseconds = [1, 1, 1, 200, 9_000][run];
            for (node, operator) in [("1", "MatMul"), ("2", "MatMul"), ("3", "Add")] {
                events.push(json!({
                    "cat": "Node", "name": format!("{node}_kernel_time"), "ts": at + 1, "dur": microseconds,
                    "args": { "op_name": operator, "node_index": node },
                }));
            }
        }
        let sums = sums(&json!(events)).unwrap();
        assert_eq!(sums[0]["operator"], "MatMul");
        assert!((sums[0]["milliseconds"].as_f64().unwrap() - 0.4).abs() < 1e-9, "{sums}");
        assert_eq!((&sums[0]["nodes"], &sums[1]["nodes"]), (&json!(2), &json!(1)));
    }
}
