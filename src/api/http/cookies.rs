//! The cookies of a request.

/// Names and values of a `Cookie` header. One that was sent twice arrives joined by a comma, which no cookie of ours has.
pub fn pairs(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split([';', ',']).filter_map(|pair| pair.trim().split_once('=')).map(|(name, value)| (name.trim_end(), value.trim()))
}
