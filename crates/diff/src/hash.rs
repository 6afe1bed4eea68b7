//! A stable hash of values.
//!
//! The digest of an object is kept across restarts and compared with the one of a later version, so it must
//! not depend on the process, and the order of map keys must not count: an API server that was upgraded
//! prints fields in another order.

use lockstep_object::Value;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xd6e8_feb8_6659_fd93;

/// Mixes two words into one; the folded product spreads each bit over the whole word.
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ SEED) * u128::from(b ^ MIX);
    (product as u64) ^ ((product >> 64) as u64) ^ a.rotate_left(23)
}

/// Hashes a text.
pub fn text(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut chunks = bytes.chunks_exact(8);
    let mut hash = bytes.len() as u64;
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = mix(hash, word);
    }
    let mut rest = [0; 8];
    let tail = chunks.remainder();
    rest[..tail.len()].copy_from_slice(tail);
    mix(hash, u64::from_le_bytes(rest))
}

/// Hashes a value; the order of map keys does not count, the order of list items does.
pub fn value(value: &Value) -> u64 {
    match value {
        Value::Null => mix(1, 0),
        Value::Bool(truth) => mix(2, u64::from(*truth)),
        Value::Int(number) => mix(3, number.cast_unsigned()),
        Value::UInt(number) => mix(4, *number),
        Value::Float(number) => mix(5, number.to_bits()),
        Value::Text(string) => mix(6, text(string)),
        Value::List(items) => items.iter().fold(mix(7, items.len() as u64), |hash, item| mix(hash, self::value(item))),
        Value::Map(map) => {
            let sum = map.iter().fold(0u64, |sum, (key, item)| sum.wrapping_add(mix(text(key), self::value(item))));
            mix(mix(8, map.len() as u64), sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_object::from_json;

    use super::*;

    fn hash(json: &str) -> u64 {
        value(&from_json(json.as_bytes()).unwrap())
    }

    #[test]
    fn the_order_of_keys_does_not_count_and_the_order_of_items_does() {
        assert_eq!(hash(r#"{"a":1,"b":[1,2]}"#), hash(r#"{"b":[1,2],"a":1}"#));
        assert_ne!(hash("[1,2]"), hash("[2,1]"));
    }

    #[test]
    fn values_that_differ_in_kind_only_differ() {
        let texts = ["1", "1.0", "\"1\"", "true", "null", "[]", "{}", "[null]", "\"\"", r#"{"1":null}"#];
        for (place, one) in texts.iter().enumerate() {
            for two in &texts[place + 1..] {
                assert_ne!(hash(one), hash(two), "{one} {two}");
            }
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_process() {
        assert_eq!(text("lockstep"), text(&["lock", "step"].concat()));
        assert_ne!(text("aaaaaaaab"), text("aaaaaaaac"));
    }
}
