//! Finds the rules that decide about a request.

use crate::domain::method;
use crate::domain::origin::prefix::{Prefix, readings};
use crate::domain::origin::rule::Rule;
use crate::domain::origin::table::Rules;
use crate::domain::path_readings;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand<'r> {
    /// The path is public.
    Nothing,
    /// The caller must pass these rules. Rules with `deny` are among them.
    Rules(Vec<&'r Rule>),
    /// The path's rules do not list this method. The answer is 405 with these methods.
    Methods(Vec<String>),
}

/// The demand on a request, and the rules that only report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'r> {
    pub demand: Demand<'r>,
    /// The rules with `report` that are at least as specific as the deciding ones.
    pub reports: Vec<&'r Rule>,
}

impl Matched<'_> {
    /// Combines the demands of two requests. Some proxies name two paths or methods, and either may
    /// be the client's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let demand = match (self.demand, other.demand) {
            (Demand::Nothing, demand) | (demand, Demand::Nothing) => demand,
            (Demand::Methods(allow), _) | (_, Demand::Methods(allow)) => Demand::Methods(allow),
            (Demand::Rules(first), Demand::Rules(second)) => {
                Demand::Rules(in_order(first.into_iter().chain(second)))
            }
        };
        Self { demand, reports: in_order(self.reports.into_iter().chain(other.reports)) }
    }
}

/// The demand on one reading of a path.
#[derive(Default)]
struct OfReading<'r> {
    is_free: bool,
    rules: Vec<&'r Rule>,
    methods: Option<Vec<String>>,
    reports: Vec<&'r Rule>,
}

impl Rules {
    /// The demand on a request. `path` is as it was sent, without its query. `host` is written as
    /// `host_of` writes it. The error is a phrase to put after "url".
    pub fn demand(&self, method: &str, host: &str, path: &str) -> Result<Matched<'_>, String> {
        Ok(self.demand_of_all(method, host, &readings(path)?))
    }

    /// Like [`Self::demand`], for a path that a proxy forwards as the client wrote it. A runtime
    /// that resolves dot segments keeps empty segments, so for it `/static//../reports` stays below
    /// `/static`. A server that drops empty segments first reads `/reports`.
    pub fn demand_as_written(
        &self,
        method: &str,
        host: &str,
        path: &str,
    ) -> Result<Matched<'_>, String> {
        let mut readings = readings(path)?;
        readings.extend(path_readings::all(path)?);
        Ok(self.demand_of_all(method, host, &readings))
    }

    fn demand_of_all(&self, method: &str, host: &str, readings: &[Vec<u8>]) -> Matched<'_> {
        let of_readings: Vec<_> =
            readings.iter().map(|reading| self.demand_of(method, host, reading)).collect();
        let reports = in_order(of_readings.iter().flat_map(|of| of.reports.iter().copied()));
        let demand = if of_readings.iter().all(|of| of.is_free) {
            Demand::Nothing
        } else if let Some(allow) = of_readings.iter().find_map(|of| of.methods.clone()) {
            Demand::Methods(allow)
        } else {
            Demand::Rules(in_order(of_readings.iter().flat_map(|of| of.rules.iter().copied())))
        };
        Matched { demand, reports }
    }

    /// The deciding prefix is the longest one that begins the reading and has a rule that replaces
    /// the rules of shorter prefixes. The rules of longer prefixes apply in addition: such a prefix
    /// has no rule that replaces others, or it matches only once a suffix is cut off.
    fn demand_of(&self, method: &str, host: &str, reading: &[u8]) -> OfReading<'_> {
        let taking: Vec<_> = self
            .rules
            .iter()
            .filter(|rule| rule.takes_host(host) && rule.takes_reading(reading))
            .collect();
        let groups = by_prefix(&taking);
        let decides = |group: &&Vec<&Rule>| {
            let is_exact =
                group.first().is_some_and(|rule| rule.prefix.begins_in_any_case(reading));
            is_exact && group.iter().any(|rule| rule.replaces_shorter())
        };
        let decisive = groups.iter().find(decides);
        let mut found = OfReading::default();
        for group in groups
            .iter()
            .filter(|group| decisive.is_none_or(|decisive| length(group) > length(decisive)))
        {
            found.take(method, group);
        }
        if let Some(group) = decisive {
            let is_free = found.take(method, group);
            found.is_free = is_free && found.rules.is_empty() && found.methods.is_none();
        }
        let public =
            self.public.iter().filter(|prefix| prefix.begins(reading)).map(Prefix::len).max();
        let bound = taking.iter().filter(|rule| !rule.report).map(|rule| rule.prefix.len()).max();
        if public.is_some() && public > bound {
            found.is_free = true;
            found.reports.retain(|rule| Some(rule.prefix.len()) >= public);
        }
        found
    }
}

impl<'r> OfReading<'r> {
    /// Adds the rules of one prefix that apply to the method. Returns whether they leave the path
    /// public.
    fn take(&mut self, method: &str, group: &[&'r Rule]) -> bool {
        let of_method = || group.iter().copied().filter(|rule| rule.takes_method(method));
        self.reports.extend(of_method().filter(|rule| rule.report));
        self.rules.extend(of_method().filter(|rule| !rule.report && !rule.replaces_shorter()));
        let deciding = || group.iter().copied().filter(|rule| rule.replaces_shorter());
        let mut of_method = deciding().filter(|rule| rule.takes_method(method)).peekable();
        if deciding().next().is_some() && of_method.peek().is_none() {
            self.methods.get_or_insert_with(|| allowed(deciding()));
            return false;
        }
        let before = self.rules.len();
        self.rules.extend(of_method.filter(|rule| !rule.public));
        self.rules.len() == before
    }
}

/// The methods that the rules list, in the usual order.
fn allowed<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<String> {
    let mut allow: Vec<_> = rules.flat_map(|rule| rule.methods.clone()).collect();
    allow.extend(allow.iter().any(|name| name == "GET").then(|| "HEAD".to_owned()));
    let place = |name: &String| {
        method::KNOWN.iter().position(|known| known == name).unwrap_or(method::KNOWN.len())
    };
    allow.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    allow.dedup();
    allow
}

/// The rules grouped by prefix, the longest prefix first. Within one prefix, rules for the
/// request's host replace the rules for all hosts.
fn by_prefix<'r>(rules: &[&'r Rule]) -> Vec<Vec<&'r Rule>> {
    let mut groups: Vec<Vec<&Rule>> = Vec::new();
    for rule in rules {
        let of_prefix = |group: &&mut Vec<&Rule>| {
            group.first().is_some_and(|first| first.prefix.is_same_in_any_case(&rule.prefix))
        };
        match groups.iter_mut().find(of_prefix) {
            Some(group) => group.push(rule),
            None => groups.push(vec![rule]),
        }
    }
    for group in &mut groups {
        if group.iter().any(|rule| rule.host.is_some() && rule.replaces_shorter()) {
            group.retain(|rule| rule.host.is_some() || !rule.replaces_shorter());
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(length(group)));
    groups
}

fn length(group: &[&Rule]) -> usize {
    group.iter().map(|rule| rule.prefix.len()).max().unwrap_or_default()
}

/// Each rule once, in the order in which the rules are checked: by the service of their permission,
/// then by number.
fn in_order<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<&'r Rule> {
    let mut rules: Vec<_> = rules.collect();
    rules.sort_by_cached_key(|rule| (rule.permissions().next(), rule.number));
    rules.dedup_by_key(|rule| rule.number);
    rules
}
