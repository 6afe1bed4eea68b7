//! The natural order in which yaml.v2 prints the keys of a map.

/// Tells whether a key stands before another: signs, then numbers by their value, then letters.
fn before(a: &str, b: &str) -> bool {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let start = a.floor_char_boundary(same);
    let (head, a_rest, b_rest) = (&a[..start], &a[start..], &b[start..]);
    let (Some(x), Some(y)) = (a_rest.chars().next(), b_rest.chars().next()) else {
        return a.len() < b.len();
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x < y,
        (false, false) => {}
        (_, other_is_letter) => return other_is_letter,
    }
    let zeros_matter = x == '0' || y == '0';
    let digits = head.bytes().rev().take_while(u8::is_ascii_digit);
    // After other digits a zero is a digit like any other, not a leading one.
    let lead = i64::from(zeros_matter && digits.into_iter().any(|digit| digit != b'0'));
    let (a_number, a_len) = leading_number(a_rest, lead);
    let (b_number, b_len) = leading_number(b_rest, lead);
    if a_number != b_number {
        return a_number < b_number;
    }
    if a_len != b_len {
        return a_len < b_len;
    }
    x < y
}

fn leading_number(text: &str, lead: i64) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold((lead, 0), |(number, len), digit| {
        // Go's integers wrap too.
        (number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')), len + 1)
    })
}

/// Sorts entries by key. A merge sort of our own: the order of yaml.v2 is not transitive for every
/// text, and the standard library may panic on such an order.
pub(super) fn sort_entries<T: Copy>(entries: &mut Vec<(&str, T)>) {
    let ordered = |pair: &[(&str, T)]| !before(pair[1].0, pair[0].0);
    if entries.windows(2).all(ordered) {
        return;
    }
    let mut right = entries.split_off(entries.len() / 2);
    sort_entries(entries);
    sort_entries(&mut right);
    let left = std::mem::take(entries);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let next = if before(r.0, l.0) { right.next() } else { left.next() };
        entries.extend(next);
    }
    entries.extend(left);
    entries.extend(right);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_natural_order() {
        let sorted = ["", "_a", "1", "2", "10", "a_b", "a1", "a2", "a10", "ab", "b"];
        let mut entries: Vec<(&str, ())> = sorted.iter().rev().map(|key| (*key, ())).collect();
        sort_entries(&mut entries);
        let keys: Vec<&str> = entries.into_iter().map(|(key, ())| key).collect();
        assert_eq!(keys, sorted);
    }
}
