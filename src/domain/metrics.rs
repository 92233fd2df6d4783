//! Metrics in the text format of Prometheus, version 0.0.4.

use crate::domain::time::Millis;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// ASCII letters, digits and `_`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The value only grows, until the isolate ends.
    Counter,
    /// The value can grow and shrink.
    Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The names are ASCII letters. The values are any text.
    pub labels: Vec<(&'static str, String)>,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Count(u64),
    /// Written in seconds.
    Time(Millis),
}

impl Family {
    /// A family with one sample and no labels.
    #[must_use]
    pub fn one(name: &'static str, kind: Kind, help: &'static str, value: Value) -> Self {
        Self { name, help, kind, samples: vec![Sample { labels: Vec::new(), value }] }
    }

    /// A family with two labels. A label with an empty name is left out.
    #[must_use]
    pub fn by_words(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        labels: [&'static str; 2],
        numbers: &[(&'static str, &'static str, u64)],
    ) -> Self {
        let named = |words: [&str; 2]| {
            labels
                .into_iter()
                .zip(words.map(str::to_owned))
                .filter(|(label, _)| !label.is_empty())
                .collect()
        };
        let sample = |(one, other, count): &(&str, &str, u64)| Sample {
            labels: named([one, other]),
            value: Value::Count(*count),
        };
        Self { name, help, kind, samples: numbers.iter().map(sample).collect() }
    }
}

/// Writes the families. `comment` goes before them, and programs skip it.
#[must_use]
pub fn text(comment: &str, families: &[Family]) -> String {
    let mut text = String::new();
    for line in comment.lines() {
        text.extend(["# ", line, "\n"]);
    }
    for Family { name, help, kind, samples } in families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        text.extend(["# HELP ", name, " ", &help, "\n# TYPE ", name, " ", kind, "\n"]);
        for Sample { labels, value } in samples {
            let labels: Vec<_> = labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            text.extend([*name, &labels, " ", &number(*value), "\n"]);
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: Value) -> String {
    match value {
        Value::Count(count) => count.to_string(),
        Value::Time(time) => {
            let sign = if time.0 < 0 { "-" } else { "" };
            let time = time.0.unsigned_abs();
            format!("{sign}{}.{:03}", time / 1000, time % 1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_help_are_escaped_and_times_are_seconds() {
        let families = [
            Family {
                samples: Vec::new(),
                ..Family::one("none", Kind::Counter, "a\\b\nc", Value::Count(0))
            },
            Family::one("age_seconds", Kind::Gauge, "How old.", Value::Time(Millis(61_007))),
            Family::one("ahead_seconds", Kind::Gauge, "How old.", Value::Time(Millis(-7))),
            Family::by_words(
                "all_total",
                Kind::Counter,
                "All.",
                ["", "of"],
                &[("x", "a\"b\\c\nd", 3)],
            ),
        ];
        let expected = "# one\n# two\n# HELP none a\\\\b\\nc\n# TYPE none counter\n\
                        # HELP age_seconds How old.\n# TYPE age_seconds gauge\nage_seconds 61.007\n\
                        # HELP ahead_seconds How old.\n# TYPE ahead_seconds gauge\n\
                        ahead_seconds -0.007\n\
                        # HELP all_total All.\n# TYPE all_total counter\n\
                        all_total{of=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert_eq!(text("one\ntwo", &families), expected);
    }
}
