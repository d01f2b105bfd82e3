// SPDX-License-Identifier: GPL-2.0

//! Sizes on the command line.

/// Bytes of a size such as `64M`: a number with an optional suffix K, M or G.
pub fn parse(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "not a size: a number with an optional suffix K, M or G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn suffixes() {
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("4K"), Ok(4 << 10));
        assert_eq!(parse("256m"), Ok(256 << 20));
        assert_eq!(parse("1G"), Ok(1 << 30));
    }

    #[test]
    fn nonsense() {
        for text in ["", "M", "-1", "1T", "1.5G", "99999999999G", "é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
