//! What the demo knows of `examples/shop`: its logics, their parameters, its key, and the line that is edited.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::project_copy;

/// Of `santokit.dev.yaml`.
pub(crate) const KEY: &str = "stk_shopapp.development-only-secret";
/// The file that is edited, relative to the shop.
pub(crate) const QUOTE_SOURCE: &str = "logics/quote/index.ts";
/// What the logic says of a product without stock.
pub(crate) const SOLD_OUT_CODE: &str = "OUT_OF_STOCK";

const EDIT_FROM: &str = "const DISCOUNT_PERCENT = 10;";
const EDIT_TO: &str = "const DISCOUNT_PERCENT = 25;";

/// A purchase that succeeds.
pub(crate) fn purchase() -> Value {
    json!({"customerId": "c-00001", "productId": "p-0002", "quantity": 2})
}

/// A purchase of what there is none of.
pub(crate) fn sold_out() -> Value {
    json!({"customerId": "c-00001", "productId": "p-0001"})
}

/// A quote with the discount that the edit changes.
pub(crate) fn quote() -> Value {
    json!({"productId": "p-0002", "quantity": 12})
}

/// Whether a quote was made by the edited source.
pub(crate) fn is_edited(data: &Value) -> bool {
    data["discountPercent"] == 25
}

/// A copy of the example that may be edited.
#[derive(Debug)]
pub(crate) struct Shop {
    folder: PathBuf,
}

impl Shop {
    /// Copies the example anew. Built guests of an earlier demo stay, its database does not.
    pub(crate) fn copy(root: &Path) -> anyhow::Result<Self> {
        let folder = root.join("target/demo/shop");
        project_copy::renew(&root.join("examples/shop"), &folder)?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn quote_source(&self) -> PathBuf {
        self.folder.join(QUOTE_SOURCE)
    }

    /// Changes the discount, as an editor would save it.
    pub(crate) fn edit_quote(&self) -> anyhow::Result<()> {
        let path = self.quote_source();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if !text.contains(EDIT_FROM) {
            bail!("{} has no line `{EDIT_FROM}`", path.display());
        }
        std::fs::write(&path, text.replace(EDIT_FROM, EDIT_TO))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The demo and the example are edited apart: what one knows of the other must stay true.
    #[test]
    fn the_example_is_as_the_demo_takes_it_to_be() {
        let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop");
        let quote = std::fs::read_to_string(shop.join(QUOTE_SOURCE)).unwrap();
        assert!(quote.contains(EDIT_FROM));
        let settings = std::fs::read_to_string(shop.join("santokit.dev.yaml")).unwrap();
        assert!(settings.contains(KEY));
    }
}
