//! Which columns of a columnar file are read.

use arrow_schema::{DataType, Field, Schema};

use crate::data::select::choose;
use crate::{Error, Place, Result};

/// The numbers of the columns to read, in the order wanted: those named, or all but an index that pandas wrote.
///
/// # Errors
/// When a name is unknown, stands for several columns or is given twice, a column is not numeric, or there is none.
pub(super) fn chosen(name: &str, schema: &Schema, wanted: Option<&[String]>) -> Result<Vec<usize>> {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if names.is_empty() {
        return Err(Error::data(Place::of(name), "has no columns; there is nothing to compute on"));
    }
    let chosen = match wanted {
        Some(wanted) => choose(name, wanted, Some(&names), names.len(), 0)?,
        None => (0..names.len()).filter(|index| names.get(*index).is_some_and(|name| !is_index(name))).collect(),
    };
    if chosen.is_empty() {
        return Err(Error::data(Place::of(name), "has no columns but the index that pandas wrote; name it to read it"));
    }
    let refused: Vec<&Field> = chosen
        .iter()
        .filter_map(|index| schema.fields().get(*index))
        .map(AsRef::as_ref)
        .filter(|f| !is_read(f))
        .collect();
    let Some(first) = refused.first() else {
        return Ok(chosen);
    };
    let others = match refused.len() {
        1 => String::new(),
        2 => ", and another one is neither".to_owned(),
        more => format!(", and {} others are neither", more - 1),
    };
    let numeric: Vec<String> =
        schema.fields().iter().filter(|field| is_read(field)).map(|field| format!("`{}`", field.name())).collect();
    let advice = match numeric.is_empty() {
        true => "none of the columns is; write them as numbers".to_owned(),
        false => format!("choose columns with --columns (`ReadOptions::columns`); numeric are {}", numeric.join(", ")),
    };
    let message = format!("column `{}` holds {}, not numbers{others}; {advice}", first.name(), kind(first.data_type()));
    Err(Error::data(Place::of(name), message))
}

/// What a person is told of columns that were not asked for by name and left out.
pub(super) fn notes(name: &str, schema: &Schema, wanted: Option<&[String]>) -> Vec<String> {
    if wanted.is_some() {
        return Vec::new();
    }
    let left_out = schema.fields().iter().filter(|field| is_index(field.name()));
    let note = |index: &str| {
        format!(
            "{name}: `{index}`, the index that pandas wrote, is left out; name the columns to read it as one of them"
        )
    };
    left_out.map(|field| note(field.name())).collect()
}

/// Whether a column is the index of a pandas table without a name for it, which pandas does not count as a column.
fn is_index(name: &str) -> bool {
    let number = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_read(field: &Field) -> bool {
    match field.data_type() {
        DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
            is_number(item.data_type())
        }
        other => is_number(other),
    }
}

fn is_number(kind: &DataType) -> bool {
    use DataType::{Boolean, Decimal32, Decimal64, Decimal128};
    kind.is_integer() || kind.is_floating() || matches!(kind, Boolean | Decimal32(..) | Decimal64(..) | Decimal128(..))
}

/// A type in a person's words.
fn kind(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => {
            "dates or times".into()
        }
        DataType::Dictionary(..) => "categories (a dictionary)".into(),
        DataType::Null => "nulls alone".into(),
        other => format!("values of type {other}"),
    }
}
