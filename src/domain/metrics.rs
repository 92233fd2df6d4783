//! Numbers in the text format of Prometheus, version 0.0.4.

use crate::domain::time::Millis;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Numbers that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name: letters of ASCII, digits and `_`.
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
    /// Whether the numbers only grow.
    pub kind: Kind,
    /// The numbers.
    pub samples: Vec<Sample>,
}

/// How a number changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the isolate ends.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A number, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Names and values. The names are letters of ASCII; the values are any text.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: Value,
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// How many.
    Count(u64),
    /// How long, which is told in seconds.
    Time(Millis),
}

impl Family {
    /// A family of one number without labels.
    #[must_use]
    pub fn one(name: &'static str, kind: Kind, help: &'static str, value: Value) -> Self {
        Self { name, help, kind, samples: vec![Sample { labels: Vec::new(), value }] }
    }

    /// A family of numbers by two words, the first of which may be left out.
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

/// The text of families. `comment` stands before them; programs skip it.
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
                        # HELP ahead_seconds How old.\n# TYPE ahead_seconds gauge\nahead_seconds -0.007\n\
                        # HELP all_total All.\n# TYPE all_total counter\nall_total{of=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert_eq!(text("one\ntwo", &families), expected);
    }
}
