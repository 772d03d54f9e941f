//! The params of a logic: their declaration, and the check of what a caller sent.
//!
//! Order: required, default, type, bounds. All errors are reported together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    schema::{Bounds, Items, Type},
    value::Value,
};

pub mod bounds;
pub mod check;
pub mod convert;
pub mod from_value;

pub use bounds::{BoundsError, CompiledBounds};
pub use check::{CompiledParams, ParamError, check};
pub use from_value::from_value;

/// One declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Param {
    /// The name, unchanged.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Whether a caller must send it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What is used when it is not sent; in its JSON form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// Element type of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Items>>,
    /// Bounds on the value.
    #[serde(flatten)]
    pub bounds: Bounds,
}

/// The value of a checked param for binding to a statement; NULL where it was not sent.
pub fn to_value(param: &Param, json: Option<&Json>) -> Result<Value, String> {
    convert::to_value(param.kind, json.unwrap_or(&Json::Null))
}
