// SPDX-License-Identifier: GPL-2.0

//! Enums whose values are words in a line of text.

use std::fmt::Display;
use std::str::FromStr;

/// Defines an enum, the kind of thing that it is in messages, and each value with its word.
macro_rules! words {
    (
        $(#[$of_enum:meta])* $name:ident, $kind:literal {
            $($(#[$of_value:meta])* $value:ident = $word:literal,)*
        }
    ) => {
        $(#[$of_enum])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of_value])* $value,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)*
                })
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::anyhow::Error;

            fn from_str(word: &str) -> ::anyhow::Result<Self> {
                match word {
                    $($word => Ok(Self::$value),)*
                    _ => ::anyhow::bail!(concat!("there is no ", $kind, " {}"), word),
                }
            }
        }
    };
}
pub(crate) use words;

/// Joins the words of values by commas.
pub(crate) fn join(values: &[impl Display]) -> String {
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    words.join(",")
}

/// Splits what [`join()`] made.
pub(crate) fn split<T: FromStr>(words: &str) -> Result<Vec<T>, T::Err> {
    let words = words.split(',').filter(|word| !word.is_empty());
    words.map(str::parse).collect()
}
