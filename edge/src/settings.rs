//! Settings of a server: in layers of flags, environment and file, each a text until all are checked together. Which there are, and what a text
//! means, is a matter of the planes.

use std::{fmt, path::Path};

use serde::{Deserialize, Deserializer, de};

/// A setting as written: text, a number, or a list. `Debug` does not show it, for it may be a secret.
#[derive(Clone)]
pub struct Text(pub String);

/// All that is wrong with the settings, at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Collects what is wrong, so that a person fixes all of it in one go.
#[derive(Debug, Default)]
pub struct Check(pub Vec<String>);

impl Check {
    /// Notes what is wrong with a setting.
    pub fn add(&mut self, key: &str, what: &str) {
        self.0.push(format!("{key}: {what}"));
    }

    /// What a text means, where there is one.
    pub fn optional<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(text?.0.trim()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.add(key, &what);
                None
            }
        }
    }

    /// The same, with a default.
    pub fn value<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        default: T,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.optional(key, text, read).unwrap_or(default)
    }

    /// One that must be given.
    pub fn required<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.is_none() {
            self.add(key, "is needed");
        }
        self.optional(key, text, read)
    }

    /// A list, with commas.
    pub fn list<T>(&mut self, key: &str, text: Option<Text>, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let text = text.map(|text| text.0).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .filter_map(|item| self.optional(key, Some(Text(item.to_owned())), &read))
            .collect()
    }
}

/// Settings as a file has them (YAML). The error says line and column.
pub fn parse<T: Default + for<'de> Deserialize<'de>>(text: &str) -> Result<T, String> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Makes `Settings` of a plane: a field and a variable of the environment for each.
#[macro_export]
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident = $variable:literal,)*) => {
        /// The settings before they are checked: one layer of file, environment or flags.
        #[derive(Clone, Debug, Default, ::serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub struct Settings { $($(#[$doc])* pub $field: Option<$crate::settings::Text>,)* }

        impl Settings {
            /// Every variable, in the order of the reference.
            pub const VARIABLES: &[&str] = &[$($variable),*];

            /// Reads a settings file (YAML). The error says line and column.
            pub fn parse(text: &str) -> Result<Self, String> {
                $crate::settings::parse(text)
            }

            /// This layer, and below it another.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* }
            }

            /// This layer over the environment over a file; and which variables are ours and mean nothing.
            fn layers(
                self,
                variables: impl IntoIterator<Item = (String, String)>,
                file: Option<&::std::path::Path>,
                is_ours: impl Fn(&str) -> bool,
            ) -> Result<(Self, Vec<String>), $crate::settings::ConfigError> {
                let (mut environment, mut ignored) = (Self::default(), Vec::new());
                for (variable, text) in variables {
                    if !environment.set(&variable, &text) && is_ours(&variable) {
                        ignored.push(variable);
                    }
                }
                let file = match file {
                    None => Self::default(),
                    Some(path) => $crate::settings::file(path, Self::parse)?,
                };
                Ok((self.over(environment).over(file), ignored))
            }

            /// Sets the field of an environment variable; false where there is none.
            fn set(&mut self, variable: &str, text: &str) -> bool {
                match variable {
                    $($variable => self.$field = Some($crate::settings::Text(text.to_owned())),)*
                    _ => return false,
                }
                true
            }
        }
    };
}

/// The layer of a file.
pub fn file<S>(path: &Path, parse: impl Fn(&str) -> Result<S, String>) -> Result<S, ConfigError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(vec![format!("cannot read settings from {shown}: {error}")]))?;
    parse(&text).map_err(|error| ConfigError(vec![format!("{shown}: {error}")]))
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true or false, or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Text, E> {
                Ok(Text(truth.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element::<String>()? {
                    list.push(item);
                }
                Ok(Text(list.join(",")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
