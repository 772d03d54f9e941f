//! Every type of the schema in every language, against golden files. `STK_GOLDEN=write` writes them anew; look at the change.

use std::path::Path;

use santokit_core::{
    project::{SourceTree, parse},
    query::ResultColumn,
};

use super::{files, pascal, snake};

const PROJECT: &[(&str, &str)] = &[
    ("santokit.yaml", "version: 1\nname: types\n"),
    (
        "schema/archive.yaml",
        "version: 1\ntables:\n  old_orders:\n    connection: archive\n    id: {name: id, generate: uuid_v7}\n    columns: {}\n",
    ),
    (
        "schema/main.yaml",
        "version: 1\ntables:\n  every_type:\n    id: {name: id, generate: auto_increment}\n    columns:\n      \
         text: {type: string, nullable: false}\n      status: {type: string, nullable: false, enum: [open, paid]}\n      \
         count: {type: int, nullable: false}\n      total: {type: bigint}\n      share: {type: float}\n      \
         price: {type: decimal, nullable: false}\n      isOpen: {type: boolean, nullable: false}\n      extra: {type: json}\n      \
         createdAt: {type: timestamp, nullable: false, default: now}\n      raw: {type: bytes}\n      \
         tags: {type: array, items: {type: string}, nullable: false}\n      from: {type: string}\n      type: {type: string}\n  \
         everyType:\n    id: {name: key, generate: ulid}\n    columns:\n      text: {type: string}\n      table: {type: string}\n      \
         keyText: {type: string}\n",
    ),
    (
        "logics/pricing/quote.sql",
        "---\nauth: public\nparams:\n  productId: {type: string, required: true}\n  quantity: {type: int, default: 1}\n  \
         limit: {type: bigint}\n  mode: {type: string, enum: [fast, exact]}\n  ids: {type: array, items: {type: int}}\n---\n\
         SELECT :productId AS a, :quantity AS b, :limit AS c, :mode AS d, :ids AS e\n",
    ),
    (
        "queries/stock/low.sql",
        "---\nparams:\n  below: {type: int, required: true}\n  price: {type: decimal}\n  since: {type: timestamp, default: 2026-01-31T12:00:00Z}\n  \
         status: {type: string, required: true, enum: [open, paid]}\n  tags: {type: array, items: {type: string}}\n  \
         raw: {type: bytes}\n---\n\
         SELECT :below AS a, :price AS b, :since AS c, :status AS d, :tags AS e, :raw AS f\n",
    ),
    ("queries/empty.sql", "---\nreturns: exec\n---\nDELETE FROM everyType\n"),
    ("logics/nothing.sql", "---\nauth: public\n---\nSELECT 1 AS one\n"),
];

#[test]
fn every_language_has_every_type() {
    let tree: SourceTree = PROJECT.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let mut project = parse(&tree).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let column = |name: &str, type_name: &str, nullable| ResultColumn {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        nullable,
    };
    // What the database would say of it.
    project.queries.get_mut("stock/low").unwrap().query.result = vec![
        column("id", "bigint", Some(false)),
        column("isOpen", "boolean", Some(true)),
        column("count(*)", "int", None),
        column("2nd \"name\"", "NUMERIC", None),
        column("type", "string", Some(false)),
    ];
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/types");
    for (name, text) in files(&project) {
        // Not under their own names: these are no sources to be formatted.
        let path = golden.join(format!("{name}.txt"));
        if std::env::var_os("STK_GOLDEN").is_some_and(|what| what == "write") {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{}: run with STK_GOLDEN=write and look at the change", path.display());
    }
}

#[test]
fn names_are_those_of_the_languages() {
    for (name, expected) in [("order_items", "OrderItems"), ("orderItems", "OrderItems"), ("a/b-c", "ABC"), ("x", "X")]
    {
        assert_eq!(pascal(name), expected);
    }
    for (name, expected) in [("priceCents", "price_cents"), ("ID", "id"), ("already_so", "already_so"), ("x2Y", "x2_y")]
    {
        assert_eq!(snake(name), expected);
    }
}
