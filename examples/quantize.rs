//! Colour quantisation: a photograph in k colours.
//!
//! ```sh
//! cargo run --release --example quantize -- [IN.png] [OUT.png] [K]
//! ```
//!
//! Every pixel is a row of three columns; the centroids are the palette. Without arguments, the photograph beside this
//! file is brought to 16 colours.

use ndarray::Array2;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use superstep::KMeans;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/photograph.png");
    let from = arguments.next().unwrap_or_else(|| here.to_owned());
    let to = arguments.next().unwrap_or_else(|| "quantized.png".to_owned());
    let colours: usize = arguments.next().map_or(Ok(16), |k| k.parse())?;

    let (pixels, width, height) = read(&from)?;
    let model = KMeans::new(colours).seed(1).fit(&pixels)?;

    let palette = model.centroids().mapv(|value| value.round().clamp(0.0, 255.0) as u8);
    let painted: Vec<u8> = model.labels().iter().flat_map(|&label| palette.row(label as usize).to_vec()).collect();
    write(&to, &painted, width, height)?;

    let error = (model.inertia() / (pixels.len() as f64)).sqrt();
    println!(
        "{from}: {width} × {height} pixels in {colours} colours, {error:.2} levels off on average (root mean square)"
    );
    println!("{to}: written after {} iterations", model.iterations());
    Ok(())
}

/// The pixels of a PNG file as rows of red, green and blue, 0 to 255.
fn read(path: &str) -> Result<(Array2<f32>, u32, u32), Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("the image is too large")?];
    let info = reader.next_frame(&mut bytes)?;
    let samples = info.color_type.samples();
    let pixels = bytes[..info.buffer_size()].chunks_exact(samples);
    let values: Vec<f32> = pixels
        .flat_map(|pixel| if samples < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] })
        .map(f32::from)
        .collect();
    Ok((Array2::from_shape_vec((values.len() / 3, 3), values)?, info.width, info.height))
}

fn write(path: &str, rgb: &[u8], width: u32, height: u32) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(rgb)?;
    Ok(())
}
