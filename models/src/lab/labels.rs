//! The labels of an activation file's rows: one or several, each of which sorts them into classes of its own.
//!
//! `label` is i64, `[N]`: the class of each row. Or it is `[N, C]`, 1 where a row is of class c and 0 where it is not:
//! each class then is a label of its own, with two classes, without and with it. Further labels are `label.NAME`, i64,
//! `[N]`, and `classes.NAME` in the metadata names their classes.

use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use super::metadata::{class_names, names_of};

/// The first part of the names of further labels.
pub const MORE: &str = "label.";

/// A label that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What it is called: the metadata `label_name` of the first, which is empty where it has no name.
    pub name: String,
    tensor: String,
    /// The column of a tensor with several.
    column: Option<usize>,
    /// Names of its classes.
    pub classes: Option<Vec<String>>,
}

/// All labels of a file, the first one first; or what is wrong.
pub fn labels(header: &Metadata) -> Result<Vec<Label>, String> {
    let none = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&none);
    let classes = class_names(metadata)?;
    let info = header
        .info("label")
        .ok_or("the tensor \"label\" is missing; it is i64, with one number for each row")?;
    let mut found = match (info.dtype, info.shape.as_slice()) {
        (Dtype::I64, [_]) => vec![Label {
            name: metadata.get("label_name").cloned().unwrap_or_default(),
            tensor: "label".to_owned(),
            column: None,
            classes,
        }],
        (Dtype::I64, &[_, columns]) if columns > 0 => {
            let classes = classes.unwrap_or_else(|| (0..columns).map(|column| column.to_string()).collect());
            if classes.len() != columns {
                return Err(format!(
                    "the tensor \"label\" has {columns} columns, and its metadata name {} classes",
                    classes.len()
                ));
            }
            let of_column = |(column, name): (usize, String)| Label {
                tensor: "label".to_owned(),
                column: Some(column),
                classes: Some(vec![format!("not {name}"), name.clone()]),
                name,
            };
            classes.into_iter().enumerate().map(of_column).collect()
        }
        (dtype, shape) => {
            return Err(format!(
                "the tensor \"label\" is {dtype:?} of shape {shape:?} and should be I64 with one axis, or with two of \
                 which the second is of classes"
            ));
        }
    };
    let mut more: Vec<String> =
        header.tensors().into_keys().filter(|tensor| tensor.starts_with(MORE)).collect();
    more.sort();
    for tensor in more {
        let name = tensor[MORE.len()..].to_owned();
        let info = header.info(&tensor);
        if info.is_none_or(|info| info.dtype != Dtype::I64 || info.shape.len() != 1) {
            return Err(format!("the tensor {tensor:?} should be I64 with one axis"));
        }
        if name.is_empty() || found.iter().any(|known| known.name == name) {
            return Err(format!("two of its labels are called {name:?}, or one is called nothing"));
        }
        let classes = names_of(metadata, &format!("classes.{name}"))?;
        found.push(Label { name, tensor, column: None, classes });
    }
    Ok(found)
}

impl Label {
    /// Whether a row may be of the classes of several labels beside this one.
    pub fn is_one_of_columns(&self) -> bool {
        self.column.is_some()
    }

    /// Where its numbers are in the tensor: its name, the first and the step.
    pub fn numbers(&self, header: &Metadata) -> (&str, usize, usize) {
        let columns = header.info(&self.tensor).and_then(|info| info.shape.get(1)).copied();
        (&self.tensor, self.column.unwrap_or(0), columns.unwrap_or(1))
    }
}
